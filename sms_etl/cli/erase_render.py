"""Shows what an erasure would do, and what it did, in words. No number is printed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from sms_etl.retention.reasons import WORDS, Reason

if TYPE_CHECKING:
    from sms_etl.erasure.erase import Erasure
    from sms_etl.erasure.plan import ErasurePlan
    from sms_etl.erasure.searching import Searched


def show_plan(plan: "ErasurePlan", *, is_error_stream: bool = False) -> None:
    """Say what would be erased."""
    out = Console(stderr=is_error_stream)
    found = plan.survey
    out.print(
        f"Would erase {found.messages:,} messages in the warehouse and {len(found.files):,} landed files, "
        f"and replace the published copy and the backup of the data directory."
    )
    if found.others or found.quarantined:
        out.print(
            f"Would also blank the number in {found.others:,} messages of others and "
            f"{found.quarantined:,} rows in quarantine."
        )
    if found.at_lox24 is None:
        out.print("No provider would be asked: what they still have comes back with a sync that reads it.")
    else:
        out.print(
            f"LOX24 has {len(found.at_lox24.uuids):,} messages to exactly this number; "
            f"{len(found.deletable):,} stored ones would be deleted there, off the itemised bill too."
        )
        _show_bulks(out, len(found.at_lox24.bulks))
        out.print(
            "2SMS would be asked to delete all messages to it; it says only afterwards how many there were."
            if plan.has_twosms
            else "2SMS is not configured and would not be asked."
        )
    _show_left(out, found.held_back, found.unreadable, plan.elsewhere)
    if plan.is_interrupted:
        out.print("An erasure of this person was interrupted. To apply this plan completes it.")
    out.print(
        f"Nothing was changed. To erase it: the same command with --apply --erasure {plan.erasure_id}",
        soft_wrap=True,
    )


def show_erasure(result: "Erasure") -> None:
    """Say what was erased, and what stays."""
    out = Console()
    out.print(
        f"Erased {result.blanked.messages:,} messages in the warehouse and rewrote {result.landed.files:,} "
        f"landed files; also blanked the number in {result.blanked.others:,} messages of others and "
        f"{result.blanked.quarantined:,} rows in quarantine."
    )
    if not result.is_local:
        out.print(f"Deleted {result.deleted_at_lox24:,} messages at LOX24, each looked for and gone.")
        _show_bulks(out, result.bulks)
    if result.twosms.state == "done":
        out.print(f"2SMS deleted {result.twosms.deleted:,} messages and expired {result.twosms.expired:,}.")
    for error in (result.lox24_error, *result.twosms.errors):
        if error:
            out.print(f"[yellow]not complete[/] {escape(error)} Apply it again.", soft_wrap=True)
    for path in (result.copies.published, result.copies.backup):
        if path:
            out.print(f"Replaced {escape(str(path))}.", soft_wrap=True)
    for error in result.copies.errors:
        out.print(f"[yellow]not complete[/] {escape(error)} `sms-etl publish` tries again.", soft_wrap=True)
    _show_left(out, result.held_back, result.landed.unreadable, result.elsewhere)
    out.print("Copies and backups made elsewhere still hold what they held.")
    if result.receipt:
        out.print(f"Receipt {result.erasure_id}: {escape(str(result.receipt))}", soft_wrap=True)


def _show_bulks(out: Console, bulks: int) -> None:
    if bulks:
        out.print(
            f"{bulks:,} bulks there keep the lists of numbers they were sent to; they are not changed.",
        )


def _show_left(
    out: Console, held_back: Mapping[str, int], unreadable: tuple[str, ...], elsewhere: "Searched"
) -> None:
    for reason, count in sorted(held_back.items()):
        out.print(f"[yellow]stays[/] {count:,} messages: {escape(WORDS[Reason(reason)])}", soft_wrap=True)
    for name in unreadable:
        out.print(f"[yellow]warning[/] landing/{escape(name)}: it cannot be read and may hold personal data.")
    for name in elsewhere.holding:
        out.print(f"[yellow]warning[/] {escape(name)} holds the number: remove it, or write it anew.")
    for name in elsewhere.unsearched:
        out.print(f"[yellow]warning[/] {escape(name)} could not be searched.")
