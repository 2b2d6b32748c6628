"""Bulks: what is asked of the provider, and what it says of them. Pure.

Nothing here shows a number, a sender or a text: they are left out of what `repr` returns, and of every error.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from uuid import UUID

import msgspec

from sms_etl.clock import from_unix, to_unix
from sms_etl.errors import BadAnswer, NotABulk
from sms_etl.providers.lox24.client import Answer
from sms_etl.providers.lox24.codes import OPEN_BULK_CODES
from sms_etl.providers.lox24.records import (
    UNREADABLE,
    BadRowError,
    BulkRow,
    amount_of,
    uuid_of,
)

LONGEST_TEXT = 1785
"""Characters."""
_VOICE_LANGS = "EN DE FR IT ES PL NL RO PT CS HU SV DA FI SK HR TR RU BG UK"
VOICE_LANGS = frozenset(_VOICE_LANGS.split())
_SENDER = re.compile(r"\+?[1-9][0-9]{0,14}|[A-Za-z0-9 ]{1,11}")
_SERVICE = re.compile("[a-z][a-z0-9_]{0,39}")  # "more may come"
_E164 = re.compile(r"\+[1-9][0-9]{2,14}")


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A text to several recipients, as `POST /bulks` takes it; checked when it is made.

    Raises:
        NotABulk: The provider would not take it. A number is named by its row, counted from 1.
    """

    sender_id: str = field(repr=False)
    """A number, or up to 11 letters, digits and blanks."""
    text: str = field(repr=False)
    """At most 1785 characters."""
    phones: tuple[str, ...] = field(repr=False)
    """In E.164, each once: the provider sends twice to a number that is named twice."""
    service_code: str | None = None
    """`direct`, `economy`, `pro`, `text2speech`, `text2speech_ssml`; None leaves it to the provider."""
    delivery_at: datetime | None = None
    """When to send, with a time zone; None is at once."""
    is_unicode: bool | None = None
    source: int | None = None
    voice_lang: str | None = None

    def __post_init__(self) -> None:
        """Check each field as the provider does."""
        _check_sender(self.sender_id)
        _check_text(self.text)
        _check_phones(self.phones)
        if self.service_code is not None and not _is_text(self.service_code, _SERVICE):
            raise NotABulk(
                "The service is not written as one.",
                hint="Give direct, economy, pro, text2speech or ..._ssml.",
            )
        if self.delivery_at is not None and self.delivery_at.tzinfo is None:
            raise NotABulk("The time of sending has no time zone.", hint="Give one, such as +01:00.")
        if self.voice_lang is not None and self.voice_lang not in VOICE_LANGS:
            raise NotABulk(
                "The language of the voice is none that LOX24 knows.",
                hint=f"Give one of {', '.join(sorted(VOICE_LANGS))}.",
            )

    def body(self) -> bytes:
        """Return the body of the request; fields without a value are left out."""
        given = {
            "sender_id": self.sender_id,
            "text": self.text,
            "phones": self.phones,
            "service_code": self.service_code,
            "delivery_at": to_unix(self.delivery_at) if self.delivery_at else None,
            "is_unicode": self.is_unicode,
            "source": self.source,
            "voice_lang": self.voice_lang,
        }
        return msgspec.json.encode({name: value for name, value in given.items() if value is not None})


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _check_sender(sender: str) -> None:
    if not _is_text(sender, _SENDER) or not sender.strip():
        raise NotABulk(
            "The sender is none that LOX24 takes.",
            hint="Give a number such as +4930123456, or up to 11 letters, digits and blanks without accents.",
        )


def _check_text(text: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise NotABulk("There is no text to send.", hint="Give one.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotABulk("The text holds half a character.", hint="Read it as UTF-8.")
    if len(text) > LONGEST_TEXT:
        raise NotABulk(
            f"The text has {len(text)} characters, and LOX24 takes {LONGEST_TEXT}.", hint="Shorten it."
        )


def _check_phones(phones: tuple[str, ...]) -> None:
    if not isinstance(phones, tuple) or not phones:
        raise NotABulk("There is nobody to send to.", hint="Give the recipients as a tuple of numbers.")
    rows: dict[str, int] = {}
    for row, phone in enumerate(phones, 1):
        if not is_e164(phone):
            raise NotABulk(
                f"Row {row} is not a phone number in E.164.",
                hint="Write it as + with country code and number, such as +491701234567.",
            )
        if rows.setdefault(phone, row) != row:
            raise NotABulk(
                f"Row {row} is the number of row {rows[phone]}.",
                hint="Leave one out: it would be sent to twice.",
            )


def is_e164(phone: object) -> bool:
    """Whether a value is a number as the provider stores it, of a length that its country has."""
    import phonenumbers  # noqa: PLC0415 - takes 0.1 s, and a sync checks no number

    if not isinstance(phone, str) or not _E164.fullmatch(phone):
        return False
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return False
    possible = phonenumbers.ValidationResult.IS_POSSIBLE  # and not "within its own area only"
    return phonenumbers.is_possible_number_with_reason(number) == possible


class BulkCode(IntEnum):
    """The documented values of a bulk's `status_code`; others may come."""

    NEW = 0
    IN_PROGRESS = 5
    PROCESSED = 10
    CANCELLED = 15
    SYSTEM_ERROR = 20
    NO_RECIPIENTS = 201


@dataclass(frozen=True, slots=True)
class BulkStatus:
    """How far a bulk is: what `GET /bulks/{id}/status` and listings show."""

    uuid: UUID
    created_at: datetime
    """UTC, without a zone, as in the warehouse."""
    delivery_at: datetime | None
    processed_at: datetime | None
    """Of the last change."""
    status_code: int | None
    """See `BulkCode`."""
    msg_total_count: int | None
    """Messages made so far."""
    msg_total_cost: Decimal | None
    """Of the messages processed so far, in the account's currency, net of VAT; one description has it as an
    integer and names no unit."""
    service_code: str | None
    key_id: int | None
    """API key that created it."""
    source: int | None
    is_dryrun: bool | None
    is_text_deleted: bool | None

    @property
    def is_open(self) -> bool:
        """Whether it is new or in progress: its count and cost still move, and it can be cancelled."""
        return self.status_code in OPEN_BULK_CODES


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk in full, as `GET /bulks/{id}` shows it."""

    status: BulkStatus
    sender_id: str | None = field(repr=False)
    text: str | None = field(repr=False)
    phones: tuple[str, ...] | None = field(repr=False)
    """As the provider stores them; None if it goes to groups only."""
    msg_groups: tuple[int, ...] | None

    @property
    def uuid(self) -> UUID:
        """Return its id."""
        return self.status.uuid


class _FullBulk(BulkRow):
    sender_id: str | None = None
    text: str | None = None
    phones: list[str] | None = None
    msg_groups: list[int] | None = None


_decode_status = msgspec.json.Decoder(BulkRow).decode
_decode_full = msgspec.json.Decoder(_FullBulk).decode


def read_status(answer: Answer) -> BulkStatus:
    """Read an answer that is a bulk, in full or reduced.

    Raises:
        BadAnswer: It is something else; the message never holds the body.
    """
    try:
        return _status(_decode_status(answer.body))
    except (*UNREADABLE, BadRowError) as exc:
        raise _not_a_bulk(answer) from exc


def read_bulk(answer: Answer) -> Bulk:
    """Read an answer that is a bulk in full; see `read_status`."""
    try:
        row = _decode_full(answer.body)
        return Bulk(
            _status(row),
            row.sender_id,
            row.text,
            None if row.phones is None else tuple(row.phones),
            None if row.msg_groups is None else tuple(row.msg_groups),
        )
    except (*UNREADABLE, BadRowError) as exc:
        raise _not_a_bulk(answer) from exc


def _status(row: BulkRow) -> BulkStatus:
    return BulkStatus(
        uuid=UUID(uuid_of(row.uuid, "uuid")),
        created_at=from_unix(row.created_at),
        delivery_at=from_unix(row.delivery_at) if row.delivery_at else None,
        processed_at=from_unix(row.processed_at) if row.processed_at else None,
        status_code=row.status_code,
        msg_total_count=row.msg_total_count,
        msg_total_cost=amount_of(row.msg_total_cost, "msg_total_cost").value,
        service_code=row.service_code,
        key_id=row.key_id,
        source=row.source,
        is_dryrun=row.is_dryrun,
        is_text_deleted=row.is_text_deleted,
    )


def _not_a_bulk(answer: Answer) -> BadAnswer:
    return BadAnswer(
        "An answer of LOX24 is not a bulk as documented.",
        hint="Report this to the provider's support with the request id.",
        status=answer.status,
        request_id=answer.request_id,
    )
