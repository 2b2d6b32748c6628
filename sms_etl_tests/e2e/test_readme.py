"""What the README shows in Python works when pasted, all of it in one notebook, in any order."""

import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

import sms_etl
from sms_etl.settings import Settings

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
THEIR_OWN = """
import duckdb
own = duckdb.connect("data/published/warehouse.duckdb", read_only=True)
assert own.sql("select count(*) from marts.cost_monthly").fetchall() != [(0,)]
"""


def test_the_python_snippets_of_the_readme_work_in_one_process_in_any_order(
    synced_settings: Settings, tmp_path: Path
) -> None:
    assert synced_settings.published_path.is_relative_to(tmp_path / "data")
    assert len(SNIPPETS) >= 2
    for order in permutations([*SNIPPETS, THEIR_OWN]):
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", "\n".join(order)],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "SMS_ETL_DATA_DIR": "data"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), "\n".join(order)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sms_etl, sys; print([n for n in ('duckdb', 'pandas', 'sqlalchemy') if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_what_the_package_does_not_have_is_said_as_python_says_it() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'reed'"):
        _ = sms_etl.reed  # type: ignore[attr-defined]  # what is tested
    assert callable(sms_etl.connect)
