"""Reads the query of a listing: filters, orders and the page, in every documented form. Pure.

A form that is not documented is refused by name, so that a client's mistake shows here and not at the
provider.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import ge, gt, le, lt
from typing import Any
from urllib.parse import parse_qsl

from sms_etl.sandbox.lives import Bulk, Message
from sms_etl.sandbox.switches import SandboxSwitches

_NAME = re.compile(r"(\w+)(?:\[(\w*)\])?")
_INTEGER = re.compile(r"-?\d{1,15}")
_BETWEEN = re.compile(r"(-?\d{1,15})\.\.(-?\d{1,15})")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_EXCLUSIVE = {"gte": "gt", "lte": "lt"}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"lt": lt, "gt": gt, "lte": le, "gte": ge}


class Kind(Enum):
    """What forms a filter takes."""

    FLAG = "true, false, 1 or 0"
    WORD = "exact, or name[]"
    CODE = "an exact integer, or name[]"
    RANGE = "an integer exact, name[], or a range"
    PARTIAL = "part of the text, upper or lower case"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be filtered: its forms, and its value at a moment."""

    kind: Kind
    value: Callable[[Any, int], Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `form` is `eq`, `in`, `between`, `partial` or a comparison."""

    field: str
    form: str
    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:  # noqa: ANN401 - of whatever type the field is
        """Say whether a field's value meets the condition; null meets none."""
        if value is None:
            return False
        if self.form == "partial":
            return self.values[0] in value.lower()
        if self.form == "between":
            return bool(self.values[0] <= value <= self.values[1])
        if self.form in _COMPARISONS:
            return _COMPARISONS[self.form](value, self.values[0])
        return value in self.values


@dataclass(frozen=True, slots=True)
class Query:
    """A listing's query; `orders` are pairs of field and whether it is descending."""

    filters: tuple[Filter, ...]
    orders: tuple[tuple[str, bool], ...]
    page: int


class ParameterError(ValueError):
    """A query parameter is unknown, or its value is not one of the documented forms."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f'Query parameter "{name}": {problem}')
        self.name = name
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Listing:
    """What can be filtered and ordered by in one listing."""

    fields: Mapping[str, Field]
    orders: frozenset[str]
    uuid_filter: Callable[[SandboxSwitches], str]
    """Whether the listing obeys its filter by uuid."""


def _message_fields() -> dict[str, Field]:
    def of(name: str) -> Callable[[Message, int], Any]:
        return lambda message, _now: getattr(message, name)

    return {
        "is_sent": Field(Kind.FLAG, lambda message, now: message.state_at(now).is_sent),
        "is_unicode": Field(Kind.FLAG, of("is_unicode")),
        "uuid": Field(Kind.WORD, of("uuid")),
        "iso2": Field(Kind.WORD, of("iso2")),
        "callback_data": Field(Kind.WORD, of("callback_data")),
        "bulk": Field(Kind.WORD, of("bulk_id")),
        "dlr_code": Field(Kind.CODE, lambda message, now: message.state_at(now).dlr_code),
        "status_code": Field(Kind.CODE, lambda message, now: message.state_at(now).status_code),
        "key_id": Field(Kind.CODE, of("key_id")),
        "created_at": Field(Kind.RANGE, of("created_at")),
        "gateway_sent_at": Field(Kind.RANGE, lambda message, now: message.sent_at(now)),
        "delivery_at": Field(Kind.RANGE, of("delivery_at")),
        "chars_count": Field(Kind.RANGE, of("chars_count")),
        "parts_count": Field(Kind.RANGE, lambda message, now: message.parts_at(now)),
        "source": Field(Kind.RANGE, of("source")),
        "text": Field(Kind.PARTIAL, lambda message, now: message.text_at(now)),
        "sender_id": Field(Kind.PARTIAL, of("sender_id")),
        "phone": Field(Kind.PARTIAL, of("phone")),
        "ip": Field(Kind.PARTIAL, of("ip")),
    }


def _bulk_fields() -> dict[str, Field]:
    def of(name: str) -> Callable[[Bulk, int], Any]:
        return lambda bulk, _now: getattr(bulk, name)

    return {
        "uuid": Field(Kind.WORD, of("uuid")),
        "status_code": Field(Kind.RANGE, lambda bulk, now: bulk.status_at(now)),
        "created_at": Field(Kind.RANGE, of("created_at")),
        "delivery_at": Field(Kind.RANGE, of("delivery_at")),
        "processed_at": Field(Kind.RANGE, lambda bulk, now: bulk.processed_at(now)),
        "msg_total_count": Field(Kind.RANGE, of("msg_total_count")),
        "source": Field(Kind.RANGE, of("source")),
        "key_id": Field(Kind.RANGE, of("key_id")),
        "is_unicode": Field(Kind.FLAG, of("is_unicode")),
        "is_dryrun": Field(Kind.FLAG, of("is_dryrun")),
    }


SMS = Listing(
    _message_fields(),
    frozenset({"created_at", "gateway_sent_at"}),
    lambda switches: switches.sms_uuid_filter,
)
BULKS = Listing(
    _bulk_fields(),
    frozenset({"created_at", "delivery_at", "processed_at", "msg_total_count"}),
    lambda switches: switches.bulks_uuid_filter,
)


def read_query(
    query_string: str, listing: Listing, switches: SandboxSwitches, *, paged: bool = True
) -> Query:
    """Read the query of a listing or of a batch call.

    Args:
        query_string: As it stands in the address, percent-encoded; a bare `+` is a blank.
        listing: What can be filtered and ordered by.
        switches: What an unknown name or an empty value means.
        paged: Whether `page` and orders are taken; batch calls take neither.

    Raises:
        ParameterError: A name or a value is not as documented.
    """
    single: dict[tuple[str, str], Filter] = {}
    many: dict[str, list[Any]] = {}
    orders: dict[str, bool] = {}
    page = 1
    for parameter, value in parse_qsl(query_string, keep_blank_values=True):
        name, bracket = _split(parameter)
        if value == "" and switches.empty_value_is_no_filter:
            continue
        if paged and name == "page" and bracket is None:
            page = _page(value)
        elif paged and name == "_order" and bracket in listing.orders:
            is_descending = _is_descending(parameter, value)
            if switches.order == "obeyed":
                orders[bracket] = is_descending
        elif paged and name == "uuid" and (found := listing.uuid_filter(switches)) != "obeyed":
            if found == "rejected":
                raise ParameterError(parameter, "is not known here")
        elif name in listing.fields and _takes(listing.fields[name].kind, bracket):
            kind = listing.fields[name].kind
            if bracket == "":
                many.setdefault(name, []).append(_value(parameter, value, kind))
            else:
                if switches.bounds == "exclusive":
                    bracket = _EXCLUSIVE.get(bracket or "", bracket)
                single[name, bracket or ""] = _one(name, bracket, value, kind)
        elif switches.unknown_parameters == "reject":
            raise ParameterError(parameter, "is not known here")
    filters = (*single.values(), *(Filter(name, "in", tuple(values)) for name, values in many.items()))
    return Query(filters, tuple(orders.items()), page)


def _split(parameter: str) -> tuple[str, str | None]:
    match = _NAME.fullmatch(parameter)
    return (match[1], match[2]) if match else (parameter, None)


def _takes(kind: Kind, bracket: str | None) -> bool:
    if bracket is None:
        return True
    if bracket == "":
        return kind in {Kind.WORD, Kind.CODE, Kind.RANGE}
    return kind is Kind.RANGE and (bracket == "between" or bracket in _COMPARISONS)


def _one(name: str, bracket: str | None, value: str, kind: Kind) -> Filter:
    if bracket == "between":
        bounds = _BETWEEN.fullmatch(value)
        if not bounds:
            raise ParameterError(f"{name}[between]", "give two integers as a..b")
        return Filter(name, "between", (int(bounds[1]), int(bounds[2])))
    read = _value(f"{name}[{bracket}]" if bracket else name, value, kind)
    return Filter(name, bracket or ("partial" if kind is Kind.PARTIAL else "eq"), (read,))


def _value(parameter: str, value: str, kind: Kind) -> str | int:
    if kind is Kind.WORD:
        return value
    if kind is Kind.PARTIAL:
        return value.lower()
    if kind is Kind.FLAG:
        if value not in _FLAGS:
            raise ParameterError(parameter, "give true, false, 1 or 0")
        return _FLAGS[value]
    if not _INTEGER.fullmatch(value):
        raise ParameterError(parameter, "give an integer")
    return int(value)


def _page(value: str) -> int:
    if not _INTEGER.fullmatch(value) or int(value) < 1:
        raise ParameterError("page", "give an integer of at least 1")
    return int(value)


def _is_descending(parameter: str, value: str) -> bool:
    if value.lower() not in {"asc", "desc"}:
        raise ParameterError(parameter, "give asc or desc")
    return value.lower() == "desc"
