"""Runs `dagster dev` with `sms_etl.defs.webserver` in the place of its own, which any web page can drive."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from dagster._cli import dev

_THEIRS = "dagster_webserver"
_OURS = "sms_etl.defs.webserver"
_open_subprocess = dev.open_ipc_subprocess  # type: ignore[attr-defined] # imported there, and called by this name


def guarded(command: Sequence[str]) -> list[str]:
    """Return a command of `dagster dev` with our webserver for Dagster's."""
    return [_OURS if word == _THEIRS else word for word in command]


def _open_guarded(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    return _open_subprocess(guarded(command), **options)


if __name__ == "__main__":
    dev.open_ipc_subprocess = _open_guarded  # type: ignore[attr-defined, assignment]  # what the command starts servers by
    dev.dev_command(sys.argv[1:], prog_name="dagster dev")
