"""`sms-etl retention`: what must not be kept any longer is planned, shown, and then deleted with a proof."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Moment,
    Subgroup,
    as_json_option,
    example,
    is_at_a_terminal,
    print_json,
    progress_shown,
    read_settings,
    require_consent,
)

if TYPE_CHECKING:
    from sms_etl.retention.holds import Scope
    from sms_etl.settings import Settings

_SINCE, _UNTIL = Moment(), Moment(is_end=True)
_DELETING = "deleting"


@click.group(
    cls=Subgroup,
    epilog=example(
        "sms-etl retention plan",
        "sms-etl retention apply --plan 1f0c8a2e-…",
        'sms-etl retention hold add --key 8207 --reason "complaint 17" --ends 2026-12-31',
    ),
)
def retention() -> None:
    """Delete what must not be kept any longer: plan it, look at the plan, then apply it.

    The rules stand in retention.toml in the data directory; docs/retention.md explains them.
    """


@retention.command("plan", epilog=example("sms-etl retention plan", "sms-etl retention plan --json"))
@as_json_option
def make_plan(as_json: bool) -> None:
    """Show what each rule would delete, and why the rest stays. Deletes nothing.

    The plan is stored for 24 hours: `sms-etl retention apply --plan ID` carries out exactly what was shown.
    """
    from sms_etl.cli.retention_render import show_plan
    from sms_etl.retention.plan import make_plan as planned

    result = planned(read_settings())
    if as_json:
        print_json(result.as_json())
    else:
        show_plan(result.as_json())


@retention.command(
    "apply", epilog=example("sms-etl retention apply --plan 1f0c8a2e-7c1d-4f0e-9a57-0d3c5b1e2f44")
)
@click.option(
    "--plan", "plan_id", required=True, type=click.UUID, metavar="ID", help="The plan that was shown."
)
@click.option(
    "--yes", is_flag=True, help="Do not ask on a terminal. A script need not give it: it names the plan."
)
@as_json_option
def apply_plan(plan_id: UUID, yes: bool, as_json: bool) -> None:
    """Carry out a plan exactly as it was shown. What was deleted at the provider is gone for good.

    It is refused if the plan is older than 24 hours, or if the policy or a message in it has changed since.
    Each message is proven before, and looked for afterwards. If it is interrupted, run it again.
    """
    from sms_etl.cli.retention_render import show_applied, show_plan
    from sms_etl.retention.applying import apply_plan as applied
    from sms_etl.retention.applying import plan_to_apply

    settings = read_settings()
    plan = plan_to_apply(settings, plan_id)
    if not yes and is_at_a_terminal() and plan.finished_at is None:
        show_plan(plan.content, is_asking=True)
        require_consent("Delete this for good?", "Nothing was deleted.")
    with progress_shown() as progress:
        result = applied(settings, plan_id, told=lambda done, of: progress(_DELETING, done, of))
    if as_json:
        print_json(result.as_json())
    else:
        show_applied(result)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@retention.command(
    epilog=example(
        "sms-etl retention verify", 'sms-etl retention verify --accept "restored Monday\'s backup"'
    )
)
@click.option("--accept", "reason", metavar="REASON", help="Record that rows are lost for good, and go on.")
@as_json_option
def verify(reason: str | None, as_json: bool) -> None:
    """Check the ledger of deletions, and look up what became of a deletion that was interrupted.

    Exit code 3 says that a row was changed or is missing, or that the end of a deletion is not known yet.
    """
    from sms_etl.cli.retention_render import show_verified
    from sms_etl.retention.applying import accept_ledger, verify_ledger

    if reason is not None and not reason.strip():
        raise click.UsageError("--accept: say why.")
    settings = read_settings()
    if reason is not None:
        accept_ledger(settings, reason.strip())
    result = verify_ledger(settings)
    if as_json:
        print_json(result.as_json())
    else:
        show_verified(result)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@retention.command(
    epilog=example(
        "sms-etl retention receipt", "sms-etl retention receipt --plan 1f0c8a2e-7c1d-4f0e-9a57-0d3c5b1e2f44"
    )
)
@click.option("--plan", "plan_id", type=click.UUID, metavar="ID", help="Of one plan, or one erasure.")
@click.option("--operation", "operation_id", type=click.UUID, metavar="ID", help="Of one batch.")
@as_json_option
def receipt(plan_id: UUID | None, operation_id: UUID | None, as_json: bool) -> None:
    """Write a page of what was deleted, to be printed and signed, into the reports folder."""
    from sms_etl.retention.receipt import write_receipt

    if plan_id and operation_id:
        raise click.UsageError("Give --plan or --operation, not both.")
    result = write_receipt(read_settings(), plan_id=plan_id, operation_id=operation_id)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(result.path)
    if not result.is_whole:
        click.echo("The ledger is not whole: run `sms-etl retention verify`.", err=True)
        sys.exit(NEEDS_ATTENTION)


@retention.group(cls=Subgroup, epilog=example("sms-etl retention hold list"))
def hold() -> None:
    """Keep messages that the rules would delete: for a complaint, a dispute or a lawsuit."""


@hold.command(
    "add",
    epilog=example(
        'sms-etl retention hold add --uuid 0f1e… --reason "complaint 17"',
        'sms-etl retention hold add --sender LOGIN --since 2026-01-01 --until 2026-01-31 --reason "audit" '
        "--ends 2026-12-31",
    ),
)
@click.option("--uuid", "uuids", multiple=True, type=click.UUID, help="One message; may be repeated.")
@click.option("--sender", help="All of one sender, as it was given to the provider or as reports show it.")
@click.option("--key", "key_id", type=int, help="All of one API key.")
@click.option("--bulk", "bulk_id", type=click.UUID, help="All of one bulk.")
@click.option("--since", type=_SINCE, help="Created at or after this moment (UTC).")
@click.option("--until", type=_UNTIL, help="Created before this moment (UTC); a date includes its whole day.")
@click.option("--reason", required=True, help="Why. It is recorded; leave personal data out of it.")
@click.option(
    "--ends",
    type=_UNTIL,
    help="When the hold ends by itself (UTC), a date with its whole day; without it, when it is removed.",
)
@as_json_option
def add_hold(
    uuids: tuple[UUID, ...], reason: str, ends: datetime | None, as_json: bool, **scope: Any
) -> None:
    """Hold messages: those that meet all that is given. It is in force at once."""
    from sms_etl.cli.retention_render import show_holds
    from sms_etl.retention.holds import add_hold as add
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = read_settings()
    if ends is not None and ends <= settings.clock():
        raise click.UsageError("--ends lies in the past.")
    scopes = _scopes(settings, uuids, **scope)
    with writable_warehouse(settings).begin() as transaction:
        holds = [add(transaction, settings, each, reason=reason.strip(), ends_at=ends) for each in scopes]
    if as_json:
        print_json({"hold_id": str(holds[0].hold_id), "holds": [each.as_json() for each in holds]})
    else:
        show_holds(holds, settings.clock())


@hold.command(
    "list", epilog=example("sms-etl retention hold list", "sms-etl retention hold list --all --json")
)
@click.option("--all", "is_all", is_flag=True, help="Also show holds that ended or were removed.")
@as_json_option
def list_holds(is_all: bool, as_json: bool) -> None:
    """List the holds in force, with the number of stored messages each is of."""
    from sms_etl.cli.retention_render import show_holds
    from sms_etl.retention.holds import read_holds
    from sms_etl.warehouse.store import writable_warehouse

    settings = read_settings()
    now = settings.clock()
    with writable_warehouse(settings).begin() as transaction:
        holds = [each for each in read_holds(transaction, settings) if is_all or each.is_in_force(now)]
    if as_json:
        print_json({"holds": [each.as_json() for each in holds]})
    else:
        show_holds(holds, now)


@hold.command("remove", epilog=example('sms-etl retention hold remove 1f0c8a2e --reason "settled"'))
@click.argument("hold_id", metavar="ID")
@click.option("--reason", required=True, help="Why. It is recorded.")
@as_json_option
def remove_hold(hold_id: str, reason: str, as_json: bool) -> None:
    """Remove a hold. The first eight characters of its ID are enough; its row stays, with the reason."""
    from sms_etl.cli.retention_render import show_holds
    from sms_etl.retention.holds import remove_hold as remove
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = read_settings()
    with writable_warehouse(settings).begin() as transaction:
        removed = remove(transaction, settings, hold_id, reason=reason.strip())
    if as_json:
        print_json(removed.as_json())
    else:
        show_holds([removed], settings.clock())


def _scopes(
    settings: "Settings",
    uuids: tuple[UUID, ...],
    *,
    sender: str | None,
    key_id: int | None,
    bulk_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
) -> "list[Scope]":
    """Return what is to be held: one scope a uuid, or one."""
    from sms_etl.clock import as_utc
    from sms_etl.retention.holds import Scope
    from sms_etl.retention.plan import stored_sender

    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since lies after --until.")
    if sender is not None and not sender.strip():
        raise click.UsageError("--sender is empty.")
    scopes = [
        Scope(
            uuid=uuid,
            sender_id=None if sender is None else stored_sender(settings, sender.strip()),
            key_id=key_id,
            bulk_id=bulk_id,
            since_at=None if since is None else as_utc(since),
            until_at=None if until is None else as_utc(until),
        )
        for uuid in uuids or (None,)
    ]
    if scopes[0].is_empty:
        raise click.UsageError("Say what is to be held: --uuid, --sender, --key, --bulk, --since or --until.")
    return scopes
