"""From the sandbox's webhook through a sync to figures and status."""

import json
from datetime import timedelta
from pathlib import Path

from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.events.conftest import running_webhook
from sms_etl_tests.provider_truth import ask

AGE = 3 * 3600
"""Older than what a sync reads again."""


def insert(provider: SandboxHandle, *reports: tuple[int, int], age: int = 0) -> str:
    """Put a message into the account, sent at once, whose report changes so many seconds from now."""
    now = to_unix(provider.now())
    steps = [(now - age, 0), *((now + after, dlr) for after, dlr in reports)]
    (uuid,) = provider.insert(
        {
            "created_at": now - age,
            "steps": [{"at": at, "status_code": 100, "dlr_code": dlr, "is_sent": True} for at, dlr in steps],
        }
    )
    return uuid


def test_events_settle_messages_before_anybody_asks(
    tmp_path: Path, empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    provider = empty_provider
    delivered, silent = insert(provider, (30, 4), (40, 1), age=AGE), insert(provider, age=AGE)
    insert(provider)
    sync_build_publish(settings_at(provider), is_building=False)
    with running_webhook(tmp_path / "data", now=provider.now().isoformat()) as webhook:
        provider.send_webhooks_to(webhook.url)
        later = insert(provider, (50, 1))
        provider.advance(timedelta(minutes=5))
        assert provider.deliver_webhooks()["delivered"] == 3
        webhook.end()
    settings = settings_at(provider)
    provider.forget_requests()
    result = sync_build_publish(settings).or_raise()
    assert (result.sync.events_changed, result.sync.events_damaged) == (1, 0)
    assert result.sync.settled_by_uuid == 1
    asked = [one["query"] for one in provider.requests() if "uuid" in one["query"]]
    assert any(silent in query for query in asked)
    assert not any(delivered in query for query in asked)
    assert _figures(settings, delivered) == ("delivered", AGE + 40, "webhook")
    assert _figures(settings, later) == ("delivered", 50, "poll")
    status = read_status(settings)
    assert (status.settled_by_event, status.settled_by_poll, status.events_unread) == (1, 1, 0)
    json.dumps(status.as_json())


def _figures(settings: Settings, uuid: str) -> tuple[object, ...]:
    ((status, seconds, by),) = ask(
        settings,
        "select delivery_status, cast(epoch(delivered_at - created_at) as integer), settled_by "
        f"from marts.fct_sms where uuid = '{uuid}'",
    )
    return status, seconds, by
