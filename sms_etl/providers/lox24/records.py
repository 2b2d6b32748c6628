"""Turns one row of the provider, as the bytes it sent, into typed fields, or says why it cannot. Pure.

Rows are lenient in what may be missing (only `uuid` and `created_at` must be there; a field the provider
stops sending becomes null) and strict in what is there: a wrong type is a reason, never a guess.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from sms_etl.clock import from_unix
from sms_etl.pii.phone_numbers import NotAPhoneNumberError
from sms_etl.pii.policy import CODE_COLUMNS, DEFAULT_TREATMENTS, Pii
from sms_etl.pii.redaction import shapes_of

_LATEST_SECOND = 253_402_300_799  # the last second of the year 9999
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNTRY = re.compile("[A-Za-z]{2}")
MONEY_LIMIT = Decimal(10) ** 12  # DECIMAL(18,6) holds twelve digits before the point
_MICRO = Decimal("0.000001")
_NOISE = Decimal("1e-9")
"""An amount so close to one with six decimals is that one, written by way of a binary float: 0.21 becomes
0.21000000000000002 there. A float carries sixteen digits, so noise stays below this up to a million."""
AMOUNT = re.compile(r'"?-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"?')

Seconds = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_SECOND)]
CreatedSeconds = Annotated[int, msgspec.Meta(gt=0, le=_LATEST_SECOND)]
Code = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
LargeCount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer for which the provider states no bounds: the table's are those of BIGINT."""
Attempts = Annotated[int, msgspec.Meta(ge=0, lt=2**15)]


class SmsRow(msgspec.Struct, gc=False, kw_only=True):
    """A message as `GET /sms` gives it; field by field in the provider's reference.

    In the provider's order: a field that is where it is expected is read without a search. It holds no
    containers, so the garbage collector need not look at it.
    """

    bulk_id: str | None = None
    callback_data: str | None = None
    chars_count: Count | None = None
    created_at: CreatedSeconds
    delivery_at: Seconds | None = None
    dlr_code: Code | None = None
    gateway_sent_at: Seconds | None = None
    ip: str | None = None
    is_sent: bool | None = None
    is_text_deleted: bool | None = None
    is_unicode: bool | None = None
    iso2: str | None = None
    key_id: Number | None = None
    parts_count: Count | None = None
    phone: str | None = None
    price: msgspec.Raw = msgspec.Raw(b"null")
    sender_id: str | None = None
    service_code: str | None = None
    source: Number | None = None
    status_code: Code | None = None
    text: str | None = None
    uuid: str
    voice_lang: str | None = None
    attempts_count_max: Attempts | None = None


class DocumentedSms(SmsRow, forbid_unknown_fields=True, gc=False):
    """A message with no field that is not in the reference; to know that takes no second look at it."""

    link: str | None = msgspec.field(name="@id", default=None)
    type_name: str | None = msgspec.field(name="@type", default=None)
    requests: str | None = None
    clicks: str | None = None


class Keys(msgspec.Struct, frozen=True, gc=False):
    """What tells rows apart and where they lie in time; None where it is not readable."""

    uuid: str | None = None
    """As the provider wrote it; may not be a uuid."""
    created_at: CreatedSeconds | None = None
    processed_at: Seconds | None = None


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
    key_id: Number | None = None
    source: Number | None = None
    ip: str | None = None
    is_unicode: bool | None = None
    is_dryrun: bool | None = None
    is_text_deleted: bool | None = None


MOST_EXTRA_BYTES = 16 * 1024
"""Most of a row's unknown fields that is kept: a field of a kilobyte is, one of megabytes is cut."""
_LONGEST_NAME = 200
LEFT_OUT = "..."
"""What stands in `extra` for the fields that are not named there, for want of room."""

_IGNORED = {"@id", "@type", "@context", "requests", "clicks"}
"""Links that follow from the uuid."""
_IGNORED_IN_BULKS = _IGNORED | {"phones", "msg_groups", "sender_id", "text"}
"""Only on a single bulk; its messages have them."""

_TREATED = (*CODE_COLUMNS, *DEFAULT_TREATMENTS)
_TREATED_OF_BULKS = (*CODE_COLUMNS, "ip")

_SMS_FIELDS = frozenset(SmsRow.__struct_fields__) | _IGNORED
_BULK_FIELDS = frozenset(BulkRow.__struct_fields__) | _IGNORED_IN_BULKS
KNOWN_FIELDS = _SMS_FIELDS | _BULK_FIELDS

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; RecursionError for a row nested some thousand levels deep."""

_decode_sms = msgspec.json.Decoder(SmsRow).decode
_decode_bulk = msgspec.json.Decoder(BulkRow).decode
_decode_documented = msgspec.json.Decoder(DocumentedSms).decode
_decode_all_documented = msgspec.json.Decoder(list[DocumentedSms]).decode
_decode_keys = msgspec.json.Decoder(Keys).decode
fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_T = TypeVar("_T")
Value = str | int | bool | Decimal | datetime | None
Fields = Mapping[str, Value]


MOST_LEVELS = 100
"""Of brackets within a row: not every program that reads the warehouse can read what is nested deeper."""
UNREAD_MARK = "sms_etl:unread"
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_PLAIN_NAME = re.compile(rb'"[A-Za-z_]{1,40}[0-9]?"')
"""What a field is called; anything else may be somebody's number or address."""


class Unread(StrEnum):
    """Why a row could not be read as it was sent."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"


class BadRowError(ValueError):
    """Why a row cannot be loaded; the text never holds a value of the row."""


def read_sms(raw: bytes | msgspec.Raw, pii: Pii) -> Fields:
    """Read a message, under the PII policy.

    Returns:
        Fields by the names of `raw.sms`; times are UTC without a zone, `price` is per message for all its
        parts in the account's currency, net of VAT; `extra` is JSON text or None. Beside them `is_rounded`:
        whether the price had binary noise.

    Raises:
        BadRowError: It cannot be read.
    """
    try:
        row = _decode_sms(raw)
        fields: dict[str, Value] = msgspec.structs.asdict(row)
        fields.update(pii.phone_fields(row.phone))
        fields.update({name: pii.treated(name, getattr(row, name)) for name in _TREATED})
        fields.update(pii.text_fields(row.text, is_unicode=row.is_unicode, is_deleted=row.is_text_deleted))
        price = amount_of(row.price, "price")
        fields.update(
            uuid=uuid_of(row.uuid, "uuid"),
            created_at=from_unix(row.created_at),
            delivery_at=_instant(row.delivery_at),
            gateway_sent_at=_instant(row.gateway_sent_at),
            iso2=country_of(row.iso2),
            price=price.value,
            is_rounded=price.is_rounded,
            bulk_id=uuid_of(row.bulk_id, "bulk_id") if row.bulk_id else None,
            extra=_unknown_fields(raw, _SMS_FIELDS, pii),
        )
    except NotAPhoneNumberError as exc:
        raise BadRowError(f"{exc} - at `$.phone`") from exc
    except UNREADABLE as exc:
        raise BadRowError(_reason(raw, exc)) from exc
    return fields


def read_bulk(raw: bytes | msgspec.Raw, pii: Pii) -> Fields:
    """Read a bulk, as `read_sms` reads a message; `msg_total_cost` is in the account's currency."""
    try:
        row = _decode_bulk(raw)
        cost = amount_of(row.msg_total_cost, "msg_total_cost")
        fields: dict[str, Value] = msgspec.structs.asdict(row)
        fields.update({name: pii.treated(name, getattr(row, name)) for name in _TREATED_OF_BULKS})
        fields.update(
            uuid=uuid_of(row.uuid, "uuid"),
            created_at=from_unix(row.created_at),
            delivery_at=_instant(row.delivery_at),
            processed_at=_instant(row.processed_at),
            msg_total_cost=cost.value,
            is_rounded=cost.is_rounded,
            extra=_unknown_fields(raw, _BULK_FIELDS, pii),
        )
    except UNREADABLE as exc:
        raise BadRowError(_reason(raw, exc)) from exc
    return fields


def unread_row(
    read: Mapping[bytes, bytes], why: Unread, unread: Mapping[bytes, int | None], *, size: int
) -> bytes:
    """Return the stand-in for a row that cannot be read as it was sent: JSON, and always a bad row.

    Args:
        read: What could be read of its fields; names and values as JSON.
        why: Why it could not be read.
        unread: Bytes of the fields that could not be read, by name as JSON; None if they are too many.
        size: Bytes of the row.
    """
    names = {
        name.decode().strip('"'): length for name, length in unread.items() if _PLAIN_NAME.fullmatch(name)
    }
    mark = msgspec.json.encode({"why": why, "bytes": size, "fields": names})
    fields = [*read.items(), (b'"%b"' % UNREAD_MARK.encode(), mark)]
    return b"{%b}" % b",".join(b"%b:%b" % field for field in fields)


def is_unread(raw: bytes | msgspec.Raw) -> bool:
    """Whether a row is a stand-in."""
    return UNREAD_MARK.encode() in bytes(raw)


class UnreadMark(msgspec.Struct):
    """What a stand-in says of the row it stands for."""

    why: Unread
    fields: dict[str, int | None]


def _reason(raw: bytes | msgspec.Raw, exc: Exception) -> str:
    """Return why a row cannot be read, without a value of it."""
    if is_unread(raw):
        return _reason_unread(raw)
    if isinstance(exc, UnicodeDecodeError):
        return "Not UTF-8"
    return f"Nested deeper than {MOST_LEVELS} levels" if isinstance(exc, RecursionError) else str(exc)


def _reason_unread(raw: bytes | msgspec.Raw) -> str:
    try:
        mark = msgspec.json.decode(fields_of(raw).get(UNREAD_MARK, b"null"), type=UnreadMark)
    except UNREADABLE:
        return "Not JSON"
    match mark.why:
        case Unread.TOO_LARGE:
            return "Too large for an answer of 16 MiB"
        case Unread.TOO_DEEP:
            return f"Nested deeper than {MOST_LEVELS} levels"
    known = [name for name in mark.fields if name in KNOWN_FIELDS]
    return f"Not JSON - at `$.{known[0]}`" if known else "Not JSON"


def decode_documented(rows: bytes) -> list[DocumentedSms] | None:
    """Decode messages, as `decode_sms` does one; None if any of them has an unknown field or is not right.

    Args:
        rows: A JSON array of them.
    """
    try:
        return _decode_all_documented(rows)
    except UNREADABLE:
        return None


def decode_sms(raw: bytes | msgspec.Raw, pii: Pii) -> tuple[SmsRow, str | None]:
    """Decode a message and its unknown fields; uuids, `iso2`, `phone` and `price` are not checked yet.

    Returns:
        The row, and its unknown fields as JSON text, None if there are none.

    Raises:
        BadRowError: `read_sms` tells why.
    """
    try:
        return _decode_documented(raw), None
    except UNREADABLE:
        try:
            return _decode_sms(raw), _unknown_fields(raw, _SMS_FIELDS, pii)
        except UNREADABLE as exc:
            raise BadRowError(_reason(raw, exc)) from exc


def keys_of(raw: bytes | msgspec.Raw) -> Keys:
    """Read the keys of any row, each for itself where one of them is not readable."""
    try:
        return _decode_keys(raw)
    except UNREADABLE:
        return Keys(
            _read_or_none(raw, "uuid", str),
            _read_or_none(raw, "created_at", CreatedSeconds),
            _read_or_none(raw, "processed_at", Seconds),
        )


def _read_or_none(raw: bytes | msgspec.Raw, name: str, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(fields_of(raw).get(name, b"null"), type=kind)
    except UNREADABLE:
        return None


def country_of(value: str | None) -> str | None:
    """Read a country code; the provider writes none as null or as an empty text."""
    if not value:
        return None
    if not _COUNTRY.fullmatch(value):
        raise BadRowError("Not two letters - at `$.iso2`")
    return value.upper()


def uuid_of(value: str, field: str) -> str:
    """Read a uuid; in lower case it is the key."""
    lowered = value.lower()
    if not _UUID.fullmatch(lowered):
        raise BadRowError(f"Not a uuid - at `$.{field}`")
    return lowered


def _instant(seconds: int | None) -> datetime | None:
    """Read a time; the provider writes 0 for none."""
    return from_unix(seconds) if seconds else None


class Amount(NamedTuple):
    """An amount of money as it is stored."""

    value: Decimal | None
    """None if the provider says none."""
    is_rounded: bool
    """Whether it was written with binary noise, and taken as the amount that was meant."""


def amount_of(raw: bytes | msgspec.Raw, field: str) -> Amount:
    """Read an amount from its JSON text, exactly; one within a billionth of six decimals is taken as those.

    Raises:
        BadRowError: It is no number, negative, or does not fit DECIMAL(18,6).
    """
    text = bytes(raw)
    if text == b"null":
        return Amount(None, is_rounded=False)
    try:
        amount = Decimal(text.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError) as exc:
        raise BadRowError(f"Not a number - at `$.{field}`") from exc
    if amount < -_NOISE:
        raise BadRowError(f"Negative, but documented as at least 0 - at `$.{field}`")
    if amount >= MONEY_LIMIT - _MICRO / 2:
        raise BadRowError(f"More than twelve digits before the point - at `$.{field}`")
    exact = amount.quantize(_MICRO)
    if not exact - _NOISE <= amount <= exact + _NOISE:  # comparing is exact, subtracting might not be
        raise BadRowError(f"More than six decimals - at `$.{field}`")
    return Amount(abs(exact), is_rounded=exact != amount)  # JSON knows -0


def _unknown_fields(raw: bytes | msgspec.Raw, known: frozenset[str], pii: Pii) -> str | None:
    """Return the fields that are not known here, as JSON text of at most about `MOST_EXTRA_BYTES`.

    Under `pseudonymise` their types and lengths.
    """
    fields = fields_of(raw)
    if fields.keys() <= known:
        return None
    unknown = {name: value for name, value in fields.items() if name not in known}
    if UNREAD_MARK in unknown:
        raise BadRowError(_reason_unread(raw))
    if not pii.is_kept:
        return msgspec.json.encode(shapes_of(unknown)).decode()
    if any(_levels(bytes(value)) >= MOST_LEVELS for value in unknown.values()):
        raise BadRowError(f"Nested deeper than {MOST_LEVELS} levels")
    return msgspec.json.encode(_bounded(unknown)).decode()


def _levels(value: bytes) -> int:
    """Return how deep a value is nested."""
    if value.count(b"[") + value.count(b"{") < MOST_LEVELS:
        return 0
    deepest = depth = 0
    for mark in _BRACKETS.finditer(value):
        depth += (mark[0] in b"[{") - (mark[0] in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _bounded(fields: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """Cut what is too long, so that no field of the provider's makes a row too large to be loaded.

    Fields stay in their order while there is room. A value for which there is none is replaced by a mark that
    says how many bytes of JSON it had; fields for whose marks there is no room are counted in one last mark.

    Raises:
        DecodeError: A value is no JSON to its depths, see `UNREADABLE`: the warehouse would refuse it.
    """
    kept: dict[str, msgspec.Raw] = {}
    room, left_fields, left_bytes = MOST_EXTRA_BYTES, 0, 0
    for name, value in fields.items():
        size, name_size = len(bytes(value)), len(name.encode(errors="replace"))
        mark = msgspec.Raw(b'{"cut_bytes":%d}' % size)
        msgspec.json.decode(value)
        is_whole = name_size + size <= room
        if not is_whole and (name_size > _LONGEST_NAME or name_size + len(bytes(mark)) > room):
            left_fields, left_bytes = left_fields + 1, left_bytes + name_size + size
            continue
        kept[name] = value if is_whole else mark
        room -= name_size + len(bytes(kept[name]))
    if left_fields:
        kept[LEFT_OUT] = msgspec.Raw(b'{"cut_fields":%d,"cut_bytes":%d}' % (left_fields, left_bytes))
    return kept
