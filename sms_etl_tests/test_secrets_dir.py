"""Settings from files: a folder with a file for each, as systemd and Docker hand over secrets."""

from pathlib import Path

import pytest

from sms_etl.errors import SettingsError
from sms_etl.settings import load_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secrets"
    path.mkdir()
    monkeypatch.setenv("SMS_ETL_SECRETS_DIR", str(path))
    return path


def token() -> str | None:
    found = load_settings().lox24_token
    return found.get_secret_value() if found else None


@pytest.mark.parametrize("name", ["sms_etl_lox24_token", "SMS_ETL_LOX24_TOKEN"])
def test_a_secret_is_read_from_the_file_that_has_its_name(folder: Path, name: str) -> None:
    (folder / name).write_text("1:from-a-file\n")
    assert token() == "1:from-a-file"


def test_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sms_etl_lox24_token").write_text("1:from-a-file")
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", "1:from-the-environment")
    assert token() == "1:from-the-environment"


def test_files_of_others_are_left_alone(folder: Path) -> None:
    (folder / "tls.key").write_text("not ours")
    (folder / "..data").mkdir()
    assert token() is None


def test_a_misspelt_file_is_named(folder: Path) -> None:
    (folder / "sms_etl_lox24_tokn").write_text("1:key")
    with pytest.raises(SettingsError, match=r"SMS_ETL_LOX24_TOKN is not a setting\. Did you mean"):
        load_settings()


def test_a_folder_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMS_ETL_SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="SMS_ETL_SECRETS_DIR: the folder cannot be read"):
        load_settings()


def test_a_value_out_of_bounds_is_not_quoted(folder: Path) -> None:
    (folder / "sms_etl_lox24_token").write_text("secret-without-a-colon")
    with pytest.raises(SettingsError, match="SMS_ETL_LOX24_TOKEN: ") as found:
        load_settings()
    assert "secret-without" not in str(found.value)


def test_a_stranger_s_env_file_does_not_send_a_secret_of_a_file_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "sms_etl_lox24_token").write_text("1:key")
    monkeypatch.delenv("SMS_ETL_ENV_FILE")
    (tmp_path / ".env").write_text("SMS_ETL_LOX24_BASE_URL=https://evil.example\n")
    with pytest.raises(SettingsError, match=r"would send the token of SMS_ETL_LOX24_TOKEN"):
        load_settings()
