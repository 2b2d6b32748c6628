"""Reads which lines of a report are wanted (`country=DE`), and refuses a value that no line could have.

A value may be written as a report or its files write it: a country by its name, a campaign by its bulk, a
sender as it is shown, with the `'` that a CSV puts before what a spreadsheet would compute.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from uuid import UUID

import duckdb

from sms_etl.errors import UnknownFilter
from sms_etl.finance.queries import sql_of
from sms_etl.pii.senders import shown_sender
from sms_etl.plain_text import for_spreadsheet, printable

FILTERS: Mapping[str, str] = {
    "bulk": "cast(lines.bulk_id as varchar)",
    "cost_centre": "lines.cost_centre",
    "country": "lines.country_code",
    "currency": "lines.currency",
    "day": "cast(lines.business_day as varchar)",
    "key": "cast(lines.key_id as varchar)",
    "line": "lines.line",
    "sender": "lines.sender_id",
    "service": "lines.service_code",
    "status": "lines.delivery_status",
    "uuid": "cast(lines.uuid as varchar)",
}
"""What lines can be chosen by: the name of a column, and what it is in SQL."""
_ALIASES = {"campaign": "bulk"}
_MAY_BE_MISSING = {"bulk", "key", "sender"}
_WORDS = {"cost_centre": "cost centre", "key": "API key"}
_WITHOUT = {"", "none", "null", "no campaign", "no bulk", "no sender", "no key", "-", "–"}
"""How a person writes that there is none, unless it is a value itself."""
_LINES = ("message", "correction")
_UUIDS = {"bulk", "uuid"}
_MOST_NAMED = 10
_GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")

Filters = Mapping[str, tuple[str, ...]]
"""By column, the values of which a line has to have one; an empty one stands for lines without any."""


def filters_of(words: Sequence[str]) -> Filters:
    """Read `country=DE`; of a column that is given twice either value will do.

    Raises:
        UnknownFilter: It is not written so, or there is no such column.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().lower()
        name = _ALIASES.get(name, name)
        if not equals or name not in FILTERS:
            wrong = (
                f"{name!r} is no column of lines" if equals else f"{word!r} is not written as column=value"
            )
            raise UnknownFilter(
                f"--where: {wrong}.",
                hint=f"Columns: {', '.join(sorted((*FILTERS, *_ALIASES)))}. For example --where country=DE; "
                "--where campaign=none chooses lines without a campaign.",
            )
        found[name] = (*found.get(name, ()), value.strip())
    return found


def shown(column: str, value: str) -> str:
    """Return what may be told of a value that was asked for: a sender may be somebody's number."""
    return shown_sender(value) if column == "sender" and value else value


def known_filters(connection: duckdb.DuckDBPyConnection, filters: Filters) -> Filters:
    """Return filters with each value as the warehouse has it.

    Args:
        connection: Read-only, of the published copy.
        filters: As `filters_of` reads them.

    Raises:
        UnknownFilter: A value is found nowhere in the warehouse; names the nearest there is.
    """
    return {
        name: tuple(dict.fromkeys(known for value in values for known in _known(connection, name, value)))
        for name, values in filters.items()
    }


def _known(connection: duckdb.DuckDBPyConnection, column: str, value: str) -> tuple[str, ...]:
    if column == "day":
        return (_day(value),)
    values = _values(connection, column, value)
    matching = _matching(column, value, values)
    if matching:
        return matching
    if column in _MAY_BE_MISSING and value.lower() in _WITHOUT:
        return ("",)
    raise _unknown(column, value, values)


def _day(value: str) -> str:
    """Return a day as ISO 8601; any is a possible one, since a day may have no messages."""
    german = _GERMAN_DAY.fullmatch(value)
    with suppress(ValueError):
        if german:
            return date(*(int(part) for part in reversed(german.groups()))).isoformat()
        return date.fromisoformat(value).isoformat()
    raise UnknownFilter(
        f"--where: {printable(value)!r} is no day.", hint="Write it as 2026-01-31, or as 31.01.2026."
    )


@dataclass(frozen=True)
class _Value:
    """A value that lines may have."""

    stored: str
    name: str | None = None
    """Of a country."""

    @property
    def written(self) -> str:
        """As a hint says it."""
        return f"{self.name} ({self.stored})" if self.name else self.stored


def _values(connection: duckdb.DuckDBPyConnection, column: str, value: str) -> tuple[_Value, ...]:
    """Return what lines may have in a column; of UUIDs, of which there may be millions, only the wanted."""
    if column == "line":
        return tuple(_Value(line) for line in _LINES)
    if column in _UUIDS:
        with suppress(ValueError):
            wanted = UUID(value.removeprefix("'"))
            found = connection.execute(sql_of(f"lines/{column}"), [wanted]).fetchone()
            return (_Value(str(wanted)),) if found else ()
        return ()
    rows = connection.execute(sql_of(f"lines/{column}")).fetchall()
    return tuple(_Value(*(str(cell) for cell in row)) for row in rows)


def _matching(column: str, value: str, values: Sequence[_Value]) -> tuple[str, ...]:
    """Return the values that are meant: those written exactly so, else in other letters, or as shown."""
    if column in _UUIDS:
        return tuple(each.stored for each in values)
    exact = tuple(each.stored for each in values if each.stored == value)
    wanted = {value.casefold(), value.removeprefix("'").casefold()}
    return exact or tuple(each.stored for each in values if not wanted.isdisjoint(_spellings(column, each)))


def _spellings(column: str, value: _Value) -> Iterator[str]:
    """Yield how a value may be written: as a person, a page, a workbook or a CSV writes it."""
    ways = [value.stored, shown(column, value.stored), value.written, *filter(None, [value.name])]
    for way in ways:
        yield way.casefold()
        yield str(for_spreadsheet(way)).casefold()


def _unknown(column: str, value: str, values: Sequence[_Value]) -> UnknownFilter:
    word = _WORDS.get(column, column)
    near = _nearest(column, value, values)
    if not value:
        message = f"every line has a {word}, so none can be chosen by its being empty."
    elif column == "country":
        message = f"there is no country {_quoted(column, value)}{near}"
    else:
        message = f"no message in the warehouse has the {word} {_quoted(column, value)}{near}"
    return UnknownFilter(f"--where: {message}", hint=_hint(column, values))


def _quoted(column: str, value: str) -> str:
    return f"'{printable(shown(column, value))}'"


def _nearest(column: str, value: str, values: Iterable[_Value]) -> str:
    """Return `; did you mean …?` where a value is written much like that, else a full stop."""
    by_spelling = {spelling: each for each in values for spelling in _spellings(column, each)}
    close = get_close_matches(value.casefold(), by_spelling, n=1, cutoff=0.7)
    return f"; did you mean {shown(column, by_spelling[close[0]].written)}?" if close else "."


def _hint(column: str, values: Sequence[_Value]) -> str:
    if column in _UUIDS:
        return "Copy it whole, such as 5f1c9a80-0000-4000-8000-000000000001." + (
            " --where campaign=none chooses lines without one." if column == "bulk" else ""
        )
    if column == "country":
        return "Give its name in English or its code of two letters, such as DE."
    names = sorted({printable(shown(column, each.written)) for each in values})
    if not names:
        return f"No message has a {_WORDS.get(column, column)}."
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"There are: {', '.join(names[:_MOST_NAMED])}{more}."
