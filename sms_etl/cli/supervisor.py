"""Runs a program that must not outlive this one, however this one ends, SIGKILL included.

`supervised` starts a small process between the two (`python -m sms_etl.cli.supervisor`). It holds the reading
end of a pipe: when that closes, the caller has ended, and the supervisor ends the program with all it
started. On Linux the orphans of its program become its own children: none escapes by a group of its own.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from sms_etl.files import PRIVATE_UMASK

PATIENCE_SECONDS = 20.0
"""Dagster's daemon takes up to ten to end its threads."""
_KILLED_WITHIN_SECONDS = 5
_POLL_SECONDS = 0.05
_PR_SET_CHILD_SUBREAPER = 36
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def supervised(
    command: Sequence[str], environment: Mapping[str, str], *, patience: float = PATIENCE_SECONDS
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program beside the block, and end it with all it started when the block or this process ends.

    Args:
        command: The program and its arguments.
        environment: All of the program's.
        patience: Seconds it has to end once it was asked to; then it is killed.

    Yields:
        The supervisor: it ends when the program does, with its exit code.
    """
    process = subprocess.Popen(  # noqa: S603 - the caller's own command
        [sys.executable, "-m", "sms_etl.cli.supervisor", str(patience), *command],
        env=environment,
        stdin=subprocess.PIPE,
        umask=PRIVATE_UMASK,  # what it writes is for its owner alone
        start_new_session=True,  # Ctrl-C of the terminal reaches the caller alone, who decides
    )
    try:
        yield process
    finally:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.close()
        try:
            process.wait(patience + 2 * _KILLED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _EndedError(Exception):
    """The caller has ended, or somebody asked this process to."""


def main() -> int:
    """Run the command in the arguments until it or the caller ends; return its exit code."""
    _adopt_orphans()
    for number in _ENDING:
        signal.signal(number, _end)
    threading.Thread(target=_watch_the_caller, daemon=True).start()
    program: subprocess.Popen[bytes] | None = None
    try:
        program = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603 - the caller's
        return program.wait()
    except _EndedError:
        return 0
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        if program is not None:
            _end_all(program.pid, float(sys.argv[1]))


def _watch_the_caller() -> None:
    while os.read(
        sys.stdin.fileno(), 1
    ):  # nothing is written: it returns when the writer has closed, or died
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _EndedError


def _end_all(group: int, patience: float) -> None:
    """End the program's group and what its program left behind in others: politely, then by force."""
    for number, seconds in ((signal.SIGINT, patience), (signal.SIGKILL, _KILLED_WITHIN_SECONDS)):
        until = time.monotonic() + seconds
        told: set[int] = set()
        _tell_group(group, number)
        while time.monotonic() < until:
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            left = _children()
            if not left and not _tell_group(group, 0):
                return
            for child in left - told:
                with suppress(ProcessLookupError):
                    if os.getpgid(child) != group:
                        os.kill(child, number)
            told |= left
            time.sleep(_POLL_SECONDS)


def _tell_group(group: int, number: int) -> bool:
    """Send a signal to a group; return whether anybody is in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True


def _children() -> set[int]:
    """Return the processes whose parent this one is; nothing where there is no /proc."""
    found: set[int] = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(status.parent.name))
    return found


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
