"""Reads a window of rows completely, or says that it would not hold still.

A window is complete when the distinct rows read are as many as the provider says there are, it said the
same number on every page, and every row lies inside. Otherwise it is read again; what moves too often is
cut in two, down to a second.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from sms_etl.errors import BadAnswer, NotFound, WindowUnstable
from sms_etl.providers.lox24.client import Answer, Lox24Client, Query
from sms_etl.providers.lox24.paging import Page, read_page, uuids_query, window_query
from sms_etl.providers.lox24.records import Keys, keys_of
from sms_etl.sync.landed import new_window_id
from sms_etl.sync.plan import Span, windows_of
from sms_etl.sync.streams import Stream

ATTEMPTS = 5
"""How often a window is read before it is cut in two, or counts as unstable if it is a single second."""
_MOST_EXTRA_PAGES = 1000
"""A provider whose pages grow smaller is followed for so many pages beyond those its total promised."""
MOST_ASKED_SINGLY = 50
"""So many missing rows are asked for one by one; that more are gone, two listings and a sample tell."""
SAMPLE = 5
"""How many of them a sample asks for: the first, the last, and what lies evenly between."""

_Answered = TypeVar("_Answered")


@dataclass(frozen=True, slots=True)
class FetchedWindow:
    """All rows of a span, read under a closed upper bound."""

    window_id: UUID
    span: Span | None
    """None if the rows were asked for by uuid."""
    rows: Sequence[msgspec.Raw]
    pages: int
    attempts: int
    page_size: int
    """Rows on the fullest page."""
    gone: Sequence[str] = ()
    """Uuids that were asked for and that the provider says are deleted."""
    is_pruned: bool = False
    """Whether they are all that was stored in a span in which the provider has nothing any more."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """A span whose first page was read."""

    span: Span
    window_id: UUID
    first: Page


class _MovedError(Exception):
    """The window changed while it was read."""


async def windows(
    client: Lox24Client, stream: Stream, span: Span, *, on_total: Callable[[int], None]
) -> AsyncIterator[FetchedWindow]:
    """Read a span, window by window, oldest first; the next one's first page is asked for meanwhile.

    Args:
        client: Of the provider.
        stream: Which listing.
        span: What to read.
        on_total: Is told how many rows the whole span holds, once.

    Raises:
        WindowUnstable: A second changed each time it was read.
        ProviderError: See its subclasses.
    """
    reader = _Reader(client, stream)
    looked = await reader.look(span)
    on_total(looked.first.total)
    to_read: list[Span] = []
    while True:
        parts = reader.cut(looked)
        if len(parts) > 1:
            to_read[:0] = parts
        else:
            ahead = asyncio.ensure_future(reader.look(to_read.pop(0))) if to_read else None
            try:
                async for window in reader.whole(looked):
                    yield window
                if ahead is None:
                    return
                looked = await ahead
                continue
            finally:
                if ahead is not None and not ahead.done():
                    ahead.cancel()
                    with suppress(asyncio.CancelledError):
                        await ahead
        looked = await reader.look(to_read.pop(0))


async def first_page(client: Lox24Client, stream: Stream, span: Span) -> Page:
    """Ask for the first page of a span: it tells how many rows the whole span holds."""
    return (await _Reader(client, stream).look(span)).first


async def by_uuid(client: Lox24Client, stream: Stream, uuids: Sequence[str], batch: int) -> FetchedWindow:
    """Read rows by their uuids; those not answered are reported as gone once that is confirmed.

    Few are confirmed one by one, by a 404. More than `MOST_ASKED_SINGLY` must be missing from a second
    listing too, and a sample of them be answered by 404; if any is there after all, each is asked for.

    Args:
        client: Of the provider.
        stream: Which listing.
        uuids: At least one.
        batch: Most uuids in one request.

    Raises:
        BadAnswer: The provider does not obey the filter: it answered rows that were not asked for.
        ProviderError: See its other subclasses.
    """
    window_id = new_window_id()
    pages = await _listed(client, stream, uuids, batch, window_id)
    missing = _not_on(pages, uuids)
    are_gone = False
    if len(missing) > MOST_ASKED_SINGLY:
        pages += await _listed(client, stream, missing, batch, window_id)
        missing = _not_on(pages, missing)
        are_gone = await _are_gone(client, stream, missing, window_id)
    found, gone = ([], missing) if are_gone else await _confirmed(client, stream, missing, window_id)
    return FetchedWindow(
        window_id=window_id,
        span=None,
        rows=[*_by_identity(pages).values(), *found],
        pages=len(pages),
        attempts=1,
        page_size=max((len(page.rows) for page in pages), default=0),
        gone=gone,
    )


async def one_by_one(client: Lox24Client, stream: Stream, uuids: Sequence[str]) -> FetchedWindow:
    """Read rows each by its own request: for a listing that does not obey the filter `uuid`."""
    window_id = new_window_id()
    found, gone = await _confirmed(client, stream, uuids, window_id)
    return FetchedWindow(window_id, None, found, pages=0, attempts=1, page_size=0, gone=gone)


async def all_gone(client: Lox24Client, stream: Stream, uuids: Sequence[str]) -> FetchedWindow | None:
    """Confirm by a sample that rows are gone; None if any of the sample is still there.

    Args:
        client: Of the provider.
        stream: Which listing.
        uuids: All that was stored in a span of which a listing says that it holds nothing; in order.
    """
    window_id = new_window_id()
    if not await _are_gone(client, stream, uuids, window_id):
        return None
    return FetchedWindow(window_id, None, (), pages=0, attempts=1, page_size=0, gone=uuids, is_pruned=True)


async def _are_gone(client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID) -> bool:
    found, _ = await _confirmed(client, stream, _sample(uuids), window_id)
    return not found


def _sample(uuids: Sequence[str]) -> Sequence[str]:
    if len(uuids) <= SAMPLE:
        return uuids
    return [uuids[place * (len(uuids) - 1) // (SAMPLE - 1)] for place in range(SAMPLE)]


async def _listed(
    client: Lox24Client, stream: Stream, uuids: Sequence[str], batch: int, window_id: UUID
) -> list[Page]:
    batches = [uuids[start : start + batch] for start in range(0, len(uuids), batch)]
    answers = await _together(*(_batch(client, stream, part, window_id) for part in batches))
    pages = [page for answer in answers for page in answer]
    if not _by_identity(pages).keys() <= set(uuids):
        raise BadAnswer(
            f"LOX24 answered rows of {stream.path} that were not asked for.",
            hint="It does not obey the filter uuid; the answer was not loaded.",
        )
    return pages


def _by_identity(pages: Sequence[Page]) -> dict[str | bytes, msgspec.Raw]:
    return {
        _identity(keys, raw): raw for page in pages for keys, raw in zip(page.keys, page.rows, strict=True)
    }


def _not_on(pages: Sequence[Page], uuids: Sequence[str]) -> list[str]:
    there = _by_identity(pages)
    return [uuid for uuid in uuids if uuid not in there]


async def _confirmed(
    client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID
) -> tuple[list[msgspec.Raw], list[str]]:
    """Ask one by one for rows a listing did not give; give those there are, and the uuids of the rest."""
    singles = await _together(*(_single(client, stream, uuid, window_id) for uuid in uuids))
    gone = [uuid for uuid, found in zip(uuids, singles, strict=True) if found is None]
    return [raw for raw in singles if raw is not None], gone


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one stream."""

    client: Lox24Client
    stream: Stream

    async def look(self, span: Span) -> _Looked:
        window_id = new_window_id()
        return _Looked(span, window_id, await self.page(span, window_id, 1))

    def cut(self, looked: _Looked) -> tuple[Span, ...]:
        first = looked.first
        return windows_of(
            looked.span, total=first.total, page_size=len(first.rows), first_second=self.first_second(first)
        )

    def first_second(self, first: Page) -> int | None:
        return _second_of(self.stream, first.keys[0]) if first.rows else None

    async def whole(self, looked: _Looked) -> AsyncIterator[FetchedWindow]:
        """Read a window until it holds still; one that does not is cut in two."""
        first = looked.first
        for attempt in range(1, ATTEMPTS + 1):
            try:
                pages = await self.pages(looked, first)
                rows = self.distinct(looked.span, pages)
            except _MovedError:
                first = await self.page(looked.span, looked.window_id, 1)
                continue
            page_size = max(len(page.rows) for page in pages)
            yield FetchedWindow(looked.window_id, looked.span, rows, len(pages), attempt, page_size)
            return
        parts = looked.span.split_behind(self.first_second(first), 2)
        if len(parts) == 1:
            raise WindowUnstable(
                f"The {first.total} rows of {self.stream.path} in the second {looked.span.until} (unix) "
                f"changed each of the {ATTEMPTS} times they were read.",
                hint="All before them is loaded and the watermark stands there. Run `sms-etl sync` again.",
            )
        for part in parts:
            async for window in self.whole(await self.look(part)):
                yield window

    async def pages(self, looked: _Looked, first: Page) -> list[Page]:
        """Read the pages behind the first: as many as the total promises, and more if they are smaller."""
        if not first.rows:
            return [first]
        promised = -(-first.total // len(first.rows))
        numbers = range(2, promised + 1)
        pages = [
            first,
            *await _together(*(self.page(looked.span, looked.window_id, number) for number in numbers)),
        ]
        while sum(len(page.rows) for page in pages) < first.total and pages[-1].rows:
            if len(pages) > promised + _MOST_EXTRA_PAGES or any(page.total != first.total for page in pages):
                break
            pages.append(await self.page(looked.span, looked.window_id, len(pages) + 1))
        return pages

    def distinct(self, span: Span, pages: Sequence[Page]) -> list[msgspec.Raw]:
        """Give the rows of a window, each once, if they are all there."""
        total = pages[0].total
        rows = _each_once(pages)
        if len(rows) != total or any(page.total != total for page in pages):
            raise _MovedError
        times = [_second_of(self.stream, keys) for page in pages for keys in page.keys]
        seconds = [second for second in times if second is not None]
        for second in (min(seconds), max(seconds)) if seconds else ():
            if not span.holds(second):
                raise BadAnswer(
                    f"LOX24 answered a row of {self.stream.path} outside the time asked for.",
                    hint=f"It does not obey the filter {self.stream.cursor}; the window was not loaded.",
                )
        return rows

    async def page(self, span: Span, window_id: UUID, number: int) -> Page:
        query = window_query(self.stream.cursor, span.since, span.until, number)
        return await self.client.get(self.stream.path, query, read_page, window_id=window_id, page=number)


def _each_once(pages: Sequence[Page]) -> list[msgspec.Raw]:
    rows = [raw for page in pages for raw in page.rows]
    keys = [each for page in pages for each in page.keys]
    uuids = {each.uuid.lower() for each in keys if each.uuid is not None}
    if len(uuids) == len(rows):
        return rows
    return list({_identity(each, raw): raw for each, raw in zip(keys, rows, strict=True)}.values())


def _identity(keys: Keys, raw: msgspec.Raw) -> str | bytes:
    """Tell rows apart: by uuid, or by all its bytes where it has none that is readable."""
    return bytes(raw) if keys.uuid is None else keys.uuid.lower()


def _second_of(stream: Stream, keys: Keys) -> int | None:
    return keys.created_at if stream.cursor == "created_at" else keys.processed_at


async def _together(*requests: Coroutine[Any, Any, _Answered]) -> list[_Answered]:
    """Wait for requests made at once; after the first that fails, none of the others goes on."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _batch(client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID) -> list[Page]:
    async def page_of(number: int) -> Page:
        query: Query = uuids_query(uuids, number)
        return await client.get(stream.path, query, read_page, window_id=window_id, page=number)

    first = await page_of(1)
    if not first.rows:
        return [first]
    count = -(-min(first.total, len(uuids)) // len(first.rows))
    return [first, *await _together(*(page_of(number) for number in range(2, count + 1)))]


async def _single(client: Lox24Client, stream: Stream, uuid: str, window_id: UUID) -> msgspec.Raw | None:
    """Ask for one row; None if the provider says it is not there."""
    try:
        return await client.get(f"{stream.path}/{uuid}", (), _read_single, window_id=window_id)
    except NotFound:
        return None


def _read_single(answer: Answer) -> msgspec.Raw:
    if keys_of(msgspec.Raw(answer.body)).uuid is None:
        raise BadAnswer("An answer of LOX24 is not a message.", request_id=answer.request_id)
    return msgspec.Raw(answer.body)
