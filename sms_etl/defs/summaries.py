"""What a person reads of a run at a glance, as Markdown: a table and a small chart."""

from collections.abc import Sequence
from datetime import date

import duckdb

from sms_etl.finance.period import next_month
from sms_etl.sync.task import SyncResult

_BARS = "▁▂▃▄▅▆▇█"
_NONE = "·"
_SYNCS_SHOWN = 20
_NEW_BY_SYNC = """
select coalesce(rows_new, 0) from ops.sync_run where finished_at is not null
order by started_at desc limit $1
"""
_MESSAGES_BY_DAY = """
select cast(sum(messages) as bigint) from marts.delivery_daily
where business_day >= $1 and business_day < $2 group by business_day order by business_day
"""


def chart(values: Sequence[int]) -> str:
    """Return a bar for each value, as high as it is beside the highest, and a dot for what is zero."""
    highest = max(values, default=0)
    return "".join(_BARS[(value * len(_BARS) - 1) // highest] if value > 0 else _NONE for value in values)


def summary_of_sync(connection: duckdb.DuckDBPyConnection, result: SyncResult) -> str:
    """Return what a sync did, and how much was new in it and in those before.

    Args:
        connection: To the warehouse.
        result: Of the sync.
    """
    lines = {
        "new rows, of messages and bulks": f"{result.rows_new:,}",
        "changed rows": f"{result.rows_changed:,}",
        "requests, of which repeated": f"{result.requests:,}, {result.retries:,}",
        "waiting in quarantine": f"{result.quarantine_open:,}",
        "seconds": f"{result.seconds:,.1f}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in lines.items())
    found = connection.execute(_NEW_BY_SYNC, [_SYNCS_SHOWN]).fetchall()
    drawn = _drawn("New rows by sync", [new for (new,) in reversed(found)])
    return f"| this sync | |\n|---|--:|\n{table}\n\n{drawn}"


def messages_by_day(connection: duckdb.DuckDBPyConnection, month: date) -> str:
    """Return how many messages were sent on each day of a month that has any.

    Args:
        connection: To the published copy.
        month: Its first day.
    """
    found = connection.execute(_MESSAGES_BY_DAY, [month, next_month(month)]).fetchall()
    return _drawn("Messages by day", [messages for (messages,) in found])


def _drawn(title: str, values: Sequence[int]) -> str:
    return f"{title}: `{chart(values)}` up to {max(values):,}" if values else f"{title}: none"
