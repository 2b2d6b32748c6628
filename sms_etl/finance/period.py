"""Business months and what can be said of them before any figure is read. Pure."""

import re
from datetime import date, timedelta

from sms_etl.errors import NotAPeriod


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
