"""`doctor` as a person meets it."""

from pathlib import Path

import pytest

from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, the_object


def test_doctor_says_which_env_file_was_read(
    run: Run, account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.env").write_text("SMS_ETL_CONCURRENCY=3\n")
    monkeypatch.delenv("SMS_ETL_ENV_FILE")
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path)
    said = [found["says"] for found in the_object(run("doctor", "--json", **account))["findings"]]
    assert any(text.startswith("From the environment: none in ") for text in said)
    monkeypatch.setenv("SMS_ETL_ENV_FILE", "mine.env")
    said = [found["says"] for found in the_object(run("doctor", "--json"))["findings"]]
    assert f"From the environment and {tmp_path / 'mine.env'}." in said


def test_doctor_finds_nothing_wrong_with_a_working_account(run: Run, account: dict[str, str]) -> None:
    result = run("doctor", "--json", **account)
    values = the_object(result)
    assert (result.exit_code, values["ok"]) == (0, True)
    assert {"data directory", "disk", "warehouse", "time zone", "provider", "currency", "clock"} <= {
        found["subject"] for found in values["findings"]
    }


def test_doctor_without_a_token_says_what_to_set_and_ends_with_1(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 1
    assert "SMS_ETL_LOX24_TOKEN is not set" in result.stdout


def test_doctor_knows_a_wrong_token_and_asks_once(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.forget_requests()
    result = run("doctor", **(account | {"lox24_token": "1:wrong"}))
    assert result.exit_code == 1
    assert "wrong or inactive" in " ".join(result.stdout.split())
    assert len(provider.requests()) == 1
