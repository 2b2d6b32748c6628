"""What a sync logs: what it does, at info; every request, at debug; nothing personal, ever."""

import logging
from datetime import timedelta

import pytest

from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import Task
from sms_etl_tests.conftest import SettingsAt


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        one.getMessage() for one in caplog.records if one.name.startswith("sms_etl.") and one.levelno == level
    ]


def test_at_info_a_run_tells_its_plan_its_windows_its_settlement_and_its_end(
    provider: SandboxHandle, settings_at: SettingsAt, caplog: pytest.LogCaptureFixture
) -> None:
    run_sync(settings_at(provider))
    provider.advance(timedelta(days=1))
    provider.insert({"created_at": int(provider.now().timestamp()) - 3 * 86400})
    with caplog.at_level(logging.INFO, logger="sms_etl"):
        result = run_sync(settings_at(provider), Task(reconcile_days=5))
    told = "\n".join(logged(caplog, logging.INFO))
    assert f"Sync {result.run_id} (reconcile) begins" in told
    assert "reading sms" in told
    assert "pages, attempt 1." in told
    assert f"{result.settled_by_uuid} are asked for by uuid" in told
    assert "the provider has" in told
    assert "Loaded 1 windows of sms (forward)" in told
    assert f"Sync {result.run_id} ended (done)" in told
    assert logged(caplog, logging.DEBUG) == []
    assert logged(caplog, logging.WARNING) == []


def test_at_debug_every_request_is_told_with_its_id_and_nothing_personal(
    provider: SandboxHandle, settings_at: SettingsAt, caplog: pytest.LogCaptureFixture
) -> None:
    provider.forget_requests()
    with caplog.at_level(logging.DEBUG, logger="sms_etl"):
        run_sync(settings_at(provider))
    told = logged(caplog, logging.DEBUG)
    asked = provider.requests()
    assert len(told) == len(asked)
    for one in asked:
        assert any(f"GET {one['path']}, " in line and one["request_id"] in line for line in told)
    messages = provider.truth_sms()
    assert provider.token not in caplog.text
    assert not [row["phone"] for row in messages if row["phone"].lstrip("+") in caplog.text]
    assert not [row["uuid"] for row in messages if len(row["text"]) > 20 and row["text"] in caplog.text]
