"""What a run knows of those before it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from sms_etl.clock import as_utc, fixed_clock
from sms_etl.sync.plan import Purpose
from sms_etl.sync.state import SyncState, read_state, record_end, record_start
from sms_etl.warehouse.store import Transaction, Warehouse

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND, TEN_MINUTES = timedelta(seconds=1), timedelta(minutes=10)
HOUR, MONTH = timedelta(hours=1), timedelta(days=30)


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Transaction]:
    with Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW)).begin() as transaction:
        yield transaction


def run(
    transaction: Transaction, stopped_reason: str | None, *, ago: timedelta, purpose: str = "forward"
) -> None:
    """Note a run that began so long ago."""
    transaction.native.execute(
        "insert into ops.sync_run (run_id, started_at, stopped_reason, purpose, version)"
        " values (?, ?, ?, ?, '0')",
        [uuid4(), as_utc(NOW - ago), stopped_reason, purpose],
    )


def late_row(
    transaction: Transaction, late: timedelta, *, purpose: str = "forward", ago: timedelta = SECOND
) -> None:
    """Note a message that was first seen so long ago, and became visible so late."""
    transaction.native.execute(
        "insert into ops.late_row (uuid, created_at, watermark_at, observed_by, first_seen_at, purpose)"
        " values (?, ?, ?, 'poll', ?, ?)",
        [uuid4(), as_utc(NOW - late), as_utc(NOW), as_utc(NOW - ago), purpose],
    )


def window(
    transaction: Transaction, rows: int, pages: int, *, stream: str = "sms", ago: timedelta = SECOND
) -> None:
    """Note a window that was loaded so long ago."""
    transaction.native.execute(
        "insert into ops.fetch_window (window_id, run_id, stream, observed_by, rows, rows_quarantined, pages,"
        " attempts, landed, fetched_at, loaded_at) values (?, ?, ?, 'poll', ?, 0, ?, 1, ?, ?, ?)",
        [uuid4(), uuid4(), stream, rows, pages, str(uuid4()), as_utc(NOW - ago), as_utc(NOW - ago)],
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


def test_before_the_first_run_nothing_is_known(transaction: Transaction, tmp_path: Path) -> None:
    state = read_state(transaction, tmp_path, NOW)
    assert set(state.watermarks.values()) == set(state.read_at.values()) == {None}
    assert (state.is_resuming, state.learnt_overlap, state.page_size) == (False, timedelta(0), 1)


@pytest.mark.parametrize(
    ("reason", "is_resuming"), [("done", False), (None, True), ("Unreachable", True), ("Throttled", True)]
)
def test_a_run_goes_on_where_the_last_one_did_not_end_well(
    transaction: Transaction, tmp_path: Path, reason: str | None, is_resuming: bool
) -> None:
    run(transaction, None if reason == "done" else "done", ago=HOUR)
    run(transaction, reason, ago=HOUR)
    assert read_state(transaction, tmp_path, NOW).is_resuming is is_resuming


@pytest.mark.parametrize("purpose", ["backfill", "replay"])
def test_how_a_backfill_or_a_replay_ended_says_nothing_of_reading_on(
    transaction: Transaction, tmp_path: Path, purpose: str
) -> None:
    run(transaction, "done", ago=HOUR)
    run(transaction, "Unreachable", ago=SECOND, purpose=purpose)
    assert not read_state(transaction, tmp_path, NOW).is_resuming


@pytest.mark.parametrize("purpose", ["forward", "reconcile"])
def test_twice_the_greatest_lateness_of_a_month_is_read_again(
    transaction: Transaction, tmp_path: Path, purpose: str
) -> None:
    late_row(transaction, HOUR)
    late_row(transaction, 2 * HOUR, purpose=purpose)
    late_row(transaction, 3 * HOUR, ago=MONTH)
    late_row(transaction, 4 * HOUR, purpose="backfill")
    assert read_state(transaction, tmp_path, NOW).learnt_overlap == 4 * HOUR


def test_no_more_than_a_day_is_read_again_however_late_a_row_came(
    transaction: Transaction, tmp_path: Path
) -> None:
    late_row(transaction, 100 * HOUR)
    assert read_state(transaction, tmp_path, NOW).learnt_overlap == timedelta(days=1)


def test_the_fullest_window_of_a_month_tells_how_many_rows_are_on_a_page(
    transaction: Transaction, tmp_path: Path
) -> None:
    window(transaction, rows=70, pages=2)
    window(transaction, rows=101, pages=4)
    window(transaction, rows=0, pages=0)
    window(transaction, rows=100, pages=1, ago=MONTH)
    window(transaction, rows=100, pages=1, stream="bulks")
    assert read_state(transaction, tmp_path, NOW).page_size == 35


def test_a_file_that_cannot_be_read_is_told(transaction: Transaction, tmp_path: Path) -> None:
    (tmp_path / "sms").mkdir()
    (tmp_path / "sms" / "foreign.parquet").touch()
    ((stream, file),) = read_state(transaction, tmp_path, NOW).unreadable
    assert (stream.name, file.path.name) == ("sms", "foreign.parquet")


def test_without_a_warehouse_no_row_is_known_to_come_late() -> None:
    assert SyncState().learnt_overlap == timedelta(0)


def test_a_run_is_written_as_it_begins_and_again_as_it_ends(transaction: Transaction) -> None:
    run_id = uuid4()
    record_start(transaction, run_id, Purpose.BACKFILL, NOW)
    begun = "select purpose, started_at, finished_at, requests, error from ops.sync_run where run_id = ?"
    assert transaction.native.execute(begun, [run_id]).fetchall() == [
        ("backfill", as_utc(NOW), None, None, None)
    ]
    result = {"run_id": str(run_id), "requests": 3}
    record_end(transaction, result, error="It is out of order.", finished_at=NOW + HOUR)
    assert transaction.native.execute(begun, [run_id]).fetchall() == [
        ("backfill", as_utc(NOW), as_utc(NOW + HOUR), 3, "It is out of order.")
    ]
