"""Finds the messages that may still change and asks for them again, exactly these.

The provider has no change time. What is not final, or has no price or count of parts yet, is open: it is
asked for by uuid until it is final or ages out. See docs/decisions for why this beats reading days again.
"""

from datetime import timedelta

from sqlalchemy import and_, func, not_, or_, select

from sms_etl.clock import from_unix
from sms_etl.providers.lox24.codes import FINAL_DLR_CODES, FINAL_STATUS_CODES, OPEN_BULK_CODES, SENT
from sms_etl.sync.plan import Span
from sms_etl.warehouse.store import Transaction
from sms_etl.warehouse.tables import bulk, sms

UUIDS_PER_WINDOW = 2000
"""So many are landed together: what a kill makes be asked again."""


def open_messages(transaction: Transaction, *, settle_days: int, just_read: Span | None) -> list[str]:
    """Give the uuids of the messages that may still change, oldest first.

    Args:
        transaction: To read in.
        settle_days: A message ages out once it was seen this long after its creation or its scheduled time,
            whichever is later. After a pause of any length each is asked for once more.
        just_read: The span this run has read already.
    """
    final = or_(
        sms.c.status_code.in_(FINAL_STATUS_CODES),
        and_(sms.c.status_code == SENT, sms.c.dlr_code.in_(FINAL_DLR_CODES)),
    )
    sent_at = func.greatest(sms.c.created_at, func.coalesce(sms.c.delivery_at, sms.c.created_at))
    query = (
        select(sms.c.uuid)
        .where(
            sms.c.gone_at.is_(None),
            or_(not_(func.coalesce(final, False)), sms.c.price.is_(None), sms.c.parts_count.is_(None)),
            sms.c.last_seen_at < sent_at + timedelta(days=settle_days),
        )
        .order_by(sms.c.created_at)
    )
    if just_read is not None:
        query = query.where(~sms.c.created_at.between(from_unix(just_read.since), from_unix(just_read.until)))
    return [str(uuid) for uuid in transaction.sql.scalars(query)]


def open_bulks(transaction: Transaction) -> list[str]:
    """Give the uuids of the bulks that are new or in progress, oldest first."""
    query = (
        select(bulk.c.uuid)
        .where(bulk.c.gone_at.is_(None), bulk.c.status_code.in_(OPEN_BULK_CODES))
        .order_by(bulk.c.created_at)
    )
    return [str(uuid) for uuid in transaction.sql.scalars(query)]
