"""Holds the webhook `sms.delivery` against the documentation, with a small server that listens for it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from sms_etl_tests.sandbox.contract.fields import WEBHOOK, WEBHOOK_DATA, deviations
from sms_etl_tests.sandbox.contract.talk import Handle, Row, by_uuid, read_all


class Listener:
    """What a receiver of webhooks was sent, and what it answers: 2xx once refused `failures` times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.events: list[Row] = []
        self.url = ""

    def answer_to(self, event: Row) -> int:
        self.events.append(event)
        return 503 if event["attempt_number"] <= self.failures else 204

    def of(self, uuid: str) -> list[Row]:
        return [event for event in self.events if event["data"]["id"] == uuid]


@contextmanager
def listening(failures: int = 0) -> Iterator[Listener]:
    listener = Listener(failures)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(listener.answer_to(json.loads(body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    listener.url = f"http://127.0.0.1:{server.server_address[1]}/lox24"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


RETRIES = (timedelta(0), timedelta(minutes=2), timedelta(minutes=20), timedelta(hours=2), timedelta(hours=12))
"""Time between attempts: the documentation does not say how far apart they are."""


@pytest.fixture
def before(fresh_provider: httpx.Client) -> dict[str, Row]:
    return by_uuid(read_all(fresh_provider, "/sms"))


def run(handle: Handle, failures: int) -> Listener:
    """Let two days pass and give what was sent to a listener that refuses each event `failures` times."""
    with listening(failures) as listener:
        handle.send_webhooks_to(listener.url)
        handle.advance(timedelta(days=2))
        handle.deliver_webhooks()
        return listener


def test_an_event_has_the_documented_body(fresh: Handle) -> None:
    events = run(fresh, failures=0).events
    assert events
    assert not [faults for event in events if (faults := deviations(event, WEBHOOK))]
    assert not [faults for event in events if (faults := deviations(event["data"], WEBHOOK_DATA))]


def test_each_change_of_a_report_fires_and_nothing_else_does(
    fresh: Handle, fresh_provider: httpx.Client, before: dict[str, Row]
) -> None:
    listener = run(fresh, failures=0)
    after = by_uuid(read_all(fresh_provider, "/sms"))
    changed = {u for u in after if after[u]["dlr_code"] != before.get(u, {"dlr_code": 0})["dlr_code"]}
    assert changed
    assert {event["data"]["id"] for event in listener.events} == changed


def test_the_last_event_of_a_message_says_what_the_message_says(
    fresh: Handle, fresh_provider: httpx.Client
) -> None:
    listener = run(fresh, failures=0)
    after = by_uuid(read_all(fresh_provider, "/sms"))
    for uuid in {event["data"]["id"] for event in listener.events}:
        last = max(listener.of(uuid), key=lambda event: event["created_at"])["data"]
        assert {**last, "id": uuid} == {
            "id": uuid,
            **{name: after[uuid][name] for name in last if name != "id"},
        }


def test_an_event_is_dated_when_the_report_changed(fresh: Handle) -> None:
    start = int(fresh.now().timestamp())
    events = run(fresh, failures=0).events
    assert all(start <= event["created_at"] <= fresh.now().timestamp() for event in events)
    assert len({event["created_at"] for event in events}) > 1


@pytest.mark.parametrize(
    ("failures", "attempts"), [(0, [1]), (1, [1, 2]), (3, [1, 2, 3, 4]), (9, [1, 2, 3, 4])]
)
def test_an_event_is_tried_until_it_is_taken_at_most_four_times(
    fresh: Handle, failures: int, attempts: list[int]
) -> None:
    with listening(failures) as listener:
        fresh.send_webhooks_to(listener.url)
        fresh.advance(timedelta(days=1))
        watched_until = fresh.now().timestamp()
        for wait in RETRIES:
            fresh.advance(wait)
            fresh.deliver_webhooks()
    tried: dict[Any, list[int]] = {}
    for event in listener.events:
        if event["created_at"] <= watched_until:
            tried.setdefault(event["id"], []).append(event["attempt_number"])
    assert tried
    assert all(numbers == attempts for numbers in tried.values())
