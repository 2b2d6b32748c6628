"""The `sms-etl` command. Thin: each command reads settings, calls one function and says how it went.

What a command needs is imported when it runs, so that `--help` answers at once. Results go to stdout,
progress and logs to stderr. Exit codes: 0 done; 1 failed, or stopped by Ctrl-C, SIGTERM or a closed
terminal (0 for `ui` and `sandbox`, which end in no other way); 2 wrong usage or settings; 3 finished, but
something needs attention.
"""

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sms_etl import __version__
from sms_etl.errors import NoWarehouse, SmsEtlError
from sms_etl.files import PRIVATE_UMASK
from sms_etl.skipped_imports import leave_out

if TYPE_CHECKING:
    from sms_etl.settings import Settings
    from sms_etl.sync.task import Progress

NEEDS_ATTENTION = 3
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


_KEPT_WHEN_STOPPED = {
    "sync": "What was read is kept. Run it again to resume.",
    "build": "The models are unchanged. Run it again.",
    "pii": "What was blanked stays blanked. Run it again to finish.",
    "publish": "The published copy is intact: the old one or the new one.",
    "backup": "An earlier backup is intact.",
    "report": "Earlier reports are intact.",
    "demo": "The demo is unfinished. Run it again to start over. No account's data were touched.",
    "ui": "What was loaded is kept.",
    "sandbox": "What --state names is kept.",
}
_MADE_TO_BE_STOPPED = {"ui", "sandbox"}


class _Commands(click.Group):
    """Turns our own errors, and what stops a command, into one clear message and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SmsEtlError as exc:
            _say_error(exc.message, exc.hint)
            if isinstance(exc, NoWarehouse):
                _say_where_the_demo_lies()
            ctx.exit(exc.exit_code)
        except KeyboardInterrupt:
            name = ctx.invoked_subcommand or ""
            click.echo(f"Stopped. {_KEPT_WHEN_STOPPED.get(name, 'Nothing was changed.')}", err=True)
            ctx.exit(0 if name in _MADE_TO_BE_STOPPED else 1)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as exc:
            if exc.errno == errno.EPIPE:
                raise  # click's: the reader of a pipe has ended
            refused = _refused_by_the_system(exc)
            _say_error(refused.message, refused.hint)
            _log_the_way(exc)
            ctx.exit(1)
        except Exception as exc:  # noqa: BLE001 - what it says may quote a row, and must not reach a terminal
            _say_error(
                f"Something unexpected happened: {_place_of(exc)}.",
                "The error's own text may quote a row, so it is not shown; -vv shows where it happened. "
                "Please report this line.",
            )
            _log_the_way(exc)
            ctx.exit(1)


def _refused_by_the_system(exc: OSError) -> SmsEtlError:
    """Return the error for what the operating system refused, where no step knows more about it."""
    if exc.filename is None:
        return SmsEtlError(f"The system refused: {exc.strerror or type(exc).__name__}.")
    from sms_etl.files import unusable

    return unusable(Path(os.fsdecode(exc.filename)), exc, "{path} cannot be used")


def _place_of(exc: Exception) -> str:
    """Return the kind of an error and where in this package it came from."""
    package = Path(__file__).parents[1]
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        if package in Path(frame.filename).parents:
            file = Path(frame.filename).relative_to(package.parent)
            return f"{type(exc).__name__} in {file}, line {frame.lineno}"
    return type(exc).__name__


def _log_the_way(exc: BaseException) -> None:
    way = "".join(traceback.format_tb(exc.__traceback__))
    logging.getLogger("sms_etl").debug("It happened here:\n%s", way)


def _say_error(message: str, hint: str) -> None:
    from sms_etl.plain_text import printable_lines  # a provider's words or a file's name may be in it

    click.secho(f"Error: {printable_lines(message)}", fg="red", err=True)
    if hint:
        click.echo(printable_lines(hint), err=True)


def _say_where_the_demo_lies() -> None:
    from sms_etl.cli.demo import demo_settings
    from sms_etl.cli.invocation import from_here, pasteable

    demo = demo_settings(_settings())
    if demo.published_path.exists():
        environment = {"SMS_ETL_DATA_DIR": from_here(demo.data_dir)}
        click.echo(
            f"The demo has a folder of its own: {pasteable('status', environment=environment)}", err=True
        )


def _log(ctx: click.Context, _option: click.Parameter, count: int) -> None:
    """Count the -v before and after the command's name together."""
    from sms_etl.cli.verbosity import log_to_stderr

    ctx.meta[_VERBOSITY] = ctx.meta.get(_VERBOSITY, 0) + count
    log_to_stderr(ctx.meta[_VERBOSITY])


_VERBOSITY = f"{__name__}.verbosity"
_verbose = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    callback=_log,
    help="Log progress to stderr; -vv logs every request.",
)


class _Command(click.Command):
    """A command that takes `-v` too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _verbose(self)


_Commands.command_class = _Command


def main() -> None:
    """Run the command line."""
    from sms_etl.stopping import stop_like_ctrl_c

    os.umask(PRIVATE_UMASK)  # whatever a library writes is for its owner alone
    leave_out("numpy", "pandas")  # no command needs them, and Arrow would import both
    stop_like_ctrl_c()
    cli.main(prog_name="sms-etl")


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__)
@_verbose
def cli() -> None:
    """Get a company's SMS traffic out of its provider and into a warehouse.

    \b
    Try it without an account:   sms-etl demo
    With one:                    SMS_ETL_LOX24_TOKEN=<client_id>:<key> sms-etl sync
    """


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@cli.command(epilog=_example("sms-etl sync", "sms-etl sync --since 2026-01-01 --until 2026-01-31 --json"))
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
    if days is not None and not reconcile:
        raise click.UsageError("--days needs --reconcile.")
    if replay_quarantine and (reconcile or since or until):
        raise click.UsageError("--replay-quarantine cannot be combined with --reconcile, --since or --until.")
    if reconcile and (since or until):
        raise click.UsageError("--reconcile cannot be combined with --since or --until.")
    with _progress() as progress:
        from sms_etl.pipeline import sync_build_publish
        from sms_etl.sync.task import RECONCILED_DAYS, Task

        task = Task(
            since=_utc(since),
            until=_end_of_day(until),
            reconcile_days=(days or RECONCILED_DAYS) if reconcile else None,
            is_replaying_quarantine=replay_quarantine,
        )
        settings = _settings()
        _say_where_the_token_goes()
        result = sync_build_publish(settings, task, is_building=not no_build, progress=progress)
    if as_json:
        _print_json(result.as_json())
    else:
        from sms_etl.cli.render import show_pipeline

        show_pipeline(result)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@cli.command(epilog=_example("sms-etl build"))
@_as_json
def build(as_json: bool) -> None:
    """Build the SQL models from what is loaded, and test them."""
    from sms_etl.cli.render import show_build

    with _progress() as progress:
        from sms_etl.build import build_and_check
        from sms_etl.pipeline import BUILDING

        result = build_and_check(_settings(), on_model=lambda count: progress(BUILDING, 1, count))
    if as_json:
        _print_json(result.as_json())
    else:
        show_build(result)
    if result.failures:
        sys.exit(NEEDS_ATTENTION)


@cli.command(epilog=_example("sms-etl publish", 'sms-etl publish --force --reason "known, see ticket 17"'))
@click.option("--force", is_flag=True, help="Publish even if a blocking check failed; needs --reason.")
@click.option("--reason", help="Why. It is recorded, and `status` shows it as long as the copy is in use.")
@_as_json
def publish(force: bool, reason: str | None, as_json: bool) -> None:
    """Replace the analysts' read-only copy with the current state of the warehouse.

    It is refused with exit code 3 if a blocking check failed in the last build.
    """
    from sms_etl.cli.render import show_publication
    from sms_etl.warehouse.publish import publish as publish_copy

    reason = (reason or "").strip()
    if force != bool(reason):
        raise click.UsageError('--force and --reason go together: --force --reason "why".')
    result = publish_copy(_settings(), forced_reason=reason or None)
    if as_json:
        _print_json(result.as_json())
    else:
        show_publication(result)


@cli.command(epilog=_example("sms-etl backup", "sms-etl backup /mnt/backup/sms.duckdb"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@_as_json
def backup(file: Path | None, as_json: bool) -> None:
    """Copy the whole warehouse to FILE (default: <data dir>/backup/warehouse.duckdb), and verify the copy.

    It holds the provider's rows and the quarantine. The key, pii.key, is not in it: back that up separately.
    """
    from sms_etl.warehouse.backup import back_up

    result = back_up(_settings(), file)
    if as_json:
        _print_json(result.as_json())
    else:
        click.echo(f"Backed up to {result.path} ({result.size / 1e6:.1f} MB).")


@cli.command(epilog=_example("sms-etl report --month 2026-01"))
@click.option("--month", required=True, metavar="YYYY-MM", help="The business month.")
@_as_json
def report(month: str, as_json: bool) -> None:
    """Write a month's finance report: one HTML page and one XLSX workbook."""
    from sms_etl.finance.report import write_report
    from sms_etl.plain_text import printable
    from sms_etl.warehouse.read import published

    settings = _settings()
    with published(settings) as connection:
        result = write_report(connection, month, settings.reports_dir, generated_at=settings.clock())
    if as_json:
        _print_json(result.as_json())
    else:
        for said in result.statements:
            click.echo(printable(f"{said.name}: {said.state}. {said.text}"), err=True)
        click.echo(f"{result.html}\n{result.xlsx}")


@cli.command(epilog=_example("sms-etl status", "sms-etl status --json"))
@_as_json
def status(as_json: bool) -> None:
    """Show what is loaded, how fresh it is, and what needs attention."""
    from sms_etl.cli.render import show_status
    from sms_etl.cli.status import read_status

    result = read_status(_settings())
    if as_json:
        _print_json(result.as_json())
    else:
        show_status(result)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


@cli.group(
    epilog=_example(
        "sms-etl quarantine list",
        'sms-etl quarantine accept 1f0c8a2e --reason "credit note, booked by hand"',
    )
)
def quarantine() -> None:
    """Show the rows that could not be loaded, and close those that will never be valid."""


@quarantine.command(
    "list", epilog=_example("sms-etl quarantine list", "sms-etl quarantine list --all --json")
)
@click.option("--all", "is_all", is_flag=True, help="Also show rows that were loaded later or accepted.")
@_as_json
def list_quarantine(is_all: bool, as_json: bool) -> None:
    """List the rows in quarantine with their reasons. Phone numbers and texts are never shown."""
    from sms_etl.cli.render import show_quarantine
    from sms_etl.warehouse.quarantine import count_open, quarantined_rows
    from sms_etl.warehouse.read import newest

    with newest(_settings()) as connection:
        rows = quarantined_rows(connection, is_open_only=not is_all)
        waiting = count_open(connection)
    if as_json:
        _print_json({"quarantine_open": waiting, "rows": [row.as_json() for row in rows]})
    else:
        show_quarantine(rows)


@quarantine.command(
    epilog=_example(
        'sms-etl quarantine accept 1f0c8a2e --reason "credit note, booked by hand"',
        'sms-etl quarantine accept 1f0c8a2e --all-like --reason "test messages"',
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--reason", required=True, help="Why they will never be valid. It is recorded and shown in reports."
)
@click.option("--all-like", is_flag=True, help="Also accept all rows that wait for the same reason.")
@_as_json
def accept(ids: tuple[str, ...], reason: str, all_like: bool, as_json: bool) -> None:
    """Close rows that will never be valid. The first characters of an ID are enough."""
    from sms_etl.build_state import mark_stale
    from sms_etl.cli.render import show_accepted
    from sms_etl.warehouse.quarantine import accept as accept_rows
    from sms_etl.warehouse.quarantine import count_open
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = _settings()
    with writable_warehouse(settings).begin() as transaction:
        rows = accept_rows(
            transaction.native, ids, reason=reason.strip(), now=settings.clock(), is_with_alike=all_like
        )
        waiting = count_open(transaction.native)
        mark_stale(transaction)  # reports show what was accepted
    if as_json:
        _print_json({"accepted": [str(row.quarantine_id) for row in rows], "quarantine_open": waiting})
    else:
        show_accepted(rows, waiting)


@cli.group(epilog=_example("sms-etl pii apply", 'sms-etl pii accept-key --reason "lost in the move"'))
def pii() -> None:
    """Apply a stricter policy to stored numbers and texts, or change the key of the hashes."""


@pii.command("apply", epilog=_example("SMS_ETL_PII=pseudonymise sms-etl pii apply"))
@_as_json
def apply_pii(as_json: bool) -> None:
    """Apply a stricter SMS_ETL_PII to stored data: blank the numbers and texts that were kept, for good.

    This covers the warehouse, the quarantine, the landed files, the published copy and the backup in the
    data directory, and leaves a receipt in ops.pii_receipt. It does not reach copies made elsewhere. If it
    is interrupted, run it again.
    """
    from sms_etl.cli.render import show_applied
    from sms_etl.pii.apply import apply_policy

    with _progress() as progress:
        result = apply_policy(_settings(), tell=lambda step: progress(step, 0, None))
    if as_json:
        _print_json(result.as_json())
    else:
        show_applied(result)
    if result.files_unreadable:
        sys.exit(NEEDS_ATTENTION)


@pii.command("accept-key", epilog=_example('sms-etl pii accept-key --reason "lost in the move"'))
@click.option(
    "--reason", required=True, help="Why the warehouse's own key is no longer used. It is recorded."
)
@_as_json
def accept_key(reason: str, as_json: bool) -> None:
    """Continue with another key if the warehouse's own key is lost for good.

    Hashes of earlier rows will not join those of later ones. The key is SMS_ETL_PII_KEY, else the file
    pii.key; if there is none, one is made.
    """
    from sms_etl.pii.state import accept_key as accept
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = _settings()
    with writable_warehouse(settings).begin() as transaction:
        fingerprint = accept(transaction, settings, reason=reason.strip())
    if as_json:
        _print_json({"is_changed": fingerprint is not None, "key_fingerprint": fingerprint})
    elif fingerprint is None:
        click.echo("The warehouse already uses this key. Nothing was changed.")
    else:
        click.echo(f"The warehouse now uses the key with fingerprint {fingerprint}. Back it up.")


@cli.command(
    epilog=_example(
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
@_as_json
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
    with open_query(text, _settings(), is_of_warehouse=is_of_warehouse) as (columns, rows):
        if as_json:
            _print_json({"columns": columns, "rows": list(rows)})
        elif as_csv:
            print_csv(columns, rows, is_raw=raw)
        else:
            show_rows(columns, rows)


@cli.command(epilog=_example("sms-etl doctor"))
@_as_json
def doctor(as_json: bool) -> None:
    """Check the set-up: say what is missing or wrong, and what to do about it."""
    from sms_etl.cli.doctor import examine
    from sms_etl.cli.render import show_findings

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
    """Show everything on a sandbox account: sync, sync again four days later, analytics, report."""
    from sms_etl.cli.render import show_demo

    with _progress() as progress:
        from sms_etl.cli.demo import run_demo

        result = run_demo(_settings(), messages=messages, progress=progress)
    if as_json:
        _print_json(result.as_json())
    else:
        show_demo(result)


@cli.command(epilog=_example("sms-etl sandbox --port 8024", "sms-etl sandbox --switch totals=missing"))
@click.option("--port", default=8024, show_default=True, type=click.IntRange(0, 65535))
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep its state in this file.")
@click.option("--messages", default=52_000, show_default=True, type=click.IntRange(0, 2_000_000))
@click.option("--page-size", type=click.IntRange(1, 1000), help="Rows a page.")
@click.option(
    "--live", is_flag=True, help="Let its clock run with this machine's; without it the clock stands still."
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
    switched: tuple[str, ...],
) -> None:
    """Serve a local LOX24 and 2SMS to try everything on, without an account."""
    from sms_etl.sandbox.control.switches import switches_from_words
    from sms_etl.sandbox.life.account import AccountParameters
    from sms_etl.sandbox.server import SandboxHandle, run

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
    raise KeyboardInterrupt  # how it ends


@cli.command(epilog=_example("sms-etl ui"))
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def ui(port: int) -> None:
    """Open Dagster on 127.0.0.1, with the real account if there is a token, else with the demo's sandbox."""
    from sms_etl.cli.ui import serve

    settings = _settings()
    _say_where_the_token_goes()
    serve(settings, port=port, say=lambda line: click.echo(line, err=True))


def _settings() -> "Settings":
    from sms_etl.settings import load_settings

    return load_settings()


def _say_where_the_token_goes() -> None:
    from sms_etl.settings import redirection

    if said := redirection():
        click.echo(said, err=True)


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
    from sms_etl.cli.render import progress_bars

    with progress_bars() as show:
        yield show
