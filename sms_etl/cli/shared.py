"""What every command shares: its example, `--json`, the settings, and the bars of its progress."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sms_etl.settings import Settings
    from sms_etl.sync.task import Progress

NEEDS_ATTENTION = 3
"""The exit code of what finished but needs attention."""
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


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


@contextmanager
def progress_shown() -> "Iterator[Progress]":
    """Show bars on stderr, and yield what moves them."""
    from sms_etl.cli.render import progress_bars

    with progress_bars() as show:
        yield show
