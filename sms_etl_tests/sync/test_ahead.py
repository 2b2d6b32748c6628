"""Steps that run ahead of each other: in order, bounded, and with their errors."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_etl.sync.ahead import ahead, each_in_a_thread, each_of


async def numbers(count: int, made: list[int], *, fails: bool = False) -> AsyncIterator[int]:
    for number in range(count):
        made.append(number)
        yield number
        await asyncio.sleep(0)
    if fails:
        raise ValueError("no more")


async def test_items_come_in_order() -> None:
    assert [number async for number in ahead(numbers(20, []), 3)] == list(range(20))


async def test_a_source_runs_ahead_by_so_many_and_no_more() -> None:
    made: list[int] = []
    source = ahead(numbers(20, made), 3)
    await anext(source)
    await asyncio.sleep(0.01)
    assert 3 <= len(made) <= 6
    await source.aclose()  # type: ignore[attr-defined]  # an async generator has one


async def test_an_error_comes_after_the_items_before_it() -> None:
    got: list[int] = []

    async def take() -> None:
        async for number in ahead(numbers(5, [], fails=True), 2):
            got.append(number)

    with pytest.raises(ValueError, match="no more"):
        await take()
    assert got == list(range(5))


async def test_what_is_there_already_is_a_source() -> None:
    assert [item async for item in each_of("abc")] == ["a", "b", "c"]


async def test_each_item_is_made_in_a_thread() -> None:
    assert [made async for made in each_in_a_thread(numbers(4, []), lambda number: number * 2)] == [
        0,
        2,
        4,
        6,
    ]
