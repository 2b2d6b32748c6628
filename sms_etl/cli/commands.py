"""The `sms-etl` command. Thin: each command reads settings, calls one function and says how it went.

What a command needs is imported when it runs, so that `--help` answers at once. Results go to stdout,
progress and logs to stderr. Exit codes: 0 done; 1 failed, or stopped by Ctrl-C, SIGTERM or a closed
terminal (0 for `ui` and `sandbox`, which end in no other way); 2 wrong usage or settings; 3 finished, but
something needs attention.
"""

import os
import resource
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_etl import __version__
from sms_etl.cli.alerts_command import alerts
from sms_etl.cli.bulk_commands import bulks
from sms_etl.cli.close_command import close
from sms_etl.cli.dagster_told import tell_dagster
from sms_etl.cli.erase_command import erase
from sms_etl.cli.outcome import Commands
from sms_etl.cli.pii_commands import pii
from sms_etl.cli.quarantine_commands import quarantine
from sms_etl.cli.report_command import report
from sms_etl.cli.retention_commands import retention
from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Command,
    as_json_option,
    example,
    print_json,
    progress_shown,
    read_settings,
    verbose,
)
from sms_etl.cli.shell_command import shell
from sms_etl.cli.webhook_command import webhook
from sms_etl.files import PRIVATE_UMASK
from sms_etl.skipped_imports import leave_out

if TYPE_CHECKING:
    from sms_etl.settings import Settings

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


Commands.command_class = Command


def main() -> None:
    """Run the command line."""
    from sms_etl.stopping import stop_like_ctrl_c

    os.umask(PRIVATE_UMASK)  # whatever a library writes is for its owner alone
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash dump would hold the token, the key and rows
    leave_out("numpy", "pandas")  # no command needs them, and Arrow would import both
    stop_like_ctrl_c()
    cli.main(prog_name="sms-etl")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@verbose
def cli() -> None:
    """Get a company's SMS traffic out of its provider and into a warehouse.

    \b
    Try it without an account:   sms-etl demo
    With one:                    SMS_ETL_LOX24_TOKEN=<client_id>:<key> sms-etl sync
    """


@cli.command(epilog=example("sms-etl sync", "sms-etl sync --since 2026-01-01 --until 2026-01-31 --json"))
@click.option("--since", type=_DAY, help="Backfill: read messages from here on (UTC).")
@click.option(
    "--until", type=_DAY, help="Backfill: read messages up to here (UTC); a date includes its whole day."
)
@click.option(
    "--reconcile", is_flag=True, help="Compare with the provider's totals, and read again what differs."
)
@click.option("--days", type=click.IntRange(1, 3660), help="How many days to reconcile (default: 30).")
@click.option("--replay-quarantine", is_flag=True, help="Only re-fetch the rows in quarantine.")
@click.option("--no-build", is_flag=True, help="Stop after loading.")
@as_json_option
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
    if days is not None and not reconcile:
        raise click.UsageError("--days needs --reconcile.")
    if replay_quarantine and (reconcile or since or until):
        raise click.UsageError("--replay-quarantine cannot be combined with --reconcile, --since or --until.")
    if reconcile and (since or until):
        raise click.UsageError("--reconcile cannot be combined with --since or --until.")
    with progress_shown() as progress:
        from sms_etl.defs.home import home_in_use
        from sms_etl.pipeline import sync_build_publish
        from sms_etl.sync.task import RECONCILED_DAYS, Task

        task = Task(
            since=_utc(since),
            until=_end_of_day(until),
            reconcile_days=(days or RECONCILED_DAYS) if reconcile else None,
            is_replaying_quarantine=replay_quarantine,
        )
        settings = read_settings()
        _say_where_the_token_goes()
        result = sync_build_publish(settings, task, is_building=not no_build, progress=progress)
    tell_dagster(home_in_use(settings), result, "sms-etl sync")
    if as_json:
        print_json(result.as_json())
    else:
        from sms_etl.cli.render import show_pipeline

        show_pipeline(result)
    result.or_raise()
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@cli.command(epilog=example("sms-etl build", "sms-etl build --select +marts.cost_monthly"))
@click.option(
    "--select",
    multiple=True,
    metavar="MODELS",
    help="Build these models only: name, +name (with what it is made of), name+ (with what is made of it); "
    "several with commas, or repeated.",
)
@click.option("--full", is_flag=True, help="Rebuild all days, whatever has changed.")
@as_json_option
def build(select: tuple[str, ...], full: bool, as_json: bool) -> None:
    """Build the SQL models from what is loaded, and test them.

    Models by day are rebuilt for the days of which something has changed; see docs/operations.md.

    What is built with --select is not published: models would be of different moments. The next sync, or a
    build without --select, builds all of them.
    """
    from sms_etl.cli.render import show_build

    settings = read_settings()
    with progress_shown() as progress:
        from sms_etl.build import build_and_check
        from sms_etl.build_state import BUILDING
        from sms_etl.overview.refresh import refresh_if_published, telling_of_error

        with telling_of_error(settings):
            result = build_and_check(
                settings,
                select=select,
                is_full=full,
                on_model=lambda count: progress(BUILDING, 1, count),
            )
        if result.failures:
            refresh_if_published(settings)
    if as_json:
        print_json(result.as_json())
    else:
        show_build(result)
    if result.failures:
        sys.exit(NEEDS_ATTENTION)


@cli.command(epilog=example("sms-etl publish", 'sms-etl publish --force --reason "known, see ticket 17"'))
@click.option("--force", is_flag=True, help="Publish even if a blocking check failed; needs --reason.")
@click.option("--reason", help="Why. It is recorded, and `status` shows it as long as the copy is in use.")
@as_json_option
def publish(force: bool, reason: str | None, as_json: bool) -> None:
    """Replace the analysts' read-only copy with the current state of the warehouse.

    It is refused with exit code 3 if a blocking check failed in the last build. The Parquet files beside it
    and the copy in PostgreSQL (SMS_ETL_PUBLISH_TO) follow; exit code 3 says that one could not be made.
    """
    from sms_etl.check_words import check_words
    from sms_etl.cli.render import show_publication
    from sms_etl.overview.refresh import refresh_overview
    from sms_etl.warehouse.publish import publish as publish_copy

    reason = (reason or "").strip()
    if force != bool(reason):
        raise click.UsageError('--force and --reason go together: --force --reason "why".')
    settings = read_settings()
    words = check_words(settings)
    result = publish_copy(settings, forced_reason=reason or None, check_words=words)
    overview = refresh_overview(settings, words)
    if as_json:
        print_json({**result.as_json(), **overview.as_json()})
    else:
        show_publication(result, words)
    if result.copies.errors:
        sys.exit(NEEDS_ATTENTION)


@cli.command(epilog=example("sms-etl backup", "sms-etl backup /mnt/backup/sms.duckdb"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@as_json_option
def backup(file: Path | None, as_json: bool) -> None:
    """Copy the whole warehouse to FILE (default: <data dir>/backup/warehouse.duckdb), and verify the copy.

    It holds the provider's rows and the quarantine. The key, pii.key, is not in it: back that up separately,
    with pii.retired once it was rotated.
    """
    from sms_etl.warehouse.backup import back_up

    result = back_up(read_settings(), file)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(f"Backed up to {result.path} ({result.size / 1e6:.1f} MB).")


@cli.command(epilog=example("sms-etl status", "sms-etl status --json"))
@as_json_option
def status(as_json: bool) -> None:
    """Show what is loaded, how fresh it is, and what needs attention."""
    from sms_etl.check_words import check_words
    from sms_etl.cli.render import show_status
    from sms_etl.cli.status import read_status

    settings = read_settings()
    result = read_status(settings)
    if as_json:
        print_json(result.as_json())
    else:
        show_status(result, check_words(settings))
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@cli.command(
    epilog=example(
        'sms-etl query "show tables"',
        'sms-etl query "select * from marts.cost_monthly"',
        "sms-etl query --csv < my.sql",
    )
)
@click.argument("sql", required=False)
@click.option(
    "--warehouse",
    "is_of_warehouse",
    is_flag=True,
    help="Read the warehouse itself, with raw tables and quarantine. A sync has to wait meanwhile.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets and pipes.")
@click.option("--raw", is_flag=True, help="With --csv: do not put a ' before text that looks like a formula.")
@as_json_option
def query(sql: str | None, is_of_warehouse: bool, as_csv: bool, raw: bool, as_json: bool) -> None:
    """Run one SQL query on the published copy, read-only. Without SQL it reads stdin.

    A table too wide for the terminal is shown with one line for each value. In a CSV, text that a
    spreadsheet would take for a formula gets a ' before it.
    """
    from sms_etl.cli.render import print_csv, show_rows
    from sms_etl.warehouse.read import open_query

    if as_csv and as_json:
        raise click.UsageError("--csv and --json cannot be combined.")
    if raw and not as_csv:
        raise click.UsageError("--raw needs --csv.")
    if sql is None and sys.stdin.isatty():
        raise click.UsageError('Give a query, such as "show tables" or "select * from marts.cost_monthly".')
    text = sys.stdin.read() if sql is None else sql
    if not text.strip():
        raise click.UsageError("Give a query.")
    with open_query(text, read_settings(), is_of_warehouse=is_of_warehouse) as (columns, rows):
        if as_json:
            print_json({"columns": columns, "rows": list(rows)})
        elif as_csv:
            print_csv(columns, rows, is_raw=raw)
        else:
            show_rows(columns, rows)


@cli.command(epilog=example("sms-etl docs", "sms-etl docs models.html"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@as_json_option
def docs(file: Path | None, as_json: bool) -> None:
    """Write what the tables and columns mean to FILE (default: <data dir>/docs/models.html), one page.

    It shows each model with its columns, tests and SQL, and what is made of what. It needs no network, and
    holds no data.
    """
    from sms_etl.build import project_of
    from sms_etl.models.page import write_docs

    settings = read_settings()
    result = write_docs(project_of(settings), file or settings.docs_path)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(result.path)


@cli.command(epilog=example("sms-etl doctor"))
@as_json_option
def doctor(as_json: bool) -> None:
    """Check the set-up: say what is missing or wrong, and what to do about it."""
    from sms_etl.cli.doctor import examine
    from sms_etl.cli.render import show_findings

    findings = examine(read_settings())
    if as_json:
        print_json(
            {"ok": all(found.is_ok for found in findings), "findings": [f.as_json() for f in findings]}
        )
    else:
        show_findings(findings)
    if not all(found.is_ok for found in findings):
        sys.exit(1)


@cli.command(epilog=example("sms-etl demo", "sms-etl demo --messages 5000"))
@click.option("--messages", default=52_000, show_default=True, type=click.IntRange(100, 2_000_000))
@as_json_option
def demo(messages: int, as_json: bool) -> None:
    """Show everything on a sandbox account: sync, sync again four days later, analytics, report."""
    from sms_etl.cli.render import show_demo

    with progress_shown() as progress:
        from sms_etl.cli.demo import run_demo

        result = run_demo(read_settings(), messages=messages, progress=progress)
    if as_json:
        print_json(result.as_json())
    else:
        show_demo(result)


@cli.command(epilog=example("sms-etl sandbox --port 8024", "sms-etl sandbox --switch totals=missing"))
@click.option("--port", default=8024, show_default=True, type=click.IntRange(0, 65535))
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep its state in this file.")
@click.option("--messages", default=52_000, show_default=True, type=click.IntRange(0, 2_000_000))
@click.option("--page-size", type=click.IntRange(1, 1000), help="Rows a page.")
@click.option(
    "--live", is_flag=True, help="Let its clock run with this machine's; without it the clock stands still."
)
@click.option(
    "--webhook-port",
    type=click.IntRange(1, 65535),
    help="Send delivery events to `sms-etl webhook` on this port, with SMS_ETL_WEBHOOK_SECRET.",
)
@click.option(
    "--switch", "switched", multiple=True, metavar="NAME=VALUE", help="How it behaves: see docs/sandbox.md."
)
def sandbox(
    port: int,
    state: Path | None,
    messages: int,
    page_size: int | None,
    live: bool,
    webhook_port: int | None,
    switched: tuple[str, ...],
) -> None:
    """Serve a local LOX24 and 2SMS to try everything on, without an account."""
    from sms_etl.sandbox.control.switches import switches_from_words
    from sms_etl.sandbox.life.account import AccountParameters
    from sms_etl.sandbox.server import SandboxHandle, run

    def say(url: str) -> None:
        click.echo(
            f"export SMS_ETL_LOX24_BASE_URL={url}\nexport SMS_ETL_LOX24_TOKEN={SandboxHandle.token}\n"
            f"export SMS_ETL_TWOSMS_BASE_URL={url}\n"
            f"export SMS_ETL_TWOSMS_CLIENT_ID={SandboxHandle.twosms_client_id}\n"
            f"export SMS_ETL_TWOSMS_CLIENT_SECRET={SandboxHandle.twosms_client_secret}\n"
            "End it with Ctrl-C.",
            err=True,
        )

    try:
        switches = switches_from_words(switched)
    except ValueError as exc:
        raise click.UsageError(f"--switch: {exc}") from exc
    if page_size:
        switches = replace(switches, page_size=page_size)
    settings = read_settings()
    account = AccountParameters(messages=messages, end=settings.clock().replace(microsecond=0))
    run(
        port=port,
        state=state,
        switches=switches,
        account=account,
        webhook_url=_webhook_url(settings, webhook_port),
        live=live,
        on_ready=say,
    )
    raise KeyboardInterrupt  # how it ends


@cli.command(epilog=example("sms-etl ui"))
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def ui(port: int) -> None:
    """Open Dagster on 127.0.0.1, with the real account if there is a token, else with the demo's sandbox."""
    from sms_etl.cli.ui import serve

    settings = read_settings()
    _say_where_the_token_goes()
    serve(settings, port=port, say=lambda line: click.echo(line, err=True))


def _say_where_the_token_goes() -> None:
    from sms_etl.settings import redirection

    if said := redirection():
        click.echo(said, err=True)


def _webhook_url(settings: "Settings", port: int | None) -> str | None:
    """Return where the sandbox sends events to; the secret in it is on no command line."""
    if port is None:
        return None
    from sms_etl.events.receiver import PATH
    from sms_etl.events.server import LOOPBACK, no_secret

    if settings.webhook_secret is None:
        raise no_secret()
    return f"http://{LOOPBACK}:{port}{PATH}{settings.webhook_secret.get_secret_value()}"


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _end_of_day(moment: datetime | None) -> datetime | None:
    """A date alone means the whole day."""
    if moment is not None and moment.time() == time.min:
        moment += timedelta(days=1, seconds=-1)
    return _utc(moment)


cli.add_command(alerts)
cli.add_command(bulks)
cli.add_command(close)
cli.add_command(erase)
cli.add_command(report)
cli.add_command(quarantine)
cli.add_command(pii)
cli.add_command(retention)
cli.add_command(webhook)
cli.add_command(shell)
