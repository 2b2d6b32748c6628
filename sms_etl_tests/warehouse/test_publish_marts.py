"""Holds what analysts get: every figure, and in no byte a row of the provider or of the quarantine."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.errors import QueryError, WarehouseError, WarehouseLocked
from sms_etl.finance.report import write_report
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.quarantine import quarantined_rows
from sms_etl.warehouse.read import connect, newest, open_query, published, query
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.warehouse.conftest import Hold

PLANTED = ["planted-callback", "planted-quarantine", "planted-extra", "203.0.113.77"]
RELATIONS = "select table_schema || '.' || table_name from information_schema.tables order by all"
COMMENTS = """
select schema_name || '.' || table_name, null, comment from duckdb_tables() where not internal
union all
select schema_name || '.' || view_name, null, comment from duckdb_views() where not internal
union all
select schema_name || '.' || table_name, column_name, comment from duckdb_columns() where not internal
"""
NOT_NULL = """
select schema_name || '.' || table_name, column_name from duckdb_columns()
where not internal and not is_nullable order by all
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An account that was synced, built and published, with a row in quarantine and planted values."""
    with running_sandbox(account=AccountParameters(messages=300, days=6)) as provider:
        now = to_unix(provider.now())
        provider.insert(
            {"created_at": now, "callback_data": PLANTED[0], "ip": PLANTED[3]},
            {"created_at": now, "extra": {"price": "free", "note": PLANTED[1]}},
            {"created_at": now, "extra": {"note": PLANTED[2]}},
        )
        settings = load_settings(
            data_dir=tmp_path_factory.mktemp("published"), now=provider.now(), pii="keep"
        )
        assert sync_build_publish(with_sandbox(settings, provider)).published is not None
        numbers = [message["phone"] for message in provider.truth_sms()]
    PLANTED.extend(numbers[:20])
    return settings


@pytest.fixture
def copy(settings: Settings) -> Any:
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        yield connection


@pytest.fixture
def warehouse(settings: Settings) -> Any:
    with duckdb.connect(str(Warehouse.of(settings).path), read_only=True) as connection:
        yield connection


def holding(path: Path) -> set[str]:
    content = path.read_bytes()
    return {text for text in PLANTED if text.encode() in content}


def test_no_byte_of_the_providers_rows_or_of_the_quarantine_is_in_the_copy(settings: Settings) -> None:
    assert holding(settings.published_path) == set()
    assert PLANTED[0] in holding(Warehouse.of(settings).path), "what is looked for could be found"


def test_the_copy_has_marts_seeds_ops_and_closed_months_and_no_quarantine(
    copy: duckdb.DuckDBPyConnection,
) -> None:
    names = [name for (name,) in copy.execute(RELATIONS).fetchall()]
    assert {name.partition(".")[0] for name in names} == {"marts", "seeds", "ops", "finance"}
    assert "ops.quarantine" not in names
    assert {"marts.fct_sms", "marts.data_status", "marts.quarantined_rows", "ops.sync_run"} <= set(names)


def test_everything_in_the_copy_can_be_read_and_is_what_the_warehouse_says(
    copy: duckdb.DuckDBPyConnection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    for (name,) in copy.execute(RELATIONS).fetchall():
        rows = f"select * from {name} order by all"
        assert copy.execute(rows).fetchall() == warehouse.execute(rows).fetchall(), name


def test_comments_and_constraints_stay(
    copy: duckdb.DuckDBPyConnection, warehouse: duckdb.DuckDBPyConnection
) -> None:
    names = {name for (name,) in copy.execute(RELATIONS).fetchall()}
    for sql in (COMMENTS, NOT_NULL):
        expected = {row for row in warehouse.execute(sql).fetchall() if row[0] in names}
        assert set(copy.execute(sql).fetchall()) == expected
        assert len(expected) > 50


def test_the_mart_of_the_quarantine_tells_why_and_what_it_cost_and_nothing_it_holds(
    copy: duckdb.DuckDBPyConnection,
) -> None:
    [row] = copy.execute("select stream, reason, uuid, created_at from marts.quarantined_rows").fetchall()
    assert row[0] == "sms"
    assert "price" in row[1]
    assert None not in row
    assert copy.execute("select quarantine_open from marts.data_status").fetchall() == [(1,)]


def test_the_report_is_written_from_the_copy_with_what_is_not_in_the_figures(
    settings: Settings, tmp_path: Path
) -> None:
    with published(settings) as connection:
        report = write_report(
            connection, f"{settings.clock():%Y-%m}", tmp_path, generated_at=settings.clock()
        )
    assert any("quarantine" in said.text or "not in" in said.text for said in report.statements)
    assert not report.is_cost_complete


@pytest.mark.parametrize(
    "sql", ["from raw.sms", "from ops.quarantine", "from staging.stg_sms", "from intermediate.int_status"]
)
def test_who_asks_for_what_is_not_published_learns_which_setting_does_and_what_else_there_is(
    settings: Settings, sql: str
) -> None:
    with pytest.raises(QueryError, match="SMS_ETL_PUBLISH=all") as caught:
        query(sql, settings)
    assert "--warehouse" in caught.value.hint
    with open_query(sql, settings, is_of_warehouse=True) as (columns, rows):
        assert len(columns) > 3
        assert next(rows)


def test_who_asks_for_what_there_is_nowhere_is_not_sent_there(settings: Settings) -> None:
    with pytest.raises(QueryError) as caught:
        query("from marts.nothing", settings)
    assert "SMS_ETL_PUBLISH" not in str(caught.value)


def test_the_warehouse_itself_is_read_only_and_locked_down_as_the_copy_is(settings: Settings) -> None:
    with connect(settings, is_of_warehouse=True) as connection:
        for sql in (
            "delete from raw.sms",
            "copy raw.sms to '/tmp/x.csv'",
            "select * from read_csv('/etc/passwd')",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)


def test_status_and_quarantine_answer_from_the_copy_while_the_warehouse_is_locked(
    settings: Settings, hold: Hold
) -> None:
    before = read_status(settings)
    with newest(settings) as connection:
        rows = quarantined_rows(connection)
    with hold(Warehouse.of(settings).path):
        meanwhile = read_status(settings)
        with newest(settings) as connection:
            assert quarantined_rows(connection) == rows != []
        with pytest.raises(WarehouseLocked), open_query("from raw.sms", settings, is_of_warehouse=True):
            pytest.fail("it must not be opened")
    assert meanwhile.messages == before.messages > 300
    assert (meanwhile.bulks, meanwhile.quarantine_open) == (before.bulks, 1)
    assert (before.bulks_differing, meanwhile.bulks_differing) == (0, None)


def test_a_backup_is_the_whole_warehouse_and_never_in_the_place_of_one_in_use(
    settings: Settings, tmp_path: Path
) -> None:
    backup = back_up(settings, tmp_path / "new" / "sms.duckdb")
    with duckdb.connect(str(backup.path), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.sms").fetchall()[0][0] > 300
    assert back_up(settings).path == settings.data_dir / "backup" / "warehouse.duckdb"
    for used in (Warehouse.of(settings).path, settings.published_path):
        with pytest.raises(WarehouseError, match="is in use"):
            back_up(settings, used)


def test_another_choice_of_what_is_published_is_carried_out_by_the_next_sync(
    synced_settings: Settings, provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    assert synced_settings.publish.value == "marts"
    for contents, is_there in (("all", True), ("marts", False)):
        chosen = settings_at(provider, publish=contents)
        assert not sync_build_publish(chosen).is_up_to_date
        with published(chosen) as connection:
            names = [name for (name,) in connection.execute(RELATIONS).fetchall()]
        assert ("raw.sms" in names) is is_there
        assert sync_build_publish(chosen).is_up_to_date


def test_a_damaged_warehouse_is_not_published_though_what_is_damaged_would_not_be(
    synced_settings: Settings,
) -> None:
    settings = synced_settings
    path = Warehouse.of(settings).path
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "insert into raw.sms_change by name select uuid() as uuid, now() as observed_at, "
            "'poll' as observed_by, 'EUR' as currency from range(300000)"
        )
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 9 // 10)  # what was written last lies at the end, behind blocks that may be free
        file.write(b"\x5a" * 200_000)
    before = settings.published_path.read_bytes()
    with pytest.raises(WarehouseError, match="may be damaged"):
        publish(settings)
    assert settings.published_path.read_bytes() == before
    assert {*settings.published_path.parent.iterdir()} == {settings.published_path, settings.parquet_path}
