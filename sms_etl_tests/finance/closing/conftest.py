"""A warehouse with only what closing reads, and an account whose January is ripe."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sms_etl_tests.finance.account import EXPIRED, Message, at, write_warehouse
from sms_etl_tests.finance.closing.small import Small, small_warehouse

READ_AT = at("2026-03-10")


@pytest.fixture
def small() -> Iterator[Small]:
    with small_warehouse() as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def ripe_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account with three messages in January and one in February, all ripe."""
    messages = [
        Message(at("2025-12-31 23:00"), price="0.10"),
        Message(at("2026-01-16 11:00"), price="0.200001", key_id=2),
        Message(at("2026-01-31 22:59:59"), price="0.30", status=EXPIRED),
        Message(at("2026-01-31 23:00"), price="0.40"),
    ]
    return write_warehouse(
        tmp_path_factory.mktemp("ripe") / "warehouse.duckdb", messages, watermark_at=READ_AT
    )


@pytest.fixture
def ripe(ripe_path: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of it, to be written."""
    copied = tmp_path / "warehouse.duckdb"
    shutil.copyfile(ripe_path, copied)
    with duckdb.connect(str(copied)) as connection:
        yield connection
