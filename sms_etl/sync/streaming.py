"""Asynchronous pipelines: prefetching and ordered maps, so that fetching, landing and loading overlap."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


async def prefetch(source: AsyncIterator[Item], most: int) -> AsyncIterator[Item]:
    """Prefetch from a source, a bounded number of items; its error is raised after its items.

    Args:
        source: Is closed when nothing more is taken.
        most: Items that may wait; bounds the memory.
    """
    ahead = _Prefetched(source, most)
    try:
        async for item in ahead.items():
            yield item
    finally:
        await ahead.close()


async def chain_ahead(
    source: AsyncIterator[Item], make: Callable[[Item], AsyncIterator[Made]]
) -> AsyncIterator[Made]:
    """Chain what is made of each item, in order; the next item's is begun while one's is taken.

    Of that, one waits at most. The items themselves are taken from the source ahead of that, two at most, so
    that none is waited for. An error comes in the place of what it kept from being made.
    """
    source_ahead = _Prefetched(source, 1)
    items = source_ahead.items()

    async def begin() -> _Prefetched[Made] | None:
        try:
            return _Prefetched(make(await anext(items)), 1)
        except StopAsyncIteration:
            return None

    begun: _Prefetched[Made] | None = None
    following = asyncio.create_task(begin())
    try:
        while (begun := await following) is not None:
            following = asyncio.create_task(begin())
            async for made in begun.items():
                yield made
    finally:
        following.cancel()
        for each in (begun, *await asyncio.gather(following, return_exceptions=True)):
            if isinstance(each, _Prefetched):
                await each.close()
        await source_ahead.close()


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


class _Prefetched(Generic[Item]):
    """The items of a source, which are taken from it from now on; see `prefetch`."""

    def __init__(self, source: AsyncIterator[Item], most: int) -> None:
        self._queue: asyncio.Queue[Item | _End] = asyncio.Queue(most)
        self._filling = asyncio.create_task(self._fill(source))

    async def items(self) -> AsyncIterator[Item]:
        """Yield them, then raise the error of the source."""
        while not isinstance(item := await self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    async def close(self) -> None:
        """Take nothing more from the source."""
        self._filling.cancel()
        with suppress(asyncio.CancelledError):
            await self._filling

    async def _fill(self, source: AsyncIterator[Item]) -> None:
        try:
            async for item in source:
                await self._queue.put(item)
        except Exception as exc:  # noqa: BLE001 - it is raised where the items are taken
            await self._queue.put(_End(exc))
        else:
            await self._queue.put(_End(None))
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()  # now, not when it happens to be collected


class _End:
    """Marks the end of a source, with its error."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
