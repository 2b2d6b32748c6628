"""`sms-etl report --overview`: operations look at how it goes."""

from pathlib import Path

import click

from sms_etl.cli.shared import print_json, read_settings, writing_to


def report_overview(out: Path | None, *, as_json: bool) -> None:
    """Write the overview of the published copy, and say what needs attention."""
    from sms_etl.check_words import check_words
    from sms_etl.overview.write import write_overview
    from sms_etl.plain_text import printable
    from sms_etl.warehouse.later_build import later_failure
    from sms_etl.warehouse.open_campaigns import unclear_now
    from sms_etl.warehouse.read import published

    settings = read_settings()
    with published(settings) as connection, writing_to(out):
        result = write_overview(
            connection,
            out or settings.reports_dir,
            generated_at=settings.clock(),
            later=later_failure(settings),
            check_words=check_words(settings),
            unclear=unclear_now(settings),
        )
    if as_json:
        print_json(result.as_json())
        return
    for number, found in enumerate(result.findings, start=1):
        click.echo(printable(f"{number}. {found.title}. {found.text}"), err=True)
        click.echo(f"   {printable(found.command)}", err=True)
    if not result.findings:
        click.echo("Nothing needs attention.", err=True)
    click.echo(str(result.html))
