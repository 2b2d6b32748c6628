"""The webhook as a process of its own, and events as the provider sends them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from sms_etl.events.event import KeptEvent
from sms_etl.events.segments import segments_in, taken

SECRET = "a-secret-of-the-tests_0123456789"
NAMESPACE = UUID(int=12)
AT = 1_768_046_400
"""2026-01-10 12:00:00 UTC."""


def event(name: str = "a", /, *, event_id: str | None = None, at: int = AT, **data: Any) -> dict[str, Any]:
    """Return an event of the message that a name stands for, as the provider's documentation shows one."""
    return {
        "id": event_id or str(uuid5(NAMESPACE, f"{name} {at} {data}")),
        "api_version": "2022-05-25",
        "name": "sms.delivery",
        "created_at": at,
        "attempt_total": 4,
        "attempt_number": 1,
        "notification_task_id": str(UUID(int=3)),
        "data": {
            "id": str(message(name)),
            "key_id": 8207,
            "dlr_code": 1,
            "status_code": 100,
            "callback_data": "order of +491709999999",
            **data,
        },
    }


def message(name: str) -> UUID:
    """Return the uuid of the message that a name stands for."""
    return uuid5(NAMESPACE, name)


@dataclass
class Webhook:
    """A running webhook."""

    process: "subprocess.Popen[str]"
    url: str
    data_dir: Path
    client: httpx.Client
    said: Path

    def post(self, body: object, **headers: str) -> httpx.Response:
        """Send a body: JSON of a value, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(self.url, content=content, headers=headers)

    def end(self) -> str:
        """End it as an operator does; return what it printed on stdout."""
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=30)
        return printed

    @property
    def kept(self) -> list[KeptEvent]:
        """The events in its segments that nobody writes to any more."""
        return kept_in(self.data_dir)


def kept_in(data_dir: Path) -> list[KeptEvent]:
    found: list[KeptEvent] = []
    for path in segments_in(data_dir / "events"):
        with taken(path) as segment:
            found += segment.events if segment else []
    return found


@contextmanager
def running_webhook(data_dir: Path, **settings: str) -> Iterator[Webhook]:
    """Run `sms-etl webhook` on a free port; settings by their short names."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMS_ETL_")}
    given = {"data_dir": str(data_dir), "webhook_secret": SECRET, "env_file": os.devnull, **settings}
    environment |= {f"SMS_ETL_{name.upper()}": value for name, value in given.items() if value}
    said = data_dir.with_name(f"{data_dir.name}.said")
    with said.open("w") as stderr, httpx.Client(trust_env=False, timeout=30) as client:
        process = subprocess.Popen(
            [sys.executable, "-m", "sms_etl", "webhook", "--port", "0", "--json", "-v"],
            env=environment,
            stderr=stderr,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield Webhook(process, _address(process, said), data_dir, client, said)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=30)


def _address(process: "subprocess.Popen[str]", said: Path) -> str:
    marker = "Events are taken at "
    for _ in range(1200):
        text = said.read_text()
        if marker in text and "<secret>" in text:
            return text.partition(marker)[2].partition("<secret>")[0] + SECRET
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(said.read_text())


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """One for all tests of a module: it keeps nothing between two events."""
    with running_webhook(tmp_path_factory.mktemp("webhook") / "data") as found:
        yield found
