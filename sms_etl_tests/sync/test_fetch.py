"""How rows are asked for by uuid, and how a span is counted and cut, at a provider in memory."""

from collections.abc import Sequence

import pytest

from sms_etl.errors import BadRequest, NotFound, ProviderDiffers, WindowUnstable
from sms_etl.providers.lox24.records import keys_of
from sms_etl.providers.lox24.salvage import IS_CUT
from sms_etl.sync import fetch
from sms_etl.sync.fetch import ATTEMPTS, MOST_ASKED_SINGLY, SAMPLE, FetchedWindow
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts
from sms_etl.sync.streams import SMS
from sms_etl_tests.sync.provider_model import Asked, ModelProvider
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of
from sms_etl_tests.sync.test_ties import ALONE, Habits, TiedProvider, alike

SPAN = Span(BEGIN, BEGIN + 99)


class Provider(ModelProvider):
    """A row a second; some are not in any listing, and a list of uuids may be too long."""

    def __init__(self, count: int, *, page_size: int = 10, most_uuids: int = 1000) -> None:
        super().__init__(self.listed, lambda: page_size)
        self.rows = [{"uuid": uuid_of(number), "created_at": BEGIN + number} for number in range(count)]
        self.unlisted: set[str] = set()
        self.too_long_status = 414
        self.most_uuids = most_uuids

    def listed(self) -> list[dict[str, object]]:
        return [row for row in self.rows if row["uuid"] not in self.unlisted]

    def _answer(self, asked: Asked) -> object:
        if len(asked.uuids) > self.most_uuids:
            raise BadRequest("The address is too long.", status=self.too_long_status)
        if asked.path == "/sms":
            return super()._answer(asked)
        found = [row for row in self.rows if asked.path == f"/sms/{row['uuid']}"]
        if not found:
            raise NotFound("It is not there.", status=404)
        return found[0]

    @property
    def singles(self) -> list[str]:
        """The uuids that were asked for each by its own request."""
        return [asked.path.removeprefix("/sms/") for asked in self.asked if asked.path != "/sms"]


def uuids(*numbers: int) -> list[str]:
    return [uuid_of(number) for number in numbers]


def uuids_in(window: FetchedWindow) -> list[str]:
    return [str(keys_of(raw).uuid) for raw in window.rows]


@pytest.mark.parametrize(
    ("missing", "listings", "singles"),
    [(MOST_ASKED_SINGLY, 1, MOST_ASKED_SINGLY), (MOST_ASKED_SINGLY + 1, 2, SAMPLE)],
)
async def test_few_missing_rows_are_asked_for_one_by_one_and_of_more_a_sample(
    missing: int, listings: int, singles: int
) -> None:
    provider = Provider(1)
    window = await fetch.by_uuid(provider, SMS, uuids(*range(missing + 1)), 1000)
    assert (uuids_in(window), list(window.gone)) == (uuids(0), uuids(*range(1, missing + 1)))
    assert (len(provider.asked) - len(provider.singles), len(provider.singles)) == (listings, singles)
    assert (window.pages, window.attempts, window.page_size, window.span) == (listings, 1, 1, None)
    assert not window.is_pruned


async def test_a_sample_is_the_first_the_last_and_those_evenly_between() -> None:
    provider = Provider(0)
    await fetch.by_uuid(provider, SMS, uuids(*range(101)), 1000)
    assert provider.singles == uuids(0, 25, 50, 75, 100)


async def test_if_any_of_a_sample_is_there_each_is_asked_for() -> None:
    provider = Provider(101)
    provider.unlisted = set(uuids(*range(101)))
    del provider.rows[1:100]
    window = await fetch.by_uuid(provider, SMS, uuids(*range(101)), 1000)
    assert (uuids_in(window), list(window.gone)) == (uuids(0, 100), uuids(*range(1, 100)))
    assert len(provider.singles) == SAMPLE + 101


async def test_a_second_listing_that_shows_what_the_first_did_not_is_believed() -> None:
    provider = Provider(200, page_size=1000)
    provider.unlisted = set(uuids(*range(60)))

    class Recovering(Provider):
        def _answer(self, asked: Asked) -> object:
            answer = provider._answer(asked)
            provider.unlisted.clear()
            return answer

    recovering = Recovering(0)
    window = await fetch.by_uuid(recovering, SMS, uuids(*range(200)), 1000)
    assert sorted(uuids_in(window)) == uuids(*range(200))
    assert (list(window.gone), recovering.singles) == ([], [])


async def test_all_gone_asks_for_a_sample_and_says_what_is_pruned() -> None:
    provider = Provider(0)
    window = await fetch.all_gone(provider, SMS, uuids(*range(SAMPLE + 1)))
    assert window is not None
    assert (list(window.gone), list(window.rows)) == (uuids(*range(SAMPLE + 1)), [])
    assert (window.is_pruned, window.pages, window.attempts, window.page_size) == (True, 0, 1, 0)
    assert len(provider.singles) == SAMPLE


async def test_nothing_is_all_gone_while_any_of_the_sample_is_there() -> None:
    assert await fetch.all_gone(Provider(1), SMS, uuids(*range(9))) is None


async def test_where_no_list_is_obeyed_each_is_asked_for_alone() -> None:
    provider = Provider(2)
    window = await fetch.one_by_one(provider, SMS, uuids(0, 1, 2))
    assert (uuids_in(window), list(window.gone)) == (uuids(0, 1), uuids(2))
    assert (window.pages, window.attempts, window.page_size, window.is_pruned) == (0, 1, 0, False)


async def test_rows_that_were_not_asked_for_are_refused() -> None:
    class Disobedient(Provider):
        def _answer(self, asked: Asked) -> object:
            return super()._answer(Asked(asked.path, (("page", "1"), ("uuid[]", uuid_of(7))), None, 1))

    with pytest.raises(ProviderDiffers, match="uuid"):
        await fetch.by_uuid(Disobedient(9), SMS, uuids(0, 1), 1000)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
async def test_a_list_that_is_too_long_for_an_address_is_halved_until_it_is_not(count: int) -> None:
    provider = Provider(8, most_uuids=2)
    window = await fetch.by_uuid(provider, SMS, uuids(*range(count)), 1000)
    assert (uuids_in(window), list(window.gone)) == (uuids(*range(count)), [])


@pytest.mark.parametrize(("most", "status"), [(0, 414), (1, 400)], ids=["one alone", "another reason"])
async def test_a_list_that_is_refused_otherwise_is_not_halved(most: int, status: int) -> None:
    provider = Provider(2, most_uuids=most)
    provider.too_long_status = status
    with pytest.raises(BadRequest):
        await fetch.by_uuid(provider, SMS, uuids(*range(most + 1)), 1000)
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (9, 1), (10, 1), (11, 2), (31, 4)])
async def test_the_pages_of_a_list_are_read_to_its_end_and_no_further(count: int, pages: int) -> None:
    provider = Provider(count)
    window = await fetch.by_uuid(provider, SMS, uuids(*range(count)) or uuids(99), 1000)
    assert (len(window.rows), window.pages) == (count, pages)
    assert len(provider.asked) - len(provider.singles) == pages


async def windows(provider: Provider, *, window_rows: int, facts: ProviderFacts) -> Sequence[FetchedWindow]:
    told: list[int] = []
    found = fetch.windows(provider, SMS, SPAN, window_rows=window_rows, on_total=told.append, facts=facts)
    windows = [window async for window in found]
    assert len(told) == 1
    assert told == [10] if facts.totals == "wrong" else [len(provider.rows)]
    return windows


@pytest.mark.parametrize("totals", ["exact", "wrong"])
async def test_the_rows_of_a_span_are_announced_once_and_all_read(totals: str) -> None:
    facts = ProviderFacts(totals=totals)  # type: ignore[arg-type]  # the two above
    found = await windows(Provider(100), window_rows=30, facts=facts)
    assert [uuid for window in found for uuid in uuids_in(window)] == uuids(*range(100))
    assert {window.page_size for window in found} <= {8, 9, 10}
    assert {window.attempts for window in found} == {1}
    assert len(found) == (4 if totals == "exact" else 1)


async def test_where_bounds_are_left_out_what_lies_beside_a_span_is_dropped() -> None:
    facts = ProviderFacts(are_bounds_inclusive=False)
    provider = Provider(100)
    found = fetch.windows(
        provider, SMS, Span(BEGIN + 10, BEGIN + 19), window_rows=99, on_total=lambda _: None, facts=facts
    )
    assert [uuids_in(window) async for window in found] == [uuids(*range(10, 20))]


@pytest.mark.parametrize(("totals", "is_enough"), [("exact", True), ("wrong", False)])
async def test_a_span_is_counted_by_its_total_or_else_by_its_rows(totals: str, is_enough: bool) -> None:
    provider = Provider(100)
    facts = ProviderFacts(totals=totals)  # type: ignore[arg-type]  # the two above
    assert await fetch.count(provider, SMS, SPAN, facts) == 100
    assert (len(provider.asked) == 1) is is_enough


async def test_a_list_whose_page_is_too_large_is_halved_and_one_alone_is_taken_as_it_is() -> None:
    class Cutting(Provider):
        def _answer(self, asked: Asked) -> object:
            return {**super()._answer(asked), IS_CUT: True}  # type: ignore[dict-item]  # a listing

    for count in (1, 2, 5):
        provider = Cutting(count)
        window = await fetch.by_uuid(provider, SMS, uuids(*range(count)), 1000)
        assert (uuids_in(window), window.pages) == (uuids(*range(count)), count)


# --- windows that are read again, and cut ---


class Contradicting(Provider):
    """Promises a row too many for so many first pages."""

    def __init__(self, times: int) -> None:
        super().__init__(25)
        self.times = times

    def _answer(self, asked: Asked) -> object:
        self.times -= asked.page == 1
        listing: dict[str, object] = super()._answer(asked)  # type: ignore[assignment]  # no single row
        return {**listing, "hydra:totalItems": len(self.rows) + (self.times >= 0)}


async def read(provider: Provider, facts: ProviderFacts = AS_DOCUMENTED) -> list[FetchedWindow]:
    found = fetch.windows(provider, SMS, SPAN, window_rows=999, on_total=lambda _: None, facts=facts)
    return [window async for window in found]


async def test_a_provider_may_contradict_itself_now_and_then_and_not_each_time() -> None:
    [window] = await read(Contradicting(ATTEMPTS - 1))
    assert (len(window.rows), window.attempts) == (25, ATTEMPTS)
    with pytest.raises(ProviderDiffers, match="contradicts itself in totals"):
        await read(Contradicting(ATTEMPTS))


@pytest.mark.parametrize(
    ("is_order_obeyed", "ends"),
    [(True, [44, 45, 90, 91, 99]), (False, [24, 49, 74, 99])],
    ids=["set apart where it became too long", "halved"],
)
async def test_a_window_of_too_many_pages_that_nothing_announced_is_cut(
    is_order_obeyed: bool, ends: list[int]
) -> None:
    facts = ProviderFacts(totals="wrong", is_order_obeyed=is_order_obeyed)
    found = await read(Provider(100, page_size=1), facts)
    assert [window.span and window.span.until - BEGIN for window in found] == ends
    assert [uuid for window in found for uuid in uuids_in(window)] == uuids(*range(100))


def test_rows_of_one_second_that_never_come_are_told_by_their_number() -> None:
    provider = TiedProvider(alike(31), Habits(is_random=False, is_by_page=True))
    with pytest.raises(WindowUnstable, match="of the 31 rows of /sms"):
        provider.read(ALONE)
