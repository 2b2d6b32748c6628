"""Holds that clients which change something are made for whoever may change it, by the time that it is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sms_etl.accounts import twosms_client_of, writer_of
from sms_etl.errors import SettingsError
from sms_etl.settings import Settings, load_settings

HERE, THERE = "http://127.0.0.1:1", "https://api.example"


def settings_with(tmp_path: Path, address: str, now: datetime | None) -> Settings:
    return load_settings(
        data_dir=tmp_path,
        now=now,
        lox24_token="1:key",
        lox24_base_url=address,
        twosms_client_id="id",
        twosms_client_secret="secret",
        twosms_base_url=address,
    )


@pytest.mark.parametrize("client_of", [writer_of, twosms_client_of])
def test_a_clock_that_stands_still_changes_nothing_at_an_account(client_of: object, tmp_path: Path) -> None:
    assert callable(client_of)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    with pytest.raises(SettingsError, match="SMS_ETL_NOW is set"):
        client_of(settings_with(tmp_path, THERE, later))
    client_of(settings_with(tmp_path, HERE, later))
    client_of(settings_with(tmp_path, THERE, None))
