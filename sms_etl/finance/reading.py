"""Reads one month's figures from the marts, by the queries in `sql/`."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from sms_etl.clock import as_utc
from sms_etl.errors import NoDataForPeriod, NotAPeriod, NoWarehouse, ReportError
from sms_etl.finance.coverage import Coverage, DayCoverage, Stretch, compare, coverage_of, coverage_within
from sms_etl.finance.figures import (
    Basis,
    Bulk,
    Correction,
    Credits,
    CurrencyFigures,
    Figures,
    Key,
    LeftOut,
    Publication,
)
from sms_etl.finance.measures import (
    Cost,
    CostDay,
    Delivery,
    DeliveryDay,
    Item,
    Pair,
    added_up,
    delivery_of,
    lines_by,
    sum_of,
)
from sms_etl.finance.period import Period, previous_month
from sms_etl.finance.queries import Queries, Row
from sms_etl.finance.side_lines import (
    AccrualLine,
    BudgetLine,
    ConversionLine,
    FindingLine,
    TaxLine,
    WasteLine,
)
from sms_etl.pii.senders import shown_sender

_MOST_DIGITS, _MOST_PLACES = 12, 30
"""A price text with more digits before or behind its point is no price, and could fill the memory."""
_EXACT = Context(prec=100)
_MOST_MONTHS_NAMED = 12
NO_CAMPAIGN = "no campaign"


def read_figures(connection: duckdb.DuckDBPyConnection, month: date, *, now: datetime) -> Figures:
    """Read a month's figures.

    Args:
        connection: Open on the published copy, or on any warehouse with built models.
        month: First day of the business month.
        now: The present moment, with a time zone: says whether the month is over.

    Raises:
        NotAPeriod: The month has not begun.
        NoDataForPeriod: No message was created in the month.
        NoWarehouse: The models were never built, or by an older version.
        ReportError: The marts contradict each other.
    """
    with marts_needed():
        figures = _read(Queries(connection, month), month, now)
    _reconcile(figures)
    return figures


@contextmanager
def marts_needed() -> Iterator[None]:
    """Raise NoWarehouse where a query finds that the models were never built, or by an older version."""
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as exc:
        raise NoWarehouse(
            "The warehouse holds no marts to report from, or those of an older version.",
            hint="Run `sms-etl build` and `sms-etl publish` (or `sms-etl sync`) first.",
        ) from exc


def _read(reader: Queries, month: date, now: datetime) -> Figures:
    found = reader.rows("basis")
    if not found:
        raise _never_built()
    basis = _basis(reader, month, now, found[0])
    days = [_delivery_day(row) for row in reader.of_two_months("delivery_days")]
    mine = tuple(each for each in days if each.day >= month)
    corrections = tuple(
        Correction(**row | {"uuid": str(row["uuid"])}) for row in reader.rows("closing/corrections")
    )
    if not mine and not corrections:
        raise no_data(reader, Period(month), _why_empty(basis.coverage))
    items, cost_days, bulks = (
        reader.rows("cost_items"),
        reader.of_two_months("cost_days"),
        reader.rows("bulks"),
    )
    campaigns = reader.rows("campaigns")
    keys, negative = reader.rows("unassigned"), reader.rows("credits")

    def of(currency: str, rows: Iterable[Row]) -> list[Row]:
        return [row for row in rows if row["currency"] == currency]

    return Figures(
        basis=basis,
        delivery=delivery_of(mine),
        compared=_pair(basis, lambda chosen: delivery_of(each for each in days if chosen(each.day))),
        days=mine,
        currencies=tuple(
            _currency(
                basis,
                currency,
                of(currency, items),
                [CostDay(row["business_day"], _cost(row)) for row in of(currency, cost_days)],
                bulks=tuple(_bulk(row) for row in of(currency, bulks)),
                unassigned=tuple(
                    Key(row["key_id"], row["messages"], row["cost"]) for row in of(currency, keys)
                ),
                credits=next(
                    (Credits(row["messages"], row["cost"]) for row in of(currency, negative)), Credits()
                ),
                campaigns=added_up(
                    (str(row["bulk_id"] or NO_CAMPAIGN), _cost(row)) for row in of(currency, campaigns)
                ),
            )
            for currency in sorted({row["currency"] for row in items})
        ),
        left_out=_left_out(reader.rows("left_out")),
        corrections=corrections,
        # A sender may be somebody's number: it must not be kept with a closed month for ever.
        waste=tuple(
            WasteLine(**{**row, "sender": shown_sender(row["sender"])}) for row in reader.rows("waste")
        ),
        audit=tuple(FindingLine(**row) for row in reader.rows("audit")),
        accruals=tuple(AccrualLine(**row) for row in reader.rows("accruals")),
        budgets=_budgets(reader),
        conversions=tuple(_conversion(row) for row in reader.rows("conversions")),
        taxes=tuple(TaxLine(**row) for row in reader.rows("taxes")),
    )


def read_coverage(
    connection: duckdb.DuckDBPyConnection, month: date, *, now: datetime
) -> tuple[Coverage, date | None]:
    """Return what of any month was read, with messages or without, and the account's first day."""
    reader = Queries(connection, month)
    found = reader.rows("month_bounds")
    if not found:
        raise _never_built()
    return (
        coverage_within(found[0]["starts_at"], found[0]["ends_at"], _spans(reader), now=as_utc(now)),
        found[0]["first_day"],
    )


def zone_of(connection: duckdb.DuckDBPyConnection) -> ZoneInfo:
    """Return the business time zone that the models were built with."""
    found = Queries(connection, date(1970, 1, 1)).rows("basis")
    if not found:
        raise _never_built()
    return ZoneInfo(found[0]["timezone"])


def _never_built() -> NoWarehouse:
    return NoWarehouse("The models were never built.", hint="Run `sms-etl build` first.")


def _spans(reader: Queries) -> list[Stretch]:
    return [
        Stretch(each["covered_from_at"], each["covered_until_at"]) for each in reader.rows("coverage_spans")
    ]


def _basis(reader: Queries, month: date, now: datetime, row: Row) -> Basis:
    today = now.astimezone(ZoneInfo(row["timezone"])).date()
    if month > today:
        raise NotAPeriod(f"{month:%Y-%m} has not begun.", hint=f"The running month is {today:%Y-%m}.")
    days = [DayCoverage(**each) for each in reader.of_two_months("coverage_days")]
    mine = [each for each in days if each.business_day >= month]
    first_day = row["first_day"]
    if not mine:
        is_early = first_day is not None and month < first_day
        why = f"the first message is from {first_day:%Y-%m-%d}" if is_early else "the month was not read yet"
        raise no_data(reader, Period(month), why)
    return Basis(
        month=month,
        coverage=coverage_of(mine, _spans(reader), now=as_utc(now)),
        comparison=compare(
            mine,
            [each for each in days if each.business_day < month],
            first_day=first_day or month,
            name=f"{month:%B %Y}",
            name_before=f"{previous_month(month):%B %Y}",
        ),
        publication=_publication(reader),
        **row | {"first_day": first_day or month},
    )


def _publication(reader: Queries) -> Publication | None:
    for row in reader.rows("publication"):
        failed = json.loads(row["failed_tests"])
        return Publication(
            bool(row["is_forced"]), row["forced_reason"] or "", tuple(str(each) for each in failed)
        )
    return None


def _pair(basis: Basis, read: Callable[[Callable[[date], bool]], Any]) -> Pair[Any] | None:
    """Read the compared days of both months; None if nothing is compared."""
    chosen = frozenset(basis.comparison.days)
    if not chosen:
        return None
    return Pair(
        read(lambda day: day >= basis.month and day.day in chosen),
        read(lambda day: day < basis.month and day.day in chosen),
    )


def _currency(
    basis: Basis, currency: str, items: Sequence[Row], days: Sequence[CostDay], **more: Any
) -> CurrencyFigures:
    lines = [_item(row) for row in items]
    return CurrencyFigures(
        currency=currency,
        total=sum_of(line.cost for line in lines),
        compared=_pair(basis, lambda chosen: sum_of(each.cost for each in days if chosen(each.day))),
        days=tuple(each for each in days if each.day >= basis.month),
        countries=lines_by(lines, lambda line: line.country),
        cost_centres=lines_by(lines, lambda line: line.cost_centre),
        services=lines_by(lines, lambda line: line.service),
        items=tuple(lines),
        **more,
    )


def _left_out(rows: Iterable[Row]) -> tuple[LeftOut, ...]:
    """Group what is alike, open rows first."""
    found: dict[tuple[object, ...], LeftOut] = {}
    for row in rows:
        kind = LeftOut(
            row["is_message"], row["is_accepted"], row["reason"], row["accepted_reason"], row["currency"]
        )
        identity = (kind.is_message, kind.is_accepted, kind.reason, kind.accepted_reason, kind.currency)
        before = found.get(identity, kind)
        price = _price_of(row["price"])
        found[identity] = replace(
            before,
            rows=before.rows + 1,
            unreadable=before.unreadable + (price is None),
            undated=before.undated + (not row["is_dated"]),
            known=before.known + row["is_known"],
            price=before.price if price is None or row["is_known"] else _EXACT.add(before.price, price),
        )
    return tuple(sorted(found.values(), key=lambda each: (each.is_accepted, not each.is_message)))


def _price_of(text: str | None) -> Decimal | None:
    """Read a price as the provider wrote it; None if it is none."""
    try:
        price = Decimal((text or "").strip().strip('"'))
    except InvalidOperation:
        return None
    if not price.is_finite():
        return None
    exponent = price.as_tuple().exponent
    is_small = isinstance(exponent, int) and exponent >= -_MOST_PLACES and price.adjusted() < _MOST_DIGITS
    return price if is_small else None


def _reconcile(figures: Figures) -> None:
    """Refuse to print two totals of one thing that differ: whoever reads a report believes both."""
    differences = [
        f"{each.currency}: {each.total} by month, {by_day} by day"
        for each in figures.currencies
        if (by_day := sum_of(day.cost for day in each.days)) != each.total
    ]
    differences += [
        f"{each.currency}: {each.total} by month, {by_campaign} by campaign"
        for each in figures.currencies
        if (by_campaign := sum_of(line.cost for line in each.campaigns or ())) != each.total
    ]
    charged = sum(each.total.messages for each in figures.currencies)
    if charged != figures.delivery.messages:
        differences.append(f"messages: {charged} by cost, {figures.delivery.messages} by delivery")
    if differences:
        raise ReportError(
            "The marts contradict each other: " + "; ".join(differences),
            hint="Run `sms-etl build` and look at its failed tests.",
        )


def no_data(reader: Queries, period: Period, why: str) -> NoDataForPeriod:
    """Return the error for a period without anything, naming the months that have messages."""
    months = [f"{row['business_month']:%Y-%m}" for row in reader.rows("months")]
    if not months:
        hint = "Nothing was loaded yet: run `sms-etl sync`."
    elif len(months) > _MOST_MONTHS_NAMED:
        hint = f"There are messages in {len(months)} months, from {months[0]} to {months[-1]}."
    else:
        hint = f"There are messages in: {', '.join(months)}."
    return NoDataForPeriod(f"No message of {_called(period)} is loaded: {why}.", hint=hint)


def _called(period: Period) -> str:
    return period.slug if period.kind == "month" else period.name


def _why_empty(coverage: Coverage) -> str:
    if coverage.is_complete:
        return "the whole month was read, and none was created"
    return "only a part of the month was read" if coverage.read else "the month was not read"


def read_budgets(connection: duckdb.DuckDBPyConnection, month: date) -> tuple[BudgetLine, ...]:
    """Return the budgets of any month, with messages or without."""
    return _budgets(Queries(connection, month))


def _budgets(reader: Queries) -> tuple[BudgetLine, ...]:
    return tuple(BudgetLine(**row) for row in reader.rows("budgets"))


def _conversion(row: Row) -> ConversionLine:
    return ConversionLine(**row | {"days_without_rate": tuple(row["days_without_rate"] or ())})


def _delivery_day(row: Row) -> DeliveryDay:
    return DeliveryDay(
        row["business_day"], Delivery(**{each.name: row[each.name] for each in fields(Delivery)})
    )


def _cost(row: Row) -> Cost:
    return Cost(**{each.name: row[each.name] for each in fields(Cost)})


def _item(row: Row) -> Item:
    return Item(
        cost_centre=row["cost_centre"],
        country_code=row["country_code"],
        country=row["country_name"],
        service=row["service_code"],
        cost=_cost(row),
    )


def _bulk(row: Row) -> Bulk:
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
