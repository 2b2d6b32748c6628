"""Holds that the published copy is whole, read-only, replaced at one stroke, and taken under the lock."""

import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

import duckdb
import pytest

from sms_etl.errors import DataDirError, NotAWarehouse, NoWarehouse
from sms_etl.settings import Settings
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import published, query
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import add_message, asked_elsewhere, is_locked_for_others

COUNT = "select count(*) from raw.sms"


def add(warehouse: Warehouse, *numbers: int) -> None:
    with warehouse.begin() as transaction:
        for number in numbers:
            add_message(transaction, number)


def test_without_a_warehouse_there_is_nothing_to_publish(settings: Settings) -> None:
    with pytest.raises(NoWarehouse, match="no warehouse") as caught:
        publish(settings)
    assert "sms-etl sync" in caught.value.hint
    assert not settings.data_dir.exists()


def test_the_copy_has_all_that_was_committed(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, *range(50))
    result = publish(settings)
    assert result.path == settings.published_path
    assert result.size == settings.published_path.stat().st_size > 0
    assert asked_elsewhere(result.path, COUNT) == "50"


def test_the_copy_can_be_read_only_and_nothing_lies_beside_it(
    settings: Settings, warehouse: Warehouse
) -> None:
    add(warehouse, 1)
    publish(settings)
    publish(settings)
    assert stat.S_IMODE(settings.published_path.stat().st_mode) & 0o333 == 0
    assert settings.published_path.stat().st_mode & stat.S_IRUSR
    assert list(settings.published_path.parent.iterdir()) == [settings.published_path]


def test_the_copy_is_readable_only_to_whom_the_umask_lets(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    before = os.umask(0o027)
    try:
        publish(settings)
    finally:
        os.umask(before)
    assert stat.S_IMODE(settings.published_path.stat().st_mode) == 0o440


def test_a_reader_of_the_old_copy_keeps_it_while_others_get_the_new(
    settings: Settings, warehouse: Warehouse
) -> None:
    add(warehouse, 1)
    publish(settings)
    with published(settings) as reader:
        add(warehouse, 2, 3)
        publish(settings)
        assert reader.execute(COUNT).fetchall() == [(1,)]
        assert asked_elsewhere(settings.published_path, COUNT) == "3"
    assert query(COUNT, settings).rows == [(3,)]


def test_nobody_can_write_between_the_checkpoint_and_the_rename(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row written after the checkpoint would be in the log only, and the copy would lack it."""
    add(warehouse, 1)
    locked: list[bool] = []
    copy, replace = shutil.copyfileobj, Path.replace

    def probing_copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
        locked.append(is_locked_for_others(warehouse.path))
        copy(source, target, length)
        locked.append(is_locked_for_others(warehouse.path))

    def probing_replace(aside: Path, target: Path) -> Path:
        locked.append(is_locked_for_others(warehouse.path))
        return replace(aside, target)

    monkeypatch.setattr(shutil, "copyfileobj", probing_copy)
    monkeypatch.setattr(Path, "replace", probing_replace)
    publish(settings)
    assert locked == [True] * 3
    assert not is_locked_for_others(warehouse.path)


def test_an_unfinished_copy_is_not_shown_and_leaves_nothing_behind(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(warehouse, 1)
    publish(settings)
    add(warehouse, 2)

    def full(_source: BinaryIO, target: BinaryIO, _length: int) -> None:
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DataDirError, match="No space left on device") as caught:
        publish(settings)
    assert "Free disk space" in caught.value.hint
    assert query(COUNT, settings).rows == [(1,)]
    assert list(settings.published_path.parent.iterdir()) == [settings.published_path]
    add(warehouse, 3)  # the lock was given up


def test_a_copy_left_over_from_a_crash_is_no_obstacle(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    settings.published_path.parent.mkdir()
    settings.published_path.with_suffix(".tmp").write_bytes(b"half a copy")
    publish(settings)
    assert query(COUNT, settings).rows == [(1,)]


def test_a_folder_that_cannot_be_made_is_told(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    settings.published_path.parent.write_text("a file in its place")
    with pytest.raises(DataDirError, match="SMS_ETL_DATA_DIR"):
        publish(settings)


def test_a_folder_in_the_place_of_the_copy_is_told(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    (settings.published_path / "full").mkdir(parents=True)
    with pytest.raises(DataDirError, match="cannot be written: Is a directory"):
        publish(settings)


def test_a_database_of_another_program_is_never_published(settings: Settings) -> None:
    settings.data_dir.mkdir()
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("create table theirs (a integer)")
    with pytest.raises(NotAWarehouse):
        publish(settings)
    assert not settings.published_path.exists()


def test_an_uncommitted_row_is_not_published(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    with pytest.raises(ValueError, match="out of range"):
        add(warehouse, 2, -1)  # no uuid is negative
    publish(settings)
    assert query(COUNT, settings).rows == [(1,)]
