"""Puts plan, fetch, land, load and settle in order for one run, and tells how it went.

Every step can be run again: what is landed is loaded first, the watermark commits with its rows, and a run
that is killed leaves nothing half done.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from filelock import FileLock, Timeout
from sqlalchemy import select

from sms_etl.clock import as_utc, to_unix
from sms_etl.errors import AlreadyRunning, SettingsError, SmsEtlError, WrongAccount
from sms_etl.pii import Pii
from sms_etl.providers.lox24.client import Account, Lox24Client
from sms_etl.settings import Settings
from sms_etl.sync import fetch
from sms_etl.sync.land import Landed, WindowFacts, land, landed_files
from sms_etl.sync.load import LoadCounts, load, watermark_of
from sms_etl.sync.notes import (
    HeldAccount,
    held_account,
    hold_account,
    note_end,
    note_start,
    recently_refused,
    write_requests,
)
from sms_etl.sync.plan import Span, span_to_read
from sms_etl.sync.settle import UUIDS_PER_WINDOW, open_bulks, open_messages
from sms_etl.sync.streams import BULKS, BULKS_CHANGED, SMS, STREAMS, Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction, Warehouse, make_directory

DONE = "done"
_LOCK_FILE = "sync.lock"

Progress = Callable[[str, int, int | None], None]
"""Is told a step's name, how much more of it is done, and of how much (None: not known)."""


@dataclass(frozen=True)
class SyncResult:
    """How one sync went; the counts are over all streams."""

    run_id: str
    stopped_reason: str
    watermark_before: datetime | None
    """Of messages, UTC."""
    watermark_after: datetime | None
    windows: int
    pages: int
    requests: int
    retries: int
    rows_seen: int
    rows_new: int
    rows_changed: int
    rows_gone: int
    rows_quarantined: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON values; times are ISO 8601 with their offset."""
        values = asdict(self)
        for name in ("watermark_before", "watermark_after"):
            moment = values[name]
            values[name] = None if moment is None else f"{moment.isoformat()}+00:00"
        return values


def run_sync(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress | None = None,
) -> SyncResult:
    """Bring the warehouse up to date with the provider: plan, fetch, land, load, settle.

    Args:
        settings: With a token.
        since: Read messages from here, whatever the watermark says (a backfill).
        until: Read messages up to here.
        progress: Is told how far it is.

    Raises:
        SettingsError: There is no token, or `since` lies after `until`.
        AlreadyRunning: Another sync works on the same data directory.
        ProviderError: The provider could not be read; all before it is loaded.
        WarehouseError: The warehouse could not be written.
    """
    if settings.lox24_token is None:
        raise SettingsError(
            "SMS_ETL_LOX24_TOKEN is not set.",
            hint="Set it to <client_id>:<key>, or try the sandbox: `sms-etl demo`.",
        )
    if since and until and since > until:
        raise SettingsError("--since lies after --until.", hint="Exchange them.")
    with _only_one(settings):
        return asyncio.run(_Run(settings, since, until, progress).sync())


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    make_directory(settings.data_dir)
    lock = FileLock(settings.data_dir / _LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
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
    since: datetime | None
    until: datetime | None
    on_progress: Progress | None
    run_id: UUID = field(default_factory=uuid4)
    counts: LoadCounts = field(default_factory=LoadCounts)

    def __post_init__(self) -> None:
        self.clock = self.settings.clock
        self.warehouse = Warehouse.of(self.settings)
        self.pii = Pii.of(self.settings)
        self.watermarks: dict[str, datetime | None] = {}
        self.held_account: HeldAccount | None = None
        self.unloaded: list[tuple[Stream, Landed]] = []
        self.recently_refused = False
        self.started = time.perf_counter()

    def progress(self, step: str, done: int, total: int | None) -> None:
        """Tell how much more of a step is done."""
        if self.on_progress:
            self.on_progress(step, done, total)

    async def sync(self) -> SyncResult:
        """Do all steps."""
        with self.warehouse.begin() as transaction:
            note_start(transaction, self.run_id, as_utc(self.clock()))
            self._recall(transaction)
        self.before = self.watermarks[SMS.name]
        token = self.settings.lox24_token
        async with Lox24Client(
            self.settings.lox24_base_url,
            token.get_secret_value() if token else "",
            self.clock,
            concurrency=self.settings.concurrency,
            recently_refused=self.recently_refused,
        ) as client:
            try:
                await self._steps(client)
            except BaseException as exc:
                self._note_end(
                    client, type(exc).__name__, exc.message if isinstance(exc, SmsEtlError) else ""
                )
                raise
            return self._note_end(client, DONE, None)

    async def _steps(self, client: Lox24Client) -> None:
        account = await client.account()
        self._hold_account(account)
        for stream, landed in self.unloaded:
            self._load(client, stream, landed)
        messages = await self._poll(client, SMS, account.currency)
        if self.since is None and self.until is None:
            await self._poll(client, BULKS, account.currency)
            await self._poll(client, BULKS_CHANGED, account.currency)
            await self._settle(client, account.currency, messages)

    def _recall(self, transaction: Transaction) -> None:
        """Read what earlier runs left: watermarks, account, and what was landed but not loaded."""
        self.recently_refused = recently_refused(transaction, as_utc(self.clock()))
        self.held_account = held_account(transaction)
        loaded = set(transaction.sql.scalars(select(tables.fetch_window.c.landed)))
        for stream in STREAMS:
            self.watermarks[stream.name] = watermark_of(transaction, stream)
            for landed in landed_files(self.settings.landing_dir, stream, but_not=loaded):
                self.unloaded.append((stream, landed))

    async def _poll(self, client: Lox24Client, stream: Stream, currency: str) -> Span | None:
        """Read the new rows of a stream; give the span that was read."""
        span, advances = self._plan(stream)
        if span is None:
            return None

        async def landed_windows() -> AsyncIterator[Landed]:
            total: list[int] = []
            async for window in fetch.windows(client, stream, span, on_total=total.append):
                yield await asyncio.to_thread(self._land, stream, window, "poll", currency, advances)
                self.progress(f"reading {stream.name}", len(window.rows), total[0])

        await self._load_behind(client, stream, landed_windows())
        return span

    def _plan(self, stream: Stream) -> tuple[Span | None, bool]:
        """Give the span to read and whether reading it may move the watermark."""
        watermark = self.watermarks[stream.name]
        now = to_unix(self.clock())
        reached = None if watermark is None else to_unix(watermark)
        start = None if self.settings.start is None else to_unix(self.settings.start)
        if self.since is None and self.until is None:
            return span_to_read(watermark=reached, overlap=self.settings.overlap, start=start, now=now), True
        span = Span(
            to_unix(self.since) if self.since else start or 0, to_unix(self.until) if self.until else now
        )
        # A backfill that begins after the watermark would leave a gap behind it.
        return span, reached is not None and span.since <= reached

    async def _settle(self, client: Lox24Client, currency: str, just_read: Span | None) -> None:
        with self.warehouse.begin() as transaction:
            bulks = open_bulks(transaction)
            messages = open_messages(transaction, settle_days=self.settings.settle_days, just_read=just_read)
        for stream, uuids in ((BULKS, bulks), (SMS, messages)):
            await self._load_behind(client, stream, self._asked_again(client, stream, uuids, currency))

    async def _asked_again(
        self, client: Lox24Client, stream: Stream, uuids: Sequence[str], currency: str
    ) -> AsyncIterator[Landed]:
        for start in range(0, len(uuids), UUIDS_PER_WINDOW):
            part = uuids[start : start + UUIDS_PER_WINDOW]
            window = await fetch.by_uuid(client, stream, part, self.settings.lox24_uuids_per_request)
            yield await asyncio.to_thread(self._land, stream, window, "settle", currency, False)
            self.progress(f"settling {stream.name}", len(part), len(uuids))

    async def _load_behind(self, client: Lox24Client, stream: Stream, landed: AsyncIterator[Landed]) -> None:
        """Load each window while the next one is fetched."""
        loading: asyncio.Task[None] | None = None
        try:
            async for window in landed:
                if loading is not None:
                    await loading
                loading = asyncio.create_task(asyncio.to_thread(self._load, client, stream, window))
        finally:
            if loading is not None:
                await loading

    def _land(
        self, stream: Stream, window: fetch.FetchedWindow, observed_by: str, currency: str, advances: bool
    ) -> Landed:
        facts = WindowFacts(
            window_id=window.window_id,
            run_id=self.run_id,
            stream=stream.name,
            observed_by=observed_by,
            since=window.span.since if window.span else None,
            until=window.span.until if window.span else None,
            advances_watermark=advances,
            currency=currency,
            fetched_at=self.clock(),
            pages=window.pages,
            attempts=window.attempts,
        )
        return land(self.settings.landing_dir, stream, facts, window.rows, window.gone, self.pii)

    def _load(self, client: Lox24Client, stream: Stream, landed: Landed) -> None:
        with self.warehouse.begin() as transaction:
            counts = load(transaction, stream, landed, run_id=self.run_id, now=self.clock())
            self._write_notes(transaction, client)
            self.watermarks[stream.name] = watermark_of(transaction, stream)
        self.counts += counts

    def _write_notes(self, transaction: Transaction, client: Lox24Client) -> None:
        """Write the requests made since the last time, and whose messages these are."""
        entries, client.ledger = client.ledger, []
        if entries:
            write_requests(transaction, self.run_id, entries)
        if self.held_account is not None and held_account(transaction) is None:
            hold_account(transaction, self.held_account, as_utc(self.clock()))

    def _hold_account(self, account: Account) -> None:
        """Keep a warehouse to one account: two accounts' figures in one table help nobody."""
        held = self.held_account
        if held is not None and held.account_id != str(account.id):
            raise WrongAccount(
                f"The warehouse {self.warehouse.path} holds account {held.account_id} of {held.base_url}; "
                f"the token is of account {account.id}.",
                hint="Give each account its own SMS_ETL_DATA_DIR. After a demo, delete its data directory.",
            )
        self.held_account = held or HeldAccount(
            str(account.id), account.currency, self.settings.lox24_base_url
        )

    def _note_end(self, client: Lox24Client, stopped_reason: str, error: str | None) -> SyncResult:
        with self.warehouse.begin() as transaction:
            self._write_notes(transaction, client)
            result = SyncResult(
                run_id=str(self.run_id),
                stopped_reason=stopped_reason,
                watermark_before=self.before,
                watermark_after=self.watermarks[SMS.name],
                windows=self.counts.windows,
                pages=self.counts.pages,
                requests=client.requests,
                retries=client.retries,
                rows_seen=self.counts.seen,
                rows_new=self.counts.new,
                rows_changed=self.counts.changed,
                rows_gone=self.counts.gone,
                rows_quarantined=self.counts.quarantined,
                seconds=round(time.perf_counter() - self.started, 3),
            )
            note_end(transaction, asdict(result), error=error, finished_at=as_utc(self.clock()))
        return result
