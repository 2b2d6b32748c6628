"""Applies the events that lie in segments to the warehouse: each once, whatever order they came in.

An event that was read again, after a kill or because the provider sent it twice, is known by its id. One
whose message is not there yet waits in `ops.delivery_event` until it is. Segments are removed after the
commit.
"""

# ruff: noqa: S608 - codes are constants of ours, values are parameters

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc
from sms_etl.events.segments import Segment, segments_in, taken
from sms_etl.providers.lox24.codes import FINAL_DLR_CODES, FINAL_STATUS_CODES, SENT
from sms_etl.warehouse.store import Transaction, Warehouse

_log = logging.getLogger(__name__)

STREAM = "events"
"""How the quarantine names a damaged line of a segment."""
_SEGMENTS_AT_ONCE = 8
"""In one transaction: 64 MB, some 400,000 events."""
_DELIVERED = 1


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What a sync did with events."""

    read: int = 0
    """Seen for the first time."""
    changed: int = 0
    """Messages whose state an event changed."""
    damaged: int = 0
    """Lines that were no event, put into quarantine."""

    def __add__(self, other: "EventCounts") -> "EventCounts":
        return EventCounts(self.read + other.read, self.changed + other.changed, self.damaged + other.damaged)


def apply_segments(warehouse: Warehouse, folder: Path, *, run_id: UUID, now: datetime) -> EventCounts:
    """Apply what lies in complete segments, and what waited for messages that are there by now.

    Args:
        warehouse: To write in; nobody else may apply events at the same time.
        folder: Of the segments; it need not be there.
        run_id: The sync.
        now: The present moment.

    Raises:
        WarehouseError: The warehouse could not be written; the segments are kept.
    """
    counts = EventCounts()
    paths = segments_in(folder)
    for start in range(0, max(len(paths), 1), _SEGMENTS_AT_ONCE):
        with ExitStack() as held:
            segments = _take(held, paths[start : start + _SEGMENTS_AT_ONCE])
            with warehouse.begin() as transaction:
                counts += apply_events(transaction, segments, run_id=run_id, now=now)
            for segment in segments:
                segment.path.unlink(missing_ok=True)
    if counts != EventCounts():
        _log.info(
            "Events: %d new, %d messages changed by them, %d damaged.",
            counts.read,
            counts.changed,
            counts.damaged,
        )
    return counts


def _take(held: ExitStack, paths: Sequence[Path]) -> list[Segment]:
    """Read segments and hold them; one that cannot be read stays where it is, and stops no other."""
    segments: list[Segment] = []
    for path in paths:
        try:
            segment = held.enter_context(taken(path))
        except OSError as exc:
            _log.warning("The segment of events %s cannot be read: %s.", path.name, exc.strerror)
            continue
        if segment is None:
            continue
        if segment.is_torn:
            _log.info("%s ends within an event that was never acknowledged: it is left out.", path.name)
        segments.append(segment)
    return segments


def apply_events(
    transaction: Transaction, segments: Sequence[Segment], *, run_id: UUID, now: datetime
) -> EventCounts:
    """Write down the events of segments, and apply them and those that waited.

    Args:
        transaction: Everything happens in it.
        segments: Read before.
        run_id: The sync.
        now: Stamps what is written.
    """
    read = _record(transaction, segments, now) if any(segment.events for segment in segments) else 0
    damaged = _quarantine(transaction, segments, run_id, now)
    (is_any_waiting,) = transaction.row(
        "select exists(select 1 from ops.delivery_event where outcome is null)"
    )
    changed = _apply_waiting(transaction, now) if is_any_waiting else 0
    if damaged:
        mark_stale(transaction)
    return EventCounts(read, changed, damaged)


def _record(transaction: Transaction, segments: Sequence[Segment], now: datetime) -> int:
    """Write down events that are not known by their id yet; return how many."""
    import pyarrow as pa  # noqa: PLC0415 - a sync without events does without it

    events = [event for segment in segments for event in segment.events]
    arrived = pa.table(
        {
            "event_id": pa.array([str(event.id) for event in events], pa.string()),
            "uuid": pa.array([str(event.uuid) for event in events], pa.string()),
            "event_s": pa.array([event.at for event in events], pa.int64()),
            "status_code": pa.array([event.status for event in events], pa.int32()),
            "dlr_code": pa.array([event.dlr for event in events], pa.int32()),
            "received_us": pa.array([event.received for event in events], pa.int64()),
        }
    )
    transaction.native.register("arrived_events", arrived)
    try:
        (read,) = transaction.row(
            """
            insert into ops.delivery_event
                (event_id, uuid, event_at, status_code, dlr_code, received_at, recorded_at)
            with arrived as (
                select * replace (cast(event_id as uuid) as event_id, cast(uuid as uuid) as uuid)
                from arrived_events
            ),

            -- The few that arrived are what is hashed, not all that ever did.
            known as (
                select event_id from ops.delivery_event where event_id in (select event_id from arrived)
            )

            select
                event_id, uuid, make_timestamp(event_s * 1000000), status_code, dlr_code,
                make_timestamp(received_us), $now
            from arrived
            where event_id not in (select event_id from known)
            qualify row_number() over (partition by event_id order by received_us) = 1
            """,
            {"now": as_utc(now)},
        )
    finally:
        transaction.native.unregister("arrived_events")
    return int(read)


def _quarantine(transaction: Transaction, segments: Sequence[Segment], run_id: UUID, now: datetime) -> int:
    """Put damaged lines into quarantine, each once; nothing is kept of what they hold."""
    added = 0
    for segment in segments:
        for number in segment.damaged:
            (count,) = transaction.row(
                """
                insert into ops.quarantine (quarantine_id, run_id, stream, quarantined_at, reason)
                select $id, $run_id, $stream, $now, $reason
                where not exists (select 1 from ops.quarantine where quarantine_id = $id)
                """,
                {
                    "id": uuid5(NAMESPACE_OID, f"{segment.path.name} {number}"),
                    "run_id": run_id,
                    "stream": STREAM,
                    "now": as_utc(now),
                    "reason": f"Line {number} of {segment.path.name} is no event: the file is damaged",
                },
            )
            added += int(count)
    return added


def _listed(codes: frozenset[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes))


def _is_final(status: str, dlr: str) -> str:
    """Return the SQL for whether a pair of codes is final; a status that is not said is that of a report."""
    return (
        f"(coalesce({status}, {SENT}) in ({_listed(FINAL_STATUS_CODES)}) "
        f"or coalesce({status}, {SENT}) = {SENT} and coalesce({dlr}, 0) in ({_listed(FINAL_DLR_CODES)}))"
    )


_JUDGED = f"""
create or replace temp table judged as
with waiting as (
    select * from ops.delivery_event where outcome is null
),

stored as (
    select * from raw.sms
    where uuid in (select waiting.uuid from waiting)
    qualify row_number() over (partition by uuid order by last_seen_at desc) = 1
),

-- Of one second the report that is final came last.
newest as (
    select * from waiting
    qualify row_number() over (
        partition by uuid
        order by event_at desc, {_is_final("status_code", "dlr_code")} desc, received_at desc, event_id desc
    ) = 1
),

heard as (
    select event.uuid, max(event.event_at) as event_at
    from ops.delivery_event as event
    where event.outcome is not null and event.uuid in (select waiting.uuid from waiting)
    group by event.uuid
),

delivered as (
    select event.uuid, min(event.event_at) as delivered_at
    from ops.delivery_event as event
    where event.dlr_code = {_DELIVERED} and coalesce(event.status_code, {SENT}) = {SENT}
        and event.uuid in (select waiting.uuid from waiting)
    group by event.uuid
),

paired as (
    select
        newest.event_id,
        newest.uuid,
        coalesce(newest.status_code, stored.status_code) as status_code,
        newest.dlr_code,
        newest.event_at,
        coalesce(heard.event_at, newest.event_at) as heard_at,
        heard.event_at is null or newest.event_at > heard.event_at as is_after_events,
        newest.event_at > stored.last_seen_at as is_after_polls,
        delivered.delivered_at,
        delivered.delivered_at is not null
        and (stored.delivered_at is null or delivered.delivered_at < stored.delivered_at) as is_time_new,
        coalesce(newest.status_code, stored.status_code) is distinct from stored.status_code
        or newest.dlr_code is distinct from coalesce(stored.dlr_code, 0) as is_different,
        {_is_final("coalesce(newest.status_code, stored.status_code)", "newest.dlr_code")} as is_final,
        stored.status_code is not null
        and {_is_final("stored.status_code", "stored.dlr_code")} as was_final,
        -- Later than the change before it, even under a clock that stands still.
        greatest(newest.received_at, stored.changed_at + interval 1 microsecond) as observed_at
    from newest
    inner join stored on newest.uuid = stored.uuid
    left join heard on newest.uuid = heard.uuid
    left join delivered on newest.uuid = delivered.uuid
)

select
    *,
    -- A poll that saw the message open cannot have missed its end: whatever the clocks say, it came later.
    is_different and case
        when is_final and not was_final then event_at >= heard_at
        when was_final and not is_final then false
        else is_after_events and is_after_polls
    end as is_change
from paired
"""


def _apply_waiting(transaction: Transaction, now: datetime) -> int:
    """Apply the events whose message is there; return how many messages changed."""
    transaction.run(_JUDGED)
    changed, timed = transaction.row(
        "select count(*) filter (where is_change), count(*) filter (where is_time_new) from judged"
    )
    if changed:
        transaction.run(
            """
            insert into raw.sms_change
                (uuid, observed_at, observed_by, status_code, dlr_code, is_sent, gateway_sent_at, price,
                currency, is_text_deleted)
            select
                judged.uuid, judged.observed_at, 'webhook', judged.status_code, judged.dlr_code,
                stored.is_sent, stored.gateway_sent_at, stored.price, stored.currency, stored.is_text_deleted
            from judged
            inner join raw.sms as stored on judged.uuid = stored.uuid
            where judged.is_change
            qualify row_number() over (partition by judged.uuid order by stored.last_seen_at desc) = 1
            """
        )
        transaction.run(
            """
            update raw.sms as stored set
                status_code = judged.status_code,
                dlr_code = judged.dlr_code,
                changed_at = judged.observed_at
            from judged where stored.uuid = judged.uuid and judged.is_change
            """
        )
    if timed:
        transaction.run(
            """
            update raw.sms as stored set delivered_at = judged.delivered_at
            from judged where stored.uuid = judged.uuid and judged.is_time_new
            """
        )
    transaction.run(
        """
        update ops.delivery_event as event set
            applied_at = $now,
            outcome = case
                when judged.event_id != event.event_id then 'superseded'
                when judged.is_change then 'changed'
                when judged.is_different then 'superseded'
                else 'known'
            end
        from judged where event.uuid = judged.uuid and event.outcome is null
        """,
        {"now": as_utc(now)},
    )
    if changed or timed:
        mark_stale(transaction)
    return int(changed)
