"""Divides the published marts into parts, a month of a table each, with a digest that shows a change.

What is copied further (Parquet, PostgreSQL) is copied by part, so that a publication costs what has changed.
All is read from the published copy: what is not in it cannot be in a copy of it.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import duckdb

from sms_etl.settings import Settings

SCHEMA = "marts"
"""What is copied further: the facts; what the pipeline did (`ops`) and small lists (`seeds`) are not."""
NO_MONTH = "__HIVE_DEFAULT_PARTITION__"
"""What readers of partitioned files take for null."""
_FORMAT = 1
"""Is part of each digest: count it up when a copy must be written in another way."""
_DAY = "business_day"
_COPY = "published"
_COLUMNS = f"""
select columns.table_name, columns.column_name, columns.data_type, columns.comment, tables.comment
from duckdb_columns() as columns
inner join duckdb_tables() as tables using (database_name, schema_name, table_name)
where columns.database_name = '{_COPY}' and columns.schema_name = '{SCHEMA}'
order by columns.table_name, columns.column_index
"""
_PUBLISHED_AT = f"select max(published_at) from {_COPY}.ops.publication"
_ACCOUNT = f"select account_id from {_COPY}.ops.account"


@dataclass(frozen=True)
class Column:
    """A column of a mart, as the published copy has it."""

    name: str
    type: str
    """DuckDB's name of it, such as `DECIMAL(18,6)`."""
    comment: str

    @property
    def quoted(self) -> str:
        """Its name for SQL."""
        return quoted(self.name)


@dataclass(frozen=True)
class CopiedTable:
    """A mart with its columns."""

    name: str
    """Without its schema."""
    comment: str
    columns: tuple[Column, ...]

    @property
    def source(self) -> str:
        """Its name for SQL, on a connection of `published_marts`."""
        return f"{_COPY}.{SCHEMA}.{quoted(self.name)}"

    @property
    def is_by_month(self) -> bool:
        """Whether it is divided: tables by day are; those by month are small."""
        return any(column.name == _DAY for column in self.columns)

    @property
    def signature(self) -> str:
        """A digest of all but the rows: names, types, comments."""
        return sha256(repr((_FORMAT, self)).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Part:
    """Rows of a table that are written together."""

    table: CopiedTable
    month: date | None
    """First day of the business month; None: the rows without a day, or a table that is not divided."""
    rows: int
    digest: str
    """Changes with any row, column or comment; and with the version of DuckDB, which computes it."""

    @classmethod
    def of_label(cls, table: CopiedTable, label: str) -> "Part":
        """Return the part of a label that `label` made, of whose rows nothing is known."""
        month = date.fromisoformat(f"{label}-01") if label not in {"", NO_MONTH} else None
        return cls(table, month, 0, "")

    @property
    def label(self) -> str:
        """The month as `2026-01`; empty if the table is not divided."""
        if not self.table.is_by_month:
            return ""
        return f"{self.month:%Y-%m}" if self.month else NO_MONTH

    @property
    def condition(self) -> str:
        """What is true of its rows, for SQL; holds no value from outside."""
        if not self.table.is_by_month:
            return "true"
        if self.month is None:
            return f"{_DAY} is null"
        return f"{_DAY} >= date '{self.month}' and {_DAY} < date '{_next_month(self.month)}'"


@dataclass(frozen=True)
class PublishedMarts:
    """The published copy, opened to be copied further."""

    connection: duckdb.DuckDBPyConnection
    published_at: datetime
    """UTC, without a time zone."""
    account: str
    """The provider's number of it; empty if none was read yet."""
    tables: tuple[CopiedTable, ...]

    def parts(self, table: CopiedTable) -> list[Part]:
        """Return the parts of a table; reads all of it."""
        month = f"cast(date_trunc('month', {_DAY}) as date)" if table.is_by_month else "cast(null as date)"
        columns = ", ".join(column.quoted for column in table.columns)
        found = self.connection.execute(
            f"select {month} as month, count(*), sum(cast(hash({columns}) as hugeint)) "
            f"from {table.source} group by all order by all"
        ).fetchall()
        return [Part(table, month, rows, _digest(table, rows, total)) for month, rows, total in found]

    def without_rows(self, table: CopiedTable) -> Part:
        """Return the part that stands for a table that has none."""
        return Part(table, None, 0, _digest(table, 0, None))


@contextmanager
def published_marts(settings: Settings) -> Iterator[PublishedMarts]:
    """Open the published copy, read-only; a publication that comes meanwhile does not disturb it.

    Raises:
        duckdb.Error: It cannot be read.
    """
    with duckdb.connect(":memory:") as connection:
        path = str(settings.published_path).replace("'", "''")
        connection.execute(f"attach '{path}' as {_COPY} (type duckdb, read_only)")
        connection.execute("set preserve_insertion_order = true")
        ((published_at,),) = connection.execute(_PUBLISHED_AT).fetchall()
        account = connection.execute(_ACCOUNT).fetchone()
        tables = _tables(connection.execute(_COLUMNS).fetchall())
        yield PublishedMarts(connection, published_at, account[0] if account else "", tables)


def quoted(name: str) -> str:
    """Return a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _tables(rows: Sequence[tuple[str, str, str, str | None, str | None]]) -> tuple[CopiedTable, ...]:
    columns: dict[str, list[Column]] = {}
    comments: dict[str, str] = {}
    for table, column, kind, comment, said in rows:
        columns.setdefault(table, []).append(Column(column, kind, comment or ""))
        comments[table] = said or ""
    return tuple(CopiedTable(name, comments[name], tuple(found)) for name, found in columns.items())


def _digest(table: CopiedTable, rows: int, total: int | None) -> str:
    return sha256(f"{table.signature} {duckdb.__version__} {rows} {total}".encode()).hexdigest()[:32]


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
