"""How results look on a terminal: tables and sentences on stdout, progress bars on stderr."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn
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
_STARTING = "starting"


@cache
def stderr() -> Console:
    """Return the console of progress and logs: bars and lines that share it do not break each other."""
    return Console(stderr=True)


@contextmanager
def progress_bars() -> "Iterator[ShowProgress]":
    """Show a bar for every step that tells of itself, and at once that the command is starting."""
    bars = Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=stderr(),
    )
    steps = _Steps(bars)
    try:
        if bars.console.is_terminal:
            steps.show(_STARTING, 0, None)
        yield steps.show
    finally:
        steps.end()


class _Steps:
    """Gives each step a bar and a clock of its own; one step is on at a time.

    One that is first heard of when a part of it is done began when the step before it was last heard of.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Task] = {}
        self._current: Task | None = None
        self._heard_at = bars.get_time()

    def show(self, step: str, done: int, total: int | None) -> None:
        self._bars.start()
        now = self._bars.get_time()
        if step not in self._tasks:
            began = self._heard_at if done else now
            self._end_current(began)
            self._hide_starting()
            self._current = self._tasks[step] = self._add(step, began)
        self._heard_at = now
        self._bars.update(self._tasks[step].id, advance=done, total=total)

    def end(self) -> None:
        """Leave the bars as they are; nothing, if no step was heard of."""
        if self._current is not None:
            self._end_current(self._bars.get_time())
            self._bars.stop()

    def _end_current(self, moment: float) -> None:
        if self._current is None:
            return
        self._current.stop_time = moment
        self._current = None

    def _hide_starting(self) -> None:
        if _STARTING in self._tasks:
            self._bars.update(self._tasks[_STARTING].id, visible=False)

    def _add(self, step: str, began: float) -> Task:
        number = self._bars.add_task(step, total=None)
        task = next(task for task in self._bars.tasks if task.id == number)
        task.start_time = began
        return task


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
    if result.published:
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
        "not final yet": _not_final(status),
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


def _not_final(status: "Status") -> str:
    if status.open_messages is None:
        return "-"
    aged_out = f" ({status.aged_out:,} more aged out without a final status)" if status.aged_out else ""
    return f"{status.open_messages:,} still re-fetched{aged_out}"


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
