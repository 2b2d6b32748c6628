"""What is kept of a row that cannot be read: enough to find it again, nothing that may be personal. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, get_type_hints

import msgspec

from sms_etl.clock import as_utc, from_unix
from sms_etl.pii.policy import DEFAULT_TREATMENTS, Pii
from sms_etl.pii.redaction import WITHHELD, is_code, is_plain_name, is_shape, shape_of, shapes_of
from sms_etl.providers.lox24.records import (
    AMOUNT,
    KNOWN_FIELDS,
    MONEY_LIMIT,
    UNREAD_MARK,
    UNREADABLE,
    BadRowError,
    BulkRow,
    CreatedSeconds,
    SmsRow,
    UnreadMark,
    country_of,
    fields_of,
    uuid_of,
)

_TEXT_AMOUNT = Decimal(10) ** 5


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be loaded, with what can be read of it."""

    reason: str
    uuid: str | None
    """As the provider wrote it; may not be a uuid."""
    price: str | None
    """As the provider wrote it; None if it is nothing like an amount."""
    raw: str | None
    """The row's JSON; under `pseudonymise` with the type and length of what may be personal."""
    created_at: datetime | None = None
    """UTC without a zone; None if it is neither unix seconds nor an ISO text with its offset."""


def describe_bad_row(raw: bytes | msgspec.Raw, reason: str, pii: Pii) -> BadRow:
    """Read of a bad row what can be read.

    Under `pseudonymise` only known fields with a right value are kept, and of them those that are not
    personal; of everything else the type and the length.
    """
    try:
        fields = fields_of(raw)
    except UNREADABLE:
        kept = bytes(raw).decode(errors="replace") if pii.is_kept else json.dumps(shape_of(raw))
        return BadRow(reason, None, None, kept)
    uuid, price = fields.get("uuid"), fields.get("price", fields.get("msg_total_cost"))
    created_at, amount = _moment_of(fields.get("created_at")), _amount_text_of(price)
    if pii.is_kept:
        return BadRow(reason, _text_of(uuid), amount, _json_of(fields), created_at)
    unread = _unread_fields(fields.pop(UNREAD_MARK, None))
    harmless = {name: value for name, value in fields.items() if _is_harmless(name, value)}
    shapes = {name: value for name, value in fields.items() if _is_redacted(name, value)}
    others = {name: value for name, value in fields.items() if name not in harmless | shapes}
    kept_uuid = _text_of(uuid) if "uuid" in harmless else None
    return BadRow(
        reason, kept_uuid, amount, _json_of(harmless | shapes | unread | shapes_of(others)), created_at
    )


def _unread_fields(mark: msgspec.Raw | None) -> dict[str, Any]:
    """Return the shapes of the fields of a stand-in that could not be read."""
    try:
        read = msgspec.json.decode(mark or b"null", type=UnreadMark)
    except UNREADABLE:
        return {}
    names = read.fields.items()
    return {name: {"type": "unread", "length": size} for name, size in names if is_plain_name(name)}


def _is_redacted(name: str, value: msgspec.Raw) -> bool:
    """Whether a field is what an earlier redaction left."""
    return is_shape(value) and (is_plain_name(name) or name == WITHHELD)


_HARMLESS_TYPES: Mapping[str, Any] = {
    name: kind
    for struct in (SmsRow, BulkRow)
    for name, kind in get_type_hints(struct, include_extras=True).items()
    if name not in {"text", "phone", *DEFAULT_TREATMENTS}
}


def _is_harmless(name: str, value: msgspec.Raw) -> bool:
    """Whether a value may be kept as it is: of a known field that is not personal, and right."""
    if name not in _HARMLESS_TYPES or bytes(value) == b"null":
        return name in KNOWN_FIELDS and bytes(value) == b"null"
    if name in {"price", "msg_total_cost"}:
        return _amount_text_of(value) is not None
    try:
        read = msgspec.json.decode(value, type=_HARMLESS_TYPES[name])
        return not isinstance(read, str) or _is_harmless_text(name, read)
    except (*UNREADABLE, BadRowError):
        return False


def _is_harmless_text(name: str, text: str) -> bool:
    match name:
        case "uuid" | "bulk_id":
            return uuid_of(text, name) != ""
        case "iso2":
            return country_of(text) != ""
        case _:
            return is_code(text)


def _text_of(value: msgspec.Raw | None) -> str | None:
    """Read a text or a number; what an array or an object holds may be personal."""
    if value is None or bytes(value) == b"null" or bytes(value)[:1] in {b"[", b"{"}:
        return None
    return bytes(value).decode(errors="replace").strip('"')[:64]


def _amount_text_of(value: msgspec.Raw | None) -> str | None:
    """Read what may be an amount; in a text only a small one, since more digits may be a phone's."""
    text = _text_of(value)
    if text is None or not AMOUNT.fullmatch(text):
        return None
    most = _TEXT_AMOUNT if bytes(value or b"")[:1] == b'"' else MONEY_LIMIT
    return text if abs(Decimal(text)) < most else None


def _moment_of(value: msgspec.Raw | None) -> datetime | None:
    """Read a time of a bad row: as documented, or an ISO text with its offset."""
    if value is None:
        return None
    try:
        read = msgspec.json.decode(value, type=CreatedSeconds | str)
        if isinstance(read, int):
            return from_unix(read)
        moment = datetime.fromisoformat(read)
        return as_utc(moment.replace(microsecond=0)) if moment.tzinfo else None
    except (*UNREADABLE, ValueError, OverflowError):
        return None


def _json_of(fields: Mapping[str, Any]) -> str:
    return msgspec.json.encode(fields).decode(errors="replace")
