"""How figures are written for people: numbers, money, shares, times and the sentences of caution. Pure.

Page and workbook say the same because both take their words from here.
"""

from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sms_etl.finance.figures import Cost, CurrencyFigures, Figures

NONE = "–"
SMALLEST_PLACES, MOST_PLACES = 2, 6
"""Money has at least cents and at most the six decimals that the warehouse keeps."""


class Change(NamedTuple):
    """How a figure moved against the month before: in words, and up, down or level."""

    text: str
    direction: str


def count(number: int) -> str:
    """Give `12,345`."""
    return f"{number:,}"


def money(amount: Decimal | None, places: int = SMALLEST_PLACES) -> str:
    """Give `1,234.56` with that many decimals, rounded half to even; the currency stands beside it."""
    if amount is None:
        return NONE
    return f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}"


def exact(amount: Decimal) -> str:
    """Give the whole amount, with as many decimals as it has but at least cents."""
    return money(amount, places_of(amount))


def places_of(amount: Decimal) -> int:
    """Give how many decimals the amount needs, from cents upwards."""
    exponent = amount.normalize().as_tuple().exponent
    return min(MOST_PLACES, max(SMALLEST_PLACES, -exponent if isinstance(exponent, int) else 0))


def exact_places(section: CurrencyFigures) -> int:
    """Give the decimals at which every amount of the section is exact.

    Tables are written with them, so that anybody who adds up a printed column gets the printed total.
    """
    lines = (section.total, *(each.cost for each in section.items), *(each.cost for each in section.days))
    amounts = [amount for cost in lines for amount in (cost.cost, cost.cost_failed)]
    return max(places_of(amount) for amount in (*amounts, *(bulk.cost for bulk in section.bulks)))


def share(ratio: Decimal | None) -> str:
    """Give `97.31 %`; rounded towards zero, so that 100 % means all."""
    if ratio is None:
        return NONE
    return f"{(ratio * 100).quantize(Decimal('0.01'), ROUND_FLOOR)} %"


def share_of(cost: Cost, total: Cost) -> Decimal | None:
    """Give the part of the total that is this line's, 0 to 1; None where nothing was charged."""
    return cost.cost / total.cost if total.cost else None


def day(moment: date) -> str:
    """Give `5 January 2026`."""
    return f"{moment.day} {moment:%B %Y}"


def month_name(month: date) -> str:
    """Give `January 2026`."""
    return f"{month:%B %Y}"


def local_time(moment: datetime | None, timezone: str) -> str:
    """Give a UTC moment on the clock of the report's time zone, as `5 January 2026, 14:05`."""
    if moment is None:
        return NONE
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    local = aware.astimezone(ZoneInfo(timezone))
    return f"{day(local)}, {local:%H:%M}"


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
    return Change(f"{sign}{abs(rounded):,} {unit}", "up" if rounded > 0 else "down")


def period(figures: Figures) -> str:
    """Give the days the report covers, first and last one included."""
    return f"{day(figures.basis.month)} to {day(figures.basis.last_day)}"


def basis(figures: Figures, generated_at: datetime) -> list[tuple[str, str]]:
    """Give what the figures rest on, as name and value; for the head of both files."""
    known = figures.basis
    return [
        ("Period", period(figures)),
        ("Time zone", f"{known.timezone} (days and months begin at midnight there)"),
        ("Currency", f"{', '.join(each.currency for each in figures.currencies)}, net of VAT"),
        ("Messages read up to", local_time(known.watermark_at, known.timezone)),
        ("Statuses as of", local_time(known.as_of_at, known.timezone)),
        ("Share settled", share(figures.delivery.share_settled)),
        ("Report written", local_time(generated_at, known.timezone)),
    ]


def cautions(figures: Figures) -> list[str]:
    """Give a sentence for each reason why the figures may still change; none means that they stand."""
    known, sentences = figures.basis, []
    if not known.is_complete:
        read_to = local_time(known.watermark_at, known.timezone)
        sentences.append(f"The month is not complete: messages are included up to {read_to}.")
    if left := figures.delivery.open:
        sentences.append(
            f"{_messages(left)} {_are(left)} not final; figures may still change.{_of_them(figures)}"
        )
    if unpriced := figures.unpriced:
        has = "has" if unpriced == 1 else "have"
        sentences.append(f"{_messages(unpriced)} {has} no price yet and {_are(unpriced)} not in the cost.")
    return sentences


def standing(figures: Figures) -> str:
    """Say that nothing is left to change."""
    return f"All {_messages(figures.delivery.messages)} are settled and priced."


def _of_them(figures: Figures) -> str:
    """Say how many of the open messages most likely stay as they are."""
    if not (aged := figures.delivery.aged_out):
        return ""
    which = "All of them" if aged == figures.delivery.open else f"{count(aged)} of them"
    return f" {which} had no final report within {figures.basis.settle_days} days and may never get one."


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{count(number)} messages"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
