"""SIGKILL at any moment of a sync, while the provider goes on changing: the next quiet run makes it right."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.settle import LONGEST_PAUSE
from sms_etl_tests.faults import evidence
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.counts import IS_FULL
from sms_etl_tests.faults.rehearsal import LANDING_APART, OVERLAP, Rehearsal, environment

ROUNDS, KILLS_A_ROUND = (7, 10) if IS_FULL else (1, 8)
ROUNDS_APART, KILLS_A_ROUND_APART = (3, 10) if IS_FULL else (1, 2)
"""Of syncs that land in a process of their own, which takes a second to start."""
_MOST_FILES = 4
_TICK_S = 0.12
_MOST_REQUESTS = 130


class LiveAccount:
    """An account in which time passes: messages come, some late, some go, and their reports change.

    Args:
        provider: The sandbox.
        seed: Of what happens; when it happens beside a sync is up to the machine.
    """

    def __init__(self, provider: SandboxHandle, seed: int) -> None:
        self._provider = provider
        self._rng = random.Random(seed)
        self._open: list[str] = []
        self._over = threading.Event()
        self.inserted = self.deleted = 0
        self.failed: BaseException | None = None

    @contextmanager
    def living(self) -> Iterator[None]:
        thread = threading.Thread(target=self._live)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        assert self.failed is None, self.failed

    def _live(self) -> None:
        try:
            while not self._over.wait(_TICK_S):
                now = to_unix(self._provider.advance(timedelta(seconds=self._rng.randint(1, 20))))
                self._insert(now)
                if self._open and self._rng.random() < 0.2:
                    self._provider.delete(self._open.pop(self._rng.randrange(len(self._open))))
                    self.deleted += 1
        except Exception as exc:  # noqa: BLE001 - told in the test's own thread
            self.failed = exc

    def _insert(self, now: int) -> None:
        for _ in range(self._rng.choice((0, 0, 1, 2))):
            created = now - self._rng.choice((0, 0, 1, int(OVERLAP.total_seconds()) // 10))
            reports = self._rng.choice(((1,), (4, 1), (2,), (2, 8)))
            steps = [{"at": created, "status_code": 0, "dlr_code": 0, "is_sent": False}]
            at = created
            for dlr_code in reports:
                at += self._rng.randint(1, 200)
                steps.append({"at": at, "status_code": 100, "dlr_code": dlr_code, "is_sent": True})
            [uuid] = self._provider.insert({"created_at": created, "steps": steps})
            self.inserted += 1
            if reports == (2,):
                self._open.append(uuid)  # asked for until it ages out, so that its end will be noticed


Wait = Callable[[Rehearsal, "subprocess.Popen[str]", random.Random], None]


def killed(rehearsal: Rehearsal, rng: random.Random, wait_for_the_moment: Wait) -> bool:
    """Run the command and kill it at a moment drawn; False if it was done before."""
    settings = rehearsal.settings()
    landed = evidence.landed_windows(settings)
    rehearsal.proxy.begin()
    process = subprocess.Popen(
        rehearsal.program,
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_the_moment(rehearsal, process, rng)
    process.kill()
    _, said = process.communicate(timeout=60)  # until all it started have ended: they have its stderr
    rehearsal.tally.syncs += 1
    rehearsal.tally.requests += len(rehearsal.proxy.asked_in_this_run())
    evidence.assert_nothing_landed_was_asked_again(
        rehearsal.proxy.asked_in_this_run(), landed, int(settings.overlap.total_seconds())
    )
    if process.returncode == -signal.SIGKILL:
        rehearsal.tally.kills += 1
        return True
    assert process.returncode in {0, 1}, said
    assert "Traceback" not in said, said
    return False


def some_requests(rehearsal: Rehearsal, process: "subprocess.Popen[str]", rng: random.Random) -> None:
    """Wait until so many requests were made, and a little longer; or from the start, for a time."""
    if rng.random() < 0.15:
        requests, longer = 0, rng.uniform(0, 2)
    else:
        requests, longer = round(_MOST_REQUESTS ** rng.random()), rng.choice((0, rng.uniform(0, 0.4)))
    _wait_until(lambda: len(rehearsal.proxy.asked_in_this_run()) >= requests, process)
    time.sleep(longer)


def some_files(rehearsal: Rehearsal, process: "subprocess.Popen[str]", rng: random.Random) -> None:
    """Wait until so many files were begun, and hardly longer; or while what writes them starts."""
    begun = files_of(rehearsal)
    files = rng.randint(0, _MOST_FILES)
    longer = rng.uniform(0, 0.02) if files else rng.uniform(0, 1)
    _wait_until(lambda: bool(rehearsal.proxy.asked_in_this_run()), process)
    _wait_until(lambda: len(files_of(rehearsal) - begun) >= files, process)
    time.sleep(longer)


def files_of(rehearsal: Rehearsal) -> set[str]:
    """Return the landing files begun so far, in their places or not."""
    return {path.stem for path in rehearsal.base.landing_dir.glob("*/*")}


def _wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    begun = time.monotonic()
    while not is_so() and process.poll() is None and time.monotonic() < begun + 60:
        time.sleep(0.002)


def assert_right_after_kills(rehearsal: Rehearsal, seed: int, kills: int, wait_for_the_moment: Wait) -> None:
    """Kill sync after sync while the provider changes; the next one, in quiet, makes it right."""
    rng = random.Random(seed)
    live = LiveAccount(rehearsal.provider, seed)
    with live.living():
        for _ in range(3 * kills):
            killed(rehearsal, rng, wait_for_the_moment)
            if rehearsal.tally.kills == kills:
                break
            if rng.random() < 0.1:
                rehearsal.command(is_still=False)
    assert rehearsal.tally.kills == kills
    assert live.inserted
    # What has been silent for long is not asked for by every run: now each open message is due, so that the
    # next run must notice whatever became of it.
    rehearsal.provider.advance(LONGEST_PAUSE)
    result = rehearsal.command()
    assert isinstance(result, dict), result
    assert result["stopped_reason"] == "done"


@pytest.mark.parametrize("round_", range(1, ROUNDS + 1), ids=lambda number: f"round{number}")
def test_killed_again_and_again_while_the_provider_changes_the_next_quiet_run_makes_it_right(
    round_: int, rehearsal_of: RehearsalOf
) -> None:
    rehearsal = rehearsal_of("SIGKILL under live changes", messages=360, latency_ms=4)
    assert_right_after_kills(rehearsal, round_, KILLS_A_ROUND, some_requests)


@pytest.mark.parametrize("round_", range(1, ROUNDS_APART + 1), ids=lambda number: f"round{number}")
def test_killed_while_it_lands_in_a_process_of_its_own_the_next_quiet_run_makes_it_right(
    round_: int, rehearsal_of: RehearsalOf
) -> None:
    rehearsal = rehearsal_of("SIGKILL, landing in a process", messages=360, latency_ms=4)
    rehearsal.program = LANDING_APART
    assert_right_after_kills(rehearsal, round_, KILLS_A_ROUND_APART, some_files)
