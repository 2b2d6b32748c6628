"""Reads a window of rows completely, or raises an error that says why not.

A window is complete when the distinct rows read are as many as the provider says there are, it said the
same number on every page, and every row lies inside. Where ties keep rows away, see ties.py; where rows came
or went, the window is read again, and what changes too often is cut in two, down to a second.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import msgspec

from sms_etl.errors import BadRequest, NotFound, WindowUnstable
from sms_etl.providers.lox24.client import Lox24Client, Query
from sms_etl.providers.lox24.paging import Page, lone_row, read_page, read_row, uuids_query
from sms_etl.providers.lox24.records import keys_of
from sms_etl.providers.lox24.salvage import Salvage
from sms_etl.sync.landing.files import new_window_id
from sms_etl.sync.pages import (
    ContradictionError,
    Found,
    MovedError,
    Question,
    Reader,
    TiesError,
    TooLongError,
    together,
)
from sms_etl.sync.plan import Span, windows_of
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts, differs
from sms_etl.sync.streaming import chain_ahead
from sms_etl.sync.streams import Stream
from sms_etl.sync.ties import completed

ATTEMPTS = 5
"""How often a window is read before it is cut in two, or counts as unstable if it is a single second."""
MOST_ASKED_SINGLY = 50
"""Up to so many missing rows are requested one by one; beyond, two listings and a sample decide."""
_ROWS_TO_COUNT = 5_000
"""Of a window whose rows are only counted."""
SAMPLE = 5
"""Size of the sample: the first, the last, and evenly spaced rows between."""


@dataclass(frozen=True, slots=True)
class FetchedWindow:
    """All rows of a span, read under a closed upper bound."""

    window_id: UUID
    span: Span | None
    """None if the rows were requested by uuid."""
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
class _Probe:
    """A span whose first page was read."""

    span: Span
    window_id: UUID
    first: Page


async def windows(
    client: Lox24Client,
    stream: Stream,
    span: Span,
    *,
    window_rows: int,
    on_total: Callable[[int], None],
    facts: ProviderFacts = AS_DOCUMENTED,
) -> AsyncIterator[FetchedWindow]:
    """Read a span, window by window, oldest first; the next one is begun meanwhile.

    Args:
        client: Of the provider.
        stream: Which listing.
        span: What to read.
        window_rows: Rows of a window, about: few enough to hold in memory and to read again if it changes,
            many enough that its file costs little beside them.
        on_total: Is told how many rows the whole span holds, once, if the provider says so.
        facts: What was found out about the provider.

    Raises:
        WindowUnstable: A second changed each time it was read, or its order did and no filter divides it.
        ProviderDiffers: The provider breaks what its rows are counted on.
        ProviderError: See its subclasses.
    """
    windows = _Windows(Reader(client, stream, facts), window_rows)
    probed = await windows.probe(span)
    total = windows.reader.total(probed.first)
    on_total(len(probed.first.rows) if total is None else total)
    async for window in chain_ahead(windows.small_ones(probed), windows.whole):
        yield window


async def count(client: Lox24Client, stream: Stream, span: Span, facts: ProviderFacts = AS_DOCUMENTED) -> int:
    """Return how many rows a span holds: by one request, or by reading them where no total can be trusted."""
    reader = Reader(client, stream, facts)
    first = await reader.page(Question(span), new_window_id())
    total = reader.total(first)
    if total is not None:
        return total
    read = windows(
        client, stream, span, window_rows=_ROWS_TO_COUNT, on_total=lambda _total: None, facts=facts
    )
    return sum([len(window.rows) async for window in read])


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
        ProviderDiffers: The answer holds rows that were not asked for.
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
        rows=[*_found_on(pages).all_rows(), *found],
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
    answers = await together(*(_batch(client, stream, part, window_id) for part in batches))
    pages = [page for answer in answers for page in answer]
    if not {row for row in _found_on(pages).rows if isinstance(row, str)} <= set(uuids):
        raise differs(
            f"LOX24 does not obey the filter uuid on {stream.path}: it answered rows that were not asked for."
        )
    return pages


def _found_on(pages: Sequence[Page]) -> Found:
    found = Found()
    for page in pages:
        found.add(page)
    return found


def _not_on(pages: Sequence[Page], uuids: Sequence[str]) -> list[str]:
    there = _found_on(pages).rows
    return [uuid for uuid in uuids if uuid not in there]


async def _confirmed(
    client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID
) -> tuple[list[msgspec.Raw], list[str]]:
    """Ask one by one for rows a listing did not give; give those there are, and the uuids of the rest."""
    singles = await together(*(_single(client, stream, uuid, window_id) for uuid in uuids))
    gone = [uuid for uuid, found in zip(uuids, singles, strict=True) if found is None]
    return [raw for raw in singles if raw is not None], gone


@dataclass(frozen=True, slots=True)
class _Windows:
    """Reads windows of one stream."""

    reader: Reader
    rows: int
    """Of a window, about."""

    async def small_ones(self, probed: _Probe) -> AsyncIterator[_Probe]:
        """Cut a span until its windows are small enough, and yield them, oldest first."""
        to_read: list[Span] = []
        while True:
            parts = self.cut(probed)
            if len(parts) > 1:
                to_read[:0] = parts
            else:
                yield probed
                if not to_read:
                    return
            probed = await self.probe(to_read.pop(0))

    async def probe(self, span: Span) -> _Probe:
        window_id = new_window_id()
        return _Probe(span, window_id, await self.reader.page(Question(span), window_id))

    def cut(self, probed: _Probe) -> tuple[Span, ...]:
        first = probed.first
        return windows_of(
            probed.span,
            total=self.reader.total(first) or 0,
            window_rows=self.rows,
            first_second=self.first_second(first, probed.span),
        )

    def first_second(self, first: Page, span: Span) -> int | None:
        """Return where the rows of a span begin, if the provider's order tells."""
        if not self.reader.facts.is_order_obeyed:
            return None
        return next(iter(self.reader.seconds_on(first, span)), None)

    async def whole(self, probed: _Probe) -> AsyncIterator[FetchedWindow]:
        """Read a window until it is complete; one that changes too often is cut in two."""
        first, contradictions = probed.first, 0
        parts: tuple[Span, ...] = ()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                yield await self.attempted(probed, first, attempt)
            except MovedError as exc:
                contradictions += isinstance(exc, ContradictionError)
                if contradictions == ATTEMPTS:
                    raise differs(f"LOX24 contradicts itself in {exc}.") from exc
            except TooLongError as exc:
                parts = self.cut_at(probed.span, exc.second)
                break
            except TiesError as exc:
                if probed.span.seconds == 1:
                    raise self.unstable(exc.message) from exc
                parts = self.cut_at(probed.span, exc.second)  # so that all before it is loaded
                break
            else:
                return
            first = await self.reader.page(Question(probed.span), probed.window_id)
        parts = parts or probed.span.split_behind(self.first_second(first, probed.span), 2)
        if len(parts) == 1:
            raise self.unstable(
                f"The rows of {self.reader.stream.path} in the second {probed.span.until} (unix) "
                f"changed each of the {ATTEMPTS} times they were read."
            )
        for part in parts:
            async for window in self.whole(await self.probe(part)):
                yield window

    async def attempted(self, probed: _Probe, first: Page, attempt: int) -> FetchedWindow:
        """Read a window once.

        Raises:
            MovedError: It changed meanwhile.
            TooLongError: It holds too many pages, which no total told before, or too large ones.
            TiesError: Rows of one of its seconds could not be collected.
        """
        reading = await self.reader.read(Question(probed.span), probed.window_id, first)
        rows = await completed(self.reader, reading)
        if not self.reader.facts.are_bounds_inclusive:
            rows = [raw for raw in rows if self.lies_in(probed.span, raw)]
        page_size = max(len(page.rows) for page in reading.pages)
        return FetchedWindow(probed.window_id, probed.span, rows, len(reading.pages), attempt, page_size)

    def lies_in(self, span: Span, raw: msgspec.Raw) -> bool:
        """Whether a row is one that was wanted, or a stranger, where more was asked for at both ends."""
        second = self.reader.second_of(keys_of(raw))
        return second is None or second not in {span.since - 1, span.until + 1}

    def cut_at(self, span: Span, second: int | None) -> tuple[Span, ...]:
        """Set a second apart from what is before and behind it; halves if the second is of no use."""
        if second is None or not span.holds(second) or not self.reader.facts.is_order_obeyed:
            return span.split(2)
        cuts = [span.since, *(cut for cut in (second, second + 1) if span.since < cut <= span.until)]
        ends = [*(cut - 1 for cut in cuts[1:]), span.until]
        return tuple(Span(since, until) for since, until in zip(cuts, ends, strict=True))

    def unstable(self, message: str) -> WindowUnstable:
        return WindowUnstable(
            message,
            hint="All before them is loaded and the watermark stands there. Run `sms-etl sync` again.",
        )


async def _batch(client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID) -> list[Page]:
    async def page_of(number: int) -> Page:
        query: Query = uuids_query(uuids, number)
        try:
            return await client.get(
                stream.path, query, read_page, window_id=window_id, page=number, piecewise=Salvage
            )
        except NotFound:  # behind the last page
            if number == 1:
                raise
            return Page((), None, ())

    try:
        first = await page_of(1)
    except BadRequest as exc:
        if exc.status != HTTPStatus.REQUEST_URI_TOO_LONG or len(uuids) == 1:
            raise
        return await _halves(client, stream, uuids, window_id)
    if not first.rows:
        return [first]
    # Without a total: as many as were asked for, if they are all there; those behind are then empty.
    promised = len(uuids) if first.total is None else min(first.total, len(uuids))
    count = -(-promised // len(first.rows))
    pages = [first, *await together(*(page_of(number) for number in range(2, count + 1)))]
    if any(page.is_cut for page in pages) and len(uuids) > 1:
        return await _halves(client, stream, uuids, window_id)
    return pages


async def _halves(client: Lox24Client, stream: Stream, uuids: Sequence[str], window_id: UUID) -> list[Page]:
    half = len(uuids) // 2
    return [
        *await _batch(client, stream, uuids[:half], window_id),
        *await _batch(client, stream, uuids[half:], window_id),
    ]


async def _single(client: Lox24Client, stream: Stream, uuid: str, window_id: UUID) -> msgspec.Raw | None:
    """Ask for one row; None if the provider says it is not there."""
    try:
        return await client.get(
            f"{stream.path}/{uuid}", (), read_row, window_id=window_id, piecewise=lone_row
        )
    except NotFound:
        return None
