"""The watermark of a stream: up to where it was read. It commits with the rows it stands for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from sms_etl.clock import as_utc
from sms_etl.sync.loading.batch import Batch
from sms_etl.sync.streams import Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction


def watermark_of(transaction: Transaction, stream: Stream) -> datetime | None:
    """Return the time up to which a stream was read, UTC."""
    found: datetime | None = transaction.sql.scalar(
        select(tables.watermark.c.watermark_at).where(tables.watermark.c.stream == stream.name)
    )
    return found


def advance_watermark(
    transaction: Transaction,
    batch: Batch,
    run_id: UUID,
    now: datetime,
) -> None:
    """Move the watermark to the newest row of the windows, never back.

    Not to the last window's end: that is this machine's time, and a clock that ran ahead would skip rows.
    """
    if not batch.manifest.advances_watermark:
        return
    before = watermark_of(transaction, batch.stream)
    if batch.reached is None or (before is not None and batch.reached < before):
        return
    values = {
        "watermark_at": batch.reached,
        "run_id": run_id,
        "updated_at": as_utc(now),
        "read_at": as_utc(batch.files[-1].manifest.fetched_at),
    }
    if before is None:
        transaction.sql.execute(insert(tables.watermark).values(stream=batch.stream.name, **values))
    else:
        transaction.sql.execute(
            update(tables.watermark).where(tables.watermark.c.stream == batch.stream.name).values(values)
        )
