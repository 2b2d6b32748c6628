"""Says whether a country or a sender left its range. Pure.

A day is compared with the same weekday of the four weeks before, since weekdays differ more than weeks do.
Its range reaches from half the lowest of them to one and a half times the highest. Small numbers leave any
range by chance: what is off by less than a floor stays in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

LEAST_WEEKS = 2
"""Fewer earlier weekdays say nothing of a range."""
FLOOR = 20
"""Messages by which a day must be off."""
COST_SHARE = Decimal("0.05")
"""Of a day's whole cost in the currency, by which a country's cost must be off."""
POINTS = Decimal("0.05")
ERRORS = 3
"""A delivery rate must be off by five points and by three standard errors, below its 28 days before."""
LEAST_UNDELIVERED = 5


class Measure(StrEnum):
    """What is compared."""

    MESSAGES = "messages"
    COST = "cost"
    RATE = "delivery rate"


class Kind(StrEnum):
    """Whose figures are compared."""

    COUNTRY = "country"
    SENDER = "sender"


@dataclass(frozen=True)
class Counts:
    """Messages of one day."""

    messages: int = 0
    delivered: int = 0
    settled: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.messages + other.messages, self.delivered + other.delivered, self.settled + other.settled
        )


@dataclass(frozen=True)
class Series:
    """The days of one country or sender; a day that is not there had no messages."""

    kind: Kind
    code: str
    name: str
    days: Mapping[date, Counts] = field(default_factory=dict)
    costs: Mapping[str, Mapping[date, Decimal]] = field(default_factory=dict)
    """By currency and day."""


@dataclass(frozen=True)
class Departure:
    """A figure that left its range."""

    kind: Kind
    code: str
    name: str
    measure: Measure
    day: date
    value: Decimal
    low: Decimal
    high: Decimal
    currency: str | None = None
    """Of a cost."""
    is_running: bool = False
    """The day is not over: the figure is one of its beginning."""

    @property
    def is_above(self) -> bool:
        """Whether it is higher than its range; else it is lower."""
        return self.value > self.high


def departures(
    series: Sequence[Series], *, day: date, weeks: Sequence[date], today: date, weeks_of_today: Sequence[date]
) -> tuple[Departure, ...]:
    """Return what left its range: the furthest first, messages before cost before rates.

    Args:
        series: Countries or senders.
        day: The newest day that was read whole.
        weeks: The same weekdays before it that were read whole.
        today: The running day: what has begun can be too much, not yet too little.
        weeks_of_today: As `weeks`, of today.
    """
    found: list[Departure] = []
    for each in series:
        if len(weeks) >= LEAST_WEEKS:
            found += _messages(each, day, weeks)
            found += _rate(each, day)
        if len(weeks_of_today) >= LEAST_WEEKS:
            running = _messages(each, today, weeks_of_today, is_running=True)
            found += [one for one in running if one.is_above]
    if len(weeks) >= LEAST_WEEKS:
        found += _costs(series, day, weeks)
    return tuple(sorted(found, key=_order))


def weekdays_before(
    day: date, whole_days: Iterable[date], *, first_day: date, weeks: int
) -> tuple[date, ...]:
    """Return the same weekdays before a day that were read whole, after the account's first day."""
    whole = frozenset(whole_days)
    earlier = (day - timedelta(weeks=number) for number in range(1, weeks + 1))
    return tuple(each for each in earlier if each in whole and each > first_day)


def _order(each: Departure) -> tuple[int, Decimal, str]:
    measures = [*Measure]
    off = max(each.value - each.high, each.low - each.value)
    return measures.index(each.measure), -off, each.code


def _messages(
    series: Series, day: date, weeks: Sequence[date], *, is_running: bool = False
) -> list[Departure]:
    value = Decimal(series.days.get(day, Counts()).messages)
    earlier = [Decimal(series.days.get(each, Counts()).messages) for each in weeks]
    found = _left(value, earlier, floor=Decimal(FLOOR))
    if found is None:
        return []
    return [
        Departure(
            series.kind, series.code, series.name, Measure.MESSAGES, day, value, *found, is_running=is_running
        )
    ]


def _costs(series: Sequence[Series], day: date, weeks: Sequence[date]) -> list[Departure]:
    """Compare costs: too much only, since to spend less alarms nobody."""
    found = []
    for currency in sorted({currency for each in series for currency in each.costs}):
        spent = [(each, each.costs[currency]) for each in series if currency in each.costs]
        floor = COST_SHARE * sum((costs.get(day, Decimal(0)) for _, costs in spent), Decimal(0))
        for each, costs in spent:
            value = costs.get(day, Decimal(0))
            left = _left(value, [costs.get(one, Decimal(0)) for one in weeks], floor=floor)
            if left is not None and value > left[1]:
                found.append(
                    Departure(each.kind, each.code, each.name, Measure.COST, day, value, *left, currency)
                )
    return found


def _rate(series: Series, day: date) -> list[Departure]:
    """Compare the delivery rate of a day with that of the 28 days before it, added up."""
    now = series.days.get(day, Counts())
    before = sum((series.days.get(day - timedelta(days=ago), Counts()) for ago in range(1, 29)), Counts())
    if not now.settled or not before.settled:
        return []
    usual = Decimal(before.delivered) / before.settled
    rate = Decimal(now.delivered) / now.settled
    missing = usual * now.settled - now.delivered
    off = usual - rate
    is_chance = off * off * now.settled <= ERRORS * ERRORS * usual * (1 - usual)
    if off <= POINTS or missing < LEAST_UNDELIVERED or is_chance:
        return []
    return [
        Departure(series.kind, series.code, series.name, Measure.RATE, day, rate, usual - POINTS, Decimal(1))
    ]


def _left(value: Decimal, earlier: Sequence[Decimal], *, floor: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return the range a value left, or None if it is in it."""
    low = max(Decimal(0), min(min(earlier) / 2, min(earlier) - floor))
    high = max(max(earlier) * 3 / 2, max(earlier) + floor)
    return None if low <= value <= high else (low, high)
