"""What a run knows of those before it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from sms_etl.clock import as_utc, fixed_clock
from sms_etl.sync.state import read_state
from sms_etl.warehouse.store import Transaction, Warehouse

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND, TEN_MINUTES = timedelta(seconds=1), timedelta(minutes=10)


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Transaction]:
    with Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW)).begin() as transaction:
        yield transaction


def run(transaction: Transaction, stopped_reason: str | None, *, ago: timedelta) -> None:
    """Note a run that began so long ago."""
    transaction.native.execute(
        "insert into ops.sync_run (run_id, started_at, stopped_reason, purpose, version)"
        " values (?, ?, ?, 'forward', '0')",
        [uuid4(), as_utc(NOW - ago), stopped_reason],
    )


@pytest.mark.parametrize("reason", ["Unauthorised", "AuthBlocked"])
def test_a_refused_token_is_remembered_for_the_ten_minutes_that_the_provider_blocks(
    transaction: Transaction, tmp_path: Path, reason: str
) -> None:
    run(transaction, reason, ago=TEN_MINUTES)
    assert not read_state(transaction, tmp_path, NOW).recently_refused
    run(transaction, reason, ago=TEN_MINUTES - SECOND)
    assert read_state(transaction, tmp_path, NOW).recently_refused


@pytest.mark.parametrize("reason", ["done", "Throttled", "AccountNotActive", None])
def test_no_other_end_of_a_run_is_a_refusal(
    transaction: Transaction, tmp_path: Path, reason: str | None
) -> None:
    run(transaction, reason, ago=SECOND)
    assert not read_state(transaction, tmp_path, NOW).recently_refused
