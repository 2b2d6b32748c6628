"""Reads what a month's FOCUS files hold: its charges, the corrections booked to it, and its billing period.

Of a closed month all of it comes from what was closed, whatever the marts say now.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from sms_etl.finance.closing.freeze import figures_of
from sms_etl.finance.closing.reported import figures_to_report
from sms_etl.finance.figures import Basis, Correction, Figures, sum_of_amounts
from sms_etl.finance.period import next_day, next_month
from sms_etl.finance.queries import Queries, Row
from sms_etl.finance.reading import marts_needed

_NO_COUNTRY, _NO_COST_CENTRE = "ZZ", "unassigned"
_VOICE = "text2speech"
_PLACE = ("cost_centre", "country_code", "service_code")
_UNKNOWN: Row = dict.fromkeys(
    (
        *("billing_account_name", "invoice_id", "invoice_detail_id", "consumed_quantity", "consumed_unit"),
        *("contracted_unit_price", "list_unit_price", "pricing_category", "pricing_quantity"),
        *("pricing_unit", "sku_price_id", "sku_price_details"),
    )
)
"""What no charge has, or only one of messages with a price."""


@dataclass(frozen=True)
class MonthOfCharges:
    """What a month's files hold. Rows name their fields as marts.focus_cost_and_usage does."""

    figures: Figures
    charges: tuple[Row, ...]
    corrections: tuple[Row, ...]
    billing_period: Row

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return what goes into Cost and Usage."""
        return tuple(row | {"charge_type": _charge_type(row)} for row in (*self.charges, *self.corrections))


@dataclass(frozen=True)
class _ClosedMonth:
    """What a correction must know of the month that it corrects."""

    timezone: str
    names: dict[str, str]
    """Of countries, by code, as they were called then."""


@dataclass(frozen=True)
class _Place:
    """What a charge is for."""

    cost_centre: str
    country_code: str
    country_name: str
    service_code: str
    is_voice: bool
    """A call that reads a text aloud, as `marts.fct_sms` has it."""

    @property
    def text(self) -> str:
        sent = "voice calls" if self.is_voice else "SMS"
        country = "an unknown country" if self.country_code == _NO_COUNTRY else self.country_name
        return f"{sent} to {country}, {self.service_code}"

    def fields(self) -> Row:
        has_country = self.country_code != _NO_COUNTRY
        cost_centre = None if self.cost_centre == _NO_COST_CENTRE else self.cost_centre
        return {
            "region_id": self.country_code if has_country else None,
            "region_name": self.country_name if has_country else None,
            "service_category": "Mobile",
            "service_name": "Text to speech" if self.is_voice else "SMS",
            "service_subcategory": "Other (Mobile)",
            "sku_id": self.service_code,
            "sku_meter": "Voice calls" if self.is_voice else "Text messages",
            "sub_account_id": cost_centre,
            "sub_account_name": cost_centre,
            "tags": None if cost_centre is None else _json_of({"cost_centre": cost_centre}),
        }


def read_month(connection: duckdb.DuckDBPyConnection, month: date, *, now: datetime) -> MonthOfCharges:
    """Read what a month's files hold.

    Args:
        connection: Open on the published copy, or on any warehouse with built models.
        month: First day of the business month.
        now: The present moment, with a time zone.

    Raises:
        ReportError: As `figures_to_report`.
        NoWarehouse: The models were never built, or by an older version.
    """
    figures = figures_to_report(connection, month, now=now)
    queries = Queries(connection, month)
    names = _country_names(figures)
    with marts_needed():
        if figures.closing is None:
            charges = [row | {"correction_kind": None} for row in queries.rows("focus/open_charges")]
        else:
            rows = queries.rows("focus/closed_charges")
            charges = [_closed_charge(figures.basis, names, row) for row in rows]
        months = {each.closed_month for each in figures.corrections}
        closed_months = {month: _closed_month(connection, month) for month in months}
        calls = {str(row["uuid"]) for row in queries.rows("focus/voice_corrections")}
        corrections = tuple(_corrections(figures, names, closed_months, calls))
    return MonthOfCharges(figures, tuple(charges), corrections, _billing_period(figures))


def _closed_charge(basis: Basis, names: dict[str, str], row: Row) -> Row:
    """Return a charge of a closed month, as the mart has one of an open month."""
    place = _place(row, names)
    is_usage, messages, parts = row["price"] >= 0, row["messages"], row["parts"]
    size = "" if place.is_voice or not parts else f", {parts} part{'s' if parts > 1 else ''}"
    price = f"{row['currency']} {row['price']:f} each"
    return {
        **_of_account(basis),
        **place.fields(),
        **_costs(row["cost"], row["currency"]),
        **_UNKNOWN,
        **(_usage(place, messages, parts, row["price"]) if is_usage else {}),
        "charge_category": "Usage" if is_usage else "Credit",
        "charge_class": None,
        "charge_description": f"{'' if is_usage else 'Credit: '}{place.text}{size}, {price}",
        "charge_frequency": "Usage-Based" if is_usage else "One-Time",
        "charge_period_start": _midnight(row["business_day"], basis.timezone),
        "charge_period_end": _midnight(next_day(row["business_day"]), basis.timezone),
        "correction_kind": None,
        "messages": messages,
    }


def _usage(place: _Place, messages: int, parts: int, price: Decimal) -> Row:
    details: dict[str, str | int] = {"x_DestinationCountry": place.country_code}
    sku_price = f"{place.service_code}/{place.country_code}"
    if not place.is_voice:
        details["x_PartsPerMessage"] = parts
        sku_price += f"/{parts}"
    unit = "Calls" if place.is_voice else "Messages"
    is_in_parts = parts > 0 and not place.is_voice
    return {
        "consumed_quantity": messages * parts if is_in_parts else messages,
        "consumed_unit": "Parts" if is_in_parts else unit,
        "contracted_unit_price": price,
        "list_unit_price": price,
        "pricing_category": "Standard",
        "pricing_quantity": messages,
        "pricing_unit": unit,
        "sku_price_details": _json_of(details),
        "sku_price_id": sku_price,
    }


def _corrections(
    figures: Figures, names: dict[str, str], closed_months: Mapping[date, _ClosedMonth], calls: Set[str]
) -> Iterator[Row]:
    """Yield what was booked to the month, alike in all but the message; what cancels out is left out."""
    alike: dict[tuple[Any, ...], list[Correction]] = defaultdict(list)
    for each in figures.corrections:
        key = (each.closed_month, each.currency, each.cost_centre, each.country_code, each.service_code)
        # The warehouse may have the message no more.
        is_voice = each.uuid in calls or each.service_code.startswith(_VOICE)
        alike[*key, each.kind, is_voice].append(each)
    for key, found in sorted(alike.items()):
        closed_month, first = key[0], found[0]
        amount, messages = sum_of_amounts(found), sum(each.messages for each in found)
        if not amount and not messages:
            continue
        closed = closed_months[closed_month]
        row = {name: getattr(first, name) for name in _PLACE} | {"is_voice": key[-1]}
        place = _place(row, closed.names | names)
        yield {
            **_of_account(figures.basis),
            **place.fields(),
            **_costs(amount, first.currency),
            **_UNKNOWN,
            "charge_category": "Usage",
            "charge_class": "Correction",
            "charge_description": f"Correction of {closed_month:%Y-%m} ({first.kind}): {place.text}",
            "charge_frequency": "Usage-Based",
            "charge_period_start": _midnight(closed_month, closed.timezone),
            "charge_period_end": _midnight(next_month(closed_month), closed.timezone),
            "correction_kind": first.kind,
            "messages": messages,
        }


def _closed_month(connection: duckdb.DuckDBPyConnection, month: date) -> _ClosedMonth:
    row = Queries(connection, month).row("focus/closed_month")
    return _ClosedMonth(row["timezone"], _country_names(figures_of(row["figures"])))


def _charge_type(row: Row) -> str:
    """Return what FOCUS called it before 1.0, as focus-validator 1.0.0 asks for it."""
    is_plain = row["charge_category"] == "Usage" and row["charge_class"] is None
    return "Usage" if is_plain else "Adjustment"


def _billing_period(figures: Figures) -> Row:
    """Return the row of the month."""
    of_account, closing = _of_account(figures.basis), figures.closing
    started_at = of_account["billing_period_start"]
    updated_at = closing.closed_at if closing else max(figures.basis.built_at, started_at)
    return {
        "billing_period_created": started_at,
        "billing_period_end": of_account["billing_period_end"],
        "billing_period_last_updated": updated_at.replace(microsecond=0),
        "billing_period_start": started_at,
        "billing_period_status": "Closed" if closing else "Open",
        "invoice_issuer_name": of_account["invoice_issuer_name"],
        "digest": closing.digest if closing else None,
        "unpriced": figures.unpriced,
    }


def _of_account(basis: Basis) -> Row:
    provider = "LOX24 sandbox" if basis.is_sandbox else "LOX24"
    return {
        "billing_account_id": basis.account_id,
        "billing_period_start": _midnight(basis.month, basis.timezone),
        "billing_period_end": _midnight(next_month(basis.month), basis.timezone),
        "host_provider_name": provider,
        "invoice_issuer_name": provider,
        "service_provider_name": provider,
    }


def _costs(cost: Decimal, currency: str) -> Row:
    names = ("billed_cost", "contracted_cost", "effective_cost", "list_cost")
    return {"billing_currency": currency, **dict.fromkeys(names, cost)}


def _place(row: Row, names: dict[str, str]) -> _Place:
    code = row["country_code"]
    return _Place(row["cost_centre"], code, names.get(code) or code, row["service_code"], row["is_voice"])


def _country_names(figures: Figures) -> dict[str, str]:
    items: Iterable[Any] = (item for section in figures.currencies for item in section.items)
    return {item.country_code: item.country for item in items}


def _midnight(day: date, timezone: str) -> datetime:
    """Return when a day begins in a time zone, as UTC without a time zone."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC).replace(tzinfo=None)


def _json_of(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
