"""How the values of settings are read: each function takes what was given and returns it checked and typed.

Each raises a ValueError that says what to write, and quotes nothing: it may be a secret. Pure.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr

from sms_etl.pii.key import HOW_TO_MAKE_ONE, LEAST_KEY_BYTES
from sms_etl.pii.policy import DEFAULT_TREATMENTS, Treatment
from sms_etl.web.admission import secret_in_an_address
from sms_etl.web.loopback import is_loopback_host
from sms_etl.web.postgres_url import checked_postgres_url

DUCKDB_FILE = "duckdb:///"
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: object) -> object:
    """Read `90s`, `15m`, `1h`, `2d` or sums such as `1h30m`."""
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d+)\s*([smhd])", value.strip().lower())
    if not parts or re.sub(r"\d+\s*[smhd]\s*", "", value.strip().lower()):
        raise ValueError("give a duration such as 90s, 15m, 1h or 2d")
    try:
        return timedelta(seconds=sum(int(count) * _DURATION_UNITS[unit] for count, unit in parts))
    except OverflowError as exc:
        raise ValueError("give a shorter duration") from exc


def instant(value: object) -> object:
    """Read an ISO date or time; a date is midnight UTC, as is a time without an offset."""
    if not isinstance(value, str):
        return value
    try:
        read = datetime.fromisoformat(value.strip())
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError("give an ISO date or time such as 2026-01-31 or 2026-01-31T08:00:00+00:00") from exc


def instant_with_offset(value: object) -> object:
    """Read an ISO time with its offset."""
    read = instant(value)
    if isinstance(value, str) and datetime.fromisoformat(value.strip()).tzinfo is None:
        raise ValueError("give the offset too, such as 2026-01-31T08:00:00+00:00")
    return read


def known_time_zone(name: str) -> str:
    """Return the name of a time zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError("give an IANA time zone such as Europe/Berlin") from exc
    return name


def token_shape(token: SecretStr) -> SecretStr:
    """Return a token of the shape `<client_id>:<key>`."""
    value = token.get_secret_value().strip()
    if not re.fullmatch(r"[!-9;-~]+:[!-~]+", value):  # what else a header cannot carry, errors would quote
        raise ValueError("give it as <client_id>:<key>, in one line of plain letters, digits and signs")
    return SecretStr(value)


def one_word(value: str) -> str:
    """Return one line of plain letters, digits and signs."""
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise ValueError("give it in one line of plain letters, digits and signs, without blanks")
    return value.strip()


def secret_word(secret: SecretStr) -> SecretStr:
    """Return a secret that is one word."""
    return SecretStr(one_word(secret.get_secret_value()))


def in_an_address(secret: SecretStr) -> SecretStr:
    """Return a secret that may stand in an address."""
    return SecretStr(secret_in_an_address(secret.get_secret_value()))


def long_enough(key: SecretStr) -> SecretStr:
    """Return a key that is long enough not to be guessed."""
    value = key.get_secret_value().strip()
    if len(value.encode()) < LEAST_KEY_BYTES:
        raise ValueError(f"give at least {LEAST_KEY_BYTES} bytes; to make one: {HOW_TO_MAKE_ONE}")
    return SecretStr(value)


def http_url(url: str) -> str:
    """Return the address of a web server, without what it ends with; https unless it is this machine."""
    if "@" in url:
        raise ValueError("give an address such as https://api.lox24.eu, without a user or a password in it")
    if not re.fullmatch(r"https?://[^\s?#@]+", url):
        raise ValueError("give an address that starts with https:// (or http:// on this machine)")
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError
        parts.hostname.encode("idna")
    except ValueError as exc:
        raise ValueError("give an address with a host that can exist, such as https://api.lox24.eu") from exc
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError("give an https:// address: by http:// the token would travel in clear")
    return url.rstrip("/")


def postgres_url(secret: SecretStr) -> SecretStr:
    """Return the address of a PostgreSQL."""
    return SecretStr(checked_postgres_url(secret.get_secret_value()))


def secret_url(secret: SecretStr) -> SecretStr:
    """Return the address of a web server that is itself a secret."""
    return SecretStr(http_url(secret.get_secret_value().strip()))


def mail_server(secret: SecretStr) -> SecretStr:
    """Return the address of a mail server, user and password in it."""
    value = secret.get_secret_value().strip()
    try:
        parts = urlsplit(value)
        is_right = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("give it as smtps://user:password@mail.example.com, or smtp://mail.example.com:587")
    return SecretStr(value)


def mail_address(value: str) -> str:
    """Return an address of e-mail."""
    if not re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", value.strip()):
        raise ValueError("give an address such as ops@example.com")
    return value.strip()


def mail_addresses(value: object) -> object:
    """Read addresses of e-mail with commas between them."""
    if not isinstance(value, str):
        return value
    return tuple(mail_address(each) for each in value.split(",") if each.strip())


def nameable(path: Path) -> Path:
    """Return a folder that DuckDB can name."""
    if "?" in str(path):
        raise ValueError("give a folder without a question mark: DuckDB misplaces its write-ahead log there")
    return path


def absolute(path: Path) -> Path:
    """Return a path from the root of the file system."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as exc:
        raise ValueError("give a folder of a user this system knows") from exc


def absolute_url(url: str, folder: Path | None = None) -> str:
    """Return a warehouse's URL with the path of a DuckDB file made absolute."""
    path = url.removeprefix(DUCKDB_FILE)
    if not url.startswith(DUCKDB_FILE) or path.startswith(("/", ":")) or not path:
        return url
    return f"{DUCKDB_FILE}{str(folder or Path.cwd()).replace('%', '%25')}/{path}"


def treatments(value: object) -> object:
    """Read `ip=drop,callback_data=keep`."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.replace(" ", "").split(",") if part]
    columns, ways = sorted(DEFAULT_TREATMENTS), [way.value for way in Treatment]
    for column, _, way in pairs:
        if column not in columns or way not in ways:
            raise ValueError(
                f"must be pairs such as ip=drop, with commas between them; columns are {', '.join(columns)}, "
                f"and what becomes of them {', '.join(ways)}"
            )
    return {column: Treatment(way) for column, _, way in pairs}


Duration = Annotated[timedelta, BeforeValidator(duration)]
Instant = Annotated[datetime, BeforeValidator(instant)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
