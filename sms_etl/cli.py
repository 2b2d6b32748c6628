"""The `sms-etl` command. Thin: each command reads settings, calls one function and says how it went.

What a command needs is imported when it runs, so that `--help` answers at once. Results go to stdout,
progress and logs to stderr. Exit codes: 0 done; 1 failed; 2 wrong usage or settings; 3 finished, but
something needs a person.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sms_etl import __version__
from sms_etl.errors import SmsEtlError
from sms_etl.left_out import leave_out

if TYPE_CHECKING:
    from sms_etl.settings import Settings
    from sms_etl.sync.engine import Progress

NEEDS_A_PERSON = 3
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


class _Commands(click.Group):
    """Turns our own errors into one clear message and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SmsEtlError as exc:
            click.secho(f"Error: {exc.message}", fg="red", err=True)
            if exc.hint:
                click.echo(exc.hint, err=True)
            ctx.exit(exc.exit_code)
        except KeyboardInterrupt:
            click.echo("Stopped. What was read is kept; run it again to go on.", err=True)
            ctx.exit(1)


def main() -> None:
    """Run the command line."""
    leave_out("numpy", "pandas")  # no command needs them, and Arrow would import both
    cli.main(prog_name="sms-etl")


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Log more to stderr.")
def cli(verbose: bool) -> None:
    """Get a company's SMS traffic out of its provider and into a warehouse.

    \b
    Try it without an account:   sms-etl demo
    With one:                    SMS_ETL_LOX24_TOKEN=<client_id>:<key> sms-etl sync
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(message)s",
    )
    # httpx logs whole addresses; what is asked for must not reach a log.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@cli.command(epilog=_example("sms-etl sync", "sms-etl sync --since 2026-01-01 --until 2026-01-31 --json"))
@click.option("--since", type=_DAY, help="Read messages from here (UTC), whatever the watermark says.")
@click.option(
    "--until", type=_DAY, help="Read messages up to here (UTC), inclusive; a date is its last second."
)
@click.option(
    "--reconcile", is_flag=True, help="Compare with the provider's totals, and repair what differs."
)
@click.option("--days", type=click.IntRange(1, 3660), help="How many days to reconcile (30).")
@click.option("--replay-quarantine", is_flag=True, help="Only ask again for rows that could not be loaded.")
@click.option("--no-build", is_flag=True, help="Stop after the load.")
@_as_json
def sync(
    since: datetime | None,
    until: datetime | None,
    reconcile: bool,
    days: int | None,
    replay_quarantine: bool,
    no_build: bool,
    as_json: bool,
) -> None:
    """Load what is new or has changed, then build, check and publish it."""
    from sms_etl.pipeline import sync_build_publish
    from sms_etl.sync.engine import RECONCILED_DAYS, Task

    if days is not None and not reconcile:
        raise click.UsageError("--days goes with --reconcile.")
    if replay_quarantine and (reconcile or since or until):
        raise click.UsageError("--replay-quarantine goes alone.")
    if reconcile and (since or until):
        raise click.UsageError("--reconcile goes without --since and --until.")
    task = Task(
        since=_utc(since),
        until=_end_of_day(until),
        reconcile_days=(days or RECONCILED_DAYS) if reconcile else None,
        is_replaying_quarantine=replay_quarantine,
    )
    settings = _settings()
    with _progress() as progress:
        result = sync_build_publish(settings, task, is_building=not no_build, progress=progress)
    if as_json:
        _print_json(result.as_json())
    else:
        from sms_etl.console import show_pipeline

        show_pipeline(result)
    if result.needs_a_person:
        sys.exit(NEEDS_A_PERSON)


@cli.command(epilog=_example("sms-etl build"))
@_as_json
def build(as_json: bool) -> None:
    """Build the SQL models from what is loaded, and test them."""
    from sms_etl.building import build_and_check
    from sms_etl.console import show_build

    settings = _settings()
    with _progress() as progress:
        result = build_and_check(settings, on_model=lambda _model: progress("building models", 1, None))
    if as_json:
        _print_json(result.as_json())
    else:
        show_build(result)
    if result.failures:
        sys.exit(NEEDS_A_PERSON)


@cli.command(epilog=_example("sms-etl publish"))
@_as_json
def publish(as_json: bool) -> None:
    """Replace the analysts' read-only copy by the warehouse as it is."""
    from sms_etl.warehouse.publish import publish as publish_copy

    result = publish_copy(_settings())
    if as_json:
        _print_json({"path": str(result.path), "bytes": result.size})
    else:
        click.echo(f"Published {result.path} ({result.size / 1e6:.1f} MB).")


@cli.command(epilog=_example("sms-etl report --month 2026-01"))
@click.option("--month", required=True, metavar="YYYY-MM", help="The business month.")
@_as_json
def report(month: str, as_json: bool) -> None:
    """Write a month's finance report: one HTML page and one XLSX workbook."""
    from sms_etl.finance.report import write_report
    from sms_etl.warehouse.read import published

    settings = _settings()
    with published(settings) as connection:
        result = write_report(connection, month, settings.reports_dir, generated_at=settings.clock())
    if as_json:
        _print_json({"month": month, "html": str(result.html), "xlsx": str(result.xlsx)})
    else:
        click.echo(f"{result.html}\n{result.xlsx}")


@cli.command(epilog=_example("sms-etl status", "sms-etl status --json"))
@_as_json
def status(as_json: bool) -> None:
    """Show what is loaded, how fresh it is, and what needs a person."""
    from sms_etl.console import show_status
    from sms_etl.status import read_status

    result = read_status(_settings())
    if as_json:
        _print_json(result.as_json())
    else:
        show_status(result)


@cli.command(
    epilog=_example('sms-etl query "select * from marts.cost_monthly"', "sms-etl query --csv < my.sql")
)
@click.argument("sql", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets and pipes.")
@_as_json
def query(sql: str | None, as_csv: bool, as_json: bool) -> None:
    """Run SQL on the published copy, read-only; without SQL it is read from stdin."""
    from sms_etl.console import show_table
    from sms_etl.warehouse.read import query as run_query

    text = sql or sys.stdin.read()
    if not text.strip():
        raise click.UsageError("Give a query.")
    result = run_query(text, _settings())
    if as_json:
        _print_json({"columns": result.columns, "rows": result.rows})
    else:
        show_table(result, as_csv=as_csv)


@cli.command(epilog=_example("sms-etl doctor"))
@_as_json
def doctor(as_json: bool) -> None:
    """Say what is missing or wrong, and what to do about it."""
    from sms_etl.console import show_findings
    from sms_etl.doctor import examine

    findings = examine(_settings())
    if as_json:
        _print_json(
            {"ok": all(found.is_ok for found in findings), "findings": [f.as_json() for f in findings]}
        )
    else:
        show_findings(findings)
    if not all(found.is_ok for found in findings):
        sys.exit(1)


@cli.command(epilog=_example("sms-etl demo", "sms-etl demo --messages 5000"))
@click.option("--messages", default=52_000, show_default=True, type=click.IntRange(100, 2_000_000))
@_as_json
def demo(messages: int, as_json: bool) -> None:
    """Show the whole way on a sandbox account: sync, some days, sync again, analytics, report."""
    from sms_etl.console import show_demo
    from sms_etl.demo import run_demo

    settings = _settings()
    with _progress() as progress:
        result = run_demo(settings, messages=messages, progress=progress)
    if as_json:
        _print_json(result.as_json())
    else:
        show_demo(result)


@cli.command(epilog=_example("sms-etl sandbox --port 8024", "sms-etl sandbox --switch totals=missing"))
@click.option("--port", default=8024, show_default=True, type=click.IntRange(0, 65535))
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep its state in this file.")
@click.option("--messages", default=52_000, show_default=True, type=click.IntRange(0, 2_000_000))
@click.option("--page-size", type=click.IntRange(1, 1000), help="Rows a page.")
@click.option("--live", is_flag=True, help="Its clock runs with this machine's instead of standing still.")
@click.option(
    "--switch", "switched", multiple=True, metavar="NAME=VALUE", help="How it behaves: see docs/sandbox.md."
)
def sandbox(
    port: int,
    state: Path | None,
    messages: int,
    page_size: int | None,
    live: bool,
    switched: tuple[str, ...],
) -> None:
    """Serve a local LOX24 and 2SMS to try everything on, without an account."""
    from sms_etl.sandbox.account import AccountParameters
    from sms_etl.sandbox.server import SandboxHandle, run
    from sms_etl.sandbox.switches import switches_from_words

    def say(url: str) -> None:
        click.echo(
            f"export SMS_ETL_LOX24_BASE_URL={url}\nexport SMS_ETL_LOX24_TOKEN={SandboxHandle.token}\n"
            "End it with Ctrl-C.",
            err=True,
        )

    try:
        switches = switches_from_words(switched)
    except ValueError as exc:
        raise click.UsageError(f"--switch: {exc}") from exc
    if page_size:
        switches = replace(switches, page_size=page_size)
    now = _settings().clock().replace(microsecond=0)
    account = AccountParameters(messages=messages, end=now)
    run(port=port, state=state, switches=switches, account=account, live=live, on_ready=say)


@cli.command(epilog=_example("sms-etl ui"))
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def ui(port: int) -> None:
    """Open Dagster on 127.0.0.1, with the real account if there is a token, else with the sandbox."""
    from sms_etl.ui import serve

    serve(_settings(), port=port, say=lambda line: click.echo(line, err=True))


def _settings() -> "Settings":
    from sms_etl.settings import load_settings

    return load_settings()


def _print_json(values: dict[str, Any]) -> None:
    click.echo(json.dumps(values, default=str))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _end_of_day(moment: datetime | None) -> datetime | None:
    """A date alone means the whole day."""
    if moment is not None and moment.time() == time.min:
        moment += timedelta(days=1, seconds=-1)
    return _utc(moment)


@contextmanager
def _progress() -> "Iterator[Progress]":
    from sms_etl.console import progress_bars

    with progress_bars() as show:
        yield show
