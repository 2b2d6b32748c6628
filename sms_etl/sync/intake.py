"""Takes windows into the warehouse: each is landed, then loaded, while the next ones are fetched.

What is landed is in the order it was read, without a gap; what is loaded commits with the watermark.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sms_etl.errors import OutOfMemory, RowsRefused, WarehouseError, WarehouseLocked
from sms_etl.sync.fetch import FetchedWindow
from sms_etl.sync.landing.files import Landed, StagedFile, UnreadableFileError, WindowManifest, read_landed
from sms_etl.sync.landing.format_watch import FormatWatch
from sms_etl.sync.landing.worker import Lander
from sms_etl.sync.loading.batch import batches
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.merge import MEMORY_OF_AN_INSERT
from sms_etl.sync.loading.missing import Missing
from sms_etl.sync.loading.unloadable import quarantine_file
from sms_etl.sync.parts import Load
from sms_etl.sync.plan import Purpose, Span
from sms_etl.sync.state import SyncState
from sms_etl.sync.streaming import map_ordered, prefetch
from sms_etl.sync.streams import STREAMS, Stream
from sms_etl.warehouse.store import Transaction, Warehouse

_log = logging.getLogger(__name__)

_WINDOWS_AT_ONCE = 2
"""Windows handed over to be written: the next one lies ready when the one before it is done."""
_ROWS_PER_LOAD = 120_000
"""Just below a row group of DuckDB (122,880 rows): smaller ones are merged when the file is closed, which
rewrote a third of a million rows at every fourth load of 90,000."""


class Intake:
    """Lands and loads windows, and counts what it did.

    Args:
        run_id: The run.
        writer: Of landing files.
        warehouse: To load into.
        load: Loads landed files.
        state: Whose watermarks follow what is loaded.
        clock: Stamps windows and loads.
        write_along: Is called in every transaction, for what the run has to write along with its rows.
    """

    def __init__(
        self,
        run_id: UUID,
        writer: Lander,
        warehouse: Warehouse,
        load: Load,
        state: SyncState,
        clock: Callable[[], datetime],
        write_along: Callable[[Transaction], None],
    ) -> None:
        self._run_id = run_id
        self._warehouse = warehouse
        self._load_files = load
        self._state = state
        self._clock = clock
        self._write_along = write_along
        self._watches = {stream.table.name: FormatWatch(stream.path) for stream in STREAMS}
        self.writer = writer
        self.currency = ""
        self.counts = LoadCounts()
        self.found_unloadable: set[str] = set()
        """Files that earlier runs landed and this run put into quarantine."""

    async def take_in(
        self, stream: Stream, fetched: AsyncIterator[FetchedWindow], purpose: Purpose, *, advances: bool
    ) -> Missing:
        """Land and load each window while the next ones are fetched; return what was missing from them."""

        async def landed() -> AsyncIterator[Landed]:
            staged = map_ordered(fetched, write, _WINDOWS_AT_ONCE)
            # What is replayed is known to be bad: it says nothing of the format.
            watched = staged if purpose is Purpose.REPLAY else watch.passed(staged)
            async for file in watched:
                yield file.commit()

        def write(window: FetchedWindow) -> Coroutine[Any, Any, StagedFile]:
            manifest = self._manifest(stream, window, purpose, advances=advances)
            return self.writer.write(stream, manifest, window.rows, window.gone)

        watch = self._watches[stream.table.name]
        return await self.load_landed(stream, landed())

    async def load_landed(self, stream: Stream, landed: AsyncIterator[Landed]) -> Missing:
        """Load landed files, many at once; return what was missing from their windows."""
        missing = Missing()
        async for batch in prefetch(batches(landed, most_rows=_ROWS_PER_LOAD), 1):
            missing += await asyncio.to_thread(self._load, stream, batch)
        return missing

    async def load_late(self, stream: Stream, path: Path) -> bool:
        """Load a file that waited in quarantine; return whether that worked."""
        try:
            await asyncio.to_thread(self._load_file_late, stream, path)
        except (UnreadableFileError, RowsRefused) as exc:
            _log.info("%s still cannot be loaded: %s.", path.name, exc)
            return False
        return True

    def quarantine_file(
        self, stream: Stream, path: Path, reason: str, manifest: WindowManifest | None = None
    ) -> None:
        """Put a landed file into quarantine as a whole."""
        _log.info("%s of %s is quarantined: %s.", path.name, stream.name, reason)
        if manifest is None or manifest.run_id != self._run_id:
            self.found_unloadable.add(path.name)
        span = None
        if manifest is not None and manifest.since is not None and manifest.until is not None:
            span = Span(manifest.since, manifest.until)
        with self._warehouse.begin() as transaction:
            quarantine_file(
                transaction, stream, path, reason, span=span, run_id=self._run_id, now=self._clock()
            )
        self.counts += LoadCounts(files_quarantined=1)

    def _manifest(
        self, stream: Stream, window: FetchedWindow, purpose: Purpose, *, advances: bool
    ) -> WindowManifest:
        return WindowManifest(
            window_id=window.window_id,
            run_id=self._run_id,
            stream=stream.name,
            observed_by=purpose.observed_by,
            since=window.span.since if window.span else None,
            until=window.span.until if window.span else None,
            advances_watermark=advances,
            currency=self.currency,
            fetched_at=self._clock(),
            pages=window.pages,
            attempts=window.attempts,
            purpose=purpose,
            is_pruned=window.is_pruned,
        )

    def _load(self, stream: Stream, landed: Sequence[Landed]) -> Missing:
        """Load landed files together, or one by one; return what was missing from their windows.

        What cannot be loaded alone either, by what it holds, is quarantined: it blocks nothing behind it.

        Raises:
            WarehouseError: It is not a file's fault.
        """
        try:
            return self._load_together(stream, landed)
        except WarehouseLocked:
            raise
        except WarehouseError as exc:
            if len(landed) == 1:
                reason = _fault_of(landed[0], stream, exc)
                if reason is None:
                    raise
                self.quarantine_file(stream, landed[0].path, reason, landed[0].manifest)
                return Missing()
        missing = Missing()
        for file in landed:
            missing += self._load(stream, [file])
        return missing

    def _load_file_late(self, stream: Stream, path: Path) -> None:
        self._load_together(stream, [read_landed(path, stream)], is_late=True)

    def _load_together(self, stream: Stream, landed: Sequence[Landed], *, is_late: bool = False) -> Missing:
        """Load landed files in one transaction, without a limit where the usual memory is too little."""
        try:
            return self._load_within(MEMORY_OF_AN_INSERT, stream, landed, is_late=is_late)
        except OutOfMemory:
            _log.info("%d files of %s need more memory than usual.", len(landed), stream.name)
        return self._load_within(None, stream, landed, is_late=is_late)

    def _load_within(
        self, memory: str | None, stream: Stream, landed: Sequence[Landed], *, is_late: bool
    ) -> Missing:
        with self._warehouse.begin() as transaction:
            transaction.use_threads(1)  # fetching and writing have the other cores; it takes less memory, too
            counts, missing = self._load_files(
                transaction,
                stream,
                landed,
                run_id=self._run_id,
                now=self._clock(),
                memory=memory,
                is_late=is_late,
            )
            self._write_along(transaction)
            self._state.refresh_watermark(transaction, stream)
        self.counts += counts
        return missing


def _fault_of(file: Landed, stream: Stream, exc: WarehouseError) -> str | None:
    """Return why a file that failed alone is at fault; None if the machine or the warehouse is."""
    if isinstance(exc, RowsRefused):
        return "The warehouse refuses what a landed file holds"
    try:
        read_landed(file.path, stream)
    except UnreadableFileError as unreadable:
        return str(unreadable)
    return None
