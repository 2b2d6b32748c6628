"""In which country's manner numbers and dates are written: English or German. Words stay English. Pure.

The manner is set around the writing of a file, as `decimal.localcontext` sets a precision: every number of a
file is written alike, and no function has to pass it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from enum import StrEnum

_SWAPPED = str.maketrans(",.", ".,")
_SIGNS = {"EUR": "€"}
_WEEKDAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")


class Locale(StrEnum):
    """How a file is written."""

    EN = "en"
    """`EUR 1,234.56`, `31 January 2026`."""
    DE = "de"
    """`1.234,56 €`, `31.01.2026`."""


_current: ContextVar[Locale] = ContextVar("_current", default=Locale.EN)


@contextmanager
def written_in(locale: Locale) -> Iterator[None]:
    """Write numbers and dates in this manner until the end of the block."""
    token = _current.set(locale)
    try:
        yield
    finally:
        _current.reset(token)


def is_german() -> bool:
    """Return whether numbers and dates are written in the German manner."""
    return _current.get() is Locale.DE


def number(text: str) -> str:
    """Return a number, given as `1,234.56`, as it is written."""
    return text.translate(_SWAPPED) if is_german() else text


def amount(currency: str, figure: str) -> str:
    """Return a written amount with its currency: `EUR 1.20` or `1,20 €`."""
    return f"{figure} {sign(currency)}" if is_german() else f"{currency} {figure}"


def sign(currency: str) -> str:
    """Return how a currency is written beside an amount: `EUR` or `€`."""
    return _SIGNS.get(currency, currency) if is_german() else currency


def day(moment: date) -> str:
    """Return `5 January 2026` or `05.01.2026`."""
    return f"{moment:%d.%m.%Y}" if is_german() else f"{moment.day} {moment:%B %Y}"


def day_of_year(moment: date) -> str:
    """Return a day whose year is known, `5 January` or `05.01.2026`, for a sentence may end with it."""
    return day(moment) if is_german() else f"{moment.day} {moment:%B}"


def short_day(moment: date) -> str:
    """Return a day whose year is known where there is little room, `5 Jan` or `05.01.`."""
    return f"{moment:%d.%m.}" if is_german() else f"{moment.day} {moment:%b}"


def weekday(moment: date) -> str:
    """Return `Mon 5 Jan` or `Mo 05.01.`."""
    return f"{_WEEKDAYS[moment.weekday()] if is_german() else f'{moment:%a}'} {short_day(moment)}"
