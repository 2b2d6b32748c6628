"""The one account of a warehouse: figures of two accounts in one table could not be told apart."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert, select, update

from sms_etl.clock import as_utc
from sms_etl.errors import WrongAccount
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction
from sms_etl.web.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class BoundAccount:
    """The one account whose messages a warehouse holds."""

    account_id: str
    currency: str
    base_url: str
    is_sandbox: bool | None = None
    """Whether a sandbox serves it; None if an older version wrote it, which did not record this."""

    @property
    def description(self) -> str:
        """Its name, for a message."""
        kind = "the sandbox's account" if self.is_sandbox else "account"
        return f"{kind} {self.account_id} of {self.base_url}"

    def is_of(self, other: "BoundAccount") -> bool:
        """Whether both are the same account; a sandbox's is never a real one, whatever their numbers."""
        if self.account_id != other.account_id:
            return False
        if self.is_sandbox is None:  # a sandbox is only ever served on this machine
            return not other.is_sandbox or is_loopback(self.base_url)
        return self.is_sandbox == other.is_sandbox


def bound_account(transaction: Transaction) -> BoundAccount | None:
    """Return the account the warehouse holds; None before the first sync."""
    table = tables.account.c
    row = transaction.sql.execute(
        select(table.account_id, table.currency, table.base_url, table.is_sandbox)
    ).first()
    return None if row is None else BoundAccount(*row)


def check_account(held: BoundAccount | None, asked: BoundAccount, warehouse: Path) -> None:
    """Refuse an account that is not the warehouse's.

    Args:
        held: The warehouse's; None before the first sync.
        asked: Whose token it is.
        warehouse: Its file.

    Raises:
        WrongAccount: It is another one; the hint says how to keep both.
    """
    if held is not None and not held.is_of(asked):
        raise WrongAccount(
            f"The warehouse {warehouse} holds {held.description}; the token is of {asked.description}.",
            hint=_how_to_part(held, asked),
        )


def _how_to_part(held: BoundAccount, asked: BoundAccount) -> str:
    """Say what to do about a warehouse of another account."""
    if held.is_sandbox and not asked.is_sandbox:
        return (
            "It was made by a demo, or by `sms-etl ui` without a token. Give your account a directory of its "
            "own (SMS_ETL_DATA_DIR)."
        )
    if asked.is_sandbox and not held.is_sandbox:
        return (
            "Give the sandbox a directory of its own (SMS_ETL_DATA_DIR), or set SMS_ETL_LOX24_TOKEN and "
            "SMS_ETL_LOX24_BASE_URL to those of your account."
        )
    return "Give each account its own SMS_ETL_DATA_DIR."


def write_account(transaction: Transaction, account: BoundAccount, now: datetime) -> None:
    """Write whose messages these are, where that is not written yet."""
    held = bound_account(transaction)
    if held is None:
        bind_account(transaction, account, now)
    elif held.is_sandbox is None:
        record_sandbox(transaction, is_sandbox=bool(account.is_sandbox))


def bind_account(transaction: Transaction, account: BoundAccount, now: datetime) -> None:
    """Write whose messages the warehouse holds from now on."""
    transaction.sql.execute(
        insert(tables.account).values(
            account_id=account.account_id,
            currency=account.currency,
            base_url=account.base_url,
            first_seen_at=as_utc(now),
            is_sandbox=account.is_sandbox,
        )
    )


def record_sandbox(transaction: Transaction, *, is_sandbox: bool) -> None:
    """Write whether a sandbox serves the account that the warehouse holds."""
    transaction.sql.execute(update(tables.account).values(is_sandbox=is_sandbox))
