"""Holds that nothing is left of work in a forked process."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sms_etl_tests.mutants.forked import BROKE_OFF, end_after, forked
from sms_etl_tests.mutants.suites import PROJECT


def raising() -> int:
    raise RuntimeError


def hanging() -> int:
    end_after(0.1)
    while True:
        time.sleep(60)


def test_its_exit_code_is_returned() -> None:
    assert forked(lambda: 3) == 3


def test_an_error_in_it_is_told_by_a_code_of_its_own() -> None:
    assert forked(raising) == BROKE_OFF


def test_work_that_hangs_is_ended_by_the_system() -> None:
    assert forked(hanging) == -signal.SIGALRM


def test_its_temporary_files_are_removed(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def work() -> int:
        told.write_text(tempfile.mkdtemp())
        return 0

    forked(work)

    assert told.read_text() != ""
    assert not Path(told.read_text()).exists()


def test_a_process_that_it_leaves_behind_is_ended(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def work() -> int:
        subprocess.Popen(["sh", "-c", f"sleep 0.3; touch {told}"])  # noqa: S607 - the PATH's sh
        return 0

    forked(work)
    time.sleep(0.6)

    assert not told.exists()


def test_who_is_ended_while_it_waits_ends_what_was_forked(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"""
import signal, sys, time
from pathlib import Path
from sms_etl_tests.mutants.forked import forked
def innermost():
    Path({str(told)!r}).touch()
    time.sleep(0.5)
    Path({str(told)!r}).write_text("it went on")
    return 0
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
forked(lambda: forked(innermost))
"""
    process = subprocess.Popen([sys.executable, "-c", script], env={"PYTHONPATH": str(PROJECT)})
    while not told.exists():
        time.sleep(0.01)
    process.terminate()
    process.wait(10)
    time.sleep(0.6)

    assert told.read_text() == ""
