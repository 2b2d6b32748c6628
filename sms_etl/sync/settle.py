"""Finds the messages that may still change, and plans how to ask for them again with the fewest requests.

The provider has no change time. What is not final, or has no price or count of parts yet, is open, and so is
what a delivery event settled before any poll saw it sent. It is asked for by uuid, or by reading its seconds
again where that costs fewer requests, until it is final or ages out. The planner is pure; see docs/decisions
for why this beats reading days again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Integer, and_, func, not_, or_, select

from sms_etl.clock import as_utc, from_unix, to_unix
from sms_etl.providers.lox24.codes import FINAL_DLR_CODES, FINAL_STATUS_CODES, OPEN_BULK_CODES, SENT
from sms_etl.sync.plan import Span
from sms_etl.warehouse.store import Transaction
from sms_etl.warehouse.tables import bulk, sms

UUIDS_PER_WINDOW = 2000
"""So many are landed together; a killed run re-fetches at most these."""
SILENCE_SHARE = 0.5
"""Polls of a message back off 1.5x (the silence so far, and half of it again): an operator's
acknowledgement that never changes is asked for a dozen times in five days, not a hundred and twenty."""
LONGEST_PAUSE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A message that may still change."""

    uuid: str
    second: int
    """Of its creation, unix."""
    rank: int
    """How many messages were created before it, counted from any fixed one."""


@dataclass(frozen=True, slots=True)
class SettlementPlan:
    """How open messages are re-fetched."""

    spans: tuple[Span, ...]
    """Seconds that are read again, oldest first; they do not overlap."""
    uuids: tuple[str, ...]
    """What is re-fetched by uuid."""
    requests: int
    """Estimated requests."""
    requests_by_uuid: int
    """What asking for everything by uuid would cost."""


def plan_settlement(messages: Sequence[OpenMessage], *, page_size: int, batch: int) -> SettlementPlan:
    """Choose, run by run, the cheaper of two ways to ask for open messages.

    A run is made of neighbouring batches that are all dense, or all sparse: where more than half of the
    messages of some seconds are open, as after a bulk, their pages are fewer than the batches of their uuids.

    Args:
        messages: Sorted by rank.
        page_size: Rows on a page of the provider, at least 1.
        batch: Most uuids in one request.
    """
    spans: list[Span] = []
    uuids: list[str] = []
    requests = requests_by_uuid = 0
    batches = [messages[start : start + batch] for start in range(0, len(messages), batch)]
    for is_dense, neighbours in groupby(batches, lambda each: _is_dense(each, page_size)):
        run = list(neighbours)
        first, last = run[0][0], run[-1][-1]
        by_uuid = sum(_pages(len(each), page_size) for each in run)
        # Its first and last second may hold others, too: a page more.
        by_window = _pages(last.rank - first.rank + 1, page_size) + 1
        requests_by_uuid += by_uuid
        requests += min(by_window, by_uuid) if is_dense else by_uuid
        if is_dense and by_window < by_uuid:
            _extend(spans, Span(first.second, last.second))
        else:
            uuids.extend(message.uuid for each in run for message in each)
    return SettlementPlan(tuple(spans), tuple(uuids), requests, requests_by_uuid)


def _is_dense(batch: Sequence[OpenMessage], page_size: int) -> bool:
    """Whether the messages from the first to the last fill less than the pages of asking by uuid."""
    return batch[-1].rank - batch[0].rank + 1 < page_size * _pages(len(batch), page_size)


def _pages(rows: int, page_size: int) -> int:
    return -(-rows // page_size)


def _extend(spans: list[Span], span: Span) -> None:
    """Add a span that ends no earlier than the last one, joined with it where they touch."""
    if spans and span.since <= spans[-1].until + 1:
        spans[-1] = Span(spans[-1].since, span.until)
    else:
        spans.append(span)


def open_messages(
    transaction: Transaction, *, now: datetime, settle_days: int, just_read: Span | None
) -> list[OpenMessage]:
    """Return the messages that may still change and are due to be re-fetched, oldest first.

    Args:
        transaction: To read in.
        now: The present moment.
        settle_days: A message ages out once it was seen this long after its creation or its scheduled time,
            whichever is later. After a pause of any length each is asked for once more.
        just_read: The span this run has read already.
    """
    final = or_(
        sms.c.status_code.in_(FINAL_STATUS_CODES),
        and_(sms.c.status_code == SENT, sms.c.dlr_code.in_(FINAL_DLR_CODES)),
    )
    sent_at = func.greatest(sms.c.created_at, func.coalesce(sms.c.delivery_at, sms.c.created_at))
    silent_seconds = func.date_diff("second", sms.c.changed_at, sms.c.last_seen_at, type_=Integer)
    since_asked = func.date_diff("second", sms.c.last_seen_at, as_utc(now), type_=Integer)
    was_seen_later = sms.c.last_seen_at > as_utc(now)  # the clock ran ahead then
    # A delivery event says what became of a message, and not when the operator got it.
    is_untold = and_(
        sms.c.changed_at > sms.c.last_seen_at, sms.c.status_code == SENT, sms.c.gateway_sent_at.is_(None)
    )
    is_open = and_(
        sms.c.gone_at.is_(None),
        or_(not_(func.coalesce(final, False)), sms.c.price.is_(None), sms.c.parts_count.is_(None), is_untold),
        or_(sms.c.last_seen_at < sent_at + timedelta(days=settle_days), was_seen_later),
        or_(
            since_asked >= func.least(silent_seconds * SILENCE_SHARE, LONGEST_PAUSE.total_seconds()),
            was_seen_later,
        ),
    )
    if just_read is not None:
        is_open = and_(
            is_open, ~sms.c.created_at.between(from_unix(just_read.since), from_unix(just_read.until))
        )
    oldest = transaction.sql.scalar(select(func.min(sms.c.created_at)).where(is_open))
    if oldest is None:
        return []
    ranked = (
        select(
            sms.c.uuid,
            sms.c.created_at,
            is_open.label("is_open"),
            func.row_number().over(order_by=(sms.c.created_at, sms.c.uuid)).label("rank"),
        )
        .where(sms.c.created_at >= oldest, sms.c.gone_at.is_(None))
        .subquery()
    )
    rows = transaction.sql.execute(
        select(ranked.c.uuid, ranked.c.created_at, ranked.c.rank)
        .where(ranked.c.is_open)
        .order_by(ranked.c.rank)
    )
    return [OpenMessage(str(row.uuid), to_unix(row.created_at), row.rank) for row in rows]


def open_bulks(transaction: Transaction) -> list[str]:
    """Return the uuids of the bulks that are new or in progress, oldest first."""
    query = (
        select(bulk.c.uuid)
        .where(bulk.c.gone_at.is_(None), bulk.c.status_code.in_(OPEN_BULK_CODES))
        .order_by(bulk.c.created_at)
    )
    return [str(uuid) for uuid in transaction.sql.scalars(query)]


def count_stored(transaction: Transaction, span: Span) -> int:
    """Count the messages stored within a span and not known to be gone."""
    within = sms.c.created_at.between(from_unix(span.since), from_unix(span.until))
    return transaction.sql.execute(
        select(func.count()).select_from(sms).where(sms.c.gone_at.is_(None), within)
    ).scalar_one()
