"""Writes landing files while the next windows are fetched: for few rows in a thread, for many in a process.

Fetching and writing are both work of the interpreter and share its lock; together they would keep one core
busy and leave the other idle. Files are only written aside here. The sync puts them in their places, in the
order of their windows: what is landed has no gap before it, and nothing lands once the sync was killed.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sms_etl.errors import LandingLost
from sms_etl.pii.policy import Pii
from sms_etl.skipped_imports import leave_out
from sms_etl.sync.landing.files import Layout, StagedFile, WindowManifest

if TYPE_CHECKING:
    from sms_etl.sync.streams import Stream

_LEFT_TO_THE_SYNC_SECONDS = 30
"""How long the process waits for the sync to end it after a signal."""
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
        """Start a writer process above a row threshold; it starts while the first rows are fetched."""
        if rows < ROWS_WORTH_A_PROCESS or self._process is not None:
            return
        _start_tracker()
        self._process = ProcessPoolExecutor(
            1,
            mp_context=get_context("spawn"),  # forked threads would hold locks for ever
            initializer=_begin,
        )
        self._process.submit(os.getpid)

    async def write(
        self, stream: "Stream", manifest: WindowManifest, rows: Sequence[msgspec.Raw], gone: Sequence[str]
    ) -> StagedFile:
        """Write a window's file aside.

        Raises:
            DataDirError: It cannot be written.
            LandingLost: The process ended before its work.
        """
        text = b"[%b]" % b",".join(rows)  # thousands of small texts would take longer to hand over
        del rows  # and with them their pages: what waits takes half of the memory
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._process, _write, self._folder, stream.layout, manifest, text, gone, self._pii
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


def _start_tracker() -> None:
    """Start multiprocessing's own helper deaf to a closed terminal, as it makes itself deaf to the rest."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches both; the sync decides
    for number in (signal.SIGTERM, signal.SIGHUP):  # as what `timeout` and a closed terminal send to both
        signal.signal(number, lambda _number, _frame: signal.alarm(_LEFT_TO_THE_SYNC_SECONDS))
    threading.Thread(target=_end_with_the_sync, daemon=True).start()
    _keep_small()


def _keep_small() -> None:
    """Halve the memory of the process, and the time it takes to start."""
    leave_out("numpy", "pandas")
    import pyarrow as pa  # noqa: PLC0415 - without numpy, which it would import

    import_module("sms_etl.sync.landing.writer")  # while the first rows are fetched
    pa.set_memory_pool(pa.system_memory_pool())  # the others keep what they once had


def _end_with_the_sync() -> None:
    sync = parent_process()
    if sync is not None:
        sync.join()
        os._exit(1)


def _write(
    folder: Path, layout: Layout, manifest: WindowManifest, rows: bytes, gone: Sequence[str], pii: Pii
) -> StagedFile:
    """Import Arrow where files are written: 50 MB that a sync with a process for them is spared."""
    from sms_etl.sync.landing.writer import write_staged  # noqa: PLC0415 - imports Arrow

    return write_staged(folder, layout, manifest, rows, gone, pii)
