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
from sms_etl.sync.landed import Landed, landed_files
from sms_etl.sync.streams import SMS, STREAMS, Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction

_AUTH_BLOCK = timedelta(minutes=10)
_REMEMBERED_FOR = timedelta(days=30)
_LONGEST_OVERLAP = timedelta(days=1)
_REFUSED = ("Unauthorised", "AuthBlocked")


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """The one account whose messages a warehouse holds."""

    account_id: str
    currency: str
    base_url: str


def held_account(transaction: Transaction) -> HeldAccount | None:
    """Give the account the warehouse holds; None before the first sync."""
    row = transaction.sql.execute(
        select(tables.account.c.account_id, tables.account.c.currency, tables.account.c.base_url)
    ).first()
    return None if row is None else HeldAccount(*row)


def hold_account(transaction: Transaction, account: HeldAccount, now: datetime) -> None:
    """Write whose messages the warehouse holds from now on."""
    transaction.sql.execute(
        insert(tables.account).values(
            account_id=account.account_id,
            currency=account.currency,
            base_url=account.base_url,
            first_seen_at=as_utc(now),
        )
    )


@dataclass
class Memory:
    """What earlier runs left, and where this one stands."""

    watermarks: dict[str, datetime | None] = field(default_factory=dict)
    """By stream."""
    read_at: dict[str, datetime | None] = field(default_factory=dict)
    """By stream: when the provider was asked for the watermark's row."""
    account: HeldAccount | None = None
    not_loaded: list[tuple[Stream, list[Landed]]] = field(default_factory=list)
    """What was landed by a run that was killed before it could load it."""
    recently_refused: bool = False
    """A wrong token was refused so lately that every request may be blocked."""
    is_resuming: bool = False
    """The last run did not end well: this one goes on where it was."""
    learnt_overlap: timedelta = timedelta(0)
    """What would have covered twice the lateness seen of late."""
    page_size: int = 1
    """Rows on a page, as far as windows that were read tell."""

    def remember(self, transaction: Transaction, stream: Stream) -> None:
        """Read a stream's watermark again."""
        row = transaction.sql.execute(
            select(tables.watermark.c.watermark_at, tables.watermark.c.read_at).where(
                tables.watermark.c.stream == stream.name
            )
        ).first()
        self.watermarks[stream.name], self.read_at[stream.name] = row or (None, None)


def recall(transaction: Transaction, landing: Path, now: datetime) -> Memory:
    """Read what earlier runs left."""
    memory = Memory(
        account=held_account(transaction),
        recently_refused=_recently_refused(transaction, as_utc(now)),
        is_resuming=_is_resuming(transaction),
        learnt_overlap=_learnt_overlap(transaction, as_utc(now)),
        page_size=_page_size(transaction, as_utc(now)),
    )
    loaded = set(transaction.sql.scalars(select(tables.fetch_window.c.landed)))
    for stream in STREAMS:
        memory.remember(transaction, stream)
        landed = landed_files(landing, stream, but_not=loaded)
        if landed:
            memory.not_loaded.append((stream, landed))
    return memory


def _recently_refused(transaction: Transaction, now: datetime) -> bool:
    refused = select(tables.sync_run.c.run_id).where(
        tables.sync_run.c.stopped_reason.in_(_REFUSED), tables.sync_run.c.started_at > now - _AUTH_BLOCK
    )
    return transaction.sql.scalar(refused.limit(1)) is not None


def _is_resuming(transaction: Transaction) -> bool:
    """Whether the last run was killed or failed: the last one written, for a clock may stand still."""
    newest_first = select(tables.sync_run.c.stopped_reason).order_by(text("rowid desc"))
    last = transaction.sql.execute(newest_first.limit(1)).first()
    return last is not None and last.stopped_reason != "done"


def _learnt_overlap(transaction: Transaction, now: datetime) -> timedelta:
    late = tables.late_row
    furthest: timedelta | None = transaction.sql.scalar(
        select(func.max(late.c.watermark_at - late.c.created_at)).where(
            late.c.first_seen_at > now - _REMEMBERED_FOR, late.c.observed_by != "backfill"
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


def note_start(transaction: Transaction, run_id: UUID, now: datetime) -> None:
    """Write that a run began; without an end it was killed, or still runs."""
    transaction.sql.execute(
        insert(tables.sync_run).values(run_id=run_id, started_at=as_utc(now), version=__version__)
    )


def note_end(
    transaction: Transaction, result: Mapping[str, Any], *, error: str | None, finished_at: datetime
) -> None:
    """Write how a run ended.

    Args:
        transaction: To write in.
        result: A `SyncResult` as a mapping; what `ops.sync_run` has a column for is kept.
        error: The message of the error that ended it.
        finished_at: The present moment.
    """
    kept = {name: value for name, value in result.items() if name in tables.sync_run.c and name != "run_id"}
    transaction.sql.execute(
        update(tables.sync_run)
        .where(tables.sync_run.c.run_id == UUID(result["run_id"]))
        .values(**kept, finished_at=as_utc(finished_at), error=error)
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
