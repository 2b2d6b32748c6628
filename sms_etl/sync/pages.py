"""Asks for the pages of a listing and counts its rows, whatever the provider makes of totals and bounds.

A reading is all pages of one question. It says how many rows there are and never that it has them all: rows
of one second may come in another order on each page; see ties.py.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from sms_etl.errors import NotFound, ProviderDiffers
from sms_etl.providers.lox24.client import Lox24Client, Query
from sms_etl.providers.lox24.paging import Page, read_page, window_query
from sms_etl.providers.lox24.records import Keys, is_unread
from sms_etl.providers.lox24.salvage import Salvage
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts, differs
from sms_etl.sync.streams import Stream

_PAGES_AT_ONCE = 64
"""Pages requested together: enough for a window, bounded in case a wrong total promises a million."""
_COUNTED_AT_ONCE = 16
"""The same if the number of pages is unknown."""
_MOST_PAGES_UNTOLD = 45
"""Of a window of which no total says how many it has; one with more is cut."""
_MOST_EXTRA_PAGES = 1000
"""A provider whose pages grow smaller is followed for so many pages beyond those its total promised."""
_MOST_PAGES_COUNTED = 100_000
"""Of one second. A provider that never answers an empty page is not followed for ever."""

_MOST_STRANGERS = 10
"""Most rows of a page that may lie outside the requested time before the filter counts as ignored."""
_EMPTY_SECONDS = (1, 4_102_444_800)
"""Of 1970 and 2100: no message is of these."""
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

Identity = str | bytes
_Answered = TypeVar("_Answered")


class MovedError(Exception):
    """The rows changed while they were read; reading them again may help."""


class ContradictionError(MovedError):
    """An answer contradicts itself. Once, it may be a deletion between two queries of the provider's."""

    def __init__(self, assumption: str) -> None:
        super().__init__(assumption)
        self.assumption = assumption


class TooLongError(Exception):
    """A window has more or larger pages than planned, and no total announced it."""

    def __init__(self, second: int | None) -> None:
        super().__init__()
        self.second = second
        """To be set apart; None: halves will do."""


class TiesError(Exception):
    """A second's rows could not be collected, since their order changes from page to page."""

    def __init__(self, second: int, message: str) -> None:
        super().__init__(message)
        self.second = second
        self.message = message


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are requested, and in which order."""

    span: Span
    filters: Query = ()
    orders: Query | None = None
    """None: oldest first."""


@dataclass(slots=True)
class Found:
    """The rows of some pages, each once, and the copies of those that their listing holds more than once."""

    rows: dict[Identity, msgspec.Raw] = field(default_factory=dict)
    copies: dict[Identity, Sequence[msgspec.Raw]] = field(default_factory=dict)
    """Beside the row itself. Only what came more than once on one page: on two pages, it may be the order
    of ties that differs."""
    keys: dict[Identity, Keys] = field(default_factory=dict)

    def add(self, page: Page) -> None:
        """Take the rows of a page."""
        rows: dict[Identity, list[msgspec.Raw]] = {}
        for (row, raw), keys in zip(identified(page), page.keys, strict=True):
            rows.setdefault(row, []).append(raw)
            self.keys[row] = keys
        for row, (*copies, raw) in rows.items():
            self.rows[row] = raw
            if len(copies) > len(self.copies.get(row, ())):
                self.copies[row] = copies

    def merge(self, other: "Found") -> None:
        """Take what was found by other requests."""
        self.rows |= other.rows
        self.keys |= other.keys
        for row, copies in other.copies.items():
            if len(copies) > len(self.copies.get(row, ())):
                self.copies[row] = copies

    def count(self) -> int:
        """Return how many rows a listing has that holds these, copies included."""
        return len(self.rows) + sum(map(len, self.copies.values()))

    def all_rows(self) -> list[msgspec.Raw]:
        """Return the rows, copies included: which of them can be loaded is not known here."""
        return [*self.rows.values(), *(raw for copies in self.copies.values() for raw in copies)]


@dataclass(frozen=True, slots=True)
class Reading:
    """All pages of a question, once or, where rows had to be counted, twice."""

    question: Question
    window_id: UUID
    pages: Sequence[Page]
    total: int
    """How many rows there are."""
    answered: int
    """How many its pages hold, whatever they are."""

    def found(self) -> Found:
        """Return its rows."""
        found = Found()
        for page in self.pages:
            found.add(page)
        return found

    def is_whole(self) -> bool:
        """Whether its rows are as many as there are, and none of them is there twice."""
        rows = sum(len(page.rows) for page in self.pages)
        uuids = {keys.uuid.lower() for page in self.pages for keys in page.keys if keys.uuid is not None}
        return rows == self.total == len(uuids)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one stream as far as the provider's facts allow."""

    client: Lox24Client
    stream: Stream
    facts: ProviderFacts = AS_DOCUMENTED
    asked_in_vain: list[bool] = field(default_factory=list, compare=False)
    """Not empty once the provider was seen to obey the time filter."""

    async def page(self, question: Question, window_id: UUID, number: int = 1) -> Page:
        """Ask for one page.

        Raises:
            ProviderDiffers: The time asked for is not obeyed.
            ProviderError: See its subclasses.
        """
        asked = self._asked(question.span)
        query = window_query(
            self.stream.cursor,
            asked.since,
            asked.until,
            number,
            filters=question.filters,
            orders=question.orders,
        )
        page = await self._ask(query, window_id, number)
        if self._is_led_astray(asked, page) and not await self._obeys_time(window_id):
            raise self.differs_in_time()
        return page

    async def _ask(self, query: Query, window_id: UUID, number: int) -> Page:
        return await self.client.get(
            self.stream.path, query, read_page, window_id=window_id, page=number, piecewise=Salvage
        )

    def _asked(self, span: Span) -> Span:
        if self.facts.are_bounds_inclusive:
            return span
        return Span(max(0, span.since - 1), span.until + 1)

    def _is_led_astray(self, asked: Span, page: Page) -> bool:
        """Whether so many rows of a page lie outside the time asked for that it may not be obeyed.

        Fewer are strangers: rows whose time is wrong, which are set aside when they are landed.

        Raises:
            ProviderDiffers: They are so many that it is not.
        """
        seconds = [second for second in map(self.second_of, page.keys) if second is not None]
        if not seconds or (asked.holds(min(seconds)) and asked.holds(max(seconds))):
            return False
        inside = sum(map(asked.holds, seconds))
        outside = len(seconds) - inside
        if outside <= inside or (page.total is not None and page.total <= len(page.rows) - outside):
            return False
        if outside > _MOST_STRANGERS:
            raise self.differs_in_time()
        return True

    async def _obeys_time(self, window_id: UUID) -> bool:
        """Ask for seconds in which there is nothing, and see whether that is what is answered."""
        if self.asked_in_vain:
            return True
        for second in _EMPTY_SECONDS:
            page = await self._ask(window_query(self.stream.cursor, second, second, 1), window_id, 1)
            is_beside_total = page.total is not None and page.total < len(page.rows)
            if any(self.second_of(keys) != second for keys in page.keys) and not is_beside_total:
                return False
        self.asked_in_vain.append(True)
        return True

    def differs_in_time(self) -> ProviderDiffers:
        """Return the error for a filter that is not obeyed."""
        return differs(
            f"LOX24 does not obey the filter {self.stream.cursor} on {self.stream.path}: "
            "it answered rows outside the time asked for."
        )

    def seconds_on(self, page: Page, span: Span) -> list[int]:
        """Return the seconds of a page's rows, without those that cannot be right."""
        seconds = map(self.second_of, page.keys)
        return [second for second in seconds if second is not None and span.holds(second)]

    def is_good(self, keys: Keys, span: Span) -> bool:
        """Whether a row has a uuid and lies in the requested time."""
        second = self.second_of(keys)
        return is_uuid(keys) and second is not None and self._asked(span).holds(second)

    def has_all(self, reading: Reading, found: Found) -> bool:
        """Whether what was found is all there is, by the total.

        The total may count each row that was answered: bad ones, strangers and copies. Or it counts none of
        these. Anything between would leave open whether a good row is among those that are not counted.
        """
        if reading.answered == reading.total and found.count() == reading.total:
            return True
        span = reading.question.span
        return sum(self.is_good(keys, span) for keys in found.keys.values()) == reading.total

    @property
    def second_of(self) -> Callable[[Keys], int | None]:
        """Returns the unix second of a row."""
        return attrgetter(self.stream.cursor)

    def total(self, page: Page) -> int | None:
        """Return how many rows the listing of a page has; None if the page does not show it."""
        return self.facts.trusted_total(page.total)

    async def read(self, question: Question, window_id: UUID, first: Page) -> Reading:
        """Read the pages behind the first one.

        Raises:
            MovedError: The provider told another total on another page, or counts did not agree.
            TooLongError: The rows had to be counted, and are too many for a window of many seconds.
        """
        total = self.total(first)
        if total is None:
            return await self._counted(question, window_id, first)
        pages = await self._promised(question, window_id, first, total)
        if any(page.total != first.total for page in pages):
            raise MovedError
        if not pages[-1].rows and _count(pages) < total:
            raise ContradictionError(
                f"totals: LOX24 promises more rows of {self.stream.path} than its pages hold"
            )
        reading = Reading(question, window_id, pages, total, _count(pages))
        if reading.answered > total:
            found = reading.found()
            if len(found.rows) > total and not self.has_all(reading, found):
                raise ContradictionError(
                    f"totals: the pages of {self.stream.path} hold more rows than LOX24 promises"
                )
        pages += await self._behind(reading)
        return replace(reading, answered=_count(pages))

    async def _promised(self, question: Question, window_id: UUID, first: Page, total: int) -> list[Page]:
        """Read as many pages as the total promises, and more if they are smaller than the first."""
        if not first.rows:
            return [first]
        promised = -(-total // len(first.rows))
        pages = [first]
        async for page in self._pages(question, window_id, promised, first):
            pages.append(page)
            if not page.rows:
                return pages
        while _count(pages) < total and pages[-1].rows:
            if len(pages) > promised + _MOST_EXTRA_PAGES or any(page.total != first.total for page in pages):
                break
            pages.append(await self.page(question, window_id, len(pages) + 1))
        return pages

    async def _behind(self, reading: Reading) -> list[Page]:
        """Look behind the last page where it is full, as it is if totals stop at a round number.

        Rows that are listed twice may have pushed others there.
        """
        pages, last = reading.pages, reading.pages[-1]
        is_full = len(pages) > 1 and len(last.rows) >= len(pages[0].rows)
        if not last.has_next and not is_full:
            return []
        found, behind = Found(), list[Page]()
        while True:
            number = len(pages) + len(behind) + 1
            page = await self.beyond(reading.question, reading.window_id, number)
            if page.total not in {None, last.total}:
                raise MovedError
            if not page.rows:
                return behind
            if _rows_on(page) == _rows_on((behind or pages)[-1]):
                return behind  # it answers the last page for every page behind it
            found = found if behind else reading.found()
            known = len(found.rows)
            found.add(page)
            if len(found.rows) == known or len(found.rows) > reading.total:
                raise ContradictionError(
                    f"totals: LOX24 tells {reading.total} rows of {self.stream.path}, and more pages than "
                    "they fill"
                )
            behind.append(page)

    async def beyond(self, question: Question, window_id: UUID, number: int) -> Page:
        """Ask for a page that may not be there; where the provider answers 404, it is empty."""
        try:
            return await self.page(question, window_id, number)
        except NotFound:
            return Page((), None, ())

    async def _counted(self, question: Question, window_id: UUID, first: Page) -> Reading:
        """Count the rows by reading until a page is empty, twice; both counts must agree."""
        once = await self._until_empty(question, window_id, first)
        twice = await self._until_empty(question, window_id, await self.page(question, window_id))
        count = _count(once)
        if count != _count(twice):
            raise MovedError
        if {row for row, _ in _all(once)} == {row for row, _ in _all(twice)}:
            return Reading(question, window_id, once, count, count)
        return Reading(question, window_id, [*once, *twice], count, count)

    async def _until_empty(self, question: Question, window_id: UUID, first: Page) -> list[Page]:
        pages = [first]
        most = _MOST_PAGES_COUNTED if question.span.seconds == 1 else _MOST_PAGES_UNTOLD
        if not first.rows:
            return pages
        async for page in self._pages(question, window_id, most + 1, first, ramping=True):
            if not page.rows:
                return pages
            pages.append(page)
        if question.span.seconds == 1:
            raise ContradictionError(
                f"paging: LOX24 answers rows of {self.stream.path} on every page there is"
            )
        raise TooLongError(self.second_of(pages[-1].keys[-1]))

    def _refuse_cut(self, question: Question, page: Page) -> None:
        if not page.is_cut or question.span.seconds == 1:
            return
        seconds = [
            self.second_of(keys) for keys, raw in zip(page.keys, page.rows, strict=True) if is_unread(raw)
        ]
        raise TooLongError(seconds[0] if len(seconds) == 1 else None)

    async def _pages(
        self, question: Question, window_id: UUID, last: int, first: Page, *, ramping: bool = False
    ) -> AsyncIterator[Page]:
        """Yield the pages from the second to the last, asked for some at a time; stop at an empty one.

        Args:
            question: What is asked for.
            window_id: For the ledger.
            last: Number of the last page.
            first: The first one.
            ramping: Begin with one, and double: where the end is not known, few are asked for in vain.

        Raises:
            ContradictionError: A whole round of pages brings no row that was not there before.
            TooLongError: A page is too large, and would be smaller in a window of fewer seconds.
        """
        self._refuse_cut(question, first)
        is_long = ramping or last > 1 + _PAGES_AT_ONCE  # else there is one round
        seen = _rows_on(first) if is_long else set()
        at_once = 1 if ramping else _PAGES_AT_ONCE
        number = 2
        while number <= last:
            behind = min(number + at_once, last + 1)
            pages = await together(
                *(self.beyond(question, window_id, each) for each in range(number, behind))
                if ramping
                else (self.page(question, window_id, each) for each in range(number, behind))
            )
            known = len(seen)
            for page in pages:
                self._refuse_cut(question, page)
                if is_long:
                    seen |= _rows_on(page)
                yield page
            if is_long and len(seen) == known and len(pages) >= _COUNTED_AT_ONCE:
                raise ContradictionError(
                    f"paging: LOX24 answers the same rows of {self.stream.path} on page after page"
                )
            number, at_once = behind, min(2 * at_once, _COUNTED_AT_ONCE) if ramping else at_once


def _count(pages: Sequence[Page]) -> int:
    return sum(len(page.rows) for page in pages)


def _rows_on(page: Page) -> set[Identity]:
    return {row for row, _ in identified(page)}


def with_filters(question: Question, filters: Query, orders: Query | None = None) -> Question:
    """Return a question narrowed by more conditions; one on the same parameter is replaced."""
    names = {name for name, _ in filters}
    kept = (pair for pair in question.filters if pair[0] not in names)
    return replace(question, filters=(*kept, *filters), orders=orders)


def _all(pages: Sequence[Page]) -> list[tuple[Identity, msgspec.Raw]]:
    return [row for page in pages for row in identified(page)]


def identified(page: Page) -> list[tuple[Identity, msgspec.Raw]]:
    """Return the rows of a page, each with what tells it apart.

    That is its uuid, or all its bytes where it has none that is readable; of some that are alike then, the
    number of it on its page.
    """
    rows: list[tuple[Identity, msgspec.Raw]] = []
    alike: Counter[bytes] = Counter()
    for keys, raw in zip(page.keys, page.rows, strict=True):
        if keys.uuid is not None and is_uuid(keys):
            rows.append((keys.uuid.lower(), raw))
            continue
        text = bytes(raw)
        rows.append((b"%b %d" % (text, alike[text]), raw))
        alike[text] += 1
    return rows


def is_uuid(keys: Keys) -> bool:
    """Whether a row has a uuid that is one."""
    return keys.uuid is not None and _UUID.fullmatch(keys.uuid) is not None


async def together(*requests: Coroutine[Any, Any, _Answered]) -> list[_Answered]:
    """Wait for requests made at once; after the first that fails, none of the others goes on."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
