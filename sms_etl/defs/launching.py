"""Dagster's own launcher, which also notices that a run's process is gone with its daemon.

Without it a run whose machine lost its power counts as running, and holds the one place of the pool, until
`max_runtime_seconds` are over: a day in which nothing is read.
"""

from pathlib import Path

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

_STARTED = "Started process for run"
"""What the first message of a run's own process begins with."""
_PROCESSES = Path("/proc")
_A_RUN = b"multiprocessing.spawn"
"""Stands in the command line of each run's process: another program may have its number by now."""


class WatchingRunLauncher(DefaultRunLauncher):
    """Lets the daemon fail runs whose process is gone; `dagster.yaml` names it."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Say yes: run monitoring asks then."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether a run's process is there; where that cannot be known it is taken to be."""
        process = self._process_of(run)
        if process is None or not _PROCESSES.exists() or _is_a_run(process):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"The process {process} of the run is gone")

    def _process_of(self, run: dg.DagsterRun) -> str | None:
        for entry in self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event is not None and (event.message or "").startswith(_STARTED):
                pid = event.engine_event_data.metadata.get("pid")
                return None if pid is None else str(pid.value)
        return None


def _is_a_run(process: str) -> bool:
    try:
        return _A_RUN in (_PROCESSES / process / "cmdline").read_bytes()
    except OSError:
        return False
