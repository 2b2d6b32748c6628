"""A real DuckDB with the empty tables that models are made of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows, empty_warehouse


@pytest.fixture
def rows() -> Iterator[Rows]:
    with empty_warehouse() as found:
        yield found


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of own seeds, one for all tests of a module: to read a project takes half a second."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "cost_centres.csv").write_text("key_id,cost_centre\n")
    return folder
