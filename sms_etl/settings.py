"""The settings, read from the environment and one `.env` file, checked and typed; secrets are masked.

Every field says what a value does to the result. `load_settings` is the only way in. Of the `.env` files in
the present folder and in the checkout (or the user's configuration directory), the first that names a setting
is read, and no other: two together could send the token of one to the address in the other. For the same
reason a `.env` of the present folder cannot send a token of the environment to another machine.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from sms_etl.clock import Clock, fixed_clock, system_clock
from sms_etl.errors import SettingsError
from sms_etl.files import Sharing
from sms_etl.pii.policy import PiiPolicy, Treatment
from sms_etl.places import default_data_dir, default_env_file, env_file_candidates, is_own_env_file
from sms_etl.setting_values import (
    Duration,
    HttpUrl,
    Instant,
    absolute,
    absolute_url,
    in_an_address,
    instant_with_offset,
    known_time_zone,
    long_enough,
    mail_address,
    mail_addresses,
    mail_server,
    nameable,
    one_word,
    postgres_url,
    secret_url,
    secret_word,
    token_shape,
    treatments,
)
from sms_etl.web.admission import Network, header_name, networks, parse_networks
from sms_etl.web.loopback import is_loopback
from sms_etl.web.postgres_url import leads_to_this_machine

PREFIX = "SMS_ETL_"
ENV_FILE = PREFIX + "ENV_FILE"
"""Names the `.env` file to read, in place of those that are looked for."""
SECRETS_DIR = PREFIX + "SECRETS_DIR"
"""Names a folder of files, each with the value of the setting it is named after: `sms_etl_lox24_token`.
What the environment or a `.env` file says wins."""
_FOR_TESTS = PREFIX + "TEST_"
_TWOSMS_ID, _TWOSMS_SECRET = PREFIX + "TWOSMS_CLIENT_ID", PREFIX + "TWOSMS_CLIENT_SECRET"
_ADDRESSES = {
    PREFIX + "LOX24_TOKEN": PREFIX + "LOX24_BASE_URL",
    _TWOSMS_SECRET: PREFIX + "TWOSMS_BASE_URL",
}
"""Where each secret is sent."""
_PUBLISH_TO = PREFIX + "PUBLISH_TO"
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Publish(StrEnum):
    """What the published copy holds."""

    MARTS = "marts"
    """What analysts read: `marts`, `finance`, `seeds`, and `ops` without the quarantine."""
    ALL = "all"
    """The whole warehouse, the provider's rows and what waits in quarantine included."""


class Settings(BaseSettings):
    """The settings of one run; names in the environment are these, upper-cased, behind `SMS_ETL_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    lox24_token: Annotated[SecretStr, AfterValidator(token_shape)] | None = None
    """`<client_id>:<key>` of the LOX24 account; without it only the sandbox and what is loaded serve."""

    lox24_base_url: HttpUrl = "https://api.lox24.eu"

    lox24_uuids_per_request: int = Field(default=50, ge=1, le=500)
    """How many messages one request asks for by uuid. The provider does not say how long an address may be;
    a larger number needs fewer requests and may be refused."""

    lox24_timeout: Annotated[Duration, Field(ge=_SECOND, le=10 * _MINUTE)] = _MINUTE
    """An answer without a byte for so long counts as lost; smaller gives up on a slow provider too early."""

    lox24_requests_per_second: int | None = Field(default=None, ge=1, le=1000)
    """A ceiling, if the provider asks for one; smaller is slower."""

    twosms_client_id: Annotated[str, AfterValidator(one_word)] | None = None
    """Client id of the 2SMS account; nothing is deleted there without it and its secret."""

    twosms_client_secret: Annotated[SecretStr, AfterValidator(secret_word)] | None = None
    """Client secret of the 2SMS account."""

    twosms_base_url: HttpUrl = "https://portal.2sms.us"

    data_dir: Annotated[Path, AfterValidator(nameable), AfterValidator(absolute)] = Field(
        default_factory=default_data_dir
    )
    """Holds landing files, warehouse, published copy and reports; needs about 1 GB for 5 million messages.
    A relative path counts from the present folder, or from that of the `.env` file it stands in."""

    warehouse: Annotated[str, AfterValidator(absolute_url)] | None = None
    """URL of the warehouse; `duckdb:///<data_dir>/warehouse.duckdb` unless given; relative paths as there."""

    start: Instant | None = None
    """Where the first sync begins; the provider's first message unless given."""

    overlap: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))] = timedelta(hours=1)
    """Read again before the watermark; smaller misses rows that became visible late, larger is slower."""

    settle_days: int = Field(default=5, ge=0, le=60)
    """How long a message that is not final is asked for again; smaller misses late delivery reports."""

    concurrency: int = Field(default=8, ge=1, le=64)
    """Most requests in flight; larger is faster and more likely to be throttled."""

    window_rows: int = Field(default=5000, ge=10, le=100_000)
    """Rows that are read and landed together, about; more need more memory, fewer more files and time."""

    pii: PiiPolicy = PiiPolicy.PSEUDONYMISE
    """`pseudonymise` stores keyed hashes and a masked form; `keep` stores numbers and texts as they are."""

    pii_key: Annotated[SecretStr, AfterValidator(long_enough)] | None = None
    """Key of the hashes, 32 bytes or more; made at first use in the data directory. With another key nothing
    joins any more: a warehouse refuses all but its own."""

    publish: Publish = Publish.MARTS
    """What the published copy holds; `all` shows whoever reads it the provider's rows and the quarantine."""

    publish_parquet: bool = True
    """Whether the marts are kept as Parquet files beside the published copy, too; `no` removes them."""

    publish_to: Annotated[SecretStr, AfterValidator(postgres_url)] | None = None
    """A PostgreSQL that gets the marts with each publication: `postgresql://user:password@host/database`."""

    share_published: Sharing = Sharing.NOBODY
    """Who may read the published copy: its owner, its `group`, or `everybody` on the machine. They may enter
    the data directory for it, and can list and read nothing else there."""

    pii_columns: Annotated[Mapping[str, Treatment], NoDecode, BeforeValidator(treatments)] = Field(
        default_factory=dict
    )
    """What `pseudonymise` does to single columns, other than by default: `ip=drop,callback_data=keep`."""

    lock_wait: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=6))] = timedelta(minutes=1)
    """How long a command waits for another that works on the same data, before it says who that is."""

    retention_policy: Annotated[Path, AfterValidator(absolute)] | None = None
    """The rules of `sms-etl retention`; `retention.toml` in the data directory unless given, and no rules
    where that is not there."""

    webhook_secret: Annotated[SecretStr, AfterValidator(in_an_address)] | None = None
    """The last part of the address that LOX24 sends delivery events to; whoever knows it can send some.
    Without it `sms-etl webhook` does not start."""

    webhook_allow: Annotated[str, AfterValidator(networks)] | None = None
    """Addresses and networks that may send events, with commas between them; from anywhere unless given."""

    webhook_address_header: Annotated[str, AfterValidator(header_name)] | None = None
    """The header in which your reverse proxy names the sender's address. Only for one that sets it itself:
    senders can write into it what they like."""

    alert_webhook: Annotated[SecretStr, AfterValidator(secret_url)] | None = None
    """Where alerts are posted as JSON, whose `text` Slack and Mattermost show. The address is a secret."""

    alert_smtp: Annotated[SecretStr, AfterValidator(mail_server)] | None = None
    """The server that takes alerts by e-mail: `smtps://user:password@mail.example.com`, or `smtp://` with
    STARTTLS."""

    alert_from: Annotated[str, AfterValidator(mail_address)] | None = None
    """Who alerts by e-mail come from; the first of SMS_ETL_ALERT_TO unless given."""

    alert_to: Annotated[tuple[str, ...], NoDecode, BeforeValidator(mail_addresses)] = ()
    """Who gets alerts by e-mail, with commas between them."""

    timezone: Annotated[str, AfterValidator(known_time_zone)] = "Europe/Berlin"
    """Where a business day and a month begin. Tables stay in UTC."""

    now: Annotated[datetime, BeforeValidator(instant_with_offset)] | None = None
    """A fixed clock, for rehearsals and tests."""

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.twosms_client_id is None) != (self.twosms_client_secret is None):
            pair = (_TWOSMS_SECRET, _TWOSMS_ID)
            missing, given = pair if self.twosms_client_secret is None else pair[::-1]
            raise ValueError(f"{missing}: set it too, or remove {given}; one needs the other")
        return self

    @model_validator(mode="after")
    def _has_all_of_mail(self) -> Self:
        if bool(self.alert_to) != (self.alert_smtp is not None):
            pair = (PREFIX + "ALERT_SMTP", PREFIX + "ALERT_TO")
            missing, given = pair if self.alert_smtp is None else pair[::-1]
            raise ValueError(f"{missing}: set it too, or remove {given}; one needs the other")
        return self

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
    def events_dir(self) -> Path:
        """Where delivery events wait for a sync."""
        return self.data_dir / "events"

    @property
    def webhook_networks(self) -> tuple[Network, ...]:
        """What `webhook_allow` names; empty: from anywhere."""
        return parse_networks(self.webhook_allow or "")

    @property
    def published_path(self) -> Path:
        """The read-only copy for analysts."""
        return self.data_dir / "published" / "warehouse.duckdb"

    @property
    def parquet_path(self) -> Path:
        """The published marts as Parquet files."""
        return self.data_dir / "published" / "parquet"

    @property
    def backup_path(self) -> Path:
        """Where `sms-etl backup` writes unless it is told."""
        return self.data_dir / "backup" / "warehouse.duckdb"

    @property
    def reports_dir(self) -> Path:
        """Where reports are written."""
        return self.data_dir / "reports"

    @property
    def retention_policy_path(self) -> Path:
        """The rules by which messages are deleted."""
        return self.retention_policy or self.data_dir / "retention.toml"

    @property
    def docs_path(self) -> Path:
        """The page that says what tables and columns mean."""
        return self.data_dir / "docs" / "models.html"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of business days and months."""
        return ZoneInfo(self.timezone)

    @property
    def clock(self) -> Clock:
        """The clock every step is given."""
        return fixed_clock(self.now) if self.now else system_clock


@dataclass(frozen=True)
class EnvFile:
    """A `.env` file, with the settings in it by their full names, upper-cased."""

    path: Path
    values: dict[str, str]


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and the `.env` file.

    Args:
        **overrides: Values that win over the environment, by field name.

    Raises:
        SettingsError: A name is misspelt or a value out of bounds; the message names the variable, never a
            secret's value.
    """
    given = {name.upper() for name, value in os.environ.items() if value}
    _refuse_misspelt(given, "the environment")
    file = env_file()
    placed: dict[str, Any] = {}
    if file:
        _refuse_misspelt(file.values, str(file.path))
        _refuse_a_stranger_who_redirects(file)
        placed = {name: path for name, path in _placed(file).items() if PREFIX + name.upper() not in given}
    try:
        return Settings(
            _env_file=file.path if file else None, _secrets_dir=_secrets_dir(), **(placed | overrides)
        )
    except ValidationError as exc:
        raise SettingsError(
            "\n".join(_explain(error) for error in exc.errors(include_input=False, include_url=False)),
            hint=f"Correct it in the environment{f' or in {file.path}' if file else ''}; "
            "the README lists every setting with its bounds.",
        ) from None


def _secrets_dir() -> Path | None:
    """Return the folder that SMS_ETL_SECRETS_DIR names.

    Raises:
        SettingsError: It cannot be read: without it a secret would silently be missing.
    """
    named = os.environ.get(SECRETS_DIR)
    if not named:
        return None
    try:
        folder = absolute(Path(named))
        names = [each.name for each in folder.iterdir()]
        unreadable = [name for name in names if not os.access(folder / name, os.R_OK)]
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{SECRETS_DIR}: the folder cannot be read.", hint="Correct it.") from exc
    if unreadable:
        raise SettingsError(f"{SECRETS_DIR}: {unreadable[0]} cannot be read.", hint="Let this user read it.")
    _refuse_misspelt({name.upper() for name in names}, str(folder))
    return folder


def env_file() -> EnvFile | None:
    """Return the `.env` file that is read, or None if there is none with a setting in it.

    Raises:
        SettingsError: It cannot be read, or `SMS_ETL_ENV_FILE` names none.
    """
    named = os.environ.get(ENV_FILE)
    if named:
        try:
            path = absolute(Path(named))
        except ValueError as exc:
            raise SettingsError(f"{ENV_FILE}: {exc}.", hint="Correct it.") from None
        if not path.exists() or path.is_dir():
            raise SettingsError(f"{ENV_FILE}: there is no file {path}.", hint="Correct it.")
        return _read_env_file(path)
    read = (_read_env_file(path) for path in env_file_candidates() if path.is_file())
    return next((file for file in read if file.values), None)


def is_secret(name: str) -> bool:
    """Return whether a setting, named in full, is a secret: it is masked wherever settings are printed."""
    field = Settings.model_fields.get(name.removeprefix(PREFIX).lower())
    kinds = get_args(field.annotation) if field else ()
    return any(SecretStr in (kind, *get_args(kind)) for kind in kinds)


def redirection() -> str | None:
    """Return what to say of secrets from the environment that go where a `.env` file says; else None.

    Raises:
        SettingsError: As `env_file`.
    """
    file = env_file()
    if file is None or not (sent := _redirected_by(file)):
        return None
    return " ".join(
        f"The {_called(secret)} in the environment goes to {url}: {file.path} says so."
        for secret, url in sent.items()
    )


def _redirected_by(file: EnvFile) -> dict[str, str]:
    """Return where a file sends secrets of the environment to, by their names."""
    given = {name.upper() for name, value in os.environ.items() if value}
    folder = _secrets_dir()
    if folder is not None:
        given |= {each.name.upper() for each in folder.iterdir()}
    return {
        secret: file.values[address]
        for secret, address in _ADDRESSES.items()
        if secret in given and address in file.values and address not in given
    }


def _called(secret: str) -> str:
    return f"{'secret' if secret == _TWOSMS_SECRET else 'token'} of {secret}"


def _refuse_a_stranger_who_redirects(file: EnvFile) -> None:
    """Refuse a `.env` that happens to lie in the present folder and sends secrets or figures away."""
    if os.environ.get(ENV_FILE) or is_own_env_file(file.path):
        return
    target = file.values.get(_PUBLISH_TO)
    if target and not os.environ.get(_PUBLISH_TO) and not leads_to_this_machine(target):
        raise SettingsError(
            f"{file.path} would send what is published to another machine ({_PUBLISH_TO}).",
            hint=f"If that is meant, set {_PUBLISH_TO} in the environment, or name the file in {ENV_FILE}.",
        )
    for secret, url in _redirected_by(file).items():
        if not is_loopback(url):
            raise SettingsError(
                f"{file.path} would send the {_called(secret)} in the environment to {url}.",
                hint=f"If that is meant, set {_ADDRESSES[secret]} in the environment too, or name the file "
                f"in {ENV_FILE}.",
            )


def no_token() -> SettingsError:
    """Return the error of somebody who has given no token yet."""
    return SettingsError(
        f"{PREFIX}LOX24_TOKEN is not set.",
        hint=f"Set it to <client_id>:<key>, in the environment or in {default_env_file()}, "
        "or try the sandbox: `sms-etl demo`.",
    )


def no_twosms_credentials() -> SettingsError:
    """Return the error of somebody who has given no credentials of 2SMS yet."""
    return SettingsError(
        f"{_TWOSMS_ID} and {_TWOSMS_SECRET} are not set.",
        hint=f"Set both, in the environment or in {default_env_file()}: they are those of the API client in "
        "2SMS's portal.",
    )


def _read_env_file(path: Path) -> EnvFile:
    try:
        read = DotEnvSettingsSource(Settings, env_file=path).env_vars
    except UnicodeDecodeError:
        raise SettingsError(f"The file {path} is not UTF-8 text.", hint="Save it as UTF-8.") from None
    except OSError as exc:
        raise SettingsError(
            f"The file {path} cannot be read: {exc.strerror}.",
            hint=f"Make it readable, or name another one in {ENV_FILE}.",
        ) from None
    names = {name.upper(): value for name, value in read.items() if value}
    return EnvFile(path, {name: value for name, value in names.items() if name.startswith(PREFIX)})


def _refuse_misspelt(names: Iterable[str], where: str) -> None:
    """Raise SettingsError if a name begins as a setting's and is none: it would be ignored in silence."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {ENV_FILE, SECRETS_DIR}
    wrong = [name for name in names if name.startswith(PREFIX) and name not in known]
    said = [_not_a_setting(name, known) for name in sorted(wrong) if not name.startswith(_FOR_TESTS)]
    if said:
        raise SettingsError("\n".join(said), hint=f"Correct or remove it in {where}; the README lists all.")


def _not_a_setting(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"{name} is not a setting.{f' Did you mean {close[0]}?' if close else ''}"


def _placed(file: EnvFile) -> dict[str, Any]:
    """Return the relative paths of a `.env` file, made absolute: they are meant from where it lies."""
    placed: dict[str, Any] = {}
    for name in ("data_dir", "retention_policy"):
        path = file.values.get(PREFIX + name.upper())
        if path and not path.startswith("~"):
            placed[name] = file.path.parent / path
    warehouse = file.values.get(PREFIX + "WAREHOUSE")
    if warehouse:
        placed["warehouse"] = absolute_url(warehouse, file.path.parent)
    return placed


def _explain(error: ErrorDetails) -> str:
    said = re.sub(r"datetime\.timedelta\(days=(\d+)\)", r"\1 days", str(error["msg"]))
    said = said.removeprefix("Value error, ")
    if not error["loc"]:
        return said  # of several settings together: it names them
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {said}"
