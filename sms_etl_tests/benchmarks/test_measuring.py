"""What is measured is what a user runs, and a warehouse filled by SQL is as a sync would have left it."""

import os
import pstats
import sys
from pathlib import Path

import duckdb
import pytest

from benchmarks.fill import fill
from benchmarks.ours import sync
from benchmarks.processes import MeasuredProgramError, measure, page_server
from benchmarks.profile_sync import by_module, profiled_threads
from benchmarks.traffic import encoded_rows, number_of
from sms_etl.sms_parts import count_parts

ROWS, FIRST = 100, 1_000
KEYED = (
    "phone_hash, phone_masked, phone_range, text_template, callback_data, first_seen_at, last_seen_at, "
    "changed_at"
)
"""Differ from warehouse to warehouse, by their key or their time."""


def test_a_warehouse_filled_by_sql_holds_what_a_sync_would_have_loaded(tmp_path: Path) -> None:
    synced_dir, filled_dir = tmp_path / "synced", tmp_path / "filled"
    with page_server(FIRST + ROWS) as server:
        now = server.tell("asked")["newest"] + 60
        synced = sync(server, synced_dir, now)
    with page_server(ROWS, first=FIRST) as server:
        oldest = server.tell("asked")["oldest"]
        sync(server, filled_dir, now)
    fill(filled_dir / "warehouse.duckdb", count=FIRST, until=oldest)

    assert synced.result["rows_new"] == FIRST + ROWS
    assert synced.asked["page"] >= (FIRST + ROWS) / 100
    with duckdb.connect() as connection:
        connection.execute(f"attach '{synced_dir}/warehouse.duckdb' as synced (read_only)")
        connection.execute(f"attach '{filled_dir}/warehouse.duckdb' as filled (read_only)")
        for table in ("raw.sms", "raw.sms_change"):
            counts = connection.execute(f"select count(*) from filled.{table}").fetchall()
            assert counts == [(FIRST + ROWS,)]
        columns = f"* exclude ({KEYED})"
        different = connection.execute(
            f"select {columns} from synced.raw.sms except select {columns} from filled.raw.sms"
        ).fetchall()
    assert different == []


def test_a_number_can_be_read_back_from_its_uuid() -> None:
    rows = encoded_rows(40_000_000, 50)
    for index in range(50):
        uuid = bytes(rows.text[rows.offsets[index] :]).partition(b'"uuid":"')[2][:36].decode()
        assert (number_of(uuid), rows.index_of(uuid)) == (40_000_000 + index, index)
        assert rows.index_of(uuid[:-1] + "z") is None


def test_a_measured_program_tells_time_memory_and_what_it_printed() -> None:
    hold = "import time; kept = bytearray(50 * 2**20); print('held'); time.sleep(0.3)"
    measured = measure([sys.executable, "-c", hold], {})
    assert measured.printed == "held\n"
    assert 50 < measured.peak_mb < 500
    assert measured.cpu_seconds > 0
    assert measured.seconds >= 0.3


def test_memory_is_counted_with_that_of_child_processes() -> None:
    child = "import time; kept = bytearray(60 * 2**20); time.sleep(0.4)"
    parent = (
        "import subprocess, sys; kept = bytearray(60 * 2**20); "
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert measure([sys.executable, "-c", parent], {}).peak_mb > 120


def test_a_measured_program_that_fails_says_why() -> None:
    with pytest.raises(MeasuredProgramError, match="no such row"):
        measure([sys.executable, "-c", "raise SystemExit('no such row')"], os.environ)


def test_what_a_library_spends_is_charged_to_the_module_that_called_it() -> None:
    with profiled_threads() as profiles:
        for number in range(300):
            count_parts(f"text {number} with € and {{braces}}" * 8)
    seconds = by_module(pstats.Stats(*profiles))
    assert max(seconds, key=lambda module: seconds[module]) == "sms_parts.py"
