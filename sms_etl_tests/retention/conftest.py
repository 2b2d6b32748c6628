"""One account for all tests of retention, loaded and built once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_etl import accounts
from sms_etl.errors import SettingsError
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.retention import applying
from sms_etl.settings import Settings
from sms_etl_tests.retention.office import Office, opened, prepared


@pytest.fixture(scope="package")
def prepared_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SMS_ETL_") and "_TEST_" not in name]:
            patch.delenv(name)
        patch.setenv("SMS_ETL_ENV_FILE", os.devnull)
        folder = tmp_path_factory.mktemp("prepared") / "data"
        with prepared(folder) as office:
            yield office


@pytest.fixture
def office(prepared_office: Office, tmp_path: Path) -> Office:
    """The account and its data, as they were loaded and built."""
    return opened(prepared_office, tmp_path / "data")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_seconds: float) -> None:
        return

    def writer_of(settings: Settings) -> Lox24Writer:
        if settings.lox24_token is None:
            raise SettingsError("no token")
        token = settings.lox24_token.get_secret_value()
        return Lox24Writer(settings.lox24_base_url, token, settings.clock, sleep=at_once)

    monkeypatch.setattr(applying, "writer_of", writer_of)
    monkeypatch.setattr(accounts, "writer_of", writer_of)
