"""Reads hydra pages (`application/ld+json`) and writes the queries that ask for them. Pure.

A row stays the bytes the provider sent until `records.py` reads it, so that a bad row cannot spoil its
page and a price never passes through a float.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sms_etl.errors import BadAnswer
from sms_etl.providers.lox24.client import Answer, Query


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    rows: Sequence[msgspec.Raw]
    total: int
    """Rows of the whole listing at the moment of this page (`hydra:totalItems`)."""
    has_next: bool | None
    """Whether the provider names a next page; None if it says nothing about pages."""


class _View(msgspec.Struct):
    next: str | None = msgspec.field(name="hydra:next", default=None)


class _Listing(msgspec.Struct):
    member: list[msgspec.Raw] = msgspec.field(name="hydra:member")
    total: int = msgspec.field(name="hydra:totalItems")
    view: _View | None = msgspec.field(name="hydra:view", default=None)


_decode = msgspec.json.Decoder(_Listing).decode


def read_page(answer: Answer) -> Page:
    """Read one page.

    Raises:
        BadAnswer: It is not a hydra listing; the message never holds the body.
    """
    try:
        listing = _decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadAnswer(
            "An answer of LOX24 is not a listing as documented (hydra:member, hydra:totalItems).",
            hint="Check SMS_ETL_LOX24_BASE_URL; if it is right, report this with the request id.",
            status=200,
            request_id=answer.request_id,
        ) from exc
    has_next = None if listing.view is None else listing.view.next is not None
    return Page(listing.member, listing.total, has_next)


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
