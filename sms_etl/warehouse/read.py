"""Reads for people and programs: SQL in, rows or an exact DataFrame out; never writes, never blocks a sync.

Everything here opens the published copy read-only. Decimals stay decimals: DuckDB's own `.df()` would turn
them into floats.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sms_etl.errors import NoWarehouse, QueryError, WarehouseError
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.file import path_of, why_not_opened

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def published(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published copy, read-only.

    Raises:
        NoWarehouse: Nothing was published yet.
    """
    path = (settings or load_settings()).published_path
    with _open(path) as connection:
        yield connection


def read_frame(sql: str, settings: Settings | None = None) -> "pd.DataFrame":
    """Run a query on the published copy.

    Returns:
        A DataFrame with Arrow types: `price` and every other sum of money is an exact decimal.

    Raises:
        QueryError: DuckDB refused the SQL; its own message is passed on.
        NoWarehouse: Nothing was published yet.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that only those who ask for a DataFrame pay

    with published(settings) as connection:
        try:
            table = _relation(connection, sql).to_arrow_table()
        except duckdb.Error as exc:
            raise _refused(exc) from exc
        frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
        return frame


@dataclass(frozen=True)
class QueryResult:
    """What a query gave; decimals are `Decimal`."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def query(sql: str, settings: Settings | None = None) -> QueryResult:
    """Run a query on the published copy.

    Raises:
        QueryError: DuckDB refused the SQL; its own message is passed on.
        NoWarehouse: Nothing was published yet.
    """
    with published(settings) as connection:
        try:
            answer = _relation(connection, sql)
            return QueryResult(tuple(answer.columns), answer.fetchall())
        except duckdb.Error as exc:
            raise _refused(exc) from exc


@contextmanager
def newest(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse itself, read-only, for a moment; the published copy while something writes it.

    Raises:
        NoWarehouse: There is neither.
    """
    path = path_of(settings.warehouse_url)
    try:
        connection = _open(path)
    except WarehouseError:
        connection = _open(settings.published_path)
    with connection:
        yield connection


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    if not path.exists():
        raise NoWarehouse(f"Nothing is published at {path} yet.", hint="Run `sms-etl sync` first.")
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.Error as exc:
        raise why_not_opened(exc, path) from exc


def _relation(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    relation: duckdb.DuckDBPyRelation | None = connection.sql(sql)
    if relation is None:
        raise _refused("there is nothing in it that gives rows")
    return relation


def _refused(reason: object) -> QueryError:
    return QueryError(
        f"The query was refused: {reason}",
        hint='`sms-etl query "show all tables"` lists the tables; docs/data-dictionary.md explains them.',
    )
