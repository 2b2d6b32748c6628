"""How results look on a terminal: tables and sentences on stdout."""

import csv
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from sms_etl.check_words import in_words
from sms_etl.cli.console import Console, stderr
from sms_etl.plain_text import NULL, for_spreadsheet, lines_of, printable

if TYPE_CHECKING:
    from sms_etl.build import CheckedBuild
    from sms_etl.cli.demo import DemoResult
    from sms_etl.cli.doctor import Finding
    from sms_etl.cli.status import Status
    from sms_etl.finance.closing.differences import Difference
    from sms_etl.models.checks import TestResult
    from sms_etl.pii.apply import AppliedPolicy
    from sms_etl.pii.rotate import Rotation
    from sms_etl.pipeline import ClosedAndPublished, PipelineResult
    from sms_etl.warehouse.publish import PublishResult
    from sms_etl.warehouse.quarantine import QuarantinedRow

_MOST_ROWS_SHOWN = 200
_MOST_ROWS_COUNTED = 100_000
_EXPLAINED = ("explain_key", "explain_value")


def show_closing(result: "ClosedAndPublished") -> None:
    """Say what became of a month that was to be closed: what speaks against it, or what was closed."""
    close, out = result.close, Console()
    month = f"{close.month:%Y-%m}"
    heading = {
        "closed": f"[bold]{month} is closed.[/]",
        "refused": f"[bold red]{month} was not closed.[/] What speaks against it:",
        "already_closed": f"[bold]{month} was closed before.[/] It stays as it was.",
    }[close.status.value]
    out.print(heading)
    for reason in close.reasons:
        out.print(f"- {escape(reason)}")
    if close.differences:
        out.print(_differences(close.differences))
    if result.differences_file:
        out.print(f"Message by message: {escape(str(result.differences_file))}", soft_wrap=True)
    for total in close.totals:
        out.print(f"{total.currency} {total.cost:,.6f} for {total.messages:,} messages.")
    if close.forced_reason:
        out.print(f"[yellow]Closed by force:[/] {escape(close.forced_reason)}")
    if close.digest:
        out.print(f"Digest {close.digest}")
    if not result.is_shown:
        out.print(
            "[yellow]It is not published, as a blocking check failed, so no report shows it yet.[/] "
            "Mend the cause and run `sms-etl build` and `sms-etl publish`."
        )


def _differences(differences: "Sequence[Difference]") -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("Invoice less what is here", "Cause"):
        table.add_column(heading)
    for heading in ("Messages", "Currency", "Amount"):
        table.add_column(heading, justify="right")
    for each in differences:
        for cause in each.causes:
            table.add_row(
                each.bucket,
                cause.cause,
                f"{cause.messages:,}",
                escape(each.currency),
                f"{cause.amount:+,.6f}",
            )
    return table


def show_pipeline(result: "PipelineResult") -> None:
    """Say how a sync and what follows it went."""
    sync = result.sync
    out = Console()
    out.print(
        f"{sync.rows_new:,} new and {sync.rows_changed:,} changed of {sync.rows_seen:,} rows read, "
        f"in {sync.requests:,} requests and {sync.seconds:.1f} s."
    )
    out.print(f"Read up to {_moment(sync.watermark_after)}.")
    if sync.rows_gone:
        out.print(f"{sync.rows_gone:,} messages were deleted at the provider; their rows stay.")
    if sync.rows_pruned:
        out.print(f"Of these, {sync.rows_pruned:,} are older than what the provider still keeps.")
    if sync.bulks_error:
        out.print(f"[yellow]Bulks could not be read; messages are complete:[/] {escape(sync.bulks_error)}")
    if sync.differences:
        out.print(f"{sync.differences:,} spans differed from the provider's totals and were read again.")
    if sync.bulks_differing:
        out.print(f"[yellow]{sync.bulks_differing:,} bulks do not add up to their messages.[/]")
    if sync.unknown_fields:
        out.print(f"[yellow]The provider sent new fields:[/] {escape(', '.join(sync.unknown_fields))}.")
    if sync.prices_rounded:
        out.print(f"{sync.prices_rounded:,} prices had binary noise and were rounded to six decimals.")
    _show_not_loaded(out, sync.rows_quarantined, sync.files_quarantined)
    _show_quarantine(out, sync.quarantine_open, sync.quarantine_files)
    if result.build:
        show_build(result.build, is_published=result.published is not None)
    if result.is_up_to_date:
        out.print("Nothing to build: models and published copy are up to date.")
    elif result.published:
        out.print(f"Published {escape(str(result.published.path))}.")
    if result.published and result.published.copies.postgres:
        _show_copies(out, result.published)
    if result.overview and result.overview.html:
        out.print(f"Overview {escape(str(result.overview.html))}.")


def _show_not_loaded(out: Console, rows: int, files: int) -> None:
    if rows:
        out.print(f"[yellow]{rows:,} rows could not be loaded.[/]")
    if files:
        were = "was" if files == 1 else "were"
        out.print(
            f"[yellow]{_counted(files, 'landed file')} could not be loaded and {were} put in quarantine.[/]"
        )


def _show_quarantine(out: Console, count: int, files: int) -> None:
    if count:
        out.print(
            f"[yellow]{_waiting(count, files)} in quarantine.[/] `sms-etl quarantine list` shows the "
            "reasons and what to do."
        )


def show_quarantine(rows: "Sequence[QuarantinedRow]") -> None:
    """Show rows in quarantine, those alike together, and what can be done about those that are open.

    A line a row: its id, when it was created (UTC), its uuid and its price; or its id and the file's name.
    """
    out = Console()
    for (stream, reason), alike in _by_reason(rows).items():
        out.print(f"[bold]{len(alike):,}[/] of {stream}: {escape(reason)}")
        for row in alike[:_MOST_ROWS_SHOWN]:
            out.print(_line_of(row), soft_wrap=True, highlight=False, markup=False)
        if len(alike) > _MOST_ROWS_SHOWN:
            out.print(f"  and {len(alike) - _MOST_ROWS_SHOWN:,} more; --json gives all.")
    waiting = sum(row.is_open for row in rows)
    if not waiting:
        out.print("The quarantine is empty.")
        return
    files = sum(row.is_open and row.landed is not None for row in rows)
    out.print(
        f"{_waiting(waiting, files)}. `sms-etl sync --replay-quarantine` re-fetches them and loads those "
        'that are valid now; `sms-etl quarantine accept ID --reason "…"` closes those that never will be.'
    )


def _waiting(count: int, files: int = 0) -> str:
    kinds = {"row": count - files, "landed file": files}
    told = " and ".join(_counted(number, kind) for kind, number in kinds.items() if number)
    return f"{told or '0 rows'} {'waits' if count == 1 else 'wait'}"


def _counted(number: int, kind: str) -> str:
    return f"{number:,} {kind}{'' if number == 1 else 's'}"


def _by_reason(rows: "Sequence[QuarantinedRow]") -> "dict[tuple[str, str], list[QuarantinedRow]]":
    grouped: dict[tuple[str, str], list[QuarantinedRow]] = {}
    for row in rows:
        grouped.setdefault((row.stream, row.reason), []).append(row)
    return grouped


def _line_of(row: "QuarantinedRow") -> str:
    created = "time not readable  " if row.created_at is None else f"{row.created_at:%Y-%m-%d %H:%M:%S}"
    uuid = "uuid not readable" if row.uuid is None else row.uuid
    price = "" if row.price is None else f"{row.price} {row.currency or ''}"
    told = f"{created}  {uuid:36}  {price}" if row.landed is None else printable(row.landed)
    line = f"  {str(row.quarantine_id)[:8]}  {told}".rstrip()
    if row.replayed_at is not None:
        return f"{line}\n            loaded {row.replayed_at:%Y-%m-%d}"
    if row.accepted_at is not None:
        return f"{line}\n            accepted {row.accepted_at:%Y-%m-%d}: {row.accepted_reason}"
    return line


def show_accepted(rows: "Sequence[QuarantinedRow]", still_open: int) -> None:
    """Tell which rows were closed, and what is left."""
    out = Console()
    out.print(
        f"{len(rows):,} accepted; {_waiting(still_open)}. Reports show them as accepted after the next "
        "sync or `sms-etl publish`."
    )


_FAILED_ROWS = 'sms-etl query --warehouse "select * from ops.failed_test_rows"'


def show_build(result: "CheckedBuild", *, is_published: bool = False) -> None:
    """Say what was built, which tests failed, and unless that was done what is to be done next."""
    out = Console()
    out.print(
        f"{len(result.models.models)} models built in {result.models.seconds:.1f} s, "
        f"{len(result.tests)} tests run, {len(result.failures)} failed."
    )
    for test in result.failures:
        out.print(f"[red]failed[/]  {_check(test)}. Nothing was published.", soft_wrap=True)
    for test in result.warnings:
        out.print(f"[yellow]warning[/] {_check(test)}.", soft_wrap=True)
    if any(test.rows for test in (*result.failures, *result.warnings)):
        out.print(f"The first rows of each: `{_FAILED_ROWS}`.", soft_wrap=True)
    if result.selection is not None:
        out.print(
            "A part was built; it is not published. `sms-etl build` or the next sync builds all models."
        )
    elif not (result.failures or is_published):
        out.print("Reports and analysts read the published copy: `sms-etl publish` renews it.")
    if result.corrections:
        out.print(f"Changes in closed months that were booked to later ones: {result.corrections:,}.")


def _check(test: "TestResult") -> str:
    return escape(in_words(test.model, test.test, test.failures, test.check.description))


def show_publication(result: "PublishResult", words: Callable[[str], str] = str) -> None:
    """Say where the published copy is, and in `words` what had failed if it was forced."""
    out = Console()
    out.print(f"Published {escape(str(result.path))} ({result.size / 1e6:.1f} MB).", soft_wrap=True)
    _show_copies(out, result)
    for failed in result.failed_tests:
        out.print(f"[red]forced[/] despite a failed check: {escape(words(failed))}", soft_wrap=True)


def _show_copies(out: Console, result: "PublishResult") -> None:
    parquet, postgres = result.copies.parquet, result.copies.postgres
    if parquet:
        out.print(
            f"Parquet {escape(str(parquet.path))}: {parquet.written:,} of {_counted(parquet.files, 'file')} "
            "had changed.",
            soft_wrap=True,
        )
    if postgres:
        out.print(
            f"PostgreSQL {escape(postgres.target)}: {postgres.rows:,} rows in {postgres.written:,} of "
            f"{_counted(postgres.parts, 'part')} had changed.",
            soft_wrap=True,
        )


def show_applied(result: "AppliedPolicy") -> None:
    """Say what was blanked, and what is beyond reach."""
    out = Console()
    if not result.is_changed:
        out.print(
            f"Everything stored already follows SMS_ETL_PII={result.policy.value}. Nothing was changed."
        )
        return
    out.print(
        f"Blanked {result.messages:,} messages and {result.quarantined:,} rows in quarantine; rewrote "
        f"{result.files:,} landed files and the warehouse."
    )
    for path in (result.published, result.backup):
        if path:
            out.print(f"Replaced {escape(str(path))}.", soft_wrap=True)
    for name in result.files_unreadable:
        out.print(f"[yellow]warning[/] landing/{escape(name)}: it cannot be read and may hold personal data.")
    out.print(
        f"Receipt {result.receipt_id}. Copies and backups made elsewhere still hold the numbers and texts."
    )


def show_rotation(result: "Rotation") -> None:
    """Say what was hashed again, what to back up, and what the old key still opens."""
    out = Console()
    out.print(
        f"The hashes of {result.messages:,} messages, {result.files:,} landed files and the warehouse are "
        f"made by a new key now, fingerprint {result.key_fingerprint}."
    )
    for path in (result.published, result.backup):
        if path:
            out.print(f"Replaced {escape(str(path))}.", soft_wrap=True)
    for name in result.files_unreadable:
        out.print(f"[yellow]warning[/] landing/{escape(name)}: it cannot be read and keeps its old hashes.")
    out.print(
        "Back up the key together with pii.retired: both are needed from now on. Copies and backups made "
        f"before are still opened by the old key. Receipt {result.receipt_id}."
    )


def show_status(status: "Status", words: Callable[[str], str] = str) -> None:
    """Show the state of a data directory; `words` puts the name of a failed check in words."""
    run = status.last_run or {}
    lines = {
        "warehouse": str(status.warehouse),
        "account": f"{status.account_id or 'none yet'} ({status.currency or '-'})",
        "messages": f"{status.messages:,}",
        "not final yet": _not_final(status),
        "settled": _settled(status),
        "bulks": f"{status.bulks:,}",
        "read up to": _moment(status.watermark),
        "models built": _moment(status.built_at),
        "published": _moment(status.published_at),
        "became visible late": _lateness(status),
        "prices rounded": f"{status.prices_rounded:,}",
        "in quarantine": f"{status.quarantine_open:,}",
        "personal data": status.personal_data,
        "last sync": f"{_moment(run.get('started_at'))}, {run.get('stopped_reason') or 'did not end'}",
    }
    table = Table(box=None, show_header=False)
    for name, text in lines.items():
        table.add_row(f"[bold]{name}[/]", escape(printable(text)))
    out = Console()
    out.print(table)
    _show_quarantine(out, status.quarantine_open, status.quarantine_files)
    if run.get("error"):
        out.print(f"[red]{escape(run['error'])}[/]")
    if status.forced:
        out.print(f"[red]forced[/]  the published copy: {escape(_forced(status.forced, words))}")
    for text in status.failed_tests:
        out.print(f"[red]failed[/]  {escape(words(text))}")
    if status.build_error:
        out.print(f"[red]error[/]   {escape(status.build_error)}")
    for text in status.warnings:
        out.print(f"[yellow]warning[/] {escape(words(text))}", soft_wrap=True)  # a path is never broken


def _forced(publication: dict[str, Any], words: Callable[[str], str]) -> str:
    failed = "; ".join(map(words, publication["failed_tests"]))
    return f"{publication['forced_reason']} ({_moment(publication['published_at'])}; failed: {failed})"


def _not_final(status: "Status") -> str:
    if status.open_messages is None:
        return "-"
    aged_out = f" ({status.aged_out:,} more aged out without a final status)" if status.aged_out else ""
    return f"{status.open_messages:,} still re-fetched{aged_out}"


def _settled(status: "Status") -> str:
    """Say how many messages were settled by events, and how many by polls."""
    by_event, by_poll = status.settled_by_event, status.settled_by_poll
    if by_event is None or by_poll is None or not by_event + by_poll:
        return "-"
    share = by_event / (by_event + by_poll)
    waiting = f"; {status.events_waiting:,} events wait for their message" if status.events_waiting else ""
    return f"{by_event:,} by events ({share:.1%}), {by_poll:,} by polls{waiting}"


def _lateness(status: "Status") -> str:
    late = status.lateness
    if late is None:
        return "none"
    return (
        f"{late['messages']:,}, {late['median_seconds']:.0f} s behind the watermark in the median, "
        f"{late['p95_seconds']:.0f} s at the 95th percentile, {late['longest_seconds']:.0f} s at most; "
        f"{late['beyond_overlap']:,} of them beyond the overlap"
    )


def show_findings(findings: "Iterable[Finding]") -> None:
    """Show what the doctor found."""
    out = Console()
    for found in findings:
        mark = "[green]ok   [/]" if found.is_ok else "[red]wrong[/]"
        out.print(f"{mark} [bold]{found.subject}[/]: {escape(found.says)}")
        if found.do:
            out.print(f"      {escape(found.do)}")


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, null: str = NULL) -> None:
    """Show the rows of a query; decimals as they are, and `null` where there is no value."""
    taken = iter(rows)
    shown = list(islice(taken, _MOST_ROWS_SHOWN))
    for line in (
        _plan(shown) if tuple(columns) == _EXPLAINED else lines_of(columns, shown, _width(), null=null)
    ):
        click.echo(line)
    more = sum(1 for _ in islice(taken, _MOST_ROWS_COUNTED))
    if more:
        print_note(f"{more:,}{' or' if more == _MOST_ROWS_COUNTED else ''} more rows; --csv gives all.")
    elif not shown:
        print_note("No rows.")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, is_raw: bool = False) -> None:
    """Print rows as CSV that is safe to open in a spreadsheet, or with every value as it is.

    Args:
        columns: Their names.
        rows: Values as a database gives them.
        is_raw: Leave text that looks like a formula as it is.
    """
    writer = csv.writer(sys.stdout)
    is_shown = _on_terminal()
    for row in chain([columns], rows):
        cells = row if is_raw else [for_spreadsheet(value) for value in row]
        # A file gets values as they are; a terminal would obey some of them.
        writer.writerow([printable(cell) if is_shown and isinstance(cell, str) else cell for cell in cells])


def _plan(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Return the lines of what EXPLAIN gave, which are drawn already."""
    return (printable(line) for row in rows for line in str(row[1]).splitlines())


def _width() -> int:
    return shutil.get_terminal_size().columns  # of the terminal, or COLUMNS, or 80


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def print_note(text: str) -> None:
    """Say something beside the result, on stderr."""
    stderr().print(text)


def show_demo(result: "DemoResult") -> None:
    """Sum up a demo for somebody who sees it for the first time."""
    out = Console()
    first, second = result.first.sync, result.second.sync
    out.rule("What was loaded")
    out.print(
        f"{first.rows_new:,} rows of 90 days by the first sync "
        f"({first.requests:,} requests, {first.seconds:.1f} s)."
    )
    out.print(
        f"{result.days} days later: {second.rows_new:,} new, {second.rows_changed:,} had changed since "
        f"({second.requests:,} requests, {second.seconds:.1f} s)."
    )
    out.print(
        f"{result.messages:,} messages are in the warehouse, as the sandbox counts them itself: "
        f"{'yes' if result.matches_provider else '[red]no[/]'}."
    )
    out.print(
        f"Delivered: {result.delivery_rate:.1%} of those with a final status. "
        f"{result.without_final_status:,} have none: {result.aged_out:,} never got one in time and are no "
        f"longer re-fetched (aged out), {result.without_final_status - result.aged_out:,} still are."
    )
    out.rule(f"Cost by country, {result.currency} net of VAT")
    _print_table(("country", "messages", "parts", "cost"), result.cost_by_country)
    out.rule("Where it lies")
    for name, path in (
        ("report", result.report.html),
        ("workbook", result.report.xlsx),
        ("warehouse", result.warehouse),
        ("for queries", result.published),
    ):
        _print_line(f"{name:<12}{path}")
    out.rule("How to look further")
    for line in result.next_steps:
        _print_line(line)


def _print_line(text: str) -> None:
    """Print a line that may be pasted: as it is, never broken."""
    Console().print(text, soft_wrap=True, highlight=False, markup=False)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for number, name in enumerate(columns):
        is_number = any(isinstance(row[number], (int, Decimal, float)) for row in rows)
        table.add_column(escape(printable(name)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(_cell(value))) for value in row))  # as wide as it is shown
    Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value)


def _moment(moment: datetime | None) -> str:
    return "nothing yet" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
