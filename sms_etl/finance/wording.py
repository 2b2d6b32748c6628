"""How figures are written for people: numbers, money, shares, times and the sentences of caution. Pure.

Page and workbook say the same because both take their words from here.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sms_etl.finance.coverage import Stretch
from sms_etl.finance.figures import Basis, Cost, CurrencyFigures, Figures, Key, LeftOut

NONE = "–"
SMALLEST_PLACES, MOST_PLACES = 2, 6
"""Money has at least cents and at most the six decimals that the warehouse keeps."""
SANDBOX = "SANDBOX"
_MOST_LISTED = 5
_SHORT = timedelta(minutes=2)


class Notice(NamedTuple):
    """What stands above everything else."""

    name: str
    text: str


class Statement(NamedTuple):
    """One thing that can, or cannot, be relied on."""

    name: str
    state: str
    text: str
    is_good: bool | None = None
    """None: neither good nor bad."""


DEFINITIONS = (
    ("Delivered", "The handset confirmed the message."),
    ("Expired", "The operator could not deliver it in time."),
    ("Rejected", "The operator refused it."),
    ("Failed", "It was never handed to an operator."),
    ("Cancelled", "It was stopped before it was sent."),
    ("Open", "Not final yet. Aged out: no final report came, and it is no longer re-fetched."),
    ("Undelivered", "Final and not delivered: expired, rejected, failed and cancelled together."),
    ("Delivery rate", "Delivered messages as a share of final ones, rounded down like every share."),
    ("Settled", "Final messages as a share of all messages."),
    (
        "Price per part",
        "Cost of text messages divided by their parts. Voice is charged by the call and left out.",
    ),
    ("Cost complete", "The month was read whole, every message has a price, and none waits in quarantine."),
    (
        "Delivery complete",
        "The month was read whole, every message is final or aged out, and none waits in quarantine.",
    ),
)
"""Every word that could be read in two ways, in the order of the tables."""


class Change(NamedTuple):
    """How a figure moved against the month before: in words, and up, down or level."""

    text: str
    direction: str


def count(number: int) -> str:
    """Return `12,345`."""
    return f"{number:,}"


def money(amount: Decimal | None, places: int = SMALLEST_PLACES) -> str:
    """Return `1,234.56` with that many decimals, rounded half to even; the currency stands beside it."""
    if amount is None:
        return NONE
    return f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}"


def exact(amount: Decimal) -> str:
    """Return the whole amount, with as many decimals as it has but at least cents."""
    return money(amount, places_of(amount))


def places_of(amount: Decimal) -> int:
    """Return how many decimals the amount needs, from cents upwards."""
    exponent = amount.normalize().as_tuple().exponent
    return min(MOST_PLACES, max(SMALLEST_PLACES, -exponent if isinstance(exponent, int) else 0))


def price_per_part(cost: Cost) -> Decimal | None:
    """Return the average price per part to a millionth, as the marts round it."""
    average = cost.average_price_per_part
    return None if average is None else average.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def all_digits(amount: Decimal) -> str:
    """Return an amount that may have more decimals than the warehouse keeps, with every one of them."""
    return exact(amount) if places_of(amount) < MOST_PLACES else f"{amount:,f}"


def exact_places(section: CurrencyFigures) -> int:
    """Return the decimals at which every amount of the section is exact.

    Tables are written with them, so that anybody who adds up a printed column gets the printed total.
    """
    lines = (section.total, *(each.cost for each in section.items), *(each.cost for each in section.days))
    amounts = [amount for cost in lines for amount in (cost.cost, cost.cost_undelivered, cost.cost_voice)]
    return max(places_of(amount) for amount in (*amounts, *(bulk.cost for bulk in section.bulks)))


def share(ratio: Decimal | None) -> str:
    """Return `97.31 %`; rounded towards zero, so that 100 % means all."""
    if ratio is None:
        return NONE
    return f"{(ratio * 100).quantize(Decimal('0.01'), ROUND_FLOOR)} %"


def share_of(cost: Cost, total: Cost) -> Decimal | None:
    """Return the part of the total that is this line's, 0 to 1; None where nothing was charged."""
    return cost.cost / total.cost if total.cost else None


def day(moment: date) -> str:
    """Return `5 January 2026`."""
    return f"{moment.day} {moment:%B %Y}"


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


def time_in_month(moment: datetime, timezone: str) -> str:
    """Return a UTC moment of the report's month on its clock, as `5 Jan, 14:05`."""
    local = _local(moment, timezone)
    return f"{local.day} {local:%b}, {local:%H:%M}"


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
    """Return the days of the month, first and last one included."""
    return f"{day(figures.basis.month)} to {day(figures.basis.last_day)}"


def account(known: Basis) -> str:
    """Return whose messages these are, and that they are made up where they are."""
    named = known.account_id or "not known"
    at = f" at {urlsplit(known.base_url).netloc}" if known.base_url else ""
    return f"{named}{at}{f' ({SANDBOX})' if known.is_sandbox else ''}"


def title(figures: Figures) -> str:
    """Return what both files are called."""
    name = f"SMS report {month_name(figures.basis.month)}"
    return f"{SANDBOX}: {name}" if figures.basis.is_sandbox else name


def basis(figures: Figures, generated_at: datetime) -> list[tuple[str, str]]:
    """Return what the figures rest on, as name and value; for the head of both files."""
    known = figures.basis
    return [
        ("Account", account(known)),
        ("Period", period(figures)),
        ("Time zone", f"{known.timezone} (days and months begin at midnight there)"),
        ("Currency", f"{', '.join(each.currency for each in figures.currencies)}, net of VAT"),
        ("Newest message", local_time(known.watermark_at, known.timezone)),
        ("Statuses as of", local_time(known.as_of_at, known.timezone)),
        ("Report written", local_time(generated_at, known.timezone)),
    ]


def notices(figures: Figures) -> list[Notice]:
    """Return what must be known before any figure is read: nothing, in a usual month."""
    found, published = [], figures.basis.publication
    if published and published.is_forced:
        failed = ", ".join(published.failed_tests) or "not named"
        said = f"These figures were published although checks had failed: {failed}."
        found.append(Notice("Published by force", f"{said} Reason given: {published.reason or 'none'}."))
    if figures.basis.is_sandbox:
        found.append(
            Notice(SANDBOX, "The messages are made up by the sandbox. Nothing was sent and nothing is owed.")
        )
    return found


def statements(figures: Figures) -> list[Statement]:
    """Return what can be relied on: what was read, cost, delivery, and what changes are measured against."""
    known = figures.basis
    complete, incomplete = "complete", "not complete"
    return [
        _covered(known),
        Statement(
            "Cost",
            complete if figures.is_cost_complete else incomplete,
            is_good=figures.is_cost_complete,
            text=" ".join((*_short_of_all(figures), *_prices(figures))),
        ),
        Statement(
            "Delivery",
            complete if figures.is_delivery_complete else incomplete,
            is_good=figures.is_delivery_complete,
            text=" ".join((*_short_of_all(figures), *_finals(figures))),
        ),
        _changes(known),
    ]


def compared_days(known: Basis, month: date) -> str:
    """Return the compared days of one of the two months, as `1–14 October 2026`."""
    if known.comparison.is_whole:
        return month_name(month)
    return f"{_ranges(known.comparison.days)} {month_name(month)}"


def before(known: Basis) -> str:
    """Return what changes are measured against, briefly: `Sep 2026`, or `1–14 Sep 2026`."""
    of = f"{known.previous_month:%b %Y}"
    return of if known.comparison.is_whole else f"{_ranges(known.comparison.days)} {of}"


def left_out_price(each: LeftOut) -> str:
    """Return the sum of the readable prices of rows that are not in the figures."""
    if not each.is_message or each.unreadable + each.known == each.rows:
        return NONE
    return f"{each.currency or 'currency not known'} {all_digits(each.price)}"


def left_out_remarks(each: LeftOut) -> str:
    """Return what must be known of rows that are not in the figures."""
    remarks = []
    if each.is_accepted:
        remarks.append(f"Accepted: {each.accepted_reason or 'no reason given'}.")
    if each.is_message and each.unreadable:
        remarks.append(f"{count(each.unreadable)} without a readable price.")
    if each.known:
        remarks.append(f"{count(each.known)} in the figures as they were before.")
    if each.undated:
        remarks.append(
            f"{count(each.undated)} without a readable time, by the month they were quarantined in."
        )
    return " ".join(remarks)


def key_name(key: Key) -> str:
    """Return how an API key is called."""
    return "no key" if key.key_id is None else str(key.key_id)


def _covered(known: Basis) -> Statement:
    covered = known.coverage
    if not covered.read:
        return Statement("Covered", "nothing", is_good=False, text="No part of the month was read.")
    local = partial(_moment, timezone=known.timezone)
    until = local(covered.read[-1].until_at, is_end=True)
    said = [f"Read from {local(covered.read[0].from_at)} to {until}."]
    if covered.missing:
        gaps = _listed([_gap(each, known.timezone) for each in covered.missing])
        said.append(f"{gaps} {'was' if len(covered.missing) == 1 else 'were'} not read.")
    elif known.first_day > known.month:
        said.append(f"The account's first message is from {known.first_day.day} {known.first_day:%B}.")
    if covered.is_running:
        return Statement("Covered", f"running month, until {until}", is_good=False, text=" ".join(said))
    if covered.was_read_early:
        said.append("The end was read within an hour: messages that became visible later are not in yet.")
    state = "whole month" if covered.is_complete else "part of the month"
    return Statement("Covered", state, is_good=covered.is_complete, text=" ".join(said))


def _short_of_all(figures: Figures) -> list[str]:
    """Say what keeps cost and delivery alike from being complete."""
    covered, said = figures.basis.coverage, []
    if covered.is_running:
        said.append("The month is not over.")
    elif not covered.is_complete:
        said.append("A part of the month was not read.")
    if left := figures.left_open:
        said.append(f"{_messages(left)} could not be loaded and {_are(left)} not in the figures: see below.")
    return said


def _prices(figures: Figures) -> list[str]:
    said = []
    if unpriced := figures.unpriced:
        has = "has" if unpriced == 1 else "have"
        said.append(f"{_messages(unpriced)} {has} no price yet and {_are(unpriced)} not in the cost.")
    else:
        said.append(f"{_all(figures.delivery.messages)} priced.")
    for each in figures.currencies:
        if number := each.credits.messages:
            amount = f"{each.currency} {exact(each.credits.cost)}"
            said.append(f"{_messages(number)} with a negative price {_are(number)} in the cost: {amount}.")
    return said


def _finals(figures: Figures) -> list[str]:
    said = []
    aged, pending = figures.delivery.aged_out, figures.pending
    if figures.delivery.open:
        said.append(f"Final: {count(figures.delivery.settled)} of {_messages(figures.delivery.messages)}.")
    if pending:
        said.append(f"{_messages(pending)} may still change.")
    if aged:
        days = f"{figures.basis.settle_days} days"
        said.append(
            f"{_messages(aged)} had no final report within {days} and {_are(aged)} no longer re-fetched."
        )
    return said or [f"{_all(figures.delivery.messages)} final."]


def _changes(known: Basis) -> Statement:
    compared, earlier = known.comparison, month_name(known.previous_month)
    if not compared.days:
        return Statement("Changes", "not shown", text=f"Nothing to compare with: {compared.reason}.")
    if compared.is_whole:
        return Statement("Changes", f"on {earlier}", text="Whole month against whole month.")
    said = (
        f"{compared_days(known, known.month)} against the same days of {earlier}: those read whole in both."
    )
    return Statement("Changes", "on the same days", text=said)


def _gap(gap: Stretch, timezone: str) -> str:
    """Return a stretch as days where it is of whole days, else as moments."""
    first, end = (_local(each, timezone) for each in (gap.from_at, gap.until_at))
    if first.time() != time() or end.time() != time():
        form = "%H:%M:%S" if gap.until_at - gap.from_at < _SHORT else "%H:%M"
        until = _moment(gap.until_at, timezone, form, is_end=True)
        return f"{_moment(gap.from_at, timezone, form)} to {until.removeprefix(f'{first.day} {first:%B}, ')}"
    last = end - timedelta(days=1)
    number = str(first.day) if first.date() == last.date() else f"{first.day}–{last.day}"
    return f"{number} {first:%B}"


def _moment(moment: datetime, timezone: str, form: str = "%H:%M", *, is_end: bool = False) -> str:
    """Return `15 October, 00:00`; midnight at the end of a stretch is 24:00 of the day before."""
    local = _local(moment, timezone)
    if is_end and local.time() == time():
        local -= timedelta(days=1)
        return f"{local.day} {local:%B}, 24:00"
    return f"{local.day} {local:%B}, {local.strftime(form)}"


def _local(moment: datetime, timezone: str) -> datetime:
    """Return a UTC moment on the clock of a time zone, without it: days are counted on that clock."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def _ranges(days: Sequence[int]) -> str:
    """Return `1–14, 20`."""
    runs: list[list[int]] = []
    for each in days:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`; of more than five only how many there are."""
    if len(names) > _MOST_LISTED:
        return f"{len(names)} stretches from {names[0]} to {names[-1]}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{count(number)} messages"


def _all(number: int) -> str:
    return "The only message is" if number == 1 else f"All {count(number)} messages are"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
