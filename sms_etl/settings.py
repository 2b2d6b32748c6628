"""The settings, read from the environment and `.env`, checked and typed; secrets are masked.

Every field says what a value does to the result. `load_settings` is the only way in.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from sms_etl.clock import Clock, fixed_clock, system_clock
from sms_etl.errors import SettingsError
from sms_etl.pii import PiiPolicy

PREFIX = "SMS_ETL_"
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
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


def _instant(value: object) -> object:
    """Read an ISO date or time; a date is midnight UTC, as is a time without an offset."""
    if not isinstance(value, str):
        return value
    try:
        read = datetime.fromisoformat(value.strip())
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError("give an ISO date or time such as 2026-01-31 or 2026-01-31T08:00:00+00:00") from exc


def _instant_with_offset(value: object) -> object:
    read = _instant(value)
    if isinstance(value, str) and datetime.fromisoformat(value.strip()).tzinfo is None:
        raise ValueError("give the offset too, such as 2026-01-31T08:00:00+00:00")
    return read


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError("give an IANA time zone such as Europe/Berlin") from exc
    return name


def _token_shape(token: SecretStr) -> SecretStr:
    value = token.get_secret_value().strip()
    if not re.fullmatch(r"[!-9;-~]+:[!-~]+", value):  # what else a header cannot carry, errors would quote
        raise ValueError("give it as <client_id>:<key>, in one line of plain letters, digits and signs")
    return SecretStr(value)


def _http_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#@]+", url):
        raise ValueError("give an address that starts with https:// (or http:// on this machine)")
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError
        parts.hostname.encode("idna")
    except ValueError as exc:
        raise ValueError("give an address with a host that can exist, such as https://api.lox24.eu") from exc
    return url.rstrip("/")


def _nameable(path: Path) -> Path:
    if "?" in str(path):
        raise ValueError("give a folder without a question mark: DuckDB misplaces its write-ahead log there")
    return path


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """The settings of one run; names in the environment are these, upper-cased, behind `SMS_ETL_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    lox24_token: Annotated[SecretStr, AfterValidator(_token_shape)] | None = None
    """`<client_id>:<key>` of the LOX24 account; without it only the sandbox and what is loaded serve."""

    lox24_base_url: HttpUrl = "https://api.lox24.eu"

    lox24_uuids_per_request: int = Field(default=50, ge=1, le=500)
    """How many messages one request asks for by uuid. The provider does not say how long an address may be;
    a larger number needs fewer requests and may be refused."""

    lox24_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=10))] = timedelta(
        seconds=60
    )
    """An answer without a byte for so long counts as lost; smaller gives up on a slow provider too early."""

    lox24_requests_per_second: int | None = Field(default=None, ge=1, le=1000)
    """A ceiling, if the provider asks for one; smaller is slower."""

    data_dir: Annotated[Path, AfterValidator(_nameable)] = Path("data")
    """Holds landing files, warehouse, published copy and reports; needs about 1 GB for 5 million messages."""

    warehouse: str | None = None
    """URL of the warehouse; `duckdb:///<data_dir>/warehouse.duckdb` unless given."""

    start: Instant | None = None
    """Where the first sync begins; the provider's first message unless given."""

    overlap: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))] = timedelta(hours=1)
    """Read again before the watermark; smaller misses rows that became visible late, larger is slower."""

    settle_days: int = Field(default=5, ge=0, le=60)
    """How long a message that is not final is asked for again; smaller misses late delivery reports."""

    concurrency: int = Field(default=8, ge=1, le=64)
    """Most requests in flight; larger is faster and more likely to be throttled."""

    pii: PiiPolicy = PiiPolicy.PSEUDONYMISE
    """`pseudonymise` stores keyed hashes and a masked form; `keep` stores numbers and texts as they are."""

    pii_key: SecretStr | None = None
    """Key of the hashes; made at first use in the data directory. With another key nothing joins any more."""

    timezone: Annotated[str, AfterValidator(_known_time_zone)] = "Europe/Berlin"
    """Where a business day and a month begin. Tables stay in UTC."""

    now: Annotated[datetime, BeforeValidator(_instant_with_offset)] | None = None
    """A fixed clock, for rehearsals and tests."""

    @property
    def warehouse_url(self) -> str:
        """SQLAlchemy URL of the warehouse."""
        path = str(self.data_dir / "warehouse.duckdb")
        return self.warehouse or "duckdb:///" + path.replace("%", "%25")

    @property
    def landing_dir(self) -> Path:
        """Where landed files lie, a folder a stream."""
        return self.data_dir / "landing"

    @property
    def published_path(self) -> Path:
        """The read-only copy for analysts."""
        return self.data_dir / "published" / "warehouse.duckdb"

    @property
    def reports_dir(self) -> Path:
        """Where reports are written."""
        return self.data_dir / "reports"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of business days and months."""
        return ZoneInfo(self.timezone)

    @property
    def clock(self) -> Clock:
        """The clock every step is given."""
        return fixed_clock(self.now) if self.now else system_clock


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment.

    Args:
        **overrides: Values that win over the environment, by field name.

    Raises:
        SettingsError: A value is out of bounds; the message names the variable, never a secret's value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        raise SettingsError(
            "\n".join(_explain(error) for error in exc.errors(include_input=False, include_url=False)),
            hint="Correct it in the environment or in .env; the README lists every setting with its bounds.",
        ) from None
    except UnicodeDecodeError:
        raise SettingsError("The file .env is not UTF-8 text.", hint="Save it as UTF-8.") from None


def _explain(error: ErrorDetails) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
    said = re.sub(r"datetime\.timedelta\(days=(\d+)\)", r"\1 days", str(error["msg"]))
    return f"{name}: {said.removeprefix('Value error, ')}"
