"""Whether a run's process lives is noticed, so that one that was killed does not hold the pool for a day."""

import multiprocessing
import os
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus

from sms_etl.definitions import defs
from sms_etl_tests.defs.instance import packaged_instance

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="elsewhere it cannot be known")


def started(instance: dg.DagsterInstance, process: int | None) -> dg.DagsterRun:
    run = instance.create_run_for_job(defs.resolve_job_def("campaign_status"))
    if process is not None:
        instance.report_engine_event(
            f"Started process for run (pid: {process}).", run, EngineEventData.in_process(process)
        )
    return run


def health(home: Path, process: int | None) -> WorkerStatus:
    with packaged_instance(home) as instance:
        run = started(instance, process)
        return instance.run_launcher.check_run_worker_health(run).status


@pytest.mark.parametrize(
    "config",
    [files("sms_etl.defs") / "dagster.yaml", ROOT / "dagster.yaml", ROOT / "deploy" / "dagster.yaml"],
    ids=["ui", "checkout", "server"],
)
def test_every_instance_asks_whether_a_runs_process_lives(config: Path, bare_environment: Path) -> None:
    (bare_environment / "dagster.yaml").write_text(config.read_text())
    with dg.DagsterInstance.from_config(str(bare_environment)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_launcher.supports_check_run_worker_health


def test_a_run_whose_process_is_gone_is_dead(bare_environment: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert health(bare_environment / "home", process.pid) == WorkerStatus.FAILED


def test_a_run_whose_processs_number_another_program_has_is_dead(bare_environment: Path) -> None:
    assert health(bare_environment / "home", os.getpid()) == WorkerStatus.FAILED


def test_a_run_whose_process_lives_runs(bare_environment: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    try:
        assert health(bare_environment / "home", process.pid) == WorkerStatus.RUNNING
    finally:
        process.kill()
        process.join()


def test_a_run_of_which_no_process_is_known_is_taken_to_run(bare_environment: Path) -> None:
    assert health(bare_environment / "home", None) == WorkerStatus.RUNNING
