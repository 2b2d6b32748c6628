"""Lets one step of a run work while the next one does, so that fetching, landing and loading overlap."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


async def ahead(source: AsyncIterator[Item], most: int) -> AsyncIterator[Item]:
    """Let a source run ahead of who takes from it, by so many items; its error comes after its items.

    Args:
        source: Is closed when nothing more is taken.
        most: Items that may wait; bounds the memory.
    """
    queue: asyncio.Queue[Item | _End] = asyncio.Queue(most)

    async def fill() -> None:
        try:
            async for item in source:
                await queue.put(item)
        except Exception as exc:  # noqa: BLE001 - it is raised where the items are taken
            await queue.put(_End(exc))
        else:
            await queue.put(_End(None))

    filling = asyncio.create_task(fill())
    try:
        while not isinstance(item := await queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        filling.cancel()
        with suppress(asyncio.CancelledError):
            await filling


async def each_of(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Give what is there already as a source."""
    for item in items:
        yield item


async def each_in_a_thread(source: AsyncIterator[Item], make: Callable[[Item], Made]) -> AsyncIterator[Made]:
    """Make something of each item, in a thread, one after the other."""
    async for item in source:
        yield await asyncio.to_thread(make, item)


class _End:
    """No more items, and why."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
