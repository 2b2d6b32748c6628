"""`doctor` as a person meets it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sms_etl.cli.doctor import where_from
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


@pytest.mark.parametrize(
    ("line", "file_mode", "folder_mode", "is_ok"),
    [
        ("SMS_ETL_LOX24_TOKEN=1:key", 0o644, 0o755, False),
        ("SMS_ETL_LOX24_TOKEN=1:key", 0o640, 0o710, False),
        ("SMS_ETL_LOX24_TOKEN=1:key", 0o600, 0o755, True),
        ("SMS_ETL_LOX24_TOKEN=1:key", 0o644, 0o700, True),  # nobody gets as far
        ("SMS_ETL_CONCURRENCY=3", 0o644, 0o755, True),
    ],
)
def test_doctor_names_an_env_file_in_which_others_can_read_a_secret(
    reachable: Path, monkeypatch: pytest.MonkeyPatch, line: str, file_mode: int, folder_mode: int, is_ok: bool
) -> None:
    file = reachable / "mine.env"
    file.write_text(line)
    file.chmod(file_mode)
    reachable.chmod(folder_mode)
    monkeypatch.setenv("SMS_ETL_ENV_FILE", str(file))
    found = where_from()
    assert found.is_ok is is_ok
    assert is_ok or f"chmod 600 {file}" in found.do
    assert "1:key" not in found.says


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that others can get to, unlike those of pytest."""
    with TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


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


@pytest.mark.parametrize(
    ("secret", "is_ok", "said"),
    [
        ("sandbox-secret", True, "secret are right"),
        ("wrong-secret", False, "answered 400 to /Token"),
    ],
)
def test_doctor_asks_2sms_once_for_a_token_where_it_is_used_and_deletes_nothing(
    run: Run, account: dict[str, str], provider: SandboxHandle, secret: str, is_ok: bool, said: str
) -> None:
    assert "2SMS" not in run("doctor", **account).stdout
    provider.forget_requests()
    before = provider.truth_twosms()
    twosms = {
        "twosms_base_url": provider.url,
        "twosms_client_id": provider.twosms_client_id,
        "twosms_client_secret": secret,
    }
    result = run("doctor", "--json", **account, **twosms)
    (found,) = [each for each in the_object(result)["findings"] if each["subject"] == "2SMS"]
    assert (found["is_ok"], result.exit_code) == (is_ok, 0 if is_ok else 1)
    assert said in found["says"]
    assert secret not in result.stdout + result.stderr
    asked = [each for each in provider.requests() if each["path"].startswith(("/Token", "/api/"))]
    assert [(each["method"], each["path"]) for each in asked] == [("POST", "/Token")]
    assert provider.truth_twosms() == before


def test_doctor_says_how_to_complete_half_of_2sms_credentials(run: Run) -> None:
    result = run("doctor", twosms_client_id="client")
    assert result.exit_code == 2
    assert "SMS_ETL_TWOSMS_CLIENT_SECRET: set it too, or remove SMS_ETL_TWOSMS_CLIENT_ID" in result.stderr
