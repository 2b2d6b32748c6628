"""Holds each setting to its default, its bounds and an error that names the variable and no secret."""

import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from sms_etl.errors import SettingsError
from sms_etl.files import Sharing
from sms_etl.pii.policy import PiiPolicy
from sms_etl.settings import PREFIX, Publish, Settings, load_settings

TOKEN = "4711:dont-tell-anybody"


pytestmark = pytest.mark.usefixtures("without_settings")

DEFAULTS: dict[str, Any] = {
    "lox24_token": None,
    "lox24_base_url": "https://api.lox24.eu",
    "lox24_uuids_per_request": 50,
    "lox24_timeout": timedelta(seconds=60),
    "lox24_requests_per_second": None,
    "twosms_client_id": None,
    "twosms_client_secret": None,
    "twosms_base_url": "https://portal.2sms.us",
    "data_dir": Path("share/sms_etl"),
    "warehouse": None,
    "start": None,
    "overlap": timedelta(hours=1),
    "settle_days": 5,
    "concurrency": 8,
    "window_rows": 5000,
    "pii": PiiPolicy.PSEUDONYMISE,
    "pii_key": None,
    "pii_columns": {},
    "publish": Publish.MARTS,
    "publish_parquet": True,
    "publish_to": None,
    "share_published": Sharing.NOBODY,
    "alert_webhook": None,
    "alert_smtp": None,
    "alert_from": None,
    "alert_to": (),
    "lock_wait": timedelta(minutes=1),
    "retention_policy": None,
    "webhook_secret": None,
    "webhook_allow": None,
    "webhook_address_header": None,
    "timezone": "Europe/Berlin",
    "now": None,
}


def default(name: str) -> object:
    """The default, a path from the present folder."""
    value = DEFAULTS[name]
    return value.absolute() if isinstance(value, Path) else value


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_setting_that_is_not_given_has_its_default(name: str) -> None:
    assert getattr(load_settings(), name) == default(name)


def test_no_setting_is_without_a_default_in_this_test() -> None:
    assert set(DEFAULTS) == set(Settings.model_fields)


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_setting_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), "")
    assert getattr(load_settings(), name) == default(name)


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_line_of_the_env_file_is_not_set_either(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{PREFIX}{name.upper()}=\n")
    assert getattr(load_settings(), name) == default(name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lox24_base_url", "http://127.0.0.1:8024", "http://127.0.0.1:8024"),
        ("lox24_base_url", "https://api.lox24.eu/", "https://api.lox24.eu"),
        ("lox24_base_url", "http://[::1]:8024", "http://[::1]:8024"),
        ("lox24_uuids_per_request", "1", 1),
        ("lox24_timeout", "1s", timedelta(seconds=1)),
        ("lox24_timeout", "10m", timedelta(minutes=10)),
        ("lox24_requests_per_second", "1", 1),
        ("lox24_requests_per_second", "1000", 1000),
        ("lox24_uuids_per_request", "500", 500),
        ("data_dir", "/srv/sms etl", Path("/srv/sms etl")),
        ("data_dir", "~/sms", Path("~/sms").expanduser()),
        ("warehouse", "duckdb:////srv/x.duckdb", "duckdb:////srv/x.duckdb"),
        ("warehouse", "sc://host", "sc://host"),
        ("start", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("start", "2026-01-31T08:00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("start", "2026-01-31T08:00:00+02:00", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("start", "2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("overlap", "0s", timedelta(0)),
        ("overlap", "90s", timedelta(seconds=90)),
        ("overlap", "15m", timedelta(minutes=15)),
        ("overlap", "1h30m", timedelta(minutes=90)),
        ("overlap", " 2 D ", timedelta(days=2)),
        ("overlap", "7d", timedelta(days=7)),
        ("settle_days", "0", 0),
        ("settle_days", "60", 60),
        ("concurrency", "1", 1),
        ("concurrency", "64", 64),
        ("window_rows", "10", 10),
        ("window_rows", "100000", 100_000),
        ("pii", "keep", PiiPolicy.KEEP),
        ("webhook_secret", " dont-tell_0123456789 ", SecretStr("dont-tell_0123456789")),
        ("webhook_allow", "203.0.113.7, 2001:db8::/32", "203.0.113.7, 2001:db8::/32"),
        ("webhook_address_header", "X-Real-IP", "X-Real-IP"),
        ("publish_parquet", "no", False),
        ("timezone", "America/New_York", "America/New_York"),
        ("now", "2026-01-31T08:00:00+01:00", datetime(2026, 1, 31, 7, tzinfo=UTC)),
    ],
)
def test_a_good_value_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), text)
    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lox24_token", "no-colon", "<client_id>:<key>"),
        ("lox24_token", ":key", "<client_id>:<key>"),
        ("lox24_token", "4711:", "<client_id>:<key>"),
        ("lox24_token", "4711:two words", "<client_id>:<key>"),
        ("lox24_token", "4711:two\nlines", "<client_id>:<key>"),
        ("lox24_token", "4711:schlüssel", "<client_id>:<key>"),
        ("lox24_base_url", "api.lox24.eu", "https://"),
        ("lox24_base_url", "ftp://api.lox24.eu", "https://"),
        ("lox24_base_url", "https://api.lox24.eu?a=b", "https://"),
        ("lox24_base_url", "https://me:secret@api.lox24.eu", "without a user"),
        ("lox24_base_url", "https://127.0.0.1@evil.example", "without a user"),
        ("lox24_base_url", "http://api.lox24.eu", "in clear"),
        ("lox24_base_url", "http://127.0.0.1.evil.example", "in clear"),
        ("lox24_base_url", "http://192.168.0.1:8024", "in clear"),
        ("lox24_base_url", "https://", "https://"),
        ("lox24_base_url", "https://[", "host"),
        ("lox24_base_url", "https://:443", "host"),
        ("lox24_base_url", "https://api..lox24.eu", "host"),
        ("lox24_base_url", "https://api.lox24.eu:99999", "host"),
        ("lox24_uuids_per_request", "0", "greater than or equal to 1"),
        ("lox24_uuids_per_request", "501", "less than or equal to 500"),
        ("data_dir", "what?", "question mark"),
        ("data_dir", "~nobody-of-this-name/sms", "this system knows"),
        ("start", "yesterday", "ISO date"),
        ("start", "2026-02-30", "ISO date"),
        ("start", "0001-01-01T00:00:00+10:00", "ISO date"),
        ("overlap", "1", "90s, 15m, 1h or 2d"),
        ("overlap", "-1h", "90s, 15m, 1h or 2d"),
        ("overlap", "1 week", "90s, 15m, 1h or 2d"),
        ("overlap", "1.5h", "90s, 15m, 1h or 2d"),
        ("overlap", "8d", "less than or equal to 7 days"),
        ("overlap", "99999999999999d", "shorter"),
        ("settle_days", "-1", "greater than or equal to 0"),
        ("settle_days", "61", "less than or equal to 60"),
        ("settle_days", "five", "integer"),
        ("concurrency", "0", "greater than or equal to 1"),
        ("concurrency", "65", "less than or equal to 64"),
        ("window_rows", "9", "greater than or equal to 10"),
        ("window_rows", "100001", "less than or equal to 100000"),
        ("pii", "forget", "'pseudonymise' or 'keep'"),
        ("webhook_secret", "too-short", "16 to 200"),
        ("webhook_secret", "with/a/slash/and/long", "16 to 200"),
        ("webhook_allow", "example.com", "203.0.113.7"),
        ("webhook_allow", "203.0.113.7/24", "203.0.113.7"),
        ("webhook_allow", ",", "at least one"),
        ("webhook_address_header", "X Real IP", "X-Real-IP"),
        ("timezone", "Europe/Atlantis", "Europe/Berlin"),
        ("timezone", "../../etc/passwd", "Europe/Berlin"),
        ("now", "2026-01-31T08:00:00", "offset"),
        ("now", "2026-01-31", "offset"),
        ("now", "noon", "ISO date"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message.startswith(f"{PREFIX}{name.upper()}: ")
    assert said in caught.value.message
    assert "SMS_ETL_" in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_CONCURRENCY", "0")
    monkeypatch.setenv("SMS_ETL_SETTLE_DAYS", "61")
    with pytest.raises(SettingsError, match=r"SMS_ETL_SETTLE_DAYS: .*\nSMS_ETL_CONCURRENCY: "):
        load_settings()


def test_a_bad_token_is_quoted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", "dont-tell-anybody")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "dont-tell" not in "".join(traceback.format_exception(caught.value))
    assert "dont-tell" not in str(caught.value.__context__)


def test_secrets_are_masked_wherever_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", TOKEN)
    monkeypatch.setenv("SMS_ETL_PII_KEY", "dont-tell-anybody-either-" + "x" * 32)
    monkeypatch.setenv("SMS_ETL_WEBHOOK_SECRET", "dont-tell-the-webhook-either")
    settings = load_settings()
    for printed in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "dont-tell" not in printed
    assert settings.lox24_token is not None
    assert settings.lox24_token.get_secret_value() == TOKEN


def test_blanks_around_a_token_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", f" {TOKEN}\n")
    token = load_settings().lox24_token
    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_a_key_may_itself_hold_a_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", "4711:a:b")
    token = load_settings().lox24_token
    assert token is not None
    assert token.get_secret_value() == "4711:a:b"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_CONCURRENCY", "4")
    assert load_settings(concurrency=5).concurrency == 5


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.concurrency = 9  # type: ignore[misc]  # what is tested


def test_everything_a_run_writes_lies_below_the_data_folder() -> None:
    settings = load_settings(data_dir="/srv/sms")
    assert settings.warehouse_url == "duckdb:////srv/sms/warehouse.duckdb"
    assert settings.landing_dir == Path("/srv/sms/landing")
    assert settings.published_path == Path("/srv/sms/published/warehouse.duckdb")
    assert settings.reports_dir == Path("/srv/sms/reports")


def test_a_warehouse_elsewhere_is_used_as_given() -> None:
    assert load_settings(warehouse="duckdb:////x.duckdb").warehouse_url == "duckdb:////x.duckdb"


def test_a_fixed_clock_is_given_to_every_step() -> None:
    assert load_settings(now="2026-01-31T08:00:00+00:00").clock() == datetime(2026, 1, 31, 8, tzinfo=UTC)


def test_without_one_the_systems_clock_is() -> None:
    assert abs(load_settings().clock() - datetime.now(tz=UTC)) < timedelta(minutes=1)


def test_the_zone_is_the_one_of_its_name() -> None:
    assert load_settings(timezone="Asia/Kathmandu").zone.key == "Asia/Kathmandu"


# --- 2SMS ---

ID, SECRET = "SMS_ETL_TWOSMS_CLIENT_ID", "SMS_ETL_TWOSMS_CLIENT_SECRET"


def test_the_secret_of_2sms_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ID, " client ")
    monkeypatch.setenv(SECRET, "dont-tell-anybody ")
    settings = load_settings()
    assert settings.twosms_client_id == "client"
    assert settings.twosms_client_secret is not None
    assert settings.twosms_client_secret.get_secret_value() == "dont-tell-anybody"
    assert "dont-tell" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(("given", "missing"), [(ID, SECRET), (SECRET, ID)])
def test_half_of_2sms_credentials_is_an_error_that_names_the_other_half(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    monkeypatch.setenv(given, "dont-tell-anybody")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == f"{missing}: set it too, or remove {given}; one needs the other"
    assert (caught.value.exit_code, caught.value.__cause__) == (2, None)
    assert "dont-tell" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", [ID, SECRET])
@pytest.mark.parametrize("value", ["  ", "two words", "two\nlines", "für"])
def test_credentials_of_2sms_that_no_form_of_the_portal_shows_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(ID, "client")
    monkeypatch.setenv(SECRET, "dont-tell-anybody")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: give it in one line") as caught:
        load_settings()
    assert value.strip() not in str(caught.value) or not value.strip()
