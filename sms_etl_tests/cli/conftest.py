"""Commands run in this process, each with a data directory of its own."""

from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command with a data directory of its own; keywords are settings, by their short names."""
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(tmp_path / "data"))

    def invoke(*words: str, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(f"SMS_ETL_{name.upper()}", value)
        return CliRunner().invoke(cli, list(words), catch_exceptions=False)

    return invoke


@pytest.fixture
def account(provider: SandboxHandle) -> dict[str, str]:
    """The settings of somebody whose account is the sandbox's."""
    return {
        "lox24_token": provider.token,
        "lox24_base_url": provider.url,
        "now": provider.now().isoformat(),
    }


@pytest.fixture
def synced(
    run: Run, account: dict[str, str], synced_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs commands on a data directory that was synced, as whose account it is."""
    copytree(synced_once, tmp_path / "data")
    for name, value in account.items():
        monkeypatch.setenv(f"SMS_ETL_{name.upper()}", value)
    return run
