"""Runs that are refused or cannot begin: each says why, and changes nothing."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from pydantic import SecretStr

from sms_etl.errors import (
    AlreadyRunning,
    SettingsError,
    Unauthorised,
    Unreachable,
    WrongAccount,
)
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.lock import only_one
from sms_etl.sync.task import Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.exchanged import sync_with
from sms_etl_tests.provider_truth import ask, warehouse_of


def test_a_wrong_token_is_tried_by_one_request_and_stops_the_run(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    wrong = settings_at(provider).model_copy(update={"lox24_token": SecretStr("1:wrong")})
    provider.forget_requests()
    with pytest.raises(Unauthorised, match="401") as caught:
        run_sync(wrong)
    assert "SMS_ETL_LOX24_TOKEN" in caught.value.hint
    assert len(provider.requests()) == 1
    assert ask(wrong, "select stopped_reason, requests from ops.sync_run") == [("Unauthorised", 1)]


def test_without_a_token_nothing_is_asked(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    settings = settings_at(provider).model_copy(update={"lox24_token": None})
    provider.forget_requests()
    with pytest.raises(SettingsError, match="SMS_ETL_LOX24_TOKEN is not set"):
        run_sync(settings)
    assert provider.requests() == []


def test_another_accounts_messages_never_come_into_the_same_warehouse(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    with duckdb.connect(str(warehouse_of(settings))) as connection:
        connection.execute("update ops.account set account_id = '1'")
    with pytest.raises(WrongAccount, match="account 1 of"):
        run_sync(settings)


def test_two_syncs_never_work_on_one_data_directory(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    settings = settings_at(provider)
    with only_one(settings), pytest.raises(AlreadyRunning, match="Another sync"):
        run_sync(settings)


def test_since_after_until_is_refused(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    with pytest.raises(SettingsError, match="--since lies after --until"):
        run_sync(
            settings_at(provider),
            Task(since=datetime(2026, 2, 1, tzinfo=UTC), until=datetime(2026, 1, 1, tzinfo=UTC)),
        )


def test_a_backfill_from_the_future_is_refused_before_anything_is_asked(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    with pytest.raises(SettingsError, match="--since lies in the future: it is 20"):
        run_sync(settings, Task(since=settings.clock() + timedelta(seconds=1)))
    assert not settings.data_dir.exists()


def test_a_backfill_that_ends_before_the_start_is_refused(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider, start=provider.now() - timedelta(days=1))
    with pytest.raises(SettingsError, match="--until lies before SMS_ETL_START"):
        run_sync(settings, Task(until=settings.clock() - timedelta(days=2)))


def test_an_unreachable_provider_is_named_and_the_run_recorded(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider).model_copy(update={"lox24_base_url": "http://127.0.0.1:9"})
    token = settings.lox24_token.get_secret_value() if settings.lox24_token else ""
    impatient = Lox24Client(settings.lox24_base_url, token, settings.clock, sleep=_no_sleep)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached"):
        sync_with(settings, impatient)
    assert ask(settings, "select stopped_reason, retries from ops.sync_run") == [("Unreachable", 5)]


async def _no_sleep(_seconds: float) -> None:
    return None
