"""Reads a published copy whole, with whatever DuckDB runs this, and prints what it found as one JSON object.

Runs in an environment that holds DuckDB and nothing else.
"""

import json
import sys
from typing import Any

import duckdb

RELATIONS = "select table_schema || '.' || table_name from information_schema.tables order by all"
DECIMALS = """
select schema_name || '.' || table_name, column_name from duckdb_columns()
where not internal and data_type like 'DECIMAL%' order by all
"""
TYPES = "select distinct data_type from duckdb_columns() where not internal order by all"
COMMENTS = """
select schema_name, table_name, null, comment from duckdb_tables() where not internal
union all
select schema_name, view_name, null, comment from duckdb_views() where not internal
union all
select schema_name, table_name, column_name, comment from duckdb_columns() where not internal
order by all
"""


def read_all(path: str) -> dict[str, Any]:
    """Read every row, add up every decimal, and list types and comments."""
    connection = duckdb.connect(path, read_only=True)

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql).fetchall()

    return {
        "version": duckdb.__version__,
        "counts": {name: len(rows(f"select * from {name}")) for (name,) in rows(RELATIONS)},
        "sums": {
            f"{name}.{column}": str(rows(f"select sum({column}) from {name}")[0][0])
            for name, column in rows(DECIMALS)
        },
        "types": rows(TYPES),
        "comments": rows(COMMENTS),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(read_all(sys.argv[1]), ensure_ascii=False))
