"""Lets one step of a run work while the next one does, so that fetching, landing and loading overlap."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

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


async def stream_of(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Return what is there already as a source."""
    for item in items:
        yield item


async def map_ordered(
    source: AsyncIterator[Item], make: Callable[[Item], Coroutine[Any, Any, Made]], at_once: int
) -> AsyncIterator[Made]:
    """Make something of each item, so many at a time, and give it in the items' order.

    An error of the source comes after what was made of the items before it, one of the making in its place.
    """
    items = aiter(source)
    making: deque[asyncio.Task[Made]] = deque()
    error: Exception | None = None
    try:
        while error is None:
            try:
                making.append(asyncio.create_task(make(await anext(items))))
            except StopAsyncIteration:
                break
            except Exception as exc:  # noqa: BLE001 - it is raised below
                error = exc
            if len(making) == at_once:
                yield await making.popleft()
        while making:
            yield await making.popleft()
        if error is not None:
            raise error
    finally:
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)


class _End:
    """No more items, and why."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
