"""Loads one landed file in one transaction: rows, change log, quarantine, window, watermark, or nothing.

Loading a file twice changes nothing. An observation older than what is stored never overwrites it. The
SQL is made from the table's own columns, so that a column is named once, in `warehouse/tables.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.land import WAREHOUSE_COLUMNS, Landed, WindowFacts
from sms_etl.sync.streams import Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction

_TEXT_FEATURES = ("text_units", "text_parts", "text_non_gsm", "text_template")
"""Stay when the provider deletes the text they were read from."""


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """What loading changed."""

    windows: int = 0
    pages: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    quarantined: int = 0

    def __add__(self, other: "LoadCounts") -> "LoadCounts":
        return LoadCounts(
            self.windows + other.windows,
            self.pages + other.pages,
            self.seen + other.seen,
            self.new + other.new,
            self.changed + other.changed,
            self.gone + other.gone,
            self.quarantined + other.quarantined,
        )


def load(
    transaction: Transaction, stream: Stream, landed: Landed, *, run_id: UUID, now: datetime
) -> LoadCounts:
    """Load one landed file.

    Args:
        transaction: Everything happens in it.
        stream: The file's.
        landed: The file.
        run_id: The run that loads it; another one may have fetched it.
        now: Stamps the load.
    """
    facts = landed.facts
    if _is_loaded(transaction, facts):
        return LoadCounts()
    _read_batch(transaction, stream, landed)
    counts = _merge(transaction, stream, facts)
    gone = _mark_gone(transaction, stream, landed)
    quarantined = _quarantine(transaction, landed, run_id, now)
    _log_window(transaction, landed, now)
    _advance_watermark(transaction, stream, facts, run_id, now)
    return counts + LoadCounts(1, facts.pages, facts.rows + facts.rows_bad, 0, 0, gone, quarantined)


def watermark_of(transaction: Transaction, stream: Stream) -> datetime | None:
    """Give the time up to which a stream was read, UTC."""
    found: datetime | None = transaction.sql.scalar(
        select(tables.watermark.c.watermark_at).where(tables.watermark.c.stream == stream.name)
    )
    return found


def _is_loaded(transaction: Transaction, facts: WindowFacts) -> bool:
    known = select(tables.fetch_window.c.window_id).where(tables.fetch_window.c.window_id == facts.window_id)
    return transaction.sql.scalar(known) is not None


def _provider_columns(stream: Stream) -> list[str]:
    return [column.name for column in stream.table.columns if column.name not in WAREHOUSE_COLUMNS]


def _read_batch(transaction: Transaction, stream: Stream, landed: Landed) -> None:
    """Put the good rows in `batch`, one a uuid, sorted: unsorted, the merge was many times slower."""
    columns = ", ".join(
        f"cast({column.name} as {column.type.compile(transaction.sql.dialect)}) as {column.name}"
        for column in stream.table.columns
        if column.name not in WAREHOUSE_COLUMNS
    )
    transaction.native.execute(
        f"""
        create or replace temp table batch as
        select {columns}
        from read_parquet(?)
        where bad_reason is null and not is_gone
        qualify row_number() over (partition by uuid order by created_at) = 1
        order by created_at
        """,  # noqa: S608 - column names of our own tables
        [str(landed.path)],
    )


def _merge(transaction: Transaction, stream: Stream, facts: WindowFacts) -> LoadCounts:
    columns = _provider_columns(stream)
    table = f"raw.{stream.table.name}"
    seen_at = as_utc(facts.fetched_at)
    native = transaction.native
    native.execute(
        f"""
        create or replace temp table delta as
        with stored as (
            select * from {table}
            where created_at >= (select min(created_at) from batch)
                and created_at <= (select max(created_at) from batch)
        )
        select {_kept_columns(columns)},
            stored.uuid is null as is_new,
            stored.uuid is not null and (stored.gone_at is not null or {_differs(columns)}) as is_changed,
            stored.uuid is null or {_differs(stream.tracked)} as is_logged,
            -- Later than the change before it, even under a clock that stands still.
            greatest($seen_at, coalesce(stored.changed_at + interval 1 microsecond, $seen_at)) as observed_at
        from batch left join stored on stored.uuid = batch.uuid
        where stored.uuid is null or stored.last_seen_at <= $seen_at
        order by batch.created_at
        """,  # noqa: S608 - column names of our own tables
        {"seen_at": seen_at},
    )
    if stream.change_log is not None:
        logged = ", ".join(stream.tracked)
        native.execute(
            f"insert into raw.{stream.change_log.name} (uuid, observed_at, observed_by, currency, {logged}) "  # noqa: S608 - as above
            f"select uuid, observed_at, ?, ?, {logged} from delta where is_logged",
            [facts.observed_by, facts.currency],
        )
    native.execute(
        f"""
        merge into {table} as stored
        using delta
        on stored.uuid = delta.uuid
            and stored.created_at >= (select min(created_at) from batch)
            and stored.created_at <= (select max(created_at) from batch)
        when matched and delta.is_changed then update set
            {", ".join(f"{name} = delta.{name}" for name in columns)},
            last_seen_at = $seen_at, changed_at = delta.observed_at, gone_at = null
        when matched then update set last_seen_at = $seen_at
        when not matched then insert
            ({", ".join(columns)}, currency, first_seen_at, last_seen_at, changed_at)
            values ({", ".join(f"delta.{name}" for name in columns)},
                $currency, $seen_at, $seen_at, $seen_at)
        """,  # noqa: S608 - as above
        {"seen_at": seen_at, "currency": facts.currency},
    )
    new, changed = transaction.row("select count(*) filter (is_new), count(*) filter (is_changed) from delta")
    return LoadCounts(new=new, changed=changed)


def _differs(columns: Sequence[str]) -> str:
    compared = (name for name in columns if name != "uuid")
    return "(" + " or ".join(_difference(name) for name in compared) + ")"


def _difference(name: str) -> str:
    if name in _TEXT_FEATURES:
        return f"(batch.{name} is not null and batch.{name} is distinct from stored.{name})"
    return f"batch.{name} is distinct from stored.{name}"


def _kept_columns(columns: Sequence[str]) -> str:
    return ", ".join(
        f"coalesce(batch.{name}, stored.{name}) as {name}" if name in _TEXT_FEATURES else f"batch.{name}"
        for name in columns
    )


def _mark_gone(transaction: Transaction, stream: Stream, landed: Landed) -> int:
    gone_at = as_utc(landed.facts.fetched_at)
    (marked,) = transaction.row(
        f"""
        update raw.{stream.table.name} as stored set gone_at = $gone_at, changed_at = $gone_at
        from read_parquet($path) as landed
        where landed.is_gone and stored.uuid = cast(landed.uuid as uuid) and stored.gone_at is null
        """,  # noqa: S608 - as above
        {"gone_at": gone_at, "path": str(landed.path)},
    )
    return int(marked)


def _quarantine(transaction: Transaction, landed: Landed, run_id: UUID, now: datetime) -> int:
    """Keep the bad rows, each once; one that has since been loaded is marked."""
    facts = landed.facts
    transaction.native.execute(
        """
        update ops.quarantine set replayed_at = $now
        where replayed_at is null and uuid in (select cast(uuid as varchar) from batch)
        """,
        {"now": as_utc(now)},
    )
    (added,) = transaction.row(
        """
        insert into ops.quarantine
            (quarantine_id, run_id, window_id, stream, quarantined_at, reason, uuid, price, currency, raw)
        select uuid(), $run_id, $window_id, $stream, $now, bad_reason, bad_uuid, bad_price, $currency, bad_raw
        from read_parquet($path) as landed
        where bad_reason is not null
            and not exists (
                select 1 from ops.quarantine as known
                where known.replayed_at is null and known.stream = $stream
                    and known.reason = landed.bad_reason
                    and known.uuid is not distinct from landed.bad_uuid
                    and known.raw is not distinct from landed.bad_raw
            )
        """,
        {
            "run_id": run_id,
            "window_id": facts.window_id,
            "stream": facts.stream,
            "now": as_utc(now),
            "currency": facts.currency,
            "path": str(landed.path),
        },
    )
    return int(added)


def _log_window(transaction: Transaction, landed: Landed, now: datetime) -> None:
    facts = landed.facts
    transaction.sql.execute(
        insert(tables.fetch_window).values(
            window_id=facts.window_id,
            run_id=facts.run_id,
            stream=facts.stream,
            observed_by=facts.observed_by,
            since_at=None if facts.since is None else from_unix(facts.since),
            until_at=None if facts.until is None else from_unix(facts.until),
            rows=facts.rows,
            rows_quarantined=facts.rows_bad,
            pages=facts.pages,
            attempts=facts.attempts,
            landed=landed.path.name,
            fetched_at=as_utc(facts.fetched_at),
            loaded_at=as_utc(now),
        )
    )


def _advance_watermark(
    transaction: Transaction, stream: Stream, facts: WindowFacts, run_id: UUID, now: datetime
) -> None:
    """Move the watermark to the newest row of the window, never back.

    Not to the window's end: that is this machine's time, and a clock that ran ahead would skip rows.
    """
    if not facts.advances_watermark:
        return
    (reached,) = transaction.row(f"select max({stream.cursor}) from batch")  # noqa: S608 - as above
    before = watermark_of(transaction, stream)
    if reached is None or (before is not None and reached <= before):
        return
    values = {"watermark_at": reached, "run_id": run_id, "updated_at": as_utc(now)}
    if before is None:
        transaction.sql.execute(insert(tables.watermark).values(stream=stream.name, **values))
    else:
        transaction.sql.execute(
            update(tables.watermark).where(tables.watermark.c.stream == stream.name).values(values)
        )
