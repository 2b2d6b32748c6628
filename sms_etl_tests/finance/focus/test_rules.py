"""Each rule of FOCUS finds what breaks it, and nothing is written then."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sms_etl.errors import FocusInvalid
from sms_etl.finance.focus.charges import MonthOfCharges, read_month
from sms_etl.finance.focus.export import write_focus
from sms_etl.finance.focus.rules import (
    broken_by_charges,
    broken_by_columns,
    broken_by_period,
    broken_by_sums,
)
from sms_etl.finance.focus.specification import BILLING_PERIOD, COST_AND_USAGE, Column, Kind, Version
from sms_etl_tests.finance.conftest import WRITTEN_AT

JANUARY = date(2026, 1, 1)
MIDNIGHT = datetime(2025, 12, 31, 23)
DAY = timedelta(days=1)
Fields = dict[str, Any]
COLUMNS = {column.name: column for column in COST_AND_USAGE[Version.V1_4]}


@pytest.fixture(scope="module")
def month(marts: duckdb.DuckDBPyConnection) -> MonthOfCharges:
    return read_month(marts, JANUARY, now=WRITTEN_AT)


@pytest.fixture
def charge(month: MonthOfCharges) -> Fields:
    return dict(month.rows[0])


@pytest.mark.parametrize("version", Version)
def test_a_busy_month_breaks_no_rule(month: MonthOfCharges, version: Version) -> None:
    assert list(broken_by_columns(month.rows, COST_AND_USAGE[version])) == []
    assert list(broken_by_columns([month.billing_period], BILLING_PERIOD)) == []
    assert list(broken_by_charges(month.rows)) == []
    assert list(broken_by_sums(month.rows, month.figures)) == []
    assert list(broken_by_period(month.billing_period)) == []


@pytest.mark.parametrize("version", Version)
def test_columns_stand_by_name_and_ours_behind_them(version: Version) -> None:
    names = [column.name for column in COST_AND_USAGE[version]]
    ours = names.index("x_CorrectionKind")
    assert names[:ours] == sorted(names[:ours])
    assert len(names) == len(set(names))
    assert not any(name.startswith("x_") for name in names[:ours])


def test_every_mandatory_column_of_1_4_is_there() -> None:
    assert {
        *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
        *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
        *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "HostProviderName", "InvoiceIssuerName"),
        *("ListCost", "PricingQuantity", "PricingUnit", "ServiceCategory", "ServiceName"),
        "ServiceProviderName",
    } <= set(COLUMNS)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("BillingAccountId", None, "is null"),
        ("BillingAccountId", " ", "is no text"),
        ("BillingCurrency", "EUR/CHF", "is no currency"),
        ("BilledCost", 0.1, "is no money"),
        ("BilledCost", Decimal("0.0000001"), "is no money"),
        ("BilledCost", Decimal("NaN"), "is no money"),
        ("PricingQuantity", Decimal(1), "is no quantity"),
        ("PricingQuantity", True, "is no quantity"),
        ("ChargePeriodStart", "2026-01-01", "is no time"),
        ("ChargePeriodStart", MIDNIGHT.replace(microsecond=1), "is no time"),
        ("ChargeCategory", "Fee", "is none of the allowed values"),
        ("ChargeClass", "correction", "is none of the allowed values"),
        ("ServiceCategory", "Telephony", "is none of the allowed values"),
        ("Tags", "{", "is no json"),
        ("Tags", "[]", "is no json"),
        ("Tags", '"text"', "is no json"),
        ("Tags", '{"a":1,"a":2}', "is no json"),
        ("Tags", '{"a":{"b":1}}', "is no json"),
        ("Tags", '{"a":[1]}', "is no json"),
    ],
)
def test_a_value_that_a_column_may_not_hold_is_found(
    charge: Fields, name: str, value: object, problem: str
) -> None:
    charge[COLUMNS[name].source] = value
    columns = [COLUMNS[name]]
    assert list(broken_by_columns([charge], columns)) == [f"row 1: {name} {problem}"]


@pytest.mark.parametrize("value", ["{}", '{"a":null,"b":1,"c":true,"d":"x"}'])
def test_an_object_of_plain_values_is_taken(value: str) -> None:
    assert list(broken_by_columns([{"tags": value}], [Column("Tags", Kind.JSON)])) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"billing_period_end": MIDNIGHT}, "BillingPeriodStart is not before BillingPeriodEnd"),
        ({"charge_period_end": MIDNIGHT}, "ChargePeriodStart is not before ChargePeriodEnd"),
        ({"charge_period_start": MIDNIGHT - DAY}, "its charge period lies in the wrong billing period"),
        ({"pricing_category": None}, "it is usage without a quantity, a unit price or a SKU"),
        ({"charge_category": "Credit"}, "ConsumedQuantity is set for what is no usage"),
        ({"pricing_unit": None}, "a unit stands without its quantity, or a quantity without its unit"),
        ({"sku_price_id": None}, "something of a price is set without a SkuPriceId"),
        ({"list_unit_price": Decimal(-1)}, "a unit price is negative"),
        ({"contracted_unit_price": Decimal("9.99")}, "a unit price times PricingQuantity is not its cost"),
        (
            {"effective_cost": Decimal(0)},
            "EffectiveCost is not BilledCost, though nothing is paid in advance",
        ),
        (
            {"list_unit_price": None, "list_cost": Decimal(1)},
            "a cost without a unit price is not BilledCost",
        ),
        ({"service_category": "Web"}, "ServiceSubcategory belongs to another ServiceCategory"),
        ({"region_name": None}, "RegionName and RegionId are not both there, or both null"),
        ({"correction_kind": "price"}, "x_CorrectionKind and ChargeClass are not both there, or both null"),
    ],
)
def test_a_charge_that_breaks_a_rule_is_found(charge: Fields, changed: Fields, says: str) -> None:
    assert f"row 1: {says}" in list(broken_by_charges([charge | changed]))


def test_a_correction_of_a_period_that_is_not_over_is_found(charge: Fields) -> None:
    changed = {"charge_class": "Correction", "correction_kind": "price"}
    assert list(broken_by_charges([charge | changed])) == [
        "row 1: its charge period lies in the wrong billing period"
    ]


def test_a_sku_price_of_two_skus_is_found(charge: Fields) -> None:
    assert list(broken_by_charges([charge, charge | {"sku_id": "another"}])) == [
        "a SkuPriceId has more than one SkuId"
    ]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("billed_cost", Decimal("0.000001"), "the BilledCost in EUR is not what the month comes to"),
        ("messages", 1, "the messages in EUR are not all that the month has"),
    ],
)
def test_a_sum_that_is_off_by_the_smallest_amount_is_found(
    month: MonthOfCharges, field: str, value: Any, says: str
) -> None:
    first, *others = month.rows
    rows = [first | {field: first[field] + value}, *others]
    assert list(broken_by_sums(rows, month.figures)) == [f"2026-01: {says}"]


def test_a_currency_that_the_month_does_not_have_is_found(month: MonthOfCharges) -> None:
    figures = replace(month.figures, currencies=())
    assert list(broken_by_sums(month.rows, figures)) == [
        "2026-01: the BilledCost in EUR is not what the month comes to",
        "2026-01: the messages in EUR are not all that the month has",
    ]


def test_a_billing_period_that_was_updated_before_it_was_made_is_found(month: MonthOfCharges) -> None:
    row = month.billing_period
    wrong = row | {
        "billing_period_last_updated": row["billing_period_created"] - DAY,
        "billing_period_end": row["billing_period_start"],
    }
    assert list(broken_by_period(wrong)) == [
        "BillingPeriodLastUpdated is before BillingPeriodCreated",
        "BillingPeriodStart is not before BillingPeriodEnd",
    ]


BROKEN: list[tuple[str, str]] = [
    ("billing_account_id = null", "row 1: BillingAccountId is null"),
    ("billed_cost = billed_cost + 0.000001", "2026-01: the BilledCost in EUR is not what the month comes to"),
    ("messages = messages + 1", "2026-01: the messages in EUR are not all that the month has"),
]


@pytest.mark.parametrize(("change", "says"), BROKEN)
def test_a_file_that_would_break_a_rule_is_not_written_and_quotes_no_value(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path, change: str, says: str
) -> None:
    ripe.execute(f"update marts.focus_cost_and_usage set {change}, sub_account_id = 'Secret'")
    with pytest.raises(FocusInvalid) as raised:
        write_focus(ripe, [JANUARY], tmp_path / "reports", now=WRITTEN_AT)
    assert says in raised.value.message
    assert "Secret" not in str(raised.value)
    assert "Nothing was written." in raised.value.hint
    assert not (tmp_path / "reports").exists()
