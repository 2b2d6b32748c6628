"""Compares what is stored with the provider's totals, day by day, and finds where they differ. Pure but for
the two counts it is given.

A day whose count differs is halved until the difference lies in a span of few rows: those are read again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sms_etl.sync.plan import Span

DAY = 86400
ROWS_READ_WHOLE = 200
"""A span of so few rows is read again instead of being halved further: two pages or so."""

Count = Callable[[Span], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A span in which provider and warehouse hold different numbers of messages."""

    span: Span
    at_provider: int
    stored: int


async def differences(span: Span, *, at_provider: Count, stored: Count) -> AsyncIterator[Difference]:
    """Find the spans to read again, oldest first.

    Args:
        span: What to compare.
        at_provider: How many messages the provider has in a span: one request.
        stored: How many the warehouse has.
    """
    for day in _days(span):
        async for found in _narrowed(day, at_provider, stored):
            yield found


def _days(span: Span) -> tuple[Span, ...]:
    return span.split(-(-span.seconds // DAY))


async def _narrowed(span: Span, at_provider: Count, stored: Count) -> AsyncIterator[Difference]:
    there, here = await at_provider(span), await stored(span)
    if there == here:
        return
    if span.seconds == 1 or max(there, here) <= ROWS_READ_WHOLE:
        yield Difference(span, there, here)
        return
    found = False
    for half in span.split(2):
        async for difference in _narrowed(half, at_provider, stored):
            found = True
            yield difference
    if not found:  # it changed while it was compared: read the whole of it
        yield Difference(span, there, here)
