"""The record of campaigns, `ops.campaign`: written as intended before the provider is asked, known after it.

A campaign that is intended and not known may have been sent, so nothing is sent again before that is found
out. The record holds counts and keyed hashes, no number and no text. It is kept in a file beside the
warehouse too: what was sent since an older backup is known after that was restored.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select

from sms_etl.build_state import mark_stale
from sms_etl.pii.policy import Pii
from sms_etl.warehouse.kept_rows import CAMPAIGNS, keep, reconcile
from sms_etl.warehouse.store import Transaction
from sms_etl.warehouse.tables import bulk
from sms_etl.warehouse.tables import campaign as table

_PARTS_BETWEEN = "\x1f"
KEY_DIGITS = 16


class State(StrEnum):
    """What is known of a campaign."""

    INTENDED = "intended"
    """The provider was asked, and its answer is not known."""
    SENT = "sent"
    REFUSED = "refused"
    """The provider did not take it, or somebody found that it has none: it may be tried again."""
    CANCELLED = "cancelled"


class KnownBy(StrEnum):
    """How it is known what became of a campaign."""

    ANSWER = "answer"
    SEARCH = "search"
    PERSON = "person"


@dataclass(frozen=True)
class Campaign:
    """One row of `ops.campaign`; see the comments of its columns. Times are UTC without a zone."""

    campaign_id: UUID
    key: str
    digest: str
    state: State
    bulk_id: UUID | None
    sender_id: str | None
    service_code: str
    encoding: str
    scheduled_at: datetime | None
    business_month: date
    recipients: int
    recipients_digest: str
    invalid: int
    duplicates: int
    opted_out: int
    parts: int
    cost_planned: Decimal | None
    currency: str
    cost_centre: str
    over_budget_reason: str | None
    attempts: int
    intended_at: datetime
    asked_at: datetime
    known_at: datetime | None
    known_by: str | None
    cancelled_at: datetime | None
    version: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times say that they are UTC."""
        return {name: plain(value) for name, value in asdict(self).items() if not name.endswith("digest")}


def plain(value: object) -> object:
    """Return a value as one of JSON: amounts as text, times with the offset of UTC."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}+00:00"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if value is None or isinstance(value, int) else str(value)


def digest_of(pii: Pii, parts: Iterable[str], recipients: Iterable[str]) -> str:
    """Return the keyed hash of all that makes a campaign this one, in whatever order the recipients come.

    Args:
        pii: Has the key.
        parts: Sender, text and so on.
        recipients: Numbers in E.164, or the query that gives them.
    """
    return pii.hash_of(_PARTS_BETWEEN.join([*parts, *sorted(map(pii.first_hash_of, recipients))]))


def find_campaign(
    transaction: Transaction, *, key: str | None = None, bulk_id: UUID | None = None
) -> Campaign | None:
    """Return the campaign of a key or of a bulk; None if there is none.

    Raises:
        DataDirError: The file beside the warehouse that keeps campaigns cannot be read or written.
    """
    _put_back(transaction)
    wanted = table.c.key == key if key is not None else table.c.bulk_id == bulk_id
    row = transaction.sql.execute(select(table).where(wanted)).mappings().first()
    return None if row is None else _campaign(dict(row))


def all_campaigns(transaction: Transaction) -> list[Campaign]:
    """Return all campaigns, the newest first; see `find_campaign`."""
    _put_back(transaction)
    rows = transaction.sql.execute(select(table).order_by(table.c.intended_at.desc())).mappings()
    return [_campaign(dict(row)) for row in rows]


def claimed_bulks(transaction: Transaction) -> frozenset[UUID]:
    """Return the bulks that are known to be of some campaign: none of them is another's."""
    _put_back(transaction)
    found = transaction.sql.scalars(select(table.c.bulk_id).where(table.c.bulk_id.is_not(None)))
    return frozenset(found)


def write_campaign(transaction: Transaction, campaign: Campaign) -> None:
    """Write a campaign in the place of what is known of it.

    A bulk that was loaded before was built without its plan: the next sync builds it again.
    """
    transaction.sql.execute(delete(table).where(table.c.campaign_id == campaign.campaign_id))
    values = {each.name: getattr(campaign, each.name) for each in fields(campaign)}
    transaction.sql.execute(insert(table).values(**(values | {"state": campaign.state.value})))
    keep(transaction, CAMPAIGNS)
    loaded = select(bulk.c.uuid).where(bulk.c.uuid == campaign.bulk_id)
    if transaction.sql.execute(loaded).first() is not None:
        mark_stale(transaction)


def _put_back(transaction: Transaction) -> None:
    """Put back campaigns that a restored backup lacks."""
    if reconcile(transaction, CAMPAIGNS):
        mark_stale(transaction)  # their bulks were built without their plans


def _campaign(row: dict[str, Any]) -> Campaign:
    return Campaign(**(row | {"state": State(row["state"])}))
