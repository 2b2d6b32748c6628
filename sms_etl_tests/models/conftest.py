"""Small projects written file by file, and a real DuckDB to build them in."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sms_etl.models.project import Project, load_project
from sms_etl_tests.models.small_project import FILES, SOURCES, Files, Load, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(files: Files | None = None) -> Path:
        root = tmp_path / "project"
        for name, text in {**FILES, **(files or {})}.items():
            if text is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
        return root

    return write_files


@pytest.fixture
def load(write: Write) -> Load:
    def load_files(files: Files | None = None, seeds: Path | None = None) -> Project:
        return load_project(write(files), seeds, sources=SOURCES)

    return load_files


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with two messages in raw.sms."""
    with duckdb.connect() as opened:
        opened.execute("create schema raw")
        opened.execute("create table raw.sms (uuid varchar, price decimal(18,6), currency varchar)")
        opened.execute("insert into raw.sms values ('a', 0.1, 'EUR'), ('b', 0.2, 'EUR')")
        yield opened
