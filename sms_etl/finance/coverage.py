"""Says what of a month was read, and which days of it can be compared with the month before. Pure.

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
    """Which days of the month stand against the same days of the month before."""

    days: tuple[int, ...]
    """Of both months, by their number; with `is_whole` every day each of them has."""
    is_whole: bool = False
    reason: str = ""
    """Why nothing is compared; empty if something is."""


def coverage_of(days: Sequence[DayCoverage], spans: Sequence[Stretch], *, now: datetime) -> Coverage:
    """Put together what of a month was read.

    Args:
        days: All days of the month.
        spans: What was read of it, reaching beyond it or not.
        now: The present moment.
    """
    starts_at, ends_at = days[0].starts_at, days[-1].ends_at
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
        return Comparison((), reason=f"there is no message before {first_day.day} {first_day:%B %Y}")
    now_read, before_read = _whole_days(days, first_day), _whole_days(before, first_day)
    if len(now_read) == len(days) and len(before_read) == len(before):
        return Comparison(tuple(sorted(now_read | before_read)), is_whole=True)
    if shared := sorted(now_read & before_read):
        return Comparison(tuple(shared))
    for found, which in ((now_read, name), (before_read, name_before)):
        if not found:
            return Comparison((), reason=f"no day of {which} was read whole")
    return Comparison((), reason=f"no day was read whole in both {name} and {name_before}")


def _whole_days(days: Sequence[DayCoverage], first_day: date) -> set[int]:
    return {each.business_day.day for each in days if each.is_complete and each.business_day >= first_day}
