"""Holds that a sync keeps Parquet and PostgreSQL as the published copy is, and catches up by itself."""

import json
from datetime import datetime
from typing import Any

import duckdb
import pytest
from click.testing import Result

from sms_etl.cli.demo import demo_settings
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.copied import behind
from sms_etl_tests.cli.running import Run
from sms_etl_tests.postgres import PASSWORD, QUOTED, Database

FIGURES = (
    "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts' order by all"
)
ALL_MARTS = "select table_name from duckdb_tables() where schema_name = 'marts' order by all"


def answered(result: Result, code: int = 0) -> dict[str, Any]:
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows_and_sums(marts: list[tuple[str, str, str]], *, dialect: str) -> str:
    """Return a query for the rows of each table and the sums of its decimals, as texts."""
    tables: dict[str, list[str]] = {}
    for table, column, kind in marts:
        sums = tables.setdefault(table, [])
        if kind.startswith("DECIMAL"):
            sums.append(f"coalesce(cast(sum({column}) as varchar), '-')")
    concat = "list_value" if dialect == "duckdb" else "array"
    brackets = "()" if dialect == "duckdb" else "[]"
    return " union all ".join(
        f"select '{table}' as name, count(*) as n, "
        f"cast({concat}{brackets[0]}{', '.join(sums) or chr(39) * 2}{brackets[1]} as varchar[]) as sums "
        f"from marts.{table}"
        for table, sums in tables.items()
    )


@pytest.fixture
def settings(synced: Run) -> Settings:
    return load_settings()


def test_every_mart_of_a_real_account_arrives_with_the_same_rows_and_sums(
    synced: Run, settings: Settings, database: Database
) -> None:
    done = answered(synced("sync", "--json", publish_to=database.url))
    assert done["is_up_to_date"], "copies are made though nothing is published"
    assert done["copies"]["errors"] == []
    assert done["copies"]["postgres"]["rows"] > 300
    with duckdb.connect(str(settings.published_path), read_only=True) as copy:
        marts = copy.execute(FIGURES).fetchall()
        ours = {row[0]: row[1:] for row in copy.execute(rows_and_sums(marts, dialect="duckdb")).fetchall()}
    theirs = {row[0]: row[1:] for row in database.rows(rows_and_sums(marts, dialect="postgres"))}
    assert len(ours) > 30
    assert theirs == ours
    parquet = {
        folder.name.removeprefix("marts."): duckdb.execute(
            f"select count(*) from read_parquet('{folder}/**/*.parquet', hive_partitioning = false)"
        ).fetchall()[0][0]
        for folder in settings.parquet_path.iterdir()
        if folder.is_dir()
    }
    assert parquet == {name: count for name, (count, _) in ours.items()}
    assert answered(synced("sync", "--json"))["copies"] == {"parquet": None, "postgres": None, "errors": []}
    shown = synced("publish")
    assert "parts had changed" in shown.stdout
    assert "Parquet" in shown.stdout


def test_a_server_that_cannot_be_reached_ends_a_sync_with_3_and_the_next_one_catches_up(
    synced: Run, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.server.stop()
    try:
        result = synced("sync", "--json", publish_to=database.url)
    finally:
        database.server.start()
    [error] = answered(result, code=3)["copies"]["errors"]
    assert "cannot be reached" in error
    assert "next sync tries again" in caplog.text
    for secret in (PASSWORD, QUOTED):
        assert secret not in result.output + caplog.text
    behind = answered(synced("status", "--json"), code=3)
    assert behind["copies_behind"] == ["PostgreSQL"]
    assert "PostgreSQL does not hold what is published" in " ".join(behind["warnings"])
    assert answered(synced("sync", "--json"))["copies"]["postgres"]["rows"] > 300
    assert answered(synced("status", "--json"))["copies_behind"] == []


def test_status_says_that_parquet_files_are_behind_until_they_are_made(
    synced: Run, settings: Settings
) -> None:
    assert answered(synced("status", "--json"))["copies_behind"] == []
    (done,) = settings.parquet_path.glob(".*")
    done.unlink()
    assert answered(synced("status", "--json"), code=3)["copies_behind"] == ["Parquet"]
    assert answered(synced("status", "--json", publish_parquet="false"))["copies_behind"] == []
    synced("publish")
    assert answered(synced("status", "--json"))["copies_behind"] == []


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "{}", "null"])
def test_a_damaged_note_of_what_postgresql_got_is_no_error(settings: Settings, content: str) -> None:
    (settings.data_dir / "copies.json").write_text(content)
    wanted = load_settings(publish_to="postgresql://127.0.0.1:9/x")
    assert behind(wanted, datetime(2026, 1, 1)) == ("Parquet", "PostgreSQL")


def test_a_demo_is_never_published_where_the_account_is() -> None:
    settings = load_settings(publish_to="postgresql://me:secret@db.example/sms")
    assert "me:secret" not in repr(settings)
    assert demo_settings(settings).publish_to is None
