"""Searches every file of the data directory for a number or its hash, unpacked: what is erased is not there.

What is searched: bytes as they are; the rows of Parquet and DuckDB files; what lies in ZIP files (workbooks)
and gzip. Packed otherwise, or encrypted, nothing is found.
"""

import gzip
import mmap
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    pa.ArrowException,
    duckdb.Error,
)
_SANDBOX = "sandbox.sqlite"
"""The state of a sandbox stands for a provider: its people are made up, and it never forgets them."""
_DUCKDB, _PARQUET = b"DUCK", b"PAR1"
_KEYS = {"pii.key", "pii.retired", "sync.lock"}
_COLUMNS = """
select schema_name, table_name, column_name from duckdb_columns()
where database_name = 'searched' and not internal
    and (data_type in ('VARCHAR', 'JSON') or contains(data_type, '[]'))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; ASCII."""

    numbers: Sequence[str]
    """Digits. A longer number that holds them is another one."""
    hashes: Sequence[str]

    @property
    def loose(self) -> str:
        """A pattern (RE2) of what is in the bytes of a file that holds any, whatever is beside it."""
        return "|".join((*self.numbers, *self.hashes))

    @property
    def exact(self) -> str:
        """A pattern (RE2) of what a text that holds any has in it."""
        return f"(?:^|[^0-9])(?:00)?(?:{'|'.join(self.numbers)})(?:$|[^0-9])|{'|'.join(self.hashes)}"


@dataclass(frozen=True, slots=True)
class Searched:
    """What was found; names below the folder that was searched, sorted."""

    holding: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()
    """Files that could not be read: locked, damaged or encrypted."""


def search_files(folder: Path, wanted: Wanted, *, but_not: Collection[Path] = ()) -> Searched:
    """Search all files below a folder.

    Args:
        folder: Is searched with all below it.
        wanted: What for.
        but_not: Files, and folders with all below them, that are left out.
    """
    holding, unsearched = [], []
    for path in _files(folder, set(but_not)):
        try:
            if _holds(path, wanted):
                holding.append(str(path.relative_to(folder)))
        except _UNREADABLE:
            unsearched.append(str(path.relative_to(folder)))
    return Searched(tuple(holding), tuple(unsearched))


def _files(folder: Path, but_not: Collection[Path]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name in _KEYS or path.name.startswith(_SANDBOX):
            continue
        if not any(each in but_not for each in (path, *path.parents)):
            yield path


def _holds(path: Path, wanted: Wanted) -> bool:
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        start = mapped[:16]
        # In a file of tables texts stand side by side, and what is beside a number is no part of it.
        is_of_tables = start[8:12] == _DUCKDB or start.startswith(_PARQUET)
        pattern = wanted.loose if is_of_tables else wanted.exact
        is_in_bytes = re.search(pattern.encode(), mapped) is not None
    if start[8:12] == _DUCKDB:
        return _tables_hold(_duckdb_texts(path, wanted), wanted, is_in_bytes=is_in_bytes)
    if start.startswith(_PARQUET):
        return _tables_hold(_parquet_texts(path, wanted), wanted, is_in_bytes=is_in_bytes)
    if start.startswith(b"PK"):
        with zipfile.ZipFile(path) as packed:
            return is_in_bytes or any(_is_in(packed.read(name), wanted) for name in packed.namelist())
    if start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as unpacked:
            return is_in_bytes or _is_in(unpacked.read(), wanted)
    return is_in_bytes


def _is_in(content: bytes, wanted: Wanted) -> bool:
    return re.search(wanted.exact.encode(), content) is not None


def _tables_hold(texts: Iterable[str], wanted: Wanted, *, is_in_bytes: bool) -> bool:
    """Whether a file of tables holds it, in a row or in what is left of one.

    Args:
        texts: Of its rows those that hold it, or a longer number.
        wanted: What for.
        is_in_bytes: Whether it, or a longer number, is in the file's bytes.
    """
    has_longer = False
    for text in texts:
        if re.search(wanted.exact, text):
            return True
        has_longer = True
    return is_in_bytes and not has_longer


def _parquet_texts(path: Path, wanted: Wanted) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for column in batch.columns:
                if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                    is_found = pc.fill_null(pc.match_substring_regex(column, wanted.loose), False)
                    yield from column.filter(is_found).to_pylist()


def _duckdb_texts(path: Path, wanted: Wanted) -> Iterator[str]:
    with duckdb.connect(":memory:") as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"attach '{quoted}' as searched (type duckdb, read_only)").fetchall()
        for names in connection.execute(_COLUMNS).fetchall():
            schema, table, column = ('"' + name.replace('"', '""') + '"' for name in names)
            rows = connection.execute(
                f"select distinct cast({column} as varchar) as text from searched.{schema}.{table} "  # noqa: S608 - names of the catalogue
                "where regexp_matches(cast("
                f"{column} as varchar), $1)",
                [wanted.loose],
            ).fetchall()
            yield from (text for (text,) in rows)
