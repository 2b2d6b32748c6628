"""Holds the opening of the warehouse: one transaction, seen from both sides, or a reason why not."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from sms_etl.errors import DataDirError, NotAWarehouse, SettingsError, WarehouseError
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import CLOCK, STORED_NOW, add_message, count_of


def warehouse_at(path: Path) -> Warehouse:
    return Warehouse(f"duckdb:///{path}", CLOCK)


def refused(warehouse: Warehouse) -> Exception:
    with pytest.raises((WarehouseError, DataDirError)) as caught, warehouse.begin():
        pytest.fail("the transaction must not begin")
    return caught.value


def test_the_file_is_made_at_first_use_with_the_folders_above_it(warehouse: Warehouse) -> None:
    assert not warehouse.exists
    with warehouse.begin() as transaction:
        assert count_of(transaction) == 0
    assert warehouse.exists


def test_the_warehouse_of_the_settings_lies_where_they_say(settings: Settings, tmp_path: Path) -> None:
    assert Warehouse.of(settings).path == tmp_path / "data" / "warehouse.duckdb"
    elsewhere = load_settings(warehouse=f"duckdb:///{tmp_path}/other.db")
    assert Warehouse.of(elsewhere).path == tmp_path / "other.db"


ODD_NAMES = ["a b", "ü", "50%", "100%25", "a@b", "a#b", "a:b", "a&b=c", "a'b", 'a"b']


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = load_settings(data_dir=tmp_path / name)
    with Warehouse.of(settings).begin():
        pass
    assert (tmp_path / name / "warehouse.duckdb").exists()


def test_a_file_that_was_removed_meanwhile_is_made_anew(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
    warehouse.path.unlink()
    with warehouse.begin() as transaction:
        assert count_of(transaction) == 0


def test_what_one_side_does_the_other_sees_within_the_transaction(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        uuid = add_message(transaction, 7)
        assert transaction.sql.scalars(select(tables.sms.c.uuid)).all() == [uuid]
        row = {"stream": "sms", "watermark_at": STORED_NOW, "run_id": uuid, "updated_at": STORED_NOW}
        transaction.sql.execute(insert(tables.watermark), row)
        assert count_of(transaction, "ops.watermark") == 1


def test_both_sides_are_committed_together(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        uuid = add_message(transaction, 7)
        row = {"stream": "sms", "watermark_at": STORED_NOW, "run_id": uuid, "updated_at": STORED_NOW}
        transaction.sql.execute(insert(tables.watermark), row)
    with warehouse.begin() as transaction:
        assert (count_of(transaction), count_of(transaction, "ops.watermark")) == (1, 1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, DataDirError])
def test_an_error_rolls_both_sides_back_and_passes(warehouse: Warehouse, error: type[BaseException]) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)

    def break_off() -> None:
        with warehouse.begin() as transaction:
            uuid = add_message(transaction, 2)
            row = {"stream": "sms", "watermark_at": STORED_NOW, "run_id": uuid, "updated_at": STORED_NOW}
            transaction.sql.execute(insert(tables.watermark), row)
            raise error("broken off")

    with pytest.raises(error):
        break_off()
    with warehouse.begin() as transaction:
        assert (count_of(transaction), count_of(transaction, "ops.watermark")) == (1, 0)


@pytest.mark.parametrize("side", ["native", "sql"])
def test_what_the_database_refuses_is_a_warehouse_error_and_writes_nothing(
    warehouse: Warehouse, side: str
) -> None:
    def add_a_message_and_half_of_another() -> None:
        with warehouse.begin() as transaction:
            uuid = add_message(transaction, 1)
            if side == "native":
                transaction.native.execute("insert into raw.sms (uuid) values (?)", [uuid])
            transaction.sql.execute(insert(tables.sms).values(uuid=uuid))

    with pytest.raises(WarehouseError, match="refused") as caught:
        add_a_message_and_half_of_another()
    assert isinstance(caught.value.__cause__, (DBAPIError, duckdb.Error))
    assert "ConstraintException" in caught.value.message, "what it says may quote a row"
    assert "doctor" in caught.value.hint
    with warehouse.begin() as transaction:
        assert count_of(transaction) == 0


def test_money_and_times_come_back_as_they_went_in(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1, "123456789012.345678")
        price, created_at = transaction.sql.execute(select(tables.sms.c.price, tables.sms.c.created_at)).one()
    assert (str(price), created_at) == ("123456789012.345678", STORED_NOW)


@pytest.mark.parametrize("content", [b"", b"x", b"hello " * 4000, b"PAR1" * 100], ids=len)
def test_a_file_that_is_no_duckdb_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content)
    error = refused(warehouse_at(path))
    assert type(error) is NotAWarehouse
    assert str(path) in str(error)
    assert path.read_bytes() == content


def test_a_file_of_sqlite_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    connection = sqlite3.connect(path)
    connection.execute("create table theirs (a)")
    connection.close()
    before = path.read_bytes()
    assert type(refused(warehouse_at(path))) is NotAWarehouse
    assert path.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    assert type(refused(warehouse_at(tmp_path))) is NotAWarehouse


def test_a_data_folder_that_cannot_be_made_names_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refused(warehouse_at(tmp_path / "file" / "data" / "warehouse.duckdb"))
    assert type(error) is DataDirError
    assert f"{tmp_path / 'file'} is a file" in str(error)
    assert "SMS_ETL_DATA_DIR" in str(error)


def test_a_file_that_cannot_be_made_names_its_setting() -> None:
    """The kernel's own folder takes no files, not even from root."""
    error = refused(warehouse_at(Path("/proc/warehouse.duckdb")))
    assert type(error) is DataDirError
    assert "SMS_ETL_DATA_DIR" in str(error)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("warehouse.duckdb", "not an address"),
        ("", "not an address"),
        ("sc://spark:15002", "sc is not supported"),
        ("postgresql://me:dont-tell@host/db", "postgresql is not supported"),
        ("duckdb+other:///x", r"duckdb\+other is not supported"),
        ("duckdb://", "in memory"),
        ("duckdb:///:memory:", "in memory"),
    ],
)
def test_an_address_that_is_no_duckdb_file_is_a_wrong_setting(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"SMS_ETL_WAREHOUSE: .*{said}") as caught:
        Warehouse(url, CLOCK)
    assert "duckdb:///" in caught.value.hint
    assert "dont-tell" not in str(caught.value)


def test_held_outside_of_a_transaction_the_file_can_be_checkpointed(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
    with warehouse.exclusive() as native:
        native.execute("checkpoint")
    assert not warehouse.path.with_name("warehouse.duckdb.wal").exists()


def test_what_the_database_refuses_there_is_a_warehouse_error_too(warehouse: Warehouse) -> None:
    with warehouse.begin():
        pass
    with pytest.raises(WarehouseError, match="refused"), warehouse.exclusive() as native:
        native.execute("select * from raw.nowhere")
