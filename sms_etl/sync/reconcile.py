"""Compares what is stored with the provider's totals, day by day, and finds where they differ. Pure but for
the two counts it is given.

A day whose count differs is halved until the difference lies in a span of few rows: those are read again.
What the provider has nothing of any more is one span, however many days: it pruned its history.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sms_etl.sync.plan import Span

DAY = 86400
ROWS_READ_WHOLE = 200
"""A span of so few rows is read again instead of being halved further: two pages or so."""
MOST_ROWS_TOGETHER = 100_000
"""Vanished rows of neighbouring spans that are one span: their uuids are held in memory."""

Count = Callable[[Span], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A span in which provider and warehouse hold different numbers of messages."""

    span: Span
    at_provider: int
    stored: int

    @property
    def is_one(self) -> bool:
        """Whether the numbers do differ."""
        return self.at_provider != self.stored

    def with_next(self, later: "Difference") -> "Difference":
        """Join it with the one behind it."""
        return Difference(
            Span(self.span.since, later.span.until),
            self.at_provider + later.at_provider,
            self.stored + later.stored,
        )


async def differences(span: Span, *, at_provider: Count, stored: Count) -> AsyncIterator[Difference]:
    """Find the spans to read again, oldest first.

    Args:
        span: What to compare.
        at_provider: How many messages the provider has in a span: one request.
        stored: How many the warehouse has.
    """
    empty: Difference | None = None
    for day in _days(span):
        async for found in _narrowed(day, at_provider, stored):
            if empty and not found.at_provider and empty.stored + found.stored <= MOST_ROWS_TOGETHER:
                empty = empty.with_next(found)
                continue
            if empty and empty.is_one:
                yield empty
            empty = None if found.at_provider else found
            if not empty and found.is_one:
                yield found
    if empty and empty.is_one:
        yield empty


def _days(span: Span) -> tuple[Span, ...]:
    return span.split(-(-span.seconds // DAY))


async def _narrowed(span: Span, at_provider: Count, stored: Count) -> AsyncIterator[Difference]:
    """Cut a span where that saves requests; yield all its parts, those without a difference as well."""
    whole = Difference(span, await at_provider(span), await stored(span))
    is_small = span.seconds == 1 or max(whole.at_provider, whole.stored) <= ROWS_READ_WHOLE
    if is_small or not whole.is_one or not whole.at_provider:
        yield whole
        return
    found = False
    for half in span.split(2):
        async for part in _narrowed(half, at_provider, stored):
            found |= part.is_one
            yield part
    if not found:  # it changed while it was compared: read the whole of it
        yield whole
