"""Which bulks are looked at where one may have been created, its answer being lost; no provider."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest

from sms_etl.clock import fixed_clock, to_unix
from sms_etl.errors import (
    AccountNotActive,
    AnswerLost,
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NoFunds,
    NotFound,
    NotSent,
    ProviderDiffers,
    Throttled,
    Unauthorised,
    Unavailable,
    UnexpectedRedirect,
    Unreachable,
)
from sms_etl.providers.lox24.bodies import Piecewise
from sms_etl.providers.lox24.bulk_search import BulkSearch, SearchResult
from sms_etl.providers.lox24.client import Answer, Query
from sms_etl.providers.lox24.writes import may_have_acted
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl_tests.providers.lox24.test_bulks import SHOWN

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIEST = to_unix(SINCE - timedelta(minutes=5))
Read = TypeVar("Read")


def id_of(number: int) -> UUID:
    return UUID(int=number)


def bulk(number: int, *, second: int | None = EARLIEST, **fields: Any) -> dict[str, Any]:
    return {**SHOWN, "uuid": str(id_of(number)), "created_at": second, **fields}


class Bulks(Lox24Writer):
    """Lists bulks and shows each, whatever the listing is asked for."""

    def __init__(self, bulks: Sequence[dict[str, Any]], *, page_size: int = 2) -> None:
        super().__init__("http://provider.invalid", "1:model", fixed_clock(SINCE))
        self.bulks = list(bulks)
        self.page_size = page_size
        self.asked: list[str] = []
        self.last_page: int | None = None
        """Is answered for every page behind it."""
        self.deleted: set[UUID] = set()

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
        del query, window_id, piecewise
        self.asked.append(path if page is None else f"{path} {page}")
        return read(Answer(json.dumps(self._shown(path, page)).encode(), None, {}))

    def _shown(self, path: str, page: int | None) -> object:
        if path == "/bulks":
            number = min(page or 1, self.last_page or 2**31)
            start = (number - 1) * self.page_size
            return {"hydra:member": self.bulks[start : start + self.page_size]}
        for each in self.bulks:
            if path == f"/bulks/{each['uuid']}" and UUID(each["uuid"]) not in self.deleted:
                return each
        raise NotFound("It is not there.", status=404)

    async def found(self, apart_from: Collection[UUID] = ()) -> BulkSearch:
        return await self.find_bulk(SINCE, SHOWN["sender_id"], SHOWN["text"], 2, apart_from=apart_from)

    @property
    def read(self) -> list[UUID]:
        """The bulks that were each read."""
        return [UUID(path.removeprefix("/bulks/")) for path in self.asked if path.startswith("/bulks/")]


async def test_a_bulk_counts_from_as_long_before_as_two_clocks_may_differ() -> None:
    provider = Bulks([bulk(1, second=EARLIEST - 1), bulk(2)])
    assert [status.uuid for status in (await provider.found()).bulks] == [id_of(2)]
    assert provider.read == [id_of(2)]


async def test_a_bulk_without_a_readable_time_is_looked_at() -> None:
    provider = Bulks([bulk(1, second=None), bulk(2)])
    with pytest.raises(BadAnswer):  # nobody knows what it is
        await provider.found()
    assert provider.read == [id_of(1)]


async def test_pages_of_older_bulks_are_passed_and_all_pages_are_read() -> None:
    older = [bulk(number, second=EARLIEST - 99) for number in range(1, 6)]
    provider = Bulks([*older, *(bulk(number) for number in range(6, 10))])
    found = await provider.found()
    assert [status.uuid for status in found.bulks] == [id_of(number) for number in range(6, 10)]
    assert [path for path in provider.asked if path.startswith("/bulks ")] == [
        f"/bulks {number}" for number in range(1, 7)
    ]


async def test_a_list_whose_last_page_comes_again_is_at_its_end() -> None:
    provider = Bulks([bulk(1), bulk(2), bulk(3)])
    provider.last_page = 2
    assert len((await provider.found()).bulks) == 3
    assert [path for path in provider.asked if path.startswith("/bulks ")] == [
        "/bulks 1",
        "/bulks 2",
        "/bulks 3",
    ]


async def test_a_list_that_does_not_end_is_refused_and_so_is_a_bulk_without_an_id() -> None:
    endless = Bulks([bulk(number) for number in range(1, 1002)], page_size=1)
    nameless = Bulks([bulk(1), bulk(2, uuid="?")])
    for provider in (endless, nameless):
        with pytest.raises(ProviderDiffers, match="cannot be read to its end"):
            await provider.found()
        assert provider.read == []
    assert len(endless.asked) == 1000


async def test_what_is_known_or_deleted_meanwhile_is_no_candidate() -> None:
    provider = Bulks([bulk(1), bulk(2), bulk(3)])
    provider.deleted = {id_of(2)}
    found = await provider.found([id_of(1)])
    assert (found.result, [status.uuid for status in found.bulks]) == (SearchResult.FOUND, [id_of(3)])
    assert provider.read == [id_of(2), id_of(3)]


@pytest.mark.parametrize(
    ("error", "is_open"),
    [
        (Unreachable("x"), True),
        (Unavailable("x"), True),
        (BadAnswer("x"), True),
        (AnswerLost("x"), True),
        (BadRequest("x", status=408), True),
        (RuntimeError("x"), True),
        (BadRequest("x", status=400), False),
        (NotSent("x"), False),
        (Throttled("x", status=429), False),
        (NotFound("x", status=404), False),
        (NoFunds("x"), False),
        (Unauthorised("x"), False),
        (AuthBlocked("x"), False),
        (AccountNotActive("x"), False),
        (UnexpectedRedirect("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_errors_leave_open_whether_a_write_was_carried_out(error: Exception, is_open: bool) -> None:
    assert may_have_acted(error) is is_open
