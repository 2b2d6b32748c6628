"""Reads hydra pages (`application/ld+json`) and writes the queries that ask for them. Pure.

A row stays the bytes the provider sent until `records.py` reads it, so that a bad row cannot spoil its
page and a price never passes through a float. A page that is no JSON is read row by row; see `salvage.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sms_etl.errors import BadAnswer
from sms_etl.providers.lox24.client import Answer, Query
from sms_etl.providers.lox24.records import UNREADABLE, Keys, LargeCount, keys_of
from sms_etl.providers.lox24.salvage import IS_CUT, NotAListingError, Salvage, with_whole_characters


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    rows: Sequence[msgspec.Raw]
    total: int | None
    """Rows of the whole listing at the moment of this page (`hydra:totalItems`); None where it is missing."""
    keys: Sequence[Keys]
    """Of each row."""
    has_next: bool = False
    """Whether it links to a next page; many providers link to none, so False says nothing."""
    has_prefix: bool = True
    """Whether its keys begin with `hydra:`; newer versions of the server's framework leave that out."""
    is_cut: bool = False
    """Whether it was too large: for some of its rows stand others that say so; they may fit a smaller one."""


class _Keys(msgspec.Struct):
    member: list[Keys] | None = msgspec.field(name="hydra:member", default=None)
    plain_member: list[Keys] | None = msgspec.field(name="member", default=None)


class _Listing(msgspec.Struct):
    member: list[msgspec.Raw] | None = msgspec.field(name="hydra:member", default=None)
    plain_member: list[msgspec.Raw] | None = msgspec.field(name="member", default=None)
    total: msgspec.Raw = msgspec.field(name="hydra:totalItems", default=msgspec.Raw(b"null"))
    plain_total: msgspec.Raw = msgspec.field(name="totalItems", default=msgspec.Raw(b"null"))
    view: msgspec.Raw = msgspec.field(name="hydra:view", default=msgspec.Raw(b"null"))
    plain_view: msgspec.Raw = msgspec.field(name="view", default=msgspec.Raw(b"null"))
    is_cut: bool = msgspec.field(name=IS_CUT, default=False)


_NEXT = re.compile(rb'"(?:hydra:)?next"\s*:\s*"')

_decode = msgspec.json.Decoder(_Listing).decode
_decode_keys = msgspec.json.Decoder(_Keys).decode
_decode_anything = msgspec.json.Decoder(msgspec.Raw).decode
_decode_total = msgspec.json.Decoder(LargeCount | None).decode


def read_page(answer: Answer) -> Page:
    """Read one page.

    Raises:
        BadAnswer: It is not a hydra listing; the message never holds the body.
    """
    try:
        body, listing = _read(answer.body)
    except UNREADABLE as exc:
        raise _no_listing(answer) from exc
    has_prefix = listing.member is not None
    rows = listing.member if has_prefix else listing.plain_member
    if rows is None:
        raise _no_listing(answer)
    total = _total(listing.total)
    return Page(
        rows,
        _total(listing.plain_total) if total is None else total,
        _keys_of_all(body, rows, has_prefix=has_prefix),
        _links_to_next(listing.view) or _links_to_next(listing.plain_view),
        has_prefix,
        listing.is_cut,
    )


def read_row(answer: Answer) -> msgspec.Raw:
    """Read an answer that is one row.

    Raises:
        BadAnswer: It has no uuid.
    """
    body = answer.body
    try:
        _decode_anything(body)
    except UNREADABLE:
        body = _salvaged(lone_row(), body) or body
    if keys_of(body).uuid is None:
        raise BadAnswer("An answer of LOX24 is not a message.", request_id=answer.request_id)
    return msgspec.Raw(body)


def lone_row() -> Salvage:
    """Return what reads an answer that is one row."""
    return Salvage(is_listing=False)


def _salvaged(salvage: Salvage, body: bytes) -> bytes | None:
    try:
        salvage.feed(body)
        return salvage.result()
    except NotAListingError:
        return None


def _total(written: msgspec.Raw) -> int | None:
    """Read a total; one that is no number of rows is none, and the rows are counted instead."""
    try:
        total: int | None = _decode_total(written)
    except UNREADABLE:
        return None
    return total


def _no_listing(answer: Answer) -> BadAnswer:
    return BadAnswer(
        "An answer of LOX24 is not a listing as documented (hydra:member).",
        hint="Check SMS_ETL_LOX24_BASE_URL; if it is right, report this with the request id.",
        status=200,
        request_id=answer.request_id,
    )


def _keys_of_all(body: bytes, rows: Sequence[msgspec.Raw], *, has_prefix: bool) -> Sequence[Keys]:
    """Read the keys of a page's rows at once, and each for itself where one of them is not readable."""
    try:
        read = _decode_keys(body)
    except UNREADABLE:
        return [keys_of(raw) for raw in rows]
    return (read.member if has_prefix else read.plain_member) or []


def _links_to_next(view: msgspec.Raw) -> bool:
    return b'next"' in bytes(view) and _NEXT.search(bytes(view)) is not None


def _read(body: bytes) -> tuple[bytes, _Listing]:
    """Return a listing and the text it was read from, which may have had to be mended or read row by row."""
    for mend in (_as_it_is, with_whole_characters):
        try:
            mended = mend(body)
            return mended, _decode(mended)
        except UNREADABLE:
            continue
    salvaged = _salvaged(Salvage(), body) or body
    return salvaged, _decode(salvaged)


def _as_it_is(body: bytes) -> bytes:
    return body


def window_query(
    cursor: str,
    since: int,
    until: int,
    page: int,
    *,
    filters: Query = (),
    orders: Query | None = None,
) -> Query:
    """Ask for a page of the rows whose `cursor` lies in a closed span of unix seconds, oldest first.

    Args:
        cursor: Name of the time.
        since: First second.
        until: Last second.
        page: From 1.
        filters: More conditions, as pairs of parameter and value.
        orders: Another order than the oldest first.
    """
    return (
        *between(cursor, since, until),
        *filters,
        *(ascending(cursor) if orders is None else orders),
        ("page", str(page)),
    )


def between(name: str, lowest: int | None, highest: int | None) -> Query:
    """Ask for rows in which a number lies within bounds, both included; None: no bound on that side."""
    bounds = (("gte", lowest), ("lte", highest))
    return tuple((f"{name}[{form}]", str(bound)) for form, bound in bounds if bound is not None)


def ascending(name: str) -> Query:
    """Ask for the rows in ascending order of a time."""
    return ((f"_order[{name}]", "asc"),)


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
