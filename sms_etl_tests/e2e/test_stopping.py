"""What stops a command stops it at once, with one line, and with all it started."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings
from sms_etl.stopping import interrupting
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.faults.rehearsal import environment
from sms_etl_tests.processes import none_left, running_with, sizes_of_crash_dumps

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ENDLESS = "select sum(a.range * b.range) from range(10000000) a, range(10000000) b"
MANY = 60_000
"""Enough for the sync to land in a process of its own."""


@pytest.fixture
def published(synced_settings: Settings) -> dict[str, str]:
    return environment(synced_settings)


@pytest.fixture(scope="module")
def large_provider() -> Iterator[SandboxHandle]:
    """An account that takes a while to read; each test reads it into a data directory of its own."""
    account = AccountParameters(messages=MANY, days=30)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=500)) as provider:
        yield provider


def ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def started(
    command: list[str], settings: dict[str, str], preexec: Callable[[], None] | None = None
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "sms_etl", *command],
        env=settings,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=preexec,  # noqa: PLW1509 - no thread of the child holds a lock yet
    )


def wait_until_it_computes(process: "subprocess.Popen[str]") -> None:
    """Until it has used more processor time than starting takes."""
    until, start = time.monotonic() + 60, None
    while time.monotonic() < until:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        threads, used = int(fields[17]), int(fields[11]) / os.sysconf("SC_CLK_TCK")
        if threads > 2:  # the watcher of signals, and DuckDB's
            start = used if start is None else start
            if used > start + 0.3:
                return
        time.sleep(0.05)
    raise AssertionError("it did not begin")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_query_without_end_ends_when_it_is_told_to(
    published: dict[str, str], ending: signal.Signals
) -> None:
    with started(["query", ENDLESS], published) as process:
        wait_until_it_computes(process)
        process.send_signal(ending)
        said = process.communicate(timeout=20)[1]
    assert (process.returncode, said) == (1, "Stopped. Nothing was changed.\n")


def test_sigterm_ends_a_background_job_of_a_script_which_ignores_ctrl_c(published: dict[str, str]) -> None:
    with started(["query", ENDLESS], published, ignore_sigint) as process:
        wait_until_it_computes(process)
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert (process.returncode, said) == (1, "Stopped. Nothing was changed.\n")


@pytest.mark.parametrize("to_all", [False, True], ids=["it alone", "its whole group, as a terminal does"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_sync_that_is_stopped_keeps_what_it_read_and_ends_its_landing_process(
    large_provider: SandboxHandle, settings_at: SettingsAt, ending: signal.Signals, *, to_all: bool
) -> None:
    settings = settings_at(large_provider)
    mark = f"SMS_ETL_DATA_DIR={settings.data_dir}"
    with started(["sync", "--no-build"], environment(settings)) as process:
        until = time.monotonic() + 60
        while not list(settings.landing_dir.rglob("*.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        assert len(running_with(mark)) >= 2
        (os.killpg if to_all else os.kill)(process.pid, ending)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said.splitlines()[-1] == "Stopped. What was read is kept. Run it again to resume."
    assert "Traceback" not in said
    assert none_left(mark, within=5) == []
    assert list(settings.landing_dir.rglob("*.parquet"))


def allow_crash_dumps() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_no_process_of_a_sync_shows_a_secret_in_the_list_of_processes_or_can_leave_a_crash_dump(
    large_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(large_provider)
    mark = f"SMS_ETL_DATA_DIR={settings.data_dir}"
    secrets = {
        "SMS_ETL_LOX24_TOKEN": large_provider.token,
        "SMS_ETL_PII_KEY": "c0ffee" * 11,
        "SMS_ETL_WEBHOOK_SECRET": "a-secret-of-the-webhook",
        "SMS_ETL_ALERT_WEBHOOK": "https://chat.example/a-secret-hook",
    }
    with started(["sync", "--no-build"], environment(settings) | secrets, allow_crash_dumps) as process:
        until = time.monotonic() + 60
        while not list(settings.landing_dir.rglob("*.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        shown, dumps = " ".join(running_with(mark)), sizes_of_crash_dumps(mark)
        process.kill()
    assert "sync --no-build" in shown
    assert "spawn" in shown, "the process that lands is among them"
    assert [name for name, secret in secrets.items() if secret in shown] == []
    assert {size.split()[0] for size in dumps} == {"0"}
    assert none_left(mark, within=5) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_sandbox_is_made_to_be_stopped(tmp_path: Path, ending: signal.Signals) -> None:
    settings = {**os.environ, "SMS_ETL_DATA_DIR": str(tmp_path)}
    with started(["sandbox", "--port", "0", "--messages", "100"], settings) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(3))
        process.send_signal(ending)
        rest = process.communicate(timeout=30)[1]
    assert re.search("SMS_ETL_LOX24_BASE_URL", said)
    assert (process.returncode, rest) == (0, "Stopped. What --state names is kept.\n")


def test_nohup_is_respected(published: dict[str, str]) -> None:
    def ignore_sighup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with started(["query", ENDLESS], published, ignore_sighup) as process:
        wait_until_it_computes(process)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        process.kill()


class _Statement:
    def interrupt(self) -> None:
        pytest.fail("no signal came")


def test_an_interruption_that_the_database_swallowed_is_one_all_the_same() -> None:
    """DuckDB's binding raises this if it meets the signal before Python does."""
    with pytest.raises(KeyboardInterrupt), interrupting(_Statement()):
        raise RuntimeError("Query interrupted")


def test_an_error_that_no_signal_made_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="anything else"), interrupting(_Statement()):
        raise RuntimeError("anything else")
