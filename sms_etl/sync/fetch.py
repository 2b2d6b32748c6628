"""Reads a window of rows completely, or says that it would not hold still.

A window is complete when the distinct rows read are as many as the provider says there are, it said the
same number on every page, and every row lies inside. Otherwise it is read again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from sms_etl.errors import BadAnswer, NotFound, WindowUnstable
from sms_etl.providers.lox24.client import Answer, Lox24Client, Query
from sms_etl.providers.lox24.paging import Page, read_page, uuids_query, window_query
from sms_etl.sync.land import new_window_id
from sms_etl.sync.plan import Span, windows_of
from sms_etl.sync.streams import Stream

ATTEMPTS = 5
"""How often a window is read before it counts as unstable."""

_decode_key = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class FetchedWindow:
    """All rows of a span, read under a closed upper bound."""

    window_id: UUID
    span: Span | None
    """None if the rows were asked for by uuid."""
    rows: Sequence[msgspec.Raw]
    pages: int
    attempts: int
    gone: Sequence[str] = ()
    """Uuids that were asked for and that the provider says are deleted."""


class _MovedError(Exception):
    """The window changed while it was read."""


class _Key(msgspec.Struct):
    uuid: str


async def windows(
    client: Lox24Client, stream: Stream, span: Span, *, on_total: Callable[[int], None]
) -> AsyncIterator[FetchedWindow]:
    """Read a span, window by window, oldest first.

    Args:
        client: Of the provider.
        stream: Which listing.
        span: What to read.
        on_total: Is told how many rows the whole span holds, once.

    Raises:
        WindowUnstable: A window changed each time it was read.
        ProviderError: See its subclasses.
    """
    to_read = [span]
    first_look = True
    while to_read:
        window = to_read.pop(0)
        window_id = new_window_id()
        first = await _page(client, stream, window, window_id, 1)
        if first_look:
            on_total(first.total)
            first_look = False
        parts = windows_of(
            window, total=first.total, page_size=len(first.rows), first_second=_first_second(stream, first)
        )
        if len(parts) > 1:
            to_read[:0] = parts
        else:
            yield await _whole_window(client, stream, window, window_id, first)


async def by_uuid(client: Lox24Client, stream: Stream, uuids: Sequence[str], batch: int) -> FetchedWindow:
    """Read rows by their uuids; those not answered are asked for one by one and reported as gone on a 404.

    Args:
        client: Of the provider.
        stream: Which listing.
        uuids: At least one.
        batch: Most uuids in one request.
    """
    window_id = new_window_id()
    batches = [uuids[start : start + batch] for start in range(0, len(uuids), batch)]
    answers = await asyncio.gather(*(_batch(client, stream, part, window_id) for part in batches))
    rows = {_identity(raw): raw for pages in answers for page in pages for raw in page.rows}
    missing = [uuid for uuid in uuids if uuid.encode() not in rows]
    singles = await asyncio.gather(*(_single(client, stream, uuid, window_id) for uuid in missing))
    gone = [uuid for uuid, found in zip(missing, singles, strict=True) if found is None]
    found = [raw for raw in singles if raw is not None]
    pages = sum(len(answer) for answer in answers)
    return FetchedWindow(window_id, None, [*rows.values(), *found], pages, 1, gone)


async def _whole_window(
    client: Lox24Client, stream: Stream, window: Span, window_id: UUID, first: Page
) -> FetchedWindow:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            pages = [first, *await _further_pages(client, stream, window, window_id, first)]
            rows = _distinct_rows(stream, window, pages)
            return FetchedWindow(window_id, window, rows, len(pages), attempt)
        except _MovedError:
            first = await _page(client, stream, window, window_id, 1)
    raise WindowUnstable(
        f"The {first.total} rows of {stream.path} between {window.since} and {window.until} (unix seconds) "
        f"changed each of the {ATTEMPTS} times they were read.",
        hint="All before them is loaded and the watermark stands there. Run `sms-etl sync` again.",
    )


async def _further_pages(
    client: Lox24Client, stream: Stream, window: Span, window_id: UUID, first: Page
) -> list[Page]:
    if not first.rows:
        return []
    count = -(-first.total // len(first.rows))
    return await asyncio.gather(
        *(_page(client, stream, window, window_id, page) for page in range(2, count + 1))
    )


def _distinct_rows(stream: Stream, window: Span, pages: Sequence[Page]) -> list[msgspec.Raw]:
    total = pages[0].total
    rows = {_identity(raw): raw for page in pages for raw in page.rows}
    if len(rows) != total or any(page.total != total for page in pages):
        raise _MovedError
    for raw in rows.values():
        second = _second_of(stream, raw)
        if second is not None and not window.holds(second):
            raise BadAnswer(
                f"LOX24 answered a row of {stream.path} outside the time asked for.",
                hint=f"It does not obey the filter {stream.cursor}; nothing of this window was loaded.",
            )
    return list(rows.values())


def _identity(raw: msgspec.Raw) -> bytes:
    """Tell rows apart: by uuid, or by all its bytes where it has none that is readable."""
    try:
        return msgspec.json.decode(raw, type=_Key).uuid.lower().encode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return bytes(raw)


def _first_second(stream: Stream, page: Page) -> int | None:
    return _second_of(stream, page.rows[0]) if page.rows else None


def _second_of(stream: Stream, raw: msgspec.Raw) -> int | None:
    try:
        value = _decode_key(raw).get(stream.cursor)
        return None if value is None else msgspec.json.decode(value, type=int)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def _page(client: Lox24Client, stream: Stream, window: Span, window_id: UUID, page: int) -> Page:
    query = window_query(stream.cursor, window.since, window.until, page)
    return await client.get(stream.path, query, read_page, window_id=window_id, page=page)


async def _batch(client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID) -> list[Page]:
    async def page_of(number: int) -> Page:
        query: Query = uuids_query(uuids, number)
        return await client.get(stream.path, query, read_page, window_id=window_id, page=number)

    first = await page_of(1)
    if not first.rows:
        return [first]
    count = -(-min(first.total, len(uuids)) // len(first.rows))
    return [first, *await asyncio.gather(*(page_of(number) for number in range(2, count + 1)))]


async def _single(client: Lox24Client, stream: Stream, uuid: str, window_id: UUID) -> msgspec.Raw | None:
    """Ask for one row; None if the provider says it is not there."""
    try:
        return await client.get(f"{stream.path}/{uuid}", (), _read_single, window_id=window_id)
    except NotFound:
        return None


def _read_single(answer: Answer) -> msgspec.Raw:
    try:
        msgspec.json.decode(answer.body, type=_Key)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadAnswer("An answer of LOX24 is not a message.", request_id=answer.request_id) from exc
    return msgspec.Raw(answer.body)
