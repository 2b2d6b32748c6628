"""Distinguishes a changed format from single bad rows, before anything of it is landed.

While a run has met no good row of a table, its windows of bad rows are held back, whole but not in their
places. The first good row shows that the format is still the one that is read here: what was held is landed,
and its bad rows go to quarantine. Without one, `MOST_BAD_ROWS` or more are an error, fewer go to quarantine.
What is held when a run fails or is killed is dropped. Nothing is lost by that: a watermark moves with good
rows only, so the next run reads the same windows again.
"""

from collections import Counter, deque
from collections.abc import AsyncIterator

from sms_etl.errors import FormatChanged
from sms_etl.sync.landing.files import StagedFile

MOST_BAD_ROWS = 100
"""So many rows without a good one among them are no accident."""


class FormatWatch:
    """Watches what one run reads of one table.

    Args:
        path: Of the listing, for the error.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_as_documented = False
        self._reasons: Counter[str] = Counter()
        self._held: deque[StagedFile] = deque()

    async def passed(self, asides: AsyncIterator[StagedFile]) -> AsyncIterator[StagedFile]:
        """Yield windows in their order, those of bad rows alone once a good row or the end has come.

        Raises:
            FormatChanged: The run has read a hundred rows or more of this table, none of them good.
        """
        try:
            async for aside in asides:
                self._look_at(aside)
                if self._is_as_documented or not (self._held or aside.reasons):
                    while self._held:
                        yield self._held.popleft()
                    yield aside
                else:
                    self._held.append(aside)
            if not self._is_as_documented and self._reasons.total() >= MOST_BAD_ROWS:
                raise self._changed()
            while self._held:
                yield self._held.popleft()
        finally:
            while self._held:
                self._held.popleft().discard()

    def _look_at(self, aside: StagedFile) -> None:
        self._reasons.update(aside.reasons)
        self._is_as_documented = self._is_as_documented or aside.landed.manifest.rows > 0

    def _changed(self) -> FormatChanged:
        [(reason, count)] = self._reasons.most_common(1)
        total = self._reasons.total()
        shared = "each" if count == total else f"{count:,} of them"
        return FormatChanged(
            f"The provider's format has changed: {total:,} rows of {self._path} were read and none is as "
            f"documented, {shared} for the reason: {reason}.",
            hint="None of them is loaded and the watermark stays. Ask the provider, or look for a newer "
            "sms_etl that reads the new format; the next sync reads all of them again.",
        )
