"""Bad input: a clear answer, and nothing lost."""

import importlib
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_etl.cli.commands import cli
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run


def test_without_a_token_sync_says_what_to_set(run: Run) -> None:
    result = run("sync")
    assert result.exit_code == 2
    assert "SMS_ETL_LOX24_TOKEN is not set" in result.stderr
    assert "sms-etl demo" in result.stderr


def test_a_wrong_token_is_tried_once_ends_with_1_and_is_not_shown(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.forget_requests()
    result = run("sync", **(account | {"lox24_token": "1:not-the-key"}))
    assert result.exit_code == 1
    assert "SMS_ETL_LOX24_TOKEN is wrong" in result.stderr
    assert "request id" in result.stderr
    assert "not-the-key" not in result.output
    assert len(provider.requests()) == 1


def test_an_unreachable_host_is_named(run: Run, account: dict[str, str]) -> None:
    result = run("doctor", **(account | {"lox24_base_url": "http://127.0.0.1:9"}))
    assert result.exit_code == 1
    assert "127.0.0.1:9 cannot be reached" in " ".join(result.stdout.split())


def test_a_month_without_data_says_which_months_have_some(synced: Run) -> None:
    result = synced("report", "--month", "2019-07")
    assert result.exit_code == 1
    assert "2019-07" in result.stderr
    assert "2026-01" in result.stderr


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "January", "2026-1-1-1"])
def test_a_month_that_is_none_is_wrong_usage_and_answered_with_how_to_write_one(
    synced: Run, month: str
) -> None:
    result = synced("report", "--month", month)
    assert result.exit_code == 2
    assert "2026-01" in result.stderr
    assert result.stdout == ""


def test_a_month_that_has_not_begun_is_wrong_usage(synced: Run, account: dict[str, str]) -> None:
    result = synced("report", "--month", "2099-01")
    assert result.exit_code == 2
    assert "2099-01 has not begun" in result.stderr
    assert f"The running month is {account['now'][:7]}" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", "0"),
        ("settle_days", "400"),
        ("overlap", "yesterday"),
        ("timezone", "Mars/Olympus"),
        ("pii", "forget"),
        ("now", "2026-01-01T00:00:00"),
        ("lox24_token", "no-colon"),
        ("lox24_base_url", "api.lox24.eu"),
    ],
)
def test_a_setting_out_of_bounds_is_named_and_ends_with_2(run: Run, name: str, value: str) -> None:
    result = run("status", **{name: value})
    assert result.exit_code == 2
    assert f"SMS_ETL_{name.upper()}:" in result.stderr
    if name == "lox24_token":
        assert value not in result.stderr


def test_a_data_directory_that_cannot_be_written_is_named(
    run: Run, account: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = run("sync", **account, data_dir=str(tmp_path / "file" / "data"))
    assert result.exit_code == 1
    assert f"cannot be made: {tmp_path / 'file'} is a file" in result.stderr
    assert "SMS_ETL_DATA_DIR" in result.stderr


@pytest.mark.skipif(
    sys.platform != "linux", reason="of folders that take no file, only /proc is sure to exist"
)
def test_a_data_directory_that_takes_no_file_is_no_other_sync(run: Run, account: dict[str, str]) -> None:
    result = run("sync", **account, data_dir="/proc/self")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: /proc/self/sync.lock cannot be written: No such file or directory."
    )
    assert "Give SMS_ETL_DATA_DIR a folder you may write to." in result.stderr


def test_a_lock_file_of_another_user_is_named_with_its_owner(
    run: Run, account: dict[str, str], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    (tmp_path / "data" / "sync.lock").touch(0o600)
    assert run("sync", "--help").exit_code == 0  # what it imports is read by root
    importlib.import_module("sms_etl.pipeline")
    os.seteuid(65534)
    try:
        result = run("sync", **account)
    finally:
        os.seteuid(0)
    assert result.exit_code == 1
    assert "sync.lock cannot be written: Permission denied." in result.stderr
    assert "It belongs to root: run it as root, or give SMS_ETL_DATA_DIR" in result.stderr


def test_a_file_that_cannot_be_used_is_named_without_a_traceback(
    synced: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no other error speaks of: here the folder of own seeds holds one that is no file."""
    (tmp_path / "data" / "seeds" / "cost_centres.csv").mkdir(parents=True)
    result = CliRunner().invoke(cli, ["build"], catch_exceptions=True)
    assert result.exit_code == 1
    assert "cost_centres.csv" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_warehouse_another_program_writes_says_which(
    synced: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.warehouse.store.LOCK_PATIENCE", timedelta(0))
    warehouse = tmp_path / "data" / "warehouse.duckdb"
    code = (
        f"import duckdb, sys; connection = duckdb.connect({str(warehouse)!r}); "
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        locked = synced("build")
        doctor = synced("doctor")
        status = synced("status")
        holder.communicate()
    assert locked.exit_code == 1
    assert f"PID {holder.pid}" in locked.stderr
    assert f"PID {holder.pid}" in " ".join(doctor.stdout.split())
    assert status.exit_code == 0, "the published copy answers"
    assert synced("build").exit_code == 0


@pytest.mark.parametrize("command", [("build",), ("publish",), ("status",), ("query", "select 1")])
def test_before_the_first_sync_every_reader_says_to_run_one(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_ctrl_c_says_that_nothing_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sms_etl.pipeline.sync_build_publish", interrupted)
    result = run("sync")
    assert result.exit_code == 1
    assert "What was read is kept" in result.stderr


@pytest.mark.parametrize("words", [("status",), ("sync",), ("query", "select 1"), ("doctor",)])
def test_a_misspelt_setting_ends_every_command_with_2_and_the_name_that_was_meant(
    run: Run, words: tuple[str, ...]
) -> None:
    result = run(*words, overlp="1h")
    assert result.exit_code == 2
    assert "SMS_ETL_OVERLP is not a setting. Did you mean SMS_ETL_OVERLAP?" in result.stderr


def test_messages_name_the_absolute_path(run: Run, tmp_path: Path) -> None:
    assert f"{tmp_path}/mine/published" in run("status", data_dir="mine").stderr
