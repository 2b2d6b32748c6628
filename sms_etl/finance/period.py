"""Business months, quarters and years, and what can be said of them before any figure is read. Pure."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from sms_etl.errors import NotAPeriod

_KINDS = {1: "month", 3: "quarter", 12: "year"}


@dataclass(frozen=True)
class Period:
    """A month, a quarter or a year: so many business months from the first one on."""

    first: date
    """First day of its first month."""
    count: int = 1
    """How many months: 1, 3 or 12."""

    @property
    def kind(self) -> str:
        """What it is: `month`, `quarter` or `year`."""
        return _KINDS[self.count]

    @property
    def months(self) -> tuple[date, ...]:
        """First days of its months, in order."""
        found = [self.first]
        while len(found) < self.count:
            found.append(next_month(found[-1]))
        return tuple(found)

    @property
    def last_day(self) -> date:
        """Its last day."""
        return next_month(self.months[-1]) - timedelta(days=1)

    @property
    def before(self) -> "Period":
        """The one before, as long as this one."""
        first = self.first
        for _ in range(self.count):
            first = previous_month(first)
        return Period(first, self.count)

    @property
    def slug(self) -> str:
        """How it is written in names of files: `2026-01`, `2026-q1` or `2026`."""
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        return f"{self.first:%Y}-q{self._quarter}" if self.kind == "quarter" else f"{self.first:%Y}"

    @property
    def written(self) -> str:
        """How it is asked for: `2026-01`, `2026-1` or `2026`."""
        return self.slug.replace("-q", "-")

    @property
    def name(self) -> str:
        """What a reader calls it: `January 2026`, `Q1 2026` or `2026`."""
        return f"{self.first:%B %Y}" if self.kind == "month" else self.short_name

    @property
    def short_name(self) -> str:
        """The same where there is little room: `Jan 2026`."""
        if self.kind == "month":
            return f"{self.first:%b %Y}"
        return f"Q{self._quarter} {self.first:%Y}" if self.kind == "quarter" else f"{self.first:%Y}"

    @property
    def _quarter(self) -> int:
        return (self.first.month + 2) // 3


def month_of(month: date | str) -> Period:
    """Return a month.

    Raises:
        NotAPeriod: It is not written as `2026-01`.
    """
    return Period(first_of_month(month))


def quarter_of(quarter: str) -> Period:
    """Return a quarter.

    Raises:
        NotAPeriod: It is not written as `2026-1`.
    """
    read = re.fullmatch(r"([1-9][0-9]{3})-[qQ]?([1-4])", quarter.strip(), flags=re.ASCII)
    if not read:
        raise NotAPeriod(f"{quarter!r} is not a quarter.", hint="Give year and quarter, such as 2026-1.")
    return Period(date(int(read[1]), 3 * int(read[2]) - 2, 1), 3)


def year_of(year: str) -> Period:
    """Return a year.

    Raises:
        NotAPeriod: It is not written as `2026`.
    """
    read = re.fullmatch(r"[1-9][0-9]{3}", year.strip(), flags=re.ASCII)
    if not read:
        raise NotAPeriod(f"{year!r} is not a year.", hint="Give four digits, such as 2026.")
    return Period(date(int(read[0]), 1, 1), 12)


def first_of_month(month: date | str) -> date:
    """Return the first day of a month.

    Raises:
        NotAPeriod: It is not written as `2026-01`.
    """
    if isinstance(month, date):
        return date(month.year, month.month, 1)
    read = re.fullmatch(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])", month.strip(), flags=re.ASCII)
    if not read:
        raise NotAPeriod(f"{month!r} is not a month.", hint="Give year and month, such as 2026-01.")
    return date(int(read[1]), int(read[2]), 1)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_month(month: date) -> date:
    """Return the first day of the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def next_day(day: date) -> date:
    """Return the day after."""
    return day + timedelta(days=1)
