"""Lets SIGTERM and a closed terminal end a command as Ctrl-C does: what it started is ended, too."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


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
    """Let a signal end the statement that runs: DuckDB does not look for signals, and Python waits for it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    woken, waker = socket.socketpair()
    waker.setblocking(False)

    def watch() -> None:
        while woken.recv(1):
            connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        waker.close()
        watcher.join()
        woken.close()
