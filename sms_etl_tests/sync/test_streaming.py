"""Steps that run ahead of each other: in order, bounded, and with their errors."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_etl.sync.streaming import chain_ahead, map_ordered, prefetch, stream_of


async def numbers(count: int, made: list[int], *, fails: bool = False) -> AsyncIterator[int]:
    for number in range(count):
        made.append(number)
        yield number
        await asyncio.sleep(0)
    if fails:
        raise ValueError("no more")


async def test_items_come_in_order() -> None:
    assert [number async for number in prefetch(numbers(20, []), 3)] == list(range(20))


async def test_a_source_runs_ahead_by_so_many_and_no_more() -> None:
    made: list[int] = []
    source = prefetch(numbers(20, made), 3)
    await anext(source)
    await asyncio.sleep(0.01)
    assert 3 <= len(made) <= 6
    await source.aclose()  # type: ignore[attr-defined]  # an async generator has one


async def test_an_error_comes_after_the_items_before_it() -> None:
    got: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        await _take(prefetch(numbers(5, [], fails=True), 2), got)
    assert got == list(range(5))


async def test_what_is_there_already_is_a_source() -> None:
    assert [item async for item in stream_of("abc")] == ["a", "b", "c"]


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_what_is_made_comes_in_the_order_of_the_items_however_long_each_takes(at_once: int) -> None:
    async def make(number: int) -> int:
        await asyncio.sleep(0.002 * (4 - number))
        return number * 2

    assert [made async for made in map_ordered(numbers(4, []), make, at_once)] == [0, 2, 4, 6]


async def test_no_more_are_made_at_once_than_allowed() -> None:
    at_work, most = 0, 0

    async def make(number: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1
        return number

    assert [made async for made in map_ordered(numbers(9, []), make, 3)] == list(range(9))
    assert most == 3


async def test_an_error_of_the_source_comes_after_what_was_made_before_it() -> None:
    async def make(number: int) -> int:
        await asyncio.sleep(0.001)
        return number

    got: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        await _take(map_ordered(numbers(5, [], fails=True), make, 2), got)
    assert got == list(range(5))


async def test_behind_an_item_that_cannot_be_made_nothing_is_given_though_it_was_made() -> None:
    async def make(number: int) -> int:
        if number == 2:
            await asyncio.sleep(0.01)
            raise OSError("disk full")
        return number

    got: list[int] = []
    with pytest.raises(OSError, match="disk full"):
        await _take(map_ordered(numbers(9, []), make, 4), got)
    assert got == [0, 1]


async def test_what_is_made_of_each_item_is_chained_in_order() -> None:
    async def make(number: int) -> AsyncIterator[str]:
        for letter in "abc"[:number]:
            await asyncio.sleep(0.001 * (3 - number))
            yield f"{number}{letter}"

    chained = [made async for made in chain_ahead(numbers(4, []), make)]
    assert chained == ["1a", "2a", "2b", "3a", "3b", "3c"]


async def test_the_next_item_is_begun_while_one_is_taken_and_no_other() -> None:
    begun: list[int] = []

    async def make(number: int) -> AsyncIterator[int]:
        begun.append(number)
        for _ in range(5):
            yield number

    chained = chain_ahead(numbers(4, []), make)
    assert await anext(chained) == 0
    await asyncio.sleep(0.01)
    assert begun == [0, 1]
    await chained.aclose()  # type: ignore[attr-defined]  # an async generator has one


async def test_items_are_taken_before_they_are_begun_and_no_more_than_two() -> None:
    taken: list[int] = []

    async def make(number: int) -> AsyncIterator[int]:
        for _ in range(5):
            yield number

    chained = chain_ahead(numbers(9, taken), make)
    assert await anext(chained) == 0
    await asyncio.sleep(0.01)
    assert taken == [0, 1, 2, 3]
    await chained.aclose()  # type: ignore[attr-defined]  # an async generator has one


async def test_an_error_comes_behind_all_that_was_made_of_the_items_before() -> None:
    async def make(number: int) -> AsyncIterator[int]:
        await asyncio.sleep(0.002 if number == 0 else 0)
        yield number
        if number == 1:
            raise OSError("disk full")

    got: list[int] = []
    with pytest.raises(OSError, match="disk full"):
        await _take(chain_ahead(numbers(3, []), make), got)
    assert got == [0, 1]
    got.clear()
    with pytest.raises(ValueError, match="no more"):
        await _take(chain_ahead(numbers(1, [], fails=True), make), got)
    assert got == [0]


async def test_whoever_stops_taking_leaves_nothing_at_work() -> None:
    async def make(number: int) -> AsyncIterator[int]:
        while True:
            await asyncio.sleep(0)
            yield number

    chained = chain_ahead(numbers(9, []), make)
    assert await anext(chained) == 0
    await chained.aclose()  # type: ignore[attr-defined]  # it is a generator, which may be closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _take(source: AsyncIterator[int], got: list[int]) -> None:
    async for number in source:
        got.append(number)


async def test_what_is_being_made_is_given_up_when_nothing_more_is_taken() -> None:
    given_up: list[int] = []

    async def make(number: int) -> int:
        if number == 0:
            return number
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(number)
            raise
        return number

    made = map_ordered(stream_of(range(3)), make, 3)
    assert await anext(made) == 0
    await asyncio.sleep(0)  # the others begin
    await made.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert given_up == [1, 2]


async def test_a_source_is_closed_before_who_takes_from_it_goes_on() -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    taken = prefetch(source(), 1)
    assert await anext(taken) == 0
    await taken.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert closed == [True]
