"""Runs queries that lie in files; `fetchall` keeps decimals exact."""

from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import duckdb

from sms_etl.finance.period import next_month, previous_month

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
_DAY = timedelta(days=1)
_FINANCE = "sms_etl.finance"


class SqlFiles:
    """The queries in the folder `sql` of a package, on a connection.

    DuckDB takes what they depend on from a session's variables, since a `$parameter` in a file is more than
    sqlfluff can read.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, package: str) -> None:
        self.connection = connection
        self._package = package

    def set(self, name: str, value: date | datetime) -> None:
        """Set a variable that queries read by `getvariable`; a moment is UTC, without a time zone."""
        kind = "timestamp" if isinstance(value, datetime) else "date"
        self.connection.execute(f"set variable {name} = {kind} '{value.isoformat()}'")

    def rows(self, name: str) -> list[Row]:
        """Run `sql/<name>.sql`; decimals stay exact."""
        return self.read(sql_of(name, self._package))

    def of_days(self, name: str, first: date, last: date) -> list[Row]:
        """Run a query of finance that is about business days, of these days, both included."""
        self.set("first_day", first)
        self.set("last_day", last)
        return self.read(sql_of(name))

    def read(self, sql: str) -> list[Row]:
        """Run a query."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Queries(SqlFiles):
    """The queries of finance, for one month."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, month: date) -> None:
        super().__init__(connection, _FINANCE)
        self.month = month

    def rows(self, name: str) -> list[Row]:
        """Run `sql/<name>.sql`."""
        self.set("report_month", self.month)  # each time: others may run queries on the connection too
        return super().rows(name)

    def of_two_months(self, name: str) -> list[Row]:
        """Run a query that is about business days, of the month and of the month before."""
        return self.of_days(name, previous_month(self.month), next_month(self.month) - _DAY)

    def row(self, name: str) -> Row:
        """Run a query that gives one row."""
        (row,) = self.rows(name)
        return row

    def table(self, name: str) -> "pa.Table":
        """Run a query whose answer may be long, into an Arrow table; decimals stay exact."""
        self.set("report_month", self.month)
        return self.connection.sql(sql_of(name)).to_arrow_table()

    def make_temporary(self, table: str, name: str) -> None:
        """Keep what `sql/<name>.sql` gives in a temporary table, replacing an earlier one."""
        self.set("report_month", self.month)
        self.connection.execute(f"create or replace temp table {table} as {sql_of(name)}")

    def insert(self, table: str, name: str) -> int:
        """Insert what `sql/<name>.sql` gives into a table, by the names of its columns; return how many."""
        self.set("report_month", self.month)
        ((count,),) = self.connection.execute(f"insert into {table} by name {sql_of(name)}").fetchall()
        return int(count)


def sql_of(name: str, package: str = _FINANCE) -> str:
    """Return the text of `sql/<name>.sql` of a package."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
