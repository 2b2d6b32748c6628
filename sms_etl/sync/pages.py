"""Asks for the pages of a listing and counts its rows, whatever the provider makes of totals and bounds.

A reading is all pages of one question. It says how many rows there are and never that it has them all: rows
of one second may come in another order on each page; see ties.py.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from sms_etl.errors import NotFound
from sms_etl.providers.lox24.client import Lox24Client, Query
from sms_etl.providers.lox24.paging import Page, read_page, window_query
from sms_etl.providers.lox24.records import Keys
from sms_etl.sync.plan import MOST_PAGES, Span
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts, differs
from sms_etl.sync.streams import Stream

_PAGES_AT_ONCE = 64
"""Pages that are asked for together: a window's, but not each of the million a wrong total may promise."""
_COUNTED_AT_ONCE = 16
"""The same where nothing tells how many there are."""
_MOST_EXTRA_PAGES = 1000
"""A provider whose pages grow smaller is followed for so many pages beyond those its total promised."""
_MOST_PAGES_COUNTED = 100_000
"""Of one second. A provider that never answers an empty page is not followed for ever."""

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
    """More pages than a window is to have, where no total told so before."""

    def __init__(self, last_second: int | None) -> None:
        super().__init__()
        self.last_second = last_second


class TiesError(Exception):
    """A second's rows could not be collected, since their order changes from page to page."""

    def __init__(self, second: int, message: str) -> None:
        super().__init__(message)
        self.second = second
        self.message = message


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are asked for, and in which order."""

    span: Span
    filters: Query = ()
    orders: Query | None = None
    """None: oldest first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All pages of a question, once or, where rows had to be counted, twice."""

    question: Question
    window_id: UUID
    pages: Sequence[Page]
    total: int
    """How many rows there are."""

    def distinct(self) -> dict[Identity, msgspec.Raw]:
        """Return its rows, each once."""
        return {identity: raw for page in self.pages for identity, raw in identified(page)}

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

    async def page(self, question: Question, window_id: UUID, number: int = 1) -> Page:
        """Ask for one page.

        Raises:
            ProviderDiffers: It holds rows outside the time asked for.
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
        page = await self.client.get(self.stream.path, query, read_page, window_id=window_id, page=number)
        self._refuse_rows_outside(asked, page)
        return page

    def _asked(self, span: Span) -> Span:
        if self.facts.are_bounds_inclusive:
            return span
        return Span(max(0, span.since - 1), span.until + 1)

    def _refuse_rows_outside(self, asked: Span, page: Page) -> None:
        seconds = [second for keys in page.keys if (second := self.second_of(keys)) is not None]
        for second in (min(seconds), max(seconds)) if seconds else ():
            if not asked.holds(second):
                raise differs(
                    f"LOX24 does not obey the filter {self.stream.cursor} on {self.stream.path}: "
                    "it answered a row outside the time asked for."
                )

    def second_of(self, keys: Keys) -> int | None:
        """Return the second a row lies in."""
        return keys.created_at if self.stream.cursor == "created_at" else keys.processed_at

    def total(self, page: Page) -> int | None:
        """Return how many rows the listing of a page has; None if that cannot be told by a page."""
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
        self._refuse_contradictions(pages, total)
        await self._refuse_more_than_promised(question, window_id, pages, total)
        return Reading(question, window_id, pages, total)

    async def _promised(self, question: Question, window_id: UUID, first: Page, total: int) -> list[Page]:
        """Read as many pages as the total promises, and more if they are smaller than the first."""
        if not first.rows:
            return [first]
        promised = -(-total // len(first.rows))
        pages = [first]
        async for page in self._pages(question, window_id, promised):
            pages.append(page)
            if not page.rows:
                return pages
        while sum(len(page.rows) for page in pages) < total and pages[-1].rows:
            if len(pages) > promised + _MOST_EXTRA_PAGES or any(page.total != first.total for page in pages):
                break
            pages.append(await self.page(question, window_id, len(pages) + 1))
        return pages

    def _refuse_contradictions(self, pages: Sequence[Page], total: int) -> None:
        rows = sum(len(page.rows) for page in pages)
        if not pages[-1].rows and rows < total:
            raise ContradictionError(
                f"totals: LOX24 promises more rows of {self.stream.path} than its pages hold"
            )
        if rows > total:
            raise ContradictionError(
                f"totals: the pages of {self.stream.path} hold more rows than LOX24 promises"
            )

    async def _refuse_more_than_promised(
        self, question: Question, window_id: UUID, pages: Sequence[Page], total: int
    ) -> None:
        """Look behind the last page where it is full, as it is if totals stop at a round number."""
        last = pages[-1]
        is_full = len(pages) > 1 and len(last.rows) >= len(pages[0].rows)
        if not last.has_next and not is_full:
            return
        behind = await self.beyond(question, window_id, len(pages) + 1)
        if behind.total not in {None, last.total}:
            raise MovedError
        if behind.rows:
            raise ContradictionError(
                f"totals: LOX24 tells {total} rows of {self.stream.path}, and more pages than they fill"
            )

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
        count = sum(len(page.rows) for page in once)
        if count != sum(len(page.rows) for page in twice):
            raise MovedError
        if {identity for identity, _ in _all(once)} == {identity for identity, _ in _all(twice)}:
            return Reading(question, window_id, once, count)
        return Reading(question, window_id, [*once, *twice], count)

    async def _until_empty(self, question: Question, window_id: UUID, first: Page) -> list[Page]:
        pages = [first]
        most = _MOST_PAGES_COUNTED if question.span.seconds == 1 else MOST_PAGES
        if not first.rows:
            return pages
        async for page in self._pages(question, window_id, most + 1, ramping=True):
            if not page.rows:
                return pages
            pages.append(page)
        if question.span.seconds == 1:
            raise ContradictionError(
                f"paging: LOX24 answers rows of {self.stream.path} on every page there is"
            )
        raise TooLongError(self.second_of(pages[-1].keys[-1]))

    async def _pages(
        self, question: Question, window_id: UUID, last: int, *, ramping: bool = False
    ) -> AsyncIterator[Page]:
        """Yield the pages from the second to the last, asked for some at a time.

        Args:
            question: What is asked for.
            window_id: For the ledger.
            last: Number of the last page.
            ramping: Begin with one, and double: where the end is not known, few are asked for in vain.
        """
        at_once = 1 if ramping else _PAGES_AT_ONCE
        number = 2
        while number <= last:
            behind = min(number + at_once, last + 1)
            for page in await together(
                *(self.beyond(question, window_id, each) for each in range(number, behind))
                if ramping
                else (self.page(question, window_id, each) for each in range(number, behind))
            ):
                yield page
            number, at_once = behind, min(2 * at_once, _COUNTED_AT_ONCE) if ramping else at_once


def with_filters(question: Question, filters: Query, orders: Query | None = None) -> Question:
    """Return a question narrowed by more conditions; one on the same parameter is replaced."""
    names = {name for name, _ in filters}
    kept = (pair for pair in question.filters if pair[0] not in names)
    return replace(question, filters=(*kept, *filters), orders=orders)


def _all(pages: Sequence[Page]) -> list[tuple[Identity, msgspec.Raw]]:
    return [row for page in pages for row in identified(page)]


def identified(page: Page) -> list[tuple[Identity, msgspec.Raw]]:
    """Return the rows of a page, each with what tells it apart."""
    return [(identity(keys, raw), raw) for keys, raw in zip(page.keys, page.rows, strict=True)]


def identity(keys: Keys, raw: msgspec.Raw) -> Identity:
    """Tell rows apart: by uuid, or by all its bytes where it has none that is readable."""
    return bytes(raw) if keys.uuid is None else keys.uuid.lower()


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
