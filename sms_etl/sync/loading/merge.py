"""Loads landed files in one transaction: rows, change log, quarantine, windows, watermark, or nothing.

Loading a file twice changes nothing. Files are loaded in the order they were read, by one run at a time: the
clock, which may have been wrong, does not decide which observation is the newer one. The uuid is the key,
whatever a row's time: one that comes with another `created_at` moves. The SQL is made from the table's own
columns, so that a column is named once, in `warehouse/tables.py`.
"""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from uuid import UUID

from sqlalchemy import insert, select, update

from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc, from_unix
from sms_etl.providers.lox24.records import LEFT_OUT
from sms_etl.sync.landing.files import Landed, WindowManifest
from sms_etl.sync.loading.quarantine import quarantine
from sms_etl.sync.plan import TEACHING_LATENESS, Purpose
from sms_etl.sync.streams import Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.copies import merge_copies
from sms_etl.warehouse.store import Transaction

_log = logging.getLogger(__name__)

MEMORY_OF_AN_INSERT = "80MB"
"""It only streams: what more it had would fill with the file's own blocks. A merge needs what it needs."""
_TEXT_FEATURES = ("text_units", "text_parts", "text_non_gsm", "text_template")
"""Stay when the provider deletes the text they were read from."""


@dataclass(frozen=True, kw_only=True)
class LoadCounts:
    """What loading counts. A run's result has these fields, and `ops.sync_run` columns of their names."""

    windows: int = 0
    pages: int = 0
    rows_seen: int = 0
    rows_new: int = 0
    rows_changed: int = 0
    rows_gone: int = 0
    """Rows the provider says are deleted, pruned ones included."""
    rows_pruned: int = 0
    """Of them, those of spans in which the provider has nothing any more."""
    rows_quarantined: int = 0
    files_quarantined: int = 0
    """Landed files that could not be loaded and were put aside as a whole."""
    rows_late: int = 0
    """New messages created before the watermark: they became visible late."""
    prices_rounded: int = 0
    """Prices with binary noise, taken as the amount with six decimals beside them."""
    unknown_fields: tuple[str, ...] = ()
    """Fields of the provider that were seen for the first time."""

    def __add__(self, other: "LoadCounts") -> "LoadCounts":
        names = [field.name for field in fields(LoadCounts)]
        return LoadCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class Missing:
    """Uuids stored within windows that were read whole and did not hold them: deleted, most likely."""

    of_some: tuple[str, ...] = ()
    """Other rows of their windows are still there."""
    of_all: tuple[tuple[str, ...], ...] = ()
    """By window: those of windows in which the provider has nothing any more, in order of their creation."""
    moved: frozenset[str] = frozenset()
    """Those that came with another time than they were stored with: wherever they were missing, they are
    not."""

    def __add__(self, later: "Missing") -> "Missing":
        """Join it with what a later load found."""
        windows = (tuple(uuid for uuid in uuids if uuid not in later.moved) for uuids in self.of_all)
        return Missing(
            tuple(uuid for uuid in self.of_some if uuid not in later.moved) + later.of_some,
            (*(uuids for uuids in windows if uuids), *later.of_all),
        )


def load(
    transaction: Transaction,
    stream: Stream,
    landed: Sequence[Landed],
    *,
    run_id: UUID,
    now: datetime,
    memory: str | None = MEMORY_OF_AN_INSERT,
    is_late: bool = False,
) -> tuple[LoadCounts, Missing]:
    """Load landed files of one stream, together: a merge of many rows costs little more than one of few.

    Args:
        transaction: Everything happens in it.
        stream: The files'.
        landed: Oldest first, all observed in the same way and in one currency; see `batches`.
        run_id: The run that loads them; another one may have fetched them.
        now: Stamps the load.
        memory: What an insert may take; None: what the machine has.
        is_late: The files were put aside and others read since: a row that was seen later stays as it is,
            the watermark where it is, and nothing counts as missing.

    Returns:
        What it counted, and what is missing from the windows that were read whole.
    """
    files = _not_loaded(transaction, landed)
    if not files:
        return LoadCounts(), Missing()
    if is_late:
        files = [file.without_watermark() for file in files]
    facts = files[0].facts
    batch = _show_batch(transaction, stream, files, is_late=is_late)
    missing = Missing() if is_late else _missing(transaction, stream, files)
    stored = _look_up(transaction, stream, facts, batch)
    late = _note_late_rows(transaction, stream, facts, batch)
    moved = _move_rows(transaction, stream) if stored else frozenset()
    if stored:
        counts = _compare_and_merge(transaction, stream, facts)
    else:
        counts = _insert(transaction, stream, facts, batch, memory)
    gone = _mark_gone(transaction, stream, files, is_late=is_late)
    _log_windows(transaction, files, now)
    quarantined = quarantine(transaction, stream, files, run_id=run_id, now=now)
    unknown_fields = _note_unknown_fields(transaction, stream, now)
    _advance_watermark(transaction, stream, files, batch, run_id, now)
    if counts.rows_new or counts.rows_changed or gone or quarantined:
        mark_stale(transaction)
    counts += LoadCounts(
        windows=len(files),
        pages=sum(file.facts.pages for file in files),
        rows_seen=sum(file.facts.rows + file.facts.rows_bad for file in files),
        rows_gone=gone,
        rows_pruned=gone if facts.is_pruned else 0,
        rows_quarantined=quarantined,
        rows_late=late,
        prices_rounded=sum(file.facts.prices_rounded for file in files),
        unknown_fields=unknown_fields,
    )
    _log.info(
        "Loaded %d windows of %s (%s): %d rows, %d new, %d changed, %d gone, %d quarantined.",
        counts.windows,
        stream.name,
        facts.why_read,
        counts.rows_seen,
        counts.rows_new,
        counts.rows_changed,
        counts.rows_gone,
        counts.rows_quarantined,
    )
    return counts, replace(missing, moved=moved)


async def batches(landed: AsyncIterator[Landed], *, most_rows: int) -> AsyncIterator[list[Landed]]:
    """Group landed files into what can be loaded together: observed alike, and of about so many rows.

    An error of the source comes after the files before it: what is landed is to be loaded.
    """
    batch: list[Landed] = []
    error: Exception | None = None
    try:
        async for file in landed:
            if batch and (_kind(file) != _kind(batch[0]) or _rows(batch) + file.facts.rows > most_rows):
                yield batch
                batch = []
            batch.append(file)
    except Exception as exc:  # noqa: BLE001 - it is raised below
        error = exc
    if batch:
        yield batch
    if error is not None:
        raise error


def _rows(files: Sequence[Landed]) -> int:
    return sum(file.facts.rows for file in files)


def watermark_of(transaction: Transaction, stream: Stream) -> datetime | None:
    """Return the time up to which a stream was read, UTC."""
    found: datetime | None = transaction.sql.scalar(
        select(tables.watermark.c.watermark_at).where(tables.watermark.c.stream == stream.name)
    )
    return found


def _kind(landed: Landed) -> tuple[Purpose, str, str, bool, bool]:
    facts = landed.facts
    return facts.why_read, facts.observed_by, facts.currency, facts.advances_watermark, facts.is_pruned


def _not_loaded(transaction: Transaction, landed: Sequence[Landed]) -> list[Landed]:
    known = select(tables.fetch_window.c.window_id).where(
        tables.fetch_window.c.window_id.in_([file.facts.window_id for file in landed])
    )
    loaded = set(transaction.sql.scalars(known))
    return [file for file in landed if file.facts.window_id not in loaded]


@dataclass(frozen=True, slots=True)
class _Batch:
    """The good rows of some files, one a uuid, as the view `batch` shows them; times are UTC.

    A view, as most columns are read once: a table of them would take as much memory as the load itself.
    """

    rows: int
    earliest: datetime | None
    """By `created_at`; None without rows."""
    latest: datetime | None
    reached: datetime | None
    """The latest by the stream's own time."""
    is_in_order: bool
    """Whether the files follow each other in time, as those of a span do."""


def _show_batch(
    transaction: Transaction, stream: Stream, files: Sequence[Landed], *, is_late: bool
) -> _Batch:
    """Make the view `batch`; of files that come late, without the rows that were seen since."""
    columns = ", ".join(
        f"cast(landed.{column.name} as {column.type.compile(transaction.sql.dialect)}) as {column.name}"
        for column in stream.provider_columns
    )
    paths = ", ".join(_quoted(str(file.path)) for file in files)
    good = f"""
        select {columns}, landed.seen_at from read_parquet([{paths}]) as landed
        where landed.bad_reason is null and not landed.is_gone
        """
    if is_late:
        good += f"""
            and not exists (
                select 1 from raw.{stream.table.name} as stored
                where stored.uuid = cast(landed.uuid as uuid) and stored.last_seen_at > landed.seen_at
            )
            """
    transaction.run(f"create or replace temp view batch as {good}")
    extent = f"count(*), count(distinct uuid), min(created_at), max(created_at), max({stream.cursor})"
    count, uuids, earliest, latest, reached = transaction.row(f"select {extent} from batch")
    if uuids < count or is_late:  # files of a run before this one: the later observation counts
        transaction.run(
            f"""
            create or replace temp table newest as {good} qualify row_number() over (
                partition by landed.uuid order by landed.file_index desc, landed.file_row_number desc
            ) = 1
            """
        )
        transaction.run("create or replace temp view batch as select * from newest")
    spans = [file.facts for file in files]
    follows = (
        earlier.until is not None and later.since is not None and earlier.until < later.since
        for earlier, later in pairwise(spans)
    )
    return _Batch(uuids, earliest, latest, reached, spans[0].since is not None and all(follows))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _look_up(transaction: Transaction, stream: Stream, facts: WindowManifest, batch: _Batch) -> int:
    """Make the table `met` of what is stored of the batch, with its stored time; return its number of rows.

    Looked for first within the batch's own time, which is a fraction of the table, and beyond it if any row
    is not there: it is new, or its time changed. What was asked for by uuid may be stored at two times.
    """
    within = ""
    if batch.earliest is not None and facts.since is not None:
        within = "and stored.created_at between $earliest and $latest"
    met = _look_up_within(transaction, stream, batch, within)
    return met if not within or met == batch.rows else _look_up_within(transaction, stream, batch, "")


def _look_up_within(transaction: Transaction, stream: Stream, batch: _Batch, within: str) -> int:
    transaction.run(
        f"""
        create or replace temp table met as
        select stored.uuid, stored.created_at from raw.{stream.table.name} as stored
        where stored.uuid in (select batch.uuid from batch) {within}
        """,
        {"earliest": batch.earliest, "latest": batch.latest} if within else None,
    )
    (met,) = transaction.row("select count(*) from met")
    return int(met)


def _move_rows(transaction: Transaction, stream: Stream) -> frozenset[str]:
    """Move what is stored of the batch to the time it came with, each uuid once; return the uuids that moved.

    The merge then finds all of it within the batch's own time. Warehouses of earlier versions may hold a row
    at both of its times: the one that was seen last stays.
    """
    table = f"raw.{stream.table.name}"
    transaction.run(
        """
        create or replace temp table moved as
        select distinct batch.uuid, batch.created_at from batch
        inner join met on batch.uuid = met.uuid
        where batch.created_at != met.created_at
        """
    )
    (copies,) = transaction.row("select count(*) - count(distinct uuid) from met")
    if copies:
        for statement in merge_copies(table, "select met.uuid from met group by all having count(*) > 1"):
            transaction.run(statement)
    transaction.run(
        f"""
        update {table} as stored set created_at = moved.created_at from moved
        where stored.uuid = moved.uuid and stored.created_at != moved.created_at
        """
    )
    rows = transaction.native.execute("select cast(uuid as varchar) from moved").fetchall()
    return frozenset(uuid for (uuid,) in rows)


def _is_stored(transaction: Transaction, stream: Stream, earliest: datetime, latest: datetime) -> bool:
    """Return whether any row is stored that was created between these two moments, both included."""
    (found,) = transaction.row(
        f"select exists(select 1 from raw.{stream.table.name} where created_at between $1 and $2)",
        [earliest, latest],
    )
    return bool(found)


def _insert(
    transaction: Transaction, stream: Stream, facts: WindowManifest, batch: _Batch, memory: str | None
) -> LoadCounts:
    """Insert a batch none of which is stored: a first sync spends half of a merge's time."""
    if not batch.rows:
        return LoadCounts()
    if memory is not None:
        transaction.use_memory(memory)
    columns = ", ".join(column.name for column in stream.provider_columns)
    (new,) = transaction.row(
        f"""
        insert into raw.{stream.table.name} ({columns}, currency, first_seen_at, last_seen_at, changed_at)
        select {columns}, $currency, seen_at, seen_at, seen_at from batch
        {"" if batch.is_in_order else "order by created_at"}
        """,
        {"currency": facts.currency},
    )
    _log_changes(transaction, stream, facts, "select *, seen_at as observed_at from batch")
    return LoadCounts(rows_new=new)


def _compare_and_merge(transaction: Transaction, stream: Stream, facts: WindowManifest) -> LoadCounts:
    columns = [column.name for column in stream.provider_columns]
    table = f"raw.{stream.table.name}"
    transaction.run(
        f"""
        create or replace temp table delta as
        with stored as (
            select * from {table}
            where created_at >= (select min(created_at) from batch)
                and created_at <= (select max(created_at) from batch)
        )
        select {_kept_columns(columns)}, batch.seen_at,
            stored.uuid is null as is_new,
            stored.uuid is not null and (
                stored.gone_at is not null
                or batch.uuid in (select moved.uuid from moved)
                or {_differs(columns)}
            ) as is_changed,
            stored.uuid is null or {_differs(stream.tracked)} as is_logged,
            -- Later than the change before it, even under a clock that stands still.
            greatest(
                batch.seen_at, coalesce(stored.changed_at + interval 1 microsecond, batch.seen_at)
            ) as observed_at
        from batch left join stored on stored.uuid = batch.uuid
        order by batch.created_at
        """
    )
    _log_changes(transaction, stream, facts, "select * from delta where is_logged")
    transaction.run(
        f"""
        merge into {table} as stored
        using delta
        on stored.uuid = delta.uuid
            and stored.created_at >= (select min(created_at) from batch)
            and stored.created_at <= (select max(created_at) from batch)
        when matched and delta.is_changed then update set
            {", ".join(f"{name} = delta.{name}" for name in columns)},
            last_seen_at = delta.seen_at, changed_at = delta.observed_at, gone_at = null
        when matched then update set last_seen_at = delta.seen_at
        when not matched then insert
            ({", ".join(columns)}, currency, first_seen_at, last_seen_at, changed_at)
            values ({", ".join(f"delta.{name}" for name in columns)},
                $currency, delta.seen_at, delta.seen_at, delta.seen_at)
        """,
        {"currency": facts.currency},
    )
    new, changed = transaction.row("select count(*) filter (is_new), count(*) filter (is_changed) from delta")
    return LoadCounts(rows_new=new, rows_changed=changed)


def _log_changes(transaction: Transaction, stream: Stream, facts: WindowManifest, changes: str) -> None:
    """Write a row a change, the first sighting included.

    Args:
        transaction: To write in.
        stream: Whose change log; a stream without one keeps none.
        facts: Of the windows.
        changes: A query that gives the rows that changed, and when that was observed.
    """
    if stream.change_log is None:
        return
    logged = ", ".join(stream.tracked)
    transaction.run(
        f"insert into raw.{stream.change_log.name} (uuid, observed_at, observed_by, currency, {logged}) "
        f"select uuid, observed_at, $observed_by, $currency, {logged} from ({changes}) as changes",
        {"observed_by": facts.observed_by, "currency": facts.currency},
    )


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


def _missing(transaction: Transaction, stream: Stream, files: Sequence[Landed]) -> Missing:
    """Return what is stored within the windows and not known to be gone, but was not among their rows.

    What was answered and could not be read is not missing.
    """
    spans = [
        (from_unix(facts.since), from_unix(facts.until), facts.rows + facts.rows_bad == 0)
        for facts in (file.facts for file in files)
        if facts.since is not None and facts.until is not None
    ]
    if not spans or stream.cursor != "created_at":
        return Missing()
    earliest, latest = min(spans)[0], max(until for _, until, _ in spans)
    if not _is_stored(transaction, stream, earliest, latest):
        return Missing()
    rows = transaction.native.execute(
        f"""
        with spans as (
            select
                unnest(cast($since as timestamp[])) as since_at,
                unnest(cast($until as timestamp[])) as until_at,
                unnest(cast($is_empty as boolean[])) as is_empty
        )
        select cast(stored.uuid as varchar), spans.is_empty, spans.since_at
        from raw.{stream.table.name} as stored
        join spans on stored.created_at >= spans.since_at and stored.created_at <= spans.until_at
        where stored.created_at >= $earliest and stored.created_at <= $latest
            and stored.gone_at is null
            and not exists (select 1 from batch where batch.uuid = stored.uuid)
            and cast(stored.uuid as varchar) not in (
                select lower(bad_uuid) from read_parquet($paths) where bad_uuid is not null
            )
        order by spans.since_at, stored.created_at, stored.uuid
        """,
        {
            "paths": [str(file.path) for file in files],
            "since": [since for since, _, _ in spans],
            "until": [until for _, until, _ in spans],
            "is_empty": [is_empty for _, _, is_empty in spans],
            "earliest": earliest,
            "latest": latest,
        },
    ).fetchall()
    return Missing(
        of_some=tuple(uuid for uuid, is_empty, _ in rows if not is_empty),
        of_all=tuple(
            tuple(uuid for uuid, _, _ in of_window)
            for is_empty, of_window in groupby(rows, key=itemgetter(1, 2))
            if is_empty[0]
        ),
    )


def _note_late_rows(transaction: Transaction, stream: Stream, facts: WindowManifest, batch: _Batch) -> int:
    """Keep the new rows that lie before the watermark: how far is what the overlap must cover.

    Returns:
        How many became visible late: a backfill and a replay bring rows that were never asked for, or came
        before and could not be loaded.
    """
    watermark = watermark_of(transaction, stream)
    if watermark is None or stream.change_log is None or facts.why_read is Purpose.SETTLE:
        return 0
    if batch.earliest is None or batch.earliest >= watermark:
        return 0
    (late,) = transaction.row(
        """
        insert into ops.late_row (uuid, created_at, watermark_at, observed_by, first_seen_at, purpose)
        select batch.uuid, batch.created_at, $watermark, $observed_by, batch.seen_at, $purpose
        from batch
        where batch.created_at < $watermark and batch.uuid not in (select met.uuid from met)
        """,
        {"watermark": watermark, "observed_by": facts.observed_by, "purpose": facts.why_read.value},
    )
    return int(late) if facts.why_read in TEACHING_LATENESS else 0


def _note_unknown_fields(transaction: Transaction, stream: Stream, now: datetime) -> tuple[str, ...]:
    """Keep the first sight of every field that is not known here."""
    rows = transaction.native.execute(
        """
        insert into ops.unknown_field (stream, field, first_seen_at)
        select distinct $table, field, cast($now as timestamp)
        from (select unnest(json_keys(extra)) as field from batch where extra is not null) as fields
        where field != $left_out
            and field not in (select known.field from ops.unknown_field as known where known.stream = $table)
        returning field
        """,
        {"table": stream.table.name, "now": as_utc(now), "left_out": LEFT_OUT},
    ).fetchall()
    return tuple(sorted(field for (field,) in rows))


def _mark_gone(transaction: Transaction, stream: Stream, files: Sequence[Landed], *, is_late: bool) -> int:
    (marked,) = transaction.row(
        f"""
        update raw.{stream.table.name} as stored set gone_at = $gone_at, changed_at = $gone_at
        from read_parquet($paths) as landed
        where landed.is_gone and stored.uuid = cast(landed.uuid as uuid) and stored.gone_at is null
            {"and stored.last_seen_at <= landed.seen_at" if is_late else ""}
        """,
        {"gone_at": as_utc(files[-1].facts.fetched_at), "paths": [str(file.path) for file in files]},
    )
    return int(marked)


def _log_windows(transaction: Transaction, files: Sequence[Landed], now: datetime) -> None:
    transaction.sql.execute(insert(tables.fetch_window), [_window_row(file, now) for file in files])


def _window_row(file: Landed, now: datetime) -> dict[str, object]:
    facts = file.facts
    return {
        "window_id": facts.window_id,
        "run_id": facts.run_id,
        "stream": facts.stream,
        "observed_by": facts.observed_by,
        "since_at": None if facts.since is None else from_unix(facts.since),
        "until_at": None if facts.until is None else from_unix(facts.until),
        "rows": facts.rows,
        "rows_quarantined": facts.rows_bad,
        "pages": facts.pages,
        "attempts": facts.attempts,
        "landed": file.path.name,
        "fetched_at": as_utc(facts.fetched_at),
        "loaded_at": as_utc(now),
        "purpose": facts.why_read.value,
    }


def _advance_watermark(
    transaction: Transaction,
    stream: Stream,
    files: Sequence[Landed],
    batch: _Batch,
    run_id: UUID,
    now: datetime,
) -> None:
    """Move the watermark to the newest row of the windows, never back.

    Not to the last window's end: that is this machine's time, and a clock that ran ahead would skip rows.
    """
    if not files[0].facts.advances_watermark:
        return
    before = watermark_of(transaction, stream)
    if batch.reached is None or (before is not None and batch.reached < before):
        return
    values = {
        "watermark_at": batch.reached,
        "run_id": run_id,
        "updated_at": as_utc(now),
        "read_at": as_utc(files[-1].facts.fetched_at),
    }
    if before is None:
        transaction.sql.execute(insert(tables.watermark).values(stream=stream.name, **values))
    else:
        transaction.sql.execute(
            update(tables.watermark).where(tables.watermark.c.stream == stream.name).values(values)
        )
