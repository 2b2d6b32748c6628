"""What runs write in `ops.*` about themselves, and what a run needs to know of those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, func, insert, select, text, update

from sms_etl import __version__
from sms_etl.clock import as_utc
from sms_etl.providers.lox24.client import RequestRecord
from sms_etl.sync.account import BoundAccount, bound_account
from sms_etl.sync.landing.files import Landed, Unreadable, find_landed
from sms_etl.sync.loading.unloadable import names_of_quarantined_files
from sms_etl.sync.plan import TEACHING_LATENESS, Purpose
from sms_etl.sync.streams import SMS, STREAMS, Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction

_AUTH_BLOCK = timedelta(minutes=10)
_REMEMBERED_FOR = timedelta(days=30)
_LONGEST_OVERLAP = timedelta(days=1)
_REFUSED = ("Unauthorised", "AuthBlocked")
_NOT_FORWARD = (Purpose.BACKFILL.value, Purpose.REPLAY.value)


@dataclass
class SyncState:
    """What earlier runs left, and the watermarks as this run moves them."""

    watermarks: dict[str, datetime | None] = field(default_factory=dict)
    """By stream."""
    read_at: dict[str, datetime | None] = field(default_factory=dict)
    """By stream: when the watermark's row was read."""
    account: BoundAccount | None = None
    not_loaded: list[tuple[Stream, list[Landed]]] = field(default_factory=list)
    """What was landed by a run that was killed before it could load it."""
    unreadable: list[tuple[Stream, Unreadable]] = field(default_factory=list)
    """Files in the landing folder that cannot be read."""
    recently_refused: bool = False
    """A wrong token was refused so lately that every request may be blocked."""
    is_resuming: bool = False
    """The last run did not end well: this one goes on where it was."""
    learnt_overlap: timedelta = timedelta(0)
    """Twice the greatest lateness of the last thirty days."""
    page_size: int = 1
    """Rows on a page, as far as windows that were read tell."""

    def refresh_watermark(self, transaction: Transaction, stream: Stream) -> None:
        """Read a stream's watermark again."""
        row = transaction.sql.execute(
            select(tables.watermark.c.watermark_at, tables.watermark.c.read_at).where(
                tables.watermark.c.stream == stream.name
            )
        ).first()
        self.watermarks[stream.name], self.read_at[stream.name] = row or (None, None)


def read_state(transaction: Transaction, landing: Path, now: datetime) -> SyncState:
    """Read what earlier runs left."""
    memory = SyncState(
        account=bound_account(transaction),
        recently_refused=recently_refused(transaction, as_utc(now)),
        is_resuming=_is_resuming(transaction),
        learnt_overlap=_learnt_overlap(transaction, as_utc(now)),
        page_size=_page_size(transaction, as_utc(now)),
    )
    loaded = set(transaction.sql.scalars(select(tables.fetch_window.c.landed)))
    for stream in STREAMS:
        memory.refresh_watermark(transaction, stream)
        found = find_landed(landing, stream, but_not=loaded | names_of_quarantined_files(transaction, stream))
        memory.unreadable += [(stream, file) for file in found.unreadable]
        if found.whole:
            memory.not_loaded.append((stream, found.whole))
    return memory


def recently_refused(transaction: Transaction, now: datetime) -> bool:
    """Return whether a wrong token was refused so lately that every request may be blocked."""
    refused = select(tables.sync_run.c.run_id).where(
        tables.sync_run.c.stopped_reason.in_(_REFUSED), tables.sync_run.c.started_at > now - _AUTH_BLOCK
    )
    return transaction.sql.scalar(refused.limit(1)) is not None


def _is_resuming(transaction: Transaction) -> bool:
    """Whether the last run that read forward was killed or failed.

    The last one written: a clock may stand still. A backfill or a replay says nothing of it.
    """
    run = tables.sync_run.c
    newest_first = (
        select(run.stopped_reason)
        .where(func.coalesce(run.purpose, Purpose.FORWARD.value).not_in(_NOT_FORWARD))
        .order_by(text("rowid desc"))
    )
    last = transaction.sql.execute(newest_first.limit(1)).first()
    return last is not None and last.stopped_reason != "done"


def _learnt_overlap(transaction: Transaction, now: datetime) -> timedelta:
    late = tables.late_row
    furthest: timedelta | None = transaction.sql.scalar(
        select(func.max(late.c.watermark_at - late.c.created_at)).where(
            late.c.first_seen_at > now - _REMEMBERED_FOR, late.c.purpose.in_(TEACHING_LATENESS)
        )
    )
    return timedelta(0) if furthest is None else min(furthest * 2, _LONGEST_OVERLAP)


def _page_size(transaction: Transaction, now: datetime) -> int:
    window = tables.fetch_window
    fullest: int | None = transaction.sql.scalar(
        select(func.max(func.ceil(window.c.rows / window.c.pages, type_=Integer))).where(
            window.c.stream == SMS.name, window.c.pages > 0, window.c.loaded_at > now - _REMEMBERED_FOR
        )
    )
    return max(1, int(fullest or 1))


def record_start(transaction: Transaction, run_id: UUID, purpose: Purpose, now: datetime) -> None:
    """Write that a run began; without an end it was killed, or still runs."""
    transaction.sql.execute(
        insert(tables.sync_run).values(
            run_id=run_id, purpose=purpose.value, started_at=as_utc(now), version=__version__
        )
    )


def record_end(
    transaction: Transaction, result: Mapping[str, Any], *, error: str | None, finished_at: datetime
) -> None:
    """Write how a run ended.

    Args:
        transaction: To write in.
        result: A `SyncResult` as a mapping; each of its fields is a column of `ops.sync_run`.
        error: The message of the error that ended it.
        finished_at: The present moment.

    Raises:
        KeyError: The table has no column for a field: a count would be lost.
    """
    kept = {tables.sync_run.c[name]: value for name, value in result.items() if name != "run_id"}
    transaction.sql.execute(
        update(tables.sync_run)
        .where(tables.sync_run.c.run_id == UUID(result["run_id"]))
        .values(kept | {tables.sync_run.c.finished_at: as_utc(finished_at), tables.sync_run.c.error: error})
    )


def write_requests(transaction: Transaction, run_id: UUID, entries: Sequence[RequestRecord]) -> None:
    """Add requests to the ledger, all at once: one by one would cost more than making them."""
    if not entries:
        return
    columns = [name for name in tables.request.c.keys() if name != "run_id"]  # noqa: SIM118 - not a dict
    lists = ", ".join(
        f"unnest(cast(? as {tables.request.c[name].type.compile(transaction.sql.dialect)}[]))"
        for name in columns
    )
    transaction.native.execute(
        f"insert into ops.request (run_id, {', '.join(columns)}) select ?, {lists}",
        [run_id, *([getattr(entry, name) for entry in entries] for name in columns)],
    )
