"""Reads what the overview shows from the published copy, by the queries in `sql/`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb

from sms_etl.clock import as_utc
from sms_etl.errors import NoWarehouse
from sms_etl.finance.coverage import DayCoverage, Stretch, coverage_of
from sms_etl.finance.figures import Publication
from sms_etl.finance.measures import Delivery
from sms_etl.finance.queries import Row, SqlFiles, sql_of
from sms_etl.finance.reading import marts_needed
from sms_etl.overview.cohorts import (
    Comparison,
    Reached,
    Span,
    WatchedRate,
    compare_today,
    compare_weeks,
    watched_rates,
)
from sms_etl.overview.figures import (
    COMPARED_WEEKS,
    SHOWN_DAYS,
    Anomaly,
    Basis,
    Checks,
    ClosedMonth,
    CostDay,
    CurrencyCost,
    Day,
    FailedCheck,
    Overview,
    Place,
    Quarantined,
    Ranges,
    Syncs,
    Unpriced,
)
from sms_etl.overview.ranges import Counts, Kind, Series, departures, weekdays_before
from sms_etl.pii.senders import shown_sender
from sms_etl.warehouse.publication import last_publication

_AGES = (1, 6, 24, 72)
_TODAYS_AGE = 1
_COMPARED_DAYS = 7 * (COMPARED_WEEKS + 2)
"""Four weeks before a day that may lie some days back, and the days whose messages are three days old."""
_WEEK = timedelta(days=7)

_OVERVIEW = "sms_etl.overview"


def read_overview(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> Overview:
    """Read all that the overview shows.

    Args:
        connection: Open on the published copy.
        now: The present moment, with a time zone: says how old the figures are.

    Raises:
        NoWarehouse: The models were never built, or by an older version.
    """
    with marts_needed():
        return _read(SqlFiles(connection, _OVERVIEW), now)


def _read(queries: SqlFiles, now: datetime) -> Overview:
    basis = _basis(queries, now)
    _set_variables(queries, basis)
    covered = [
        DayCoverage(**row)
        for row in queries.of_days("coverage_days", _first_compared_day(basis), basis.today)
    ]
    spans = [Span(each.business_day, each.starts_at, each.ends_at, each.is_complete) for each in covered]
    runs = queries.rows("syncs")
    rates, comparisons = _cohorts(queries, basis, spans, runs)
    return Overview(
        basis=basis,
        days=_days(queries, basis, covered),
        gaps=_gaps(queries, basis, covered),
        costs=_costs(queries, basis),
        rates=rates,
        comparisons=comparisons,
        ranges=_ranges(queries, basis, covered),
        places=_places(queries.rows("open_places")),
        unpriced=tuple(Unpriced(**row) for row in queries.rows("unpriced")),
        syncs=_syncs(runs, as_utc(now)),
        checks=_checks(queries),
        quarantine=tuple(Quarantined(**row) for row in queries.rows("quarantine")),
        closed=_closed(queries),
        unclosed=tuple(row["month"] for row in queries.rows("unclosed_months")),
        anomalies=_anomalies(queries),
    )


def _basis(queries: SqlFiles, now: datetime) -> Basis:
    found = queries.read(sql_of("basis"))
    if not found:
        raise NoWarehouse("The models were never built.", hint="Run `sms-etl build` and `sms-etl publish`.")
    published = last_publication(queries.connection)
    return Basis(
        **found[0],
        published_at=published["published_at"] if published else None,
        publication=Publication(
            bool(published["is_forced"]),
            published["forced_reason"] or "",
            tuple(str(each) for each in published["failed_tests"]),
        )
        if published
        else None,
        written_at=as_utc(now),
    )


def _first_compared_day(basis: Basis) -> date:
    return basis.today - timedelta(days=_COMPARED_DAYS)


def _set_variables(queries: SqlFiles, basis: Basis) -> None:
    day_ago = basis.as_of_at - timedelta(days=1)
    settled_until = min(basis.as_of_at - timedelta(days=basis.settle_days), day_ago)
    variables = {
        "today": basis.today,
        "first_shown_day": basis.days[0],
        "first_compared_day": _first_compared_day(basis),
        "as_of_at": basis.as_of_at,
        "hour_ago": basis.as_of_at - timedelta(hours=1),
        "day_ago": day_ago,
        "settled_until_at": settled_until,
        "open_from_at": settled_until - timedelta(days=SHOWN_DAYS),
    }
    for name, value in variables.items():
        queries.set(name, value)


def _days(queries: SqlFiles, basis: Basis, covered: Sequence[DayCoverage]) -> tuple[Day, ...]:
    counted = {
        row["business_day"]: Delivery(**{each.name: row[each.name] for each in fields(Delivery)})
        for row in queries.of_days("delivery_days", basis.days[0], basis.today)
    }
    whole = {each.business_day for each in covered if each.is_complete}
    return tuple(Day(day, counted.get(day, Delivery()), day in whole) for day in basis.days)


def _gaps(queries: SqlFiles, basis: Basis, covered: Sequence[DayCoverage]) -> tuple[Stretch, ...]:
    """Return what of the shown days was not read between two spans that were."""
    shown = [each for each in covered if each.business_day >= basis.days[0]]
    spans = [Stretch(*row.values()) for row in queries.rows("coverage_spans")]
    if not shown or not spans:
        return ()
    begins_at = shown[0].starts_at
    reaching = [each for each in spans if each.until_at > begins_at]
    missing = coverage_of(shown, reaching, now=begins_at).missing if reaching else ()
    is_start = len(reaching) == len(spans)
    return tuple(each for each in missing if not (is_start and each.from_at == begins_at))


def _costs(queries: SqlFiles, basis: Basis) -> tuple[CurrencyCost, ...]:
    found: dict[str, dict[date, CostDay]] = defaultdict(dict)
    for row in queries.of_days("cost_days", basis.days[0], basis.today):
        day = row["business_day"]
        found[row["currency"]][day] = CostDay(day, row["messages"], row["unpriced"], row["cost"])
    return tuple(
        CurrencyCost(currency, tuple(days.get(day, CostDay(day)) for day in basis.days))
        for currency, days in sorted(found.items())
    )


def _cohorts(
    queries: SqlFiles, basis: Basis, spans: Sequence[Span], runs: Sequence[Row]
) -> tuple[tuple[WatchedRate, ...], tuple[Comparison, ...]]:
    cohorts = {
        (row["age_hours"], row["business_day"]): Reached(row["messages"], row["delivered"])
        for row in queries.rows("cohorts")
    }
    done = [row["started_at"] for row in runs if row["stopped_reason"] == "done"]
    rates = watched_rates(cohorts, spans, done, as_of=basis.as_of_at)
    comparisons = compare_weeks(rates, _AGES)
    today = next((each for each in spans if each.day == basis.today), None)
    running = today and compare_today(cohorts, rates, today, done, age=_TODAYS_AGE, as_of=basis.as_of_at)
    return rates, (running, *comparisons) if running else comparisons


def _ranges(queries: SqlFiles, basis: Basis, covered: Sequence[DayCoverage]) -> Ranges:
    countries = _series(Kind.COUNTRY, queries.rows("country_days"), queries.rows("country_costs"))
    senders = _series(Kind.SENDER, queries.rows("sender_days"))
    whole = [each.business_day for each in covered if each.is_complete and each.business_day < basis.today]
    if not whole or basis.first_day is None:
        return Ranges(None, (), len(countries), len(senders), ())
    day, first = max(whole), basis.first_day

    def weeks(of: date) -> tuple[date, ...]:
        return weekdays_before(of, whole, first_day=first, weeks=COMPARED_WEEKS)

    found = departures(
        (*countries, *senders),
        day=day,
        weeks=weeks(day),
        today=basis.today,
        weeks_of_today=weeks(basis.today),
    )
    return Ranges(day, weeks(day), len(countries), len(senders), found)


def _series(kind: Kind, rows: Iterable[Row], costs: Iterable[Row] = ()) -> list[Series]:
    days: dict[str, dict[date, Counts]] = defaultdict(dict)
    spent: dict[str, dict[str, dict[date, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    names: dict[str, str] = {}
    for row in rows:
        names[row["code"]] = shown_sender(row["name"]) if kind is Kind.SENDER else row["name"]
        days[row["code"]][row["business_day"]] = Counts(row["messages"], row["delivered"], row["settled"])
    for row in costs:
        names.setdefault(row["code"], row["name"])
        spent[row["code"]][row["currency"]][row["business_day"]] = row["cost"]
    return [Series(kind, code, name, days[code], spent.get(code, {})) for code, name in names.items()]


def _places(rows: Iterable[Row]) -> tuple[Place, ...]:
    """Put the statuses of a country and service together, the most stuck first."""
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["country"], row["service"]].append(row)
    places = [_place(country, service, each) for (country, service), each in grouped.items()]
    return tuple(sorted(places, key=lambda each: (-each.stuck, each.country, each.service)))


def _place(country: str, service: str, rows: Sequence[Row]) -> Place:
    def total(name: str) -> int:
        return sum(row[name] for row in rows)

    return Place(
        country,
        service,
        statuses=tuple((row["status"], row["stuck"]) for row in rows if row["stuck"]),
        ahead=total("ahead"),
        within_hour=total("within_hour"),
        within_day=total("within_day"),
        stuck=total("stuck"),
        oldest_due_at=min((row["oldest_due_at"] for row in rows if row["oldest_due_at"]), default=None),
        watched=total("watched"),
        earlier=total("earlier"),
        earlier_aged_out=total("earlier_aged_out"),
    )


def _syncs(runs: Sequence[Row], now: datetime) -> Syncs:
    recent = [row for row in runs if row["started_at"] >= now - _WEEK and row["finished_at"]]
    finished = [row for row in runs if row["finished_at"]]
    last = finished[-1] if finished else None
    compared = [row["bulks_differing"] for row in finished if row["bulks_differing"] is not None]
    return Syncs(
        number=len(recent),
        failed=sum(row["stopped_reason"] != "done" for row in recent),
        last_started_at=last["started_at"] if last else None,
        last_error=last["stopped_reason"] if last and last["stopped_reason"] != "done" else None,
        is_without_bulks=bool(last and last["is_without_bulks"]),
        bulks_differing=compared[-1] if compared else 0,
    )


def _checks(queries: SqlFiles) -> Checks:
    counted = queries.rows("checks")
    return Checks(
        number=sum(row["checks"] for row in counted),
        tested_at=max((row["tested_at"] for row in counted), default=None),
        failed=tuple(FailedCheck(**row) for row in queries.rows("failed_checks")),
    )


def _closed(queries: SqlFiles) -> tuple[ClosedMonth, ...]:
    amounts: dict[date, list[tuple[str, Decimal]]] = defaultdict(list)
    for row in queries.rows("corrections"):
        amounts[row["closed_month"]].append((row["currency"], row["amount"]))
    return tuple(
        ClosedMonth(**row, amounts=tuple(amounts[row["month"]])) for row in queries.rows("closed_months")
    )


def _anomalies(queries: SqlFiles) -> tuple[Anomaly, ...]:
    return tuple(
        Anomaly(**{**row, "sender_id": row["sender_id"] and shown_sender(row["sender_id"])})
        for row in queries.rows("anomalies")
    )
