"""The sandbox's clock: it stands still until it is moved, or runs along with real time when live."""

import time
from collections.abc import Callable


class SandboxClock:
    """Whole unix seconds, never going back.

    Args:
        now: Where it starts.
        live: Whether it runs along with real time.
        monotonic: The real time it runs along with, in seconds.
    """

    def __init__(
        self, now: int, *, live: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._base = now
        self._monotonic = monotonic
        self._started = monotonic()
        self.is_live = live

    def now(self) -> int:
        """Return the present moment in unix seconds."""
        return self._base + (int(self._monotonic() - self._started) if self.is_live else 0)

    def move_to(self, moment: int) -> None:
        """Set the clock forward.

        Raises:
            ValueError: The moment is past.
        """
        if moment < self.now():
            raise ValueError(f"the clock is at {self.now()} and does not go back to {moment}")
        self._base, self._started = moment, self._monotonic()
