"""How a command ends: our own errors, what stops it, and the unforeseen, each a line with its exit code.

None of it is a traceback: one may quote a row.
"""

import errno
import logging
import os
import traceback
from pathlib import Path
from typing import Any

import click

from sms_etl.errors import NoWarehouse, SmsEtlError

_KEPT_WHEN_STOPPED = {
    "sync": "What was read is kept. Run it again to resume.",
    "build": "The models are unchanged. Run it again.",
    "pii": "What was done stays done. Run it again to finish.",
    "bulks": "What was to be sent is recorded: run it again, and nothing is sent twice.",
    "publish": "The published copy is intact: the old one or the new one.",
    "backup": "An earlier backup is intact.",
    "close": "The month is closed whole or not at all. Run it again.",
    "erase": "What was deleted and blanked stays so. Plan it again to see what is left, and apply that.",
    "report": "Earlier reports are intact.",
    "retention": "What was deleted is in the ledger. Run it again to complete it.",
    "docs": "An earlier page is intact.",
    "demo": "The demo is unfinished. Run it again to start over. No account's data were touched.",
    "ui": "What was loaded is kept.",
    "sandbox": "What --state names is kept.",
    "webhook": "What was acknowledged is kept; the next sync applies it.",
    "shell": "Nothing was changed.",
}
_MADE_TO_BE_STOPPED = {"ui", "sandbox", "webhook"}


class Commands(click.Group):
    """Turns our own errors, and what stops a command, into one clear message and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SmsEtlError as exc:
            say_error(exc.message, exc.hint)
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
            say_error(refused.message, refused.hint)
            _log_the_way(exc)
            ctx.exit(1)
        except Exception as exc:  # noqa: BLE001 - what it says may quote a row, and must not reach a terminal
            say_error(
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


def say_error(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    from sms_etl.plain_text import printable_lines  # a provider's words or a file's name may be in it

    click.secho(f"Error: {printable_lines(message)}", fg="red", err=True)
    if hint:
        click.echo(printable_lines(hint), err=True)


def _say_where_the_demo_lies() -> None:
    from sms_etl.cli.demo import demo_settings
    from sms_etl.cli.invocation import from_here, pasteable
    from sms_etl.settings import load_settings

    demo = demo_settings(load_settings())
    if demo.published_path.exists():
        environment = {"SMS_ETL_DATA_DIR": from_here(demo.data_dir)}
        click.echo(
            f"The demo has a folder of its own: {pasteable('status', environment=environment)}", err=True
        )
