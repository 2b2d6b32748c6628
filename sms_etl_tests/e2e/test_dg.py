"""`dg` and `dagster dev` in a checkout, as developers of Dagster projects know them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sms_etl.settings import Settings
from sms_etl_tests.e2e.test_ui import free_port

ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(sys.executable).parent
_COMES_UP_WITHIN_SECONDS = 120


def environment(home: Path, **more: str) -> dict[str, str]:
    passed_on = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SMS_ETL_ENV_FILE": os.devnull,
        **passed_on,
        **more,
    }


def dg(*words: str, cwd: Path, home: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(_PROGRAMS / "dg"), *words],
        cwd=cwd,
        env=environment(home, PYTHONPATH=str(cwd), **more),
        capture_output=True,
        text=True,
        check=False,
    )


def test_dg_finds_all_definitions_in_order(tmp_path: Path) -> None:
    checked = dg("check", "defs", cwd=ROOT, home=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully." in checked.stdout + checked.stderr


def test_dg_refuses_a_misspelt_dependency(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("sms_etl", "dbt_like_sql"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", project)
    months = project / "sms_etl" / "defs" / "months.py"
    months.write_text(months.read_text().replace("deps=[PUBLISHED]", 'deps=[dg.AssetKey("publised")]'))
    checked = dg("check", "defs", cwd=project, home=tmp_path)
    assert checked.returncode != 0
    assert "no Dagster asset makes publised" in checked.stdout + checked.stderr


def test_dg_launches_a_job(synced_settings: Settings, tmp_path: Path) -> None:
    launched = dg(
        *("launch", "--job", "retention_plan"),
        cwd=ROOT,
        home=tmp_path,
        SMS_ETL_DATA_DIR=str(synced_settings.data_dir),
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert "RUN_SUCCESS" in launched.stdout + launched.stderr


@pytest.mark.slow
def test_dagster_dev_serves_the_workspace_of_the_checkout(tmp_path: Path) -> None:
    port, home = free_port(), tmp_path / "dagster"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    command = [str(_PROGRAMS / "dagster"), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(tmp_path, PYTHONPATH=str(ROOT), DAGSTER_HOME=str(home)),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert '"name":"sms_etl"' in locations(port, process).replace(" ", "")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def locations(port: int, process: "subprocess.Popen[bytes]") -> str:
    """Wait until the pages answer, and return what they say is loaded."""
    query = {
        "query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"
    }
    deadline = time.monotonic() + _COMES_UP_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=query, trust_env=False).text
        except httpx.TransportError:
            answer = ""
        if '"location"' in answer:
            return answer
        time.sleep(0.3)
    raise AssertionError("Dagster did not come up with the checkout's definitions")
