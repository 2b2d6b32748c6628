"""Runs work in a forked process, of which nothing is left."""

import contextlib
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable

BROKE_OFF = 70
"""How a process ends whose work raised."""


def forked(work: Callable[[], int]) -> int:
    """Do something in a process that begins as this one is now; return its exit code, negative for a signal.

    Its temporary files, and the processes it leaves behind, end with it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            # Newer Pythons warn of threads that a fork leaves behind: those of libraries, which are idle.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _do(work, folder)
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except BaseException:
            _let_end(child)
            raise
        finally:
            for end in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    end(child, signal.SIGKILL)


def _let_end(child: int) -> None:
    """Give a process two seconds to end those that it has forked itself: no signal of ours reaches them."""
    os.kill(child, signal.SIGTERM)
    until = time.monotonic() + 2
    while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)


def _do(work: Callable[[], int], folder: str) -> None:
    code = BROKE_OFF
    try:
        os.setsid()
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        code = work()
    finally:
        os._exit(code)  # nothing of the process it was forked from is cleaned up twice


def end_after(seconds: float) -> None:
    """Let the system end this process then, whatever it does; a later call replaces an earlier one."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
