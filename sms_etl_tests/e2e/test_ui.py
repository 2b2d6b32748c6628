"""`sms-etl ui` as an operator starts it: Dagster answers on this machine, and nothing stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from sms_etl_tests.processes import none_left, running_with, sizes_of_crash_dumps

_COMES_UP_WITHIN_SECONDS = 90


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def ui(
    port: int, data_dir: Path, *, ended_by: signal.Signals = signal.SIGINT, **settings: str
) -> Iterator["subprocess.Popen[str]"]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir.parent),
        "SMS_ETL_DATA_DIR": str(data_dir),
        "SMS_ETL_ENV_FILE": os.devnull,
        **{name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "PYTHONPATH"))},
        **{f"SMS_ETL_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "sms_etl", "ui", "--port", str(port)]
    log = (data_dir.parent / "ui.log").open("w")
    with log, subprocess.Popen(command, env=environment, stderr=log, stdout=log, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(ended_by)
            process.wait(60)


def wait_until_it_answers(port: int, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + _COMES_UP_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/server_info", trust_env=False).text
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError("Dagster did not come up")


def test_the_ui_opens_on_this_machine_with_the_sandbox_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port, data_dir = free_port(), tmp_path / "data"
    with ui(port, data_dir) as process:
        assert "dagster" in wait_until_it_answers(port, process)
        log = (tmp_path / "ui.log").read_text()
    assert process.returncode == 0
    assert f"With the sandbox at http://127.0.0.1:{sandbox_port(log)}, in {data_dir / 'demo'}" in log
    assert f"http://127.0.0.1:{port}" in log
    settings = (data_dir / "demo" / "dagster" / "dagster.yaml").read_text()
    assert re.search(r"telemetry:\s+enabled: false", settings)
    assert none_left(f"HOME={tmp_path}", within=5) == []
    assert (tmp_path / "ui.log").read_text().splitlines()[-1] == "Stopped. What was loaded is kept."
    assert [path.name for path in data_dir.iterdir()] == ["demo"]


def sandbox_port(log: str) -> str:
    found = re.search(r"With the sandbox at http://127\.0\.0\.1:(\d+)", log)
    assert found, log
    return found[1]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_dagster_ends_with_the_command_however_that_is_ended(tmp_path: Path, ending: signal.Signals) -> None:
    port = free_port()
    with ui(port, tmp_path / "data", ended_by=ending) as process:
        wait_until_it_answers(port, process)
        assert len(running_with(f"HOME={tmp_path}")) >= 5
    assert none_left(f"HOME={tmp_path}", within=40) == []
    assert process.returncode == (-signal.SIGKILL if ending == signal.SIGKILL else 0)


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ui(port, tmp_path / "data") as process:
            process.wait(60)
    assert process.returncode == 2
    assert f"Port {port} cannot be used" in (tmp_path / "ui.log").read_text()


def test_with_a_token_the_ui_names_the_account_and_never_shows_the_token_nor_leaves_it_in_a_crash_dump(
    tmp_path: Path,
) -> None:
    port = free_port()
    with ui(
        port, tmp_path / "data", lox24_token="1:a-secret-key", lox24_base_url="http://127.0.0.1:9"
    ) as process:
        wait_until_it_answers(port, process)
        shown, dumps = running_with(f"HOME={tmp_path}"), sizes_of_crash_dumps(f"HOME={tmp_path}")
    log = (tmp_path / "ui.log").read_text()
    assert "http://127.0.0.1:9" in log
    assert "a-secret-key" not in log
    assert len(shown) >= 5
    assert not any("a-secret-key" in command for command in shown)
    assert {size.split()[0] for size in dumps} == {"0"}


LAUNCH = "mutation { launchRun(executionParams: {}) { __typename } }"
"""Wrong as it is, and so never carried out; what is asked here is whether it gets as far as to be told so."""


def test_no_other_web_page_drives_dagster(tmp_path: Path) -> None:
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    with ui(port, tmp_path / "data") as process, httpx.Client(base_url=here, trust_env=False) as http:
        wait_until_it_answers(port, process)
        for headers in (
            {"Content-Type": "text/plain"},
            {"Content-Type": "text/plain", "Origin": "https://evil.example"},
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
            {"Content-Type": "application/json", "Host": f"evil.example:{port}"},
        ):
            refused = http.post(
                "/graphql", params={"query": LAUNCH}, content=f'{{"query": "{LAUNCH}"}}', headers=headers
            )
            assert refused.status_code in {403, 415}, headers
            assert refused.text.startswith("Refused: ")
        assert http.get("/graphql", params={"query": LAUNCH}).status_code == 405
        assert http.get("/server_info", headers={"Host": "evil.example"}).status_code == 403
        materialised = {"asset_key": ["a"], "metadata": {}}
        told = http.post(
            "/report_asset_materialization/a", json=materialised, headers={"Origin": "https://evil.example"}
        )
        assert told.status_code == 403
        page = http.get("/graphql", headers={"Accept": "text/html"})
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "server" not in page.headers
        own = http.post("/graphql", json={"query": "{ version }"}, headers={"Origin": here})
        assert own.json()["data"]["version"]
        assert opens_a_web_socket(port, origin=here)
        assert not opens_a_web_socket(port, origin="https://evil.example")
        assert listening(process.pid) == {port, int(sandbox_port((tmp_path / "ui.log").read_text()))}


def opens_a_web_socket(port: int, *, origin: str) -> bool:
    """Return whether Dagster accepts a WebSocket of a page, and talks GraphQL on it."""
    try:
        with connect(
            f"ws://127.0.0.1:{port}/graphql",
            origin=Origin(origin),
            subprotocols=[Subprotocol("graphql-ws")],
            proxy=None,
        ) as web_socket:
            web_socket.send('{"type": "connection_init"}')
            return "connection_ack" in str(web_socket.recv(10))
    except InvalidStatus as exc:
        assert exc.response.status_code == 403  # noqa: PT017 - what is refused otherwise is no answer
        return False


def listening(process: int) -> set[int]:
    """Return the ports on which a process or one it started, at any depth, listens (Linux)."""
    inodes = {
        link.readlink().name
        for each in family(process)
        for link in Path(f"/proc/{each}/fd").glob("*")
        if link.is_symlink()
    }
    lines = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    fields = [line.split() for line in lines if " 0A " in line]
    return {int(each[1].rpartition(":")[2], 16) for each in fields if f"socket:[{each[9]}]" in inodes}


def family(process: int) -> set[int]:
    found, parents = {process}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found
