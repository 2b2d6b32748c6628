"""Writes what many requests wait for together: one write and one fsync for all that came meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

MOST_WAITING = 10_000
"""Lines that may wait for the write before theirs; more are refused."""


class NotStoredError(Exception):
    """Something could not be stored; its cause says why."""


class _Group:
    """What is written together."""

    __slots__ = ("done", "error", "lines")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.done = asyncio.Event()
        self.error: Exception | None = None


class TogetherWriter:
    """Gathers lines while the ones before are written, and then writes them all.

    Args:
        append: Writes whole lines durably; is called in one thread, never twice at once.
        tidy: Is called in the same thread now and then.
        most_waiting: Lines that may wait.
    """

    def __init__(
        self,
        append: Callable[[bytes], None],
        tidy: Callable[[], None],
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._append = append
        self._tidy = tidy
        self._most_waiting = most_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._gathering = _Group()
        self._writing: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None

    async def store(self, line: bytes) -> None:
        """Return once a line is on the disk.

        Raises:
            NotStoredError: It is not, or too many wait.
        """
        group = self._gathering
        if len(group.lines) >= self._most_waiting:
            raise NotStoredError("too many events wait to be written")
        group.lines.append(line)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all())
        await group.done.wait()
        if group.error is not None:
            raise NotStoredError from group.error

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathering.lines:
                group, self._gathering = self._gathering, _Group()
                try:
                    await loop.run_in_executor(self._thread, self._append, b"".join(group.lines))
                except Exception as exc:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                    group.error = exc
                finally:
                    group.done.set()
        finally:
            self._writing = None

    def start(self, tidy_every: float) -> None:
        """Begin to tidy, every so many seconds."""

        async def tidy() -> None:
            while True:
                await asyncio.sleep(tidy_every)
                with suppress(OSError):  # what is written is on the disk already
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._tidy)

        self._tidying = asyncio.get_running_loop().create_task(tidy())

    async def stop(self) -> None:
        """Write what waits, and end the thread."""
        if self._tidying is not None:
            self._tidying.cancel()
            with suppress(asyncio.CancelledError):
                await self._tidying
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()
