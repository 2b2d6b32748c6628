"""What every command shares: its example, `-v`, `--json`, the settings, and the bars of its progress."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

    from sms_etl.settings import Settings
    from sms_etl.sync.task import Progress

NEEDS_ATTENTION = 3
"""The exit code of what finished but needs attention."""
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def _log(ctx: click.Context, _option: click.Parameter, count: int) -> None:
    """Count the -v before and after the command's name together."""
    from sms_etl.cli.verbosity import log_to_stderr

    ctx.meta[_VERBOSITY] = ctx.meta.get(_VERBOSITY, 0) + count
    log_to_stderr(ctx.meta[_VERBOSITY])


_VERBOSITY = f"{__name__}.verbosity"
verbose = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    callback=_log,
    help="Log progress to stderr; -vv logs every request.",
)


class Command(click.Command):
    """A command that takes `-v` too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        verbose(self)


class Subgroup(click.Group):
    """A command with commands below it, each of which takes `-v` too."""

    command_class = Command


def example(*lines: str) -> str:
    """Return the end of a command's help."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def read_settings() -> "Settings":
    """Return the settings of the environment."""
    from sms_etl.settings import load_settings

    return load_settings()


def print_json(values: dict[str, Any]) -> None:
    """Print a result as exactly one JSON object."""
    click.echo(json.dumps(values, default=str))


class HasJson(Protocol):
    """A result that can be told as JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        ...


Result = TypeVar("Result", bound=HasJson)


def print_result(result: Result, show: Callable[[Result], None], *, as_json: bool) -> None:
    """Print a result as one JSON object, or show it on a terminal."""
    if as_json:
        print_json(result.as_json())
    else:
        show(result)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 message, 2 messages."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def is_at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def require_consent(question: str, otherwise: str) -> None:
    """Ask whether to do what cannot be undone; unless the answer is yes, say so and end with exit code 1.

    Ctrl-C and an end of the input end it so too.

    Args:
        question: Says what is done, in numbers.
        otherwise: What is said to everything but yes: "Nothing was deleted."
    """
    if not click.confirm(question, default=False, err=True):
        click.echo(otherwise, err=True)
        raise click.exceptions.Exit(1)


class Moment(click.ParamType[datetime]):
    """A date, or a time with or without an offset; UTC unless it has one.

    Args:
        is_end: The moment is exclusive, and a date means the end of its day.
    """

    name = "moment"

    def __init__(self, *, is_end: bool = False) -> None:
        self._is_end = is_end

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return how it is written."""
        return "YYYY-MM-DD[THH:MM[:SS][+HH:MM]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - click's own signature
        """Read it."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        day: date | None = None
        with suppress(ValueError):  # it is a time, or nothing of it
            day = date.fromisoformat(text)
        try:
            if day is not None:
                start = datetime(day.year, day.month, day.day, tzinfo=UTC)
                return start + timedelta(days=1) if self._is_end else start
            read = datetime.fromisoformat(text)
            return (read.replace(tzinfo=UTC) if read.tzinfo is None else read).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("write 2026-01-31, 2026-01-31T08:00 or 2026-01-31T08:00:00+01:00.", param, ctx)


@contextmanager
def writing_to(out: "Path | None") -> "Iterator[None]":
    """Let an error about a folder that `--out` named say so, where it would name the data directory.

    Raises:
        OutNotWritable: It cannot be written; a full disk stays what it is.
    """
    from sms_etl.errors import DataDirError, OutNotWritable
    from sms_etl.files import is_full

    try:
        yield
    except DataDirError as exc:
        if out is None or is_full(exc.__cause__):
            raise
        raise OutNotWritable(exc.message, hint=exc.hint.replace("SMS_ETL_DATA_DIR", "--out")) from exc


@contextmanager
def progress_shown() -> "Iterator[Progress]":
    """Show bars on stderr, and yield what moves them."""
    from sms_etl.cli.console import progress_bars

    with progress_bars() as show:
        yield show
