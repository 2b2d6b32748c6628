"""Lists bulks: what the warehouse knows of them, with what was planned where they were sent from here."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb

from sms_etl.campaigns.costs import sql_of
from sms_etl.campaigns.record import plain
from sms_etl.clock import as_utc, to_unix
from sms_etl.errors import CampaignRefused, NotFound
from sms_etl.providers.lox24.bulks import BulkCode, BulkStatus, read_status
from sms_etl.providers.lox24.client import Answer, Lox24Client
from sms_etl.providers.lox24.paging import ascending, between, read_page
from sms_etl.settings import Settings
from sms_etl.warehouse.read import has_relation, newest

_MOST_PAGES = 1000


@dataclass(frozen=True)
class BulkLine:
    """One bulk, or a campaign that has none yet. Times are UTC without a zone; amounts in `currency`."""

    bulk_id: UUID | None
    """None: it is not known whether the campaign was sent, or it was refused."""
    key: str | None
    """Of the campaign; None if it was not sent from here."""
    state: str | None
    """Of the campaign's record: intended, sent, refused or cancelled."""
    status: str | None
    """Of the bulk, as a word; None: not loaded yet."""
    created_at: datetime
    scheduled_at: datetime | None
    service_code: str | None
    cost_centre: str | None
    currency: str
    messages_planned: int | None
    cost_planned: Decimal | None
    messages: int | None
    delivered: int | None
    open: int | None
    cost: Decimal | None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {name: plain(value) for name, value in asdict(self).items()}


def list_bulks(settings: Settings) -> list[BulkLine]:
    """Return the bulks the warehouse knows, those that were sent from here and not loaded yet included.

    Raises:
        NoWarehouse: There is none.
        WarehouseError: An older version wrote it.
    """
    with newest(settings) as connection:
        planned = _rows(connection, "campaigns")
        has_bulks = has_relation(connection, "marts", "fct_bulk")
        loaded = _rows(connection, "bulks") if has_bulks else []
    by_bulk = {row["bulk_id"]: row for row in planned if row["bulk_id"] is not None}
    known = {row["bulk_id"] for row in loaded}
    lines = [
        *(_line(None, row) for row in planned if row["bulk_id"] not in known),
        *(_line(row, by_bulk.get(row["bulk_id"])) for row in loaded),
    ]
    return sorted(lines, key=lambda line: line.created_at, reverse=True)


async def read_listed_bulks(client: Lox24Client, since: datetime) -> list[BulkStatus]:
    """Read the provider's list of bulks, dry runs included.

    Args:
        client: Of the account.
        since: When the first was created at the earliest, with a time zone.

    Raises:
        BadAnswer: One of them cannot be read.
        ProviderError: See its other subclasses.
    """
    found: dict[UUID, BulkStatus] = {}
    for number in range(1, _MOST_PAGES + 1):
        query = (
            *between("created_at", to_unix(since), None),
            *ascending("created_at"),
            ("page", str(number)),
        )
        try:
            page = await client.get("/bulks", query, read_page, page=number)
        except NotFound:  # behind the last page
            break
        rows = (read_status(Answer(bytes(raw), None, {})) for raw in page.rows)
        before = len(found)
        found.update((status.uuid, status) for status in rows)
        if len(found) == before:  # nothing, or the same page again
            break
    return [status for status in found.values() if status.created_at >= as_utc(since)]


def status_as_json(status: BulkStatus) -> dict[str, Any]:
    """Return what the provider says of a bulk as plain JSON values."""
    return {
        "bulk_id": str(status.uuid),
        "status": status_word(status.status_code),
        "status_code": status.status_code,
        "created_at": plain(status.created_at),
        "scheduled_at": plain(status.delivery_at),
        "processed_at": plain(status.processed_at),
        "messages": status.msg_total_count,
        "cost": plain(status.msg_total_cost),
        "service_code": status.service_code,
        "is_dryrun": status.is_dryrun,
    }


def status_word(code: int | None) -> str:
    """Return a bulk's status code as a word, as seeds.bulk_status_codes has it."""
    return BulkCode(code).name.lower() if code in set(BulkCode) else "unknown"


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql_of(name))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _line(bulk: dict[str, Any] | None, campaign: dict[str, Any] | None) -> BulkLine:
    both = {**(campaign or {}), **(bulk or {})}
    return BulkLine(
        bulk_id=both.get("bulk_id"),
        key=both.get("key"),
        state=both.get("state"),
        status=both.get("bulk_status"),
        created_at=both["created_at"] if bulk else both["intended_at"],
        scheduled_at=both["scheduled_at"],
        service_code=both["service_code"],
        cost_centre=both["cost_centre"],
        currency=both["currency"],
        messages_planned=both.get("recipients"),
        cost_planned=both.get("cost_planned"),
        messages=both.get("messages"),
        delivered=both.get("delivered"),
        open=both.get("open"),
        cost=both.get("cost"),
    )


def find_line(settings: Settings, name: str) -> BulkLine:
    """Return the bulk of an id, of the beginning of one, or of a campaign's key.

    Raises:
        CampaignRefused: There is none, or there are several.
        NoWarehouse, WarehouseError: As `list_bulks`.
    """
    lines = list_bulks(settings)
    found = [line for line in lines if line.key == name] or [
        line for line in lines if line.bulk_id and str(line.bulk_id).startswith(name.lower())
    ]
    if len(found) != 1:
        how_many = (
            f"{len(found)} bulks have an id that begins"
            if found
            else "No bulk has an id or a key that begins"
        )
        raise CampaignRefused(
            f"{how_many} with {name!r}.",
            hint="`sms-etl bulks list` shows them; `sms-etl sync` loads new ones.",
        )
    return found[0]
