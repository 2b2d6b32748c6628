"""Records which fields of the provider are unknown to this version, and since when."""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from datetime import datetime

from sms_etl.clock import as_utc
from sms_etl.providers.lox24.records import LEFT_OUT
from sms_etl.sync.loading.batch import Batch
from sms_etl.warehouse.store import Transaction


def note_unknown_fields(transaction: Transaction, batch: Batch, now: datetime) -> tuple[str, ...]:
    """Record each unknown field when it is first seen; return the new ones."""
    rows = transaction.native.execute(
        f"""
        insert into ops.unknown_field (stream, field, first_seen_at)
        select distinct $table, field, cast($now as timestamp)
        from (select unnest(json_keys(extra)) as field from {batch.view} where extra is not null) as fields
        where field != $left_out
            and field not in (select known.field from ops.unknown_field as known where known.stream = $table)
        returning field
        """,
        {"table": batch.stream.table.name, "now": as_utc(now), "left_out": LEFT_OUT},
    ).fetchall()
    return tuple(sorted(field for (field,) in rows))
