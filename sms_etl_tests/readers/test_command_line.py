"""The published copy as DuckDB's own command line reads it: the newest 1.x, in `.readers/cli/`."""

import json
import subprocess
from pathlib import Path

import pytest

from sms_etl.settings import load_settings
from sms_etl_tests.warehouse.published_rows import publish_rows

PROGRAM = Path(__file__).parents[2] / ".readers" / "cli" / "bin" / "duckdb"


def test_duckdbs_own_command_line_reads_the_copy_and_its_comments_and_cannot_change_it(
    tmp_path: Path,
) -> None:
    if not PROGRAM.exists():
        pytest.skip(
            "there is no command line of DuckDB here; `make readers` installs it, where it has a wheel"
        )
    settings = load_settings(data_dir=tmp_path / "data")
    publish_rows(settings)

    def ask(sql: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(PROGRAM), "-readonly", "-json", str(settings.published_path), "-c", sql],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    spent = ask(
        "select currency, cast(sum(price) as varchar) as spent from marts.fct_sms group by 1 order by 1"
    )
    assert json.loads(spent.stdout)[0] == {"currency": "EUR", "spent": "1000000000000.300000"}
    comment = ask("select comment from duckdb_columns() where column_name = 'price'")
    assert json.loads(comment.stdout) == [{"comment": "whole message, net of VAT"}]
    assert ask("delete from marts.fct_sms").returncode != 0
