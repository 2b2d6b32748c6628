"""Holds that an unknown field of any size stops no load, and what is kept of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sms_etl.errors import OutOfMemory
from sms_etl.settings import Settings, load_settings
from sms_etl.sync import intake
from sms_etl.sync.task import SyncResult
from sms_etl.warehouse.store import Transaction
from sms_etl_tests.exchanged import sync_with
from sms_etl_tests.provider_truth import ask, rows_of, warehouse_of
from sms_etl_tests.providers.lox24.rows import ROW
from sms_etl_tests.sync.provider_model import ModelProvider

NOW = 1_767_225_600
UUID = "00000000-0000-4000-8000-{:012d}"


def settings_in(folder: Path) -> Settings:
    return load_settings(
        data_dir=folder,
        lox24_token="1:model",
        now=datetime.fromtimestamp(NOW, tz=UTC),
        overlap=timedelta(hours=1),
        pii="keep",
    )


def sync(folder: Path, rows: Sequence[dict[str, Any]]) -> SyncResult:
    client = ModelProvider(lambda: rows, lambda: 2000)
    return sync_with(settings_in(folder), client)


def messages(count: int, **fields: object) -> list[dict[str, Any]]:
    return [
        dict(ROW, uuid=UUID.format(number), created_at=NOW - count + number, status_code=208, **fields)
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "size"), [(30_000, 1_000), (10_000, 3_000)])
def test_a_new_field_of_kilobytes_in_every_row_is_kept_as_it_is(
    tmp_path: Path, count: int, size: int
) -> None:
    result = sync(tmp_path, messages(count, colour="x" * size))
    assert (result.rows_new, result.quarantine_open, result.unknown_fields) == (count, 0, ("colour",))
    kept = ask(settings_in(tmp_path), "select distinct length(extra ->> 'colour') from raw.sms")
    assert kept == [(size,)]


def test_a_field_of_megabytes_in_one_row_is_cut_and_all_rows_are_loaded(tmp_path: Path) -> None:
    rows = messages(100)
    rows[50]["colour"] = "x" * 5_000_000
    result = sync(tmp_path, rows)
    assert (result.rows_new, result.quarantine_open, result.unknown_fields) == (100, 0, ("colour",))
    stored = rows_of(warehouse_of(settings_in(tmp_path)), "raw.sms")[UUID.format(50)]
    assert json.loads(stored["extra"]) == {"colour": {"cut_bytes": 5_000_002}}


def test_an_insert_that_needs_more_memory_than_usual_is_tried_without_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="sms_etl")
    monkeypatch.setattr(intake, "MEMORY_OF_AN_INSERT", "2MB")
    rows = messages(2_000, colour="x" * 3_000)
    assert sync(tmp_path, rows).rows_new == 2_000
    assert "need more memory than usual" in caplog.text
    assert sync(tmp_path, rows).rows_new == 0, "nothing is there twice"
    rows_of(warehouse_of(settings_in(tmp_path)), "raw.sms")


def test_a_machine_without_memory_is_no_file_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_threads = Transaction.use_threads

    def small(transaction: Transaction, count: int) -> None:
        use_threads(transaction, count)
        transaction.use_memory("1MB")

    rows = messages(2_000, colour="x" * 3_000)
    with monkeypatch.context() as patched:
        patched.setattr(intake, "MEMORY_OF_AN_INSERT", "1MB")
        patched.setattr(Transaction, "use_threads", small)
        with pytest.raises(OutOfMemory):
            sync(tmp_path, rows)
    assert ask(settings_in(tmp_path), "select count(*) from ops.quarantine") == [(0,)]
    assert sync(tmp_path, rows).rows_new == 2_000
