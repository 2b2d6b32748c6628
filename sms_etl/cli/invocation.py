"""Writes commands as the user can paste them into the shell this program was called from."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "sms-etl"


def pasteable(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a call of this program, quoted for a POSIX shell in the present folder.

    Args:
        *words: What follows the program's name.
        environment: What the call needs to be set.
    """
    settings = (f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items())
    return " ".join([*settings, shlex.join([*_program(), *words])])


def from_here(path: Path) -> str:
    """Return a path as one would type it in the present folder: relative if it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):
        return str(path)


def _program() -> list[str]:
    called = Path(sys.argv[0])
    if called.name != _NAME or not called.exists():
        return [from_here(Path(sys.executable)), "-m", "sms_etl"]
    on_path = shutil.which(_NAME)
    if on_path and Path(on_path).samefile(called):
        return [_NAME]
    found = from_here(called.absolute())
    return [found if os.sep in found else f"./{found}"]
