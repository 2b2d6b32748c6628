"""Compares delivery with the week before, at the same age of the messages. Pure.

When a message was delivered is known no better than syncs asked. Of a day during which they paused for longer
than a third of the age (and two hours) nothing is said; nor of a history that was read in one go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

SHORTEST_PAUSE = timedelta(hours=2)
"""Hourly syncs are seldom an hour apart to the second: so long a pause is let pass at every age."""
WEEK = timedelta(days=7)
_POINTS = Decimal("0.05")
_ERRORS = 3


@dataclass(frozen=True)
class Span:
    """A business day in UTC, to just before its end."""

    day: date
    starts_at: datetime
    ends_at: datetime
    is_whole: bool
    """It was read whole."""


@dataclass(frozen=True)
class Reached:
    """Messages that had reached an age, and how many of them were delivered by then."""

    messages: int = 0
    delivered: int = 0

    def __add__(self, other: "Reached") -> "Reached":
        return Reached(self.messages + other.messages, self.delivered + other.delivered)

    @property
    def rate(self) -> Decimal | None:
        """Delivered of all that had reached the age, 0 to 1."""
        return Decimal(self.delivered) / self.messages if self.messages else None


@dataclass(frozen=True)
class WatchedRate:
    """A day all of whose messages could reach the age while syncs watched."""

    day: date
    age_hours: int
    reached: Reached


@dataclass(frozen=True)
class Comparison:
    """Days against the same weekdays one week before, at one age."""

    age_hours: int
    days: tuple[date, ...]
    """None of them: nothing could be compared."""
    now: Reached
    before: Reached
    is_running: bool = False
    """The day is today, so far as its messages have reached the age."""

    @property
    def has_dropped(self) -> bool:
        """Whether the rate is lower by five points, and by three standard errors."""
        now, before = self.now.rate, self.before.rate
        if now is None or before is None or before - now < _POINTS:
            return False
        both = self.now + self.before
        pooled = both.rate or Decimal(0)
        error = pooled * (1 - pooled) * (Decimal(1) / self.now.messages + Decimal(1) / self.before.messages)
        return (before - now) ** 2 > _ERRORS**2 * error


Cohorts = Mapping[tuple[int, date], Reached]
"""By age in hours and business day."""


def watched_rates(
    cohorts: Cohorts, spans: Sequence[Span], syncs: Sequence[datetime], *, as_of: datetime
) -> tuple[WatchedRate, ...]:
    """Return the days whose figures at an age mean something, by age and day."""
    return tuple(
        WatchedRate(span.day, age, cohorts.get((age, span.day), Reached()))
        for age in sorted({age for age, _ in cohorts})
        for span in spans
        if span.is_whole
        and span.ends_at + timedelta(hours=age) <= as_of
        and _is_watched(span.starts_at, span.ends_at + timedelta(hours=age), age, syncs)
    )


def compare_weeks(rates: Iterable[WatchedRate], ages: Iterable[int]) -> tuple[Comparison, ...]:
    """Compare the seven newest days of each age with the days one week before, where both were watched."""
    known = {(each.age_hours, each.day): each.reached for each in rates}
    return tuple(_compared(age, known) for age in ages)


def compare_today(
    cohorts: Cohorts,
    rates: Iterable[WatchedRate],
    today: Span,
    syncs: Sequence[datetime],
    *,
    age: int,
    as_of: datetime,
) -> Comparison | None:
    """Compare what of today has reached an age with the same weekday one week before."""
    now = cohorts.get((age, today.day), Reached())
    before = [each for each in rates if (each.age_hours, each.day) == (age, today.day - WEEK)]
    if not now.messages or not before or not _is_watched(today.starts_at, as_of, age, syncs):
        return None
    return Comparison(age, (today.day,), now, before[0].reached, is_running=True)


def longest_allowed(age: int) -> timedelta:
    """Return for how long syncs may pause for figures at an age to mean something."""
    return max(SHORTEST_PAUSE, timedelta(hours=age) / 3)


def longest_pause(since: datetime, until: datetime, syncs: Sequence[datetime]) -> timedelta:
    """Return for how long no sync was made within a stretch of time."""
    edges = [since, *(each for each in syncs if since < each < until), until]
    return max((later - earlier for earlier, later in pairwise(edges)), default=timedelta(0))


def _is_watched(since: datetime, until: datetime, age: int, syncs: Sequence[datetime]) -> bool:
    return longest_pause(since, until, syncs) <= longest_allowed(age)


def _compared(age: int, known: Mapping[tuple[int, date], Reached]) -> Comparison:
    newest = sorted((day for one, day in known if one == age), reverse=True)[:7]
    days = tuple(day for day in reversed(newest) if (age, day - WEEK) in known)
    return Comparison(
        age,
        days,
        now=sum((known[age, day] for day in days), Reached()),
        before=sum((known[age, day - WEEK] for day in days), Reached()),
    )
