"""What of a month was read, and which days of two months are compared."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

import pytest

from sms_etl.finance.coverage import Comparison, Coverage, DayCoverage, Stretch, compare, coverage_of
from sms_etl.finance.period import next_month
from sms_etl_tests.finance.account import at

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
LONG_AGO = date(2025, 1, 1)


def days_of(
    month: date, *, but: Collection[int] = (), of: Collection[int] | None = None
) -> list[DayCoverage]:
    """All days of a month on a UTC clock, read whole or not."""
    found = []
    for number in range(1, (next_month(month) - month).days + 1):
        day = month.replace(day=number)
        start = datetime.combine(day, datetime.min.time())
        is_read = number in of if of is not None else number not in but
        found.append(DayCoverage(day, start, start + timedelta(days=1), is_read))
    return found


def compared(now: list[DayCoverage], before: list[DayCoverage], first_day: date = LONG_AGO) -> Comparison:
    return compare(now, before, first_day=first_day, name="February 2026", name_before="January 2026")


def covered(*spans: tuple[str, str], now: str = "2026-03-01") -> Coverage:
    stretches = [Stretch(at(since), at(until)) for since, until in spans]
    return coverage_of(days_of(JANUARY), stretches, now=at(now))


def test_whole_months_are_compared_whole_however_long_they_are() -> None:
    found = compared(days_of(FEBRUARY), days_of(JANUARY))
    assert (found.is_whole, found.days) == (True, tuple(range(1, 32)))


def test_a_running_month_is_compared_with_the_same_days() -> None:
    found = compared(days_of(FEBRUARY, of=range(1, 20)), days_of(JANUARY))
    assert (found.is_whole, found.days) == (False, tuple(range(1, 20)))


def test_a_whole_month_is_compared_with_the_days_that_were_read_of_a_partial_one() -> None:
    found = compared(days_of(FEBRUARY), days_of(JANUARY, of=range(15, 32)))
    assert (found.is_whole, found.days) == (False, tuple(range(15, 29)))


def test_a_gap_is_left_out_of_both() -> None:
    found = compared(days_of(FEBRUARY, but=[7]), days_of(JANUARY, but=[9]))
    assert set(range(1, 29)) - set(found.days) == {7, 9}


@pytest.mark.parametrize(
    ("now", "before", "reason"),
    [
        (days_of(FEBRUARY), days_of(JANUARY, of=()), "no day of January 2026 was read whole"),
        (days_of(FEBRUARY, of=()), days_of(JANUARY), "no day of February 2026 was read whole"),
        (
            days_of(FEBRUARY, of=[1, 2]),
            days_of(JANUARY, of=[3, 4]),
            "no day was read whole in both February 2026 and January 2026",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(
    now: list[DayCoverage], before: list[DayCoverage], reason: str
) -> None:
    assert compared(now, before) == Comparison((), reason=reason)


@pytest.mark.parametrize("before", [[], days_of(JANUARY)])
def test_nothing_is_compared_with_the_time_before_the_first_message(before: list[DayCoverage]) -> None:
    found = compared(days_of(FEBRUARY), before, date(2026, 2, 3))
    assert found == Comparison((), reason="there is no message before 3 February 2026")


def test_a_log_that_begins_within_the_month_before_is_compared_from_there() -> None:
    found = compared(days_of(FEBRUARY), days_of(JANUARY), date(2026, 1, 15))
    assert (found.is_whole, found.days) == (False, tuple(range(15, 29)))


def test_a_month_read_in_one_span_is_complete() -> None:
    found = covered(("1970-01-01", "2026-02-10"))
    assert (found.is_complete, found.missing, found.is_running) == (True, (), False)


def test_what_lies_before_between_and_after_the_spans_is_missing() -> None:
    found = covered(("2026-01-05", "2026-01-09"), ("2026-01-11", "2026-01-20"))
    assert found.missing == (
        Stretch(at("2026-01-01"), at("2026-01-05")),
        Stretch(at("2026-01-09"), at("2026-01-11")),
        Stretch(at("2026-01-20"), at("2026-02-01")),
    )
    assert not found.is_complete


def test_what_lies_ahead_of_a_running_month_is_not_missing() -> None:
    found = covered(("2026-01-05", "2026-01-20"), now="2026-01-20")
    assert found.is_running
    assert found.missing == (Stretch(at("2026-01-01"), at("2026-01-05")),)


def test_a_month_of_which_nothing_was_read_is_missing_whole() -> None:
    assert covered().missing == (Stretch(at("2026-01-01"), at("2026-02-01")),)
    assert not covered().is_complete


@pytest.mark.parametrize(("until", "is_early"), [("2026-02-01 00:59:59", True), ("2026-02-01 01:00", False)])
def test_an_end_that_was_read_at_once_may_lack_late_messages(until: str, is_early: bool) -> None:
    assert covered(("1970-01-01", until)).was_read_early is is_early
