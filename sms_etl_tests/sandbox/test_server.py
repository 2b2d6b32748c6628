"""Starting and stopping, and the control calls."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sms_etl.errors import SettingsError
from sms_etl.sandbox.app import create_app
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, run, running_sandbox
from sms_etl.sandbox.storage.state import open_state

EMPTY_ACCOUNT = AccountParameters(messages=0)
PROGRAM = """
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import run
run(port=0, account=AccountParameters(messages=10), on_ready=lambda url: print(url, flush=True))
print("stopped")
"""


def test_run_serves_until_interrupted_and_stops_cleanly() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/_sandbox/truth", trust_env=False).json()["messages"] == 10
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "stopped\n"
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_a_port_in_use_is_refused_with_a_hint() -> None:
    with running_sandbox(account=EMPTY_ACCOUNT) as running:
        port = int(running.url.rsplit(":", 1)[1])
        with pytest.raises(SettingsError, match=f"Port {port}"):
            run(port=port, account=EMPTY_ACCOUNT)


@pytest.mark.parametrize(("host", "port"), [("0.0.0.0", 0), ("127.0.0.1", 99_999)])  # noqa: S104 - refused
def test_an_address_that_is_not_local_or_not_one_is_refused(host: str, port: int) -> None:
    with pytest.raises(SettingsError):
        run(host, port, account=EMPTY_ACCOUNT)


def test_two_sandboxes_run_beside_each_other_and_leave_no_thread() -> None:
    before = threading.active_count()
    with running_sandbox(account=EMPTY_ACCOUNT) as one, running_sandbox(account=EMPTY_ACCOUNT) as other:
        one.insert({})
        assert (one.truth()["messages"], other.truth()["messages"]) == (1, 0)
    assert threading.active_count() == before


def test_the_truth_is_what_the_api_shows(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.insert({"price": "0.1"}, {"price": "0.02"}, {"price": 3})
    assert sandbox.truth()["price_sum"] == "3.12"
    rows = sandbox.truth_sms()
    shown = lox24.get("/sms?_order[created_at]=asc", headers={"Accept": "application/json"})
    assert rows == shown.json(parse_float=Decimal)
    lines = httpx.get(
        f"{sandbox.url}/_sandbox/truth/sms", headers={"Accept": "application/x-ndjson"}, trust_env=False
    )
    assert len(lines.text.splitlines()) == 3


def test_the_clock_is_set_to_a_moment_or_moved_by_seconds(sandbox: SandboxHandle) -> None:
    later = sandbox.now() + timedelta(hours=1)
    assert sandbox.control("POST", "clock", {"now": int(later.timestamp())}) == {
        "now": int(later.timestamp())
    }
    assert sandbox.advance(timedelta(minutes=1)) == later + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"now": 0}),
        ("clock", {"advance_seconds": "soon"}),
        ("switches", {"colour": "red"}),
        ("webhooks", {}),
        ("messages", {"colour": "red"}),
        ("messages", {"price": "cheap"}),
        ("messages", {"text": "a", "key_id": "b"}),
        ("messages", {"steps": [{"at": 1}]}),
        ("messages/delete", {}),
    ],
)
def test_a_control_call_that_makes_no_sense_says_why(
    sandbox: SandboxHandle, path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        sandbox.control("POST", path, body)
    assert sandbox.truth()["messages"] == 0


def test_switches_can_be_asked_for(sandbox: SandboxHandle) -> None:
    sandbox.set_switches(page_size=11)
    assert sandbox.control("GET", "switches")["page_size"] == 11


@pytest.mark.parametrize(("client", "status"), [("192.0.2.1", 403), ("somewhere", 403), ("127.0.0.1", 200)])
async def test_control_calls_are_answered_on_the_loopback_address_only(client: str, status: int) -> None:
    app = create_app(open_state(account=EMPTY_ACCOUNT))
    transport = httpx.ASGITransport(app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        assert (await http.get("/_sandbox/clock")).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ({"Content-Type": "application/json", "Origin": "null"}, 403),
        ({"Content-Type": "application/json", "Host": "evil.example"}, 403),
    ],
)
def test_no_web_page_makes_a_control_call(
    sandbox: SandboxHandle, headers: dict[str, str], status: int
) -> None:
    moment = sandbox.now()
    answer = httpx.post(
        f"{sandbox.url}/_sandbox/clock", content='{"advance_seconds": 60}', headers=headers, trust_env=False
    )
    assert answer.status_code == status
    assert sandbox.now() == moment


def test_no_page_whose_name_was_pointed_here_reads_the_truth(sandbox: SandboxHandle) -> None:
    answer = httpx.get(
        f"{sandbox.url}/_sandbox/truth", headers={"Host": "evil.example:8024"}, trust_env=False
    )
    assert (answer.status_code, "messages" in answer.text) == (403, False)
