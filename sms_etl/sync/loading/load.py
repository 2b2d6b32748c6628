"""Loads landed files in one transaction: rows, change log, quarantine, windows, watermark, or nothing.

Loading a file twice changes nothing. Files are loaded in the order they were read, by one run at a time: the
clock, which may have been wrong, does not decide which observation is the newer one. Each step has a module
of its own and is told which relations it reads.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sms_etl.build_state import mark_stale
from sms_etl.sync.landing.files import Landed
from sms_etl.sync.loading.batch import Batch, show_batch
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.lateness import note_late_rows
from sms_etl.sync.loading.merge import MEMORY_OF_AN_INSERT, insert, look_up, merge, move_rows
from sms_etl.sync.loading.missing import Missing, find_missing, mark_gone
from sms_etl.sync.loading.quarantine import quarantine
from sms_etl.sync.loading.unknown_fields import note_unknown_fields
from sms_etl.sync.loading.watermark import advance_watermark
from sms_etl.sync.loading.windows import log_windows, not_loaded
from sms_etl.sync.streams import Stream
from sms_etl.warehouse.store import Transaction

_log = logging.getLogger(__name__)


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
    files = not_loaded(transaction, landed)
    if not files:
        return LoadCounts(), Missing()
    if is_late:
        files = [file.without_watermark() for file in files]
    batch = show_batch(transaction, stream, files, is_late=is_late)
    missing = Missing() if is_late else find_missing(transaction, batch)
    counts, moved = _write(transaction, batch, memory)
    gone = mark_gone(transaction, batch, is_late=is_late)
    log_windows(transaction, files, now)
    quarantined = quarantine(transaction, stream, files, run_id=run_id, now=now)
    unknown_fields = note_unknown_fields(transaction, batch, now)
    advance_watermark(transaction, batch, run_id, now)
    if counts.rows_new or counts.rows_changed or gone or quarantined:
        mark_stale(transaction)
    counts += LoadCounts(
        windows=len(files),
        pages=sum(file.manifest.pages for file in files),
        rows_seen=sum(file.manifest.rows + file.manifest.rows_bad for file in files),
        rows_gone=gone,
        rows_pruned=gone if batch.manifest.is_pruned else 0,
        rows_quarantined=quarantined,
        prices_rounded=sum(file.manifest.prices_rounded for file in files),
        unknown_fields=unknown_fields,
    )
    _log_counts(batch, counts)
    return counts, replace(missing, moved=moved)


def _write(transaction: Transaction, batch: Batch, memory: str | None) -> tuple[LoadCounts, frozenset[str]]:
    """Write the rows of a batch; return what was counted, and the uuids whose time changed."""
    stored = look_up(transaction, batch)
    late = LoadCounts(rows_late=note_late_rows(transaction, batch, stored))
    if not stored.rows:
        return late + insert(transaction, batch, memory), frozenset()
    moved = move_rows(transaction, batch, stored)
    return late + merge(transaction, batch, stored), moved


def _log_counts(batch: Batch, counts: LoadCounts) -> None:
    _log.info(
        "Loaded %d windows of %s (%s): %d rows, %d new, %d changed, %d gone, %d quarantined.",
        counts.windows,
        batch.stream.name,
        batch.manifest.why_read,
        counts.rows_seen,
        counts.rows_new,
        counts.rows_changed,
        counts.rows_gone,
        counts.rows_quarantined,
    )
