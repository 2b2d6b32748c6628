"""Holds that the published copy is whole, read-only, replaced at one stroke, and taken under the lock."""

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pytest

from sms_etl.errors import ChecksFailed, DataDirError, NotAWarehouse, NoWarehouse, WarehouseError
from sms_etl.settings import Settings
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import published, query
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import add_message, asked_elsewhere, is_locked_for_others, note_build

COUNT = "select count(*) from raw.sms"


def add(warehouse: Warehouse, *numbers: int) -> None:
    with warehouse.begin() as transaction:
        for number in numbers:
            add_message(transaction, number)
        note_build(transaction)


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


def test_nobody_can_write_between_the_copy_and_the_rename(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written between would be missing, and a second publisher would write to the same file."""
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


# Run where the published folder is a disk of 12 MB: publishes little, then too much.
ON_A_SMALL_DISK = """
import json, os, sys
from pathlib import Path
import duckdb
from sms_etl.errors import DataDirError
from sms_etl.settings import load_settings
from sms_etl.warehouse.publish import publish
settings = load_settings(data_dir=Path(sys.argv[1]), publish="all")
said = []
for rows in (10, 1_000_000):
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as warehouse:
        warehouse.execute(
            "insert into raw.sms_change by name select uuid() as uuid, now() as observed_at, "
            "'poll' as observed_by, 'EUR' as currency from range(?)", [rows]
        )
    try:
        publish(settings)
    except DataDirError as exc:
        said.append(str(exc))
with duckdb.connect(str(settings.published_path), read_only=True) as copy:
    rows = copy.execute("select count(*) from raw.sms_change").fetchall()
with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as warehouse:
    publications = warehouse.execute("select count(*) from ops.publication").fetchall()
print(json.dumps([said, rows, publications, os.listdir(settings.published_path.parent)]))
"""
IN_ITS_OWN_MOUNTS = ["/usr/bin/env", "unshare", "-r", "-m", "sh", "-c"]


def test_on_a_full_disk_the_old_copy_stays_and_nothing_is_left_behind(
    settings: Settings, warehouse: Warehouse
) -> None:
    add(warehouse, 1)
    folder = settings.published_path.parent
    folder.mkdir()
    small_disk = f'mount -t tmpfs -o size=12m none {shlex.quote(str(folder))} || exit 77; exec "$@"'
    ran = subprocess.run(
        [*IN_ITS_OWN_MOUNTS, small_disk, "sh", sys.executable, "-c", ON_A_SMALL_DISK, str(settings.data_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if ran.returncode in {77, 127} or "unshare" in ran.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    assert ran.stderr == ""
    (said,), rows, publications, left = json.loads(ran.stdout.splitlines()[-1])  # a slow insert shows a bar
    assert "cannot be written: No space left on device" in said
    assert "Free disk space" in said
    assert rows == [[10]], "the old copy is still there"
    assert publications == [[1]], "what came to nothing is not recorded"
    assert left == ["warehouse.duckdb"]


def test_a_copy_that_lacks_a_row_is_not_published(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(warehouse, 1)
    publish(settings)
    old = settings.published_path.read_bytes()
    add(warehouse, 2)

    def an_older_file(_source: BinaryIO, target: BinaryIO, _length: int) -> None:
        target.write(old)

    monkeypatch.setattr(shutil, "copyfileobj", an_older_file)
    with pytest.raises(WarehouseError, match=r"differs from it in ops\.publication, raw\.sms"):
        publish(settings)
    assert query(COUNT, settings).rows == [(1,)]
    assert list(settings.published_path.parent.iterdir()) == [settings.published_path]
    add(warehouse, 3)  # the lock was given up


def test_a_warehouse_in_the_newest_format_is_rewritten_in_that_of_older_duckdbs(
    settings: Settings, warehouse: Warehouse
) -> None:
    """As earlier versions of the package made them."""
    settings.data_dir.mkdir()
    with duckdb.connect(str(warehouse.path)) as connection:
        assert storage_version(connection) == "v2.0.0+"
    add(warehouse, *range(20))
    with duckdb.connect(str(publish(settings).path), read_only=True) as connection:
        assert storage_version(connection) == "v1.2.0+"
        assert connection.execute(COUNT).fetchall() == [(20,)]


def storage_version(connection: duckdb.DuckDBPyConnection) -> str:
    ((version,),) = connection.execute(
        "select tags['storage_version'] from duckdb_databases() where not internal"
    ).fetchall()
    return str(version)


def test_a_damaged_warehouse_is_not_published(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        transaction.run(
            "insert into raw.sms_change by name select uuid() as uuid, now() as observed_at, "
            "'poll' as observed_by, 'EUR' as currency from range(300000)"
        )
        note_build(transaction)
    publish(settings)
    size = warehouse.path.stat().st_size
    with warehouse.path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(200_000))
    before = settings.published_path.read_bytes()
    with pytest.raises(WarehouseError, match="may be damaged"):
        publish(settings)
    assert settings.published_path.read_bytes() == before
    assert list(settings.published_path.parent.iterdir()) == [settings.published_path]


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


# --- what failed a blocking check ---


def publications(settings: Settings) -> list[tuple[Any, ...]]:
    sql = "select is_forced, forced_reason, failed_tests from ops.publication order by published_at"
    return [(*row[:2], json.loads(row[2])) for row in query(sql, settings).rows]


def test_what_was_never_built_is_not_published(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
    with pytest.raises(ChecksFailed, match="nothing was built yet") as caught:
        publish(settings)
    assert caught.value.exit_code == 3
    assert not settings.published_path.exists()


def test_what_failed_a_blocking_check_is_refused_by_its_name_and_the_old_copy_stays(
    settings: Settings, warehouse: Warehouse
) -> None:
    add(warehouse, 1)
    publish(settings)
    with warehouse.begin() as transaction:
        add_message(transaction, 2)
        note_build(transaction, money_reconciles=3)
    with pytest.raises(ChecksFailed, match=r"marts\.fct_sms: money_reconciles \(3 rows\)") as caught:
        publish(settings)
    assert "--force --reason" in caught.value.hint
    assert query(COUNT, settings).rows == [(1,)]


def test_a_forced_copy_itself_says_that_it_is_one_why_and_what_had_failed(
    settings: Settings, warehouse: Warehouse
) -> None:
    with warehouse.begin() as transaction:
        note_build(transaction, money_reconciles=3)
    result = publish(settings, forced_reason="the 3 rows are known")
    failed = ["marts.fct_sms: money_reconciles (3 rows)"]
    assert (result.is_forced, result.failed_tests) == (True, tuple(failed))
    assert publications(settings) == [(True, "the 3 rows are known", failed)]


def test_after_a_healthy_build_it_is_published_as_usual_again(
    settings: Settings, warehouse: Warehouse
) -> None:
    with warehouse.begin() as transaction:
        note_build(transaction, money_reconciles=3)
    publish(settings, forced_reason="the 3 rows are known")
    add(warehouse, 1)
    assert not publish(settings).is_forced
    assert [row[0] for row in publications(settings)] == [True, False]


def test_force_without_need_is_no_forced_publication(settings: Settings, warehouse: Warehouse) -> None:
    add(warehouse, 1)
    assert not publish(settings, forced_reason="to be safe").is_forced
    assert publications(settings) == [(False, None, [])]


def test_a_warning_does_not_keep_from_publishing(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        note_build(transaction, unknown_codes=3)
        transaction.run("update ops.model_test set severity = 'warn' where test = 'unknown_codes'")
    assert not publish(settings).is_forced
