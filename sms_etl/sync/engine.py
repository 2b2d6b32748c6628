"""The order of a sync's steps, and nothing else.

Every step can be run again: what is landed is loaded first, the watermark commits with its rows, and a run
that is killed leaves nothing half done.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from uuid import uuid4

from sms_etl.clock import to_unix
from sms_etl.errors import (
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NotFound,
    ProviderDiffers,
    ProviderError,
    SmsEtlError,
    Unauthorised,
    Unreachable,
    WindowUnstable,
)
from sms_etl.events.apply import EventCounts, apply_segments
from sms_etl.pii.state import hold
from sms_etl.settings import Settings, no_token
from sms_etl.sync.account import BoundAccount, check_account, write_account
from sms_etl.sync.bulks import count_differing
from sms_etl.sync.intake import Intake
from sms_etl.sync.knowledge import Knowledge
from sms_etl.sync.landing.files import remove_unfinished
from sms_etl.sync.loading.quarantine import spans_to_replay, uuids_to_replay
from sms_etl.sync.loading.unloadable import QuarantinedFile, close_file, quarantined_files
from sms_etl.sync.lock import only_one
from sms_etl.sync.parts import Parts
from sms_etl.sync.plan import Purpose, Reached, Span, plan_reading, span_to_reconcile
from sms_etl.sync.provider_facts import recall_facts
from sms_etl.sync.pull import Puller, span_text
from sms_etl.sync.reconcile import differences
from sms_etl.sync.settle import count_stored, open_bulks, open_messages, plan_settlement
from sms_etl.sync.state import SyncState, read_state, record_end, record_start, write_requests
from sms_etl.sync.streams import BULKS, BULKS_CHANGED, SMS, STREAMS, Stream
from sms_etl.sync.task import DONE, Progress, SyncResult, Task, check_days
from sms_etl.warehouse.quarantine import count_open, count_open_files
from sms_etl.warehouse.store import Transaction

_log = logging.getLogger(__name__)


def run_sync(
    settings: Settings,
    task: Task | None = None,
    *,
    progress: Progress | None = None,
    parts: Parts | None = None,
) -> SyncResult:
    """Bring the warehouse up to date with the provider.

    Args:
        settings: With a token.
        task: What to do beside or instead of reading what is new.
        progress: Is told how far it is.
        parts: What to work with; those of the settings unless given.

    Raises:
        SettingsError: There is no token, or `since` lies after `until`.
        AlreadyRunning: Another sync works on the same data directory.
        ProviderError: The provider could not be read; all before it is loaded.
        WarehouseError: The warehouse could not be written.
    """
    task = task or Task()
    if settings.lox24_token is None:
        raise no_token()
    check_days(settings, task)
    with only_one(settings):
        return asyncio.run(_Run(settings, task, parts or Parts.of(settings)).sync(progress))


class _Run:
    """One run: its name, its counts, and the steps in their order."""

    def __init__(self, settings: Settings, task: Task, parts: Parts) -> None:
        self.run_id = uuid4()
        self.settings = settings
        self.task = task
        self.parts = parts
        self.client = parts.client
        self.clock = parts.clock
        self.warehouse = parts.warehouse
        self.account: BoundAccount | None = None
        self.settled_by_uuid = 0
        self.settled_by_window = 0
        self.differences = 0
        self.events = EventCounts()
        self.bulks_differing: int | None = None
        self.bulks_error: str | None = None
        self.started = time.perf_counter()

    state: SyncState
    knowledge: Knowledge
    intake: Intake
    pull: Puller

    async def sync(self, progress: Progress | None) -> SyncResult:
        """Do all steps."""
        self._begin(progress)
        before = self.state.watermarks[SMS.name]
        _log.info(
            "Sync %s (%s) begins; the watermark is %s.", self.run_id, self.task.purpose, before or "not set"
        )
        try:
            async with self.client:
                with closing(self.intake.writer):
                    await self._steps()
        except BaseException as exc:
            self.knowledge.doubt(exc)
            # That nothing arrived matters to who changes something; to a reader it is one thing.
            kind = Unreachable if isinstance(exc, Unreachable) else type(exc)
            self._end(before, kind.__name__, exc.message if isinstance(exc, SmsEtlError) else "")
            raise
        return self._end(before, DONE, None)

    def _begin(self, progress: Progress | None) -> None:
        """Read what earlier runs left, and put the parts together."""
        remove_unfinished(self.settings.landing_dir)
        with self.warehouse.begin() as transaction:
            self.state = read_state(transaction, self.settings.landing_dir, self.clock())
            self.knowledge = Knowledge(recall_facts(transaction), self.clock)
            writer = self.parts.make_writer(hold(transaction, self.settings))
            record_start(transaction, self.run_id, self.task.purpose, self.clock())
        self.client.recently_refused = self.state.recently_refused
        self.intake = Intake(
            self.run_id,
            writer,
            self.warehouse,
            self.parts.load,
            self.state,
            self.clock,
            self._write_along,
        )
        self.pull = Puller(
            self.client,
            self.knowledge,
            self.intake,
            window_rows=self.settings.window_rows,
            uuids_per_request=self.settings.lox24_uuids_per_request,
            page_size=self.state.page_size,
            on_progress=progress,
        )

    async def _steps(self) -> None:
        await self._identify()
        await self._learn()
        for stream, unreadable in self.state.unreadable:
            self.intake.quarantine_file(stream, unreadable.path, unreadable.reason)
        for stream, landed in self.state.not_loaded:
            _log.info("%d files of %s were landed by a run that ended early.", len(landed), stream.name)
            await self.pull.landed(stream, landed)
        if self.task.is_replaying_quarantine:
            await self._retry_files()
            await self._replay_quarantine()
            return
        await self._read_on()
        await self._retry_files()

    async def _identify(self) -> None:
        """Look up the token's account, and refuse one that is not the warehouse's."""
        account = await self.client.account()
        asked = BoundAccount(
            str(account.id), account.currency, self.settings.lox24_base_url, account.is_sandbox
        )
        check_account(self.state.account, asked, self.warehouse.path)
        self.account = asked
        self.intake.currency = asked.currency

    async def _learn(self) -> None:
        """Probe the provider where needed; at once, as a run that is killed need not ask again."""
        if await self.knowledge.learn(self.client, self.settings.start):
            with self.warehouse.begin() as transaction:
                self.knowledge.write(transaction)

    async def _read_on(self) -> None:
        """Read what is new or asked for, and what may have changed."""
        polled = await self._poll(SMS)
        self._apply_events()
        if self.task.is_backfill:
            return
        await self._settle(polled)
        if self.task.reconcile_days is not None:
            await self._reconcile(self.task.reconcile_days)
        await self._bulks(
            lambda: self._poll(BULKS),
            self._poll_changed_bulks,
            lambda: self.knowledge.learn_of_bulks(self.client, self.settings.start),
            self._settle_bulks,
        )
        if self.bulks_error is None:
            with self.warehouse.begin() as transaction:
                self.bulks_differing = count_differing(transaction.native, overlap=self.settings.overlap)

    async def _poll(self, stream: Stream) -> Span | None:
        """Read the new rows of a stream; return the span that was read."""
        reached = Reached(
            watermark=_second(self.state.watermarks[stream.name]),
            read_at=_second(self.state.read_at[stream.name]),
            is_resuming=self.state.is_resuming,
            learnt_overlap=self.state.learnt_overlap,
        )
        planned = plan_reading(
            reached,
            now=to_unix(self.clock()),
            start=_second(self.settings.start),
            overlap=self.settings.overlap,
            backfill=(_second(self.task.since), _second(self.task.until)) if self.task.is_backfill else None,
        )
        if planned is not None:
            purpose = Purpose.BACKFILL if self.task.is_backfill else Purpose.FORWARD
            await self.pull.span(stream, planned.span, purpose, advances=planned.advances)
        return None if planned is None else planned.span

    def _apply_events(self) -> None:
        """Apply delivery events: after new messages are there, and before it is planned what to ask for.

        In this thread: nothing is fetched meanwhile, and a run that is stopped ends when it is done.
        """
        self.events += apply_segments(
            self.warehouse, self.settings.events_dir, run_id=self.run_id, now=self.clock()
        )

    async def _settle(self, just_read: Span | None) -> None:
        """Re-fetch messages that may still have changed."""
        with self.warehouse.begin() as transaction:
            messages = open_messages(
                transaction, now=self.clock(), settle_days=self.settings.settle_days, just_read=just_read
            )
        batch = self.settings.lox24_uuids_per_request if self.knowledge.facts.obeys_uuids(SMS) else 1
        plan = plan_settlement(messages, page_size=self.pull.page_size, batch=batch)
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
        await self.pull.uuids(SMS, plan.uuids, Purpose.SETTLE)
        for span in plan.spans:
            await self.pull.span(SMS, span, Purpose.SETTLE)

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
                self.knowledge.doubt(exc)
                self.bulks_error = self.bulks_error or exc.message
                if not isinstance(exc, _ABOUT_ONE_REQUEST):
                    return

    async def _poll_changed_bulks(self) -> None:
        """Read recently processed bulks, unless the account is known to have none."""
        are_all_asked_for = self.settings.start is None and self.bulks_error is None
        if not are_all_asked_for or self.state.watermarks[BULKS.name] is not None:
            await self._poll(BULKS_CHANGED)

    async def _settle_bulks(self) -> None:
        """Re-fetch bulks that are new or in progress."""
        with self.warehouse.begin() as transaction:
            bulks = open_bulks(transaction)
        await self.pull.uuids(BULKS, bulks, Purpose.SETTLE)

    async def _reconcile(self, days: int) -> None:
        """Compare the last days with the provider's totals, and read again what differs."""
        compared = span_to_reconcile(days=days, now=to_unix(self.clock()), start=_second(self.settings.start))

        async def at_provider(span: Span) -> int:
            return await self.pull.count(SMS, span)

        async def stored(span: Span) -> int:
            with self.warehouse.begin() as transaction:
                return count_stored(transaction, span)

        async for difference in differences(compared, at_provider=at_provider, stored=stored):
            self.differences += 1
            _log.info(
                "%s: the provider has %d messages, %d are stored.",
                span_text(difference.span),
                difference.at_provider,
                difference.stored,
            )
            await self.pull.span(SMS, difference.span, Purpose.RECONCILE)

    async def _replay_quarantine(self) -> None:
        """Ask again for the rows that could not be loaded: the provider or this code may do better now."""
        with self.warehouse.begin() as transaction:
            messages = uuids_to_replay(transaction, SMS)
            bulks = uuids_to_replay(transaction, BULKS, BULKS_CHANGED)
            spans = {stream: spans_to_replay(transaction, stream) for stream in STREAMS}
        await self.pull.uuids(SMS, messages, Purpose.REPLAY)
        for span in spans[SMS]:
            await self.pull.span(SMS, span, Purpose.REPLAY)

        async def replay_bulks() -> None:
            await self.pull.uuids(BULKS, bulks, Purpose.REPLAY)
            for stream in (BULKS, BULKS_CHANGED):
                for span in spans[stream]:
                    await self.pull.span(stream, span, Purpose.REPLAY)

        await self._bulks(replay_bulks)

    async def _retry_files(self) -> None:
        """Load quarantined files, or read their spans anew; last, as they must stop nothing else."""
        with self.warehouse.begin() as transaction:
            files = quarantined_files(transaction)

        async def retry_bulks() -> None:
            for file in files:
                if file.stream is not SMS:
                    await self._retry_file(file)

        for file in files:
            if file.stream is SMS:
                await self._retry_file(file)
        await self._bulks(retry_bulks)

    async def _retry_file(self, file: QuarantinedFile) -> None:
        """Load a quarantined file, or read its span anew.

        What this run quarantined stays open: it was read anew by this run, but somebody should know of it.
        """
        path = self.settings.landing_dir / file.stream.name / file.name
        is_of_this_run = file.run_id == self.run_id
        if is_of_this_run and file.name not in self.intake.found_unloadable:
            return  # it was fetched just now: once more would give the same
        if is_of_this_run or not await self.intake.load_late(file.stream, path):
            if file.span is not None:
                await self.pull.span(file.stream, file.span, Purpose.BACKFILL)
            elif path.exists() or path.is_symlink():
                return
        if not is_of_this_run:
            with self.warehouse.begin() as transaction:
                close_file(transaction, file, self.clock())

    def _write_along(self, transaction: Transaction) -> None:
        """Write new requests, provider facts and the account, in the transaction of what they brought."""
        write_requests(transaction, self.run_id, self.client.take_ledger())
        self.knowledge.write(transaction)
        if self.account is not None:
            write_account(transaction, self.account, self.clock())

    def _end(self, before: datetime | None, stopped_reason: str, error: str | None) -> SyncResult:
        with self.warehouse.begin() as transaction:
            self._write_along(transaction)
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
            **asdict(self.intake.counts),
            run_id=str(self.run_id),
            purpose=self.task.purpose,
            stopped_reason=stopped_reason,
            watermark_before=before,
            watermark_after=self.state.watermarks[SMS.name],
            requests=self.client.requests,
            retries=self.client.retries,
            quarantine_open=count_open(transaction.native),
            quarantine_files=count_open_files(transaction.native),
            settled_by_uuid=self.settled_by_uuid,
            settled_by_window=self.settled_by_window,
            differences=self.differences,
            bulks_differing=self.bulks_differing,
            bulks_error=self.bulks_error,
            events_read=self.events.read,
            events_changed=self.events.changed,
            events_damaged=self.events.damaged,
            seconds=round(time.perf_counter() - self.started, 3),
        )


_ABOUT_ONE_REQUEST = (BadRequest, NotFound, BadAnswer, ProviderDiffers, WindowUnstable)
"""What another request may be spared: after an outage or a refusal none is made."""


def _second(moment: datetime | None) -> int | None:
    return None if moment is None else to_unix(moment)
