"""Says what of a period was read, and what of it can be compared with the period before. Pure.

Times are UTC; a stretch ends just before `until_at`. See `marts.coverage_daily` for where it comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

LATE = timedelta(hours=1)
"""A month that was last read so shortly after its end may lack messages that became visible late: the default
of SMS_ETL_OVERLAP."""


@dataclass(frozen=True)
class Stretch:
    """A piece of time, from its first moment to just before its end."""

    from_at: datetime
    until_at: datetime


@dataclass(frozen=True)
class DayCoverage:
    """Whether one business day was read whole."""

    business_day: date
    starts_at: datetime
    ends_at: datetime
    is_complete: bool


@dataclass(frozen=True)
class Coverage:
    """What of a month was read; the stretches are in order and lie apart."""

    starts_at: datetime
    ends_at: datetime
    read: tuple[Stretch, ...]
    is_running: bool
    """The month is not over yet."""
    seen_until_at: datetime | None
    """Up to when the last stretch goes on, beyond the month too."""

    @property
    def is_complete(self) -> bool:
        """Whether the month was read from its first to its last moment."""
        return self.read == (Stretch(self.starts_at, self.ends_at),)

    @property
    def missing(self) -> tuple[Stretch, ...]:
        """What was not read; of a running month only what lies before the last moment that was."""
        ends_at = self.read[-1].until_at if self.is_running and self.read else self.ends_at
        edges = [
            self.starts_at,
            *(edge for each in self.read for edge in (each.from_at, each.until_at)),
            ends_at,
        ]
        return tuple(Stretch(*gap) for gap in list(pairwise(edges))[::2] if gap[0] < gap[1])

    @property
    def was_read_early(self) -> bool:
        """Whether the end of the month was read so soon that messages may still become visible in it."""
        if not self.is_complete or self.seen_until_at is None:
            return False
        return self.seen_until_at - self.ends_at < LATE


@dataclass(frozen=True)
class Comparison:
    """Which days of the month stand against the same days of the month before; of more, which months."""

    days: tuple[int, ...]
    """Of both months, by their number; with `is_whole` every day each of them has."""
    is_whole: bool = False
    reason: str = ""
    """Why nothing is compared; empty if something is."""
    months: tuple[int, ...] = ()
    """Of a quarter or a year: its months by their place, the first is 1, against those of the one before."""

    @property
    def is_there(self) -> bool:
        """Whether anything is compared."""
        return bool(self.days or self.months)


def coverage_of(days: Sequence[DayCoverage], spans: Sequence[Stretch], *, now: datetime) -> Coverage:
    """Put together what of a month was read.

    Args:
        days: All days of the month.
        spans: What was read of it, reaching beyond it or not.
        now: The present moment.
    """
    return coverage_within(days[0].starts_at, days[-1].ends_at, spans, now=now)


def coverage_within(
    starts_at: datetime, ends_at: datetime, spans: Sequence[Stretch], *, now: datetime
) -> Coverage:
    """Put together what was read between two moments, of spans that reach beyond them or not."""
    clipped = (Stretch(max(each.from_at, starts_at), min(each.until_at, ends_at)) for each in spans)
    return Coverage(
        starts_at=starts_at,
        ends_at=ends_at,
        read=tuple(clipped),
        is_running=now < ends_at,
        seen_until_at=spans[-1].until_at if spans else None,
    )


def compare(
    days: Sequence[DayCoverage],
    before: Sequence[DayCoverage],
    *,
    first_day: date,
    name: str,
    name_before: str,
) -> Comparison:
    """Choose what is compared: the whole months, or the days that were read whole in both, or nothing.

    Args:
        days: All days of the month.
        before: Those of the month before; empty if it lies before the first message.
        first_day: Day of the very first message; there is nothing to compare with before it.
        name: Of the month, as a reader calls it.
        name_before: Of the month before.
    """
    if not before or before[-1].business_day < first_day:
        return Comparison((), reason=_no_message_before(first_day))
    now_read, before_read = _whole_days(days, first_day), _whole_days(before, first_day)
    if len(now_read) == len(days) and len(before_read) == len(before):
        return Comparison(tuple(sorted(now_read | before_read)), is_whole=True)
    if shared := sorted(now_read & before_read):
        return Comparison(tuple(shared))
    for found, which in ((now_read, name), (before_read, name_before)):
        if not found:
            return Comparison((), reason=f"no day of {which} was read whole")
    return Comparison((), reason=f"no day was read whole in both {name} and {name_before}")


def joined(parts: Sequence[Coverage]) -> Coverage:
    """Put together what of several months, one after the other, was read."""
    read: list[Stretch] = []
    for each in (stretch for part in parts for stretch in part.read):
        if read and read[-1].until_at >= each.from_at:
            read[-1] = Stretch(read[-1].from_at, each.until_at)
        else:
            read.append(each)
    return Coverage(
        starts_at=parts[0].starts_at,
        ends_at=parts[-1].ends_at,
        read=tuple(read),
        is_running=parts[-1].is_running,
        seen_until_at=parts[-1].seen_until_at,
    )


def compare_months(
    now: Sequence[date | None],
    before: Sequence[date | None],
    *,
    before_ends: date,
    first_day: date,
    name: str,
    name_before: str,
) -> Comparison:
    """Choose what of a quarter or a year is compared: all of it, the months read whole in both, or nothing.

    Args:
        now: Its months that were read whole, in their places; None: not so.
        before: Those of the period before.
        before_ends: Its last day.
        first_day: Day of the very first message; there is nothing to compare with before it.
        name: Of the period, as a reader calls it.
        name_before: Of the one before.
    """

    def places(months: Sequence[date | None]) -> set[int]:
        return {place for place, month in enumerate(months, start=1) if month and month >= first_day}

    if before_ends < first_day:
        return Comparison((), reason=_no_message_before(first_day))
    now_read, before_read = places(now), places(before)
    if shared := sorted(now_read & before_read):
        return Comparison((), is_whole=len(shared) == len(now), months=tuple(shared))
    for found, which in ((now_read, name), (before_read, name_before)):
        if not found:
            reason = f"no month of {which} that begins after the account's first message was read whole"
            return Comparison((), reason=reason)
    return Comparison(
        (),
        reason=f"the first month of {name} is set against the first of {name_before}, and so on, and of no "
        "such pair both months were read whole",
    )


def _no_message_before(first_day: date) -> str:
    return f"there is no message before {first_day.day} {first_day:%B %Y}"


def _whole_days(days: Sequence[DayCoverage], first_day: date) -> set[int]:
    return {each.business_day.day for each in days if each.is_complete and each.business_day >= first_day}
