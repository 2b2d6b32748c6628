"""Reads for people and programs: SQL in, rows or an exact DataFrame out; never writes, never blocks a sync.

What analysts run works on the published copy through `connect`: attached read-only to a DuckDB of its own,
which then gives up files, network, extensions and changes of its settings. A DuckDB of its own, for settings
hold for all connections to one: `duckdb.connect(path, read_only=True)` beside it, in the same notebook, keeps
its own. Decimals stay decimals: DuckDB's own `.df()` would turn them into floats.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb

from sms_etl.errors import (
    NotAWarehouse,
    NoWarehouse,
    QueryError,
    SmsEtlError,
    WarehouseError,
    WarehouseLocked,
)
from sms_etl.plain_text import printable
from sms_etl.settings import Settings, load_settings
from sms_etl.stopping import interrupting
from sms_etl.warehouse.file import damaged, is_damage, path_of, why_not_opened
from sms_etl.warehouse.version import VERSION

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Engine

_BATCH = 10_000
_CATALOGUE = "warehouse"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# In this order, after the copy is attached. Without disabled_filesystems DuckDB could still write over the
# file it has attached, and its write-ahead log. Nothing is left to spill to, so a query works in memory.
_LOCKS = (
    f"use {_CATALOGUE}",
    "set temp_directory = ''",
    "set enable_external_access = false",
    "set disabled_filesystems = 'LocalFileSystem'",
    "set lock_configuration = true",
)
_READING = {
    duckdb.StatementType.SELECT,  # SHOW, DESCRIBE and SUMMARIZE too
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.MULTI,  # PIVOT
}
_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_MARTS = """
select table_schema || '.' || table_name as "table" from information_schema.tables
where table_schema = 'marts' order by all
"""
_NOT_IN_THE_COPY = re.compile(r"with name \W*((raw|staging|intermediate)\.|quarantine\b|ops\.quarantine\b)")
_NOT_PUBLISHED = (
    "The provider's rows and the quarantine are not in the published copy unless SMS_ETL_PUBLISH=all. "
    "`sms-etl query --warehouse` reads the warehouse itself; marts.fct_sms and "
    "marts.quarantined_rows describe the same rows."
)
_RAW = re.compile(r"(raw|staging|intermediate)\.|ops\.quarantine$")
_ALL_COLUMNS = """
select schema_name || '.' || table_name, column_name from duckdb_columns()
where database_name = current_database() and not internal
order by schema_name, table_name, column_index
"""
_HAS_RELATION = "select 1 from information_schema.tables where table_schema = ? and table_name = ?"
_FORBIDDEN = "it may only read the published copy: no files, no network, no extensions, no settings"


def connect(settings: Settings | None = None, *, is_of_warehouse: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the published copy, read-only and locked down: no files, no network, no extensions, no settings.

    The tables are `marts.cost_monthly` and so on. A publication that comes later is seen by the next
    connection. `sql(...).fetchall()` and `.to_arrow_table()` are exact; `.df()` makes floats of decimals.

    Args:
        settings: Those of the environment unless given.
        is_of_warehouse: Open the warehouse itself, raw tables and quarantine included; nothing can write it
            meanwhile.

    Raises:
        NoWarehouse: Nothing was published yet.
        NotAWarehouse: The file is something else.
        WarehouseLocked: It is the warehouse, and another program has it open.
    """
    found = settings or load_settings()
    path = path_of(found.warehouse_url) if is_of_warehouse else found.published_path
    _check_exists(path)
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"attach '{quoted}' as {_CATALOGUE} (type duckdb, read_only)")
        for statement in _LOCKS:
            connection.execute(statement)
    except duckdb.Error as exc:
        connection.close()
        raise _copy_not_opened(exc, path) from exc
    return connection


@contextmanager
def published(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published copy as `connect` does, and close it at the end.

    Raises:
        NoWarehouse: Nothing was published yet.
        WarehouseError: It is damaged, or is something else.
    """
    found = settings or load_settings()
    with connect(found) as connection, _damage_explained(found.published_path):
        yield connection


def engine(settings: Settings | None = None) -> "Engine":
    """Return a SQLAlchemy engine of the published copy; each connection is made as `connect` does.

    Raises:
        NoWarehouse: Nothing was published yet; when it connects.
    """
    from duckdb_sqlalchemy import ConnectionWrapper  # noqa: PLC0415 - SQLAlchemy takes a while to import
    from sqlalchemy import create_engine  # noqa: PLC0415 - who reads without it need not wait
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - a part of it

    found = settings or load_settings()
    # No pool: a connection that is kept would keep the copy it was opened with.
    return create_engine("duckdb://", creator=lambda: ConnectionWrapper(connect(found)), poolclass=NullPool)


def read_frame(sql: str, settings: Settings | None = None) -> "pd.DataFrame":
    """Run a query on the published copy.

    Returns:
        A DataFrame with Arrow types: `price` and every other sum of money is an exact decimal.

    Raises:
        QueryError: It is more or other than one query, or DuckDB refused it; its own message is passed on.
        NoWarehouse: Nothing was published yet.
    """
    with published(settings) as connection, _explained():
        return _frame_of(connection, sql)


def read(
    table: str, settings: Settings | None = None, *, month: str | None = None, **equal: object
) -> "pd.DataFrame":
    """Read a table of the published copy, or some of its rows.

    Args:
        table: `schema.table`, such as `marts.cost_monthly`.
        settings: Those of the environment unless given.
        month: Only rows of this business month, as `2026-01`.
        **equal: Only rows whose column has this value, or one of these: `currency="EUR"`,
            `country_code=["DE", "AT"]`. None: rows where it is null.

    Returns:
        A DataFrame as of `read_frame`.

    Raises:
        QueryError: There is no such table or column, which names those that are like it; or the month is
            none.
        NoWarehouse: Nothing was published yet.
    """
    with published(settings) as connection, _explained():
        columns = _columns_of(connection, table)
        chosen = [_one_of(columns, table, column, value) for column, value in equal.items()]
        if month is not None:
            chosen.append(_in_month(columns, table, month))
        where = " and ".join(condition for condition, _ in chosen)
        relation = ".".join(_name(part) for part in table.split("."))
        return _frame_of(
            connection,
            f"select * from {relation}{' where ' + where if where else ''}",  # noqa: S608 - names are quoted
            tuple(value for _, values in chosen for value in values),
        )


_Condition = tuple[str, tuple[object, ...]]
"""SQL, and the values of its parameters."""


def _columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of a table; refuse one that is not there."""
    rows = connection.execute(_ALL_COLUMNS).fetchall()
    columns = [column for name, column in rows if name == table]
    if columns:
        return columns
    known = sorted({name for name, _ in rows})
    close = [name for name in known if name.partition(".")[2] == table] or get_close_matches(
        table, known, n=3
    )
    hint = _NOT_PUBLISHED if _RAW.match(table) else '`sms_etl.connect().sql("show all tables")` lists them.'
    raise QueryError(f"The table {printable(table)} does not exist.{_did_you_mean(close)}", hint=hint)


def _one_of(columns: Sequence[str], table: str, column: str, value: object) -> _Condition:
    if column not in columns:
        close = get_close_matches(column, columns, n=3)
        raise QueryError(
            f"{table} has no column {printable(column)}.{_did_you_mean(close)}",
            hint=f"It has {', '.join(columns)}.",
        )
    is_list = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    values: tuple[object, ...] = tuple(cast("Iterable[object]", value)) if is_list else (value,)
    given = tuple(each for each in values if each is not None)
    equal = f"{_name(column)} in ({', '.join('?' * len(given))})" if given else "false"
    return (f"({equal} or {_name(column)} is null)" if len(given) < len(values) else equal), given


def _in_month(columns: Sequence[str], table: str, month: str) -> _Condition:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise QueryError(f"{month!r} is not a month.", hint="Give year and month, such as 2026-01.")
    column = next((each for each in ("business_month", "business_day", "month") if each in columns), None)
    if column is None:
        raise QueryError(
            f"{table} has no column business_month or business_day, so it has no months.",
            hint="Leave `month` out, or choose by another column.",
        )
    first, name = f"{month}-01", _name(column)
    return f"{name} >= cast(? as date) and {name} < cast(? as date) + interval 1 month", (first, first)


def _did_you_mean(names: Sequence[str]) -> str:
    return f" Did you mean {' or '.join(names)}?" if names else ""


@dataclass(frozen=True)
class QueryResult:
    """What a query gave; decimals are `Decimal`."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def query(sql: str, settings: Settings | None = None) -> QueryResult:
    """Run a query on the published copy. `show tables` lists the marts.

    Raises:
        QueryError: It is more or other than one query, or DuckDB refused it; its own message is passed on.
        NoWarehouse: Nothing was published yet.
    """
    with open_query(sql, settings) as (columns, rows):
        return QueryResult(columns, list(rows))


@contextmanager
def open_query(
    sql: str, settings: Settings | None = None, *, is_of_warehouse: bool = False
) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    """Run a query as `query` does; yield its columns, and its rows as they are fetched.

    With `is_of_warehouse` it is run on the warehouse itself: see `connect`.
    """
    with (
        connect(settings, is_of_warehouse=is_of_warehouse) as connection,
        interrupting(connection),
        _explained(),
    ):
        answer = connection.execute(_statement(connection, sql))
        batches = iter(lambda: answer.fetchmany(_BATCH), [])
        yield tuple(column[0] for column in answer.description or ()), chain.from_iterable(batches)


@contextmanager
def newest(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse itself, read-only, for a moment; the published copy while something writes it.

    Raises:
        NoWarehouse: There is neither.
        WarehouseError: An older version wrote it, and nothing has been written since.
    """
    path = path_of(settings.warehouse_url)
    try:
        connection = _open(path)
    except (WarehouseLocked, NoWarehouse):  # what else is wrong with it is not to be hidden behind its copy
        path = settings.published_path
        connection = _open(path)
    with connection, _damage_explained(path):
        _refuse_an_older_one(connection, path)
        yield connection


@contextmanager
def unpublished(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse itself, read-only, for a moment, and never its copy.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        WarehouseLocked: Something writes it at this moment.
        WarehouseError: An older version wrote it, and nothing has been written since; or it is damaged.
    """
    path = path_of(settings.warehouse_url)
    with _open(path) as connection, _damage_explained(path):
        _refuse_an_older_one(connection, path)
        yield connection


def has_relation(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Return whether there is such a table or view: a published copy has not all that a warehouse has."""
    return bool(connection.execute(_HAS_RELATION, [schema, name]).fetchall())


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    """Raise WarehouseError where a file turns out to be damaged only when its rows are read."""
    try:
        yield
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise damaged(path) from exc
        raise


def _refuse_an_older_one(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a file that lacks what this version reads; the next writer brings it up to date."""
    try:
        [(found,)] = connection.execute("select max(version) from ops.schema_version").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        found = None
    if not isinstance(found, int):
        raise NotAWarehouse(
            f"{path} was not made by sms_etl: it has no version.",
            hint="Point SMS_ETL_WAREHOUSE or SMS_ETL_DATA_DIR elsewhere. Nothing was changed.",
        )
    if found < VERSION:
        raise WarehouseError(
            f"The warehouse has version {found}; this sms_etl reads version {VERSION}.",
            hint="Run `sms-etl sync` or `sms-etl build`: it brings the warehouse up to date.",
        )


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    _check_exists(path)
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.Error as exc:
        raise why_not_opened(exc, path) from exc


def _copy_not_opened(exc: duckdb.Error, path: Path) -> SmsEtlError:
    refusal = why_not_opened(exc, path)
    if isinstance(refusal, NotAWarehouse):
        return NotAWarehouse(refusal.message, hint="Run `sms-etl publish`: it replaces the copy.")
    return refusal


def _check_exists(path: Path) -> None:
    if path.is_symlink():
        return  # one that leads nowhere is no warehouse that is yet to come
    if not path.exists():
        raise NoWarehouse(f"Nothing is published at {path} yet.", hint="Run `sms-etl sync` first.")


def _frame_of(
    connection: duckdb.DuckDBPyConnection, sql: str, values: tuple[object, ...] = ()
) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - half a second that only those who ask for a DataFrame pay

    relation = connection.sql(_statement(connection, sql), params=values or None)
    table = relation.to_arrow_table()
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the one query a text holds; refuse anything else before it runs."""
    if _SHOW_TABLES.fullmatch(sql):
        sql = _MARTS
    statements = connection.extract_statements(sql)
    if not statements:
        raise _refused("no statement in it returns rows")
    if len(statements) > 1:
        raise _refused(f"it has {len(statements)} statements; give one")
    kind = _kind_of(statements[0])
    if kind not in _READING:
        named = kind.name.replace("_", " ") if kind else "It"
        raise _refused(f"{named} is not a query; the published copy is read-only")
    return statements[0]


def _kind_of(statement: duckdb.Statement) -> duckdb.StatementType | None:
    """Return what a statement does; None if DuckDB's client has no name for it (UPDATE EXTENSIONS)."""
    try:
        return statement.type
    except ValueError:
        return None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except duckdb.PermissionException as exc:
        raise _refused(_FORBIDDEN) from exc
    except duckdb.OutOfMemoryException as exc:
        raise QueryError(
            "The query needs more memory than there is.", hint="Read fewer rows or columns, or aggregate."
        ) from exc
    except duckdb.CatalogException as exc:
        raise _refused(exc, hint=_NOT_PUBLISHED if _NOT_IN_THE_COPY.search(str(exc)) else "") from exc
    except duckdb.Error as exc:
        raise _refused(exc) from exc


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _refused(reason: object, *, hint: str = "") -> QueryError:
    lines = "\n".join(printable(line) for line in str(reason).splitlines())  # it may quote a value of a row
    return QueryError(
        f"The query was refused: {lines}",
        hint=hint or '`sms-etl query "show tables"` lists the tables; docs/data-dictionary.md explains them.',
    )
