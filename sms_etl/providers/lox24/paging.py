"""Reads hydra pages (`application/ld+json`) and writes the queries that ask for them. Pure.

A row stays the bytes the provider sent until `records.py` reads it, so that a bad row cannot spoil its
page and a price never passes through a float.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sms_etl.errors import BadAnswer
from sms_etl.providers.lox24.client import Answer, Query
from sms_etl.providers.lox24.records import UNREADABLE, Keys, keys_of


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    rows: Sequence[msgspec.Raw]
    total: int
    """Rows of the whole listing at the moment of this page (`hydra:totalItems`)."""
    keys: Sequence[Keys]
    """Of each row."""


class _Keys(msgspec.Struct):
    member: list[Keys] = msgspec.field(name="hydra:member")


class _Listing(msgspec.Struct):
    member: list[msgspec.Raw] = msgspec.field(name="hydra:member")
    total: int = msgspec.field(name="hydra:totalItems")


_NO_NUMBERS = (b"NaN", b"Infinity")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"

_decode = msgspec.json.Decoder(_Listing).decode
_decode_keys = msgspec.json.Decoder(_Keys).decode


def read_page(answer: Answer) -> Page:
    """Read one page.

    Raises:
        BadAnswer: It is not a hydra listing; the message never holds the body.
    """
    try:
        body, listing = _read(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadAnswer(
            "An answer of LOX24 is not a listing as documented (hydra:member, hydra:totalItems).",
            hint="Check SMS_ETL_LOX24_BASE_URL; if it is right, report this with the request id.",
            status=200,
            request_id=answer.request_id,
        ) from exc
    return Page(listing.member, listing.total, _keys_of_all(body, listing.member))


def _keys_of_all(body: bytes, rows: Sequence[msgspec.Raw]) -> Sequence[Keys]:
    """Read the keys of a page's rows at once, and each for itself where one of them is not readable."""
    try:
        return _decode_keys(body).member
    except UNREADABLE:
        return [keys_of(raw) for raw in rows]


def _read(body: bytes) -> tuple[bytes, _Listing]:
    """Give a listing and the text it was read from, which may have had to be mended."""
    try:
        return body, _decode(body)
    except msgspec.DecodeError:
        mended = _with_whole_characters(body)
    if any(constant in mended for constant in _NO_NUMBERS):
        mended = _with_constants_as_text(mended)
    return mended, _decode(mended)


def _with_whole_characters(body: bytes) -> bytes:
    """Replace halves of characters, as of a text cut within an emoji: JSON has no place for them."""
    return _ESCAPE.sub(lambda escape: _REPLACEMENT if escape["half"] else escape[0], body)


def _with_constants_as_text(body: bytes) -> bytes:
    """Write NaN and Infinity, which some programs send as numbers, as text: only their row is bad then."""
    try:
        read = json.loads(body, parse_constant=str, parse_int=_as_sent, parse_float=_as_sent)
    except ValueError as exc:
        raise msgspec.DecodeError("no JSON, nor with numbers that are none") from exc
    return msgspec.json.encode(read)


def _as_sent(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


def window_query(cursor: str, since: int, until: int, page: int) -> Query:
    """Ask for a page of the rows whose `cursor` lies in a closed span of unix seconds, oldest first."""
    return (
        (f"{cursor}[gte]", str(since)),
        (f"{cursor}[lte]", str(until)),
        (f"_order[{cursor}]", "asc"),
        ("page", str(page)),
    )


def uuids_query(uuids: Sequence[str], page: int) -> Query:
    """Ask for a page of the rows with these uuids.

    Raises:
        ValueError: None is given: the provider would answer with every row there is.
    """
    if not uuids:
        raise ValueError("asking for no uuid would ask for everything")
    return (
        *(("uuid[]", uuid) for uuid in uuids),
        ("_order[created_at]", "asc"),
        ("page", str(page)),
    )
