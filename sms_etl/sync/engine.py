"""Puts plan, fetch, land, load, settle and reconcile in order for one run, and tells how it went.

Every step can be run again: what is landed is loaded first, the watermark commits with its rows, and a run
that is killed leaves nothing half done.
"""

import asyncio
import errno
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from filelock import FileLock, Timeout

from sms_etl.clock import from_unix, to_unix
from sms_etl.errors import (
    AlreadyRunning,
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NotFound,
    OutOfMemory,
    ProviderDiffers,
    ProviderError,
    RowsRefused,
    SettingsError,
    SmsEtlError,
    Unauthorised,
    WarehouseError,
    WarehouseLocked,
    WindowUnstable,
    WrongAccount,
)
from sms_etl.files import PRIVATE_FILE, keep_private, make_directory, unusable
from sms_etl.pii.state import hold
from sms_etl.providers.lox24.client import Account, Limits, Lox24Client
from sms_etl.settings import Settings, no_token
from sms_etl.sync import fetch
from sms_etl.sync.bulks import count_differing
from sms_etl.sync.fetch import FetchedWindow
from sms_etl.sync.landing.files import (
    Landed,
    StagedFile,
    UnreadableFileError,
    WindowManifest,
    read_landed,
    remove_unfinished,
)
from sms_etl.sync.landing.format_watch import FormatWatch
from sms_etl.sync.landing.worker import Lander
from sms_etl.sync.loading.merge import MEMORY_OF_AN_INSERT, LoadCounts, Missing, batches, load
from sms_etl.sync.loading.quarantine import spans_to_replay, uuids_to_replay
from sms_etl.sync.loading.unloadable import QuarantinedFile, close_file, quarantine_file, quarantined_files
from sms_etl.sync.plan import Purpose, Span, resume_at, span_to_read
from sms_etl.sync.probe import probe, probe_bulks
from sms_etl.sync.provider_facts import (
    AS_DOCUMENTED,
    BULKS_UUID_FILTER,
    SMS_UUID_FILTER,
    Fact,
    KnownFacts,
    fact,
    recall_facts,
    write_facts,
)
from sms_etl.sync.reconcile import differences
from sms_etl.sync.settle import (
    UUIDS_PER_WINDOW,
    count_stored,
    open_bulks,
    open_messages,
    plan_settlement,
)
from sms_etl.sync.state import (
    BoundAccount,
    SyncState,
    bind_account,
    bound_account,
    read_state,
    record_end,
    record_sandbox,
    record_start,
    write_requests,
)
from sms_etl.sync.streaming import ahead, map_ordered, stream_of
from sms_etl.sync.streams import BULKS, BULKS_CHANGED, SMS, STREAMS, Stream
from sms_etl.warehouse.quarantine import count_open, count_open_files
from sms_etl.warehouse.store import Transaction, Warehouse

_log = logging.getLogger(__name__)

DONE = "done"
_LOCK_FILE = "sync.lock"
_WINDOWS_AHEAD = 1
"""Windows that may wait to be written: enough to overlap, little enough to hold in memory."""
_WINDOWS_AT_ONCE = 2
"""Windows handed over to be written: the next one lies ready when the one before it is done."""
_ROWS_PER_LOAD = 120_000
"""Just below a row group of DuckDB (122,880 rows): smaller ones are merged when the file is closed, which
rewrote a third of a million rows at every fourth load of 90,000."""

RECONCILED_DAYS = 30
"""How many days a reconciliation compares unless it is told; each costs a request."""
MOST_RECONCILED_DAYS = 3660

Progress = Callable[[str, int, int | None], None]
"""Is told a step's name, how much more of it is done, and of how much (None: not known)."""


@dataclass(frozen=True, kw_only=True)
class SyncResult(LoadCounts):
    """How one sync went; the counts are over all streams.

    What a run counts has its one definition here and in `LoadCounts`: `ops.sync_run` has a column for each
    field, and `--json`, `status` and Dagster show all of them.
    """

    run_id: str
    purpose: Purpose
    stopped_reason: str
    watermark_before: datetime | None
    """Of messages, UTC."""
    watermark_after: datetime | None
    requests: int
    retries: int
    quarantine_open: int
    """Rows and files that wait in quarantine at the end, of this run and of all before it."""
    quarantine_files: int
    """How many of them are landed files."""
    settled_by_uuid: int
    """Open messages that were asked for by uuid."""
    settled_by_window: int
    """Spans of open messages that were read again, because that cost fewer requests."""
    differences: int
    """Spans that a reconciliation found to differ, and read again."""
    bulks_differing: int | None
    """Bulks whose messages do not add up to the provider's totals of them; None if they were not compared."""
    bulks_error: str | None
    """Why bulks could not be read; messages are read without them. None if they could."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO 8601 with their offset."""
        values = asdict(self) | {"purpose": self.purpose.value}
        for name in ("watermark_before", "watermark_after"):
            moment = values[name]
            values[name] = None if moment is None else f"{moment.isoformat()}+00:00"
        return values


@dataclass(frozen=True)
class Task:
    """What a sync is asked to do; nothing given: read what is new, and settle what is open."""

    since: datetime | None = None
    """Read messages from here, whatever the watermark says (a backfill)."""
    until: datetime | None = None
    """Read messages up to here."""
    reconcile_days: int | None = None
    """Compare so many days with the provider's totals, and repair what differs."""
    is_replaying_quarantine: bool = False
    """Ask again for the rows that could not be loaded."""

    @property
    def is_backfill(self) -> bool:
        """Whether days are read again."""
        return self.since is not None or self.until is not None

    @property
    def purpose(self) -> Purpose:
        """What the run is for; one that reconciles reads what is new as well."""
        if self.is_replaying_quarantine:
            return Purpose.REPLAY
        if self.is_backfill:
            return Purpose.BACKFILL
        return Purpose.FORWARD if self.reconcile_days is None else Purpose.RECONCILE


def run_sync(settings: Settings, task: Task | None = None, *, progress: Progress | None = None) -> SyncResult:
    """Bring the warehouse up to date with the provider.

    Args:
        settings: With a token.
        task: What to do beside or instead of reading what is new.
        progress: Is told how far it is.

    Raises:
        SettingsError: There is no token, or `since` lies after `until`.
        AlreadyRunning: Another sync works on the same data directory.
        ProviderError: The provider could not be read; all before it is loaded.
        WarehouseError: The warehouse could not be written.
    """
    task = task or Task()
    if settings.lox24_token is None:
        raise no_token()
    _check_days(settings, task)
    with only_one(settings):
        return asyncio.run(_Run(settings, task, progress).sync())


def _check_days(settings: Settings, task: Task) -> None:
    """Refuse a backfill of no second, before anything is asked for."""
    if not task.is_backfill:
        return
    if task.since and task.until and task.since > task.until:
        raise SettingsError("--since lies after --until.", hint="Exchange them.")
    now = settings.clock()
    if task.since and task.since > now:
        raise SettingsError(f"--since lies in the future: it is {now:%Y-%m-%d %H:%M} UTC.")
    if task.until and not task.since and settings.start and settings.start > task.until:
        raise SettingsError(
            f"--until lies before SMS_ETL_START, {settings.start:%Y-%m-%d %H:%M} UTC.",
            hint="Give --since too: it reads what lies before SMS_ETL_START.",
        )


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Keep every other sync, and what must not meet one, from the data directory.

    Raises:
        AlreadyRunning: One is at work.
    """
    make_directory(settings.data_dir)
    path = settings.data_dir / _LOCK_FILE
    keep_private(settings)
    lock = FileLock(path, mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=0)
    except OSError as exc:
        if not isinstance(exc, Timeout):
            raise unusable(path, exc) from exc
        if not path.exists():  # the lock waits for a folder to come that takes no file
            raise unusable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from exc
        raise AlreadyRunning(
            f"Another sync works on {settings.data_dir}.",
            hint="Wait until it is done; `sms-etl status` shows the last one.",
        ) from exc
    try:
        yield
    finally:
        lock.release()


@dataclass
class _Run:
    """One run: its name, its counts, and the steps in their order."""

    settings: Settings
    task: Task
    on_progress: Progress | None
    run_id: UUID = field(default_factory=uuid4)
    counts: LoadCounts = field(default_factory=LoadCounts)
    settled_by_uuid: int = 0
    settled_by_window: int = 0
    differences: int = 0
    bulks_differing: int | None = None
    bulks_error: str | None = None
    page_size: int = 1
    """Rows on the fullest page seen."""
    found_unloadable: set[str] = field(default_factory=set)
    """Files that earlier runs landed and this run put aside."""
    expected: Counter[str] = field(default_factory=Counter)
    """Rows by step: a step may read spans and ask for single rows, one after the other."""

    lander: Lander = field(init=False)
    """Made once the warehouse has said that policy and key are its own."""

    def __post_init__(self) -> None:
        self.clock = self.settings.clock
        self.warehouse = Warehouse.of(self.settings)
        self.memory = SyncState()
        self.watches = {stream.table.name: FormatWatch(stream.path) for stream in STREAMS}
        self.account: BoundAccount | None = None
        self.known_facts = KnownFacts()
        self.facts = AS_DOCUMENTED
        self.are_facts_written = True
        self.client = _client(self.settings)
        self.started = time.perf_counter()

    async def sync(self) -> SyncResult:
        """Do all steps."""
        remove_unfinished(self.settings.landing_dir)
        with self.warehouse.begin() as transaction:
            self.memory = read_state(transaction, self.settings.landing_dir, self.clock())
            self.known_facts = recall_facts(transaction)
            self.lander = Lander(self.settings.landing_dir, hold(transaction, self.settings))
            record_start(transaction, self.run_id, self.task.purpose, self.clock())
        before = self.memory.watermarks[SMS.name]
        _log.info(
            "Sync %s (%s) begins; the watermark is %s.", self.run_id, self.task.purpose, before or "not set"
        )
        self.page_size = self.memory.page_size
        self.client.recently_refused = self.memory.recently_refused
        try:
            async with self.client:
                with closing(self.lander):
                    await self._steps()
        except BaseException as exc:
            self._doubt_facts(exc)
            self._record_end(before, type(exc).__name__, exc.message if isinstance(exc, SmsEtlError) else "")
            raise
        return self._record_end(before, DONE, None)

    async def _steps(self) -> None:
        self._bind_account(await self.client.account())
        await self._learn_facts()
        for stream, unreadable in self.memory.unreadable:
            self._put_aside(stream, unreadable.path, unreadable.reason)
        for stream, landed in self.memory.not_loaded:
            _log.info("%d files of %s were landed by a run that ended early.", len(landed), stream.name)
            missing = await self._load_all(stream, stream_of(landed))
            if stream is SMS:
                await self._confirm(stream, missing, Purpose.SETTLE)
        if self.task.is_replaying_quarantine:
            await self._take_up_files()
            await self._replay_quarantine()
            return
        await self._read_on()
        await self._take_up_files()

    async def _read_on(self) -> None:
        """Read what is new or asked for, and what may have changed."""
        polled = await self._poll(SMS)
        if self.task.is_backfill:
            return
        await self._settle(polled)
        if self.task.reconcile_days is not None:
            await self._reconcile(self.task.reconcile_days)
        await self._bulks(
            lambda: self._poll(BULKS),
            self._poll_changed_bulks,
            self._learn_facts_of_bulks,
            self._settle_bulks,
        )
        if self.bulks_error is None:
            with self.warehouse.begin() as transaction:
                self.bulks_differing = count_differing(transaction.native, overlap=self.settings.overlap)

    async def _poll(self, stream: Stream) -> Span | None:
        """Read the new rows of a stream; give the span that was read."""
        span, advances = self._plan(stream)
        if span is not None:
            purpose = Purpose.BACKFILL if self.task.is_backfill else Purpose.FORWARD
            await self._read_span(stream, span, purpose, advances=advances)
        return span

    async def _bulks(self, *steps: Callable[[], Awaitable[object]]) -> None:
        """Take steps that concern bulks alone; what goes wrong there is kept, and stops no message.

        Raises:
            Unauthorised: The token is wrong: nothing may be asked any more.
            AuthBlocked: As above.
        """
        for step in steps:
            try:
                await step()
            except (Unauthorised, AuthBlocked):
                raise
            except (ProviderError, WindowUnstable) as exc:
                _log.info("Bulks cannot be read: %s", exc.message)
                self._doubt_facts(exc)
                self.bulks_error = self.bulks_error or exc.message
                if not isinstance(exc, _ABOUT_ONE_REQUEST):
                    return

    def _plan(self, stream: Stream) -> tuple[Span | None, bool]:
        """Return the span to read and whether reading it may move the watermark."""
        watermark = _second(self.memory.watermarks[stream.name])
        now, start = to_unix(self.clock()), _second(self.settings.start)
        if self.task.is_backfill:
            since = _second(self.task.since)
            span = Span(start or 0 if since is None else since, _second(self.task.until) or now)
            # A backfill that begins after the watermark would leave a gap behind it.
            return span, watermark is not None and span.since <= watermark
        if self.memory.is_resuming and watermark is not None:
            read_at = min(_second(self.memory.read_at[stream.name]) or watermark, now)
            since = resume_at(watermark, read_at, self.settings.overlap)
            return Span(max(since, start or 0), max(now, since, start or 0)), True
        overlap = max(self.settings.overlap, self.memory.learnt_overlap)
        return span_to_read(watermark=watermark, overlap=overlap, start=start, now=now), True

    async def _read_span(
        self, stream: Stream, span: Span, purpose: Purpose, *, advances: bool = False
    ) -> None:
        """Read a span, window by window, load it, and ask for what was stored there but not answered."""
        step = f"{_DOING[purpose]} {stream.name}"
        _log.info("%s: %s.", step, _told(span))

        def expect(rows: int) -> None:
            self.expected[step] += rows
            self.lander.expect(rows)

        async def fetched() -> AsyncIterator[FetchedWindow]:
            async for window in fetch.windows(self.client, stream, span, on_total=expect, facts=self.facts):
                self.page_size = max(self.page_size, window.page_size)
                count = len(window.rows)
                _log.info(
                    "Read %s of %s: %d rows, %d pages, attempt %d.",
                    _told(window.span),
                    stream.name,
                    count,
                    window.pages,
                    window.attempts,
                )
                yield window
                self._progress(step, count)

        missing = await self._take_in(stream, fetched(), purpose, advances=advances)
        await self._confirm(stream, missing, purpose)

    async def _confirm(self, stream: Stream, missing: Missing, purpose: Purpose) -> None:
        """Ask for what is stored but was not in its window: it is deleted, or was missed."""
        to_ask = missing.of_some
        for uuids in missing.of_all:
            pruned = await fetch.all_gone(self.client, stream, uuids) if len(uuids) > fetch.SAMPLE else None
            if pruned is None:
                to_ask += uuids
                continue
            _log.info("The provider has none of %d stored rows of %s any more.", len(uuids), stream.name)
            await self._take_in(stream, stream_of([pruned]), purpose, advances=False)
        await self._ask_by_uuid(stream, to_ask, purpose)

    async def _settle(self, just_read: Span | None) -> None:
        """Ask again for messages that may still have changed."""
        with self.warehouse.begin() as transaction:
            messages = open_messages(
                transaction,
                now=self.clock(),
                settle_days=self.settings.settle_days,
                just_read=just_read,
            )
        batch = self.settings.lox24_uuids_per_request if self.facts.obeys_uuids(SMS) else 1
        plan = plan_settlement(messages, page_size=self.page_size, batch=batch)
        _log.info(
            "Settlement: %d open messages are due; %d are asked for by uuid, %d spans are read again, "
            "in about %d requests.",
            len(messages),
            len(plan.uuids),
            len(plan.spans),
            plan.requests,
        )
        self.settled_by_uuid += len(plan.uuids)
        self.settled_by_window += len(plan.spans)
        await self._ask_by_uuid(SMS, plan.uuids, Purpose.SETTLE)
        for span in plan.spans:
            await self._read_span(SMS, span, Purpose.SETTLE)

    async def _poll_changed_bulks(self) -> None:
        """Read bulks that were processed lately, unless all there are were asked for, and there is none."""
        are_all_asked_for = self.settings.start is None and self.bulks_error is None
        if not are_all_asked_for or self.memory.watermarks[BULKS.name] is not None:
            await self._poll(BULKS_CHANGED)

    async def _settle_bulks(self) -> None:
        """Ask again for bulks that are new or in progress."""
        with self.warehouse.begin() as transaction:
            bulks = open_bulks(transaction)
        await self._ask_by_uuid(BULKS, bulks, Purpose.SETTLE)

    async def _reconcile(self, days: int) -> None:
        """Compare the last days with the provider's totals and read again what differs."""
        until = to_unix(self.clock())
        since = until - int(timedelta(days=days).total_seconds()) + 1
        start = _second(self.settings.start)
        if start is not None:
            since = max(since, min(start, until))

        async def at_provider(span: Span) -> int:
            return await fetch.count(self.client, SMS, span, self.facts)

        async def stored(span: Span) -> int:
            with self.warehouse.begin() as transaction:
                return count_stored(transaction, span)

        async for difference in differences(Span(since, until), at_provider=at_provider, stored=stored):
            self.differences += 1
            _log.info(
                "%s: the provider has %d messages, %d are stored.",
                _told(difference.span),
                difference.at_provider,
                difference.stored,
            )
            await self._read_span(SMS, difference.span, Purpose.RECONCILE)

    async def _replay_quarantine(self) -> None:
        """Ask again for the rows that could not be loaded: the provider or this code may do better now."""
        with self.warehouse.begin() as transaction:
            messages = uuids_to_replay(transaction, SMS)
            bulks = uuids_to_replay(transaction, BULKS, BULKS_CHANGED)
            spans = {stream: spans_to_replay(transaction, stream) for stream in STREAMS}
        await self._ask_by_uuid(SMS, messages, Purpose.REPLAY)
        for span in spans[SMS]:
            await self._read_span(SMS, span, Purpose.REPLAY)

        async def replay_bulks() -> None:
            await self._ask_by_uuid(BULKS, bulks, Purpose.REPLAY)
            for stream in (BULKS, BULKS_CHANGED):
                for span in spans[stream]:
                    await self._read_span(stream, span, Purpose.REPLAY)

        await self._bulks(replay_bulks)

    async def _take_up_files(self) -> None:
        """Load files that were put aside, or read their spans anew; last, as they must stop nothing else.

        What this run put aside stays open: it was read anew by this run, but somebody should know of it.
        """
        with self.warehouse.begin() as transaction:
            files = quarantined_files(transaction)

        async def take_up(file: QuarantinedFile) -> None:
            path = self.settings.landing_dir / file.stream.name / file.name
            is_of_this_run = file.run_id == self.run_id
            if is_of_this_run and file.name not in self.found_unloadable:
                return  # it was fetched just now: once more would give the same
            if is_of_this_run or not await asyncio.to_thread(self._is_loaded_late, file.stream, path):
                if file.span is not None:
                    await self._read_span(file.stream, file.span, Purpose.BACKFILL)
                elif path.exists() or path.is_symlink():
                    return
            if not is_of_this_run:
                with self.warehouse.begin() as transaction:
                    close_file(transaction, file, self.clock())

        async def take_up_bulks() -> None:
            for file in files:
                if file.stream is not SMS:
                    await take_up(file)

        for file in files:
            if file.stream is SMS:
                await take_up(file)
        await self._bulks(take_up_bulks)

    def _is_loaded_late(self, stream: Stream, path: Path) -> bool:
        """Load a file that was put aside, and tell whether that worked."""
        try:
            self._load_together(stream, [read_landed(path, stream)], is_late=True)
        except (UnreadableFileError, RowsRefused) as exc:
            _log.info("%s still cannot be loaded: %s.", path.name, exc)
            return False
        return True

    async def _ask_by_uuid(self, stream: Stream, uuids: Sequence[str], purpose: Purpose) -> None:
        async def answered() -> AsyncIterator[FetchedWindow]:
            for start in range(0, len(uuids), UUIDS_PER_WINDOW):
                part = uuids[start : start + UUIDS_PER_WINDOW]
                yield await self._by_uuid(stream, part)
                self._progress(step, len(part))

        step = f"{_DOING[purpose]} {stream.name}"
        self.expected[step] += len(uuids)
        if uuids:
            await self._take_in(stream, answered(), purpose, advances=False)

    async def _by_uuid(self, stream: Stream, uuids: Sequence[str]) -> FetchedWindow:
        """Ask for rows by uuid, one by one where their listing has no such filter."""
        if not self.facts.obeys_uuids(stream):
            return await fetch.one_by_one(self.client, stream, uuids)
        try:
            return await fetch.by_uuid(self.client, stream, uuids, self.settings.lox24_uuids_per_request)
        except (ProviderDiffers, BadRequest) as exc:
            _log.info("Rows of %s are asked for one by one: %s", stream.path, exc.message)
            name = SMS_UUID_FILTER if stream is SMS else BULKS_UUID_FILTER
            self._keep_fact(fact(name, "rejected" if exc.status else "ignored"))
        return await fetch.one_by_one(self.client, stream, uuids)

    async def _take_in(
        self, stream: Stream, fetched: AsyncIterator[FetchedWindow], purpose: Purpose, *, advances: bool
    ) -> Missing:
        """Land and load each window while the next ones are fetched; give what was missing from them."""

        async def landed() -> AsyncIterator[Landed]:
            asides = map_ordered(ahead(fetched, _WINDOWS_AHEAD), write, _WINDOWS_AT_ONCE)
            # What is replayed is known to be bad: it says nothing of the format.
            watched = asides if purpose is Purpose.REPLAY else watch.passed(asides)
            async for aside in watched:
                yield aside.commit()

        def write(window: FetchedWindow) -> Coroutine[Any, Any, StagedFile]:
            return self._write(stream, window, purpose, advances)

        watch = self.watches[stream.table.name]
        return await self._load_all(stream, landed())

    async def _load_all(self, stream: Stream, landed: AsyncIterator[Landed]) -> Missing:
        """Load landed files, many at once; give what was missing from their windows."""
        missing = Missing()
        async for batch in ahead(batches(landed, most_rows=_ROWS_PER_LOAD), 1):
            missing += await asyncio.to_thread(self._load, stream, batch)
        return missing

    def _write(
        self, stream: Stream, window: FetchedWindow, purpose: Purpose, advances: bool
    ) -> Coroutine[Any, Any, StagedFile]:
        facts = WindowManifest(
            window_id=window.window_id,
            run_id=self.run_id,
            stream=stream.name,
            observed_by=purpose.observed_by,
            since=window.span.since if window.span else None,
            until=window.span.until if window.span else None,
            advances_watermark=advances,
            currency=self.account.currency if self.account else "",
            fetched_at=self.clock(),
            pages=window.pages,
            attempts=window.attempts,
            purpose=purpose,
            is_pruned=window.is_pruned,
        )
        return self.lander.write(stream, facts, window.rows, window.gone)

    def _load(self, stream: Stream, landed: Sequence[Landed]) -> Missing:
        """Load landed files together, or one by one; return what was missing from their windows.

        What cannot be loaded alone either, by what it holds, is put aside: it blocks nothing behind it.

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
                self._put_aside(stream, landed[0].path, reason, landed[0].facts)
                return Missing()
        missing = Missing()
        for file in landed:
            missing += self._load(stream, [file])
        return missing

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
        with self.warehouse.begin() as transaction:
            transaction.use_threads(1)  # fetching and writing have the other cores; it takes less memory, too
            counts, missing = load(
                transaction,
                stream,
                landed,
                run_id=self.run_id,
                now=self.clock(),
                memory=memory,
                is_late=is_late,
            )
            self._write_state(transaction)
            self.memory.refresh_watermark(transaction, stream)
        self.counts += counts
        return missing

    def _put_aside(
        self, stream: Stream, path: Path, reason: str, facts: WindowManifest | None = None
    ) -> None:
        """Put a landed file into quarantine as a whole."""
        _log.info("%s of %s is put aside: %s.", path.name, stream.name, reason)
        if facts is None or facts.run_id != self.run_id:
            self.found_unloadable.add(path.name)
        span = None
        if facts is not None and facts.since is not None and facts.until is not None:
            span = Span(facts.since, facts.until)
        with self.warehouse.begin() as transaction:
            quarantine_file(
                transaction, stream, path, reason, span=span, run_id=self.run_id, now=self.clock()
            )
        self.counts += LoadCounts(files_quarantined=1)

    def _write_state(self, transaction: Transaction) -> None:
        """Write the requests made since the last time, what they told, and whose messages these are."""
        write_requests(transaction, self.run_id, self.client.take_ledger())
        self._write_facts(transaction)
        if self.account is None:
            return
        held = bound_account(transaction)
        if held is None:
            bind_account(transaction, self.account, self.clock())
        elif held.is_sandbox is None:
            record_sandbox(transaction, is_sandbox=bool(self.account.is_sandbox))

    def _bind_account(self, account: Account) -> None:
        """Keep a warehouse to one account: two accounts' figures in one table help nobody."""
        held = self.memory.account
        asked = BoundAccount(
            str(account.id), account.currency, self.settings.lox24_base_url, account.is_sandbox
        )
        if held is not None and not held.is_of(asked):
            raise WrongAccount(
                f"The warehouse {self.warehouse.path} holds {held.told}; the token is of {asked.told}.",
                hint=_how_to_part(held, asked),
            )
        self.account = asked

    async def _learn_facts(self) -> None:
        """Probe the provider where it was not, or where what was found is in doubt."""
        if self.known_facts.are_due(self.clock()):
            probed = await probe(self.client, start=self.settings.start, now=self.clock())
            if probed.facts:
                self._keep_facts(replace(self.known_facts, facts=probed.facts))
                with (
                    self.warehouse.begin() as transaction
                ):  # at once: a run that is killed need not ask again
                    self._write_facts(transaction)
        self.facts = self.known_facts.for_reading()

    async def _learn_facts_of_bulks(self) -> None:
        """The same for bulks, once messages are read: they may be refused, which must not stop messages."""
        if self.known_facts.are_due_for_bulks():
            self._keep_fact(await probe_bulks(self.client, start=self.settings.start, now=self.clock()))

    def _keep_fact(self, found: Fact) -> None:
        self._keep_facts(self.known_facts.with_fact(found))

    def _keep_facts(self, known: KnownFacts) -> None:
        self.known_facts = known
        self.facts = known.for_reading()
        self.are_facts_written = False

    def _write_facts(self, transaction: Transaction) -> None:
        if not self.are_facts_written:
            self.are_facts_written = True
            write_facts(transaction, self.known_facts.facts, self.clock())

    def _doubt_facts(self, exc: BaseException) -> None:
        """Let the next run probe the provider anew, if this one met what was ruled out."""
        if isinstance(exc, ProviderDiffers):
            self.known_facts = KnownFacts()
            self.are_facts_written = False

    def _progress(self, step: str, done: int) -> None:
        if self.on_progress:
            self.on_progress(step, done, self.expected[step])

    def _record_end(self, before: datetime | None, stopped_reason: str, error: str | None) -> SyncResult:
        with self.warehouse.begin() as transaction:
            self._write_state(transaction)
            result = self._result(before, stopped_reason, transaction)
            record_end(transaction, asdict(result), error=error, finished_at=self.clock())
        _log.info(
            "Sync %s ended (%s): %d rows, %d new, %d changed, in %d requests and %.1f s.",
            self.run_id,
            stopped_reason,
            result.rows_seen,
            result.rows_new,
            result.rows_changed,
            result.requests,
            result.seconds,
        )
        return result

    def _result(self, before: datetime | None, stopped_reason: str, transaction: Transaction) -> SyncResult:
        return SyncResult(
            **asdict(self.counts),
            run_id=str(self.run_id),
            purpose=self.task.purpose,
            stopped_reason=stopped_reason,
            watermark_before=before,
            watermark_after=self.memory.watermarks[SMS.name],
            requests=self.client.requests,
            retries=self.client.retries,
            quarantine_open=count_open(transaction.native),
            quarantine_files=count_open_files(transaction.native),
            settled_by_uuid=self.settled_by_uuid,
            settled_by_window=self.settled_by_window,
            differences=self.differences,
            bulks_differing=self.bulks_differing,
            bulks_error=self.bulks_error,
            seconds=round(time.perf_counter() - self.started, 3),
        )


_DOING = {
    Purpose.FORWARD: "reading",
    Purpose.BACKFILL: "reading",
    Purpose.REPLAY: "reading",
    Purpose.SETTLE: "settling",
    Purpose.RECONCILE: "reconciling",
}
_ABOUT_ONE_REQUEST = (BadRequest, NotFound, BadAnswer, ProviderDiffers, WindowUnstable)
"""What another request may be spared: after an outage or a refusal none is made."""


def _fault_of(file: Landed, stream: Stream, exc: WarehouseError) -> str | None:
    """Return why a file that failed alone is at fault; None if the machine or the warehouse is."""
    if isinstance(exc, RowsRefused):
        return "The warehouse refuses what a landed file holds"
    try:
        read_landed(file.path, stream)
    except UnreadableFileError as unreadable:
        return str(unreadable)
    return None


def _told(span: Span | None) -> str:
    if span is None:
        return "uuids"
    return f"{from_unix(span.since)} to {from_unix(span.until)}"


def _how_to_part(held: BoundAccount, asked: BoundAccount) -> str:
    """Say what to do about a warehouse of another account."""
    if held.is_sandbox and not asked.is_sandbox:
        return (
            "It was made by a demo, or by `sms-etl ui` without a token. Give your account a directory of its "
            "own (SMS_ETL_DATA_DIR)."
        )
    if asked.is_sandbox and not held.is_sandbox:
        return (
            "Give the sandbox a directory of its own (SMS_ETL_DATA_DIR), or set SMS_ETL_LOX24_TOKEN and "
            "SMS_ETL_LOX24_BASE_URL to those of your account."
        )
    return "Give each account its own SMS_ETL_DATA_DIR."


def _client(settings: Settings) -> Lox24Client:
    return Lox24Client(
        settings.lox24_base_url,
        settings.lox24_token.get_secret_value() if settings.lox24_token else "",
        settings.clock,
        limits=Limits(
            settings.concurrency,
            settings.lox24_requests_per_second,
            settings.lox24_timeout.total_seconds(),
        ),
    )


def _second(moment: datetime | None) -> int | None:
    return None if moment is None else to_unix(moment)
