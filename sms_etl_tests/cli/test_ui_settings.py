"""The settings that `ui` passes on to Dagster."""

import pytest

from sms_etl.cli.ui import _environment
from sms_etl.settings import load_settings


@pytest.mark.parametrize("columns", ["", "ip=drop,callback_data=keep"])
def test_dagster_reads_the_same_settings_again(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    given = {
        "pii_columns": columns,
        "webhook_secret": "0123456789abcdef",
        "webhook_allow": "203.0.113.7,2001:db8::/32",
        "now": "2026-01-31T08:00:00+01:00",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"SMS_ETL_{name.upper()}", value)
    settings = load_settings()
    for name, value in _environment(settings).items():
        monkeypatch.setenv(name, value)
    again = load_settings()
    assert again.model_dump(exclude={"warehouse"}) == settings.model_dump(exclude={"warehouse"})
    assert again.warehouse_url == settings.warehouse_url
