"""A busy account, built once, with its report; tests of other accounts write their own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from sms_etl.finance.report import ReportResult, write_report
from sms_etl_tests.finance.account import busy_account

WRITTEN_AT = datetime(2026, 2, 2, 13, tzinfo=UTC)


@pytest.fixture(scope="session")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The busy account's warehouse, read-only."""
    path = busy_account(tmp_path_factory.mktemp("busy") / "warehouse.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def report(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    """The report of January 2026 on it."""
    return write_report(marts, "2026-01", tmp_path_factory.mktemp("reports"), generated_at=WRITTEN_AT)


@pytest.fixture(scope="session")
def page(report: ReportResult) -> str:
    """The report's page as text, without the library."""
    text = report.html.read_text(encoding="utf-8")
    return text.split("</main>", maxsplit=1)[0]


@pytest.fixture
def warehouse_path(tmp_path: Path) -> Path:
    """Where a test may write an account of its own."""
    return tmp_path / "warehouse.duckdb"
