"""What `sms-etl ui` hands on to Dagster, in whose processes the settings are read again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sms_etl.cli.ui import environment_of
from sms_etl.settings import Settings, load_settings

GIVEN = {
    "lox24_token": "1:key",
    "lox24_base_url": "http://127.0.0.1:1",
    "twosms_client_id": "id",
    "twosms_client_secret": "secret",
    "start": "2026-01-01",
    "overlap": "90m",
    "lock_wait": "5m",
    "lox24_requests_per_second": "3",
    "pii": "keep",
    "pii_key": "k" * 32,
    "pii_columns": "ip=drop,callback_data=keep",
    "publish": "all",
    "share_published": "group",
    "publish_parquet": "no",
    "publish_to": "postgresql://user:password@127.0.0.1/sms",
    "webhook_secret": "0123456789abcdef",
    "webhook_allow": "203.0.113.7,2001:db8::/32",
    "alert_webhook": "https://hooks.example.com/secret",
    "alert_smtp": "smtps://user:password@mail.example.com",
    "alert_to": "ops@example.com,finance@example.com",
    "now": "2026-01-31T12:00:00+01:00",
}


def read_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize("given", [{}, GIVEN], ids=["defaults", "everything set"])
def test_dagster_reads_the_settings_that_the_command_was_given(
    given: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=str(tmp_path), **given)
    again = read_again(settings, monkeypatch)
    told = set(settings.model_dump()) - {"warehouse"}
    assert {name: getattr(again, name) for name in told} == {name: getattr(settings, name) for name in told}
    assert again.warehouse_url == settings.warehouse_url


def test_a_fixed_clock_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = read_again(load_settings(data_dir=str(tmp_path), **GIVEN), monkeypatch)
    assert again.clock() == datetime(2026, 1, 31, 11, tzinfo=UTC)
