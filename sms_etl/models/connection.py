"""What the runner needs of a connection to DuckDB, and no more."""

from collections.abc import Sequence
from typing import Protocol


class Answer(Protocol):
    """What a statement gives back."""

    def fetchone(self) -> tuple[object, ...] | None:
        """Return the next row."""
        ...

    def fetchall(self) -> Sequence[tuple[object, ...]]:
        """Return all rows."""
        ...


class Connection(Protocol):
    """What is needed of a `duckdb.DuckDBPyConnection`."""

    def execute(self, query: str, parameters: object = None, /) -> Answer:
        """Run a statement."""
        ...


def count_rows(connection: Connection, name: str) -> int:
    """Count the rows of a relation, or of a query in brackets."""
    ((rows,),) = connection.execute(f"select count(*) from {name} as counted").fetchall()  # noqa: S608 - our names
    return int(str(rows))


def exists(connection: Connection, name: str) -> bool:
    """Return whether there is a table or view `schema.name`."""
    schema, _, table = name.partition(".")
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = $1 and table_name = $2", [schema, table]
    )
    return found.fetchone() is not None
