"""What the warehouse says of its own personal data: under which policy its rows are, and by which key hashed.

`hold` stands before anything is written: rows of two keys never join, and rows of a laxer policy than the
settings' would be published in silence. One row of `ops.pii`; what was changed on purpose: `ops.pii_receipt`.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from sms_etl.clock import as_utc
from sms_etl.errors import PolicyNotApplied, WrongKey
from sms_etl.pii.key import find_key, find_or_make_key, find_retired_keys, fingerprint, key_path
from sms_etl.pii.policy import Pii, PiiPolicy

if TYPE_CHECKING:
    from sms_etl.settings import Settings
    from sms_etl.warehouse.store import Transaction

_IN_CLEAR = """
select exists(
    select 1 from raw.sms
    where phone is not null or text is not null or (ip is not null and not contains(ip, '/'))
)
"""
_HAS_ROWS = """
select exists(select 1 from raw.sms) or exists(select 1 from raw.bulk) or exists(select 1 from ops.quarantine)
"""
_LANDED_IN_CLEAR = "select exists(select 1 from read_parquet($1) where phone is not null or text is not null)"
_HELD = """
select
    policy,
    key_fingerprint,
    exists(select 1 from ops.pii_receipt where kind = 'policy' and finished_at is null),
    exists(select 1 from ops.pii_receipt where kind = 'rotation' and finished_at is null)
from ops.pii
"""
_HAS_TABLE = "select 1 from duckdb_tables() where schema_name = 'ops' and table_name = 'pii'"


@dataclass(frozen=True)
class HeldPii:
    """The row of `ops.pii`."""

    policy: PiiPolicy
    """The laxest under which any row was written that is still there."""
    key_fingerprint: str | None
    """None where a version that kept none wrote the rows."""
    is_unfinished: bool = False
    """`sms-etl pii apply` was begun, and not completed."""
    is_rotating: bool = False
    """`sms-etl pii rotate` was begun, and not completed."""


def told_pii(connection: duckdb.DuckDBPyConnection) -> HeldPii | None:
    """Return what stands in `ops.pii`, which a published copy has too; None if nothing does."""
    if not connection.execute(_HAS_TABLE).fetchall():
        return None
    rows = connection.execute(_HELD).fetchall()
    return HeldPii(PiiPolicy(rows[0][0]), *rows[0][1:]) if rows else None


def held_pii(connection: duckdb.DuckDBPyConnection, settings: "Settings") -> HeldPii | None:
    """Return what a warehouse says of its rows; None if there is nothing to say.

    One of a version that did not write it down is under `keep` if a number or a text is in it, and so are
    landed files that outlived their warehouse.
    """
    told = told_pii(connection)
    if told is not None:
        return told
    if is_blank(connection, settings):
        return None
    [(is_in_clear,)] = connection.execute(_IN_CLEAR).fetchall()
    is_in_clear = is_in_clear or _are_landed_in_clear(connection, settings)
    return HeldPii(PiiPolicy.KEEP if is_in_clear else PiiPolicy.PSEUDONYMISE, None)


def _are_landed_in_clear(connection: duckdb.DuckDBPyConnection, settings: "Settings") -> bool:
    for path in settings.landing_dir.glob("sms/*.parquet"):
        with suppress(duckdb.Error):  # what cannot be read is not loaded either
            if connection.execute(_LANDED_IN_CLEAR, [str(path)]).fetchall() == [(True,)]:
                return True
    return False


def hold(transaction: "Transaction", settings: "Settings") -> Pii:
    """Note under which policy and key the warehouse is, and return both; make the key at first use.

    Raises:
        WrongKey: Its rows were hashed by another key, or by one that is gone.
        PolicyNotApplied: Its rows, or landed files, are under a laxer policy than the settings'.
        DataDirError: The key's file cannot be read or written.
    """
    held = held_pii(transaction.native, settings)
    if held is not None and is_blank(transaction.native, settings):
        held = None  # what it was told of is gone
    if held is not None:
        refuse_rotating(held)
        check_key(held, find_key(settings), settings)
        refuse_unapplied(held, settings)
    key = find_or_make_key(settings)
    pii = pii_of(settings, key)
    write_pii(transaction, HeldPii(settings.pii, fingerprint(key, pii.retired)), settings.clock())
    return pii


def pii_of(settings: "Settings", key: bytes) -> Pii:
    """Return the policy of the settings with a key, and those that were rotated away."""
    return Pii(settings.pii, key, settings.pii_columns, find_retired_keys(settings))


def stored_pii(connection: duckdb.DuckDBPyConnection, settings: "Settings") -> Pii:
    """Return the policy and the key that the rows of a warehouse are under.

    Raises:
        WrongKey: The key is not theirs, or it is gone.
        PolicyNotApplied: They are under a laxer policy than the settings', or a key is being changed.
    """
    key = find_key(settings)
    held = held_pii(connection, settings)
    if held is not None:
        refuse_unapplied(held, settings)
        check_key(held, key, settings)
    return pii_of(settings, key or b"")


def require_applied(connection: duckdb.DuckDBPyConnection, settings: "Settings") -> None:
    """Refuse a warehouse whose rows are under a laxer policy than the settings'.

    Raises:
        PolicyNotApplied: They are.
    """
    held = held_pii(connection, settings)
    if held is not None:
        refuse_unapplied(held, settings)


def refuse_unapplied(held: HeldPii, settings: "Settings") -> None:
    """Refuse rows under a laxer policy than the settings'.

    Raises:
        PolicyNotApplied: They are.
    """
    refuse_rotating(held)
    if is_unapplied(held, settings):
        raise PolicyNotApplied(
            "SMS_ETL_PII=pseudonymise, but the warehouse and its files hold numbers and texts in clear"
            f"{', for `sms-etl pii apply` was interrupted' if held.is_unfinished else ''}.",
            hint="`sms-etl pii apply` blanks them, for good. Or set SMS_ETL_PII=keep. Nothing was changed.",
        )


def refuse_rotating(held: HeldPii) -> None:
    """Refuse rows of which some are still hashed without the new key.

    Raises:
        PolicyNotApplied: A rotation of the key was interrupted.
    """
    if held.is_rotating:
        raise PolicyNotApplied(
            "`sms-etl pii rotate` was interrupted: not everything is hashed by the new key yet.",
            hint="Run `sms-etl pii rotate` again to complete it.",
        )


def is_unapplied(held: HeldPii | None, settings: "Settings") -> bool:
    """Return whether the rows are under a laxer policy than the settings'."""
    if held is None or settings.pii is PiiPolicy.KEEP:
        return False
    return held.policy is PiiPolicy.KEEP or held.is_unfinished


def check_key(held: HeldPii, key: bytes | None, settings: "Settings") -> None:
    """Refuse a key that did not hash the rows; of rows from before fingerprints, only a key that is gone.

    Raises:
        WrongKey: It did not, or there is none.
    """
    if key is None:
        raise WrongKey(
            f"The key {key_path(settings)} is gone; the warehouse's hashes were made by it.", hint=_WAYS_ON
        )
    found = fingerprint(key, find_retired_keys(settings))
    if held.key_fingerprint is not None and held.key_fingerprint != found:
        whose = "SMS_ETL_PII_KEY" if settings.pii_key is not None else f"The key {key_path(settings)}"
        raise WrongKey(
            f"{whose} is not the key that made the warehouse's hashes "
            f"(fingerprint {found}, the warehouse's is {held.key_fingerprint}).",
            hint=_WAYS_ON,
        )


_WAYS_ON = (
    "With another key no hash joins any more. Restore pii.key from a backup (with pii.retired if the key was "
    "ever rotated), or set SMS_ETL_PII_KEY to the key that was used. If it is lost for good: `sms-etl pii "
    "accept-key` goes on with another one, and the hashes of what was loaded before never join those of what "
    "comes. Nothing was changed."
)


def is_blank(connection: duckdb.DuckDBPyConnection, settings: "Settings") -> bool:
    """Return whether there is nothing a key or a policy was used for: no row, and no landed file."""
    if connection.execute(_HAS_ROWS).fetchall() != [(False,)]:
        return False
    return next(settings.landing_dir.glob("*/*.parquet"), None) is None


def write_pii(transaction: "Transaction", pii: HeldPii, now: datetime) -> None:
    """Write what the warehouse says of its rows from now on, if it is not what it says."""
    transaction.run(
        """
        delete from ops.pii where policy is distinct from $policy or key_fingerprint is distinct from $key
        """,
        {"policy": pii.policy.value, "key": pii.key_fingerprint},
    )
    transaction.run(
        """
        insert into ops.pii (policy, key_fingerprint, since_at)
        select $policy, $key, $now where not exists (select 1 from ops.pii)
        """,
        {"policy": pii.policy.value, "key": pii.key_fingerprint, "now": as_utc(now)},
    )


def accept_key(transaction: "Transaction", settings: "Settings", *, reason: str) -> str | None:
    """Go on with the key that is there, or a new one, in place of one that is lost; leave a receipt.

    Returns:
        Its fingerprint; None if it is the warehouse's key already.

    Raises:
        DataDirError: The key's file cannot be read or written.
    """
    held = held_pii(transaction.native, settings)
    if held is not None:
        refuse_rotating(held)
    found = fingerprint(find_or_make_key(settings), find_retired_keys(settings))
    if held is not None and held.key_fingerprint == found:
        return None
    policy = settings.pii if held is None else held.policy
    now = settings.clock()
    write_pii(transaction, HeldPii(policy, found), now)
    transaction.run(
        """
        insert into ops.pii_receipt (receipt_id, kind, started_at, finished_at, reason)
        values ($id, 'key', $now, $now, $reason)
        """,
        {"id": uuid4(), "now": as_utc(now), "reason": reason},
    )
    return found
