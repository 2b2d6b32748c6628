"""The clock, passed in wherever time matters, so that tests and rehearsals can set it."""

from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Gives the present moment, with UTC as its time zone."""


def system_clock() -> datetime:
    """Return the machine's time."""
    return datetime.now(tz=UTC)


def fixed_clock(moment: datetime) -> Clock:
    """Return a clock that stands still at `moment`."""
    return lambda: moment


def as_utc(moment: datetime) -> datetime:
    """Return the moment as the warehouse stores it: UTC, without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def on_the_clock(moment: datetime, timezone: str) -> datetime:
    """Return a UTC moment on the clock of a time zone, without it: days are counted on that clock."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def from_unix(seconds: int) -> datetime:
    """Return unix seconds as the warehouse stores them: UTC, without a time zone.

    Raises:
        ValueError: Outside the years 1 to 9999.
    """
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)
    except (OverflowError, OSError) as exc:
        raise ValueError("not a time a calendar knows") from exc


def to_unix(moment: datetime) -> int:
    """Return whole unix seconds, rounded down; a moment without a time zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return timegm(aware.utctimetuple())
