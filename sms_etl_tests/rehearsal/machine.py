"""The machine that sms_etl is deployed on: Dagster's daemon, a provider within its reach, and its clock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.processes import none_left
from sms_etl_tests.rehearsal.clock import MovedClock

ROOT = Path(__file__).parents[2]
_Found = TypeVar("_Found")
_PROGRAMS = Path(sys.executable).parent
_WITHIN_SECONDS = 900
"""Far beyond what anything takes: a run takes forty seconds of a processor that others may use too."""
_SCHEDULE, _SCHEDULED_AT = "dagster/schedule_name", ".dagster/scheduled_execution_time"


def wait_until(found: Callable[[], _Found | None], what: str) -> _Found:
    """Wait until something is found, and return it."""
    until = time.monotonic() + _WITHIN_SECONDS
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.2)
    raise AssertionError(f"within {_WITHIN_SECONDS} s it did not come to this: {what}")


@dataclass
class Provider:
    """A provider that can be out of reach: connections are refused then."""

    state: Path
    account: AccountParameters
    handle: SandboxHandle = field(init=False)
    _port: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self.handle = self._stack.enter_context(
            running_sandbox(port=self._port, state=self.state, account=self.account)
        )
        self._port = int(self.handle.url.rpartition(":")[2])

    def stop(self) -> None:
        self._stack.close()


@dataclass
class Machine:
    """Runs the daemon as deploy/ does, and commands beside it."""

    home: Path
    """DAGSTER_HOME."""
    environment: dict[str, str]
    clock: MovedClock
    log: Path
    _daemon: "subprocess.Popen[bytes] | None" = None

    def start_daemon(self) -> None:
        command = [str(_PROGRAMS / "dagster-daemon"), "run", "-w", str(ROOT / "workspace.yaml")]
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                command, env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )

    def kill_daemon(self) -> None:
        """End it and all it started at once, as systemd and a power cut do."""
        if self._daemon is not None:
            os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()
            self._daemon = None
        assert none_left(f"DAGSTER_HOME={self.home}", within=10) == []

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the same environment beside the daemon."""
        program = [str(_PROGRAMS / command[0]), *command[1:]]
        return subprocess.run(
            program, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False
        )

    def runs(self) -> list[dg.DagsterRun]:
        """Return all runs, oldest first."""
        with self._instance() as instance:
            return [*reversed(instance.get_runs())]

    def count(self, run: dg.DagsterRun, kind: dg.DagsterEventType) -> int:
        """Return how many events of a kind a run has logged."""
        with self._instance() as instance:
            return len(instance.all_logs(run.run_id, of_type=kind))

    def in_the_middle(self, steps: int) -> dg.DagsterRun | None:
        """Return a run that has done so many of its steps, and is not done."""
        for run in self.runs():
            if run.status == dg.DagsterRunStatus.STARTED:
                done = self.count(run, dg.DagsterEventType.STEP_SUCCESS)
                return run if done >= steps else None
        return None

    def ticked(self, schedule: str, since: datetime) -> dg.DagsterRun | None:
        """Return the first run that a schedule asked for at a moment or later."""
        for run in self.runs():
            if run.tags.get(_SCHEDULE) == schedule and since <= datetime.fromisoformat(
                run.tags[_SCHEDULED_AT]
            ):
                return run
        return None

    def retried(self, run: dg.DagsterRun) -> dg.DagsterRun | None:
        """Return the run that repeats another."""
        return next((each for each in self.runs() if each.parent_run_id == run.run_id), None)

    def sensor_ticks(self) -> int:
        """Return how often sensors have ticked."""
        with self._instance() as instance:
            states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
            return sum(
                1
                for state in states
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
                if tick.is_completed
            )

    @contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance
