"""What is pulled from the provider: each stream is one listing, read along one of its times."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, DateTime, Double, Integer, Numeric, Table
from sqlalchemy.types import TypeEngine

from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.records import Fields, read_bulk, read_sms
from sms_etl.sync.landing.files import Kind, Layout
from sms_etl.warehouse import tables

_WAREHOUSE_COLUMNS = frozenset(
    {"currency", "first_seen_at", "last_seen_at", "changed_at", "gone_at", "delivered_at"}
)


@dataclass(frozen=True)
class Stream:
    """One listing, read along one of its times."""

    name: str
    """Of its watermark and its landing folder."""
    path: str
    table: Table
    cursor: str
    """The time that windows are cut by."""
    read: Callable[[msgspec.Raw, Pii], Fields]
    tracked: tuple[str, ...]
    """Columns whose change is written to the change log."""
    change_log: Table | None = None

    @property
    def provider_columns(self) -> list[Column[Any]]:
        """The columns of its table that the provider's rows fill; the load fills the others."""
        return [column for column in self.table.columns if column.name not in _WAREHOUSE_COLUMNS]

    @property
    def layout(self) -> Layout:
        """What its landed files hold."""
        columns = tuple((column.name, _kind(column.type)) for column in self.provider_columns)
        return Layout(self.name, columns, self.read, self.cursor)


def _kind(column_type: TypeEngine[Any]) -> Kind:
    match column_type:
        case Numeric() if not isinstance(column_type, Double):
            return "money"
        case DateTime():
            return "instant"
        case Boolean():
            return "boolean"
        case Integer():
            return "integer"
        case _:
            return "text"


SMS = Stream(
    name="sms",
    path="/sms",
    table=tables.sms,
    cursor="created_at",
    read=read_sms,
    tracked=("status_code", "dlr_code", "is_sent", "gateway_sent_at", "price", "is_text_deleted"),
    change_log=tables.sms_change,
)

_BULK_STATE = ("status_code", "processed_at", "msg_total_count", "msg_total_cost", "is_text_deleted")

BULKS = Stream(
    name="bulks",
    path="/bulks",
    table=tables.bulk,
    cursor="created_at",
    read=read_bulk,
    tracked=_BULK_STATE,
)

BULKS_CHANGED = Stream(
    name="bulks_changed",
    path="/bulks",
    table=tables.bulk,
    cursor="processed_at",
    read=read_bulk,
    tracked=_BULK_STATE,
)
"""The same bulks along the time of their last change: what messages have no counterpart to."""

STREAMS = (SMS, BULKS, BULKS_CHANGED)
