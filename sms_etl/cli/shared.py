"""What every command shares: its example, `-v`, `--json`, the settings, and the bars of its progress."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
