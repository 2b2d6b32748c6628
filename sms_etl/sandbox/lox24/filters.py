"""Reads the query of a listing: filters, orders and the page, in every documented form. Pure.

A list is `uuid[]=a&uuid[]=b`, or numbered as PHP sends it: `uuid[0]=a&uuid[1]=b`.

A form that is not documented is refused by name, so that a client's mistake shows here and not at the
provider. A filter given with and without brackets is one: PHP lets the later replace the earlier, so that
`uuid=a&uuid[]=` filters nothing. Where unknown parameters are ignored, that is what happens.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import ge, gt, le, lt
from typing import Any
from urllib.parse import parse_qsl

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.lifecycle import Bulk, Message

_NAME = re.compile(r"(\w+)(?:\[(-?\w*)\])?", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_BETWEEN = re.compile(r"(-?[0-9]{1,15})\.\.(-?[0-9]{1,15})")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_EXCLUSIVE = {"gte": "gt", "lte": "lt"}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"lt": lt, "gt": gt, "lte": le, "gte": ge}


class Kind(Enum):
    """What forms a filter takes."""

    FLAG = "true, false, 1 or 0"
    WORD = "exact, or a list"
    CODE = "an exact integer, or a list"
    RANGE = "an integer exact, a list, or a range"
    PARTIAL = "part of the text, upper or lower case"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be filtered: its forms, and its value at a moment."""

    kind: Kind
    value: Callable[[Any, int], Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `form` is `eq`, `in`, `between`, `partial`, `exists` or a comparison."""

    field: str
    form: str
    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:  # noqa: ANN401 - of whatever type the field is
        """Say whether a field's value meets the condition; null meets none but `exists`."""
        if self.form == "exists":
            return (value is not None) is self.values[0]
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
    exists: frozenset[str] = frozenset()
    """Fields of which can be asked whether they are null, as `exists[name]`."""


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
        "msg_total_count": Field(Kind.RANGE, lambda bulk, now: bulk.count_at(now)),
        "source": Field(Kind.RANGE, of("source")),
        "key_id": Field(Kind.RANGE, of("key_id")),
        "is_unicode": Field(Kind.FLAG, of("is_unicode")),
        "is_dryrun": Field(Kind.FLAG, of("is_dryrun")),
        "sender_id": Field(Kind.PARTIAL, of("sender_id")),
        "text": Field(Kind.PARTIAL, lambda bulk, now: bulk.text_at(now)),
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
    exists=frozenset({"is_unicode"}),
)


def read_query(
    query_string: str, listing: Listing, switches: SandboxSwitches, *, paged: bool = True
) -> Query:
    """Read the query of a listing or of a batch call.

    Args:
        query_string: As it stands in the address, percent-encoded; a bare `+` is a blank.
        listing: What can be filtered and ordered by.
        switches: What an unknown name or an empty value means.
        paged: Whether `page` is taken; batch calls take the filters and orders only.

    Raises:
        ParameterError: A name or a value is not as documented.
    """
    filters: list[Filter] = []
    many: dict[str, list[Any]] = {}
    orders: dict[str, bool] = {}
    page = 1
    for name, bracket, parameter, value in _counting(query_string, listing, switches, paged=paged):
        if name == "page":
            page = _page(value)
        elif name == "_order":
            orders[str(bracket)] = _is_descending(parameter, value)
        elif name == "exists":
            filters.append(Filter(str(bracket), "exists", (_value(parameter, value, Kind.FLAG),)))
        elif _is_index(bracket):
            many.setdefault(name, []).append(_value(parameter, value, listing.fields[name].kind))
        else:
            form = _EXCLUSIVE.get(bracket or "", bracket) if switches.bounds == "exclusive" else bracket
            filters.append(_one(name, form, value, listing.fields[name].kind))
    filters += [Filter(name, "in", tuple(values)) for name, values in many.items()]
    return Query(tuple(filters), tuple(orders.items()) if switches.order == "obeyed" else (), page)


def _counting(
    query_string: str, listing: Listing, switches: SandboxSwitches, *, paged: bool
) -> Iterator[tuple[str, str | None, str, str]]:
    """Yield name, bracket, whole parameter and value of what has a meaning here.

    Raises:
        ParameterError: A parameter is refused.
    """
    has_uuid = listing.uuid_filter(switches) if paged else switches.batch_uuid_filter
    for name, values in _given(query_string, switches).items():
        for bracket, (parameter, value) in values.items():
            if not _is_known(name, bracket, listing, paged=paged):
                if switches.unknown_parameters == "reject":
                    raise ParameterError(parameter, "is not known here")
            elif value == "":
                if not switches.empty_value_is_no_filter:
                    raise ParameterError(parameter, "is empty")
            elif name == "uuid" and has_uuid == "rejected":
                raise ParameterError(parameter, "is not known here")
            elif name != "uuid" or has_uuid == "obeyed":
                yield name, bracket, parameter, value


_Given = dict[str, dict[str | None, tuple[str, str]]]


def _given(query_string: str, switches: SandboxSwitches) -> _Given:
    """Return parameters and values by name and bracket, as PHP reads them.

    `name[]` takes the next number; of two with the same bracket the later counts.
    """
    given: _Given = {}
    for parameter, value in parse_qsl(query_string, keep_blank_values=True):
        name, bracket = _split(parameter)
        values = given.setdefault(name, {})
        if values and (bracket is None) is not (None in values):
            if switches.unknown_parameters == "reject":
                raise ParameterError(parameter, "is given with and without brackets")
            values.clear()
        values[_next_index(values) if bracket == "" else bracket] = (parameter, value)
    return given


def _split(parameter: str) -> tuple[str, str | None]:
    match = _NAME.fullmatch(parameter)
    return (match[1], match[2]) if match else (parameter, None)


def _is_index(bracket: str | None) -> bool:
    return bracket is not None and _INTEGER.fullmatch(bracket) is not None


def _next_index(values: Mapping[str | None, object]) -> str:
    return str(1 + max((int(bracket) for bracket in values if bracket and _is_index(bracket)), default=-1))


def _is_known(name: str, bracket: str | None, listing: Listing, *, paged: bool) -> bool:
    if name == "page":
        return paged and bracket is None
    if name == "_order":
        return bracket in listing.orders
    if name == "exists":
        return bracket in listing.exists
    return name in listing.fields and _takes(listing.fields[name].kind, bracket)


def _takes(kind: Kind, bracket: str | None) -> bool:
    if bracket is None:
        return True
    if _is_index(bracket):
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
