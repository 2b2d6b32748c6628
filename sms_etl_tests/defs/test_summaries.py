"""The tables and small charts that Dagster shows beside a run."""

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from sms_etl.defs.summaries import chart, messages_by_day, summary_of_sync
from sms_etl.sync.task import SyncResult

COUNTS: dict[str, Any] = dict.fromkeys(SyncResult.__dataclass_fields__, 0)
SAID = {"rows_new": 1234, "rows_changed": 5, "requests": 14, "retries": 2, "quarantine_open": 1}
RESULT = SyncResult(**COUNTS | SAID | {"seconds": 3.21})


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0, 0], "··"),
        ([7], "█"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([1, 0, 1000], "▁·█"),
    ],
)
def test_a_bar_is_as_high_as_its_value_beside_the_highest(values: list[int], drawn: str) -> None:
    assert chart(values) == drawn


def test_a_sync_is_summed_up_beside_those_before_it() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema ops")
        connection.execute(
            "create table ops.sync_run (started_at timestamp, finished_at timestamp, rows_new bigint)"
        )
        for day, (finished, new) in enumerate([(True, 617), (False, 9), (True, None), (True, 1234)]):
            begun = datetime(2026, 1, 1 + day, tzinfo=UTC)
            connection.execute(
                "insert into ops.sync_run values ($1, $2, $3)", [begun, begun if finished else None, new]
            )
        summary = summary_of_sync(connection, RESULT)
    assert "| new rows, of messages and bulks | 1,234 |" in summary
    assert "| requests, of which repeated | 14, 2 |" in summary
    assert summary.endswith("New rows by sync: `▄·█` up to 1,234")


def test_the_days_of_a_month_are_drawn_and_no_others() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.delivery_daily (business_day date, messages bigint)")
        connection.execute(
            "insert into marts.delivery_daily values "
            "('2025-12-31', 90), ('2026-01-01', 4), ('2026-01-01', 4), ('2026-01-31', 1), ('2026-02-01', 90)"
        )
        assert messages_by_day(connection, date(2026, 1, 1)) == "Messages by day: `█▁` up to 8"
        assert messages_by_day(connection, date(2026, 3, 1)) == "Messages by day: none"
