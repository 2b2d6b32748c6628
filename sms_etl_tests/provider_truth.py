"""Compares `raw.*` with the provider's own account of itself, field by field.

Written from the provider's field tables, not from the code that loads: it must be able to disagree with it.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.settings import Settings

SMS_AS_SENT = (
    "status_code",
    "dlr_code",
    "is_sent",
    "is_unicode",
    "is_text_deleted",
    "iso2",
    "parts_count",
    "chars_count",
    "service_code",
    "voice_lang",
    "key_id",
    "source",
    "attempts_count_max",
)
PERSONAL = ("ip", "callback_data", "sender_id")
BULK_AS_SENT = (
    "status_code",
    "msg_total_count",
    "service_code",
    "voice_lang",
    "key_id",
    "source",
    "is_unicode",
    "is_dryrun",
    "is_text_deleted",
)


def warehouse_of(settings: Settings) -> Path:
    """Return the warehouse's file."""
    return settings.data_dir / "warehouse.duckdb"


def ask(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Run a query on the warehouse itself."""
    with duckdb.connect(str(warehouse_of(settings)), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def rows_of(warehouse: Path, table: str) -> dict[str, dict[str, Any]]:
    """Read a table by uuid; fails if a uuid is there twice."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        answer = connection.execute(f"select * from {table}")
        names = [column[0] for column in answer.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    by_uuid = {str(row["uuid"]): row for row in rows}
    assert len(by_uuid) == len(rows), f"{table} holds a uuid twice"
    return by_uuid


def assert_messages_equal(warehouse: Path, truth: Iterable[Mapping[str, Any]], currency: str = "EUR") -> None:
    """Every message of the provider is in `raw.sms`, equal in every field; no other is, unless it is gone."""
    stored = {uuid: row for uuid, row in rows_of(warehouse, "raw.sms").items() if row["gone_at"] is None}
    expected = {message["uuid"]: message for message in truth}
    assert stored.keys() == expected.keys()
    is_kept = any(row["phone"] for row in stored.values())
    key = (warehouse.parent / "pii.key").read_text().strip().encode() if not is_kept else b""
    for uuid, message in expected.items():
        row = stored[uuid]
        assert {name: row[name] for name in SMS_AS_SENT} == {
            name: message.get(name) for name in SMS_AS_SENT
        }, uuid
        sent = {name: message.get(name) for name in PERSONAL}
        assert {name: row[name] for name in PERSONAL} == (sent if is_kept else pseudonymised(sent, key)), uuid
        for name in ("created_at", "delivery_at", "gateway_sent_at"):
            assert row[name] == _moment(message[name]), (uuid, name)
        assert row["price"] == _money(message["price"]), uuid
        assert row["currency"] == currency
        assert (str(row["bulk_id"]) if row["bulk_id"] else None) == message["bulk_id"]


def assert_bulks_equal(warehouse: Path, truth: Iterable[Mapping[str, Any]]) -> None:
    """Every bulk of the provider is in `raw.bulk`, equal in every field of the listing."""
    stored = rows_of(warehouse, "raw.bulk")
    expected = {bulk["uuid"]: bulk for bulk in truth}
    assert stored.keys() == expected.keys()
    for uuid, bulk in expected.items():
        row = stored[uuid]
        assert {name: row[name] for name in BULK_AS_SENT} == {name: bulk.get(name) for name in BULK_AS_SENT}
        for name in ("created_at", "delivery_at", "processed_at"):
            assert row[name] == _moment(bulk[name]), (uuid, name)
        assert row["msg_total_cost"] == _money(bulk["msg_total_cost"]), uuid


def pseudonymised(message: Mapping[str, str | None], key: bytes) -> dict[str, str | None]:
    """Return what docs/personal-data.md says is stored of the fields in `PERSONAL`."""
    ip, callback_data, sender = (message[name] for name in PERSONAL)
    return {
        "ip": None if ip is None else str(ipaddress.ip_network(f"{ip}/24", strict=False)),
        "callback_data": _hashed(callback_data, key) if callback_data else callback_data,
        "sender_id": sender if not sender or re.search("[A-Za-z]", sender) else _masked(sender, key),
    }


def _masked(number: str, key: bytes) -> str:
    digits = re.sub("[^0-9]", "", number)
    if len(digits) <= 6:
        return number
    hidden = "*" * (len(digits) - 4)
    return f"+{digits[:2]}{hidden}{digits[-2:]}~{_hashed(f'+{digits}', key)[:8]}"


def _hashed(value: str, key: bytes) -> str:
    return hmac.new(key, value.encode(), "sha256").hexdigest()[:32]


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None) if seconds else None


def _money(value: int | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)
