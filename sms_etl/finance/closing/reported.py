"""Returns the figures that a report is made of: those of a closed month are the frozen ones."""

from dataclasses import replace
from datetime import date, datetime

import duckdb

from sms_etl.errors import NoDataForPeriod, NotAPeriod
from sms_etl.finance.closing.freeze import figures_of, text_of
from sms_etl.finance.closing.periods import ClosedPeriod, closed_periods, digest_of_text, frozen_figures
from sms_etl.finance.combining import ReadMonth, combined, digest_of_months
from sms_etl.finance.coverage import Comparison, Coverage
from sms_etl.finance.figures import Figures, MonthPart, MonthState
from sms_etl.finance.period import Period, next_month
from sms_etl.finance.queries import Queries
from sms_etl.finance.reading import marts_needed, no_data, read_budgets, read_coverage, read_figures, zone_of


def figures_to_report(
    connection: duckdb.DuckDBPyConnection, period: Period | date, *, now: datetime
) -> Figures:
    """Return a period's figures: of its closed months those that were frozen, whatever the marts say now.

    Raises:
        NotAPeriod: It has not begun.
        NoDataForPeriod: Nothing was sent in it.
        ClosedMonthChanged: A month is closed, and what is kept of it was changed since.
        ReportError: As `read_figures`, of an open month.
    """
    period = Period(period) if isinstance(period, date) else period
    with marts_needed():
        closed = closed_periods(Queries(connection, period.first))
        if period.kind == "month":
            return _month(connection, period.first, closed.get(period.first), now)
        return _several(connection, period, closed, now)


def digest_of_report(figures: Figures) -> str:
    """Return the digest of figures: that of a closing, if they are closed, else of what they say now.

    That of an open month is of its figures alone: a build, sync or publication that changes none of them
    leaves it as it is, and so does what they are compared with.
    """
    if figures.closing:
        return figures.closing.digest
    if figures.months:
        return digest_of_months(figures.basis.period, figures.months)
    return digest_of_text(text_of(_without_moments(figures)))


def _without_moments(figures: Figures) -> Figures:
    """Return figures without when they were read, built and published, and what they are compared with."""
    known = figures.basis
    basis = replace(
        known,
        as_of_at=known.coverage.starts_at,
        built_at=known.coverage.starts_at,
        watermark_at=None,
        asked_at=None,
        coverage=replace(known.coverage, read=(), is_running=False, seen_until_at=None),
        comparison=Comparison(()),
        publication=None,
    )
    currencies = tuple(replace(each, compared=None) for each in figures.currencies)
    return replace(figures, basis=basis, compared=None, currencies=currencies)


def _month(
    connection: duckdb.DuckDBPyConnection, month: date, period: ClosedPeriod | None, now: datetime
) -> Figures:
    if period is not None:
        frozen = frozen_figures(Queries(connection, month), period)
        return replace(figures_of(frozen), closing=period.closing)
    return read_figures(connection, month, now=now)


def _several(
    connection: duckdb.DuckDBPyConnection, period: Period, closed: dict[date, ClosedPeriod], now: datetime
) -> Figures:
    today = now.astimezone(zone_of(connection)).date()
    if period.first > today:
        raise NotAPeriod(f"{period.name} has not begun.", hint=f"Today is {today:%Y-%m-%d}.")

    def read(month: date) -> ReadMonth:
        return _read_month(connection, month, closed.get(month), now, today)

    months = [_with_budgets(connection, read(month)) for month in period.months]
    _, first_day = read_coverage(connection, period.first, now=now)
    if not any(each.part.figures for each in months):
        raise no_data(Queries(connection, period.first), period, _why_empty(period, first_day))
    before = [read(month) for month in period.before.months]
    return combined(period, months, before, first_day=first_day or period.first)


def _read_month(
    connection: duckdb.DuckDBPyConnection,
    month: date,
    closed: ClosedPeriod | None,
    now: datetime,
    today: date,
) -> ReadMonth:
    """Read a month of several; one without messages has no figures, and says why."""
    coverage, first_day = read_coverage(connection, month, now=now)
    if month > today:
        return ReadMonth(MonthPart(month, MonthState.AHEAD), coverage)
    try:
        figures = _month(connection, month, closed, now)
    except NoDataForPeriod:
        return ReadMonth(MonthPart(month, _why_no_figures(month, coverage, first_day)), coverage)
    if figures.closing:
        state = MonthState.CLOSED
    else:
        state = MonthState.RUNNING if coverage.is_running else MonthState.OPEN
    part = MonthPart(month, state, figures, digest_of_report(figures))
    return ReadMonth(part, figures.basis.coverage)


def _with_budgets(connection: duckdb.DuckDBPyConnection, found: ReadMonth) -> ReadMonth:
    """Return a month with its budgets: one without figures has none to hold them."""
    if found.part.figures:
        return found
    return replace(found, part=replace(found.part, planned=read_budgets(connection, found.part.month)))


def _why_no_figures(month: date, coverage: Coverage, first_day: date | None) -> MonthState:
    if coverage.is_running:
        return MonthState.RUNNING
    if not coverage.is_complete:
        return MonthState.NOT_READ
    is_before = first_day is not None and next_month(month) <= first_day
    return MonthState.BEFORE if is_before else MonthState.NO_MESSAGES


def _why_empty(period: Period, first_day: date | None) -> str:
    if first_day is not None and period.last_day < first_day:
        return f"the first message is from {first_day:%Y-%m-%d}"
    return "none of its months has any"
