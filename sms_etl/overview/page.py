"""Writes the overview as one HTML page that needs nothing else: no network, no script, no file beside it.

Looks as the monthly report does, whose style it takes. Whatever came from a provider is escaped, and the page
forbids itself every request and every script.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from sms_etl.finance import formatting
from sms_etl.finance.formatting import NONE, count, exact, money, month_name, share
from sms_etl.finance.markup import inline, policy, template_source
from sms_etl.finance.measures import Delivery
from sms_etl.finance.palette import BAR, OUTCOMES, SECOND, UNREPORTED
from sms_etl.finance.wording import SANDBOX, account
from sms_etl.overview import drawing, wording
from sms_etl.overview.attention import Finding, findings
from sms_etl.overview.cohorts import Comparison, WatchedRate, longest_allowed
from sms_etl.overview.drawing import Column, Line, Piece, Point
from sms_etl.overview.figures import Basis, CurrencyCost, Day, Overview
from sms_etl.overview.ranges import LEAST_WEEKS, Departure, Measure

_Shown = TypeVar("_Shown")
OUTCOME_NAMES = ("delivered", "open", "no final report", "cancelled", "expired", "rejected", "failed")
_COLOURS = {**OUTCOMES, "no final report": UNREPORTED}
_LINES = {1: (BAR, True), 24: (SECOND, False)}
"""The ages that are drawn: colour, and whether the line is dashed, which tells them apart in grey."""
_MOST_LISTED = 20


@dataclass(frozen=True)
class Chart:
    """A picture, and which colour stands for what in it."""

    picture: Markup
    legend: tuple[tuple[str, str, bool], ...] = ()
    """Name, colour and whether it is drawn dashed."""
    is_of_lines: bool = False


def render_page(overview: Overview) -> str:
    """Return the whole page as text."""
    basis, found = overview.basis, findings(overview)
    return (
        _environment()
        .get_template("overview.html.j2")
        .render(
            overview=overview,
            basis=basis,
            facts=_facts(basis),
            findings=found,
            title=_title(basis, found),
            calm=_calm(overview),
            tiles=tuple(_tiles(overview)),
            volume=_volume(overview.days),
            ages=_ages(overview),
            rates=_rates_by_day([each for each in overview.rates if each.day >= basis.days[0]]),
            costs=[(each, _cost(each, overview.days)) for each in overview.costs],
            departures=overview.ranges.departures[:_MOST_LISTED],
            places=[each for each in overview.places if each.stuck][:_MOST_LISTED],
            freshness=tuple(_freshness(overview)),
            definitions=wording.DEFINITIONS,
            outcome_names=OUTCOME_NAMES,
            most_listed=_MOST_LISTED,
            policy=policy(),
            style=inline(template_source("report.css") + _style()),
        )
    )


def outcomes(delivery: Delivery) -> dict[str, int]:
    """Return messages by what became of them; those that are no longer re-fetched apart from open ones."""
    return {
        "delivered": delivery.delivered,
        "open": delivery.open - delivery.aged_out,
        "no final report": delivery.aged_out,
        "cancelled": delivery.cancelled,
        "expired": delivery.expired,
        "rejected": delivery.rejected,
        "failed": delivery.failed,
    }


def accepted_rate(delivery: Delivery) -> Decimal | None:
    """Return delivered of all accepted messages, 0 to 1."""
    return Decimal(delivery.delivered) / delivery.messages if delivery.messages else None


@cache
def _environment() -> Environment:
    """Return where the page's template is compiled, once: that takes longer than to render it."""
    environment = Environment(
        loader=PackageLoader("sms_etl.overview"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    filters: dict[str, Callable[..., object]] = {
        "count": count,
        "money": money,
        "exact": exact,
        "share": share,
        "month": month_name,
        "outcomes": outcomes,
        "accepted_rate": accepted_rate,
        "weekday": wording.weekday,
        "days_named": wording.days_named,
        "counted": wording.counted,
        "value_of": wording.value_of,
        "range_of": wording.range_of,
        "direction": _direction,
        "measure_name": _measure_name,
        "points": _points,
        "pause": _pause,
        "both_times": _on_the_clock(wording.both_times),
        "local_minute": _on_the_clock(wording.local_minute),
        "stretch": _on_the_clock(wording.stretch),
        "ago": _ago,
        "signed": _signed,
    }
    environment.filters.update(filters)
    return environment


def _on_the_clock(words: Callable[[_Shown, str], str]) -> Callable[[Context, _Shown], str]:
    """Return a filter that puts something into words in the time zone of the page's basis."""

    @pass_context
    def filtered(page: Context, shown: _Shown) -> str:
        return words(shown, page["basis"].timezone)

    return filtered


@pass_context
def _ago(page: Context, moment: datetime) -> str:
    return wording.age(page["basis"].written_at - moment)


def _style() -> str:
    return files("sms_etl.overview").joinpath("templates", "overview.css").read_text(encoding="utf-8")


def _facts(basis: Basis) -> list[tuple[str, str]]:
    return [
        ("Account", account(basis)),
        ("Days", f"{wording.weekday(basis.days[0])} to {wording.weekday(basis.today)} {basis.today.year}"),
        ("Time zone", f"{basis.timezone}; UTC beside it"),
        ("Statuses as of", wording.both_times(basis.as_of_at, basis.timezone)),
        ("Page written", wording.both_times(basis.written_at, basis.timezone)),
    ]


@dataclass(frozen=True)
class Tile:
    """A figure at the top, what it is, and what stands beside it."""

    name: str
    figure: str
    aside: str
    title: str
    unit: str = ""


def _tiles(overview: Overview) -> Iterator[Tile]:
    delivery, basis = overview.delivery, overview.basis
    yield Tile(
        "Messages",
        count(delivery.messages),
        f"{count(overview.days[-1].delivery.messages)} so far today",
        "Created on the 28 days that are shown, today included.",
    )
    yield Tile(
        "Delivery rate",
        share(delivery.delivery_rate),
        f"{share(accepted_rate(delivery))} of all accepted",
        "Delivered of the final messages of the 28 days; below it: of all that the provider accepted.",
    )
    for each in overview.costs:
        yield Tile(
            "Cost",
            money(each.total),
            f"{count(each.unpriced)} without a price" if each.unpriced else "every message is priced",
            f"Of the 28 days, net of VAT. Exactly {each.currency} {exact(each.total)}.",
            unit=each.currency,
        )
    yield Tile(
        "Open",
        count(overview.open),
        f"{count(overview.stuck)} stuck for over a day" if overview.stuck else "none stuck",
        "Not final and still re-fetched; stuck: due more than a day ago.",
    )
    yield Tile(
        "Read",
        f"{wording.age(basis.written_at - basis.asked_at)} ago" if basis.asked_at else NONE,
        f"up to {wording.local_minute(basis.watermark_at, basis.timezone)}",
        "When the provider was last asked, and the time of the newest message.",
    )


def _volume(days: Sequence[Day]) -> Chart | None:
    if not any(each.delivery.messages for each in days):
        return None
    drawn = [
        Column(
            each.day,
            tuple(
                Piece(
                    Decimal(number),
                    _COLOURS[name],
                    f"{wording.weekday(each.day)}: {count(number)} {name} of {count(each.delivery.messages)}",
                )
                for name, number in outcomes(each.delivery).items()
            ),
            note=_note(each, days[-1].day),
        )
        for each in days
    ]
    total = sum((each.delivery for each in days), Delivery())
    present = tuple((name, _COLOURS[name], False) for name, number in outcomes(total).items() if number)
    says = f"Messages by day and outcome, {count(total.messages)} in all. The table has the figures."
    picture = drawing.columns(drawn, says=says, unit="messages", label=_whole, is_counted=True)
    return Chart(picture, present)


def _cost(section: CurrencyCost, days: Sequence[Day]) -> Chart:
    read = {each.day: each for each in days}
    drawn = [
        Column(
            each.day,
            (
                Piece(
                    max(each.cost, Decimal(0)),
                    BAR,
                    f"{wording.weekday(each.day)}: {section.currency} {exact(each.cost)}, "
                    f"{wording.counted(each.messages, 'message')}, {count(each.unpriced)} without a price",
                ),
            ),
            note=_note(read[each.day], days[-1].day),
        )
        for each in section.days
    ]
    says = f"Cost by day in {section.currency}, {money(section.total)} in all. The table has the figures."
    return Chart(drawing.columns(drawn, says=says, unit=section.currency, label=_amount))


def _note(day: Day, today: date) -> str:
    """Return why a day is hatched."""
    if day.is_whole:
        return ""
    return "so far" if day.day == today else "not read whole"


def _ages(overview: Overview) -> Chart | None:
    shown = [each for each in overview.rates if each.age_hours in _LINES and each.reached.messages]
    if not shown:
        return None
    drawn, legend = [], []
    for age, (colour, is_dashed) in _LINES.items():
        points = tuple(_point(each) for each in shown if each.age_hours == age)
        if points:
            name = f"within {age} h"
            drawn.append(Line(name, colour, points, is_dashed))
            legend.append((name, colour, is_dashed))
    says = "Share of messages delivered within 1 hour and within 24 hours, by day. The table has the figures."
    picture = drawing.lines(overview.basis.days, drawn, says=says, unit="delivered of all accepted")
    return Chart(picture, tuple(legend), is_of_lines=True)


def _point(each: WatchedRate) -> Point:
    rate = each.reached.rate or Decimal(0)
    return Point(
        each.day,
        rate,
        f"{wording.weekday(each.day)}: {share(rate)} of {count(each.reached.messages)} "
        f"within {each.age_hours} h",
    )


def _rates_by_day(rates: Sequence[WatchedRate]) -> list[tuple[date, dict[int, WatchedRate]]]:
    by_day = sorted(rates, key=lambda each: each.day)
    return [
        (day, {each.age_hours: each for each in of_day})
        for day, of_day in groupby(by_day, key=lambda each: each.day)
    ]


def _freshness(overview: Overview) -> Iterator[tuple[str, str, str, str]]:
    """Yield each moment that says how old the figures are: name, time, how long ago, what it means."""
    basis, syncs = overview.basis, overview.syncs
    for name, moment, meaning in (
        ("Newest message read", basis.watermark_at, "all messages created up to then are in"),
        ("Provider asked", basis.asked_at, "for messages newer than that"),
        ("Last sync begun", syncs.last_started_at, "the last that this copy knows of"),
        ("Statuses as of", basis.as_of_at, "days, ages and what is due are counted from here"),
        ("Models built", basis.built_at, "by the machine's clock"),
        ("Published", basis.published_at, "by the machine's clock"),
    ):
        ago = wording.age(basis.written_at - moment) if moment else NONE
        yield name, wording.both_times(moment, basis.timezone), ago, meaning


def _direction(each: Departure) -> str:
    return "above" if each.is_above else "below"


def _measure_name(each: Departure) -> str:
    name = {Measure.MESSAGES: "Messages", Measure.COST: "Cost", Measure.RATE: "Delivery rate"}[each.measure]
    return f"{name}, so far today" if each.is_running else name


def _points(each: Comparison) -> str:
    change = formatting.change_in_points(each.now.rate, each.before.rate)
    return change.text if change else NONE


def _pause(age_hours: int) -> str:
    return wording.age(longest_allowed(age_hours))


def _signed(amount: Decimal) -> str:
    return formatting.signed(amount, formatting.places_of(amount))


def _whole(tick: Decimal) -> str:
    return count(int(tick))


def _amount(tick: Decimal) -> str:
    return f"{tick.normalize():,f}"


def _calm(overview: Overview) -> str:
    """Say what was looked at where nothing needs attention, and what could not be."""
    compared = [
        "no country or sender left its range" if len(overview.ranges.weeks) >= LEAST_WEEKS else "",
        "delivery is as a week before" if any(each.days for each in overview.comparisons) else "",
    ]
    known = " and ".join(filter(None, compared)) or "ranges could not be compared yet"
    return f"What was read is fresh and without a gap, every check passed, {known}."


def _title(basis: Basis, found: Sequence[Finding]) -> str:
    """Return what a browser's tab says."""
    state = f"{len(found)} to attend to" if found else "all well"
    return f"{f'{SANDBOX}: ' if basis.is_sandbox else ''}SMS overview: {state}"
