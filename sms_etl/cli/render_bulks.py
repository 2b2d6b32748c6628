"""How campaigns and bulks look on a terminal. No number and no text is shown, but for signs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import click

from sms_etl.campaigns.change import BulkNow
from sms_etl.campaigns.costs import ALL, UNASSIGNED, CountryCost
from sms_etl.campaigns.create import CreateResult, Outcome
from sms_etl.campaigns.listing import BulkLine, status_word
from sms_etl.campaigns.plan import MOST_ROWS_NAMED, Plan
from sms_etl.campaigns.recipients import BadRow
from sms_etl.campaigns.record import State
from sms_etl.cli.render import show_rows
from sms_etl.cli.shared import counted
from sms_etl.plain_text import printable

_MOST_BAD_ROWS = 10
_ENCODINGS = {"gsm7": "GSM 7-bit", "ucs2": "Unicode"}


def show_created(result: CreateResult, *, is_plan_shown: bool = False) -> None:
    """Say what came of a campaign.

    Args:
        result: Of the command.
        is_plan_shown: Whether the plan was shown to ask for it.
    """
    plan, campaign = result.plan, result.campaign
    if plan is not None and not (is_plan_shown and result.outcome is not Outcome.OVER_BUDGET):
        show_plan(plan)
    if result.outcome is Outcome.SENT and campaign:
        click.echo(f"Sent as bulk {campaign.bulk_id}; its key is {result.key}.")
        click.echo("The next `sms-etl sync` loads it; `sms-etl bulks status` asks how far it is.")
    elif result.outcome is Outcome.SENT_BEFORE and campaign:
        cancelled = ", and cancelled since" if campaign.cancelled_at else ""
        click.echo(
            f"It was sent before{cancelled}: as bulk {campaign.bulk_id}, "
            f"at {campaign.asked_at:%Y-%m-%d %H:%M:%S} UTC. "
            "Nothing was sent now; to send the same again, give another --key."
        )
    elif result.outcome is Outcome.OVER_BUDGET:
        click.echo('Nothing was sent. To send it all the same: --over-budget "why".')
    else:
        click.echo("This was a dry run; nothing was sent. To send it, add --yes.")


def show_plan(plan: Plan) -> None:
    """Show whom a campaign reaches, how its text is sent, what it costs, and what budgets say."""
    _show_recipients(plan)
    _show_preview(plan)
    show_rows(
        ("country", "recipients", "parts", f"price a part, {plan.currency}", "as of", "cost"),
        [_country_row(each, plan.preview.parts) for each in plan.estimate.countries],
    )
    _show_cost(plan)
    _show_budgets(plan)
    for objection in plan.objections:
        click.echo(printable(objection), err=True)


def show_bad_rows(rows: Sequence[BadRow]) -> None:
    """Name the rows that hold no number, on stderr."""
    for bad in rows[:_MOST_BAD_ROWS]:
        click.echo(f"Row {bad.row}: {bad.reason}.", err=True)
    if len(rows) > _MOST_BAD_ROWS:
        more = len(rows) - _MOST_BAD_ROWS
        click.echo(f"... and {more:,} rows more; --json names the first {MOST_ROWS_NAMED}.", err=True)


def _show_recipients(plan: Plan) -> None:
    asked = plan.asked
    click.echo(
        f"{counted(plan.recipients, 'recipient')}. Left out: {len(asked.invalid):,} rows without a number, "
        f"{asked.duplicates:,} that are there twice, {plan.opted_out:,} who opted out."
    )
    if asked.other_columns:
        others = ", ".join(printable(each) for each in asked.other_columns)
        click.echo(
            f"Their numbers are those of the column {printable(asked.column or '')}; not read: {others}. "
            "Rename or delete a column to have another one read."
        )
    if asked.unlikely:
        click.echo(f"{asked.unlikely:,} of the numbers are in no numbering plan known here: check them.")
    show_bad_rows(asked.invalid)


def _show_preview(plan: Plan) -> None:
    preview = plan.preview
    parts = "1 part" if preview.parts == 1 else f"{preview.parts} parts"
    click.echo(
        f"{preview.characters:,} characters as {_ENCODINGS[preview.encoding]}: {parts} a message, "
        f"{plan.parts:,} in all."
    )
    if preview.foreign:
        signs = ", ".join(
            f"{printable(each.character)} ({each.code} {each.name})" for each in preview.foreign
        )
        click.echo(f"Unicode because of {signs}. Without them more characters fit into a part.")


def _country_row(each: CountryCost, parts: int) -> tuple[object, ...]:
    unknown = "unknown"
    return (
        each.country_code,
        each.recipients,
        each.recipients * parts,
        unknown if each.unit_price is None else each.unit_price,
        each.priced_on or "",
        unknown if each.cost is None else each.cost,
    )


def _show_cost(plan: Plan) -> None:
    if plan.cost is None:
        click.echo("What it costs is not known: LOX24's dry run names no cost.")
    else:
        by = "LOX24's dry run" if plan.provider_cost is not None else "the account's latest prices"
        click.echo(f"Cost by {by}: {plan.cost:,.6f} {plan.currency}, net of VAT.")
    if plan.estimate.without_price:
        click.echo(
            f"No message was ever priced to {', '.join(plan.estimate.without_price)} with this service: "
            "its price is not known here."
        )
    elif plan.provider_cost is not None and plan.provider_cost != plan.estimate.cost:
        click.echo(f"By the account's latest prices it would be {plan.estimate.cost:,.6f} {plan.currency}.")


def _show_budgets(plan: Plan) -> None:
    if plan.cost_centre != plan.cost_centre_of_rules:
        click.echo(
            f"Rules charge its messages to {printable(plan.cost_centre_of_rules)}, so that its budget is "
            f"looked at, too: to charge them to {printable(plan.cost_centre)}, add the bulk to "
            "cost_centres.csv once it was sent."
        )
    for each in plan.budgets:
        of = "all cost centres" if each.cost_centre == ALL else printable(each.cost_centre)
        planned = f" ({each.committed:,.2f} planned for other campaigns)" if each.committed else ""
        click.echo(
            f"Budget of {of} in {plan.business_month:%Y-%m}: {each.left():,.2f} of {each.budget:,.2f} "
            f"{each.currency} left{planned}."
        )
    if plan.is_budget_stale:
        return
    if plan.budgets and plan.budgets_as_of:
        click.echo(
            f"Budgets are those of the last build, as of {plan.budgets_as_of:%Y-%m-%d %H:%M} UTC: what was "
            "sent since is not in them, but for campaigns sent from here."
        )
    if not plan.budgets:
        of = f"{printable(plan.cost_centre)}, nor for all cost centres,"
        if plan.cost_centre == UNASSIGNED:
            of = "what no rule charges to a cost centre, nor for all together,"
        click.echo(f"There is no budget for {of} in {plan.business_month:%Y-%m}.")


def show_lines(lines: Sequence[BulkLine]) -> None:
    """Show bulks as the warehouse knows them."""
    if not lines:
        click.echo("No bulk was loaded or sent from here yet.")
        return
    show_rows(
        ("bulk", "key", "created", "status", "messages", "planned", "cost", "planned cost", "currency"),
        [
            (
                line.bulk_id,
                line.key,
                line.created_at,
                line.status or line.state,
                line.messages,
                line.messages_planned,
                line.cost,
                line.cost_planned,
                line.currency,
            )
            for line in lines
        ],
        null="",
    )


def show_line(line: BulkLine) -> None:
    """Show one bulk, a line for each value."""
    _pairs((name, value) for name, value in line.as_json().items())


def show_live(bulks: Sequence[BulkNow]) -> None:
    """Show bulks as the provider has them."""
    if not bulks:
        click.echo("LOX24 has no bulk of these days.")
        return
    show_rows(
        ("bulk", "key", "created", "status", "messages", "cost"),
        [
            (
                each.status.uuid,
                each.campaign and each.campaign.key,
                each.status.created_at,
                status_word(each.status.status_code),
                each.status.msg_total_count,
                each.status.msg_total_cost,
            )
            for each in bulks
        ],
        null="",
    )


def show_cancelled(now: BulkNow) -> None:
    """Say whether a bulk was cancelled, and show it as the provider has it."""
    if now.is_cancelled_now:
        click.echo("It was cancelled.")
    elif status_word(now.status.status_code) == State.CANCELLED.value:
        click.echo("It was cancelled before.")
    else:
        click.echo("It was not cancelled.")
    show_now(now)


def show_now(now: BulkNow) -> None:
    """Show one bulk as the provider has it."""
    status = now.status
    _pairs(
        (
            ("bulk", status.uuid),
            ("key", now.campaign.key if now.campaign else "not sent from here"),
            ("status", status_word(status.status_code)),
            ("created", _utc(status.created_at)),
            ("scheduled", _utc(status.delivery_at)),
            ("last change", _utc(status.processed_at)),
            ("messages so far", status.msg_total_count),
            ("cost so far", status.msg_total_cost),
        )
    )


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment} UTC"


def _pairs(pairs: Iterable[tuple[str, object]]) -> None:
    for name, value in pairs:
        shown = f"{value:f}" if isinstance(value, Decimal) else value
        click.echo(f"{name:<18}{'-' if shown is None else printable(str(shown))}")
