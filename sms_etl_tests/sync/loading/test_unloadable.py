"""Holds that a landed file that cannot be loaded is put aside as a whole, and blocks nothing behind it."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.errors import DataDirError
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import Task
from sms_etl.warehouse.quarantine import accept
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.exchanged import power_cut, sync_loading_by
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of

REPLAY = Task(is_replaying_quarantine=True)
Spoil = Callable[[Path], object]


@pytest.fixture
def settings(provider: SandboxHandle, settings_at: SettingsAt) -> Settings:
    return settings_at(provider)


def land(settings: Settings, task: Task | None = None) -> list[Path]:
    """Let a sync land files and be killed before it loads the first; return them, oldest first."""

    with pytest.raises(RuntimeError, match="power cut"):
        sync_loading_by(power_cut, settings, task)
    landed = sorted((settings.landing_dir / "sms").glob("*.parquet"))
    assert landed
    return landed


def waiting(settings: Settings) -> list[tuple[Any, ...]]:
    return ask(
        settings,
        "select kind, reason, landed from ops.quarantine where replayed_at is null and accepted_at is null",
    )


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4:400] = bytes(396)
    file.write_bytes(content)


def _rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(file)), file)


def _as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _as_link(file: Path) -> None:
    target = file.rename(file.with_suffix(".elsewhere"))
    file.symlink_to(target)


def _as_broken_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere")


def _with_facts(**changed: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        manifest = msgspec.json.decode(table.schema.metadata[b"sms_etl"]) | changed
        return table.replace_schema_metadata({b"sms_etl": msgspec.json.encode(manifest)})

    return change


def _with_column(name: str, values: Callable[[pa.Table], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index(name), name, values(table))

    return change


SPOILS: Mapping[str, Spoil] = {
    "truncated": _truncate,
    "damaged within": _damage,
    "empty": lambda file: os.truncate(file, 0),
    "foreign Parquet": lambda file: pq.write_table(pa.table({"a": [1]}), file),
    "text": lambda file: file.write_text("uuid,price\n"),
    "folder": _as_folder,
    "link": _as_link,
    "broken link": _as_broken_link,
    "without metadata": lambda file: _rewrite(file, lambda table: table.replace_schema_metadata()),
    "other metadata": lambda file: _rewrite(
        file, lambda table: table.replace_schema_metadata({b"sms_etl": b"{}"})
    ),
    "without a column": lambda file: _rewrite(file, lambda table: table.drop_columns("price")),
    "another type": lambda file: _rewrite(
        file, _with_column("price", lambda table: pa.array([1.5] * len(table)))
    ),
    "no uuids": lambda file: _rewrite(
        file, _with_column("uuid", lambda table: pa.array(["+4915112345678"] * len(table)))
    ),
    "no times": lambda file: _rewrite(
        file, _with_column("created_at", lambda table: pa.nulls(len(table), pa.timestamp("us")))
    ),
    "another stream": lambda file: _rewrite(file, _with_facts(stream="bulks")),
    "no currency": lambda file: _rewrite(file, _with_facts(currency="EUR/CHF")),
    "no span": lambda file: _rewrite(file, _with_facts(since=7, until=5)),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_file_that_cannot_be_loaded_waits_and_its_span_is_read_anew(
    provider: SandboxHandle, settings: Settings, spoil: Spoil
) -> None:
    file, *_ = land(settings)
    spoil(file)
    result = run_sync(settings)
    assert (result.files_quarantined, result.quarantine_files, result.quarantine_open) == (1, 1, 1)
    [(kind, reason, name)] = waiting(settings)
    assert (kind, name) == ("file", file.name)
    assert "4915" not in reason
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    status = read_status(settings)
    assert (status.needs_attention, status.quarantine_files) == (True, 1)
    again = run_sync(settings)
    assert (again.files_quarantined, again.quarantine_open) == (0, 0)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_one_of_many_landed_files_is_put_aside_and_those_behind_it_are_loaded(
    provider: SandboxHandle, settings: Settings
) -> None:
    settings = settings.model_copy(update={"window_rows": 20})
    landed = _land_all(settings)
    assert len(landed) > 4
    _truncate(landed[1])
    SPOILS["no uuids"](landed[3])
    provider.forget_requests()
    result = run_sync(settings)
    assert result.files_quarantined == 2
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert run_sync(settings, REPLAY).quarantine_open == 0


def _land_all(settings: Settings) -> list[Path]:
    """Land every window; each load fails as if the disk were full, so that no file is at fault."""

    def full(*_: object, **__: object) -> Any:
        raise duckdb.IOException("No space left on device")

    with pytest.raises(DataDirError, match="the disk is full"):
        sync_loading_by(full, settings)
    return sorted((settings.landing_dir / "sms").glob("*.parquet"))


def test_the_watermark_does_not_pass_a_file_whose_span_nothing_tells(
    provider: SandboxHandle, settings: Settings
) -> None:
    landed = land(settings)
    old = landed[0].with_name(f"20200101T000000000000-{landed[0].stem[-36:]}.parquet")
    landed[0].rename(old)
    os.truncate(old, 10)
    result = run_sync(settings)
    assert result.files_quarantined == 1
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_a_foreign_file_waits_until_it_is_removed(settings: Settings) -> None:
    run_sync(settings)
    foreign = settings.landing_dir / "sms" / "sales 2026.parquet"
    pq.write_table(pa.table({"amount": [1]}), foreign)
    assert run_sync(settings).quarantine_open == 1
    assert run_sync(settings, REPLAY).quarantine_open == 1
    again = run_sync(settings)
    assert (again.files_quarantined, again.quarantine_open) == (0, 1)
    foreign.unlink()
    assert run_sync(settings, REPLAY).quarantine_open == 0


def test_a_foreign_file_that_was_accepted_is_not_looked_at_again(settings: Settings) -> None:
    run_sync(settings)
    pq.write_table(pa.table({"amount": [1]}), settings.landing_dir / "sms" / "sales.parquet")
    run_sync(settings)
    with Warehouse.of(settings).begin() as transaction:
        [(key,)] = transaction.native.execute("select quarantine_id from ops.quarantine").fetchall()
        accept(transaction.native, [str(key)], reason="somebody's own", now=settings.clock())
    assert run_sync(settings).quarantine_open == 0


def test_a_file_that_comes_back_brings_what_was_deleted_and_takes_nothing_back(
    provider: SandboxHandle, settings: Settings, settings_at: SettingsAt
) -> None:
    file, *_ = land(settings)
    content = file.read_bytes()
    file.write_bytes(b"")
    before = provider.truth_sms()
    provider.advance(timedelta(days=2))
    deleted = before[0]["uuid"]
    provider.delete(deleted)
    result = run_sync(settings_at(provider))
    assert result.quarantine_open == 1
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    file.write_bytes(content)
    result = run_sync(settings_at(provider), REPLAY)
    assert (result.rows_new, result.rows_changed, result.quarantine_open) == (1, 0, 0)
    stored = ask(settings, f"select count(*) from raw.sms where uuid = '{deleted}'")
    assert stored == [(1,)]
    others = [row for row in provider.truth_sms() if row["uuid"] != deleted]
    with Warehouse.of(settings).begin() as transaction:
        transaction.run(f"delete from raw.sms where uuid = '{deleted}'")
    assert_messages_equal(warehouse_of(settings), others)


def test_a_file_whose_rows_the_warehouse_refuses_again_stays_one_open_file(
    provider: SandboxHandle, settings: Settings
) -> None:
    def refusing(*_: object, **__: object) -> Any:
        raise duckdb.ConversionException("+4915112345678")

    for _ in range(3):
        result = sync_loading_by(refusing, settings)
        assert result.stopped_reason == "done"
        assert (result.quarantine_open, result.quarantine_files) == (2, 2), "messages and bulks"
    assert "4915" not in str(ask(settings, "select * from ops.quarantine"))
    assert run_sync(settings).quarantine_open == 0
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_waits_until_it_may(provider: SandboxHandle, settings: Settings) -> None:
    file, *_ = land(settings)
    file.chmod(0)
    assert run_sync(settings).quarantine_open == 1
    assert waiting(settings)[0][1] == "A landed file may not be read: permission denied"
    file.chmod(0o600)
    assert run_sync(settings).quarantine_open == 0
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_a_bulk_file_that_cannot_be_loaded_stops_no_message(
    provider: SandboxHandle, settings: Settings
) -> None:
    run_sync(settings)
    for stream in ("bulks", "bulks_changed"):
        folder = settings.landing_dir / stream
        folder.mkdir(exist_ok=True)
        (folder / "20260101T000000000000-0000000001_0000000009-nothing.parquet").write_bytes(b"PAR1")
    result = run_sync(settings)
    assert (result.files_quarantined, result.bulks_error) == (2, None)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, tz=UTC)


def test_a_backfill_whose_file_is_damaged_is_read_by_the_next_sync(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    settings = settings_at(empty_provider, start=moment(now - 3600))
    empty_provider.insert({"created_at": now - 86400}, {"created_at": now})
    run_sync(settings)
    before = set((settings.landing_dir / "sms").glob("*.parquet"))
    landed = land(settings, Task(since=moment(now - 90000), until=moment(now - 80000)))
    for file in {*landed} - before:
        _truncate(file)
    assert run_sync(settings).quarantine_open == 1
    assert_messages_equal(warehouse_of(settings), empty_provider.truth_sms())
