"""Seconds whose ties have no stable order: every row is read, at a cost that is known, or it is said aloud.

Two kinds of provider: one orders ties anew for each answer; one always answers a page of the same question
alike, as databases do, so that asking again brings nothing new.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sms_etl.errors import BadRequest, WindowUnstable
from sms_etl.providers.lox24.records import keys_of
from sms_etl.sync import fetch
from sms_etl.sync.fetch import FetchedWindow
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts
from sms_etl.sync.streams import SMS
from sms_etl_tests.sync.provider_model import Asked, ModelProvider, Row

SECOND = 1_767_225_600


@dataclass(frozen=True, slots=True)
class Habits:
    """How a provider with unstable ties answers."""

    page_size: int = 30
    is_random: bool = True
    """Otherwise the same question is always answered alike."""
    refuses: frozenset[str] = frozenset()
    """Filters it does not know."""
    ignores: frozenset[str] = frozenset()
    is_by_page: bool = False
    """Whether a page's order depends on its number alone, whatever is asked for."""
    has_totals: bool = True


class TiedProvider(ModelProvider):
    """Rows that are ordered by their second alone; what changes while they are read is the test's."""

    def __init__(self, rows: Sequence[Row], habits: Habits | None = None, seed: int = 1) -> None:
        self.rows = list(rows)
        self.habits = habits or Habits()
        self.before_answer: Callable[[int], None] = lambda _number: None
        self._rng = random.Random(seed)
        super().__init__(lambda: self.rows, lambda: self.habits.page_size)

    def _answer(self, asked: Asked) -> object:
        self.before_answer(len(self.asked))
        names = {name.partition("[")[0] for name, _ in asked.query}
        if names & self.habits.refuses:
            raise BadRequest("A filter is not known here.", status=400)
        meeting = self.rows
        for name, value in asked.query:
            if name.partition("[")[0] not in self.habits.ignores | {"page", "_order"}:
                meets = _condition(name, value)
                meeting = [row for row in meeting if meets(row)]
        seed = asked.page if self.habits.is_by_page else repr(asked.query)
        rng = self._rng if self.habits.is_random else random.Random(seed)
        meeting = rng.sample(meeting, len(meeting))
        meeting.sort(key=lambda row: row["created_at"])
        start = (int(dict(asked.query)["page"]) - 1) * self.habits.page_size
        listing: dict[str, object] = {"hydra:member": meeting[start : start + self.habits.page_size]}
        return listing | ({"hydra:totalItems": len(meeting)} if self.habits.has_totals else {})

    def read(self, span: Span, facts: ProviderFacts = AS_DOCUMENTED) -> list[FetchedWindow]:
        async def read() -> list[FetchedWindow]:
            found = fetch.windows(
                self, SMS, span, window_rows=5000, on_total=lambda _total: None, facts=facts
            )
            return [window async for window in found]

        return asyncio.run(read())

    def assert_all_read(self, windows: Sequence[FetchedWindow]) -> None:
        read = [str(raw) for window in windows for raw in map(bytes, window.rows)]
        assert len(read) == len(set(read)) == len(self.rows)


def _condition(name: str, value: str) -> Callable[[Row], bool]:
    field, _, form = name.removesuffix("]").partition("[")
    held = "bulk_id" if field == "bulk" else field
    if form in {"gte", "lte"}:
        bound, sign = int(value), 1 if form == "gte" else -1
        return lambda row: row.get(held) is not None and sign * row[held] >= sign * bound
    if field in {"phone", "sender_id"}:
        return lambda row: value in row.get(held, "")
    return lambda row: str(row.get(held)) == value


def message(number: int, *, second: int = SECOND, **fields: Any) -> Row:
    return {"uuid": f"00000000-0000-4000-8000-{number:012d}", "created_at": second, **fields}


def a_bulk(count: int, **fields: Any) -> list[Row]:
    """A bulk as it is made: nothing sent yet, so that only the numbers differ."""
    rng = random.Random(5)
    return [
        message(
            number,
            phone=f"+49{rng.choice(['151', '160', '170', '176'])}{rng.randrange(10**7):07d}",
            gateway_sent_at=0,
            delivery_at=0,
            chars_count=80,
            key_id=1,
            iso2="DE",
            status_code=0,
            dlr_code=0,
            **fields,
        )
        for number in range(count)
    ]


def sent(rows: Sequence[Row], each_second: int = 200) -> list[Row]:
    """The same, sent so many a second."""
    return [dict(row) | {"gateway_sent_at": SECOND + 1 + at // each_second} for at, row in enumerate(rows)]


def alike(count: int) -> list[Row]:
    return [
        message(number, phone="+4915100000000", gateway_sent_at=0, chars_count=5) for number in range(count)
    ]


ALONE = Span(SECOND, SECOND)
either_order = pytest.mark.parametrize("is_random", [True, False], ids=["random", "the same each time"])


@either_order
@pytest.mark.parametrize("count", [31, 1000])
@pytest.mark.parametrize("rows", [a_bulk, lambda count: sent(a_bulk(count))], ids=["not sent yet", "sent"])
def test_a_bulk_in_one_second_is_read_whole_at_a_few_requests_a_page(
    rows: Callable[[int], list[Row]], count: int, is_random: bool
) -> None:
    provider = TiedProvider(rows(count), Habits(is_random=is_random))
    provider.assert_all_read(provider.read(ALONE))
    assert len(provider.asked) <= 6 + 7 * -(-count // 30)


def test_a_bulk_of_thousands_costs_less_than_to_wait_for_the_last_row_in_random_order() -> None:
    provider = TiedProvider(a_bulk(3000))
    provider.assert_all_read(provider.read(ALONE))
    by_chance = 100 * sum(1 / left for left in range(1, 3001))  # pages of 30, until the last row was on one
    assert len(provider.asked) <= 0.65 * by_chance


def test_what_no_filter_divides_is_read_in_other_orders_until_all_rows_came() -> None:
    provider = TiedProvider(alike(300))
    provider.assert_all_read(provider.read(ALONE))
    assert len(provider.asked) <= 15 * 10


def test_rows_that_no_filter_divides_and_no_order_brings_are_missed_aloud_with_all_before_them_read() -> None:
    earlier = [message(9000 + number, second=SECOND - 50 + number) for number in range(40)]
    provider = TiedProvider([*earlier, *alike(31)], Habits(is_random=False, is_by_page=True))
    read: list[FetchedWindow] = []

    async def all_there_is() -> None:
        span = Span(SECOND - 100, SECOND + 100)
        async for window in fetch.windows(
            provider, SMS, span, window_rows=5000, on_total=lambda _total: None
        ):
            read.append(window)

    with pytest.raises(WindowUnstable, match=rf"of the 31 rows of /sms in the second {SECOND} \(unix\)"):
        asyncio.run(all_there_is())
    assert [window.span for window in read] == [Span(SECOND - 100, SECOND - 1)]
    assert sum(len(window.rows) for window in read) == len(earlier)
    assert len(provider.asked) <= 150


@either_order
@pytest.mark.parametrize("habit", ["refuses", "ignores"])
def test_filters_that_the_provider_does_not_have_are_done_without(habit: str, is_random: bool) -> None:
    rows = [row | {"chars_count": at % 90} for at, row in enumerate(map(dict, a_bulk(400)))]
    names = frozenset({"phone", "gateway_sent_at", "key_id"})
    habits = Habits(refuses=names) if habit == "refuses" else Habits(ignores=names)
    provider = TiedProvider(rows, replace(habits, is_random=is_random))
    provider.assert_all_read(provider.read(ALONE))
    assert len(provider.asked) <= 6 * 14


@either_order
def test_rows_without_a_value_to_divide_by_are_found_by_another_filter(is_random: bool) -> None:
    rows = [dict(row) for row in sent(a_bulk(400), each_second=5)]
    for row in rows[::3]:
        row["gateway_sent_at"] = None
    provider = TiedProvider(rows, Habits(is_random=is_random))
    provider.assert_all_read(provider.read(ALONE))
    assert len(provider.asked) <= 10 * 14


@either_order
def test_a_window_of_many_seconds_costs_little_more_than_the_seconds_that_lie_on_two_pages(
    is_random: bool,
) -> None:
    rows = [message(number, second=SECOND + number // 4) for number in range(1200)]
    provider = TiedProvider(rows, Habits(is_random=is_random))
    windows = provider.read(Span(SECOND - 1000, SECOND + 1000))
    provider.assert_all_read(windows)
    assert (len(windows), windows[0].attempts) == (1, 1)
    pages = 40
    assert len(provider.asked) <= 2 * pages + 1


@either_order
@pytest.mark.parametrize("at", range(0, 30, 3))
def test_a_row_deleted_while_a_second_is_collected_is_not_taken_for_one_that_is_there(
    at: int, is_random: bool
) -> None:
    provider = TiedProvider(a_bulk(100), Habits(is_random=is_random))
    there: list[set[str]] = []

    def delete(number: int) -> None:
        if number == at:
            del provider.rows[17]
        there.append({row["uuid"] for row in provider.rows})

    provider.before_answer = delete
    [window] = provider.read(ALONE)
    read = {str(keys_of(raw).uuid) for raw in window.rows}
    assert read in there, "what was there at one moment"
    if len(provider.asked) > at:
        assert read == there[-1]


@pytest.mark.parametrize("change", ["delete", "insert"])
def test_a_second_whose_total_keeps_changing_is_given_up(change: str) -> None:
    provider = TiedProvider(a_bulk(400))

    def move(number: int) -> None:
        if change == "delete":
            del provider.rows[-1]
        else:
            provider.rows.append(message(10_000 + number, phone="+4915100000000"))

    provider.before_answer = move
    with pytest.raises(WindowUnstable, match="changed each of the 5 times"):
        provider.read(ALONE)


@either_order
@pytest.mark.parametrize("count", [31, 200])
def test_without_totals_a_second_is_whole_when_its_rows_are_as_many_as_its_pages_held(
    count: int, is_random: bool
) -> None:
    provider = TiedProvider(a_bulk(count), Habits(is_random=is_random, has_totals=False))
    provider.assert_all_read(provider.read(ALONE, ProviderFacts(totals="missing")))


def test_a_number_is_never_asked_for_to_its_last_digits() -> None:
    provider = TiedProvider(a_bulk(1000))
    provider.read(ALONE)
    asked = {value for each in provider.asked for name, value in each.query if name == "phone"}
    assert asked
    assert max(map(len, asked)) <= len("491510000000") - 3
