"""How the overview says things: times, ages, ranges, what counts as what. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from sms_etl.clock import on_the_clock
from sms_etl.finance.coverage import Stretch
from sms_etl.finance.formatting import NONE, count, money, share
from sms_etl.overview.ranges import Departure, Kind, Measure

_PLURALS = {"country": "countries"}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

DEFINITIONS = (
    ("Day", "A business day in the time zone above, by when a message was created."),
    ("Delivered", "The handset confirmed the message."),
    ("Expired", "The operator could not deliver it in time."),
    ("Rejected", "The operator refused it."),
    ("Failed", "It was never handed to an operator."),
    ("Cancelled", "It was stopped before it was sent."),
    ("Open", "Not final yet, and still re-fetched until it is."),
    ("No final report", "Aged out: no final report came in time, and the message is no longer re-fetched."),
    ("Delivery rate", "Delivered messages as a share of final ones, rounded down like every share."),
    (
        "Rate at an age",
        "Delivered within so many hours of being due, as a share of all messages at least so old.",
    ),
    (
        "Cost",
        "What the provider charges for whole messages, net of VAT. One without a price counts as nothing.",
    ),
    ("Due", "When a message was to be sent: its scheduled time, if it has one."),
    ("Stuck", "Open, and due more than a day ago."),
)
"""Every word that could be read in two ways."""


def both_times(moment: datetime | None, timezone: str) -> str:
    """Return a UTC moment on the clock of a time zone and in UTC: `5 Jan 2026, 14:05 (13:05 UTC)`."""
    if moment is None:
        return NONE
    local = on_the_clock(moment, timezone)
    of_utc = f"{moment:%H:%M} UTC" if moment.date() == local.date() else f"{_day(moment)}, {moment:%H:%M} UTC"
    return f"{_day(local)} {local.year}, {local:%H:%M} ({of_utc})"


def local_minute(moment: datetime | None, timezone: str) -> str:
    """Return a UTC moment on the clock of a time zone: `5 Jan, 14:05`."""
    if moment is None:
        return NONE
    local = on_the_clock(moment, timezone)
    return f"{_day(local)}, {local:%H:%M}"


def weekday(day: date) -> str:
    """Return `Mon 5 Jan`."""
    return f"{day:%a} {_day(day)}"


def days_named(days: Sequence[date]) -> str:
    """Return `Mon 5 Jan`, or the first and the last of several days, and how many if some are missing."""
    if len(days) == 1:
        return weekday(days[0])
    is_whole = (days[-1] - days[0]).days == len(days) - 1
    return f"{weekday(days[0])} – {weekday(days[-1])}{'' if is_whole else f' ({len(days)} days)'}"


def age(span: timedelta) -> str:
    """Return how long something is ago, in its two largest units: `3 d 4 h`, `2 h 5 min`, `1 min`."""
    span = max(span, timedelta(0))
    if span >= _DAY:
        hours = (span % _DAY) // _HOUR
        return f"{span // _DAY} d{f' {hours} h' if hours else ''}"
    if span >= _HOUR:
        minutes = (span % _HOUR) // _MINUTE
        return f"{span // _HOUR} h{f' {minutes} min' if minutes else ''}"
    return f"{span // _MINUTE} min"


def stretch(gap: Stretch, timezone: str) -> str:
    """Return a stretch of time as days where it is of whole days, else as moments."""
    first, end = on_the_clock(gap.from_at, timezone), on_the_clock(gap.until_at, timezone)
    if first.time() == end.time() == datetime.min.time():
        last = end - _DAY
        return weekday(first) if first.date() == last.date() else f"{weekday(first)} to {weekday(last)}"
    until = f"{end:%H:%M}" if first.date() == end.date() else f"{weekday(end)}, {end:%H:%M}"
    return f"{weekday(first)}, {first:%H:%M} to {until}"


def value_of(each: Departure) -> str:
    """Return the figure that left its range."""
    return _figure(each, each.value)


def range_of(each: Departure) -> str:
    """Return the range it left, as a reader would say it."""
    if each.measure is Measure.RATE:
        return f"at least {_figure(each, each.low)}"
    return f"{_figure(each, each.low)} to {_figure(each, each.high)}"


def departed(each: Departure) -> str:
    """Say in one phrase what left its range: `Austria: 512 messages (range 80 to 240)`."""
    unit = {Measure.MESSAGES: " messages", Measure.RATE: " delivered", Measure.COST: ""}[each.measure]
    so_far = " so far today" if each.is_running else ""
    who = f"sender {each.name}" if each.kind is Kind.SENDER else each.name
    return f"{who}: {value_of(each)}{unit}{so_far} (range {range_of(each)})"


def named(names: Sequence[str], most: int = 3) -> str:
    """Return names with commas, and of many only how many more there are."""
    listed = ", ".join(names[:most])
    return f"{listed} and {count(len(names) - most)} more" if len(names) > most else listed


def counted(number: int, thing: str) -> str:
    """Return `1 message`, `2 messages`."""
    if number == 1:
        return f"1 {thing}"
    return f"{count(number)} {_PLURALS.get(thing, f'{thing}s')}"


def _figure(each: Departure, value: Decimal) -> str:
    if each.measure is Measure.RATE:
        return share(value)
    if each.measure is Measure.COST:
        return f"{each.currency} {money(value)}"
    return count(int(value.to_integral_value(ROUND_FLOOR)))


def _day(moment: date) -> str:
    return f"{moment.day} {moment:%b}"
