"""Reads one month's figures from the marts: frozen, exact, a set per currency. Queries stand in `sql/`.

Nothing is computed here that a mart computes; lines are only added up, as Decimal. Sums across currencies
do not exist.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from sms_etl.errors import NoDataForPeriod, NoWarehouse, ReportError


@dataclass(frozen=True)
class Delivery:
    """What became of some messages; counts of messages, but for `parts`."""

    messages: int = 0
    parts: int = 0
    delivered: int = 0
    expired: int = 0
    rejected: int = 0
    failed: int = 0
    cancelled: int = 0
    open: int = 0
    aged_out: int = 0
    """The part of `open` that is not asked for any more."""

    def __add__(self, other: "Delivery") -> "Delivery":
        return Delivery(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def settled(self) -> int:
        """How many are final."""
        return self.messages - self.open

    @property
    def delivery_rate(self) -> Decimal | None:
        """Delivered of the final ones, 0 to 1; None while none is final."""
        return Decimal(self.delivered) / self.settled if self.settled else None

    @property
    def share_settled(self) -> Decimal:
        """Final of all, 0 to 1."""
        return Decimal(self.settled) / self.messages if self.messages else Decimal(1)


@dataclass(frozen=True)
class Cost:
    """What some messages cost, in one currency, net of VAT."""

    messages: int = 0
    parts: int = 0
    unpriced: int = 0
    priced_parts: int = 0
    cost: Decimal = Decimal(0)
    cost_failed: Decimal = Decimal(0)
    """The part of `cost` of messages that are final and were not delivered."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def average_price_per_part(self) -> Decimal | None:
        """Cost per part of the messages that have a price; None where none has."""
        return self.cost / self.priced_parts if self.priced_parts else None


@dataclass(frozen=True)
class Item:
    """The finest line: cost centre, country and service."""

    cost_centre: str
    country_code: str
    country: str
    service: str
    cost: Cost


@dataclass(frozen=True)
class Line:
    """One line of a breakdown."""

    label: str
    cost: Cost


@dataclass(frozen=True)
class CostDay:
    """One business day's cost."""

    day: date
    cost: Cost


@dataclass(frozen=True)
class DeliveryDay:
    """What became of one business day's messages."""

    day: date
    delivery: Delivery


@dataclass(frozen=True)
class Bulk:
    """One bulk created in the month; times are UTC."""

    bulk_id: str
    created_at: datetime
    status: str
    service: str
    cost_centre: str
    messages: int
    delivered: int
    cost: Decimal


@dataclass(frozen=True)
class CurrencyFigures:
    """All that was charged in one currency; breakdowns add up to `total` exactly."""

    currency: str
    total: Cost
    previous: Cost | None
    days: tuple[CostDay, ...]
    countries: tuple[Line, ...]
    cost_centres: tuple[Line, ...]
    services: tuple[Line, ...]
    items: tuple[Item, ...]
    bulks: tuple[Bulk, ...]


@dataclass(frozen=True)
class Basis:
    """What the figures rest on; times are UTC."""

    month: date
    timezone: str
    as_of_at: datetime
    built_at: datetime
    settle_days: int
    watermark_at: datetime | None

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return next_month(self.month) - timedelta(days=1)

    @property
    def previous_month(self) -> date:
        """First day of the month before."""
        return previous_month(self.month)

    @property
    def is_complete(self) -> bool:
        """Whether all of the month was read from the provider."""
        end = datetime.combine(next_month(self.month), time(), tzinfo=ZoneInfo(self.timezone))
        end_at = end.astimezone(UTC).replace(tzinfo=None)
        # The watermark is a whole second that was read, so the last second of the month is enough.
        return self.watermark_at is not None and self.watermark_at >= end_at - timedelta(seconds=1)


@dataclass(frozen=True)
class Figures:
    """Everything the report shows."""

    basis: Basis
    delivery: Delivery
    previous: Delivery | None
    days: tuple[DeliveryDay, ...]
    currencies: tuple[CurrencyFigures, ...]

    @property
    def unpriced(self) -> int:
        """Messages without a price, of every currency."""
        return sum(each.total.unpriced for each in self.currencies)


def next_month(month: date) -> date:
    """Give the first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_month(month: date) -> date:
    """Give the first day of the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def read_figures(connection: duckdb.DuckDBPyConnection, month: date) -> Figures:
    """Read a month's figures.

    Args:
        connection: Open on the published copy, or on any warehouse with built models.
        month: First day of the business month.

    Raises:
        NoDataForPeriod: No message was created in the month.
        NoWarehouse: The models were never built.
        ReportError: The marts contradict each other.
    """
    # A session's variable, since a `$parameter` in a file is more than sqlfluff can read.
    connection.execute(f"set variable report_month = date '{month.isoformat()}'")
    try:
        basis = _read_basis(connection, month)
        days = [_delivery_day(row) for row in _rows(connection, "delivery_days")]
        cost_days = _rows(connection, "cost_days")
        items = _rows(connection, "cost_items")
        bulks = _rows(connection, "bulks")
        if not any(each.day >= month for each in days):
            raise _no_data(connection, month)
    except duckdb.CatalogException as exc:
        raise NoWarehouse(
            "The warehouse holds no marts to report from.",
            hint="Run `sms-etl build` (or `sms-etl sync`) first.",
        ) from exc
    before = [each.delivery for each in days if each.day < month]
    figures = Figures(
        basis=basis,
        delivery=sum((each.delivery for each in days if each.day >= month), Delivery()),
        previous=sum(before, Delivery()) if before else None,
        days=tuple(each for each in days if each.day >= month),
        currencies=tuple(
            _currency(currency, month, items, cost_days, bulks)
            for currency in sorted({row["currency"] for row in items if row["business_month"] == month})
        ),
    )
    _reconcile(figures)
    return figures


def _currency(
    currency: str,
    month: date,
    items: list[dict[str, Any]],
    cost_days: list[dict[str, Any]],
    bulks: list[dict[str, Any]],
) -> CurrencyFigures:
    mine = [row for row in items if row["currency"] == currency]
    lines = [_item(row) for row in mine if row["business_month"] == month]
    before = [_cost(row) for row in mine if row["business_month"] < month]
    return CurrencyFigures(
        currency=currency,
        total=sum((line.cost for line in lines), Cost()),
        previous=sum(before, Cost()) if before else None,
        days=tuple(
            CostDay(row["business_day"], _cost(row)) for row in cost_days if row["currency"] == currency
        ),
        countries=_grouped(lines, lambda line: line.country),
        cost_centres=_grouped(lines, lambda line: line.cost_centre),
        services=_grouped(lines, lambda line: line.service),
        items=tuple(lines),
        bulks=tuple(_bulk(row) for row in bulks if row["currency"] == currency),
    )


def _grouped(items: Iterable[Item], label: Callable[[Item], str]) -> tuple[Line, ...]:
    """Add up by label, dearest first."""
    sums: dict[str, Cost] = defaultdict(Cost)
    for item in items:
        sums[label(item)] += item.cost
    return tuple(
        Line(name, cost) for name, cost in sorted(sums.items(), key=lambda pair: (-pair[1].cost, pair[0]))
    )


def _reconcile(figures: Figures) -> None:
    """Refuse to print two totals of one thing that differ: whoever reads a report believes both."""
    differences = [
        f"{each.currency}: {each.total} by month, {by_day} by day"
        for each in figures.currencies
        if (by_day := sum((day.cost for day in each.days), Cost())) != each.total
    ]
    charged = sum(each.total.messages for each in figures.currencies)
    if charged != figures.delivery.messages:
        differences.append(f"messages: {charged} by cost, {figures.delivery.messages} by delivery")
    if differences:
        raise ReportError(
            "The marts contradict each other: " + "; ".join(differences),
            hint="Run `sms-etl build` and look at its failed tests.",
        )


def _read_basis(connection: duckdb.DuckDBPyConnection, month: date) -> Basis:
    rows = _rows(connection, "basis")
    if not rows:
        raise NoWarehouse("The models were never built.", hint="Run `sms-etl build` first.")
    return Basis(month=month, **rows[0])


def _no_data(connection: duckdb.DuckDBPyConnection, month: date) -> NoDataForPeriod:
    months = [f"{row['business_month']:%Y-%m}" for row in _rows(connection, "months")]
    return NoDataForPeriod(
        f"No message was created in {month:%Y-%m}.",
        hint=f"There are messages in: {', '.join(months)}."
        if months
        else "Nothing was loaded yet: run `sms-etl sync`.",
    )


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Run `sql/<name>.sql`; fetchall, since only it gives DECIMAL as Decimal."""
    sql = files("sms_etl.finance").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _delivery_day(row: dict[str, Any]) -> DeliveryDay:
    return DeliveryDay(
        row["business_day"], Delivery(**{each.name: row[each.name] for each in fields(Delivery)})
    )


def _cost(row: dict[str, Any]) -> Cost:
    return Cost(**{each.name: row[each.name] for each in fields(Cost)})


def _item(row: dict[str, Any]) -> Item:
    return Item(
        cost_centre=row["cost_centre"],
        country_code=row["country_code"],
        country=row["country_name"],
        service=row["service_code"],
        cost=_cost(row),
    )


def _bulk(row: dict[str, Any]) -> Bulk:
    return Bulk(
        bulk_id=str(row["bulk_id"]),
        created_at=row["created_at"],
        status=row["bulk_status"].replace("_", " "),
        service=row["service_code"],
        cost_centre=row["cost_centre"],
        messages=row["messages"],
        delivered=row["delivered"],
        cost=row["cost"],
    )
