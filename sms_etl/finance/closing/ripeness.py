"""Judges whether a month may be closed. Pure: facts in, reasons out, each a sentence that says what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sms_etl.finance.closing.facts import Facts
from sms_etl.finance.formatting import count, exact, local_time, month_name

_MOST_NAMED = 5


@dataclass(frozen=True)
class Reason:
    """Why a month is not closed."""

    text: str
    """What is wrong, how many, and what to do."""
    can_be_forced: bool = True


def reasons_against(facts: Facts) -> tuple[Reason, ...]:
    """Return what speaks against closing the month, in the order to deal with it; nothing: it is ripe."""
    return tuple(Reason(text) for text in _unripe(facts)) + tuple(
        Reason(text, can_be_forced=False) for text in _tampered(facts)
    )


def _unripe(facts: Facts) -> Iterator[str]:
    read_again = f"`{_backfill(facts)}`"
    if facts.now < facts.ends_at:
        end = local_time(facts.ends_at, facts.timezone)
        yield f"{month_name(facts.month)} is not over. Close it after {end} ({facts.timezone})."
    if facts.open_before:
        named = _listed([f"{month:%Y-%m}" for month in facts.open_before])
        yield (
            f"{_counted(len(facts.open_before), 'earlier month is', 'earlier months are')} not closed: "
            f"{named}. Close the earliest first."
        )
    if missing := _missing(facts):
        was = "was" if missing == 1 else "were"
        yield f"{_counted(missing, 'second', 'seconds')} of the month {was} not read. Run {read_again}."
    if facts.open_messages:
        yield (
            f"{_counted(facts.open_messages, 'message', 'messages')} may still change. Run `sms-etl sync` "
            "until each is final or has aged out (SMS_ETL_SETTLE_DAYS)."
        )
    if facts.unpriced:
        has = "has" if facts.unpriced == 1 else "have"
        yield (
            f"{_counted(facts.unpriced, 'message', 'messages')} {has} no price. Run {read_again}; "
            "if they stay without one, ask the provider."
        )
    if facts.waiting:
        waits = "waits" if facts.waiting == 1 else "wait"
        yield (
            f"{_counted(facts.waiting, 'row or file', 'rows or files')} that may belong to the month {waits} "
            "in quarantine. Look at `sms-etl quarantine list`; then run `sms-etl sync --replay-quarantine`, "
            "or accept what will never be right."
        )
    yield from _models(facts)


def _missing(facts: Facts) -> int:
    """Return how many seconds were not read of what is over of the month: nobody can read what is to come."""
    to_come = max(facts.ends_at - facts.now, timedelta(0))
    return max(0, facts.missing_seconds - int(to_come.total_seconds()))


def _models(facts: Facts) -> Iterator[str]:
    if facts.failed_checks:
        failed = len(facts.failed_checks)
        yield (
            f"{_counted(failed, 'blocking check', 'blocking checks')} failed in the last build: "
            f"{'; '.join(facts.failed_checks[:_MOST_NAMED])}. Mend the cause and run `sms-etl build`."
        )
    elif not facts.is_current:
        yield "The models do not show what was loaded last. Run `sms-etl build`."
    for each in facts.layers:
        yield (
            f"The provider's rows and the marts differ by {each.currency} {exact(each.cost)} and "
            f"{_counted(each.messages, 'message', 'messages')}. Run `sms-etl build`."
        )


def _tampered(facts: Facts) -> Iterator[str]:
    """Say what no force overrides: figures that somebody changed by hand are nobody's figures."""
    if facts.differing:
        differ = "differs from its" if facts.differing == 1 else "differ from their"
        named = _listed(facts.differing_uuids, facts.differing)
        yield (
            f"{_counted(facts.differing, 'message', 'messages')} in raw.sms {differ} own change log, as if "
            f"changed by hand: {named}. Read their days again with `sms-etl sync --since … --until …`, or "
            "restore a backup (docs/operations.md)."
        )
    if facts.changed_months:
        named = _listed([f"{month:%Y-%m}" for month in facts.changed_months])
        closed = _counted(len(facts.changed_months), "closed month", "closed months")
        yield (
            f"The lines or figures of {closed} no longer give the digest: {named}. Somebody changed the "
            "tables of the schema finance; restore a backup (docs/operations.md)."
        )


def _backfill(facts: Facts) -> str:
    """Return the command that reads the month again; its days are UTC, which may begin a day earlier."""
    last: date = (facts.ends_at - timedelta(seconds=1)).date()
    return f"sms-etl sync --since {facts.starts_at.date()} --until {last}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{count(number)} {one if number == 1 else many}"


def _listed(names: Sequence[str], number: int | None = None) -> str:
    """Return the first names, and how many more there are."""
    shown = names[:_MOST_NAMED]
    more = (len(names) if number is None else number) - len(shown)
    return ", ".join(shown) + (f" and {count(more)} more" if more else "")
