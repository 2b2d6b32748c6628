"""What every test stands on: no settings of the machine it runs on, and a data directory of its own."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import hypothesis
import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import PREFIX, Settings, load_settings
from sms_etl_tests.faults.counts import (  # noqa: F401 - hooks: pytest takes them from here
    pytest_runtest_logreport,
    pytest_terminal_summary,
)
from sms_etl_tests.postgres import database, postgres_server  # noqa: F401 - fixtures for all tests
from sms_etl_tests.share import pytest_collection_modifyitems  # noqa: F401 - a hook, which pytest finds by its name

hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("unhurried")

SettingsAt = Callable[..., Settings]


def pytest_configure() -> None:
    """Let signals do what they usually do: programs that tests in the background start would ignore them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _only_the_tests_own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SMS_ETL_") and "_TEST_" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMS_ETL_ENV_FILE", os.devnull)  # no .env of the checkout is read
    monkeypatch.setenv("SMS_ETL_LOCK_WAIT", "0s")  # who works on the same data is named at once


@pytest.fixture
def without_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no setting in the environment, and no `.env` or data of the machine to be found."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@contextmanager
def usual_provider() -> Iterator[SandboxHandle]:
    """Serve an account of some days with three hundred messages, always the same; ten rows make a page."""
    account = AccountParameters(messages=300, days=6)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=10)) as handle:
        yield handle


@pytest.fixture
def provider() -> Iterator[SandboxHandle]:
    """The usual account, for one test alone."""
    with usual_provider() as handle:
        yield handle


@pytest.fixture
def empty_provider() -> Iterator[SandboxHandle]:
    """An account without messages, for those a test puts in itself."""
    account = AccountParameters(messages=0, days=6, days_after=0)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=10)) as handle:
        yield handle


@pytest.fixture
def settings_at(tmp_path: Path) -> SettingsAt:
    """Settings for a provider, at the moment its clock shows."""

    def settings(provider: SandboxHandle, **overrides: Any) -> Settings:
        values = {"data_dir": tmp_path / "data", "now": provider.now(), "overlap": timedelta(hours=1)}
        return with_sandbox(load_settings(**(values | overrides)), provider)

    return settings


@pytest.fixture(scope="session")
def synced_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after the first sync of the usual account."""
    with usual_provider() as provider:
        settings = load_settings(data_dir=tmp_path_factory.mktemp("synced") / "data", now=provider.now())
        sync_build_publish(with_sandbox(settings, provider))
    return settings.data_dir


@pytest.fixture
def synced_settings(
    synced_once: Path, provider: SandboxHandle, settings_at: SettingsAt, tmp_path: Path
) -> Settings:
    """Settings of a copy of it, as whose account it is: to sync anew takes twenty times as long."""
    copytree(synced_once, tmp_path / "data")
    return settings_at(provider)
