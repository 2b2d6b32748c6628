"""Finds what is stored and was not answered (deleted, most likely), and marks what is known to be gone."""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.loading.batch import Batch
from sms_etl.warehouse.store import Transaction


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


def find_missing(transaction: Transaction, batch: Batch) -> Missing:
    """Return what is stored within the windows and not known to be gone, but was not among their rows.

    What was answered and could not be read is not missing.
    """
    spans = [
        (from_unix(manifest.since), from_unix(manifest.until), manifest.rows + manifest.rows_bad == 0)
        for manifest in (file.manifest for file in batch.files)
        if manifest.since is not None and manifest.until is not None
    ]
    if not spans or batch.stream.cursor != "created_at":
        return Missing()
    earliest, latest = min(spans)[0], max(until for _, until, _ in spans)
    if not _is_stored(transaction, batch.table, earliest, latest):
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
        from {batch.table} as stored
        join spans on stored.created_at >= spans.since_at and stored.created_at <= spans.until_at
        where stored.created_at >= $earliest and stored.created_at <= $latest
            and stored.gone_at is null
            and not exists (select 1 from {batch.view} as batch where batch.uuid = stored.uuid)
            and cast(stored.uuid as varchar) not in (
                select lower(bad_uuid) from read_parquet($paths) where bad_uuid is not null
            )
        order by spans.since_at, stored.created_at, stored.uuid
        """,
        {
            "paths": [str(file.path) for file in batch.files],
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


def _is_stored(transaction: Transaction, table: str, earliest: datetime, latest: datetime) -> bool:
    """Return whether any row is stored that was created between these two moments, both included."""
    (found,) = transaction.row(
        f"select exists(select 1 from {table} where created_at between $1 and $2)",
        [earliest, latest],
    )
    return bool(found)


def mark_gone(transaction: Transaction, batch: Batch, *, is_late: bool) -> int:
    """Mark what the provider says is deleted; return how many rows."""
    (marked,) = transaction.row(
        f"""
        update {batch.table} as stored set gone_at = $gone_at, changed_at = $gone_at
        from read_parquet($paths) as landed
        where landed.is_gone and stored.uuid = cast(landed.uuid as uuid) and stored.gone_at is null
            {"and stored.last_seen_at <= landed.seen_at" if is_late else ""}
        """,
        {
            "gone_at": as_utc(batch.files[-1].manifest.fetched_at),
            "paths": [str(file.path) for file in batch.files],
        },
    )
    return int(marked)
