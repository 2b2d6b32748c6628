"""How numbers, money, shares and times are written for people. Pure.

Page and workbook write them alike because both take them from here; `locales.py` knows the manner.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sms_etl.clock import on_the_clock
from sms_etl.finance import locales

NONE = "–"
SMALLEST_PLACES, MOST_PLACES = 2, 6
"""Money has at least cents and at most the six decimals that the warehouse keeps."""


class Change(NamedTuple):
    """How a figure moved against the period before: in words, and up, down or level."""

    text: str
    direction: str


def count(number: int) -> str:
    """Return `12,345`."""
    return locales.number(f"{number:,}")


def money(amount: Decimal | None, places: int = SMALLEST_PLACES) -> str:
    """Return `1,234.56` with that many decimals, rounded half to even; the currency stands beside it."""
    if amount is None:
        return NONE
    return locales.number(f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}")


def exact(amount: Decimal) -> str:
    """Return the whole amount, with as many decimals as it has but at least cents."""
    return money(amount, places_of(amount))


def with_currency(currency: str, amount: Decimal) -> str:
    """Return the whole amount with its currency, `EUR 1,234.5678`."""
    return locales.amount(currency, exact(amount))


def places_of(amount: Decimal) -> int:
    """Return how many decimals the amount needs, from cents upwards."""
    exponent = amount.normalize().as_tuple().exponent
    return min(MOST_PLACES, max(SMALLEST_PLACES, -exponent if isinstance(exponent, int) else 0))


def all_digits(amount: Decimal) -> str:
    """Return an amount that may have more decimals than the warehouse keeps, with every one of them."""
    return exact(amount) if places_of(amount) < MOST_PLACES else locales.number(f"{amount:,f}")


def share(ratio: Decimal | None) -> str:
    """Return `97.31 %`; rounded towards zero, so that 100 % means all."""
    if ratio is None:
        return NONE
    return locales.number(f"{(ratio * 100).quantize(Decimal('0.01'), ROUND_FLOOR)} %")


def day(moment: date) -> str:
    """Return `5 January 2026`."""
    return locales.day(moment)


def month_name(month: date) -> str:
    """Return `January 2026`."""
    return f"{month:%B %Y}"


def local_time(moment: datetime | None, timezone: str) -> str:
    """Return a UTC moment on the clock of the report's time zone, as `5 January 2026, 14:05`."""
    if moment is None:
        return NONE
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    local = aware.astimezone(ZoneInfo(timezone))
    return f"{day(local)}, {local:%H:%M}"


def time_in_period(moment: datetime, timezone: str) -> str:
    """Return a UTC moment of the report's period on its clock, as `5 Jan, 14:05`."""
    local = on_the_clock(moment, timezone)
    return f"{locales.short_day(local)}, {local:%H:%M}"


def change(now: Decimal | int | None, before: Decimal | int | None) -> Change | None:
    """Say by how many per cent a figure moved; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    moved = (Decimal(now) - Decimal(before)) / Decimal(before) * 100
    return _change(moved, "%")


def change_in_points(now: Decimal | None, before: Decimal | None) -> Change | None:
    """Say by how many percentage points a share moved."""
    if now is None or before is None:
        return None
    return _change((now - before) * 100, "points")


def _change(moved: Decimal, unit: str) -> Change:
    rounded = moved.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if not rounded:
        return Change("unchanged", "level")
    sign = "+" if rounded > 0 else "−"
    return Change(f"{sign}{locales.number(f'{abs(rounded):,}')} {unit}", "up" if rounded > 0 else "down")


def signed(amount: Decimal, places: int = SMALLEST_PLACES) -> str:
    """Return `+1.20` or `−1.20`, with that many decimals."""
    sign = "+" if amount > 0 else "−" if amount < 0 else ""
    return f"{sign}{money(abs(amount), places)}"


def signed_count(number: int) -> str:
    """Return `+1`, `−1` or `0`."""
    sign = "+" if number > 0 else "−" if number < 0 else ""
    return f"{sign}{count(abs(number))}"


def signed_share(ratio: Decimal | None) -> str:
    """Return `+1.25 %` or `−1.25 %`."""
    if ratio is None:
        return NONE
    return f"{signed((ratio * 100).quantize(Decimal('0.01'), ROUND_HALF_EVEN))} %"


def ranges(days: Sequence[int], names: Sequence[str] | None = None) -> str:
    """Return `1–14, 20`, or by the names of the first, second and so on, `Jan–Feb, Apr`."""
    runs: list[list[int]] = []
    for each in days:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    called = [[names[each - 1] if names else str(each) for each in run] for run in runs]
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in called)
