"""`sms-etl close`: finance closes a month."""

import sys
from pathlib import Path

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Command,
    as_json_option,
    example,
    print_json,
    progress_shown,
    read_settings,
)


@click.command(
    cls=Command,
    epilog=example(
        "sms-etl close --month 2026-01",
        "sms-etl close --month 2026-01 --invoice invoice-2026-01.csv",
        'sms-etl close --month 2026-01 --force --reason "credit note agreed, see ticket 17"',
    ),
)
@click.option("--month", required=True, metavar="YYYY-MM", help="The business month.")
@click.option(
    "--invoice",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The provider's invoice as CSV, compared message by message; what differs is listed in a CSV.",
)
@click.option("--force", is_flag=True, help="Close it although something speaks against it; needs --reason.")
@click.option("--reason", help="Why. It is kept with the month, and its report shows it.")
@as_json_option
def close(month: str, invoice: Path | None, force: bool, reason: str | None, as_json: bool) -> None:
    """Close a month: its report never changes again, and later changes become corrections.

    It is refused with exit code 3 if the month is not ripe or the invoice differs; it says what to do.
    """
    from sms_etl.cli.outcome import say_error
    from sms_etl.cli.render import show_closing
    from sms_etl.finance.closing.close import Status
    from sms_etl.finance.closing.invoice import read_invoice
    from sms_etl.finance.period import first_of_month
    from sms_etl.pipeline import build_close_publish

    reason = (reason or "").strip()
    if force != bool(reason):
        raise click.UsageError('--force and --reason go together: --force --reason "why".')
    first = first_of_month(month)
    billed = read_invoice(invoice) if invoice else None
    with progress_shown() as progress:
        result = build_close_publish(
            read_settings(), first, invoice=billed, forced_reason=reason or None, progress=progress
        )
    if as_json:
        print_json(result.as_json())
    else:
        show_closing(result)
    if result.differences_error:
        say_error(result.differences_error.message, result.differences_error.hint)
    if result.close.status is Status.REFUSED or result.differences_error:
        sys.exit(NEEDS_ATTENTION)
