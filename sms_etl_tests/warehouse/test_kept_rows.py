"""Holds that rows kept beside the warehouse are put back after an older backup was restored."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.errors import DataDirError
from sms_etl.warehouse.kept_rows import HOLDS, keep, reconcile
from sms_etl.warehouse.store import Transaction, Warehouse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    found = Warehouse(f"duckdb:///{tmp_path / 'warehouse.duckdb'}", fixed_clock(NOW))
    with found.begin():
        pass
    return found


def add(transaction: Transaction, reason: str) -> UUID:
    hold_id = uuid4()
    transaction.run(
        "insert into ops.hold (hold_id, added_at, actor, reason, key_id, since_at) "
        "values (?, ?, 'a', ?, 7, ?)",
        [hold_id, NOW.replace(tzinfo=None), reason, NOW.replace(tzinfo=None)],
    )
    keep(transaction, HOLDS)
    return hold_id


def remove(transaction: Transaction, hold_id: UUID) -> None:
    transaction.run(
        "update ops.hold set removed_at = $1 where hold_id = $2",
        [(NOW + timedelta(microseconds=5)).replace(tzinfo=None), hold_id],
    )
    keep(transaction, HOLDS)


def rows(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with warehouse.begin() as transaction:
        reconcile(transaction, HOLDS)
        return transaction.native.execute("select * from ops.hold order by reason").fetchall()


def test_what_was_added_and_changed_since_the_backup_is_put_back_as_it_was(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        first = add(transaction, "before the backup")
    backup = warehouse.path.read_bytes()
    with warehouse.begin() as transaction:
        remove(transaction, first)
        add(transaction, "since the backup, 'quoted'")
    before = rows(warehouse)
    warehouse.path.write_bytes(backup)
    assert rows(warehouse) == before
    with warehouse.begin() as transaction:
        assert reconcile(transaction, HOLDS) == 0


def test_what_the_file_does_not_know_yet_stays_and_is_kept(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        hold_id = add(transaction, "of an earlier version")
    warehouse.path.with_name("warehouse.duckdb.holds").unlink()
    backup = warehouse.path.read_bytes()
    assert len(rows(warehouse)) == 1
    with warehouse.begin() as transaction:
        remove(transaction, hold_id)
    warehouse.path.write_bytes(backup)
    assert rows(warehouse)[0][-2] is not None


def test_a_state_that_the_warehouse_has_later_is_not_undone(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        hold_id = add(transaction, "any")
    file = warehouse.path.with_name("warehouse.duckdb.holds")
    before = file.read_bytes()
    with warehouse.begin() as transaction:
        remove(transaction, hold_id)
    file.write_bytes(before)  # as a kill between the file and the commit of another run would leave it
    assert rows(warehouse)[0][-2] is not None


def test_without_rows_there_is_no_file(warehouse: Warehouse) -> None:
    assert rows(warehouse) == []
    assert [path.name for path in warehouse.path.parent.iterdir()] == ["warehouse.duckdb"]


def test_the_file_is_its_owners_alone(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add(transaction, "any")
    assert warehouse.path.with_name("warehouse.duckdb.holds").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"{", b"\xff", b'{"rows": [{}]}', b'{"rows": [{"hold_id": null}]}'])
def test_a_damaged_file_is_refused_with_what_to_do(warehouse: Warehouse, damage: bytes) -> None:
    warehouse.path.with_name("warehouse.duckdb.holds").write_bytes(damage)
    with pytest.raises(DataDirError, match="damaged") as caught:
        rows(warehouse)
    assert "remove the file" in caught.value.hint
