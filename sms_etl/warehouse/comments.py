"""Writes descriptions into the database itself, as comments on tables, views and columns.

DuckDB, SQLAlchemy's reflection and BI tools show them. `create or replace` forgets them: a model gets its
comments with each build, at 0.3 ms of processor time each.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import duckdb

from sms_etl.warehouse.tables import metadata

_FOUND = """
select schema_name || '.' || table_name, null, comment from duckdb_tables()
where database_name = current_database() and not internal
union all
select schema_name || '.' || table_name, column_name, comment from duckdb_columns()
where database_name = current_database() and not internal
"""


@dataclass(frozen=True)
class Described:
    """A relation with what is said of it. Names are `schema.table`, checked where they are read."""

    kind: str
    """`table` or `view`."""
    name: str
    text: str
    columns: Mapping[str, str]


def comment_sql(relation: Described) -> str:
    """Return the statements that write the comments of a relation, as one text."""
    return "; ".join(_statement(relation, column, text) for column, text in _texts(relation))


def write_table_comments(connection: duckdb.DuckDBPyConnection) -> int:
    """Write those comments of the tables in `tables.py` that are not as there; return how many."""
    found = {(name, column): text for name, column, text in connection.execute(_FOUND).fetchall()}
    outdated = [
        _statement(table, column, text)
        for table in described_tables()
        for column, text in _texts(table)
        if (table.name, column) in found and found[table.name, column] != text
    ]
    if outdated:
        connection.execute("; ".join(outdated)).fetchall()
    return len(outdated)


def described_tables() -> tuple[Described, ...]:
    """Return the tables of `tables.py` with what it says of them."""
    return tuple(
        Described(
            "table", table.fullname, table.comment or "", {c.name: c.comment or "" for c in table.columns}
        )
        for table in metadata.sorted_tables
    )


def _texts(relation: Described) -> Iterator[tuple[str | None, str]]:
    pairs: Iterable[tuple[str | None, str]] = [(None, relation.text), *relation.columns.items()]
    return ((column, text.strip()) for column, text in pairs)


def _statement(relation: Described, column: str | None, text: str) -> str:
    target = f"column {relation.name}.{column}" if column else f"{relation.kind} {relation.name}"
    return f"comment on {target} is '{text.replace(chr(39), chr(39) * 2)}'"
