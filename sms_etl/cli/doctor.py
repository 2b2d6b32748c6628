"""Examines what a sync needs, before it is needed: settings, disk, warehouse, clock, provider, token.

Each finding says what is wrong and what to do. LOX24 is asked whose token it is and, where that is answered,
a handful of questions about its listings; 2SMS, where it is used, is asked for a token.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from sms_etl.accounts import twosms_client_of
from sms_etl.campaigns.opt_out_file import check_opt_outs, opt_outs_path
from sms_etl.errors import DataDirError, SmsEtlError
from sms_etl.files import (
    Sharing,
    closed_to,
    data_folder_mode,
    is_only_ours,
    make_directory,
    mode_of,
    unusable,
)
from sms_etl.pii.key import find_key, find_retired_keys, fingerprint, key_path
from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.pii.state import HeldPii, check_key, held_pii, is_blank, refuse_unapplied
from sms_etl.places import env_file_candidates
from sms_etl.providers.lox24.client import Account, Answer, Lox24Client, read_account
from sms_etl.providers.lox24.records import BadRowError, read_sms
from sms_etl.providers.retrying import RetryPolicy
from sms_etl.settings import Settings, env_file, is_secret, no_token, redirection
from sms_etl.sync.account import bound_account
from sms_etl.sync.probe import probe, probe_bulks
from sms_etl.sync.provider_facts import Fact, write_facts
from sms_etl.warehouse.read import newest
from sms_etl.warehouse.store import Transaction, Warehouse

LEAST_FREE_BYTES = 2 * 1024**3
MOST_CLOCK_SKEW = timedelta(minutes=5)
"""Less than the overlap: rows are not missed, but business days shift."""
_CURRENCIES = {"EUR", "CHF"}
_NO_PII = Pii(PiiPolicy.PSEUDONYMISE, b"not kept")
_SUBJECTS = {
    "key_prefix": "prefix of keys",
    "order": "ascending order",
    "bounds": "bounds of a span",
    "totals": "totals",
    "total_cap": "largest total",
    "page_size": "page size",
    "sms_uuid_filter": "messages by uuid",
    "bulks_uuid_filter": "bulks by uuid",
}
_TABLES = "select schema_name, table_name from duckdb_tables() where not internal and not temporary"
_ONE_TRY = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_ok: bool
    says: str
    do: str = ""
    """What to do about it; empty if all is well."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything a sync needs; nothing is changed but an empty data directory made."""
    return [
        where_from(),
        _data_dir(settings),
        _disk(settings),
        _warehouse(settings),
        _key(settings),
        _personal_data(settings),
        *_opt_outs(settings),
        *_sharing(settings),
        _time_zone(settings),
        *asyncio.run(_provider(settings)),
        *asyncio.run(_twosms(settings)),
    ]


def where_from() -> Finding:
    """Say where settings are read from, and whether others can read a secret there."""
    file = env_file()
    if file and _is_read_by_others(file.path) and any(map(is_secret, file.values)):
        return Finding(
            "settings",
            False,
            f"{file.path} holds a secret and is open to others (mode {mode_of(file.path):04o}).",
            f"chmod 600 {file.path}; if others use this machine, make a new key too.",
        )
    looked = " and ".join(str(path) for path in env_file_candidates())
    says = f"From the environment and {file.path}." if file else f"From the environment: none in {looked}."
    return Finding("settings", True, " ".join(filter(None, (says, redirection()))))


def _is_read_by_others(path: Path) -> bool:
    """Return whether a file, and every folder above it, lets anybody but its owner in."""
    return bool(mode_of(path) & 0o044) and closed_to(path, Sharing.GROUP) is None


def _data_dir(settings: Settings) -> Finding:
    path = settings.data_dir
    try:
        make_directory(path)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (DataDirError, OSError) as exc:
        refused = exc if isinstance(exc, DataDirError) else unusable(path, exc)
        return Finding("data directory", False, refused.message, refused.hint)
    expected = data_folder_mode(settings.share_published)
    if not is_only_ours(path) and mode_of(path) & ~expected & 0o777:
        return Finding(
            "data directory",
            False,
            f"{path} is open to others (mode {mode_of(path):04o}), and holds more than what sms_etl writes.",
            f"chmod {expected:o} {path}, or give SMS_ETL_DATA_DIR a folder of its own.",
        )
    return Finding("data directory", True, f"{path} can be written.")


def _disk(settings: Settings) -> Finding:
    existing = next(
        path for path in (settings.data_dir.resolve(), *settings.data_dir.resolve().parents) if path.exists()
    )
    free = shutil.disk_usage(existing).free
    says = f"{free / 1024**3:.1f} GiB free."
    if free < LEAST_FREE_BYTES:
        return Finding(
            "disk", False, says, "Free some space: the warehouse and its published copy both need room."
        )
    return Finding("disk", True, says)


def _warehouse(settings: Settings) -> Finding:
    warehouse = Warehouse(settings.warehouse_url, settings.clock, patience=timedelta(0))
    try:
        if not warehouse.exists:
            return Finding("warehouse", True, f"{warehouse.path} will be made by the first sync.")
        with warehouse.begin() as transaction:
            _read_whole(transaction)
    except OSError as exc:
        refused = unusable(warehouse.path, exc, "{path} cannot be used")
        return Finding("warehouse", False, refused.message, refused.hint)
    except SmsEtlError as exc:
        return Finding("warehouse", False, exc.message, exc.hint)
    return Finding("warehouse", True, f"{warehouse.path} can be read and written.")


def _read_whole(transaction: Transaction) -> None:
    """Read every row: DuckDB finds a damaged block only when it reads it."""
    for schema, table in transaction.native.execute(_TABLES).fetchall():
        quoted = ".".join('"' + name.replace('"', '""') + '"' for name in (schema, table))
        transaction.run(f"select bit_xor(hash(each)) from {quoted} as each")  # noqa: S608 - names of the catalogue


def _key(settings: Settings) -> Finding:
    """Look at the key's file and at whether the warehouse's hashes were made by it; make none."""
    where = "SMS_ETL_PII_KEY" if settings.pii_key is not None else str(key_path(settings))
    try:
        key, held = find_key(settings), _held(settings)
        if held is not None:
            check_key(held, key, settings)
    except SmsEtlError as exc:
        return Finding("key", False, exc.message, exc.hint)
    if key is None:
        return Finding("key", True, f"{where} will be made by the first sync: back it up then.")
    made = " The warehouse's hashes were made by it." if held and held.key_fingerprint else ""
    return Finding(
        "key", True, f"{where}, fingerprint {fingerprint(key, find_retired_keys(settings))}.{made}"
    )


def _personal_data(settings: Settings) -> Finding:
    held = _held(settings)
    try:
        if held is not None:
            refuse_unapplied(held, settings)
    except SmsEtlError as exc:
        return Finding("personal data", False, exc.message, exc.hint)
    return Finding("personal data", True, f"SMS_ETL_PII={settings.pii.value}.")


def _opt_outs(settings: Settings) -> Iterator[Finding]:
    """Say whether campaigns can be sent, where anybody opted out of them."""
    try:
        count = check_opt_outs(settings)
    except SmsEtlError as exc:
        yield Finding("opt-outs", False, exc.message, exc.hint)
        return
    if count:
        says = f"{opt_outs_path(settings)} can be read; numbers that opted out: {count:,}."
        yield Finding("opt-outs", True, says)


def _held(settings: Settings) -> HeldPii | None:
    """Return what the warehouse says of its rows; None if nothing binds what comes, or it says nothing."""
    with suppress(SmsEtlError, duckdb.Error), newest(settings) as connection:
        return None if is_blank(connection, settings) else held_pii(connection, settings)
    return None


def _sharing(settings: Settings) -> Iterator[Finding]:
    """Say who may read the published copy, and whether they get as far as there."""
    sharing = settings.share_published
    if sharing is Sharing.NOBODY:
        return
    closed = closed_to(settings.published_path, sharing)
    if closed is None:
        yield Finding("sharing", True, f"{sharing.value.capitalize()} may read {settings.published_path}.")
    else:
        yield Finding(
            "sharing",
            False,
            f"SMS_ETL_SHARE_PUBLISHED={sharing.value}, but they cannot enter {closed}.",
            f"chmod {'g' if sharing is Sharing.GROUP else 'o'}+x {closed}, or move the data directory.",
        )


def _time_zone(settings: Settings) -> Finding:
    local = settings.clock().astimezone(settings.zone)
    return Finding(
        "time zone", True, f"Business days are those of {settings.timezone}, now {local:%Y-%m-%d %H:%M}."
    )


async def _provider(settings: Settings) -> list[Finding]:
    if settings.lox24_token is None:
        missing = no_token()
        return [Finding("token", False, missing.message, missing.hint)]
    async with Lox24Client(
        settings.lox24_base_url,
        settings.lox24_token.get_secret_value(),
        settings.clock,
        retry=_ONE_TRY,
    ) as client:
        try:
            account, date = await client.get("/me", (), _account_and_date)
        except SmsEtlError as exc:
            return [Finding("provider", False, exc.message, exc.hint)]
        listings = await _listing_findings(settings, client, account)
    return [*_account_findings(settings, account, date), *listings]


async def _twosms(settings: Settings) -> list[Finding]:
    """Ask 2SMS for a token, if it is used; nothing is deleted."""
    if settings.twosms_client_id is None:
        return []
    async with twosms_client_of(settings, retry=_ONE_TRY) as client:
        try:
            await client.check()
        except SmsEtlError as exc:
            return [Finding("2SMS", False, exc.message, exc.hint)]
    return [Finding("2SMS", True, f"{settings.twosms_base_url} answers; its client id and secret are right.")]


def _account_findings(settings: Settings, account: Account, date: datetime | None) -> Iterator[Finding]:
    yield Finding(
        "provider", True, f"{settings.lox24_base_url} answers; the token is of account {account.id}."
    )
    if account.currency in _CURRENCIES:
        yield Finding("currency", True, f"Prices are in {account.currency}, net of VAT.")
    else:
        yield Finding(
            "currency",
            False,
            f"The account's currency is {account.currency!r}; EUR or CHF is documented.",
            "Ask LOX24 which currency prices are in before you trust a figure.",
        )
    if date is None:
        return
    skew = abs(settings.clock() - date)
    if settings.now is not None:
        yield Finding("clock", True, f"Fixed at {settings.now.isoformat()} by SMS_ETL_NOW.")
    elif skew > MOST_CLOCK_SKEW:
        yield Finding(
            "clock", False, f"This machine's clock differs from LOX24's by {skew}.", "Synchronise it by NTP."
        )
    else:
        yield Finding("clock", True, f"Within {max(skew.seconds, 1)} s of LOX24's.")


async def _listing_findings(settings: Settings, client: Lox24Client, account: Account) -> list[Finding]:
    """Probe the listings, and keep what was found where a sync would."""
    start, now = settings.start, settings.clock()
    try:
        probed = await probe(client, start=start, now=now)
        if not probed.facts:
            says = "There is no message to probe with yet. The first sync that sees one will."
            return [Finding("listings", True, says)]
        facts = (*probed.facts, await probe_bulks(client, start=start, now=now))
    except SmsEtlError as exc:
        return [Finding("listings", False, exc.message, exc.hint)]
    _keep(settings, account, facts)
    return [_readable(probed.sample), *(_finding_of(each) for each in facts)]


def _finding_of(found: Fact) -> Finding:
    """Show a fact; one that differs is no trouble, since there is a slower way."""
    return Finding(_SUBJECTS[found.fact], True, f"{found.value}. {found.explanation}")


def _readable(sample: Sequence[msgspec.Raw]) -> Finding:
    """Say whether messages are as documented: under a format that changed, nothing can be loaded."""
    reasons = [reason for raw in sample if (reason := _why_unreadable(raw)) is not None]
    if len(reasons) < len(sample):
        says = f"{len(sample) - len(reasons)} of {len(sample)} looked at can be read."
        return Finding("messages", True, says)
    return Finding(
        "messages",
        False,
        f"None of the {len(sample)} messages looked at can be read: {reasons[0]}.",
        "The provider's format has changed; report it, and look for a newer sms_etl.",
    )


def _why_unreadable(raw: msgspec.Raw) -> str | None:
    try:
        read_sms(raw, _NO_PII)
    except BadRowError as exc:
        return str(exc)
    return None


def _keep(settings: Settings, account: Account, facts: Sequence[Fact]) -> None:
    """Let the next sync know; without a warehouse of this account there is nothing to tell it by."""
    warehouse = Warehouse(settings.warehouse_url, settings.clock, patience=timedelta(0))
    with suppress(SmsEtlError, OSError):
        if not warehouse.exists:
            return
        with warehouse.begin() as transaction:
            held = bound_account(transaction)
            if held is not None and held.account_id == str(account.id):
                write_facts(transaction, facts, settings.clock())


def _account_and_date(answer: Answer) -> tuple[Account, datetime | None]:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        date = None
    return read_account(answer), date
