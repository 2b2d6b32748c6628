"""The published copy as DuckDB 1.x reads it, which BI tools bring: the real ones, in `.readers/`."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings

HERE = Path(__file__).parent
READERS = Path(__file__).parents[2] / ".readers"


def read_by(python: Path | str, copy: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [str(python), str(HERE / "read_all.py"), str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with running_sandbox(account=AccountParameters(messages=500, days=6)) as provider:
        settings = load_settings(data_dir=tmp_path_factory.mktemp("readers"), now=provider.now())
        sync_build_publish(with_sandbox(settings, provider))
        provider.advance(timedelta(days=1))  # so that rows are merged, tables replaced and blocks used again
        later = settings.model_copy(update={"now": provider.now()})
        published = sync_build_publish(with_sandbox(later, provider)).published
    assert published is not None
    return published.path


@pytest.fixture(scope="module")
def ours(copy: Path) -> dict[str, Any]:
    return read_by(sys.executable, copy)


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4", "1.5"])
def test_an_older_duckdb_reads_every_table_every_decimal_and_every_comment(
    version: str, copy: Path, ours: dict[str, Any]
) -> None:
    python = READERS / version / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no DuckDB {version} here; `make readers` installs it, where it has a wheel")
    theirs = read_by(python, copy)
    assert theirs.pop("version").startswith(version)
    assert theirs == {name: value for name, value in ours.items() if name != "version"}


def test_what_they_were_compared_with_is_not_empty(ours: dict[str, Any]) -> None:
    assert ours["counts"]["marts.fct_sms"] >= 500
    assert ours["counts"]["marts.data_status"] == 1
    assert ours["sums"]["marts.fct_sms.price"] == ours["sums"]["marts.cost_daily.cost"] != "0"
    assert ["JSON"] in ours["types"]
    assert [found for found in ours["comments"] if not found[3]] == []
