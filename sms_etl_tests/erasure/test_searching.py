"""Holds that a number or a hash is found in any kind of file, and a longer number is not taken for it."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sms_etl.erasure.searching import Searched, Wanted, search_files

DIGITS, HASH = "4915799887766", "0123456789abcdef0123456789abcdef"
WANTED = Wanted([DIGITS], [HASH])
LONGER = f"{DIGITS}0"


def as_text(path: Path, value: str) -> None:
    path.write_text(f"somebody;+{value};x")


def as_gzip(path: Path, value: str) -> None:
    path.write_bytes(gzip.compress(f"+{value}".encode()))


def as_zip(path: Path, value: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sheet.xml", f"<v>{value}</v>" + "x" * 1000)


def as_parquet(path: Path, value: str) -> None:
    table = pa.table({"n": range(100), "text": [None, f"call +{value}", *["x"] * 98]})
    pq.write_table(table, path, compression="zstd")


def as_duckdb(path: Path, value: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select null as text from range(100)")
        connection.execute("create table u as select ? as text", [f"call +{value}"])


KINDS = [as_text, as_gzip, as_zip, as_parquet, as_duckdb]


@pytest.mark.parametrize("write", KINDS, ids=lambda write: write.__name__)
def test_it_is_found_in_every_kind_of_file_and_a_longer_number_is_not(
    tmp_path: Path, write: Callable[[Path, str], None]
) -> None:
    (tmp_path / "below").mkdir()
    for name, value in (("number", DIGITS), ("hash", HASH), ("longer", LONGER), ("nothing", "1")):
        write(tmp_path / "below" / name, value)
    assert search_files(tmp_path, WANTED) == Searched(("below/hash", "below/number"), ())
    assert search_files(tmp_path, WANTED, but_not=[tmp_path / "below"]) == Searched()


def test_what_is_left_of_a_row_in_the_free_blocks_of_a_warehouse_is_found(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "pragma force_compression = 'uncompressed'",
            f"create table gone as select '{HASH}' as text from range(10000)",
            "checkpoint",
            "create table stays as select 'nobody ' || i as text from range(10000) as numbers(i)",
            "checkpoint",
            "drop table gone",
            "checkpoint",
        ):
            connection.execute(statement).fetchall()
    assert HASH.encode() in path.read_bytes()
    assert search_files(tmp_path, WANTED).holding == ("warehouse.duckdb",)


def test_what_cannot_be_searched_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 cut")
    (tmp_path / "cut.duckdb").write_bytes(b"12345678DUCK")
    (tmp_path / "empty").touch()
    assert search_files(tmp_path, WANTED).unsearched == ("cut.duckdb", "cut.parquet")
