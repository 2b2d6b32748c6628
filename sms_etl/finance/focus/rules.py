"""Finds what breaks a rule of FOCUS in rows that are about to be written. Pure.

A finding names the row and its columns and quotes no value, so that it may be shown to anybody.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sms_etl.finance.figures import Figures
from sms_etl.finance.focus.specification import Column, Kind
from sms_etl.finance.queries import Row

_SMALLEST = -6
_PARENT_OF_SUBCATEGORY = {"Other (Mobile)": "Mobile"}
_UNIT_PRICES = {"list_unit_price": "list_cost", "contracted_unit_price": "contracted_cost"}
_NEEDED_FOR_USAGE = (
    *("consumed_quantity", "consumed_unit", "pricing_category", "pricing_quantity", "pricing_unit"),
    *("contracted_unit_price", "list_unit_price", "sku_id", "sku_price_id"),
)
_NOTHING_WITHOUT_SKU_PRICE = (
    *("consumed_quantity", "contracted_unit_price", "list_unit_price", "pricing_category"),
    *("pricing_quantity", "sku_price_details"),
)


def broken_by_columns(rows: Iterable[Row], columns: Sequence[Column]) -> Iterator[str]:
    """Yield what is null, of another type, or not one of the allowed values."""
    for place, row in enumerate(rows, start=1):
        for column in columns:
            if problem := _problem(None if column.is_empty else row[column.source], column):
                yield f"row {place}: {column.name} {problem}"


def broken_by_charges(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what Cost and Usage demands of a row, or of rows together, and is not so."""
    for place, row in enumerate(rows, start=1):
        for says, is_kept in _OF_A_CHARGE.items():
            if not is_kept(row):
                yield f"row {place}: {says}"
    parents: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["sku_price_id"] is not None:
            parents[row["sku_price_id"]].add(row["sku_id"])
    if any(len(found) > 1 for found in parents.values()):
        yield "a SkuPriceId has more than one SkuId"


def broken_by_sums(rows: Sequence[Row], figures: Figures) -> Iterator[str]:
    """Yield in which currencies the rows of a month are not what its report comes to."""
    costs: dict[str, Decimal] = defaultdict(Decimal)
    messages: dict[str, int] = defaultdict(int)
    for row in rows:
        costs[row["billing_currency"]] += row["billed_cost"]
        messages[row["billing_currency"]] += row["messages"]
    unpriced = {section.currency: section.total.unpriced for section in figures.currencies}
    totals = {total.currency: total for total in figures.totals}
    month = f"{figures.basis.month:%Y-%m}"
    for currency in sorted({*costs, *totals}):
        total = totals.get(currency)
        if costs[currency] != (total.cost if total else 0):
            yield f"{month}: the BilledCost in {currency} is not what the month comes to"
        if messages[currency] + unpriced.get(currency, 0) != (total.messages if total else 0):
            yield f"{month}: the messages in {currency} are not all that the month has"


def broken_by_period(row: Row) -> Iterator[str]:
    """Yield what Billing Period demands of a row and is not so."""
    if row["billing_period_last_updated"] < row["billing_period_created"]:
        yield "BillingPeriodLastUpdated is before BillingPeriodCreated"
    if row["billing_period_start"] >= row["billing_period_end"]:
        yield "BillingPeriodStart is not before BillingPeriodEnd"


def _problem(value: Any, column: Column) -> str | None:  # noqa: ANN401 - whatever a row holds
    if value is None:
        return None if column.is_nullable else "is null"
    if not _IS_OF[column.kind](value):
        return f"is no {column.kind.value}"
    if column.allowed and value not in column.allowed:
        return "is none of the allowed values"
    return None


def _is_money(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and int(value.as_tuple().exponent) >= _SMALLEST


def _is_plain_json(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        pairs = json.loads(value, object_pairs_hook=lambda found: found)
    except ValueError:
        return False
    if not isinstance(pairs, list) or not value.startswith("{"):
        return False
    keys = {key for key, _ in pairs}
    are_plain = all(held is None or isinstance(held, str | int | bool) for _, held in pairs)
    return are_plain and len(keys) == len(pairs)


_IS_OF: dict[Kind, Callable[[Any], bool]] = {
    Kind.TEXT: lambda value: isinstance(value, str) and bool(value.strip()),
    Kind.MONEY: _is_money,
    Kind.QUANTITY: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.TIME: lambda value: isinstance(value, datetime) and value.tzinfo is None and not value.microsecond,
    Kind.CURRENCY: lambda value: isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None,
    Kind.JSON: _is_plain_json,
}


def _is_correction(row: Row) -> bool:
    return bool(row["charge_class"] is not None)


def _is_usage(row: Row) -> bool:
    return bool(row["charge_category"] == "Usage")


def _lies_in_its_month(row: Row) -> bool:
    if _is_correction(row):
        # Not their ends: the month may have been closed in another time zone than the one booked to.
        return bool(row["charge_period_start"] < row["billing_period_start"])
    return bool(
        row["billing_period_start"] <= row["charge_period_start"]
        and row["charge_period_end"] <= row["billing_period_end"]
    )


def _multiplies(row: Row) -> bool:
    quantity = row["pricing_quantity"]
    return all(
        row[price] is None or quantity is None or row[price] * quantity == row[cost]
        for price, cost in _UNIT_PRICES.items()
    )


_OF_A_CHARGE: dict[str, Callable[[Row], bool]] = {
    "BillingPeriodStart is not before BillingPeriodEnd": lambda row: (
        row["billing_period_start"] < row["billing_period_end"]
    ),
    "ChargePeriodStart is not before ChargePeriodEnd": lambda row: (
        row["charge_period_start"] < row["charge_period_end"]
    ),
    "its charge period lies in the wrong billing period": _lies_in_its_month,
    "it is usage without a quantity, a unit price or a SKU": lambda row: (
        _is_correction(row) or not _is_usage(row) or all(row[each] is not None for each in _NEEDED_FOR_USAGE)
    ),
    "ConsumedQuantity is set for what is no usage": lambda row: (
        _is_usage(row) or (row["consumed_quantity"] is None and row["consumed_unit"] is None)
    ),
    "a unit stands without its quantity, or a quantity without its unit": lambda row: all(
        (row[f"{each}_quantity"] is None) == (row[f"{each}_unit"] is None) for each in ("consumed", "pricing")
    ),
    "something of a price is set without a SkuPriceId": lambda row: (
        row["sku_price_id"] is not None or all(row[each] is None for each in _NOTHING_WITHOUT_SKU_PRICE)
    ),
    "a unit price is negative": lambda row: all(
        row[price] is None or row[price] >= 0 for price in _UNIT_PRICES
    ),
    "a unit price times PricingQuantity is not its cost": _multiplies,
    "EffectiveCost is not BilledCost, though nothing is paid in advance": lambda row: (
        row["effective_cost"] == row["billed_cost"]
    ),
    "a cost without a unit price is not BilledCost": lambda row: all(
        row[price] is not None or row[cost] == row["billed_cost"] for price, cost in _UNIT_PRICES.items()
    ),
    "ServiceSubcategory belongs to another ServiceCategory": lambda row: (
        _PARENT_OF_SUBCATEGORY.get(row["service_subcategory"]) == row["service_category"]
    ),
    "RegionName and RegionId are not both there, or both null": lambda row: (
        (row["region_id"] is None) == (row["region_name"] is None)
    ),
    "x_CorrectionKind and ChargeClass are not both there, or both null": lambda row: (
        (row["correction_kind"] is None) == (row["charge_class"] is None)
    ),
}
