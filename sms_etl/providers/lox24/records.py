"""Turns one row of the provider, as the bytes it sent, into typed fields, or says why it cannot. Pure.

Rows are lenient in what may be missing (only `uuid` and `created_at` must be there; a field the provider
stops sending becomes null) and strict in what is there: a wrong type is a reason, never a guess.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec

from sms_etl.clock import from_unix
from sms_etl.pii import Pii
from sms_etl.settings import PiiPolicy

_LATEST_SECOND = 253_402_300_799  # the last second of the year 9999
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MONEY_DIGITS = Decimal(10) ** 12  # DECIMAL(18,6) holds twelve digits before the point
_MICRO = Decimal("0.000001")

Seconds = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_SECOND)]
CreatedSeconds = Annotated[int, msgspec.Meta(gt=0, le=_LATEST_SECOND)]
Code = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
LargeCount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Identifier = Annotated[int, msgspec.Meta(ge=1 - 2**63, le=2**63 - 1)]
Attempts = Annotated[int, msgspec.Meta(ge=0, lt=2**15)]
Country = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z]{2}\Z")]


class SmsRow(msgspec.Struct):
    """A message as `GET /sms` gives it; field by field in the provider's reference."""

    uuid: str
    created_at: CreatedSeconds
    text: str | None = None
    sender_id: str | None = None
    phone: str | None = None
    delivery_at: Seconds | None = None
    status_code: Code | None = None
    dlr_code: Code | None = None
    gateway_sent_at: Seconds | None = None
    is_sent: bool | None = None
    is_text_deleted: bool | None = None
    is_unicode: bool | None = None
    iso2: Country | None = None
    parts_count: Count | None = None
    chars_count: Count | None = None
    price: msgspec.Raw = msgspec.Raw(b"null")
    service_code: str | None = None
    voice_lang: str | None = None
    callback_data: str | None = None
    bulk_id: str | None = None
    source: Code | None = None
    key_id: Identifier | None = None
    ip: str | None = None
    attempts_count_max: Attempts | None = None


class BulkRow(msgspec.Struct):
    """A bulk as `GET /bulks` gives it."""

    uuid: str
    created_at: CreatedSeconds
    delivery_at: Seconds | None = None
    processed_at: Seconds | None = None
    status_code: Code | None = None
    msg_total_count: LargeCount | None = None
    msg_total_cost: msgspec.Raw = msgspec.Raw(b"null")
    service_code: str | None = None
    voice_lang: str | None = None
    key_id: Identifier | None = None
    source: Code | None = None
    ip: str | None = None
    is_unicode: bool | None = None
    is_dryrun: bool | None = None
    is_text_deleted: bool | None = None


_IGNORED = {"@id", "@type", "@context", "requests", "clicks"}
"""Links that follow from the uuid."""
_IGNORED_IN_BULKS = _IGNORED | {"phones", "msg_groups", "sender_id", "text"}
"""Only on a single bulk; its messages have them."""

_PERSONAL = {"phone", "text", "phones", "msg_groups"}
_REDACTED = msgspec.Raw(b'"[redacted]"')

_SMS_FIELDS = frozenset(SmsRow.__struct_fields__) | _IGNORED
_BULK_FIELDS = frozenset(BulkRow.__struct_fields__) | _IGNORED_IN_BULKS

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; RecursionError for a row nested some thousand levels deep."""

_decode_sms = msgspec.json.Decoder(SmsRow).decode
_decode_bulk = msgspec.json.Decoder(BulkRow).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Value = str | int | bool | Decimal | datetime | None
Fields = Mapping[str, Value]


class BadRowError(ValueError):
    """Why a row cannot be loaded; the text never holds a value of the row."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be loaded, with what can be read of it."""

    reason: str
    uuid: str | None
    price: str | None
    """As the provider wrote it."""
    raw: str | None
    """The row's JSON; None if it is no object and nothing tells what in it is personal."""


def read_sms(raw: bytes | msgspec.Raw, pii: Pii) -> Fields:
    """Read a message, under the PII policy.

    Returns:
        Fields by the names of `raw.sms`; times are UTC without a zone, `price` is per message for all its
        parts in the account's currency, net of VAT; `extra` is JSON text or None.

    Raises:
        BadRowError: It cannot be read.
    """
    try:
        row = _decode_sms(raw)
        fields: dict[str, Value] = msgspec.structs.asdict(row)
        fields.update(pii.phone_fields(row.phone))
        fields.update(pii.text_fields(row.text, is_unicode=row.is_unicode, is_deleted=row.is_text_deleted))
        fields.update(
            uuid=_uuid(row.uuid, "uuid"),
            created_at=from_unix(row.created_at),
            delivery_at=_instant(row.delivery_at),
            gateway_sent_at=_instant(row.gateway_sent_at),
            iso2=row.iso2.upper() if row.iso2 else None,
            price=_money(row.price, "price"),
            bulk_id=_uuid(row.bulk_id, "bulk_id") if row.bulk_id else None,
            extra=_unknown_fields(raw, _SMS_FIELDS),
        )
    except _UNREADABLE as exc:
        raise BadRowError(str(exc)) from exc
    return fields


def read_bulk(raw: bytes | msgspec.Raw, _pii: Pii) -> Fields:
    """Read a bulk, as `read_sms` reads a message; `msg_total_cost` is in the account's currency."""
    try:
        row = _decode_bulk(raw)
        fields: dict[str, Value] = msgspec.structs.asdict(row)
        fields.update(
            uuid=_uuid(row.uuid, "uuid"),
            created_at=from_unix(row.created_at),
            delivery_at=_instant(row.delivery_at),
            processed_at=_instant(row.processed_at),
            msg_total_cost=_money(row.msg_total_cost, "msg_total_cost"),
            extra=_unknown_fields(raw, _BULK_FIELDS),
        )
    except _UNREADABLE as exc:
        raise BadRowError(str(exc)) from exc
    return fields


def describe_bad_row(raw: bytes | msgspec.Raw, reason: str, pii: Pii) -> BadRow:
    """Read of a bad row what can be read; under `pseudonymise` its number and text are blanked."""
    try:
        fields = _decode_fields(raw)
    except _UNREADABLE:
        kept = bytes(raw).decode(errors="replace") if pii.policy is PiiPolicy.KEEP else None
        return BadRow(reason, None, None, kept)
    uuid, price = fields.get("uuid"), fields.get("price", fields.get("msg_total_cost"))
    if pii.policy is PiiPolicy.PSEUDONYMISE:
        fields.update(dict.fromkeys(_PERSONAL & fields.keys(), _REDACTED))
    return BadRow(reason, _text_of(uuid), _text_of(price), _json_of(fields))


def _text_of(value: msgspec.Raw | None) -> str | None:
    if value is None or bytes(value) == b"null":
        return None
    return bytes(value).decode(errors="replace").strip('"')[:64]


def _json_of(fields: Mapping[str, msgspec.Raw]) -> str:
    return msgspec.json.encode(fields).decode(errors="replace")


def _uuid(value: str, field: str) -> str:
    lowered = value.lower()
    if not _UUID.fullmatch(lowered):
        raise BadRowError(f"Not a uuid - at `$.{field}`")
    return lowered


def _instant(seconds: int | None) -> datetime | None:
    """Read a time; the provider writes 0 for none."""
    return from_unix(seconds) if seconds else None


def _money(raw: msgspec.Raw, field: str) -> Decimal | None:
    """Read an amount from its JSON text, exactly."""
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        amount = Decimal(text.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError) as exc:
        raise BadRowError(f"Not a number - at `$.{field}`") from exc
    if amount < 0:
        raise BadRowError(f"Negative - at `$.{field}`")
    if amount >= _MONEY_DIGITS:
        raise BadRowError(f"More than twelve digits before the point - at `$.{field}`")
    exact = amount.quantize(_MICRO)
    if exact != amount:
        raise BadRowError(f"More than six decimals - at `$.{field}`")
    return abs(exact)  # JSON knows -0


def _unknown_fields(raw: bytes | msgspec.Raw, known: frozenset[str]) -> str | None:
    """Give the fields that are not known here, as JSON text."""
    fields = _decode_fields(raw)
    if fields.keys() <= known:
        return None
    unknown = {name: value for name, value in fields.items() if name not in known}
    return msgspec.json.encode(unknown).decode()
