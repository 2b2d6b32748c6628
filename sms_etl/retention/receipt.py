"""Writes a receipt of deletions: one HTML page that needs nothing else, to be printed and signed.

It is made of the ledger alone, and shows no number and no text, as the ledger has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined

from sms_etl import __version__
from sms_etl.clock import as_utc
from sms_etl.errors import NoSuchPlan
from sms_etl.files import write_private
from sms_etl.finance.markup import policy
from sms_etl.retention.ledger import Ledger, Row, Verification, outcomes_of
from sms_etl.settings import Settings
from sms_etl.sync.account import BoundAccount, bound_account
from sms_etl.warehouse.store import writable_warehouse


@dataclass(frozen=True, slots=True)
class Receipt:
    """A page that was written."""

    path: Path
    rows: int
    """Of the ledger, that it shows."""
    head: str
    is_whole: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"file": str(self.path), "rows": self.rows, "head": self.head, "is_whole": self.is_whole}


@dataclass(frozen=True, slots=True)
class Sum:
    """What became of all that one rule released in one place."""

    place: str
    rule: str
    action: str
    begun: int
    gone: int
    failed: int
    unknown: int


def write_receipt(
    settings: Settings, *, plan_id: UUID | None = None, operation_id: UUID | None = None
) -> Receipt:
    """Write the receipt of a plan (or an erasure), of one operation, or of all that was deleted.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        NoSuchPlan: The ledger has no row of the plan or the operation.
        DataDirError: The page cannot be written.
    """
    warehouse = writable_warehouse(settings)
    with warehouse.begin() as transaction:
        account = bound_account(transaction)
    ledger = Ledger(warehouse, settings.clock)
    chain = ledger.verify()
    rows = ledger.rows(plan_id=plan_id, operation_id=operation_id)
    named = plan_id or operation_id
    if named is not None and not rows:
        raise NoSuchPlan(
            f"The ledger of deletions has no row of {named}.",
            hint="Without --plan and --operation the receipt shows all that was deleted.",
        )
    path = settings.reports_dir / f"deletions-{named or 'all'}.html"
    subject = _subject(plan_id, operation_id)
    page = render(rows, chain, subject=subject, account=account, now=settings.clock())
    write_private(path, page.encode())
    return Receipt(path, len(rows), chain.head, chain.is_whole)


def render(
    rows: Sequence[Row], chain: Verification, *, subject: str, account: BoundAccount | None, now: datetime
) -> str:
    """Return the page as text. Pure."""
    environment = Environment(
        loader=PackageLoader("sms_etl.retention"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("receipt.html.j2").render(
        rows=rows,
        sums=sums_of(rows),
        chain=chain,
        subject=subject,
        account=account,
        written_at=as_utc(now),
        version=__version__,
        moment=lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
        content_policy=policy(),
    )


def sums_of(rows: Sequence[Row]) -> list[Sum]:
    """Return what became of what each rule released in each place; each message counts once."""
    begun: dict[tuple[str, str, str], set[str]] = {}
    gone: dict[tuple[str, str, str], set[str]] = {}
    failed: dict[tuple[str, str, str], set[str]] = {}
    for outcome in outcomes_of(rows):
        operation = outcome.operation
        key = (operation.place.value, operation.rule, operation.action.value)
        begun.setdefault(key, set()).update(outcome.intended)
        gone.setdefault(key, set()).update(outcome.confirmed)
        failed.setdefault(key, set()).update(outcome.failed)
    return [
        Sum(
            *key,
            begun=len(begun[key]),
            gone=len(gone[key]),
            failed=len(failed[key] - gone[key]),
            unknown=len(begun[key] - gone[key] - failed[key]),
        )
        for key in begun
    ]


def _subject(plan_id: UUID | None, operation_id: UUID | None) -> str:
    if plan_id is not None:
        return f"What the plan or erasure {plan_id} deleted."
    if operation_id is not None:
        return f"What the operation {operation_id} deleted."
    return "All that was deleted."
