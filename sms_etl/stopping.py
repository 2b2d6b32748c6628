"""Lets SIGTERM and a closed terminal end a command as Ctrl-C does: what it started is ended, too."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SWALLOWED = "Query interrupted"
"""What DuckDB's binding says when it met the signal before Python did: the KeyboardInterrupt is lost then."""


class Interruptible(Protocol):
    """A database connection whose running statement another thread can end."""

    def interrupt(self) -> None:
        """End it."""


def stop_like_ctrl_c() -> None:
    """Handle SIGTERM and SIGHUP like SIGINT from now on; one that is ignored (`nohup`) stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    """Do what SIGINT would do at this moment: asyncio and servers have their own handlers for it."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # ignored, as in a script's background job, which SIGTERM ends all the same
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


@contextmanager
def interrupting(connection: Interruptible) -> Iterator[None]:
    """Let a signal end the statement that runs: DuckDB does not look for signals, and Python waits for it.

    Raises:
        KeyboardInterrupt: A signal ended it, whichever error the database made of that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    is_stopped = threading.Event()

    def watch() -> None:
        while number := woken.recv(1):
            if number[0] in _STOPPING:
                is_stopped.set()
                connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    except Exception as exc:
        if is_stopped.is_set() or str(exc) == _SWALLOWED:
            raise KeyboardInterrupt from exc
        raise
    finally:
        signal.set_wakeup_fd(before)
        waker.close()
        watcher.join()
        woken.close()
