"""Steps that run ahead of each other: in order, bounded, and with their errors."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_etl.sync.streaming import map_ordered, prefetch, stream_of


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


async def _take(source: AsyncIterator[int], got: list[int]) -> None:
    async for number in source:
        got.append(number)
