"""When a country or a sender left its range."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from sms_etl.overview.ranges import Counts, Departure, Kind, Measure, Series, departures, weekdays_before

DAY = date(2026, 3, 11)
TODAY = date(2026, 3, 12)
WEEKS = tuple(DAY - timedelta(weeks=number) for number in range(1, 5))
NO_WEEKS: tuple[date, ...] = ()


def series(now: int, *before: int, on: date = DAY, delivered: int | None = None) -> Series:
    days = {on: Counts(now, now if delivered is None else delivered, now)}
    days |= {
        on - timedelta(weeks=number): Counts(count, count, count) for number, count in enumerate(before, 1)
    }
    return Series(Kind.COUNTRY, "DE", "Germany", days)


def left(one: Series, weeks: tuple[date, ...] = WEEKS) -> list[Departure]:
    return [*departures([one], day=DAY, weeks=weeks, today=TODAY, weeks_of_today=NO_WEEKS)]


@pytest.mark.parametrize(
    ("now", "before", "range_left"),
    [
        (150, (80, 90, 100, 95), None),  # one and a half times the highest is still in it
        (151, (80, 90, 100, 95), (40, 150)),
        (40, (80, 90, 100, 95), None),  # half the lowest, too
        (39, (80, 90, 100, 95), (40, 150)),
        (25, (5, 3, 4, 2), None),  # twenty more than the highest
        (26, (5, 3, 4, 2), (0, 25)),
        (0, (20, 30, 40, 25), None),  # twenty less than the lowest
        (0, (41, 50, 60, 45), (Decimal("20.5"), 90)),
        (21, (0, 0, 0, 0), (0, 20)),  # a country that never was
    ],
)
def test_a_day_leaves_its_range_beyond_half_and_one_and_a_half_times_the_weeks_before(
    now: int, before: tuple[int, ...], range_left: tuple[Decimal, Decimal] | None
) -> None:
    found = [(each.low, each.high) for each in left(series(now, *before))]
    assert found == ([] if range_left is None else [range_left])
    assert not any(each.is_running for each in left(series(now, *before)))


def test_a_single_earlier_weekday_says_nothing_of_a_range() -> None:
    assert left(series(500, 10), WEEKS[:1]) == []
    assert len(left(series(500, 10, 10), WEEKS[:2])) == 1


def test_a_running_day_can_be_too_much_and_not_yet_too_little() -> None:
    weeks = tuple(TODAY - timedelta(weeks=number) for number in range(1, 5))

    def found(now: int) -> list[tuple[bool, bool]]:
        one = series(now, 100, 100, 100, 100, on=TODAY)
        told = departures([one], day=DAY, weeks=NO_WEEKS, today=TODAY, weeks_of_today=weeks)
        return [(each.is_running, each.is_above) for each in told]

    assert found(0) == []
    assert found(151) == [(True, True)]


@pytest.mark.parametrize(
    ("delivered", "of", "usual", "is_left"),
    [
        (90, 100, 100, True),
        (94, 100, 100, True),
        (95, 100, 100, False),  # five points and no more
        (17, 20, 100, False),  # three messages
        (80, 100, 90, True),  # ten points: 3.33 standard errors of 0.03
        (82, 100, 90, False),  # eight points: 2.67 standard errors
    ],
)
def test_a_delivery_rate_leaves_its_range_by_five_points_and_more_than_chance(
    delivered: int, of: int, usual: int, is_left: bool
) -> None:
    days = {DAY: Counts(of, delivered, of)}
    days |= {DAY - timedelta(days=ago): Counts(of, usual * of // 100, of) for ago in range(1, 29)}
    found = left(Series(Kind.SENDER, "Shop", "Shop", days))
    assert [each.measure for each in found] == ([Measure.RATE] if is_left else [])


def test_a_rate_is_compared_with_the_sum_of_its_days_and_not_with_an_average_of_rates() -> None:
    """99 of 100 and 1 of 100 on the large and the small day: 991 of 1,010 is 98 %, their average 55 %."""
    days = {
        DAY: Counts(100, 90, 100),
        DAY - timedelta(days=1): Counts(1000, 990, 1000),
        DAY - timedelta(days=2): Counts(10, 1, 10),
    }
    (found,) = left(Series(Kind.COUNTRY, "DE", "Germany", days), weeks=WEEKS[:2])[-1:]
    assert (found.measure, found.low) == (Measure.RATE, Decimal(991) / 1010 - Decimal("0.05"))


def costs(now: str, *before: str, code: str = "DE") -> Series:
    spent = {DAY: Decimal(now)}
    spent |= {DAY - timedelta(weeks=number): Decimal(cost) for number, cost in enumerate(before, 1)}
    return Series(Kind.COUNTRY, code, code, costs={"EUR": spent})


def test_a_cost_leaves_its_range_by_five_per_cent_of_the_days_whole_cost() -> None:
    large = costs("100", "100", "100", "100", "100")
    small, larger = costs("6", "1", "1", "1", "1", code="AT"), costs("8", "1", "1", "1", "1", code="CH")
    found = departures([large, small, larger], day=DAY, weeks=WEEKS, today=TODAY, weeks_of_today=NO_WEEKS)
    assert [(each.code, each.value, each.high) for each in found] == [
        ("CH", Decimal(8), Decimal("6.7"))  # 1 + 5 % of 114
    ]


def test_a_country_that_cost_nothing_before_leaves_its_range_by_the_floor_alone() -> None:
    found = departures(
        [costs("90"), costs("10", code="AT"), Series(Kind.COUNTRY, "CH", "CH", costs={"EUR": {}})],
        day=DAY,
        weeks=WEEKS,
        today=TODAY,
        weeks_of_today=NO_WEEKS,
    )
    assert [(each.code, int(each.low), int(each.high)) for each in found] == [("DE", 0, 5), ("AT", 0, 5)]


def test_the_usual_rate_is_that_of_twenty_eight_days_and_not_of_the_day_before_them() -> None:
    days = {DAY: Counts(100, 50, 100), DAY - timedelta(days=28): Counts(100, 90, 100)}
    days[DAY - timedelta(days=29)] = Counts(100, 0, 100)
    (found,) = [each for each in left(Series(Kind.SENDER, "a", "a", days)) if each.measure is Measure.RATE]
    assert found.low == Decimal("0.85")


def test_to_spend_less_leaves_no_range() -> None:
    assert left(costs("0", "100", "100", "100", "100")) == []


def test_the_furthest_comes_first_and_messages_before_costs() -> None:
    near, far = series(200, 50, 50, 50, 50), series(900, 50, 50, 50, 50)
    found = departures(
        [near, far, costs("9", "1", "1", "1", "1")], day=DAY, weeks=WEEKS, today=TODAY, weeks_of_today=()
    )
    assert [each.value for each in found] == [900, 200, 9]


def test_only_weekdays_that_were_read_whole_after_the_first_day_are_compared() -> None:
    whole = [DAY, WEEKS[0], WEEKS[2], WEEKS[3], DAY - timedelta(days=1)]
    assert weekdays_before(DAY, whole, first_day=WEEKS[3], weeks=4) == (WEEKS[0], WEEKS[2])
    oldest = weekdays_before(DAY, whole, first_day=date(2025, 1, 1), weeks=4)[-1]
    assert oldest == WEEKS[3]
