"""A model of the provider: rows in memory, asked through the client's own `get`, without HTTP.

It knows `GET /sms` by span, by uuid and by page, and `GET /sms/{uuid}`, as the provider's reference has them.
What the rows are, how many a page holds and what changes between two answers is the test's.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sms_etl.clock import Clock, system_clock
from sms_etl.errors import NotFound
from sms_etl.providers.lox24.bodies import Piecewise
from sms_etl.providers.lox24.client import Answer, Lox24Client, Query

Row = Mapping[str, Any]
Read = TypeVar("Read")

ACCOUNT = {"id": 4711, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was answered."""

    path: str
    query: Query
    window_id: UUID | None
    page: int | None

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last second asked for; None where it was something else."""
        asked = dict(self.query)
        if "created_at[gte]" not in asked:
            return None
        return int(asked["created_at[gte]"]), int(asked["created_at[lte]"])

    @property
    def uuids(self) -> tuple[str, ...]:
        """What was asked for by uuid, alone or with others."""
        alone = self.path.removeprefix("/sms/")
        listed = tuple(value for name, value in self.query if name == "uuid[]")
        return listed if alone == self.path else (alone, *listed)


class ModelProvider(Lox24Client):
    """A client whose requests are answered from memory.

    Args:
        rows: Gives the rows there are, in the listing's order; is called for each answer anew.
        page_size: Gives how many of them a page holds; is called for each listing anew.
        turns: Gives how many others go first while a request is under way.
        clock: Of the client.
    """

    def __init__(
        self,
        rows: Callable[[], Sequence[Row]],
        page_size: Callable[[], int],
        *,
        turns: Callable[[], int] = lambda: 0,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__("http://provider.invalid", "1:model", clock)
        self._rows = rows
        self._page_size = page_size
        self._turns = turns
        self.asked: list[Asked] = []

    async def get(
        self,
        path: str,
        query: Query,
        read: Callable[[Answer], Read],
        *,
        window_id: UUID | None = None,
        page: int | None = None,
        piecewise: Callable[[], Piecewise] | None = None,
    ) -> Read:
        """Answer as the provider would."""
        for _ in range(1 + self._turns()):  # what is asked at once is all under way before the first answer
            await asyncio.sleep(0)
        asked = Asked(path, query, window_id, page)
        self.asked.append(asked)
        return read(Answer(json.dumps(self._answer(asked)).encode(), None, {}))

    def _answer(self, asked: Asked) -> object:
        if asked.path == "/me":
            return ACCOUNT
        if asked.path == "/bulks":
            return _listing([], 0)
        rows = self._rows()
        if asked.path != "/sms":
            found = [row for row in rows if asked.path == f"/sms/{row['uuid']}"]
            if not found:
                raise NotFound(f"{asked.path} is not there.", status=404)
            return found[0]
        matches = [row for row in rows if _is_asked_for(row, asked)]
        size = self._page_size()
        start = (int(dict(asked.query)["page"]) - 1) * size
        return _listing(matches[start : start + size], len(matches))


def _is_asked_for(row: Row, asked: Asked) -> bool:
    if asked.span is not None:
        since, until = asked.span
        return since <= int(row["created_at"]) <= until
    return row["uuid"] in asked.uuids


def _listing(rows: Sequence[Row], total: int) -> dict[str, object]:
    return {"hydra:member": rows, "hydra:totalItems": total}
