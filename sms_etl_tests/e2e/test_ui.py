"""`sms-etl ui` as an operator starts it: Dagster answers on this machine, and nothing stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_COMES_UP_WITHIN_SECONDS = 90


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def ui(port: int, data_dir: Path, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir.parent),
        "SMS_ETL_DATA_DIR": str(data_dir),
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        **{f"SMS_ETL_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "sms_etl", "ui", "--port", str(port)]
    log = (data_dir.parent / "ui.log").open("w")
    with log, subprocess.Popen(command, env=environment, stderr=log, stdout=log, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def wait_until_it_answers(port: int, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + _COMES_UP_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/server_info", trust_env=False).text
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError("Dagster did not come up")


def processes_naming(words: str) -> list[str]:
    found = []
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command_line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words in text:
            found.append(text)
    return found


def test_the_ui_opens_on_this_machine_with_the_sandbox_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port, data_dir = free_port(), tmp_path / "data"
    with ui(port, data_dir) as process:
        assert "dagster" in wait_until_it_answers(port, process)
        log = (tmp_path / "ui.log").read_text()
    assert "With the sandbox" in log
    assert f"http://127.0.0.1:{port}" in log
    settings = (data_dir / "dagster" / "dagster.yaml").read_text()
    assert re.search(r"telemetry:\s+enabled: false", settings)
    assert processes_naming(f"-p {port}") == []
    assert processes_naming(str(data_dir)) == []


def test_with_a_token_the_ui_names_the_account_and_never_shows_the_token(tmp_path: Path) -> None:
    port = free_port()
    with ui(
        port, tmp_path / "data", lox24_token="1:a-secret-key", lox24_base_url="http://127.0.0.1:9"
    ) as process:
        wait_until_it_answers(port, process)
    log = (tmp_path / "ui.log").read_text()
    assert "http://127.0.0.1:9" in log
    assert "a-secret-key" not in log
