"""How many requests are in flight, and how many a second: one more at a time, halved under strain.

The provider documents no rate limit, so none is assumed: the number of requests in flight grows by one for
each round that went well, and is halved on 429, 503, and when answers take much longer than they used to.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_SLOWER_BY = 4.0
"""So much slower than the usual answer counts as strain; pages of one account differ by less."""
_NOTICEABLE_SECONDS = 0.25
"""Answers quicker than this are no sign of strain, whatever they were before."""
_USUAL_WEIGHT = 0.05
"""How fast the usual time follows: twenty answers."""


class Limiter:
    """Gives places to requests.

    Args:
        most: Most requests in flight, ever.
        per_second: Most requests begun within a second; None: no such limit.
        now: A monotonic clock, in seconds.
        sleep: Waits for the next second's place.
    """

    def __init__(
        self,
        most: int,
        *,
        per_second: int | None = None,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.allowed = float(most)
        """Requests in flight that are allowed now; at least 1."""
        self._most = most
        self._per_second = per_second
        self._now = now
        self._sleep = sleep
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._begun: deque[float] = deque()
        self._usual: float | None = None
        self._halved_at = float("-inf")

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place, and give it back at the end."""
        await self._enter()
        try:
            await self._keep_to_the_second()
            yield
        finally:
            self._in_flight -= 1
            self._admit()

    def on_success(self, seconds: float) -> None:
        """Note an answer and how long it took."""
        usual = seconds if self._usual is None else self._usual
        if seconds > _NOTICEABLE_SECONDS and seconds > usual * _SLOWER_BY:
            self.on_overload()
        else:
            self.allowed = min(self.allowed + 1 / max(self.allowed, 1), self._most)
        self._usual = usual + (seconds - usual) * _USUAL_WEIGHT
        self._admit()

    def on_overload(self) -> None:
        """Halve what is allowed; once for all the requests that were in flight together."""
        now = self._now()
        if now - self._halved_at > (self._usual or 0):
            self.allowed = max(self.allowed / 2, 1.0)
            self._halved_at = now

    async def _enter(self) -> None:
        if self._in_flight < int(self.allowed) and not self._waiting:
            self._in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._in_flight < int(self.allowed):
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    async def _keep_to_the_second(self) -> None:
        if self._per_second is None:
            return
        while len(self._begun) >= self._per_second:
            wait = self._begun[0] + 1 - self._now()
            if wait <= 0:
                self._begun.popleft()
            else:
                await self._sleep(wait)
        self._begun.append(self._now())
