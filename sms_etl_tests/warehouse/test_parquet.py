"""Holds that the Parquet files are the published marts, exactly, and that only what changed is written."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sms_etl.files import mode_of
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.further_copies import FurtherCopies, refresh_copies
from sms_etl_tests.warehouse.published_rows import FEBRUARY, JANUARY, ROWS, publish_rows

MONTHS = ["month=2026-01", "month=2026-02", "month=__HIVE_DEFAULT_PARTITION__"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


def copied(settings: Settings) -> FurtherCopies:
    copies = refresh_copies(settings)
    assert copies.errors == ()
    return copies


def written(copies: FurtherCopies) -> tuple[int, int]:
    """Return how many files were written and removed."""
    return (copies.parquet.written, copies.parquet.removed) if copies.parquet else (0, 0)


def rows_of(settings: Settings, table: str = "fct_sms") -> list[tuple[Any, ...]]:
    files = settings.parquet_path / f"marts.{table}" / "**" / "*.parquet"
    return duckdb.execute(f"from read_parquet('{files}', hive_partitioning = false) order by all").fetchall()


def files_of(settings: Settings) -> dict[str, int]:
    """Return the files with their inodes: one that is written anew has another."""
    return {
        str(path.relative_to(settings.parquet_path)): path.stat().st_ino
        for path in settings.parquet_path.rglob("*.parquet")
    }


def test_each_table_is_a_folder_and_each_month_a_file_with_every_row_and_digit(settings: Settings) -> None:
    publish_rows(settings)
    assert written(copied(settings)) == (4, 0)
    assert sorted(files_of(settings)) == [
        "marts.dim_country/dim_country.parquet",
        *(f"marts.fct_sms/{month}/fct_sms.parquet" for month in MONTHS),
    ]
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        assert rows_of(settings) == connection.execute("from marts.fct_sms order by all").fetchall()
    table = pq.read_table(settings.parquet_path / "marts.fct_sms" / MONTHS[0], partitioning=None)
    assert str(table.schema.field("price").type) == "decimal128(18, 6)"
    assert str(table.schema.field("parts").type) == "decimal128(38, 0)", "no integer becomes a float"
    assert sum(table["price"].to_pylist()) == Decimal("1000000000000.099999")


def test_readers_of_partitioned_files_get_the_month_as_a_column(settings: Settings) -> None:
    publish_rows(settings)
    copied(settings)
    files = settings.parquet_path / "marts.fct_sms" / "**" / "*.parquet"
    assert duckdb.execute(
        f"select month, count(*) from read_parquet('{files}', hive_partitioning = true) "
        "group by all order by all"
    ).fetchall() == [("2026-01", 2), ("2026-02", 2), (None, 1)]


def test_only_months_that_changed_are_written_and_those_that_are_gone_vanish(settings: Settings) -> None:
    publish_rows(settings)
    copied(settings)
    before = files_of(settings)
    publish_rows(settings, at=2)
    assert written(copied(settings)) == (0, 0)
    publish_rows(settings, [*ROWS[:2], (FEBRUARY, "EUR", Decimal("0.3"), ""), *ROWS[3:]], at=3)
    assert written(copied(settings)) == (1, 0)
    after = files_of(settings)
    assert [name for name in before if after[name] != before[name]] == [
        "marts.fct_sms/month=2026-02/fct_sms.parquet"
    ]
    publish_rows(settings, ROWS[:2], at=4)
    assert written(copied(settings)) == (0, 2)
    assert {row[2] for row in rows_of(settings)} == {JANUARY}
    assert not (settings.parquet_path / "marts.fct_sms" / MONTHS[1]).exists()


def test_a_table_without_rows_keeps_its_columns_and_one_that_is_gone_vanishes(settings: Settings) -> None:
    publish_rows(settings, [])
    copied(settings)
    assert rows_of(settings) == []
    publish_rows(settings, [], at=2, sql="drop table marts.dim_country")
    assert written(copied(settings)) == (0, 1)
    assert [path.name for path in settings.parquet_path.iterdir() if path.is_dir()] == ["marts.fct_sms"]


def test_a_new_column_writes_its_table_anew(settings: Settings) -> None:
    publish_rows(settings)
    copied(settings)
    publish_rows(settings, at=2, sql="alter table marts.dim_country add column continent varchar")
    assert written(copied(settings)) == (1, 0)
    assert rows_of(settings, "dim_country") == [("DE", "Germany", None)]


def test_without_a_new_publication_nothing_is_read_and_what_is_missing_comes_with_the_next(
    settings: Settings,
) -> None:
    publish_rows(settings)
    copied(settings)
    assert copied(settings).parquet is None
    january = settings.parquet_path / "marts.fct_sms" / MONTHS[0] / "fct_sms.parquet"
    january.chmod(0o600)
    january.write_bytes(b"PAR1 broken")
    publish_rows(settings, at=2)
    assert written(copied(settings)) == (1, 0)
    assert len(rows_of(settings)) == len(ROWS)


def test_what_a_run_that_was_killed_left_is_completed_by_the_next(settings: Settings) -> None:
    publish_rows(settings)
    copied(settings)
    folder = settings.parquet_path / "marts.fct_sms" / MONTHS[1]
    (folder / "fct_sms.parquet").unlink()
    (folder / ".fct_sms.parquet.part").write_bytes(b"half")
    (settings.parquet_path / ".published_at").unlink()  # which is removed first
    assert written(copied(settings)) == (1, 0)
    assert [path.name for path in folder.iterdir()] == ["fct_sms.parquet"]


def test_the_files_are_shared_as_the_copy_is(settings: Settings) -> None:
    publish_rows(settings)
    for sharing, folder, file in [("everybody", 0o755, 0o444), ("nobody", 0o700, 0o400)]:
        publish_rows(settings, at=len(sharing))
        copied(settings.model_copy(update={"share_published": sharing}))
        found = {(path.is_dir(), mode_of(path)) for path in settings.parquet_path.rglob("*")}
        assert found == {(True, folder), (False, file)}
        assert mode_of(settings.parquet_path) == folder


def test_they_can_be_turned_off_and_what_is_there_is_removed(settings: Settings) -> None:
    publish_rows(settings)
    copied(settings)
    assert copied(settings.model_copy(update={"publish_parquet": False})).parquet is None
    assert not settings.parquet_path.exists()
    assert written(copied(settings)) == (4, 0), "and come back, though nothing was published since"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(settings: Settings) -> None:
    publish_rows(settings)
    settings.parquet_path.mkdir(mode=0o500)
    [error] = refresh_copies(settings).errors
    assert "Parquet" in error


def test_a_file_in_the_place_of_the_folder_is_told_and_the_next_run_makes_it_good(settings: Settings) -> None:
    publish_rows(settings)
    settings.parquet_path.write_text("in the way")
    [error] = refresh_copies(settings).errors
    assert str(settings.parquet_path) in error
    assert settings.published_path.exists()
    settings.parquet_path.unlink()
    assert written(copied(settings)) == (4, 0)


def test_an_error_that_nobody_foresaw_ends_no_sync_and_quotes_no_row(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("hush")

    publish_rows(settings)
    with monkeypatch.context() as patched:
        patched.setattr("sms_etl.warehouse.further_copies.write_parquet", fail)
        assert refresh_copies(settings).errors == ("A copy of what is published failed (RuntimeError).",)
    assert written(copied(settings)) == (4, 0)
