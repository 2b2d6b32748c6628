"""Asynchronous pipelines: prefetching and ordered maps, so that fetching, landing and loading overlap."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


async def prefetch(source: AsyncIterator[Item], most: int) -> AsyncIterator[Item]:
    """Prefetch from a source, a bounded number of items; its error is raised after its items.

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
    """Yield items that exist already."""
    for item in items:
        yield item


async def map_ordered(
    source: AsyncIterator[Item], make: Callable[[Item], Coroutine[Any, Any, Made]], at_once: int
) -> AsyncIterator[Made]:
    """Map items concurrently, a bounded number at a time, and yield the results in order.

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
    """Marks the end of a source, with its error."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
