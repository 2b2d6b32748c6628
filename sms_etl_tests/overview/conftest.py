"""Two accounts, each built once: one where nothing needs attention, one where much does."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from sms_etl.overview.figures import Overview
from sms_etl.overview.page import render_page
from sms_etl.overview.reading import read_overview
from sms_etl_tests.overview.account import (
    WRITTEN_AT,
    Account,
    calm_account,
    troubled_account,
    write_account,
)

Read = Callable[[Account], Overview]


@pytest.fixture(scope="session")
def calm_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_account(tmp_path_factory.mktemp("calm") / "warehouse.duckdb", calm_account())


@pytest.fixture(scope="session")
def troubled_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_account(tmp_path_factory.mktemp("troubled") / "warehouse.duckdb", troubled_account())


def _read(path: Path) -> Overview:
    with duckdb.connect(str(path), read_only=True) as connection:
        return read_overview(connection, now=WRITTEN_AT)


@pytest.fixture(scope="session")
def calm(calm_path: Path) -> Overview:
    return _read(calm_path)


@pytest.fixture(scope="session")
def troubled(troubled_path: Path) -> Overview:
    return _read(troubled_path)


@pytest.fixture(scope="session")
def troubled_page(troubled: Overview) -> str:
    return render_page(troubled)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write an account of a test's own, and read its overview."""

    def write_and_read(account: Account) -> Overview:
        return _read(write_account(tmp_path / "warehouse.duckdb", account))

    return write_and_read
