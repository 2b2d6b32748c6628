"""What needs attention, the most urgent first, each with the command to run next. Pure.

The order: figures that are wrong, figures that are missing or old, messages that fare badly, what finance has
still to do.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sms_etl.finance.coverage import Stretch
from sms_etl.finance.formatting import change_in_points, local_time, month_name
from sms_etl.finance.period import previous_month
from sms_etl.overview.figures import Overview
from sms_etl.overview.ranges import Departure, Kind, Measure
from sms_etl.overview.wording import age, counted, days_named, departed, named, stretch, weekday

STALE_AFTER = timedelta(hours=26)
"""A sync publishes at least once each business day, even of an account where nothing happens."""
CLOSING_AFTER = timedelta(days=10)
"""A month is expected to be closed so long after its end, by those who close months."""
_QUERY = 'sms-etl query "select'
_FAILED_ROWS = 'sms-etl query --warehouse "select * from ops.failed_test_rows"'


@dataclass(frozen=True)
class Finding:
    """One thing that needs attention."""

    title: str
    text: str
    command: str
    """What to run next."""
    is_alarm: bool = False
    """The figures below may be wrong or old; else they are right and show something."""

    def as_json(self) -> dict[str, str | bool]:
        """Return it as plain JSON values."""
        return {"title": self.title, "text": self.text, "command": self.command, "is_alarm": self.is_alarm}


def findings(overview: Overview) -> tuple[Finding, ...]:
    """Return what needs attention; empty if nothing does."""
    return tuple(finding for _, found in findings_by_kind(overview) for finding in found)


def findings_by_kind(overview: Overview) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """Yield what needs attention, under a name that stays while the counts and times in it change."""
    for find in _KINDS:
        yield find.__name__.lstrip("_"), tuple(find(overview))


def _forced(overview: Overview) -> Iterator[Finding]:
    published, failed = overview.basis.publication, overview.checks.blocking
    if not failed and not (published and published.is_forced):
        return
    names = [overview.checks.said(each) for each in failed]
    if not names and published:
        names = list(published.failed_tests)
    reason = f" Reason given: {published.reason}." if published and published.reason else ""
    yield Finding(
        "These figures failed a check and were published all the same",
        f"{named(names) or 'Which check it was is not recorded'}.{reason}",
        _FAILED_ROWS if any(each.kept_rows for each in failed) else "sms-etl build && sms-etl publish",
        is_alarm=True,
    )


def _later(overview: Overview) -> Iterator[Finding]:
    later = overview.later
    if later is None:
        return
    local = partial(local_time, timezone=overview.basis.timezone)
    why = later.error or f"Failed: {named(list(later.reasons))}"
    yield Finding(
        f"A later build failed, on {local(later.failed_at)}",
        f"{why.rstrip('.')}. The figures below are still those of {local(overview.basis.as_of_at)}. Mend the "
        "cause; the build says what it is.",
        "sms-etl build && sms-etl publish",
        is_alarm=True,
    )


def _stale(overview: Overview) -> Iterator[Finding]:
    basis = overview.basis
    if basis.asked_at is None:
        yield Finding("Nothing was read yet", "No sync has read messages.", "sms-etl sync", is_alarm=True)
    elif basis.written_at - basis.asked_at > STALE_AFTER:
        yield Finding(
            f"Nothing was read for {age(basis.written_at - basis.asked_at)}",
            "A sync publishes at least once a day: it does not run, or it fails.",
            "sms-etl sync",
            is_alarm=True,
        )
    elif basis.asked_at > basis.as_of_at:
        yield Finding(
            "The figures are older than what was read",
            "Messages were loaded after these figures were built.",
            "sms-etl build && sms-etl publish",
            is_alarm=True,
        )


def _syncs(overview: Overview) -> Iterator[Finding]:
    syncs = overview.syncs
    if syncs.last_error is not None:
        yield Finding(
            f"The last sync ended with {syncs.last_error}",
            f"Of the {counted(syncs.number, 'sync')} of the last seven days, {syncs.failed} ended with an "
            "error.",
            "sms-etl doctor",
        )
    if syncs.is_without_bulks:
        yield Finding(
            "The last sync could not read bulks", "Messages are complete without them.", "sms-etl sync"
        )
    if syncs.bulks_differing:
        yield Finding(
            f"{counted(syncs.bulks_differing, 'bulk')} with totals that differ from their messages",
            "Number or cost of the messages differ from what the provider says of the bulk.",
            f"{_QUERY} bulk_id, messages_difference, cost_difference from marts.fct_bulk where "
            "bulk_status = 'processed' and (messages_difference <> 0 or cost_difference <> 0)\"",
        )


def _quarantined(overview: Overview) -> Iterator[Finding]:
    if not overview.quarantine:
        return
    files = sum(each.waiting for each in overview.quarantine if each.is_file)
    kinds = {"row": overview.quarantine_open - files, "landed file": files}
    what = " and ".join(counted(number, kind) for kind, number in kinds.items() if number)
    since = min(each.since_at for each in overview.quarantine)
    yield Finding(
        f"{what} in quarantine",
        f"Not in any figure. The oldest has waited for {age(overview.basis.written_at - since)}.",
        "sms-etl quarantine list",
    )


def _not_read(overview: Overview) -> Iterator[Finding]:
    if not overview.gaps:
        return
    tell = partial(stretch, timezone=overview.basis.timezone)
    yield Finding(
        f"{counted(len(overview.gaps), 'gap')} in what was read",
        f"Not read: {named([tell(each) for each in overview.gaps])}. Messages of that time are in no figure.",
        _backfill(overview.gaps),
    )


def _backfill(gaps: tuple[Stretch, ...]) -> str:
    since, until = gaps[0].from_at.date(), gaps[-1].until_at.date()
    return f"sms-etl sync --since {since} --until {until}"


def _checks(overview: Overview) -> Iterator[Finding]:
    warnings = overview.checks.warnings
    if warnings:
        names = [overview.checks.said(each) for each in warnings]
        yield Finding(f"{counted(len(warnings), 'check')} with a warning", f"{named(names)}.", _FAILED_ROWS)


def _unclear(overview: Overview) -> Iterator[Finding]:
    """Name campaigns that may have been sent or not; a key is quoted: it may hold anything."""
    keys = overview.unclear
    if not keys:
        return
    were = "it was" if len(keys) == 1 else "they were"
    command = f"sms-etl bulks status --key {shlex.quote(keys[0])}"
    yield Finding(
        f"{counted(len(keys), 'campaign')} of which it is not known whether {were} sent",
        f"{named(list(keys))}: LOX24's answer was lost. The command that was to send it, run again, looks "
        "for the bulk and sends nothing twice.",
        command if keys[0].isprintable() else "sms-etl bulks list",
    )


def _delivery(overview: Overview) -> Iterator[Finding]:
    dropped = [each for each in overview.comparisons if each.has_dropped]
    if not dropped:
        return
    said = []
    for each in dropped:
        change = change_in_points(each.now.rate, each.before.rate)
        said.append(f"{change.text if change else ''} within {each.age_hours} h ({days_named(each.days)})")
    yield Finding(
        "Fewer messages are delivered than a week before, at the same age",
        f"{named(said)}.",
        f"{_QUERY} country_name, service_code, status_meaning, dlr_meaning, sum(messages) as messages "
        f"from marts.failure_reasons where business_day >= date '{dropped[0].days[0]}' "
        'group by all order by messages desc limit 20"',
    )


def _departures(overview: Overview) -> Iterator[Finding]:
    found = overview.ranges.departures
    if not found:
        return
    number = {kind: len({each.code for each in found if each.kind is kind}) for kind in Kind}
    said = [counted(number[kind], kind.value) for kind in Kind if number[kind]]
    day = overview.ranges.day or overview.basis.today
    yield Finding(
        f"{' and '.join(said)} left {'its' if sum(number.values()) == 1 else 'their'} range",
        f"{weekday(day)}: {named([departed(each) for each in found])}.",
        _look_at(found[0]),
    )


def _look_at(each: Departure) -> str:
    """Return the query of the days of one country, or of all senders: a sender's name may need quotes."""
    measure = "cost, currency" if each.measure is Measure.COST else "messages, delivered, delivery_rate"
    since = f"business_day >= date '{each.day - timedelta(weeks=1)}' order by business_day\""
    if each.kind is Kind.SENDER:
        return f"{_QUERY} business_day, sender_id, {measure} from marts.sender_health where {since}"
    is_code = re.fullmatch("[A-Z]{2}", each.code)  # what a provider may send else has no place in a command
    where = f"country_code = '{each.code}' and " if is_code else ""
    return f"{_QUERY} business_day, country_code, {measure} from marts.country_overview where {where}{since}"


def _stuck(overview: Overview) -> Iterator[Finding]:
    unusual = [each for each in overview.places if each.is_unusual]
    if not unusual:
        return
    places = [f"{each.country}, {each.service}: {counted(each.stuck, 'message')}" for each in unusual]
    yield Finding(
        "More messages than usual are stuck",
        f"Due more than a day ago and not final: {named(places)}.",
        f"{_QUERY} country_name, service_code, delivery_status, count(*) as messages from marts.fct_sms "
        'where not is_final and not is_aged_out group by all order by messages desc limit 20"',
    )


def _unpriced(overview: Overview) -> Iterator[Finding]:
    if not overview.unpriced:
        return
    many = [f"{counted(each.messages, 'message')} in {each.currency}" for each in overview.unpriced]
    first = min(each.first_day for each in overview.unpriced) - timedelta(days=1)
    last = max(each.last_day for each in overview.unpriced) + timedelta(days=1)
    yield Finding(
        f"{named(many)} without a price",
        "Not in the cost below, and no longer re-fetched.",
        f"sms-etl sync --since {first} --until {last}",
    )


def _closing(overview: Overview) -> Iterator[Finding]:
    """Remind those who close months of the first that is due; one without messages needs no closing."""
    midnight = datetime.combine(overview.basis.today, datetime.min.time())
    due = previous_month((midnight - CLOSING_AFTER).date())
    month = next(iter(overview.unclosed), None)
    if not overview.closed or month is None or month > due:
        return
    yield Finding(
        f"{month_name(month)} is not closed",
        f"The last closed month is {month_name(overview.closed[0].month)}.",
        f"sms-etl close --month {month:%Y-%m}",
    )


_KINDS = (
    _forced,
    _later,
    _stale,
    _syncs,
    _quarantined,
    _not_read,
    _checks,
    _unclear,
    _delivery,
    _departures,
    _stuck,
    _unpriced,
    _closing,
)
