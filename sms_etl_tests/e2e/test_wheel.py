"""What `pip install .` installs: everything a run reads, and nothing that only development needs."""

import json
import os
import site
import subprocess
import sys
import sysconfig
import venv
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
    assert "sms-etl = sms_etl.cli.commands:main" in wheel.read(entry_points).decode()


def test_what_only_development_needs_is_not_required_to_run() -> None:
    required = " ".join(requires("sms_etl") or ())
    assert "duckdb" in required
    assert not [name for name in ("pytest", "mypy", "ruff", "playwright", "sqlfluff") if name in required]


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel by pip; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel.filename)],
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        timeout=120,
    )
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(
        "\n".join([sysconfig.get_path("purelib"), *site.getsitepackages()])
    )
    return folder / "bin" / "sms-etl"


def run(command: Path, home: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [str(command), *words],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_an_installed_program_runs_the_demo_in_the_users_data_directory(
    installed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    done = run(installed, home, "demo", "--messages", "200", "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["matches_provider"] is True
    data = home / ".local" / "share" / "sms_etl"
    assert values["warehouse"] == str(data / "demo" / "warehouse.duckdb")
    inside = {"SMS_ETL_DATA_DIR": str(data / "demo")}
    assert (
        json.loads(run(installed, home, "status", "--json", **inside).stdout)["messages"]
        == values["messages"]
    )


def test_an_installed_program_names_where_its_settings_belong(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path / "home", "sync")
    assert done.returncode == 2
    assert f"{tmp_path}/home/.config/sms_etl/.env" in done.stderr
