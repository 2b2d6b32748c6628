"""`sms-etl report`: finance reads what a month, a quarter or a year came to, and traces a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sms_etl.cli.shared import Command, as_json_option, example, print_json, read_settings, writing_to

if TYPE_CHECKING:
    from sms_etl.finance.focus.export import FocusResult
    from sms_etl.finance.lines import LinesResult
    from sms_etl.finance.period import Period
    from sms_etl.finance.report import Format, ReportResult

_FOCUS = "focus"


@click.command(
    cls=Command,
    epilog=example(
        "sms-etl report --month 2026-01",
        "sms-etl report --quarter 2026-1 --format html,xlsx,csv --locale de",
        "sms-etl report --year 2026 --format focus",
        "sms-etl report --overview",
        "sms-etl report --month 2026-01 --lines --where country=DE --where service=direct",
    ),
)
@click.option("--month", metavar="YYYY-MM", help="A business month.")
@click.option("--quarter", metavar="YYYY-Q", help="A quarter, such as 2026-1: the sum of its months.")
@click.option("--year", metavar="YYYY", help="A year: the sum of its months.")
@click.option(
    "--overview", is_flag=True, help="The page for operations: what needs attention, and the last 28 days."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write (default: <data dir>/reports).",
)
@click.option(
    "--format",
    "formats",
    metavar="FORMATS",
    help="html, xlsx, csv or focus (for FinOps tools, docs/focus.md), several with commas  "
    "[default: html,xlsx]",
)
@click.option(
    "--focus-version",
    type=click.Choice(["1.4", "1.0"]),
    help="With --format focus: 1.4, or 1.0 for tools that do not know it yet.  [default: 1.4]",
)
@click.option(
    "--locale",
    type=click.Choice(["en", "de"]),
    default="en",
    show_default=True,
    help="How numbers and dates are written: 1,234.56 or 1.234,56. Words stay English.",
)
@click.option("--lines", is_flag=True, help="Write the messages behind the figures instead, as one CSV.")
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="With --lines: only those, such as country=Germany or campaign=none; repeated, all must hold, "
    "of one column any.",
)
@as_json_option
def report(  # noqa: PLR0913, PLR0917 - an argument an option
    month: str | None,
    quarter: str | None,
    year: str | None,
    overview: bool,
    out: Path | None,
    formats: str | None,
    focus_version: str | None,
    locale: str,
    lines: bool,
    where: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the finance report of a month, quarter or year, or the overview for operations.

    A report is a page and a workbook, or what --format names. docs/reports.md says what is in them.
    """
    if overview:
        if month or quarter or year or formats or focus_version or lines or where or locale != "en":
            raise click.UsageError("--overview stands alone, but for --out and --json.")
        from sms_etl.cli.overview_command import report_overview

        report_overview(out, as_json=as_json)
        return
    period = _period(month, quarter, year)
    if where and not lines:
        raise click.UsageError("--where needs --lines.")
    if lines and formats:
        raise click.UsageError("--lines writes a CSV of its own; it cannot be combined with --format.")
    asked = _formats(formats)
    if focus_version and not asked.is_focus:
        raise click.UsageError("--focus-version needs --format focus.")
    if lines:
        written = _write_lines(period, where, locale, out)
        if as_json:
            print_json(written.as_json() | _later_build_as_json())
        else:
            _show_lines(written)
            _show_later_build()
        return
    result, focus = _write_report(period, asked, locale, focus_version, out)
    if as_json:
        print_json(_as_json(result, focus) | _later_build_as_json())
    else:
        _show_report(result, focus)
        _show_later_build()


def _period(month: str | None, quarter: str | None, year: str | None) -> "Period":
    from sms_etl.finance.period import month_of, quarter_of, year_of

    asked = [
        read(text)
        for read, text in ((month_of, month), (quarter_of, quarter), (year_of, year))
        if text is not None
    ]
    if len(asked) != 1:
        raise click.UsageError("Give one of --month 2026-01, --quarter 2026-1, --year 2026 and --overview.")
    return asked[0]


class _Asked(NamedTuple):
    """The formats that were asked for; FOCUS has files of its own, which `write_report` knows nothing of."""

    formats: "tuple[Format, ...]"
    is_focus: bool


def _formats(names: str | None) -> _Asked:
    from sms_etl.finance.report import DEFAULT_FORMATS, Format

    if names is None:
        return _Asked(DEFAULT_FORMATS, is_focus=False)
    known = {each.value: each for each in Format}
    asked = [name.strip().lower() for name in names.split(",")]
    for name in asked:
        if name not in known and name != _FOCUS:
            raise click.UsageError(f"--format: {name!r} is none of {', '.join((*known, _FOCUS))}.")
    formats = tuple(known[name] for name in dict.fromkeys(asked) if name != _FOCUS)
    return _Asked(formats, is_focus=_FOCUS in asked)


def _write_report(
    period: "Period", asked: _Asked, locale: str, focus_version: str | None, out: Path | None
) -> "tuple[ReportResult, FocusResult | None]":
    from sms_etl.check_words import check_words
    from sms_etl.finance.focus.export import write_focus
    from sms_etl.finance.focus.specification import Version
    from sms_etl.finance.locales import Locale
    from sms_etl.finance.report import write_report
    from sms_etl.warehouse.later_build import later_failure
    from sms_etl.warehouse.read import published

    settings = read_settings()
    with published(settings) as connection, writing_to(out):
        result = write_report(
            connection,
            period,
            out or settings.reports_dir,
            generated_at=settings.clock(),
            formats=asked.formats,
            locale=Locale(locale),
            check_words=check_words(settings),
            later=later_failure(settings),
        )
        if not asked.is_focus:
            return result, None
        focus = write_focus(
            connection,
            period.months,
            out or settings.reports_dir,
            now=settings.clock(),
            version=Version(focus_version or Version.V1_4),
            name=period.slug,
            digest=result.digest,
        )
    return result, focus


def _write_lines(period: "Period", where: tuple[str, ...], locale: str, out: Path | None) -> "LinesResult":
    from sms_etl.finance.choosing import filters_of
    from sms_etl.finance.lines import write_lines
    from sms_etl.finance.locales import Locale
    from sms_etl.warehouse.read import published

    filters, settings = filters_of(where), read_settings()
    with published(settings) as connection, writing_to(out):
        return write_lines(
            connection,
            period,
            out or settings.reports_dir,
            now=settings.clock(),
            filters=filters,
            locale=Locale(locale),
        )


def _as_json(result: "ReportResult", focus: "FocusResult | None") -> dict[str, Any]:
    """Return what was written; of FOCUS alone what that says, else all files and that beside them."""
    if focus is None:
        return result.as_json()
    if not result.files:
        return focus.as_json()
    both = result.as_json()
    return {**both, "files": [*both["files"], *map(str, focus.files)], "focus": focus.as_json()}


def _show_report(result: "ReportResult", focus: "FocusResult | None") -> None:
    from sms_etl.plain_text import printable

    if result.files:
        for said in result.statements:
            click.echo(printable(f"{said.name}: {said.state}. {said.text}"), err=True)
    for note in focus.notes if focus else ():
        click.echo(note, err=True)
    for file in (*result.files, *(focus.files if focus else ())):
        click.echo(file)


def _later_build_as_json() -> dict[str, Any]:
    from sms_etl.warehouse.later_build import later_failure

    later = later_failure(read_settings())
    return {"later_build": later.as_json() if later else None}


def _show_later_build() -> None:
    """Say that the figures are older than they might be, if a build failed since they were published."""
    from sms_etl.check_words import check_words
    from sms_etl.finance.formatting import local_time
    from sms_etl.plain_text import printable
    from sms_etl.warehouse.later_build import later_failure

    settings = read_settings()
    later = later_failure(settings)
    if later is None:
        return
    later = later.in_words(check_words(settings))
    as_of, failed_at = (
        local_time(each, settings.timezone) for each in (later.published_as_of, later.failed_at)
    )
    click.echo(
        printable(f"A later build failed, on {failed_at}: {later.why.rstrip('.')}. Figures are of {as_of}."),
        err=True,
    )


def _show_lines(result: "LinesResult") -> None:
    """Print what the lines come to on stderr, and the file's name on stdout."""
    if not result.lines:
        click.echo(f"No message of {result.period.name} matches; the file has only its headings.", err=True)
    for currency, found in sorted(result.sums.items()):
        click.echo(f"{currency}: {found.messages:,} messages, {found.cost:,.6f}", err=True)
        if found.corrections:
            total = found.total(currency)
            click.echo(
                f"{currency}: {found.corrections:,} corrections, {found.correction_amount:+,.6f}; "
                f"in all {total.messages:,} messages, {total.cost:,.6f}",
                err=True,
            )
    click.echo(result.file)
