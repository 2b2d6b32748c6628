"""What a report says of itself: its head, notices, and the sentences on what can be relied on. Pure.

Page and workbook say the same because both take their words from here; `formatting.py` writes the numbers in
them, `vocabulary.py` has the names of codes.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from sms_etl.clock import on_the_clock
from sms_etl.finance import locales
from sms_etl.finance.coverage import Stretch
from sms_etl.finance.figures import (
    Basis,
    Closing,
    CurrencyFigures,
    Figures,
    Key,
    LeftOut,
    MonthState,
    sum_of_amounts,
)
from sms_etl.finance.formatting import (
    NONE,
    all_digits,
    count,
    day,
    local_time,
    month_name,
    places_of,
    ranges,
    signed,
    with_currency,
)
from sms_etl.finance.measures import Cost
from sms_etl.finance.period import Period
from sms_etl.finance.side_lines import AccrualLine
from sms_etl.finance.vocabulary import MONTH_STATES
from sms_etl.warehouse.later_build import LaterFailure

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


class Stamp(NamedTuple):
    """When a report was written, what it is called, and what stands for its figures."""

    written_at: datetime
    report_id: str
    digest: str
    later: LaterFailure | None = None
    """How a build failed after the figures were published; None: none did, or no build can change them."""


def price_per_part(cost: Cost) -> Decimal | None:
    """Return the average price per part to a millionth, as the marts round it."""
    average = cost.average_price_per_part
    return None if average is None else average.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def exact_places(section: CurrencyFigures) -> int:
    """Return the decimals at which every amount of the section is exact.

    Tables are written with them, so that anybody who adds up a printed column gets the printed total.
    """
    lines = [section.total, *(each.cost for each in section.items), *(each.cost for each in section.days)]
    lines += [each.cost for each in section.campaigns or ()]
    amounts = [amount for cost in lines for amount in (cost.cost, cost.cost_undelivered, cost.cost_voice)]
    amounts += [*(bulk.cost for bulk in section.bulks), *(key.cost for key in section.unassigned)]
    return max(places_of(amount) for amount in amounts)


def share_of(cost: Cost, total: Cost) -> Decimal | None:
    """Return the part of the total that is this line's, 0 to 1; None where nothing was charged."""
    return cost.cost / total.cost if total.cost else None


def period(figures: Figures) -> str:
    """Return the days of the period, first and last one included."""
    return f"{day(figures.basis.month)} to {day(figures.basis.period.last_day)}"


class Whose(Protocol):
    """Whose messages something is about: a report's basis, or the overview's."""

    @property
    def account_id(self) -> str | None:
        """Of the provider's; None: not known."""

    @property
    def base_url(self) -> str | None:
        """Where the provider was asked."""

    @property
    def is_sandbox(self) -> bool:
        """The messages are made up."""


def account(known: Whose) -> str:
    """Return whose messages these are, and that they are made up where they are."""
    named = known.account_id or "not known"
    at = f" at {urlsplit(known.base_url).netloc}" if known.base_url else ""
    return f"{named}{at}{f' ({SANDBOX})' if known.is_sandbox else ''}"


def title(figures: Figures) -> str:
    """Return what both files are called."""
    name = f"SMS report {figures.basis.period.name}"
    return f"{SANDBOX}: {name}" if figures.basis.is_sandbox else name


def basis(figures: Figures, stamp: Stamp) -> list[tuple[str, str]]:
    """Return what the figures rest on, as name and value; for the head of both files."""
    known, closing = figures.basis, figures.closing
    written = (
        ("Closed", local_time(closing.closed_at, known.timezone))
        if closing
        else ("Report written", local_time(stamp.written_at, known.timezone))
    )
    return [
        ("Account", account(known)),
        ("Period", period(figures)),
        ("Time zone", f"{known.timezone} (days and months begin at midnight there)"),
        ("Currency", f"{', '.join(each.currency for each in figures.totals)}, net of VAT"),
        ("Newest message", local_time(known.watermark_at, known.timezone)),
        ("Statuses as of", local_time(known.asked_at or known.as_of_at, known.timezone)),
        written,
        ("Report", stamp.report_id),
        ("Digest", stamp.digest),
    ]


def notices(figures: Figures, later: LaterFailure | None = None) -> list[Notice]:
    """Return what must be known before any figure is read: nothing, in a usual month."""
    found, published = [], figures.basis.publication
    closed = [(figures.basis.period, figures.closing)]
    closed += [(Period(each.month), each.figures.closing) for each in figures.months if each.figures]
    found += [_forced(period, closing) for period, closing in closed if closing and closing.forced_reason]
    if published and published.is_forced:
        failed = "; ".join(published.failed_tests) or "not named"
        said = f"These figures were published although checks had failed: {failed}."
        found.append(Notice("Published by force", f"{said} Reason given: {published.reason or 'none'}."))
    if later:
        found.append(_later(later, figures.basis.timezone))
    if figures.basis.is_sandbox:
        found.append(
            Notice(SANDBOX, "The messages are made up by the sandbox. Nothing was sent and nothing is owed.")
        )
    return found


def _later(later: LaterFailure, timezone: str) -> Notice:
    failed_at, as_of = (local_time(each, timezone) for each in (later.failed_at, later.published_as_of))
    return Notice(
        "A later build failed",
        f"On {failed_at}: {later.why.rstrip('.')}. What was loaded since {as_of} is not in these figures.",
    )


def statements(figures: Figures) -> list[Statement]:
    """Return what can be relied on: what was read, cost, delivery, and what changes are measured against."""
    known = figures.basis
    complete, incomplete = "complete", "not complete"
    return [
        *_closed(figures),
        *_months(figures),
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
        *_corrections(figures),
        *_kept(figures),
    ]


def compared_part(known: Basis, period: Period) -> str:
    """Return what is compared of one of the two periods: `1–14 October 2026`, or `Jan–Feb 2026`."""
    if known.comparison.is_whole:
        return period.name
    if known.comparison.months:
        return _months_of(period, known.comparison.months)
    return f"{ranges(known.comparison.days)} {period.name}"


def before(known: Basis) -> str:
    """Return what changes are measured against, briefly: `Sep 2026`, or `1–14 Sep 2026`."""
    period = known.period.before
    if known.comparison.is_whole:
        return period.short_name
    if known.comparison.months:
        return _months_of(period, known.comparison.months)
    return f"{ranges(known.comparison.days)} {period.short_name}"


def left_out_price(each: LeftOut) -> str:
    """Return the sum of the readable prices of rows that are not in the figures."""
    if not each.is_message or each.unreadable + each.known == each.rows:
        return NONE
    return locales.amount(each.currency or "currency not known", all_digits(each.price))


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


def without_rates(figures: Figures) -> list[str]:
    """Say which part of the cost is not in the reporting currency, and of which days: those have no rate."""
    said = []
    for each in figures.conversions:
        if not each.cost_without_rate:
            continue
        when = days_named(each.days_without_rate) or month_name(each.month)
        said.append(
            f"{with_currency(each.currency, each.cost_without_rate)} of {month_name(each.month)} is not in "
            f"the converted cost: no rate from {each.currency} to {each.reporting_currency} for {when}."
        )
    return said


def days_named(days: Sequence[date]) -> str:
    """Return `1–3 October 2026`, or `30 September 2026 and 1–3 October 2026`; `01.10.2026–03.10.2026`."""
    if locales.is_german():
        known, one = set(days), timedelta(days=1)
        firsts = [day(each) for each in days if each - one not in known]
        lasts = [day(each) for each in days if each + one not in known]
        pairs = zip(firsts, lasts, strict=True)
        return ", ".join(first if first == last else f"{first}–{last}" for first, last in pairs)
    by_month: dict[date, list[int]] = {}
    for each in days:
        by_month.setdefault(each.replace(day=1), []).append(each.day)
    return " and ".join(f"{ranges(found)} {month_name(month)}" for month, found in by_month.items())


def key_name(key: Key) -> str:
    """Return how an API key is called."""
    return "no key" if key.key_id is None else str(key.key_id)


def estimate_error(line: AccrualLine) -> Decimal | None:
    """Return by what part of the real cost the estimate was off, 0.05 for 5 % too much; None of nothing."""
    if not line.backtest_cost:
        return None
    return (line.backtest_estimate - line.backtest_cost) / line.backtest_cost


def _forced(period: Period, closing: Closing) -> Notice:
    against = " ".join(closing.overridden_reasons)
    return Notice(
        "Closed by force",
        f"{period.name} was closed although something spoke against it. {against} "
        f"Reason given: {closing.forced_reason}.",
    )


def _closed(figures: Figures) -> list[Statement]:
    """Say that the figures stay as they are, if they do."""
    if figures.closing is None:
        return []
    when = local_time(figures.closing.closed_at, figures.basis.timezone)
    said = (
        f"These figures no longer change. What changes in the {figures.basis.period.kind} now is booked to a "
        "later month."
    )
    return [Statement("Closed", when, is_good=True, text=said)]


def _months(figures: Figures) -> list[Statement]:
    """Say of a quarter or a year which months are closed, and what is the matter with each of the others."""
    if not figures.months:
        return []
    by_state: dict[MonthState, list[int]] = {}
    for place, part in enumerate(figures.months, start=1):
        by_state.setdefault(part.state, []).append(place)
    said = [
        f"{_months_of(figures.basis.period, places)}: {MONTH_STATES[state]}."
        for state, places in by_state.items()
    ]
    closed = len(by_state.get(MonthState.CLOSED, ()))
    state = f"{closed} of {len(figures.months)} closed"
    return [Statement("Months", state, " ".join(said), None if figures.closing else False)]


def _kept(figures: Figures) -> list[Statement]:
    """Say where a month was closed before campaigns, waste, audit and accruals were kept with it."""
    of = figures.months or ()
    lacking = [
        place for place, part in enumerate(of, start=1) if part.figures and part.figures.accruals is None
    ]
    if figures.accruals is not None and not lacking:
        return []
    which = _months_of(figures.basis.period, lacking) if lacking else "The month"
    was = "were" if len(lacking) > 1 else "was"
    text = (
        f"{which} {was} closed by an earlier version, which kept no campaigns, waste, billing audit, "
        "accruals, budgets and tax: none of it is shown."
    )
    return [Statement("Not kept", "by an earlier version", text)]


def _months_of(period: Period, places: Sequence[int]) -> str:
    """Return months of a period by their places, the first is 1, as `Jan–Feb, Apr 2026`."""
    names = [f"{month:%b}" for month in period.months]
    return f"{ranges(places, names)} {period.first:%Y}"


def _corrections(figures: Figures) -> list[Statement]:
    """Say what the corrections booked to the month come to, and the month with them."""
    said = []
    for total in figures.totals:
        booked = [each for each in figures.corrections if each.currency == total.currency]
        if booked:
            amount = sum_of_amounts(booked)
            many = "1 change" if len(booked) == 1 else f"{count(len(booked))} changes"
            text = (
                f"{many} in closed months. With {'it' if len(booked) == 1 else 'them'} the "
                f"{figures.basis.period.kind} comes to {with_currency(total.currency, total.cost)} for "
                f"{_messages(total.messages)}."
            )
            state = locales.amount(total.currency, signed(amount, places_of(amount)))
            said.append(Statement("Corrections", state, text))
    return said


def _covered(known: Basis) -> Statement:
    covered, kind = known.coverage, known.period.kind
    if not covered.read:
        return Statement("Covered", "nothing", is_good=False, text=f"No part of the {kind} was read.")
    local = partial(_moment, timezone=known.timezone)
    until = local(covered.read[-1].until_at, is_end=True)
    said = [f"Read from {local(covered.read[0].from_at)} to {until}."]
    if covered.missing:
        gaps = _listed([_gap(each, known.timezone) for each in covered.missing])
        said.append(f"{gaps} {'was' if len(covered.missing) == 1 else 'were'} not read.")
    elif known.first_day > known.month:
        said.append(f"The account's first message is from {locales.day_of_year(known.first_day)}.")
    if covered.is_running:
        return Statement("Covered", f"running {kind}, until {until}", is_good=False, text=" ".join(said))
    if covered.was_read_early:
        said.append("The end was read within an hour: messages that became visible later are not in yet.")
    state = f"whole {kind}" if covered.is_complete else f"part of the {kind}"
    return Statement("Covered", state, is_good=covered.is_complete, text=" ".join(said))


def _short_of_all(figures: Figures) -> list[str]:
    """Say what keeps cost and delivery alike from being complete."""
    covered, kind, said = figures.basis.coverage, figures.basis.period.kind, []
    if covered.is_running:
        said.append(f"The {kind} is not over.")
    elif not covered.is_complete:
        said.append(f"A part of the {kind} was not read.")
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
            amount = with_currency(each.currency, each.credits.cost)
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
    compared, earlier, kind = known.comparison, known.period.before, known.period.kind
    if not compared.is_there:
        text = f"There is no comparison with {earlier.name}: {compared.reason}."
        return Statement("Changes", "not shown", text)
    if compared.is_whole:
        return Statement("Changes", f"against {earlier.name}", text=f"Both {kind}s were read whole.")
    unit = "months" if compared.months else "days"
    said = (
        f"{compared_part(known, known.period)} is compared with the same {unit} of {earlier.name}; "
        f"{unit} not read whole in both are left out."
    )
    return Statement("Changes", f"against the same {unit}", text=said)


def _gap(gap: Stretch, timezone: str) -> str:
    """Return a stretch as days where it is of whole days, else as moments."""
    first, end = (on_the_clock(each, timezone) for each in (gap.from_at, gap.until_at))
    if first.time() != time() or end.time() != time():
        form = "%H:%M:%S" if gap.until_at - gap.from_at < _SHORT else "%H:%M"
        until = _moment(gap.until_at, timezone, form, is_end=True)
        same_day = f"{locales.day_of_year(first)}, "
        return f"{_moment(gap.from_at, timezone, form)} to {until.removeprefix(same_day)}"
    last = end - timedelta(days=1)
    if first.date() == last.date():
        return locales.day_of_year(first)
    if (first.year, first.month) == (last.year, last.month) and not locales.is_german():
        return f"{first.day}–{last.day} {first:%B}"
    return f"{locales.day_of_year(first)} to {locales.day_of_year(last)}"


def _moment(moment: datetime, timezone: str, form: str = "%H:%M", *, is_end: bool = False) -> str:
    """Return `15 October, 00:00`; midnight at the end of a stretch is 24:00 of the day before."""
    local = on_the_clock(moment, timezone)
    if is_end and local.time() == time():
        local -= timedelta(days=1)
        return f"{locales.day_of_year(local)}, 24:00"
    return f"{locales.day_of_year(local)}, {local.strftime(form)}"


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
