"""A real DuckDB with empty `raw.*` and `ops.*`."""

from collections.abc import Iterator

import duckdb
import pytest
from duckdb_sqlalchemy import Dialect
from sqlalchemy.schema import CreateTable

from sms_etl.warehouse.tables import metadata
from sms_etl_tests.sql.warehouse_rows import Rows


@pytest.fixture
def rows() -> Iterator[Rows]:
    with duckdb.connect(config={"threads": 1}) as connection:  # a third faster with so few rows
        connection.execute("create schema raw; create schema ops")
        for table in metadata.sorted_tables:
            connection.execute(str(CreateTable(table).compile(dialect=Dialect())))
        found = Rows(connection)
        found.context()
        yield found
