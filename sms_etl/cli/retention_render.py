"""How plans, deletions, holds and the ledger look on a terminal."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from sms_etl.cli.console import Console
from sms_etl.retention.reasons import WORDS, Reason

if TYPE_CHECKING:
    from sms_etl.retention.applying import Applied, Verified
    from sms_etl.retention.holds import Hold, Scope


def show_plan(plan: dict[str, Any], *, is_asking: bool = False) -> None:
    """Show a plan as it was made; `plan` is its JSON. On stderr, where something is asked next."""
    out = Console(stderr=is_asking)
    if not plan["rules"]:
        out.print(
            f"There are no rules in {escape(plan['policy'])}: nothing is to be deleted.", soft_wrap=True
        )
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("rule", overflow="fold", min_width=12)
    table.add_column("target", no_wrap=True)
    for heading in ("messages", "files"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for heading in ("oldest", "newest"):
        table.add_column(heading, no_wrap=True)
    for rule in plan["rules"]:
        costs = [f"{each['currency']} {each['cost']}" for each in rule["amounts"]]
        table.add_row(
            escape(rule["name"]),
            rule["target"],
            f"{rule['messages']:,}",
            f"{rule['files']:,}" if rule["target"] == "landing" else "",
            "\n".join(costs),
            _day(rule["oldest"]),
            _day(rule["newest"]),
        )
    out.print(table)
    _show_reasons(out, "Held back", plan["held_back"])
    for rule in plan["rules"]:
        _show_reasons(out, f"Files that {escape(rule['name'])} leaves", rule.get("files_kept", {}))
        for condition, values in rule.get("never_seen", {}).items():
            out.print(
                f"[yellow]{escape(rule['name'])}: no stored message has {condition} "
                f"{escape(', '.join(values))}; is it what you meant?[/]",
                soft_wrap=True,
            )
    if not plan["messages"] and not any(rule["files"] for rule in plan["rules"]):
        out.print("Nothing is to be deleted now.")
        return
    if is_asking:
        return
    until = datetime.fromisoformat(plan["expires_at"])
    out.print(f"The plan expires at {until:%Y-%m-%d %H:%M} UTC. Nothing was deleted yet.")
    out.print("To delete it for good:")
    out.print(f"  sms-etl retention apply --plan {plan['plan_id']}", soft_wrap=True)


def show_applied(result: "Applied") -> None:
    """Say what was deleted, and why the rest was left."""
    out = Console()
    if result.is_already_applied:
        out.print("This plan was applied before; nothing was done now. All in all:")
    out.print(
        f"Deleted {result.confirmed:,} messages at LOX24, each looked for afterwards and gone; "
        f"removed {result.files:,} landed files."
    )
    _show_reasons(out, "Left", result.skipped)
    out.print(f"A receipt: sms-etl retention receipt --plan {result.plan_id}", soft_wrap=True)


def show_verified(result: "Verified") -> None:
    """Say whether the ledger is whole."""
    out = Console()
    chain = result.chain
    if chain.problem is None:
        out.print(
            f"The ledger of deletions is whole: {chain.rows:,} rows. Newest hash {chain.head}", soft_wrap=True
        )
    else:
        out.print(
            f"[bold red]The ledger of deletions is not whole:[/] {escape(chain.problem)}", soft_wrap=True
        )
        out.print(
            "Restore the newest backup of the warehouse. If the rows are lost for good, "
            '`sms-etl retention verify --accept "why"` records that, and deletions go on.'
        )
    for row in chain.accepted:
        out.print(f"[yellow]Row {row} records that somebody accepted what was wrong before it.[/]")
    if result.settled:
        out.print(f"Looked up how {result.settled:,} interrupted deletions ended; the ledger has it now.")
    if result.unfinished:
        out.print(
            f"[yellow]How {result.unfinished:,} deletions ended is not known yet.[/] "
            f"{escape(result.why_unfinished or '')} Run it again."
        )


def show_holds(holds: "Sequence[Hold]", now: datetime) -> None:
    """List holds."""
    out = Console()
    if not holds:
        out.print("Nothing is on hold.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("id", "added"):
        table.add_column(heading, no_wrap=True)
    table.add_column("of", overflow="fold")
    table.add_column("messages", justify="right", no_wrap=True)
    for heading in ("ends (UTC)", "reason"):
        table.add_column(heading, overflow="fold")
    for hold in holds:
        table.add_row(
            str(hold.hold_id)[:8],
            f"{hold.added_at:%Y-%m-%d}",
            escape(_of(hold.scope)),
            f"{hold.messages or 0:,}",
            _end(hold, now),
            escape(hold.reason),
        )
    out.print(table)
    if any(hold.messages == 0 and hold.is_in_force(now) for hold in holds):
        out.print(
            "[yellow]A hold without messages holds nothing that is stored now; is it what you meant?[/]"
        )


def _end(hold: "Hold", now: datetime) -> str:
    if hold.removed_at is not None:
        return f"removed {hold.removed_at:%Y-%m-%d}: {escape(hold.removed_reason or '')}"
    if hold.ends_at is None:
        return "when removed"
    return f"{hold.ends_at:%Y-%m-%d %H:%M}" + ("" if hold.is_in_force(now) else " (ended)")


def _of(scope: "Scope") -> str:
    from sms_etl.pii.senders import shown_sender

    said = {
        "message": scope.uuid,
        "sender": scope.sender_id and shown_sender(scope.sender_id),
        "key": scope.key_id,
        "bulk": scope.bulk_id,
        "since": scope.since_at,
        "before": scope.until_at,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


def _show_reasons(out: Any, heading: str, reasons: dict[str, int]) -> None:  # noqa: ANN401 - a console of rich
    if reasons:
        out.print(f"{heading}:")
    for reason, count in reasons.items():
        out.print(f"- {count:,}: {WORDS[Reason(reason)]}", soft_wrap=True)


def _day(text: str | None) -> str:
    return text[:10] if text else ""
