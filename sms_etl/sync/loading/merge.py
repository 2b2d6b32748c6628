"""Merges a batch into its table: what is new, what changed, what moved; with the change log.

The uuid is the key, whatever a row's time: one that comes with another `created_at` moves. The SQL is made
from the table's own columns, so that a column is named once, in `warehouse/tables.py`.
"""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from collections.abc import Sequence
from dataclasses import dataclass

from sms_etl.sync.loading.batch import Batch
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.warehouse.copies import merge_copies
from sms_etl.warehouse.store import Transaction

MEMORY_OF_AN_INSERT = "64MB"
"""It only streams: what more it had would fill with the file's own blocks. A merge needs what it needs."""
_TEXT_FEATURES = ("text_units", "text_parts", "text_non_gsm", "text_template")
"""Stay when the provider deletes the text they were read from."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a batch."""

    table: str
    """Its uuids, each with the time it is stored with; a uuid may be stored at two times."""
    moved: str
    """The table that `move_rows` makes: those whose time changed, with their new one."""
    rows: int


def look_up(transaction: Transaction, batch: Batch) -> Stored:
    """Return what is stored of a batch.

    Looked for first within the batch's own time, which is a fraction of the table, and beyond it if any row
    is not there: it is new, or its time changed. What was asked for by uuid may be stored at two times.
    """
    within = ""
    if batch.earliest is not None and batch.manifest.since is not None:
        within = "and stored.created_at between $earliest and $latest"
    stored = _look_up_within(transaction, batch, within)
    is_complete = not within or stored.rows == batch.rows
    return stored if is_complete else _look_up_within(transaction, batch, "")


def _look_up_within(transaction: Transaction, batch: Batch, within: str) -> Stored:
    transaction.run(
        f"""
        create or replace temp table met as
        select stored.uuid, stored.created_at from {batch.table} as stored
        where stored.uuid in (select batch.uuid from {batch.view} as batch) {within}
        """,
        {"earliest": batch.earliest, "latest": batch.latest} if within else None,
    )
    (rows,) = transaction.row("select count(*) from met")
    return Stored("met", "moved", rows)


def move_rows(transaction: Transaction, batch: Batch, stored: Stored) -> frozenset[str]:
    """Move what is stored of the batch to the time it came with, each uuid once; return the uuids that moved.

    The merge then finds all of it within the batch's own time. Warehouses of earlier versions may hold a row
    at both of its times: the one that was seen last stays.
    """
    transaction.run(
        f"""
        create or replace temp table {stored.moved} as
        select distinct batch.uuid, batch.created_at from {batch.view} as batch
        inner join {stored.table} as met on batch.uuid = met.uuid
        where batch.created_at != met.created_at
        """
    )
    (copies,) = transaction.row(f"select count(*) - count(distinct uuid) from {stored.table}")
    if copies:
        for statement in merge_copies(
            batch.table, f"select uuid from {stored.table} group by all having count(*) > 1"
        ):
            transaction.run(statement)
    transaction.run(
        f"""
        update {batch.table} as stored set created_at = moved.created_at from {stored.moved} as moved
        where stored.uuid = moved.uuid and stored.created_at != moved.created_at
        """
    )
    rows = transaction.native.execute(f"select cast(uuid as varchar) from {stored.moved}").fetchall()
    return frozenset(uuid for (uuid,) in rows)


def insert(transaction: Transaction, batch: Batch, memory: str | None) -> LoadCounts:
    """Insert a batch none of which is stored: a first sync spends half of a merge's time."""
    if not batch.rows:
        return LoadCounts()
    if memory is not None:
        transaction.use_memory(memory)
    columns = ", ".join(column.name for column in batch.stream.provider_columns)
    (new,) = transaction.row(
        f"""
        insert into {batch.table} ({columns}, currency, first_seen_at, last_seen_at, changed_at)
        select {columns}, $currency, seen_at, seen_at, seen_at from {batch.view}
        {"" if batch.is_in_order else "order by created_at"}
        """,
        {"currency": batch.manifest.currency},
    )
    _log_changes(transaction, batch, f"select *, seen_at as observed_at from {batch.view}")
    return LoadCounts(rows_new=new)


def merge(transaction: Transaction, batch: Batch, stored: Stored) -> LoadCounts:
    """Compare a batch with what is stored, log what changed, and merge it."""
    columns = [column.name for column in batch.stream.provider_columns]
    table = batch.table
    transaction.run(
        f"""
        create or replace temp table delta as
        with stored as (
            select * from {table}
            where created_at >= (select min(created_at) from {batch.view})
                and created_at <= (select max(created_at) from {batch.view})
        )
        select {kept_columns(columns)}, batch.seen_at,
            stored.uuid is null as is_new,
            stored.uuid is not null and (
                stored.gone_at is not null
                or batch.uuid in (select moved.uuid from {stored.moved} as moved)
                or {_differs(columns)}
            ) as is_changed,
            stored.uuid is null or {_differs(batch.stream.tracked)} as is_logged,
            -- Later than the change before it, even under a clock that stands still.
            greatest(
                batch.seen_at, coalesce(stored.changed_at + interval 1 microsecond, batch.seen_at)
            ) as observed_at
        from {batch.view} as batch left join stored on stored.uuid = batch.uuid
        order by batch.created_at
        """
    )
    _log_changes(transaction, batch, "select * from delta where is_logged")
    transaction.run(
        f"""
        merge into {table} as stored
        using delta
        on stored.uuid = delta.uuid
            and stored.created_at >= (select min(created_at) from {batch.view})
            and stored.created_at <= (select max(created_at) from {batch.view})
        when matched and delta.is_changed then update set
            {", ".join(f"{name} = delta.{name}" for name in columns)},
            last_seen_at = delta.seen_at, changed_at = delta.observed_at, gone_at = null
        when matched then update set last_seen_at = delta.seen_at
        when not matched then insert
            ({", ".join(columns)}, currency, first_seen_at, last_seen_at, changed_at)
            values ({", ".join(f"delta.{name}" for name in columns)},
                $currency, delta.seen_at, delta.seen_at, delta.seen_at)
        """,
        {"currency": batch.manifest.currency},
    )
    new, changed = transaction.row("select count(*) filter (is_new), count(*) filter (is_changed) from delta")
    return LoadCounts(rows_new=new, rows_changed=changed)


def _log_changes(transaction: Transaction, batch: Batch, changes: str) -> None:
    """Write a row a change, the first sighting included.

    Args:
        transaction: To write in.
        batch: Whose stream's change log; a stream without one keeps none.
        changes: A query that gives the rows that changed, and when that was observed.
    """
    change_log = batch.stream.change_log
    if change_log is None:
        return
    logged = ", ".join(batch.stream.tracked)
    transaction.run(
        f"insert into raw.{change_log.name} (uuid, observed_at, observed_by, currency, {logged}) "
        f"select uuid, observed_at, $observed_by, $currency, {logged} from ({changes}) as changes",
        {"observed_by": batch.manifest.observed_by, "currency": batch.manifest.currency},
    )


def _differs(columns: Sequence[str]) -> str:
    compared = (name for name in columns if name != "uuid")
    return "(" + " or ".join(_difference(name) for name in compared) + ")"


def _difference(name: str) -> str:
    if name in _TEXT_FEATURES:
        return f"(batch.{name} is not null and batch.{name} is distinct from stored.{name})"
    return f"batch.{name} is distinct from stored.{name}"


def kept_columns(columns: Sequence[str]) -> str:
    """Return the SQL of a row as a merge stores it: `batch` is what was read, `stored` what was there."""
    return ", ".join(
        f"coalesce(batch.{name}, stored.{name}) as {name}" if name in _TEXT_FEATURES else f"batch.{name}"
        for name in columns
    )
