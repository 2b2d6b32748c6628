"""docs/cookbook.md: each query is run on the sandbox's account, and its answer is the one that is shown.

`SMS_ETL_TEST_COOKBOOK=write` puts the answers into the page; read the difference before you commit it.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings
from sms_etl.warehouse.read import published

PAGE = Path(__file__).parents[2] / "docs" / "cookbook.md"
_QUERY = re.compile(r"```sql\n(?P<sql>.*?)```\n(?:\n```text\n(?P<answer>.*?)```\n)?", re.DOTALL)
DAYS_BETWEEN = (2, 1)
"""The clock moves so that reports arrive, and figures change, between syncs."""


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read the copy published after three syncs of an account that is the same each time."""
    data_dir = tmp_path_factory.mktemp("cookbook")
    with running_sandbox(account=AccountParameters(messages=3000)) as provider:
        for days in (0, *DAYS_BETWEEN):
            provider.advance(timedelta(days=days))
            settings = with_sandbox(
                load_settings(data_dir=data_dir, now=provider.now(), pii_key="cookbook" * 4), provider
            )
            sync_build_publish(settings)
    with published(settings) as connection:
        yield connection


def shown(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the rows as a table of plain text."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    rows = [["" if value is None else str(value) for value in row] for row in cursor.fetchall()]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [names, *rows]
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def test_every_question_is_answered_as_the_page_shows(analyst: duckdb.DuckDBPyConnection) -> None:
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("SMS_ETL_TEST_COOKBOOK") == "write":
        PAGE.write_text(
            _QUERY.sub(
                lambda found: f"```sql\n{found['sql']}```\n\n```text\n{shown(analyst, found['sql'])}```\n",
                page,
            ),
            encoding="utf-8",
        )
        return
    queries = list(_QUERY.finditer(page))
    assert len(queries) >= 12
    for query in queries:
        assert shown(analyst, query["sql"]) == query["answer"], query["sql"]


def test_each_question_is_one_select_on_one_mart() -> None:
    for query in _QUERY.finditer(PAGE.read_text(encoding="utf-8")):
        assert len(re.findall(r"\bfrom marts\.", query["sql"])) == 1
        assert not re.search(r"\bjoin\b", query["sql"])
