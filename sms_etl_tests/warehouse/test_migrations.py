"""Holds that a warehouse is brought to this version whole, or refused and left as it was."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy.exc import DBAPIError

from sms_etl.errors import NotAWarehouse, WarehouseError, WarehouseTooNew
from sms_etl.warehouse.migrations import STEPS, migrate
from sms_etl.warehouse.store import Warehouse
from sms_etl.warehouse.tables import metadata
from sms_etl.warehouse.version import VERSION
from sms_etl_tests.warehouse.conftest import CLOCK, STORED_NOW, add_message, count_of

STEP_TO_2 = {
    VERSION + 1: (
        "alter table raw.sms add column colour varchar",
        "create table raw.paint (colour varchar)",
        "update raw.sms set colour = 'red'",
    )
}
BROKEN_STEP = {VERSION + 1: (*STEP_TO_2[VERSION + 1], "insert into raw.nowhere values (1)")}


VERSION_1 = Path(__file__).with_name("version_1.sql")


def make_version_1(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(VERSION_1.read_text(encoding="utf-8"))


def columns(path: Path) -> set[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select schema_name, table_name, column_name, data_type, is_nullable from duckdb_columns()"
            " where not internal"
        )
        return set(rows.fetchall())


def versions(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        return connection.execute("select version, migrated_at from ops.schema_version").fetchall()


def relations(path: Path) -> set[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute("select table_schema || '.' || table_name from information_schema.tables")
        return {row[0] for row in rows.fetchall()}


def migrate_further(warehouse: Warehouse, steps: Mapping[int, tuple[str, ...]]) -> None:
    with warehouse.begin() as transaction:
        migrate(transaction.sql, CLOCK, version=VERSION + len(steps), steps=steps)


def test_an_empty_file_gets_the_newest_version_at_once(warehouse: Warehouse) -> None:
    with warehouse.begin():
        pass
    assert relations(warehouse.path) == set(metadata.tables)
    assert versions(warehouse) == [(VERSION, STORED_NOW)]


def test_a_file_of_this_version_is_left_as_it_is(warehouse: Warehouse) -> None:
    for _ in range(3):
        with warehouse.begin():
            pass
    assert len(versions(warehouse)) == 1


def test_there_is_a_step_to_every_version_after_the_first() -> None:
    assert set(STEPS) == set(range(2, VERSION + 1))


def test_an_older_file_goes_through_every_step_and_keeps_its_rows(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        uuid = add_message(transaction, 1)
    migrate_further(warehouse, {**STEP_TO_2, VERSION + 2: ("update raw.sms set colour = colour || 'dish'",)})
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        assert connection.execute("select uuid, colour from raw.sms").fetchall() == [(uuid, "reddish")]
    assert [version for version, _ in versions(warehouse)] == [VERSION, VERSION + 2]


def test_a_file_of_version_1_gets_the_columns_of_a_new_file(warehouse: Warehouse, tmp_path: Path) -> None:
    make_version_1(warehouse.path)
    with warehouse.begin():
        pass
    new = Warehouse(f"duckdb:///{tmp_path / 'new.duckdb'}", CLOCK)
    with new.begin():
        pass
    assert columns(warehouse.path) == columns(new.path)
    assert [version for version, _ in versions(warehouse)] == [1, VERSION]


def test_a_file_of_version_2_gets_the_tables_of_closed_months(warehouse: Warehouse, tmp_path: Path) -> None:
    make_version_1(warehouse.path)
    with duckdb.connect(str(warehouse.path)) as connection:
        for statement in STEPS[2]:
            connection.execute(statement)
        connection.execute("insert into ops.schema_version values (2, now())")
    with warehouse.begin() as transaction:
        closed = transaction.native.execute(
            "select table_name from duckdb_tables() where schema_name = 'finance' order by all"
        ).fetchall()
    assert closed == [("closed_line",), ("closed_period",), ("correction",)]


def test_late_rows_that_only_a_backfill_can_have_read_teach_no_overlap_any_more(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(
            """
            insert into ops.late_row
            select uuid(), timestamp '2026-01-10' - age, timestamp '2026-01-10', observed_by, now()
            from (values (interval 4 day, 'poll'), (interval 1 hour, 'poll'), (interval 9 day, 'reconcile'))
                as late (age, observed_by)
            """
        )
    with warehouse.begin() as transaction:
        rows = transaction.native.execute("select purpose from ops.late_row order by created_at").fetchall()
    assert rows == [("reconcile",), ("backfill",), ("forward",)]


def test_sources_of_version_1_stay_and_larger_ones_fit_beside_them(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    now = "timestamp '2026-01-10'"
    columns = "(uuid, created_at, currency, first_seen_at, last_seen_at, changed_at, source)"
    insert = f"insert into {{}} {columns} select uuid(), {now}, 'EUR', {now}, {now}, {now}, {{}}"
    tables = ("raw.sms", "raw.bulk")
    with duckdb.connect(str(warehouse.path)) as connection:
        for table in tables:
            connection.execute(insert.format(table, "unnest([2147483647, null])"))
    with warehouse.begin() as transaction:
        for table in tables:
            transaction.run(insert.format(table, "9223372036854775807"))
            query = f"select source from {table} order by source nulls last"
            sources = transaction.native.execute(query).fetchall()
            assert sources == [(2**31 - 1,), (2**63 - 1,), (None,)]


def test_what_version_1_stored_at_two_times_becomes_one_row_as_it_was_seen_last(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    columns = "(uuid, created_at, currency, first_seen_at, last_seen_at, changed_at)"
    twice, once = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
    with duckdb.connect(str(warehouse.path)) as connection:
        for table in ("raw.sms", "raw.bulk"):
            connection.execute(
                f"""
                insert into {table} {columns} select uuid, day, 'EUR', seen, seen, seen from (values
                    ('{twice}'::uuid, timestamp '2026-01-05', timestamp '2026-01-09'),
                    ('{twice}'::uuid, timestamp '2026-01-01', timestamp '2026-01-03'),
                    ('{once}'::uuid, timestamp '2026-01-02', timestamp '2026-01-03')
                ) as rows (uuid, day, seen)
                """
            )
    with warehouse.begin() as transaction:
        for table in ("raw.sms", "raw.bulk"):
            rows = transaction.native.execute(
                f"select cast(uuid as varchar), day(created_at), day(first_seen_at), day(last_seen_at) "
                f"from {table} order by uuid"
            ).fetchall()
            assert rows == [(twice, 5, 3, 9), (once, 2, 3, 3)]


def test_rows_in_quarantine_of_version_1_get_their_time_where_it_is_readable(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    raws = {
        "number": '{"created_at": 1769860800, "price": "x"}',
        "text": '{"created_at": "2026-01-31"}',
        "none": "{}",
        "huge": '{"created_at": 99999999999999}',
        "no object": "17",
        "no JSON": "<html>",
        "null": None,
    }
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.executemany(
            """
            insert into ops.quarantine
                (quarantine_id, run_id, window_id, stream, quarantined_at, reason, raw)
            values (uuid(), uuid(), uuid(), 'sms', now(), ?, ?)
            """,
            list(raws.items()),
        )
    with warehouse.begin() as transaction:
        rows = transaction.native.execute(
            "select reason, created_at, window_id is not null from ops.quarantine order by rowid"
        ).fetchall()
    created_at = datetime(2026, 1, 31, 12)
    assert rows == [("number", created_at, True), *((name, None, False) for name in list(raws)[1:])]


def test_windows_of_version_1_are_told_apart_by_their_runs(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(
            """
            create temp table runs as
            select name, uuid() as run_id, stopped_reason
            from (values ('hourly', 'done'), ('days again', 'done'), ('failed', 'Unreachable'))
                as run (name, stopped_reason);
            insert into ops.sync_run by name
            select run_id, stopped_reason, timestamp '2026-01-10' as started_at, '0' as version from runs;
            insert into ops.fetch_window by name
            select
                uuid() as window_id, run_id, stream, observed_by, since_at, since_at as until_at, 0 as rows,
                0 as rows_quarantined, 1 as pages, 1 as attempts, '' as landed, fetched_at,
                fetched_at as loaded_at
            from runs
            join (
                values
                    ('hourly', 'sms', 'poll', timestamp '2026-01-10', timestamp '2026-01-10 01:00'),
                    ('hourly', 'bulks', 'poll', timestamp '2026-01-10', timestamp '2026-01-10 01:00'),
                    ('hourly', 'sms', 'settle', null, timestamp '2026-01-10 01:00'),
                    ('hourly', 'sms', 'reconcile', timestamp '2026-01-10', timestamp '2026-01-10 01:00'),
                    ('days again', 'sms', 'poll', timestamp '2026-01-09', timestamp '2026-01-10 02:00'),
                    ('days again', 'sms', 'poll', null, timestamp '2026-01-10 02:00'),
                    ('failed', 'sms', 'poll', timestamp '2026-01-08', timestamp '2026-01-10 03:00')
            ) as w (name, stream, observed_by, since_at, fetched_at) using (name);
            insert into ops.late_row
            values (uuid(), '2026-01-09', '2026-01-09 02:00', 'poll', '2026-01-10 02:00'),
                (uuid(), '2026-01-08', '2026-01-08 02:00', 'poll', '2026-01-10 03:00')
            """
        )
    with warehouse.begin() as transaction:
        windows = "select hour(fetched_at), purpose from ops.fetch_window where stream = 'sms' order by all"
        assert transaction.native.execute(windows).fetchall() == [
            (1, "forward"),
            (1, "reconcile"),
            (1, "settle"),
            (2, "backfill"),
            (2, "replay"),
            (3, "forward"),
        ]
        late = "select hour(first_seen_at), purpose from ops.late_row order by all"
        assert transaction.native.execute(late).fetchall() == [(2, "backfill"), (3, "forward")]


def test_a_newer_file_is_refused_and_not_touched(warehouse: Warehouse) -> None:
    migrate_further(warehouse, STEP_TO_2)
    before = warehouse.path.read_bytes()
    older = Warehouse(f"duckdb:///{warehouse.path}", CLOCK)
    with (
        pytest.raises(WarehouseTooNew, match=rf"version {VERSION + 1};.* writes version {VERSION}") as caught,
        older.begin(),
    ):
        pytest.fail("the transaction must not begin")
    assert "Upgrade sms_etl" in caught.value.hint
    assert warehouse.path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
    with pytest.raises(WarehouseError, match="nowhere") as caught:
        migrate_further(warehouse, BROKEN_STEP)
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert relations(warehouse.path) == set(metadata.tables)
    assert [version for version, _ in versions(warehouse)] == [VERSION]
    with warehouse.begin() as transaction:
        assert count_of(transaction) == 1
        names = {row[0] for row in transaction.native.execute("describe raw.sms").fetchall()}
    assert "colour" not in names


@pytest.mark.parametrize(
    "statement",
    ["create table theirs (a integer)", "create view theirs as select 1", "create table raw_sms (a int)"],
)
def test_a_database_of_another_program_is_refused_and_not_touched(
    warehouse: Warehouse, statement: str
) -> None:
    warehouse.path.parent.mkdir(parents=True)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(statement)
    before = warehouse.path.read_bytes()
    with (
        pytest.raises(NotAWarehouse, match="1 tables or views") as caught,
        warehouse.begin(),
    ):
        pytest.fail("the transaction must not begin")
    assert "SMS_ETL_DATA_DIR" in caught.value.hint
    assert warehouse.path.read_bytes() == before
