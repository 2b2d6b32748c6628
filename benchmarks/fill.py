"""Fills a warehouse with messages by SQL: to sync ten million would take long, and is not what is measured.

They are what a sync of the same messages would have left, as far as a later sync can tell: rows, their first
sighting in the change log, a ledger row a page, and a window for each 5,000. All are final.
"""

import sys
from pathlib import Path

import duckdb

from benchmarks.traffic import EPOCH, SELECT

_AS_LOADED = """
select
    uuid::uuid as uuid, make_timestamp(created * 1000000) as created_at,
    make_timestamp((created + 2) * 1000000) as gateway_sent_at, 100 as status_code, dlr_code,
    true as is_sent, is_unicode, false as is_text_deleted, iso2, parts as parts_count,
    length(text) as chars_count, price::decimal(18, 6) as price, 'EUR' as currency, service_code, sender_id,
    md5(callback_data) as callback_data, bulk_id::uuid as bulk_id, key_id, 0 as source,
    '203.0.113.0/24' as ip,
    md5(phone) as phone_hash, left(phone, 3) || '…' || right(phone, 2) as phone_masked,
    length(text) + is_unicode::integer as text_units, parts as text_parts, -- the emoji is two units
    case when is_unicode then '{"emoji":1}' else '{}' end as text_non_gsm,
    md5(left(text, 12)) as text_template,
    md5(left(phone, -3)) as phone_range, created_at + interval 1 hour as first_seen_at,
    created_at + interval 1 hour as last_seen_at, created_at + interval 1 hour as changed_at
from traffic
"""


def fill(warehouse: Path, *, count: int, until: int, page_size: int = 100) -> None:
    """Add messages from number 0 on to a warehouse that a sync has made.

    Args:
        warehouse: Its file; nobody else has it open.
        count: How many.
        until: Unix second of the oldest message it holds already.
        page_size: Rows a page, for the ledger.
    """
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set preserve_insertion_order = true")
        connection.execute(
            f"insert into raw.sms by name with traffic as ({SELECT}) {_AS_LOADED}",
            {"first": 0, "count": count, "epoch": EPOCH},
        )
        connection.execute(
            """
            insert into raw.sms_change by name
            select
                uuid, first_seen_at as observed_at, 'poll' as observed_by, status_code, dlr_code, is_sent,
                gateway_sent_at, price, currency, is_text_deleted
            from raw.sms
            where created_at < make_timestamp(cast($until as bigint) * 1000000)
            """,
            {"until": until},
        )
        connection.execute(
            """
            insert into ops.request by name
            select
                uuid() as run_id, timestamp '2025-01-01' + i * interval 1 second as requested_at,
                'GET' as method,
                '/sms' as path, uuid() as window_id, i % 50 + 1 as page, 200 as status, 0 as retry, 5 as ms,
                printf('%x', i) as request_id
            from range($pages) as r(i)
            """,
            {"pages": count // page_size},
        )
        connection.execute(
            """
            insert into ops.fetch_window by name
            select
                uuid() as window_id, uuid() as run_id, 'sms' as stream, 'poll' as observed_by,
                'forward' as purpose, 5000 as rows, 0 as rows_quarantined, $pages as pages, 1 as attempts,
                i || '-' || uuid() || '.parquet' as landed,
                timestamp '2025-01-01' as fetched_at, timestamp '2025-01-01' as loaded_at
            from range($windows) as r(i)
            """,
            {"windows": count // 5000, "pages": 5000 // page_size},
        )
        connection.execute("checkpoint")


def main() -> None:
    warehouse, count, until = sys.argv[1:4]
    fill(Path(warehouse), count=int(count), until=int(until))


if __name__ == "__main__":
    main()
