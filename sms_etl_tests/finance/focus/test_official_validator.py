"""What is written for FOCUS 1.0 passes the official validator: the real one, in `.focus-validator/`."""

import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from sms_etl.finance.focus.export import write_focus
from sms_etl.finance.focus.specification import Version
from sms_etl_tests.finance.account import Message, at, write_warehouse
from sms_etl_tests.finance.conftest import WRITTEN_AT

JANUARY = date(2026, 1, 1)
ENVIRONMENT = Path(__file__).parents[3] / ".focus-validator"
VALIDATOR = ENVIRONMENT / "bin" / "focus-validator"
SUCCESS = "Validation succeeded.\n"

pytestmark = pytest.mark.skipif(
    not VALIDATOR.exists(), reason="`make focus-validator` installs it, where it runs on this Python"
)


def judged(file: Path) -> str:
    """Return what the validator says of a file; it looks for its list of currencies where it is run."""
    (installed,) = ENVIRONMENT.glob("lib/python*/site-packages")
    ran = subprocess.run(
        [str(VALIDATOR), "--data-file", str(file)],
        cwd=installed,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ran.stdout


def written(connection: duckdb.DuckDBPyConnection, folder: Path, months: Sequence[date] = (JANUARY,)) -> Path:
    result = write_focus(connection, months, folder, now=WRITTEN_AT, version=Version.V1_0, name="test")
    return result.files[0]


def test_a_busy_month_passes(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = written(marts, tmp_path)
    assert len(file.read_text(encoding="utf-8").splitlines()) > 500
    assert judged(file) == SUCCESS


def test_a_month_of_one_voice_call_under_a_numeric_cost_centre_passes(tmp_path: Path) -> None:
    call = Message(at("2026-01-16 11:00"), service="text2speech", iso2=None, parts=None)
    warehouse = write_warehouse(tmp_path / "warehouse.duckdb", [call], watermark_at=at("2026-02-02"))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update marts.focus_cost_and_usage set sub_account_id = '1200'")
        file = written(connection, tmp_path)
    assert ",#1200," in file.read_text(encoding="utf-8")
    assert judged(file) == SUCCESS


def test_the_validator_would_say_so_if_a_file_were_wrong(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = written(marts, tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("Usage-Based", "Sometimes"), encoding="utf-8")
    assert "ChargeFrequency_Enum failed" in judged(file)
