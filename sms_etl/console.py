"""How results look on a terminal: tables and sentences on stdout, progress bars on stderr."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from sms_etl.building import CheckedBuild
    from sms_etl.demo import DemoResult
    from sms_etl.doctor import Finding
    from sms_etl.pipeline import PipelineResult
    from sms_etl.status import Status
    from sms_etl.sync.engine import Progress as ShowProgress
    from sms_etl.warehouse.read import QueryResult

_MOST_ROWS_SHOWN = 200


@contextmanager
def progress_bars() -> "Iterator[ShowProgress]":
    """Show a bar for every step that tells of itself."""
    bars = Progress(
        TextColumn("{task.description:<32}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, TaskID] = {}

    def show(step: str, done: int, total: int | None) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=total)
        bars.update(tasks[step], advance=done, total=total)

    with bars:
        yield show


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
        out.print(f"{sync.rows_gone:,} messages are deleted at the provider; their rows stay.")
    if sync.rows_pruned:
        out.print(f"Of these, {sync.rows_pruned:,} lie where the provider has nothing any more.")
    if sync.prices_rounded:
        out.print(f"{sync.prices_rounded:,} prices were a hair off six decimals and were rounded.")
    if sync.bulks_error:
        out.print(f"[yellow]Bulks could not be read, messages could:[/] {escape(sync.bulks_error)}")
    if sync.differences:
        out.print(f"{sync.differences:,} spans differed from the provider's totals and were read again.")
    if sync.bulks_differing:
        out.print(f"[yellow]{sync.bulks_differing:,} bulks do not add up to their messages.[/]")
    if sync.unknown_fields:
        out.print(f"[yellow]New fields of the provider:[/] {escape(', '.join(sync.unknown_fields))}.")
    if sync.rows_quarantined:
        out.print(
            f"[yellow]{sync.rows_quarantined:,} rows could not be loaded.[/] They are in ops.quarantine, "
            "each with its reason; `sms-etl status` counts them."
        )
    if result.build:
        show_build(result.build)
    if result.is_up_to_date:
        out.print("Nothing to build: models and published copy are up to date.")
    elif result.published:
        out.print(f"Published {result.published.path}.")


def show_build(result: "CheckedBuild") -> None:
    """Say what was built and which tests failed."""
    out = Console()
    out.print(
        f"{len(result.models.models)} models built in {result.models.seconds:.1f} s, "
        f"{len(result.tests)} tests run, {len(result.failures)} failed."
    )
    for test in result.failures:
        out.print(f"[red]failed[/]  {test.model}: {test.test}, {test.failures:,} rows. Nothing is published.")
    for test in result.warnings:
        out.print(f"[yellow]look at[/] {test.model}: {test.test}, {test.failures:,} rows.")


def show_status(status: "Status") -> None:
    """Show the state of a data directory."""
    run = status.last_run or {}
    lines = {
        "warehouse": str(status.warehouse),
        "account": f"{status.account_id or 'none yet'} ({status.currency or '-'})",
        "messages": f"{status.messages:,}",
        "not final": "-" if status.open_messages is None else f"{status.open_messages:,}",
        "bulks": f"{status.bulks:,}",
        "read up to": _moment(status.watermark),
        "models built": _moment(status.built_at),
        "became visible late": _lateness(status),
        "quarantined": f"{status.quarantined:,}",
        "last sync": f"{_moment(run.get('started_at'))}, {run.get('stopped_reason') or 'did not end'}",
    }
    table = Table(box=None, show_header=False)
    for name, text in lines.items():
        table.add_row(f"[bold]{name}[/]", escape(text))
    out = Console()
    out.print(table)
    if run.get("error"):
        out.print(f"[red]{escape(run['error'])}[/]")
    for text in status.failed_tests:
        out.print(f"[red]failed[/]  {text}")
    for text in status.warnings:
        out.print(f"[yellow]look at[/] {text}")


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


def show_table(result: "QueryResult", *, as_csv: bool) -> None:
    """Show the rows of a query; decimals as they are."""
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(result.columns)
        writer.writerows(result.rows)
        return
    _print_table(result.columns, result.rows[:_MOST_ROWS_SHOWN])
    if len(result.rows) > _MOST_ROWS_SHOWN:
        print_note(f"{len(result.rows) - _MOST_ROWS_SHOWN:,} more rows; --csv gives all.")


def print_note(text: str) -> None:
    """Say something beside the result, on stderr."""
    Console(stderr=True).print(text)


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
        f"Delivered: {result.delivery_rate:.1%} of the final ones; {result.share_settled:.1%} are final."
    )
    out.rule(f"Cost by country, {result.currency} net of VAT")
    _print_table(("country", "messages", "parts", "cost"), result.cost_by_country)
    out.rule("Where it lies, and how to look further")
    for line in result.next_steps:
        out.print(line, soft_wrap=True, highlight=False, markup=False)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for number, name in enumerate(columns):
        is_number = any(isinstance(row[number], (int, Decimal, float)) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value)


def _moment(moment: datetime | None) -> str:
    return "nothing yet" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
