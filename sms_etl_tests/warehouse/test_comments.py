"""Every table, view and column says in the database what it holds."""

from pathlib import Path

import duckdb
import pytest
from sqlalchemy import MetaData, Table, create_engine, inspect

from sms_etl.build import build_and_check
from sms_etl.models.project import load_project
from sms_etl.settings import Settings
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Warehouse
from sms_etl.warehouse.tables import metadata
from sms_etl_tests.warehouse.test_migrations import make_version_1

SILENT = """
select schema_name, table_name, null from duckdb_tables() where comment is null and not internal
union all
select schema_name, view_name, null from duckdb_views() where comment is null and not internal
union all
select schema_name, table_name, column_name from duckdb_columns() where comment is null and not internal
"""


@pytest.fixture
def built(settings: Settings, warehouse: Warehouse) -> Settings:
    with warehouse.begin():
        pass
    build_and_check(settings)
    return settings


def silent(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(SILENT).fetchall()


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_every_column_of_a_table_is_described(table: Table) -> None:
    assert [column.name for column in table.columns if not column.comment] == []


def test_after_a_build_nothing_in_the_warehouse_and_its_copy_is_without_a_comment(
    built: Settings, warehouse: Warehouse
) -> None:
    assert silent(warehouse.path) == []
    assert silent(publish(built).path) == []


def test_building_again_keeps_them(built: Settings, warehouse: Warehouse) -> None:
    build_and_check(built)
    assert silent(warehouse.path) == []


def test_sqlalchemy_reflects_them_from_the_copy(built: Settings) -> None:
    engine = create_engine(f"duckdb:///{publish(built).path}", connect_args={"read_only": True})
    model = load_project().models["marts.cost_monthly"]
    table = Table("cost_monthly", MetaData(), schema="marts", autoload_with=engine)
    assert table.comment == model.description
    assert {c.name: c.comment for c in table.columns} == {c.name: c.description for c in model.columns}
    assert "newest state" in str(inspect(engine).get_table_comment("sms", schema="raw")["text"])


def test_an_older_warehouse_gets_them_when_it_is_migrated(warehouse: Warehouse) -> None:
    make_version_1(warehouse.path)
    with warehouse.begin():
        pass
    assert [found for found in silent(warehouse.path) if found[0] in {"raw", "ops", "finance"}] == []


def test_what_a_newer_package_says_of_a_table_replaces_what_an_older_one_said(
    built: Settings, warehouse: Warehouse
) -> None:
    with warehouse.begin() as transaction:
        transaction.run("comment on column raw.sms.price is 'an older word'")
    build_and_check(built)
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        found = connection.execute(
            "select comment from duckdb_columns() where table_name = 'sms' and column_name = 'price'"
        ).fetchall()
    assert found == [(metadata.tables["raw.sms"].columns["price"].comment,)]
