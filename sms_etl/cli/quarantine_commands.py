"""`sms-etl quarantine`: the rows that could not be loaded."""

import click

from sms_etl.cli.shared import Subgroup, as_json_option, example, print_json, read_settings


@click.group(
    cls=Subgroup,
    epilog=example(
        "sms-etl quarantine list",
        'sms-etl quarantine accept 1f0c8a2e --reason "credit note, booked by hand"',
    ),
)
def quarantine() -> None:
    """Show the rows that could not be loaded, and close those that will never be valid."""


@quarantine.command("list", epilog=example("sms-etl quarantine list", "sms-etl quarantine list --all --json"))
@click.option("--all", "is_all", is_flag=True, help="Also show rows that were loaded later or accepted.")
@as_json_option
def list_quarantine(is_all: bool, as_json: bool) -> None:
    """List the rows in quarantine with their reasons. Phone numbers and texts are never shown."""
    from sms_etl.cli.render import show_quarantine
    from sms_etl.warehouse.quarantine import count_open, quarantined_rows
    from sms_etl.warehouse.read import newest

    with newest(read_settings()) as connection:
        rows = quarantined_rows(connection, is_open_only=not is_all)
        waiting = count_open(connection)
    if as_json:
        print_json({"quarantine_open": waiting, "rows": [row.as_json() for row in rows]})
    else:
        show_quarantine(rows)


@quarantine.command(
    epilog=example(
        'sms-etl quarantine accept 1f0c8a2e --reason "credit note, booked by hand"',
        'sms-etl quarantine accept 1f0c8a2e --all-like --reason "test messages"',
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--reason", required=True, help="Why they will never be valid. It is recorded and shown in reports."
)
@click.option("--all-like", is_flag=True, help="Also accept all rows that wait for the same reason.")
@as_json_option
def accept(ids: tuple[str, ...], reason: str, all_like: bool, as_json: bool) -> None:
    """Close rows that will never be valid. The first characters of an ID are enough."""
    from sms_etl.build_state import mark_stale
    from sms_etl.cli.render import show_accepted
    from sms_etl.warehouse.quarantine import accept as accept_rows
    from sms_etl.warehouse.quarantine import count_open
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = read_settings()
    with writable_warehouse(settings).begin() as transaction:
        rows = accept_rows(
            transaction.native, ids, reason=reason.strip(), now=settings.clock(), is_with_alike=all_like
        )
        waiting = count_open(transaction.native)
        mark_stale(transaction)  # reports show what was accepted
    if as_json:
        print_json({"accepted": [str(row.quarantine_id) for row in rows], "quarantine_open": waiting})
    else:
        show_accepted(rows, waiting)
