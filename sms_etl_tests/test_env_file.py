"""Where data and `.env` lie, which of several `.env` files is read, and what none of them may do."""

from pathlib import Path

import pytest

from sms_etl.errors import SettingsError
from sms_etl.settings import load_settings, redirection

pytestmark = pytest.mark.usefixtures("without_settings")

TOKEN = "4711:dont-tell-anybody"
ID, SECRET = "SMS_ETL_TWOSMS_CLIENT_ID", "SMS_ETL_TWOSMS_CLIENT_SECRET"


def test_the_env_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SMS_ETL_SETTLE_DAYS=3\nSMS_ETL_CONCURRENCY=3\nOTHER=1\n")
    monkeypatch.setenv("SMS_ETL_CONCURRENCY", "4")
    assert (load_settings().settle_days, load_settings().concurrency) == (3, 4)


def test_an_env_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("# Schlüssel von Jörg\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\.env is not UTF-8"):
        load_settings()


# --- where data and `.env` lie ---


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "docs" / "images").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "sms_etl"\n')
    return folder


def test_in_a_checkout_data_and_env_file_are_the_checkouts_from_every_folder_of_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".env").write_text("SMS_ETL_CONCURRENCY=3\n")
    for folder in (checkout, checkout / "docs" / "images"):
        monkeypatch.chdir(folder)
        assert load_settings().data_dir == checkout / "data"
        assert load_settings().concurrency == 3


def test_from_cron_the_checkout_a_program_runs_from_is_found(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", checkout)
    monkeypatch.chdir("/")
    (checkout / ".env").write_text("SMS_ETL_CONCURRENCY=3\n")
    assert (load_settings().data_dir, load_settings().concurrency) == (checkout / "data", 3)


def test_an_installed_program_finds_the_users_data_and_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "config" / "sms_etl"
    configuration.mkdir(parents=True)
    (configuration / ".env").write_text("SMS_ETL_CONCURRENCY=3\n")
    monkeypatch.chdir("/")
    assert (load_settings().data_dir, load_settings().concurrency) == (tmp_path / "share" / "sms_etl", 3)


def test_another_projects_checkout_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert load_settings().data_dir == tmp_path / "share" / "sms_etl"


def test_one_env_file_is_read_and_never_two_together(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a folder's own `.env` could send the token of the other to an address of its choice."""
    (checkout / ".env").write_text(f"SMS_ETL_LOX24_TOKEN={TOKEN}\n")
    (checkout / "docs" / ".env").write_text("SMS_ETL_LOX24_BASE_URL=http://127.0.0.1:1\n")
    monkeypatch.chdir(checkout / "docs")
    assert load_settings().lox24_base_url == "http://127.0.0.1:1"
    assert load_settings().lox24_token is None


EVIL = "SMS_ETL_LOX24_BASE_URL=https://evil.example\n"


def test_a_folders_env_file_cannot_send_the_environments_token_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path / "elsewhere")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "sms_etl"\n')  # it may even look like ours
    (tmp_path / ".env").write_text(EVIL)
    assert load_settings().lox24_base_url == "https://evil.example"  # without a token nothing is sent
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", TOKEN)
    with pytest.raises(SettingsError, match=r"would send the token .* to https://evil\.example") as caught:
        load_settings()
    assert TOKEN not in str(caught.value)
    monkeypatch.setenv("SMS_ETL_LOX24_BASE_URL", "https://api.lox24.eu")
    assert load_settings().lox24_base_url == "https://api.lox24.eu"
    assert redirection() is None


@pytest.mark.parametrize("way", ["named", "own", "user", "this machine"])
def test_one_that_is_meant_may_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file, text = tmp_path / ".env", EVIL
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", TOKEN)
    if way != "own":
        monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path / "elsewhere")
    if way == "named":
        monkeypatch.setenv("SMS_ETL_ENV_FILE", str(file))
    if way == "user":
        file = tmp_path / "config" / "sms_etl" / ".env"
        file.parent.mkdir(parents=True)
    if way == "this machine":
        text = "SMS_ETL_LOX24_BASE_URL=http://127.0.0.1:8024\n"
    file.write_text(text)
    url = text.strip().partition("=")[2]
    assert load_settings().lox24_base_url == url
    assert redirection() == (
        f"The token of SMS_ETL_LOX24_TOKEN in the environment goes to {url}: {file} says so."
    )


def test_an_env_file_of_something_else_does_not_hide_ours(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".env").write_text("SMS_ETL_CONCURRENCY=3\n")
    (checkout / "docs" / ".env").write_text("POSTGRES_PASSWORD=x\n")
    monkeypatch.chdir(checkout / "docs")
    assert load_settings().concurrency == 3


def test_a_named_env_file_is_read_in_place_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SMS_ETL_CONCURRENCY=3\n")
    (tmp_path / "other").write_text("SMS_ETL_CONCURRENCY=4\n")
    monkeypatch.setenv("SMS_ETL_ENV_FILE", "other")
    assert load_settings().concurrency == 4
    monkeypatch.setenv("SMS_ETL_ENV_FILE", "none")
    with pytest.raises(SettingsError, match=f"there is no file {tmp_path / 'none'}"):
        load_settings()


def test_an_env_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_ENV_FILE", "/proc/self/mem")
    with pytest.raises(SettingsError, match="/proc/self/mem"):
        load_settings()


def test_a_relative_path_counts_from_where_it_was_written(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "SMS_ETL_DATA_DIR=data/account\nSMS_ETL_WAREHOUSE=duckdb:///w.duckdb\n"
    (checkout / ".env").write_text(f"{lines}SMS_ETL_RETENTION_POLICY=rules.toml\n")
    monkeypatch.chdir(checkout / "docs")
    settings = load_settings()
    assert settings.data_dir == checkout / "data" / "account"
    assert settings.warehouse_url == f"duckdb:///{checkout}/w.duckdb"
    assert settings.retention_policy_path == checkout / "rules.toml"
    monkeypatch.setenv("SMS_ETL_DATA_DIR", "mine")
    monkeypatch.setenv("SMS_ETL_WAREHOUSE", "duckdb:///mine.duckdb")
    settings = load_settings()
    assert settings.data_dir == checkout / "docs" / "mine"
    assert settings.warehouse_url == f"duckdb:///{checkout}/docs/mine.duckdb"


# --- misspelt names ---


@pytest.mark.parametrize(
    ("name", "meant"), [("OVERLP", "OVERLAP"), ("LOX24_TOKN", "LOX24_TOKEN"), ("TIME_ZONE", "TIMEZONE")]
)
def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    said = f"SMS_ETL_{name} is not a setting. Did you mean SMS_ETL_{meant}?"
    (tmp_path / ".env").write_text(f"SMS_ETL_{name}=dont-tell-anybody\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert (caught.value.message, caught.value.exit_code) == (said, 2)
    assert str(tmp_path / ".env") in caught.value.hint
    (tmp_path / ".env").unlink()
    monkeypatch.setenv(f"SMS_ETL_{name}", "dont-tell-anybody")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == said
    assert "dont-tell" not in str(caught.value)


def test_a_name_like_no_setting_is_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_COLOUR", "red")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == "SMS_ETL_COLOUR is not a setting."


def test_names_of_tests_are_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_TEST_FAULTS", "full")
    load_settings()


# --- 2SMS ---


def test_the_halves_of_2sms_credentials_may_stand_in_two_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"{ID}=client\n")
    monkeypatch.setenv(SECRET, "dont-tell-anybody")
    assert load_settings().twosms_client_id == "client"


def test_a_folders_env_file_cannot_send_the_environments_secret_of_2sms_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path / "elsewhere")
    (tmp_path / ".env").write_text("SMS_ETL_TWOSMS_BASE_URL=https://evil.example\n")
    assert load_settings().twosms_base_url == "https://evil.example"  # without a secret nothing is sent
    monkeypatch.setenv(ID, "client")
    monkeypatch.setenv(SECRET, "dont-tell-anybody")
    said = rf"would send the secret of {SECRET} in the environment to https://evil\.example"
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings()
    assert "SMS_ETL_TWOSMS_BASE_URL in the environment too" in caught.value.hint
    monkeypatch.setenv("SMS_ETL_ENV_FILE", str(tmp_path / ".env"))
    assert load_settings().twosms_base_url == "https://evil.example"
    assert (redirection() or "").startswith(f"The secret of {SECRET} in the environment goes to https://evil")


# --- where what is published goes ---


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hush@db.example/sms",
        "postgresql://me:hush@db.example",
        "postgresql://me:hush@db.example:port/sms",
        "postgresql://me:hu sh@db.example/sms",
        "hush",
    ],
)
def test_an_address_that_is_none_of_postgresql_is_refused_without_being_quoted(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SMS_ETL_PUBLISH_TO", url)
    with pytest.raises(SettingsError, match=r"SMS_ETL_PUBLISH_TO: give it as postgresql://") as caught:
        load_settings()
    assert "hu" not in str(caught.value).replace("should", "")


def test_a_stranger_env_file_cannot_send_what_is_published_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path / "elsewhere")
    file = tmp_path / ".env"
    for url in ("postgresql://127.0.0.1/sms", "postgresql:///sms?host=/run/postgresql", "postgresql:///sms"):
        file.write_text(f"SMS_ETL_PUBLISH_TO={url}\n")
        assert load_settings().publish_to is not None
    for url in ("postgresql://me:hush@evil.example/sms", "postgresql:///sms?host=evil.example"):
        file.write_text(f"SMS_ETL_PUBLISH_TO={url}\n")
        with pytest.raises(SettingsError, match="would send what is published to another machine") as caught:
            load_settings()
        assert "hush" not in str(caught.value)
    monkeypatch.setenv("SMS_ETL_ENV_FILE", str(file))
    assert load_settings().publish_to is not None
