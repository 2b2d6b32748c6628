"""Records messages that became visible late: the overlap must cover how late they were."""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from sms_etl.sync.loading.batch import Batch
from sms_etl.sync.loading.merge import Stored
from sms_etl.sync.loading.watermark import watermark_of
from sms_etl.sync.plan import TEACHING_LATENESS, Purpose
from sms_etl.warehouse.store import Transaction


def note_late_rows(transaction: Transaction, batch: Batch, stored: Stored) -> int:
    """Record new rows that lie before the watermark; the overlap must cover how far.

    Returns:
        How many became visible late: a backfill and a replay bring rows that were never asked for, or came
        before and could not be loaded.
    """
    purpose = batch.manifest.why_read
    watermark = watermark_of(transaction, batch.stream)
    if watermark is None or batch.stream.change_log is None or purpose is Purpose.SETTLE:
        return 0
    if batch.earliest is None or batch.earliest >= watermark:
        return 0
    (late,) = transaction.row(
        f"""
        insert into ops.late_row (uuid, created_at, watermark_at, observed_by, first_seen_at, purpose)
        select batch.uuid, batch.created_at, $watermark, $observed_by, batch.seen_at, $purpose
        from {batch.view} as batch
        where batch.created_at < $watermark and batch.uuid not in (select met.uuid from {stored.table} as met)
        """,
        {"watermark": watermark, "observed_by": batch.manifest.observed_by, "purpose": purpose.value},
    )
    return int(late) if purpose in TEACHING_LATENESS else 0
