"""A webhook that is killed in the middle of its work has lost nothing that it acknowledged."""

import threading
from pathlib import Path
from uuid import UUID

import httpx

from sms_etl_tests.events.conftest import AT, event, kept_in, message, running_webhook

SENDERS = 8
KILLED_AFTER = 300


def test_nothing_that_was_acknowledged_is_lost_by_a_kill_under_load(tmp_path: Path) -> None:
    acknowledged: list[UUID] = []
    enough = threading.Event()
    with running_webhook(tmp_path / "data") as webhook:

        def send(sender: int) -> None:
            with httpx.Client(trust_env=False, timeout=10) as client:
                for number in range(10_000):
                    name = f"{sender}-{number}"
                    try:
                        answer = client.post(webhook.url, json=event(name, at=AT + number))
                    except httpx.HTTPError:
                        return  # killed
                    assert answer.status_code == 200
                    acknowledged.append(message(name))
                    if len(acknowledged) >= KILLED_AFTER:
                        enough.set()

        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        webhook.process.kill()
        for thread in threads:
            thread.join()
    kept = [found.uuid for found in kept_in(webhook.data_dir)]
    assert len(acknowledged) >= KILLED_AFTER
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + SENDERS, (
        "at most what each sender was waiting for is there besides"
    )
