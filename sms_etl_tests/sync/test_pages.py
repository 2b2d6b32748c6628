"""What a page's rows are worth: which lie outside the time asked for, and when a reading is whole."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from sms_etl.errors import ProviderDiffers
from sms_etl.providers.lox24.client import Answer
from sms_etl.providers.lox24.paging import Page, read_page
from sms_etl.sync.pages import (
    ContradictionError,
    Found,
    MovedError,
    Question,
    Reader,
    Reading,
    identified,
    together,
    with_filters,
)
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import AS_DOCUMENTED, ProviderFacts
from sms_etl.sync.streams import SMS
from sms_etl_tests.sync.provider_model import Asked, ModelProvider, Row
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

WINDOW_ID = UUID(int=1)
SPAN = Span(BEGIN, BEGIN + 99)
OUTSIDE = BEGIN - 1000


def row(number: int, second: int = BEGIN) -> Row:
    return {"uuid": uuid_of(number), "created_at": second}


def page(rows: Sequence[Row], total: int | None = None) -> Page:
    listing: dict[str, Any] = {"hydra:member": rows, "hydra:totalItems": total}
    return read_page(Answer(json.dumps(listing).encode(), None, {}))


Answers = Callable[[Asked], tuple[Sequence[Row], int | None]]


class Scripted(ModelProvider):
    """Answers each request as a test says."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(list, lambda: 10)
        self.answers = answers

    def _answer(self, asked: Asked) -> object:
        rows, total = self.answers(asked)
        return {"hydra:member": rows, "hydra:totalItems": total}


def reader(answers: Answers, facts: ProviderFacts = AS_DOCUMENTED) -> Reader:
    return Reader(Scripted(answers), SMS, facts)


def paged(pages: Sequence[Sequence[Row]], total: int | Callable[[int], int]) -> Answers:
    """Answer these pages, and an empty one behind them."""

    def answers(asked: Asked) -> tuple[Sequence[Row], int]:
        number = asked.page or 1
        rows = pages[number - 1] if number <= len(pages) else []
        return rows, total if isinstance(total, int) else total(number)

    return answers


async def read(answers: Answers, facts: ProviderFacts = AS_DOCUMENTED) -> Reading:
    asking = reader(answers, facts)
    question = Question(SPAN)
    return await asking.read(question, WINDOW_ID, await asking.page(question, WINDOW_ID))


# --- rows outside the time asked for ---


@pytest.mark.parametrize(
    ("inside", "outside", "total", "is_probed"),
    [(1, 0, 1, False), (3, 3, 6, False), (3, 4, 7, True), (3, 4, 3, False), (0, 10, 10, True)],
)
async def test_more_strangers_than_rows_make_one_ask_for_a_second_without_any(
    inside: int, outside: int, total: int, is_probed: bool
) -> None:
    rows = [*(row(each) for each in range(inside)), *(row(50 + each, OUTSIDE) for each in range(outside))]
    asking = reader(lambda asked: (rows, total) if asked.span == (SPAN.since, SPAN.until) else ([], 0))
    await asking.page(Question(SPAN), WINDOW_ID)
    assert isinstance(asking.client, Scripted)
    assert len(asking.client.asked) == 1 + 2 * is_probed
    assert bool(asking.asked_in_vain) is is_probed


async def test_many_strangers_on_one_page_are_refused_at_once() -> None:
    asking = reader(lambda _asked: ([row(each, OUTSIDE) for each in range(11)], 11))
    with pytest.raises(ProviderDiffers, match="does not obey the filter created_at"):
        await asking.page(Question(SPAN), WINDOW_ID)
    assert isinstance(asking.client, Scripted)
    assert len(asking.client.asked) == 1


async def test_strangers_of_a_second_without_any_row_show_that_time_is_not_obeyed() -> None:
    with pytest.raises(ProviderDiffers, match="does not obey the filter created_at"):
        await reader(lambda _asked: ([row(1, OUTSIDE)], 1)).page(Question(SPAN), WINDOW_ID)


async def test_rows_answered_beside_the_total_of_such_a_second_show_nothing() -> None:
    def answers(asked: Asked) -> tuple[Sequence[Row], int]:
        return ([row(1, OUTSIDE)], 1 if asked.span == (SPAN.since, SPAN.until) else 0)

    asking = reader(answers)
    await asking.page(Question(SPAN), WINDOW_ID)
    assert asking.asked_in_vain


@pytest.mark.parametrize(
    ("span", "asked"), [(Span(5, 9), (4, 10)), (Span(0, 0), (0, 1))], ids=["wider", "not before 1970"]
)
async def test_where_bounds_are_left_out_a_second_more_is_asked_for(
    span: Span, asked: tuple[int, int]
) -> None:
    asking = reader(lambda _asked: ([], 0), ProviderFacts(are_bounds_inclusive=False))
    await asking.page(Question(span), WINDOW_ID)
    assert isinstance(asking.client, Scripted)
    assert asking.client.asked[0].span == asked


# --- what tells rows apart ---


def test_copies_count_only_where_one_page_holds_more_than_one() -> None:
    found = Found()
    found.add(page([row(1), row(1), row(2)]))
    found.add(page([row(2), row(1)]))
    assert (len(found.rows), found.count(), len(found.all_rows())) == (2, 3, 3)
    other = Found()
    other.add(page([row(1), row(1), row(1), row(3)]))
    found.merge(other)
    assert (len(found.rows), found.count()) == (3, 5)
    found.merge(Found())
    assert found.count() == 5


def test_rows_without_a_uuid_that_are_alike_are_told_apart_on_their_page() -> None:
    nameless: Row = {"uuid": "?", "created_at": BEGIN}
    names = [name for name, _ in identified(page([nameless, nameless, row(1), {**row(1), "uuid": None}]))]
    assert len(set(names)) == 4
    assert names[2] == uuid_of(1)
    assert [name for name, _ in identified(page([{**row(1), "uuid": uuid_of(1).upper()}]))] == [uuid_of(1)]


@pytest.mark.parametrize(
    ("pages", "total", "is_whole"),
    [
        ([[1, 2], [3]], 3, True),
        ([[1, 2], [3]], 4, False),
        ([[1, 2], [2]], 3, False),
        ([[1, 2], [2]], 2, False),
    ],
)
def test_a_reading_is_whole_if_each_row_came_once(pages: list[list[int]], total: int, is_whole: bool) -> None:
    shown = [page([row(each) for each in rows]) for rows in pages]
    assert Reading(Question(SPAN), WINDOW_ID, shown, total, 3).is_whole() is is_whole


@pytest.mark.parametrize(
    ("good", "bad", "copies", "total", "has_all"),
    [
        (3, 0, 0, 3, True),
        (3, 0, 0, 4, False),
        (2, 1, 0, 3, True),
        (2, 1, 0, 2, True),
        (2, 0, 1, 3, True),
        (2, 0, 1, 2, True),
        (2, 1, 1, 3, False),
    ],
)
def test_a_total_counts_every_row_that_was_answered_or_the_good_ones_only(
    good: int, bad: int, copies: int, total: int, has_all: bool
) -> None:
    rows = [*(row(each) for each in range(good)), *([row(0)] * copies), *([row(70, OUTSIDE)] * bad)]
    reading = Reading(Question(SPAN), WINDOW_ID, [page(rows)], total, len(rows))
    assert reader(lambda _: ([], 0)).has_all(reading, reading.found()) is has_all


def test_a_condition_takes_the_place_of_another_on_the_same_parameter() -> None:
    question = Question(SPAN, (("key_id", "1"), ("iso2", "DE")))
    narrowed = with_filters(question, (("key_id", "2"),), (("_order[created_at]", "desc"),))
    assert narrowed.filters == (("iso2", "DE"), ("key_id", "2"))
    assert (narrowed.span, narrowed.orders) == (SPAN, (("_order[created_at]", "desc"),))


# --- totals that the pages belie ---

FIVE = [[row(1), row(2)], [row(3), row(4)], [row(5)]]


async def test_as_many_pages_are_read_as_the_total_promises() -> None:
    reading = await read(paged(FIVE, 5))
    assert (len(reading.pages), reading.total, reading.answered) == (3, 5, 5)


async def test_pages_that_grow_smaller_are_followed() -> None:
    reading = await read(paged([[row(1), row(2)], [row(3)], [row(4)], [row(5)]], 5))
    assert (len(reading.pages), reading.answered) == (4, 5)


async def test_another_total_on_a_later_page_means_that_rows_moved() -> None:
    with pytest.raises(MovedError) as caught:
        await read(paged(FIVE, lambda number: 5 + (number == 2)))
    assert not isinstance(caught.value, ContradictionError)


@pytest.mark.parametrize("total", [6, 9])
async def test_a_total_that_promises_more_than_the_pages_hold_contradicts_itself(total: int) -> None:
    with pytest.raises(ContradictionError, match="promises more"):
        await read(paged(FIVE, total))


@pytest.mark.parametrize("total", [3, 4])
async def test_a_total_that_promises_less_than_the_pages_hold_contradicts_itself(total: int) -> None:
    with pytest.raises(ContradictionError):
        await read(paged([[row(1), row(2)], [row(3), row(4), row(5)], [row(6)]], total))


async def test_copies_and_strangers_beside_fewer_rows_than_promised_are_no_contradiction_yet() -> None:
    reading = await read(paged([[row(1), row(1), row(2), row(3, OUTSIDE)]], 3))
    assert (reading.total, reading.answered) == (3, 4)


async def test_the_same_rows_on_page_after_page_are_followed_for_a_few_requests() -> None:
    asking = reader(lambda _asked: ([row(1), row(2)], 1_000_000))
    question = Question(SPAN)
    first = await asking.page(question, WINDOW_ID)
    with pytest.raises(ContradictionError, match="on page after page"):
        await asking.read(question, WINDOW_ID, first)
    assert isinstance(asking.client, Scripted)
    assert len(asking.client.asked) < 100


async def test_behind_a_full_last_page_is_looked_and_an_empty_one_ends_it() -> None:
    reading = await read(paged([[row(1), row(2)], [row(3), row(4)]], 4))
    assert (len(reading.pages), reading.answered) == (2, 4)


async def test_a_full_page_behind_the_last_one_contradicts_the_total() -> None:
    with pytest.raises(ContradictionError, match="more pages than they fill"):
        await read(paged([[row(1), row(2)], [row(3), row(4)], [row(5), row(6)]], 4))


async def test_the_last_page_again_behind_it_is_no_contradiction() -> None:
    pages = [[row(1), row(2)], *([[row(3), row(4)]] * 9)]
    assert (await read(paged(pages, 4))).answered == 4


@pytest.mark.parametrize("total", [None, 7], ids=["no total", "a wrong one"])
async def test_without_a_total_rows_are_counted_twice(total: int | None) -> None:
    asking = reader(
        lambda asked: (FIVE[(asked.page or 1) - 1] if (asked.page or 1) <= 3 else [], total),
        ProviderFacts(totals="wrong"),
    )
    question = Question(SPAN)
    reading = await asking.read(question, WINDOW_ID, await asking.page(question, WINDOW_ID))
    assert (reading.total, reading.answered, len(reading.pages)) == (5, 5, 3)
    assert isinstance(asking.client, Scripted)
    assert sorted(asked.page or 0 for asked in asking.client.asked) == [1, 1, 2, 2, 3, 3, 4, 4]


async def test_two_counts_that_differ_mean_that_rows_moved() -> None:
    firsts: list[int] = []

    def answers(asked: Asked) -> tuple[Sequence[Row], None]:
        firsts.extend([1] * (asked.page == 1))
        pages = FIVE[: 1 + len(firsts)]
        number = asked.page or 1
        return (pages[number - 1] if number <= len(pages) else [], None)

    with pytest.raises(MovedError):
        await read(answers)


# --- requests at once ---


async def test_after_the_first_that_fails_none_of_the_others_goes_on() -> None:
    reached: list[str] = []

    async def failing() -> None:
        raise ValueError("refused")

    async def going_on() -> None:
        for _ in range(9):
            await asyncio.sleep(0)
        reached.append("the end")

    with pytest.raises(ValueError, match="refused"):
        await together(going_on(), failing(), going_on())
    assert reached == []
