"""What a run writes about itself in `ops.*`: its begin and end, its requests, and whose account it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from sms_etl import __version__
from sms_etl.providers.lox24.client import RequestRecord
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction

_AUTH_BLOCK = timedelta(minutes=10)
_REFUSED = ("Unauthorised", "AuthBlocked")


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """The one account whose messages a warehouse holds."""

    account_id: str
    currency: str
    base_url: str


def held_account(transaction: Transaction) -> HeldAccount | None:
    """Give the account the warehouse holds; None before the first sync."""
    row = transaction.sql.execute(
        select(tables.account.c.account_id, tables.account.c.currency, tables.account.c.base_url)
    ).first()
    return None if row is None else HeldAccount(*row)


def hold_account(transaction: Transaction, account: HeldAccount, now: datetime) -> None:
    """Write whose messages the warehouse holds from now on."""
    transaction.sql.execute(
        insert(tables.account).values(
            account_id=account.account_id,
            currency=account.currency,
            base_url=account.base_url,
            first_seen_at=now,
        )
    )


def recently_refused(transaction: Transaction, now: datetime) -> bool:
    """Whether a wrong token was refused so lately that every request may be blocked."""
    refused = select(tables.sync_run.c.run_id).where(
        tables.sync_run.c.stopped_reason.in_(_REFUSED), tables.sync_run.c.started_at > now - _AUTH_BLOCK
    )
    return transaction.sql.scalar(refused.limit(1)) is not None


def note_start(transaction: Transaction, run_id: UUID, now: datetime) -> None:
    """Write that a run began; without an end it was killed, or still runs."""
    transaction.sql.execute(
        insert(tables.sync_run).values(run_id=run_id, started_at=now, version=__version__)
    )


def note_end(
    transaction: Transaction, result: Mapping[str, Any], *, error: str | None, finished_at: datetime
) -> None:
    """Write how a run ended.

    Args:
        transaction: To write in.
        result: A `SyncResult` as a mapping; what `ops.sync_run` has a column for is kept.
        error: The message of the error that ended it.
        finished_at: UTC.
    """
    kept = {name: value for name, value in result.items() if name in tables.sync_run.c and name != "run_id"}
    transaction.sql.execute(
        update(tables.sync_run)
        .where(tables.sync_run.c.run_id == UUID(result["run_id"]))
        .values(**kept, finished_at=finished_at, error=error)
    )


def write_requests(transaction: Transaction, run_id: UUID, entries: Sequence[RequestRecord]) -> None:
    """Add requests to the ledger, all at once: one by one would cost more than making them."""
    columns = [name for name in tables.request.c.keys() if name != "run_id"]  # noqa: SIM118 - not a dict
    lists = ", ".join(
        f"unnest(cast(? as {tables.request.c[name].type.compile(transaction.sql.dialect)}[]))"
        for name in columns
    )
    transaction.native.execute(
        f"insert into ops.request (run_id, {', '.join(columns)}) select ?, {lists}",
        [run_id, *([getattr(entry, name) for entry in entries] for name in columns)],
    )
