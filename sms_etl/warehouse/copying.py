"""Copies the warehouse, whole or what analysts get of it, into a file beside its place, and proves it whole.

All of it happens on a connection that holds the warehouse. A file for analysts is written anew, row by row:
tables dropped from a copy of the bytes would leave their rows in its free blocks.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb

from sms_etl.errors import WarehouseError
from sms_etl.files import open_private
from sms_etl.warehouse.store import STORAGE_VERSION

ANALYSTS_SCHEMAS = ("marts", "seeds", "ops", "finance")
"""What analysts get, as tables; what lies between the provider's rows and these is for the models."""
NOT_FOR_ANALYSTS = ("ops.quarantine", "ops.hold", "ops.retention_item", "ops.retention_plan", "ops.erasure")
"""The quarantine has rows as the provider sent them; `marts.quarantined_rows` tells of them without what they
hold. Why something is held, and what is only planned, is for whoever runs retention."""
_CHUNK = 16 * 1024 * 1024
_COPY = "sms_etl_copy"
_SLOW_COMPRESSIONS = "fsst,dict_fsst,zstd"
"""To look whether they fit costs a fifth of the time, and our columns get no smaller by them."""
_REFUSED_WRITING = (
    "No space left on device",
    "Permission denied",
    "Read-only file system",
    "Disk quota exceeded",
    "File too large",
)
_FORMAT = """
select tags['storage_version'] from duckdb_databases() where database_name = current_database()
"""
_RELATIONS = """
select schema_name, table_name, false, sql, comment from duckdb_tables()
where database_name = current_database() and not internal
union all
select schema_name, view_name, true, sql, comment from duckdb_views()
where database_name = current_database() and not internal
order by all
"""
_COLUMNS = """
select schema_name, table_name, column_name, comment from duckdb_columns()
where database_name = current_database() and not internal
order by schema_name, table_name, column_index
"""
_COPIED = """
select schema_name || '.' || table_name from duckdb_tables() where database_name = ? and not internal
union all
select schema_name || '.' || view_name from duckdb_views() where database_name = ? and not internal
"""


@dataclass(frozen=True)
class _Relation:
    schema: str
    name: str
    is_view: bool
    sql: str
    comment: str | None
    columns: dict[str, str | None]
    """Their comments, by name."""

    @property
    def label(self) -> str:
        """`schema.name`, for people."""
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return f"{_name(self.schema)}.{_name(self.name)}"


def copy_whole(native: duckdb.DuckDBPyConnection, source: BinaryIO, aside: Path) -> None:
    """Copy the warehouse's file byte by byte; one in another format than older DuckDBs read, row by row.

    Args:
        native: Holds the warehouse.
        source: Its file, opened before: closing it gives up the lock of this process, DuckDB's included.
        aside: Where to; nothing may be there.

    Raises:
        OSError: The file cannot be written.
        WarehouseError: The copy is not what it should be.
    """
    ((found_format,),) = native.execute(_FORMAT).fetchall()
    if found_format != f"{STORAGE_VERSION}+":  # a warehouse that an earlier version of this package made
        rewrite(native, aside)
        return
    native.execute("checkpoint").fetchall()
    with open_private(aside) as written:
        shutil.copyfileobj(source, written, _CHUNK)
    _verify(native, aside, _relations(native))


def rewrite(native: duckdb.DuckDBPyConnection, aside: Path) -> None:
    """Write the warehouse anew, row by row: free blocks, and what was once in them, are not in the file.

    Raises:
        OSError: The file cannot be written.
        WarehouseError: The copy is not what it should be.
    """
    with _translated(aside), _attached_new(native, aside):
        native.execute(f"copy from database {_name(_database(native))} to {_COPY}").fetchall()
    _verify(native, aside, _relations(native))


def copy_for_analysts(native: duckdb.DuckDBPyConnection, aside: Path) -> None:
    """Write what analysts get into a new file: tables, with their comments and constraints.

    A view becomes a table: the file does not change any more, and what the view reads may not be in it. All
    else is read to its end, so that a damaged warehouse is never shown as a sound one.

    Raises:
        OSError: The file cannot be written.
        WarehouseError: The warehouse cannot be read, or the copy is not what it should be.
    """
    relations = _relations(native)
    copied = [each for each in relations if _is_for_analysts(each)]
    with _translated(aside), _attached_new(native, aside):
        native.execute(f"set disabled_compression_methods = '{_SLOW_COMPRESSIONS}'")
        native.begin()  # one commit: each waits until the disk has it
        for relation in copied:
            _copy_relation(native, relation)
        native.commit()
    with _translated(aside):
        others = (each for each in relations if each not in copied and not each.is_view)
        _read_whole(native, _database(native), others)
    _verify(native, aside, copied)


def forget(aside: Path) -> None:
    """Remove a copy that was not finished, with its write-ahead log."""
    for path in (aside, aside.with_name(f"{aside.name}.wal")):
        path.unlink(missing_ok=True)


def _is_for_analysts(relation: _Relation) -> bool:
    return relation.schema in ANALYSTS_SCHEMAS and relation.label not in NOT_FOR_ANALYSTS


def _relations(native: duckdb.DuckDBPyConnection) -> list[_Relation]:
    columns: dict[tuple[str, str], dict[str, str | None]] = {}
    for schema, name, column, comment in native.execute(_COLUMNS).fetchall():
        columns.setdefault((schema, name), {})[column] = comment
    return [
        _Relation(schema, name, is_view, sql, comment, columns[schema, name])
        for schema, name, is_view, sql, comment in native.execute(_RELATIONS).fetchall()
    ]


def _database(native: duckdb.DuckDBPyConnection) -> str:
    ((name,),) = native.execute("select current_database()").fetchall()
    return str(name)


@contextmanager
def _attached_new(native: duckdb.DuckDBPyConnection, aside: Path) -> Iterator[None]:
    """Make a file in the format older DuckDBs read, and leave it whole, without a write-ahead log."""
    native.execute(f"attach {_literal(str(aside))} as {_COPY} (storage_version '{STORAGE_VERSION}')")
    yield
    native.execute(f"checkpoint {_COPY}").fetchall()
    native.execute(f"detach {_COPY}").fetchall()


def _copy_relation(native: duckdb.DuckDBPyConnection, relation: _Relation) -> None:
    source, target = f"{_name(_database(native))}.{relation.quoted}", f"{_COPY}.{relation.quoted}"
    native.execute(f"create schema if not exists {_COPY}.{_name(relation.schema)}")
    if relation.is_view:
        native.execute(f"create table {target} as from {source}").fetchall()
    else:
        before = _database(native)
        native.execute(f"use {_COPY}")
        native.execute(relation.sql)  # with its constraints; it names the schema, and no database
        native.execute(f"use {_name(before)}")
        native.execute(f"insert into {target} from {source}").fetchall()
    comments = [
        f"comment on column {target}.{_name(column)} is {_literal(text)}"
        for column, text in relation.columns.items()
        if text is not None
    ]
    if relation.comment is not None:
        comments.append(f"comment on table {target} is {_literal(relation.comment)}")
    if comments:
        native.execute("; ".join(comments)).fetchall()


def _verify(native: duckdb.DuckDBPyConnection, aside: Path, relations: Sequence[_Relation]) -> None:
    """Read a copy whole, which checks every block's sum, and compare its rows with the warehouse's.

    Raises:
        WarehouseError: It cannot be read, or differs.
    """
    with _translated(aside):
        native.execute(f"attach {_literal(str(aside))} as {_COPY} (type duckdb, read_only)")
        copied = {label for (label,) in native.execute(_COPIED, [_COPY, _COPY]).fetchall()}
        differing = copied ^ {each.label for each in relations}
        there = [each for each in relations if each.label in copied and not each.is_view]
        _read_whole(native, _COPY, there)
        here, in_copy = _counts(native, _database(native), there), _counts(native, _COPY, there)
        differing |= {label for label, count in here.items() if in_copy[label] != count}
        native.execute(f"detach {_COPY}").fetchall()
    if differing:
        raise _damaged(f"the copy differs from it in {', '.join(sorted(differing))}")


def _read_whole(native: duckdb.DuckDBPyConnection, database: str, tables: Iterable[_Relation]) -> None:
    for table in tables:
        read = ", ".join(f"bit_xor(hash({_name(column)}))" for column in table.columns)
        native.execute(f"select {read} from {_name(database)}.{table.quoted}").fetchall()


def _counts(native: duckdb.DuckDBPyConnection, database: str, tables: Iterable[_Relation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for table in tables:
        sql = f"select count(*) from {_name(database)}.{table.quoted}"
        ((found[table.label],),) = native.execute(sql).fetchall()
    return found


@contextmanager
def _translated(aside: Path) -> Iterator[None]:
    """Tell a file that cannot be written from a warehouse that cannot be read."""
    try:
        yield
    except duckdb.Error as exc:
        refused = next((said for said in _REFUSED_WRITING if said in str(exc)), None)
        if refused is not None:
            raise OSError(None, refused, str(aside)) from exc
        raise _damaged(f"it cannot be copied whole ({type(exc).__name__})") from exc


def _damaged(how: str) -> WarehouseError:
    return WarehouseError(
        f"The warehouse may be damaged: {how}. Nothing was copied; the previous copy stays.",
        hint="Run `sms-etl doctor`; docs/operations.md says how to start again from a backup.",
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
