"""`sms-etl bulks`: campaigns are planned, sent once, watched and cancelled."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sms_etl.cli.cancel_command import cancel_messages
from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Subgroup,
    as_json_option,
    counted,
    example,
    print_json,
    print_result,
    read_settings,
    require_consent,
)

if TYPE_CHECKING:
    from sms_etl.campaigns.plan import Plan
    from sms_etl.campaigns.recipients import Recipients
    from sms_etl.providers.lox24.bulks import BulkStatus
    from sms_etl.settings import Settings

_SERVICES = ("direct", "economy", "pro")
_LIVE_DAYS = 30
_LONGEST_KEY = 100
_bulk_argument = click.argument("bulk_id", required=False, type=click.UUID, metavar="[ID]")
_key_option = click.option("--key", help="Of the campaign, in place of the bulk's id.")
_country_option = click.option(
    "--country",
    default="DE",
    show_default=True,
    metavar="CODE",
    help="Where numbers with one leading zero are of (0170 …).",
)


@click.group(
    cls=Subgroup,
    epilog=example(
        "sms-etl bulks list",
        'sms-etl bulks create --recipients customers.csv --sender ACME --text "Sale!"',
    ),
)
def bulks() -> None:
    """Send a text to many recipients once: see what it reaches and costs, send, watch, cancel."""


bulks.add_command(cancel_messages)


@bulks.command(
    "create",
    epilog=example(
        'sms-etl bulks create --recipients customers.csv --sender ACME --text "Sale!"',
        'sms-etl bulks create --recipients customers.csv --sender ACME --text "Sale!" \\',
        "    --at 2026-03-02T09:00 --key spring-sale --yes --json",
        "sms-etl bulks create --audience \"select phone from raw.sms where iso2 = 'AT'\" \\",
        '    --sender ACME --text "Servus!"',
    ),
)
@click.option(
    "--recipients",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A CSV: one number a line, or a column called mobile, phone, Handy, Telefon and the like.",
)
@click.option(
    "--audience", metavar="SQL", help="In place of a file: a query on the warehouse. Needs SMS_ETL_PII=keep."
)
@click.option("--sender", required=True, help="A number, or a name of at most 11 letters, digits and blanks.")
@click.option("--text", required=True, help="What to send, at most 1785 characters.")
@click.option(
    "--at",
    metavar="TIME",
    help="When to send it, such as 2026-03-02T09:00; in SMS_ETL_TIMEZONE unless it has an offset.",
)
@click.option("--service", type=click.Choice(_SERVICES), default="direct", show_default=True)
@_country_option
@click.option(
    "--cost-centre", metavar="NAME", help="Whose budget to look at beside that of the one rules say."
)
@click.option("--over-budget", metavar="REASON", help="Send it although it passes a budget; recorded.")
@click.option(
    "--key", help="What makes a repeated command the same campaign; default: sender, text, recipients, time."
)
@click.option(
    "--yes", is_flag=True, help="Send it. Without it a terminal is asked, and a script sends nothing."
)
@as_json_option
def create(  # noqa: PLR0913, PLR0917 - an argument an option
    recipients: Path | None,
    audience: str | None,
    sender: str,
    text: str,
    at: str | None,
    service: str,
    country: str,
    cost_centre: str | None,
    over_budget: str | None,
    key: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Send a campaign, after a dry run that shows whom it reaches and what it costs.

    A command that is repeated sends nothing twice, also if the answer to the first was lost: give another
    --key to send the same again on purpose. Exit code 3: a budget does not allow it, or it is not known
    whether it was sent; the message says what to do. See docs/campaigns.md.
    """
    from sms_etl.campaigns.create import Outcome, create_campaign
    from sms_etl.campaigns.message import check_sender, check_text, moment_of
    from sms_etl.campaigns.plan import Asked
    from sms_etl.campaigns.recipients import check_country
    from sms_etl.cli.render_bulks import show_created, show_plan
    from sms_etl.overview.refresh import telling_of_campaigns

    if (recipients is None) == (audience is None):
        raise click.UsageError("Give one of --recipients and --audience.")
    for name, given in (("--over-budget", over_budget), ("--cost-centre", cost_centre), ("--key", key)):
        _refuse_blank(name, given)
    settings = read_settings()
    asked = Asked(
        sender=check_sender(sender),
        text=check_text(text),
        recipients=_recipients(recipients, audience, check_country(country), settings),
        audience=audience,
        scheduled_at=moment_of(at, settings.zone) if at else None,
        service=service,
        key=key,
        cost_centre=cost_centre,
        over_budget_reason=over_budget,
    )

    def confirm(plan: "Plan") -> bool:
        if yes:
            return True
        if as_json or not _is_on_terminal():
            return False
        show_plan(plan)
        require_consent(f"Send it to {counted(plan.recipients, 'recipient')}?", "Nothing was sent.")
        return True

    with telling_of_campaigns(settings):
        result = create_campaign(
            settings, asked, confirm=confirm, say=lambda line: click.echo(line, err=True)
        )
    if as_json:
        print_json(result.as_json())
    else:
        show_created(result, is_plan_shown=not yes and _is_on_terminal())
    if result.outcome is Outcome.OVER_BUDGET:
        sys.exit(NEEDS_ATTENTION)


@bulks.command("list", epilog=example("sms-etl bulks list", "sms-etl bulks list --live --json"))
@click.option("--live", is_flag=True, help=f"Ask the provider: its bulks of the last {_LIVE_DAYS} days.")
@as_json_option
def list_them(live: bool, as_json: bool) -> None:
    """List bulks: what the warehouse knows of them, with what was planned where they were sent from here."""
    from sms_etl.campaigns.change import live_bulks
    from sms_etl.campaigns.listing import list_bulks
    from sms_etl.cli.render_bulks import show_lines, show_live

    settings = read_settings()
    if live:
        found = live_bulks(settings, settings.clock() - timedelta(days=_LIVE_DAYS))
        if as_json:
            print_json({"bulks": [each.as_json() for each in found]})
        else:
            show_live(found)
        return
    lines = list_bulks(settings)
    if as_json:
        print_json({"bulks": [line.as_json() for line in lines]})
    else:
        show_lines(lines)


@bulks.command("show", epilog=example("sms-etl bulks show 3f0c9d2e", "sms-etl bulks show spring-sale --json"))
@click.argument("id_or_key", metavar="ID")
@as_json_option
def show(id_or_key: str, as_json: bool) -> None:
    """Show one bulk as the warehouse knows it, by its id, the beginning of it, or its campaign's key."""
    from sms_etl.campaigns.listing import find_line
    from sms_etl.cli.render_bulks import show_line

    print_result(find_line(read_settings(), id_or_key), show_line, as_json=as_json)


@bulks.command(
    "status",
    epilog=example(
        "sms-etl bulks status 3f0c9d2e-52a1-4b53-9d0e-0d1f6a2b7c11", "sms-etl bulks status --key spring-sale"
    ),
)
@_bulk_argument
@_key_option
@as_json_option
def status(bulk_id: UUID | None, key: str | None, as_json: bool) -> None:
    """Ask the provider how far a bulk is.

    Exit code 3: it is not known whether the campaign was sent; the message says what to do.
    """
    from sms_etl.campaigns.change import live_status
    from sms_etl.cli.render_bulks import show_now

    _refuse_both(bulk_id, key)
    print_result(live_status(read_settings(), bulk_id=bulk_id, key=key), show_now, as_json=as_json)


@bulks.command(
    "cancel",
    epilog=example(
        "sms-etl bulks cancel 3f0c9d2e-52a1-4b53-9d0e-0d1f6a2b7c11",
        "sms-etl bulks cancel --key spring-sale --yes --json",
    ),
)
@_bulk_argument
@_key_option
@click.option("--yes", is_flag=True, help="Do not ask. A script needs it.")
@as_json_option
def cancel(bulk_id: UUID | None, key: str | None, yes: bool, as_json: bool) -> None:
    """Stop what a bulk has not sent yet; what it has sent stays sent.

    Only a bulk that is new or in progress can be cancelled. One that is cancelled already stays so.
    """
    from sms_etl.campaigns.change import cancel_campaign
    from sms_etl.campaigns.listing import status_word
    from sms_etl.cli.render_bulks import show_cancelled

    _refuse_both(bulk_id, key)
    if not yes and (as_json or not _is_on_terminal()):
        raise click.UsageError("Give --yes to cancel it: nobody can be asked here.")

    def confirm(now: "BulkStatus") -> bool:
        count = f" of {counted(now.msg_total_count, 'message')}" if now.msg_total_count is not None else ""
        asked = f"Cancel bulk {now.uuid}{count}, now {status_word(now.status_code)}?"
        if not yes:
            require_consent(asked, "Nothing was cancelled.")
        return True

    result = cancel_campaign(read_settings(), bulk_id=bulk_id, key=key, confirm=confirm)
    print_result(result, show_cancelled, as_json=as_json)


@bulks.command(
    "resolve",
    epilog=example(
        "sms-etl bulks resolve --key spring-sale --bulk 3f0c9d2e-52a1-4b53-9d0e-0d1f6a2b7c11",
        "sms-etl bulks resolve --key spring-sale --not-sent",
    ),
)
@click.option("--key", required=True, help="Of the campaign.")
@click.option("--bulk", "bulk_id", type=click.UUID, metavar="ID", help="The bulk it became.")
@click.option("--not-sent", is_flag=True, help="It was not sent: it may be sent by the same command again.")
@as_json_option
def resolve(key: str, bulk_id: UUID | None, not_sent: bool, as_json: bool) -> None:
    """Say what became of a campaign whose answer was lost, once somebody has looked in the web account.

    It is needed only if `bulks create`, run again, cannot tell by itself.
    """
    from sms_etl.campaigns.change import resolve_campaign
    from sms_etl.overview.refresh import telling_of_campaigns

    if (bulk_id is None) != not_sent:
        raise click.UsageError("Give one of --bulk ID and --not-sent.")
    settings = read_settings()
    with telling_of_campaigns(settings):
        campaign = resolve_campaign(settings, key, bulk_id)
    if as_json:
        print_json(campaign.as_json())
    elif campaign.bulk_id:
        click.echo(f"The campaign {key} is bulk {campaign.bulk_id}.")
    else:
        click.echo(f"The campaign {key} was not sent; it can be sent again.")


@bulks.group("opt-outs", cls=Subgroup, epilog=example("sms-etl bulks opt-outs add stop.csv"))
def opt_outs() -> None:
    """Keep the numbers that no campaign may be sent to, as keyed hashes alone."""


@opt_outs.command("add", epilog=example("sms-etl bulks opt-outs add stop.csv --country AT"))
@click.argument("file", type=click.Path(path_type=Path))
@_country_option
@as_json_option
def add(file: Path, country: str, as_json: bool) -> None:
    """Add the numbers of a CSV file. The file is yours to delete: only their hashes are kept.

    Exit code 3: some rows hold no number; they are named, and all others were added.
    """
    from sms_etl.campaigns.opt_outs import add_opt_outs
    from sms_etl.campaigns.recipients import check_country
    from sms_etl.cli.render_bulks import show_bad_rows
    from sms_etl.plain_text import printable
    from sms_etl.warehouse.store import Warehouse

    settings = read_settings()
    result = add_opt_outs(settings, file, check_country(country), Warehouse.of(settings))
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(
            f"Added {result.added:,}; {result.already_there:,} were there already. "
            f"In all {result.total:,} opted out."
        )
        if len(result.columns) > 1:
            click.echo(f"Numbers were read from the columns {', '.join(map(printable, result.columns))}.")
    if result.invalid:
        show_bad_rows(result.invalid)
        click.echo("These opted out only once you correct the rows and add the file again.", err=True)
        sys.exit(NEEDS_ATTENTION)


@opt_outs.command("count", epilog=example("sms-etl bulks opt-outs count --json"))
@as_json_option
def count(as_json: bool) -> None:
    """Say how many numbers opted out, and in which file their hashes are."""
    from sms_etl.campaigns.opt_outs import count_opt_outs
    from sms_etl.warehouse.store import Warehouse

    settings = read_settings()
    path, total = count_opt_outs(settings, Warehouse.of(settings))
    if as_json:
        print_json({"path": str(path), "opted_out": total})
    else:
        click.echo(f"Opted out: {total:,} ({path})")


def _recipients(file: Path | None, audience: str | None, country: str, settings: "Settings") -> "Recipients":
    from sms_etl.campaigns.audience import read_audience
    from sms_etl.campaigns.recipient_file import read_recipients

    if file is not None:
        return read_recipients(file, country)
    return read_audience(audience or "", settings, country)


def _refuse_blank(name: str, given: str | None) -> None:
    if given is None:
        return
    if not given.strip() or not given.isprintable() or len(given) > _LONGEST_KEY:
        raise click.UsageError(f"{name}: give one line of 1 to {_LONGEST_KEY} characters.")


def _refuse_both(bulk_id: UUID | None, key: str | None) -> None:
    if (bulk_id is None) == (key is None):
        raise click.UsageError("Give one of the bulk's id and --key.")


def _is_on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
