"""Receipts of what was done to all that is stored: a row of `ops.pii_receipt`, open until the last step."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sms_etl.clock import as_utc
from sms_etl.warehouse.store import Transaction


class Kind(StrEnum):
    """What was done."""

    POLICY = "policy"
    """What was kept was blanked."""
    ROTATION = "rotation"
    """Everything was hashed again by a new key."""


def begin_receipt(transaction: Transaction, kind: Kind, now: datetime) -> None:
    """Begin a receipt, unless one of its kind is open."""
    transaction.run(
        """
        insert into ops.pii_receipt (receipt_id, kind, started_at, messages, quarantined, files)
        select $id, $kind, $now, 0, 0, 0
        where not exists (select 1 from ops.pii_receipt where kind = $kind and finished_at is null)
        """,
        {"id": uuid4(), "kind": kind.value, "now": as_utc(now)},
    )


def add_to_receipt(transaction: Transaction, kind: Kind, **counts: int) -> None:
    """Add to what the open receipt counts: messages, quarantined, files."""
    added = ", ".join(f"{name} = {name} + {int(count)}" for name, count in counts.items())
    transaction.run(
        f"update ops.pii_receipt set {added} where kind = $kind and finished_at is null",  # noqa: S608 - our own names
        {"kind": kind.value},
    )


def finish_receipt(
    transaction: Transaction, kind: Kind, now: datetime, reason: str | None = None
) -> tuple[Any, ...] | None:
    """Close the open receipt; return its id, messages, quarantined, files; None if none is open."""
    found = transaction.native.execute(
        """
        select receipt_id, messages, quarantined, files from ops.pii_receipt
        where kind = $kind and finished_at is null
        """,
        {"kind": kind.value},
    ).fetchone()
    transaction.run(
        """
        update ops.pii_receipt set finished_at = $now, reason = $reason
        where kind = $kind and finished_at is null
        """,
        {"kind": kind.value, "now": as_utc(now), "reason": reason},
    )
    return found
