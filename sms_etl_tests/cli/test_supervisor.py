"""A supervised program ends with its caller, with all it started, however the caller ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sms_etl.cli.supervisor import supervised
from sms_etl_tests.processes import none_left, running_with

# A program as Dagster is one: it starts another in its group and one in a session of its own, which orphans a
# third; all of them ignore what Ctrl-C sends, but for the program itself.
PROGRAM = """
import subprocess, sys, time
sleep = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
orphan = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
subprocess.Popen([sys.executable, "-c", sleep])
subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
subprocess.run([sys.executable, "-c", orphan, sys.executable, "-c", sleep], start_new_session=True)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
CALLER = """
import os, sys
from sms_etl.stopping import stop_like_ctrl_c
from sms_etl.cli.supervisor import supervised
stop_like_ctrl_c()
with supervised([sys.executable, "-c", sys.argv[1], sys.argv[2]], os.environ, patience=0.5) as program:
    program.wait()
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_nothing_it_started_outlives_the_caller(tmp_path: Path, ending: signal.Signals) -> None:
    mark = f"MARK={tmp_path}"
    environment = {**os.environ, "MARK": str(tmp_path)}
    started = tmp_path / "started"
    command = [sys.executable, "-c", CALLER, PROGRAM, str(started)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as caller:
        until = time.monotonic() + 30
        while not started.exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert len(running_with(mark)) >= 6
        caller.send_signal(ending)
    assert none_left(mark, within=30) == []


def test_the_exit_code_of_a_program_that_ends_by_itself_is_kept() -> None:
    with supervised([sys.executable, "-c", "raise SystemExit(7)"], os.environ) as program:
        assert program.wait(30) == 7


def test_a_program_that_obeys_is_given_the_time_to_end(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "try:\n    open(sys.argv[1] + '.on', 'w').close()\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3)\n    open(sys.argv[1], 'w').close()\n"
    )
    ended = tmp_path / "ended"
    with supervised([sys.executable, "-c", code, str(ended)], os.environ):
        until = time.monotonic() + 30
        while not ended.with_suffix(".on").exists() and time.monotonic() < until:
            time.sleep(0.02)
    assert ended.exists()
