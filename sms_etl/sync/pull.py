"""Pulls spans of time and single rows from the provider into the warehouse, and confirms what was missing."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from sms_etl.clock import from_unix
from sms_etl.errors import BadRequest, ProviderDiffers
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.sync import fetch
from sms_etl.sync.fetch import FetchedWindow
from sms_etl.sync.intake import Intake
from sms_etl.sync.knowledge import Knowledge
from sms_etl.sync.landing.files import Landed
from sms_etl.sync.loading.missing import Missing
from sms_etl.sync.plan import Purpose, Span
from sms_etl.sync.settle import UUIDS_PER_WINDOW
from sms_etl.sync.streaming import stream_of
from sms_etl.sync.streams import SMS, Stream
from sms_etl.sync.task import Progress

_log = logging.getLogger(__name__)

_DOING = {
    Purpose.FORWARD: "reading",
    Purpose.BACKFILL: "reading",
    Purpose.REPLAY: "reading",
    Purpose.SETTLE: "settling",
    Purpose.RECONCILE: "reconciling",
}


class Puller:
    """Pulls rows for one run.

    Args:
        client: Of the account.
        knowledge: Of the provider.
        intake: Takes in what is pulled.
        window_rows: Rows of a window, about.
        uuids_per_request: How many rows are asked for by uuid at once.
        page_size: Rows on a page, as earlier runs saw it.
        on_progress: Is told how far it is.
    """

    def __init__(
        self,
        client: Lox24Client,
        knowledge: Knowledge,
        intake: Intake,
        *,
        window_rows: int,
        uuids_per_request: int,
        page_size: int,
        on_progress: Progress | None,
    ) -> None:
        self._client = client
        self._knowledge = knowledge
        self._intake = intake
        self._window_rows = window_rows
        self._uuids_per_request = uuids_per_request
        self._on_progress = on_progress
        self._expected: Counter[str] = Counter()
        """Rows by step: a step may read spans and ask for single rows, one after the other."""
        self.page_size = page_size
        """Rows on the fullest page seen."""

    async def span(self, stream: Stream, span: Span, purpose: Purpose, *, advances: bool = False) -> None:
        """Read a span, window by window, load it, and ask for what was stored there but not answered.

        Args:
            stream: Of the span.
            span: What to read.
            purpose: Why.
            advances: Whether it moves the watermark.
        """
        step = f"{_DOING[purpose]} {stream.name}"
        _log.info("%s: %s.", step, span_text(span))

        def expect(rows: int) -> None:
            self._expected[step] += rows
            self._intake.writer.expect(rows)

        async def fetched() -> AsyncIterator[FetchedWindow]:
            facts = self._knowledge.facts
            async for window in fetch.windows(
                self._client, stream, span, window_rows=self._window_rows, on_total=expect, facts=facts
            ):
                self.page_size = max(self.page_size, window.page_size)
                count = len(window.rows)
                _log.info(
                    "Read %s of %s: %d rows, %d pages, attempt %d.",
                    span_text(window.span),
                    stream.name,
                    count,
                    window.pages,
                    window.attempts,
                )
                yield window
                self._tell(step, count)

        missing = await self._intake.take_in(stream, fetched(), purpose, advances=advances)
        await self._confirm(stream, missing, purpose)

    async def uuids(self, stream: Stream, uuids: Sequence[str], purpose: Purpose) -> None:
        """Ask for rows by uuid, and load what is answered."""

        async def answered() -> AsyncIterator[FetchedWindow]:
            for start in range(0, len(uuids), UUIDS_PER_WINDOW):
                part = uuids[start : start + UUIDS_PER_WINDOW]
                yield await self._by_uuid(stream, part)
                self._tell(step, len(part))

        step = f"{_DOING[purpose]} {stream.name}"
        self._expected[step] += len(uuids)
        if uuids:
            await self._intake.take_in(stream, answered(), purpose, advances=False)

    async def landed(self, stream: Stream, files: Sequence[Landed]) -> None:
        """Load what an earlier run landed, and ask for messages that were missing from its windows."""
        missing = await self._intake.load_landed(stream, stream_of(files))
        if stream is SMS:
            await self._confirm(stream, missing, Purpose.SETTLE)

    async def count(self, stream: Stream, span: Span) -> int:
        """Return how many rows the provider has in a span."""
        return await fetch.count(self._client, stream, span, self._knowledge.facts)

    async def _confirm(self, stream: Stream, missing: Missing, purpose: Purpose) -> None:
        """Ask for what is stored but was not in its window: it is deleted, or was missed."""
        to_ask = missing.of_some
        for uuids in missing.of_all:
            pruned = await fetch.all_gone(self._client, stream, uuids) if len(uuids) > fetch.SAMPLE else None
            if pruned is None:
                to_ask += uuids
                continue
            _log.info("The provider has none of %d stored rows of %s any more.", len(uuids), stream.name)
            await self._intake.take_in(stream, stream_of([pruned]), purpose, advances=False)
        await self.uuids(stream, to_ask, purpose)

    async def _by_uuid(self, stream: Stream, uuids: Sequence[str]) -> FetchedWindow:
        """Ask for rows by uuid, one by one where their listing has no such filter."""
        if not self._knowledge.facts.obeys_uuids(stream):
            return await fetch.one_by_one(self._client, stream, uuids)
        try:
            return await fetch.by_uuid(self._client, stream, uuids, self._uuids_per_request)
        except (ProviderDiffers, BadRequest) as exc:
            self._knowledge.note_uuids_disobeyed(stream, exc)
        return await fetch.one_by_one(self._client, stream, uuids)

    def _tell(self, step: str, done: int) -> None:
        if self._on_progress:
            self._on_progress(step, done, self._expected[step])


def span_text(span: Span | None) -> str:
    """Return a span as it is logged."""
    if span is None:
        return "uuids"
    return f"{from_unix(span.since)} to {from_unix(span.until)}"
