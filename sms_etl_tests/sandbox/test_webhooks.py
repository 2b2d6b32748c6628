"""`sms.delivery` events, received by a real server."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from sms_etl.errors import SettingsError
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox

NOW = AccountParameters().now


class Receiver:
    """Receives events and answers with the statuses in `answers`, then with 200."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.got_one = Event()
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.events.append(json.loads(body))
                self.send_response(received.answers.pop(0) if received.answers else 200)
                self.end_headers()
                received.got_one.set()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def _insert_reported(sandbox: SandboxHandle, *reports: tuple[int, int]) -> str:
    steps = [
        {"at": at, "status_code": 100, "dlr_code": dlr_code, "is_sent": True} for at, dlr_code in reports
    ]
    (uuid,) = sandbox.insert({"steps": steps, "key_id": 8207, "callback_data": "order-1"})
    return uuid


def test_each_change_of_the_report_is_sent_once_when_due(sandbox: SandboxHandle, receiver: Receiver) -> None:
    sandbox.send_webhooks_to(receiver.url)
    uuid = _insert_reported(sandbox, (NOW + 5, 0), (NOW + 10, 4), (NOW + 20, 1))
    assert sandbox.deliver_webhooks()["attempts"] == 0
    sandbox.advance(timedelta(seconds=10))
    assert sandbox.deliver_webhooks() == {"attempts": 1, "delivered": 1, "given_up": 0, "waiting": 0}
    sandbox.advance(timedelta(seconds=10))
    sandbox.deliver_webhooks()
    sandbox.deliver_webhooks()
    assert [event["created_at"] for event in receiver.events] == [NOW + 10, NOW + 20]
    last = receiver.events[-1]
    assert (last["name"], last["api_version"], last["attempt_number"], last["attempt_total"]) == (
        "sms.delivery",
        "2022-05-25",
        1,
        4,
    )
    assert last["data"] == {
        "id": uuid,
        "key_id": 8207,
        "dlr_code": 1,
        "status_code": 100,
        "callback_data": "order-1",
    }


def test_an_event_is_tried_again_later_until_a_2xx(sandbox: SandboxHandle, receiver: Receiver) -> None:
    sandbox.send_webhooks_to(receiver.url)
    receiver.answers = [500, 404]
    _insert_reported(sandbox, (NOW + 1, 1))
    sandbox.advance(timedelta(seconds=1))
    assert sandbox.deliver_webhooks() == {"attempts": 1, "delivered": 0, "given_up": 0, "waiting": 1}
    assert sandbox.deliver_webhooks()["attempts"] == 0
    sandbox.advance(timedelta(seconds=60))
    assert sandbox.deliver_webhooks()["waiting"] == 1
    sandbox.advance(timedelta(seconds=600))
    assert sandbox.deliver_webhooks()["delivered"] == 1
    assert [event["attempt_number"] for event in receiver.events] == [1, 2, 3]
    assert len({event["id"] for event in receiver.events}) == 1


def test_after_four_attempts_an_event_is_given_up(sandbox: SandboxHandle, receiver: Receiver) -> None:
    sandbox.send_webhooks_to(receiver.url)
    receiver.answers = [500] * 9
    _insert_reported(sandbox, (NOW + 1, 1))
    sandbox.advance(timedelta(days=1))
    assert sandbox.deliver_webhooks() == {"attempts": 4, "delivered": 0, "given_up": 1, "waiting": 0}
    assert sandbox.deliver_webhooks()["attempts"] == 0


def test_a_receiver_that_is_not_there_counts_as_a_failed_attempt(sandbox: SandboxHandle) -> None:
    sandbox.send_webhooks_to("http://127.0.0.1:1/hook")
    _insert_reported(sandbox, (NOW + 1, 1))
    sandbox.advance(timedelta(seconds=1))
    assert sandbox.deliver_webhooks()["waiting"] == 1


def test_nothing_is_sent_without_an_address(sandbox: SandboxHandle) -> None:
    _insert_reported(sandbox, (NOW + 1, 1))
    sandbox.advance(timedelta(seconds=1))
    assert sandbox.deliver_webhooks() == {"attempts": 0, "delivered": 0, "given_up": 0, "waiting": 0}
    with pytest.raises(ValueError, match="http"):
        sandbox.send_webhooks_to("ftp://nowhere")


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/hook", "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/", "http://["],
)
def test_events_go_to_this_machine_only(sandbox: SandboxHandle, url: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        sandbox.send_webhooks_to(url)
    with pytest.raises(SettingsError, match="this machine"), running_sandbox(webhook_url=url):
        pass


def test_events_that_wait_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    account, state = AccountParameters(messages=0), tmp_path / "state.sqlite"
    receiver.answers = [500]
    with running_sandbox(account=account, state=state, webhook_url=receiver.url) as first:
        _insert_reported(first, (NOW + 1, 1))
        first.advance(timedelta(seconds=1))
        assert first.deliver_webhooks()["waiting"] == 1
    with running_sandbox(state=state, webhook_url=receiver.url) as second:
        second.advance(timedelta(seconds=60))
        assert second.deliver_webhooks()["delivered"] == 1


def test_a_live_sandbox_sends_by_itself(receiver: Receiver) -> None:
    account = AccountParameters(messages=0)
    with running_sandbox(account=account, webhook_url=receiver.url, live=True) as live:
        _insert_reported(live, (int(live.now().timestamp()) + 1, 1))
        assert receiver.got_one.wait(10)
    assert [event["data"]["dlr_code"] for event in receiver.events] == [1]
