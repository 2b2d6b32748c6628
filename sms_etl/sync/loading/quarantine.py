"""Quarantines rows that could not be loaded, each once, until they are loaded or somebody accepts them.

A row is open while it is neither replayed nor accepted. What tells rows apart: with a readable uuid, the
uuid, whatever else of the row changes; without one, all that is kept of it, within the seconds read.

* Met again and still bad, an open row stays the one row it is, brought up to date.
* An accepted row stays accepted while it is bad for the same reason, with the same price; else it is new.
* A row that is loaded is marked as replayed, accepted or not, unless a copy of it is still bad. One without a
  uuid is marked when its seconds were read again, whole, and it was not among them.
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc, from_unix, to_unix
from sms_etl.sync.landing.files import Landed
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import STREAMS, Stream
from sms_etl.warehouse.quarantine import OPEN

if TYPE_CHECKING:
    from sms_etl.warehouse.store import Transaction

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KEY = f"case when regexp_full_match(lower(uuid), '{_UUID}') then lower(uuid) end"
"""The uuid as it is stored, null where it is not readable."""


def quarantine(
    transaction: "Transaction", stream: Stream, files: Sequence[Landed], *, run_id: UUID, now: datetime
) -> int:
    """Keep the bad rows of landed files, and mark what has been loaded; return how many rows are new.

    Args:
        transaction: To write in. The view `batch` shows the good rows, `ops.fetch_window` the windows.
        stream: The files'.
        files: Oldest first, of one currency.
        run_id: The run that loads them.
        now: Stamps the rows.
    """
    (is_any_known,) = transaction.row("select exists(select 1 from ops.quarantine where replayed_at is null)")
    is_any_bad = any(file.manifest.rows_bad for file in files)
    if is_any_bad:
        _show_bad_rows(transaction, files)
    elif is_any_known:
        _show_no_bad_rows(transaction)
    if is_any_known:
        _mark_loaded(transaction, stream, now)
    if is_any_bad:
        added = _keep_with_uuid(transaction, stream, files, run_id, now)
        return added + _keep_without_uuid(transaction, stream, files, run_id, now)
    if is_any_known and _is_any_without_uuid(transaction):
        _keep_without_uuid(transaction, stream, files, run_id, now)
    return 0


def uuids_to_replay(transaction: "Transaction", *streams: Stream) -> list[str]:
    """Return the uuids of the open rows that have one."""
    rows = transaction.native.execute(
        f"select distinct {_KEY} as key from ops.quarantine where {OPEN} and list_contains($streams, stream)",
        {"streams": [stream.name for stream in streams]},
    ).fetchall()
    return sorted(key for (key,) in rows if key is not None)


def spans_to_replay(transaction: "Transaction", stream: Stream) -> list[Span]:
    """Return the seconds, or else the windows, of the open rows without a readable uuid, joined."""
    rows = transaction.native.execute(
        f"""
        select distinct coalesce({_second(stream)}, span.since_at), coalesce({_second(stream)}, span.until_at)
        from ops.quarantine
        left join ops.fetch_window as span on span.window_id = quarantine.window_id
        where {OPEN} and quarantine.stream = $stream and ({_KEY}) is null
        order by all
        """,
        {"stream": stream.name},
    ).fetchall()
    spans: list[Span] = []
    for since, until in rows:
        if since is None or until is None:
            continue
        span = Span(to_unix(since), to_unix(until))
        if spans and span.since <= spans[-1].until + 1:
            spans[-1] = Span(spans[-1].since, max(spans[-1].until, span.until))
        else:
            spans.append(span)
    return spans


def _second(stream: Stream) -> str:
    """Return the SQL for a row's time along the stream, null if only its window is known."""
    return "quarantine.created_at" if stream.cursor == "created_at" else "cast(null as timestamp)"


def _mark_loaded(transaction: "Transaction", stream: Stream, now: datetime) -> None:
    (marked,) = transaction.row(
        f"""
        update ops.quarantine set replayed_at = $now
        where replayed_at is null and list_contains($streams, stream)
            and ({_KEY}) in (select cast(uuid as varchar) from batch)
            and ({_KEY}) not in (select bad_row.key from bad_row where bad_row.key is not null)
        """,
        {"now": as_utc(now), "streams": _streams_of(stream)},
    )
    if marked:  # the row itself may be as it was
        mark_stale(transaction)


def _streams_of(stream: Stream) -> list[str]:
    """Return the streams of the same table: a bulk is the same one along either of its times."""
    return [each.name for each in STREAMS if each.table is stream.table]


_SHAPE = "select cast(null as timestamp) as bad_created_at"
"""What landed files of earlier versions do not have."""


def _show_bad_rows(transaction: "Transaction", files: Sequence[Landed]) -> None:
    """Make the table `bad_row`: a row a bad row, with its key, but for those a later file holds right."""
    transaction.run(
        f"""
        create or replace temp table bad_row as
        with landed as (
            from ({_SHAPE} limit 0)
            union all by name
            select *, file_index, file_row_number from read_parquet($paths, union_by_name = true)
        ),

        bad as (
            select
                bad_reason as reason,
                bad_uuid as uuid,
                bad_price as price,
                bad_raw as raw,
                bad_created_at as created_at,
                file_index,
                file_row_number
            from landed
            where bad_reason is not null
        ),

        keyed as (
            select
                *,
                {_KEY} as key,
                cast($windows as uuid[])[cast(file_index as bigint) + 1] as window_id
            from bad
        )

        select * from keyed
        where not exists (
            select 1 from landed
            where landed.uuid = keyed.key and landed.file_index > keyed.file_index
                and landed.bad_reason is null and not landed.is_gone
        )
        """,
        {
            "paths": [str(file.path) for file in files],
            "windows": [str(file.manifest.window_id) for file in files],
        },
    )


def _show_no_bad_rows(transaction: "Transaction") -> None:
    transaction.run(
        """
        create or replace temp table bad_row as
        select reason, uuid, price, raw, created_at, 0 as file_index, uuid as key, window_id
        from ops.quarantine limit 0
        """
    )


_COLUMNS = """
    (quarantine_id, run_id, window_id, stream, quarantined_at, reason, uuid, price, currency, raw, created_at)
"""
_VALUES = """
    uuid(), $run_id, bad.window_id, $stream, $now, bad.reason, bad.uuid, bad.price, $currency, bad.raw,
    bad.created_at
"""


def _values(stream: Stream, files: Sequence[Landed], run_id: UUID, now: datetime) -> dict[str, object]:
    return {
        "run_id": run_id,
        "stream": stream.name,
        "now": as_utc(now),
        "currency": files[0].manifest.currency,
    }


def _keep_with_uuid(
    transaction: "Transaction", stream: Stream, files: Sequence[Landed], run_id: UUID, now: datetime
) -> int:
    transaction.run(
        """
        create or replace temp table bad_newest as
        select * from bad_row where key is not null
        qualify row_number() over (partition by key order by file_index desc, file_row_number desc) = 1
        """
    )
    known = f"""
        select *, {_KEY} as key from ops.quarantine
        where replayed_at is null and list_contains($streams, stream)
    """
    transaction.run(
        f"""
        update ops.quarantine as kept set
            reason = bad.reason,
            price = bad.price,
            raw = bad.raw,
            created_at = bad.created_at
        from bad_newest as bad
        inner join ({known}) as known on bad.key = known.key and known.accepted_at is null
        where kept.quarantine_id = known.quarantine_id
        """,
        {"streams": _streams_of(stream)},
    )
    (added,) = transaction.row(
        f"""
        insert into ops.quarantine {_COLUMNS}
        select {_VALUES} from bad_newest as bad
        where not exists (
            select 1 from ({known}) as known
            where bad.key = known.key and (
                known.accepted_at is null
                or (bad.reason = known.reason and bad.price is not distinct from known.price)
            )
        )
        """,
        {**_values(stream, files, run_id, now), "streams": _streams_of(stream)},
    )
    return int(added)


def _keep_without_uuid(
    transaction: "Transaction", stream: Stream, files: Sequence[Landed], run_id: UUID, now: datetime
) -> int:
    values = _values(stream, files, run_id, now)
    spans = [
        (index, Span(manifest.since, manifest.until))
        for index, manifest in enumerate(file.manifest for file in files)
        if manifest.since is not None
        and manifest.until is not None  # what has no uuid is never asked for by it
    ]
    return sum(_keep_of_window(transaction, stream, index, span, values) for index, span in spans)


def _keep_of_window(
    transaction: "Transaction", stream: Stream, index: int, span: Span, values: dict[str, object]
) -> int:
    """Match the rows of a window with those known there, like with like, one to one.

    Rows that look alike are counted, not merged: two messages of a bulk may differ in what is not kept only.
    """
    transaction.run(
        f"""
        create or replace temp table met as
        with seen as (
            select *, row_number() over (partition by reason, raw) as nth
            from bad_row
            where key is null and file_index = $index
        ),

        known as (
            select
                quarantine.quarantine_id,
                quarantine.reason,
                quarantine.raw,
                coalesce({_second(stream)}, span.since_at) >= $since
                    and coalesce({_second(stream)}, span.until_at) <= $until as is_within,
                row_number() over (
                    partition by quarantine.reason, quarantine.raw
                    order by quarantine.accepted_at nulls last, quarantine.quarantined_at
                ) as nth
            from ops.quarantine
            left join ops.fetch_window as span on span.window_id = quarantine.window_id
            where quarantine.replayed_at is null and ({_KEY}) is null and quarantine.stream = $stream
                and coalesce({_second(stream)}, span.until_at) >= $since
                and coalesce({_second(stream)}, span.since_at) <= $until
        )

        select
            seen.* exclude (nth),
            known.quarantine_id,
            known.is_within,
            seen.nth is not null as is_seen
        from seen
        full join known
            on seen.nth = known.nth and seen.reason = known.reason
                and seen.raw is not distinct from known.raw
        """,
        {
            "index": index,
            "stream": stream.name,
            "since": from_unix(span.since),
            "until": from_unix(span.until),
        },
    )
    (closed,) = transaction.row(
        """
        update ops.quarantine set replayed_at = $now
        where quarantine_id in (select quarantine_id from met where is_within and not is_seen)
        """,
        {"now": values["now"]},
    )
    if closed:
        mark_stale(transaction)
    (added,) = transaction.row(
        f"insert into ops.quarantine {_COLUMNS} select {_VALUES} from met as bad where quarantine_id is null",
        values,
    )
    return int(added)


def _is_any_without_uuid(transaction: "Transaction") -> bool:
    (found,) = transaction.row(
        f"select exists(select 1 from ops.quarantine where replayed_at is null and ({_KEY}) is null)"
    )
    return bool(found)
