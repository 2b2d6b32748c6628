"""Writes landing files while the next windows are fetched: for few rows in a thread, for many in a process.

Fetching and writing are both work of the interpreter and share its lock; together they would keep one core
busy and leave the other idle. Files are only written aside here. The sync puts them in their places, in the
order of their windows: what is landed has no gap before it, and nothing lands once the sync was killed.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.abc import MetaPathFinder
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sms_etl.errors import LandingLost
from sms_etl.pii import Pii, PiiPolicy
from sms_etl.sync.landed import Aside, Layout, WindowFacts

if TYPE_CHECKING:
    from sms_etl.sync.streams import Stream

ROWS_WORTH_A_PROCESS = 50_000
"""To start a process takes as long as to land so many rows."""


class Lander:
    """Writes landing files; close it.

    Args:
        folder: The landing folder.
        pii: The policy the files are under.
    """

    def __init__(self, folder: Path, pii: Pii) -> None:
        self._folder = folder
        self._pii = pii
        self._process: ProcessPoolExecutor | None = None

    def expect(self, rows: int) -> None:
        """Begin a process if so many rows are worth it; it starts while the first of them are fetched."""
        if rows < ROWS_WORTH_A_PROCESS or self._process is not None:
            return
        self._process = ProcessPoolExecutor(
            1,
            mp_context=get_context("spawn"),  # forked threads would hold locks for ever
            initializer=_begin,
            initargs=(self._folder, self._pii.policy, self._pii.key),
        )
        self._process.submit(os.getpid)

    async def write(
        self, stream: "Stream", facts: WindowFacts, rows: Sequence[msgspec.Raw], gone: Sequence[str]
    ) -> Aside:
        """Write a window's file aside.

        Raises:
            DataDirError: It cannot be written.
            LandingLost: The process ended before its work.
        """
        text = b"[%b]" % b",".join(rows)  # thousands of small texts would take longer to hand over
        del rows  # and with them their pages: what waits takes half of the memory
        if self._process is None:
            write_aside = await asyncio.to_thread(_writer)
            return await asyncio.to_thread(
                write_aside, self._folder, stream.layout, facts, text, gone, self._pii
            )
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._process, _write_apart, stream.layout, facts, text, gone
            )
        except BrokenProcessPool as exc:
            raise LandingLost(
                "The process that writes landing files was ended from outside.",
                hint="The machine may be short of memory. Nothing is lost: run `sms-etl sync` again.",
            ) from exc

    def close(self) -> None:
        """End the process; what it has not begun is dropped."""
        if self._process is not None:
            self._process.shutdown(cancel_futures=True)
            self._process = None


_place: tuple[Path, Pii] | None = None
"""Of the process: where it writes, and under which policy."""


def _begin(folder: Path, policy: PiiPolicy, key: bytes) -> None:
    global _place  # noqa: PLW0603 - the state of a process of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches both; the sync decides
    threading.Thread(target=_end_with_the_sync, daemon=True).start()
    _place = folder, Pii(policy, key)
    _keep_small()


def _keep_small() -> None:
    """Halve the memory of the process, and the time it takes to start."""
    sys.meta_path.insert(0, _NoPandas())
    _writer()
    import pyarrow as pa  # noqa: PLC0415 - see _writer

    pa.set_memory_pool(pa.system_memory_pool())  # the others keep what they once had


class _NoPandas(MetaPathFinder):
    """Arrow imports pandas where it finds it, to look for its types: none of them comes here."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        """Find everything but pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)


def _end_with_the_sync() -> None:
    sync = parent_process()
    if sync is not None:
        sync.join()
        os._exit(1)


def _write_apart(layout: Layout, facts: WindowFacts, rows: bytes, gone: Sequence[str]) -> Aside:
    assert _place is not None  # noqa: S101 - set by _begin
    folder, pii = _place
    return _writer()(folder, layout, facts, rows, gone, pii)


def _writer() -> Callable[[Path, Layout, WindowFacts, bytes, Sequence[str], Pii], Aside]:
    """Import Arrow where files are written: 50 MB that the sync itself is spared."""
    from sms_etl.sync.land import write_aside  # noqa: PLC0415 - as said above

    return write_aside
