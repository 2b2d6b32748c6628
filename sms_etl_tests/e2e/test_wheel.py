"""What `pip install .` installs: everything a run reads, and nothing that only development needs."""

import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_every_file_that_is_read_at_run_time(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    models = {
        f"sms_etl/{path.relative_to(CHECKOUT)}"
        for path in (CHECKOUT / "dbt_like_sql").rglob("*")
        if path.suffix in {".sql", ".yml", ".csv"}
    }
    beside_code = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "sms_etl").rglob("*")
        if path.suffix in {".sql", ".j2", ".css", ".js", ".yaml"}
    }
    assert len(models) > 30
    assert "sms_etl/defs/dagster.yaml" in beside_code
    assert models | beside_code | {"sms_etl/py.typed"} <= names


def test_the_wheel_holds_no_tests_no_benchmarks_and_no_data(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sms_etl"}


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "sms-etl = sms_etl.cli:main" in wheel.read(entry_points).decode()


def test_what_only_development_needs_is_not_required_to_run() -> None:
    required = " ".join(requires("sms_etl") or ())
    assert "duckdb" in required
    assert not [name for name in ("pytest", "mypy", "ruff", "playwright", "sqlfluff") if name in required]
