"""A warehouse whose schema is made once, and a transaction in it that leaves no trace."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.warehouse.store import Transaction, Warehouse


class _Undone(Exception):
    """Ends a test's transaction without a trace."""


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse without a row: to make its schema takes longer than most loads."""
    folder = tmp_path_factory.mktemp("empty")
    warehouse = Warehouse(f"duckdb:///{folder}/w.duckdb", fixed_clock(datetime(2026, 1, 31, tzinfo=UTC)))
    with warehouse.begin():
        return warehouse


@pytest.fixture
def transaction(empty_warehouse: Warehouse) -> Iterator[Transaction]:
    with suppress(_Undone), empty_warehouse.begin() as transaction:
        yield transaction
        raise _Undone
