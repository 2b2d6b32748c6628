"""Delivery at the same age as a week before, and when nothing can be said of it."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from sms_etl.overview.cohorts import (
    Comparison,
    Reached,
    Span,
    compare_today,
    compare_weeks,
    longest_pause,
    watched_rates,
)
from sms_etl_tests.overview.account import at

AS_OF = at("2026-03-12 15:40")
FIRST = date(2026, 2, 20)
HOUR = timedelta(hours=1)


def spans(days: int = 21, whole: bool = True) -> list[Span]:
    starts = [at("2026-02-20 00:00") + timedelta(days=number) for number in range(days)]
    return [Span(start.date(), start, start + timedelta(days=1), whole) for start in starts]


def every(hours: int) -> list[datetime]:
    first = at("2026-02-19 00:30")
    return [first + HOUR * hours * number for number in range(24 * 22 // hours)]


def cohorts(age: int, rate: int = 90) -> dict[tuple[int, date], Reached]:
    return {(age, span.day): Reached(100, rate) for span in spans()}


@pytest.mark.parametrize(
    ("age", "hours", "is_watched"),
    [
        (1, 1, True),
        (1, 3, False),
        (6, 2, True),
        (6, 3, False),
        (24, 8, True),
        (24, 12, False),
        (72, 24, True),
    ],
)
def test_a_day_is_watched_if_syncs_paused_for_no_more_than_a_third_of_the_age(
    age: int, hours: int, is_watched: bool
) -> None:
    rates = watched_rates(cohorts(age), spans(), every(hours), as_of=AS_OF)
    assert bool(rates) is is_watched


def test_a_day_counts_once_its_last_message_has_reached_the_age() -> None:
    newest = {
        age: max(each.day for each in watched_rates(cohorts(age), spans(), every(1), as_of=AS_OF))
        for age in (1, 24, 72)
    }
    assert newest == {1: date(2026, 3, 11), 24: date(2026, 3, 10), 72: date(2026, 3, 8)}


def test_a_day_that_was_not_read_whole_says_nothing() -> None:
    assert watched_rates(cohorts(1), spans(whole=False), every(1), as_of=AS_OF) == ()


def test_one_long_pause_leaves_out_its_day_and_no_other() -> None:
    syncs = [each for each in every(1) if each.date() != date(2026, 3, 4)]
    days = {each.day for each in watched_rates(cohorts(1), spans(), syncs, as_of=AS_OF)}
    assert date(2026, 3, 4) not in days
    assert {date(2026, 3, 2), date(2026, 3, 6)} <= days


def test_seven_days_are_compared_with_the_seven_days_one_week_before() -> None:
    known = cohorts(24, rate=80)
    known |= {(24, span.day): Reached(100, 95) for span in spans() if span.day <= date(2026, 3, 3)}
    (found,) = compare_weeks(watched_rates(known, spans(), every(1), as_of=AS_OF), [24])
    assert (found.days[0], found.days[-1]) == (date(2026, 3, 4), date(2026, 3, 10))
    assert (found.now, found.before, found.is_running) == (Reached(700, 560), Reached(700, 665), False)


def test_a_day_whose_counterpart_was_not_watched_is_left_out_of_both_weeks() -> None:
    rates = [
        each
        for each in watched_rates(cohorts(24), spans(), every(1), as_of=AS_OF)
        if each.day != date(2026, 3, 1)
    ]
    (found,) = compare_weeks(rates, [24])
    assert date(2026, 3, 8) not in found.days
    assert (len(found.days), found.now.messages, found.before.messages) == (6, 600, 600)


def test_today_is_compared_so_far_as_it_goes_with_its_weekday_of_the_week_before() -> None:
    today = Span(AS_OF.date(), at("2026-03-12 00:00"), at("2026-03-13 00:00"), False)
    known = cohorts(1) | {(1, today.day): Reached(40, 30)}
    rates = watched_rates(known, spans(), every(1), as_of=AS_OF)
    found = compare_today(known, rates, today, every(1), age=1, as_of=AS_OF)
    assert found == Comparison(1, (today.day,), Reached(40, 30), Reached(100, 90), is_running=True)
    assert compare_today(known, rates, today, every(5), age=1, as_of=AS_OF) is None


@pytest.mark.parametrize(
    ("now", "before", "has_dropped"),
    [
        (Reached(700, 560), Reached(700, 665), True),
        (Reached(700, 640), Reached(700, 665), False),  # 3.6 points
        (Reached(20, 17), Reached(20, 19), False),  # ten points of few messages
        (Reached(200, 170), Reached(200, 190), True),  # 3.33 standard errors of 0.03
        (Reached(150, 127), Reached(150, 142), False),  # 2.85 of 0.035
        (Reached(700, 665), Reached(700, 560), False),  # it rose
        (Reached(0, 0), Reached(700, 560), False),
    ],
)
def test_a_rate_has_dropped_by_five_points_and_more_than_chance(
    now: Reached, before: Reached, has_dropped: bool
) -> None:
    assert Comparison(24, (FIRST,), now, before).has_dropped is has_dropped


def test_a_rate_is_of_all_that_reached_the_age() -> None:
    assert Reached(8, 6).rate == Decimal("0.75")
    assert Reached().rate is None


def test_the_longest_pause_reaches_from_edge_to_edge() -> None:
    since, until = at("2026-03-01 00:00"), at("2026-03-01 10:00")
    assert longest_pause(since, until, []) == 10 * HOUR
    assert longest_pause(since, until, [at("2026-03-01 04:00"), at("2026-02-01 00:00")]) == 6 * HOUR
