"""Completes a reading whose ties have no stable order: rows of one second that come on two pages, or on none.

The provider promises no order within a second, and a bulk puts thousands into one. Only a second that lies on
two pages can be incomplete, so those are read by themselves. A second that holds more than a page is divided
by filters into cells that fit on one, where order does not matter; what cannot be divided is read in other
orders. Whatever way it is read, distinct rows are collected until they are as many as the provider says there
are, and it must still say so at the end.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import msgspec

from sms_etl.errors import BadRequest
from sms_etl.providers.lox24.client import Query
from sms_etl.providers.lox24.paging import Page, between
from sms_etl.providers.lox24.records import UNREADABLE
from sms_etl.sync.pages import (
    Found,
    Identity,
    MovedError,
    Question,
    Reader,
    Reading,
    TiesError,
    identified,
    together,
    with_filters,
)
from sms_etl.sync.plan import Span

_FILLED = 0.7
"""Ranges are planned to fill so much of a page: they vary, and one that is too large is divided again."""
_CELLS_AT_ONCE = 16
_READ_WHOLE_PAGES = 3
"""A cell of so few pages is read before it is divided further: often that is all of it."""
_REQUESTS_A_PAGE = 20
_REQUESTS_AT_LEAST = 60
"""A second may cost so many requests. Pages in random order need ln(rows) times as many: 8 for 3,000 rows."""
_BARREN_ROUNDS = 2
"""So many rounds of all orders without a new row, and the rest will not come either."""
_UUIDS_AT_ONCE = 20
_ANCHORED_DIGITS = 4
"""The filter finds digits anywhere in a number: fewer than these are found in most of them."""
_PRIVATE_DIGITS = 3
"""A phone number's last digits are never asked for: what is asked is a range of numbers, not a person's."""

Rows = Mapping[Identity, msgspec.Raw]
Fields = Mapping[str, Any]
_Known = Sequence[tuple[Fields, Identity, msgspec.Raw]]


async def completed(reader: Reader, reading: Reading) -> list[msgspec.Raw]:
    """Return all rows of a reading, each once, reading more where ties kept some of them away.

    Raises:
        MovedError: Rows came or went meanwhile.
        TiesError: A second's rows come in another order each time, and no filter divides them.
        ProviderError: See its subclasses.
    """
    if reading.is_whole():
        return [raw for page in reading.pages for raw in page.rows]
    found = reading.found()
    if not reader.has_all(reading, found):
        if reading.question.span.seconds == 1:
            found = await _Second(reader, reading).all_rows()
        else:
            seconds = _on_two_pages(reader, reading)
            for second in await together(*(_second(reader, reading, at) for at in seconds)):
                found.merge(second)
    if not reader.has_all(reading, found):
        raise MovedError
    return found.all_rows()


def _on_two_pages(reader: Reader, reading: Reading) -> list[int]:
    """Return the seconds with rows on two neighbouring pages."""
    seconds = [reader.seconds_on(page, reading.question.span) for page in reading.pages]
    edges = itertools.pairwise(each for each in seconds if each)
    return sorted({ends[-1] for ends, begins in edges if ends[-1] == begins[0]})


async def _second(reader: Reader, reading: Reading, at: int) -> Found:
    question = with_filters(Question(Span(at, at)), reading.question.filters)
    first = await reader.page(question, reading.window_id)
    alone = await reader.read(question, reading.window_id, first)
    found = alone.found()
    return found if reader.has_all(alone, found) else await _Second(reader, alone).all_rows()


# Ways to divide


@dataclass(frozen=True, slots=True)
class _Cell:
    """Some of a second's rows, as a filter tells them apart."""

    filters: Query
    known: Rows


class _Way(Protocol):
    def cells(self, known: _Known, size: float) -> list[_Cell]:
        """Divide known rows into cells of about `size` of them, of which a page is full, as far as can be."""


@dataclass(frozen=True, slots=True)
class _ByRange:
    """Neighbouring numbers together; the first and the last cell are open, for numbers not seen yet."""

    name: str

    def cells(self, known: _Known, size: float) -> list[_Cell]:
        groups = sorted(_grouped(known, self._number).items())
        bins: list[tuple[int, Rows]] = []
        for number, rows in groups:
            if bins and len(bins[-1][1]) + len(rows) <= _FILLED * size:
                bins[-1] = (bins[-1][0], {**bins[-1][1], **rows})
            else:
                bins.append((number, rows))
        cuts = [number for number, _ in bins[1:]]
        bounds = zip([None, *cuts], [*(cut - 1 for cut in cuts), None], strict=True)
        return [
            _Cell(between(self.name, lowest, highest), rows)
            for (lowest, highest), (_, rows) in zip(bounds, bins, strict=False)
        ]

    def _number(self, row: Fields) -> int | None:
        value = row.get(self.name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class _ByValue:
    """One cell a value seen."""

    name: str
    parameter: str

    def cells(self, known: _Known, size: float) -> list[_Cell]:
        del size
        groups = _grouped(known, lambda row: row.get(self.name))
        return [_Cell(((self.parameter, str(value)),), rows) for value, rows in groups.items()]


@dataclass(frozen=True, slots=True)
class _ByDigits:
    """Numbers that begin alike together; digits not seen yet are a cell, too."""

    name: str

    def cells(self, known: _Known, size: float) -> list[_Cell]:
        numbers = {row: _digits(fields.get(self.name)) for fields, row, _ in known}
        raws = {row: raw for _, row, raw in known if numbers[row]}
        begin = _common_beginning([number for number in numbers.values() if number])
        return list(self._below(begin, raws, {row: numbers[row] for row in raws}, size))

    def _below(self, begin: str, rows: Rows, numbers: Mapping[Identity, str], size: float) -> Iterator[_Cell]:
        shortest = min((len(numbers[row]) for row in rows), default=0)
        if len(rows) <= size or len(begin) >= shortest - _PRIVATE_DIGITS:
            yield _Cell(((self.name, begin),), rows)
            return
        for digit in "0123456789":
            longer = begin + digit
            below = {row: raw for row, raw in rows.items() if numbers[row].startswith(longer)}
            if below or len(longer) > _ANCHORED_DIGITS:
                yield from self._below(longer, below, numbers, size)


_WAYS: Mapping[str, Sequence[_Way]] = {
    "/sms": (
        _ByRange("gateway_sent_at"),
        _ByRange("chars_count"),
        _ByRange("delivery_at"),
        _ByDigits("phone"),
        _ByValue("key_id", "key_id"),
        _ByValue("iso2", "iso2"),
        _ByValue("bulk_id", "bulk"),
        _ByValue("sender_id", "sender_id"),
        _ByValue("dlr_code", "dlr_code"),
        _ByValue("status_code", "status_code"),
        _ByRange("parts_count"),
        _ByRange("source"),
    ),
    "/bulks": (
        _ByRange("msg_total_count"),
        _ByRange("delivery_at"),
        _ByRange("created_at"),
        _ByRange("processed_at"),
        _ByRange("key_id"),
        _ByRange("source"),
    ),
}
"""By listing; what costs fewer requests comes first."""

_ORDERS: Mapping[str, Sequence[str]] = {
    "/sms": ("gateway_sent_at", "created_at"),
    "/bulks": ("msg_total_count", "delivery_at", "processed_at", "created_at"),
}
"""By listing: what rows may be sorted by."""


def _grouped(known: _Known, value_of: Callable[[Fields], Any]) -> dict[Any, Rows]:
    groups: defaultdict[Any, dict[Identity, msgspec.Raw]] = defaultdict(dict)
    for fields, row, raw in known:
        value = value_of(fields)
        if isinstance(value, str | int):
            groups[value][row] = raw
    return dict(groups)


def _digits(phone: object) -> str:
    return phone.removeprefix("+") if isinstance(phone, str) and phone.removeprefix("+").isdigit() else ""


def _common_beginning(numbers: Sequence[str]) -> str:
    if not numbers:
        return ""
    first, last = min(numbers), max(numbers)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(digit for digit, _ in same)


def _read_known(rows: Rows) -> _Known:
    return [(_fields(raw), row, raw) for row, raw in rows.items()]


def _fields(raw: msgspec.Raw) -> Fields:
    try:
        return _decode_fields(raw)
    except UNREADABLE:
        return {}


_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


# Collecting


@dataclass
class _Second:
    """Collects the rows of one second."""

    reader: Reader
    reading: Reading
    found: Found = field(init=False)
    requests: int = 0

    def __post_init__(self) -> None:
        self.found = self.reading.found()
        self.page_size = max(len(page.rows) for page in self.reading.pages)
        pages = -(-self.reading.total // max(self.page_size, 1))
        self.most_requests = _REQUESTS_AT_LEAST + _REQUESTS_A_PAGE * pages

    @property
    def window_id(self) -> UUID:
        return self.reading.window_id

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to ask: all rows are found, or more than can be."""
        return self.has_all or self.requests >= self.most_requests

    @property
    def has_all(self) -> bool:
        return self.found.count() >= self.reading.total

    async def all_rows(self) -> Found:
        """Collect until all rows are found.

        Raises:
            MovedError: Their number changed meanwhile.
            TiesError: Some were never answered.
        """
        await self._divided(self.reading.question, self.found.rows, self.reading.total)
        if not self.has_all:
            await self._counted_by_uuid()
        await self._confirm_total()
        if not self.reader.has_all(self.reading, self.found):
            raise self._unstable()
        return self.found

    async def _counted_by_uuid(self) -> None:
        """Ask by uuid for the rows that came on two pages: what is there twice is answered twice then."""
        met: Counter[Identity] = Counter()
        for page in self.reading.pages:
            met.update({row for row, _ in identified(page)})
        asked = [row for row, pages in met.items() if pages > 1 and isinstance(row, str)]
        for start in range(0, len(asked), _UUIDS_AT_ONCE):
            uuids = asked[start : start + _UUIDS_AT_ONCE]
            filters = tuple(("uuid[]", uuid) for uuid in uuids)
            try:
                await self._page(with_filters(self.reading.question, filters))
            except BadRequest:
                return  # the provider does not know the filter

    async def _confirm_total(self) -> None:
        first = await self.reader.page(self.reading.question, self.window_id)
        total = self.reader.total(first)
        if total is None:
            again = await self.reader.read(self.reading.question, self.window_id, first)
            self.found.merge(again.found())
            total = again.total
        else:
            self.found.add(first)
        if total != self.reading.total or len(self.found.rows) > max(total, self.reading.answered):
            raise MovedError

    async def _divided(self, question: Question, known: Rows, count: int) -> set[Identity]:
        """Read what meets a question, divided by one way after the other; return what of it was answered."""
        got: set[Identity] = set()
        left = list(_WAYS.get(self.reader.stream.path, ()))
        while not self.is_over and len(got) < count:
            chosen = self._best(left, known, count)
            if chosen is None:
                return got | await self._reordered(question, count)
            way, cells = chosen
            left.remove(way)
            while cells and not self.is_over:
                some, cells = cells[:_CELLS_AT_ONCE], cells[_CELLS_AT_ONCE:]
                answered = await together(*(self._cell(question, cell, count) for cell in some))
                got |= set().union(*answered)
            known = {row: self.found.rows[row] for row in {*known, *got}}
        return got

    def _best(self, ways: Sequence[_Way], known: Rows, count: int) -> tuple[_Way, list[_Cell]] | None:
        """Return the first way whose cells fit on a page, or the one that divides best; None if none does."""
        size = max(1.0, self.page_size * len(known) / count)
        fields = _read_known(known)
        best: tuple[_Way, list[_Cell]] | None = None
        smallest = 0.8 * len(known)
        for way in ways:
            cells = sorted(way.cells(fields, size), key=lambda cell: -len(cell.known))
            largest = len(cells[0].known) if len(cells) > 1 else len(known)
            if largest < smallest:
                best, smallest = (way, cells), largest
            if best and smallest <= size:
                return best
        return best

    async def _cell(self, question: Question, cell: _Cell, of: int) -> set[Identity]:
        """Read a cell, and divide it further if its rows come in another order each time."""
        narrowed = with_filters(question, cell.filters)
        try:
            first = await self._page(narrowed)
        except BadRequest:
            return set()  # the provider does not know the filter
        count = self.reader.total(first)
        if count is None:
            pages, count = await self._counted(narrowed, first)
        elif count >= of:
            return {row for row, _ in identified(first)}  # it does not divide, or is not obeyed
        else:
            promised = -(-count // max(len(first.rows), 1))
            pages = [first]
            if promised <= _READ_WHOLE_PAGES:
                pages += await together(*(self._page(narrowed, each) for each in range(2, promised + 1)))
        got = {row for page in pages for row, _ in identified(page)}
        if len(got) >= count or self.is_over:
            return got
        known = {row: self.found.rows[row] for row in {*got, *cell.known}}
        return got | await self._divided(narrowed, known, count)

    async def _counted(self, question: Question, first: Page) -> tuple[list[Page], int]:
        pages = [first]
        while pages[-1].rows and not self.is_over:
            pages.append(await self._page(question, len(pages) + 1))
        return pages, sum(len(page.rows) for page in pages)

    async def _reordered(self, question: Question, count: int) -> set[Identity]:
        """Read all pages in one order after the other, until a round of orders brings nothing new."""
        got: set[Identity] = set()
        pages = -(-count // max(self.page_size, 1))
        barren = 0
        while not self.is_over and barren < _BARREN_ROUNDS:
            before = self.found.count()
            for orders in self._orders():
                for start in range(1, pages + 1, _CELLS_AT_ONCE):
                    if self.is_over or len(got) >= count:
                        return got
                    numbers = range(start, min(start + _CELLS_AT_ONCE, pages + 1))
                    ordered = with_filters(question, (), orders)
                    for page in await together(*(self._page(ordered, number) for number in numbers)):
                        got |= {row for row, _ in identified(page)}
            barren = 0 if self.found.count() > before else barren + 1
        return got

    def _orders(self) -> Iterator[Query]:
        names = _ORDERS.get(self.reader.stream.path, (self.reader.stream.cursor,))
        for name, direction in itertools.product(names, ("desc", "asc")):
            yield ((f"_order[{name}]", direction),)

    async def _page(self, question: Question, number: int = 1) -> Page:
        self.requests += 1
        page = await self.reader.beyond(question, self.window_id, number)
        self.found.add(page)
        return page

    def _unstable(self) -> TiesError:
        second, missing = self.reading.question.span.until, self.reading.total - self.found.count()
        return TiesError(
            second,
            f"{missing} of the {self.reading.total} rows of {self.reader.stream.path} in the second {second} "
            "(unix) were not answered: their order changes from page to page, and "
            f"{self.requests} more requests, by other filters and in other orders, did not bring them.",
        )
