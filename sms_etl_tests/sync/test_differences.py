"""Which spans are read again where provider and warehouse hold different numbers of messages; no provider."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.sync import reconcile
from sms_etl.sync.plan import Span
from sms_etl.sync.reconcile import ROWS_READ_WHOLE, Difference, differences

DAY = 86400


async def found(there: Counter[int], here: Counter[int], span: Span) -> list[Difference]:
    async def counted(seconds: Counter[int], within: Span) -> int:
        return sum(count for second, count in seconds.items() if within.holds(second))

    return [
        difference
        async for difference in differences(
            span, at_provider=lambda part: counted(there, part), stored=lambda part: counted(here, part)
        )
    ]


SECONDS = st.lists(st.integers(0, 300_000), max_size=60)


@given(SECONDS, st.data())
async def test_every_second_that_lacks_messages_lies_in_a_span_that_is_read_again(
    there: list[int], data: st.DataObject
) -> None:
    at_provider = Counter(there)
    stored = Counter({second: data.draw(st.integers(0, count)) for second, count in at_provider.items()})
    spans = await found(at_provider, stored, Span(0, 300_000))
    for second in at_provider:
        if at_provider[second] != stored[second]:
            assert any(difference.span.holds(second) for difference in spans)


@given(SECONDS)
async def test_equal_counts_cost_one_request_a_day_and_find_nothing(seconds: list[int]) -> None:
    assert await found(Counter(seconds), Counter(seconds), Span(0, 300_000)) == []


async def test_a_difference_among_many_rows_is_narrowed_to_few() -> None:
    stored = Counter(dict.fromkeys(range(0, 86400, 10), 1))
    there = stored + Counter({43_215: 1})
    [difference] = await found(there, stored, Span(0, 86_399))
    assert difference.span.holds(43_215)
    assert difference.at_provider <= ROWS_READ_WHOLE
    assert difference.at_provider == difference.stored + 1


async def counted(span: Span, seconds: Sequence[int], stored: Sequence[int]) -> tuple[int, list[Span]]:
    """Return how many requests a comparison costs, and what it finds."""
    asked: list[Span] = []

    async def at_provider(part: Span) -> int:
        asked.append(part)
        return sum(map(part.holds, seconds))

    async def here(part: Span) -> int:
        return sum(map(part.holds, stored))

    spans = [each.span async for each in differences(span, at_provider=at_provider, stored=here)]
    return len(asked), spans


@pytest.mark.parametrize(("days", "requests"), [(DAY, 1), (DAY + 1, 2), (2 * DAY, 2), (1, 1)])
async def test_equal_counts_cost_a_request_for_each_begun_day(days: int, requests: int) -> None:
    assert await counted(Span(0, days - 1), [0], [0]) == (requests, [])


@pytest.mark.parametrize(("rows", "requests"), [(ROWS_READ_WHOLE, 1), (ROWS_READ_WHOLE + 1, 3)])
@pytest.mark.parametrize("is_more_here", [True, False])
async def test_a_span_of_few_rows_is_read_whole_and_one_of_more_is_halved(
    rows: int, requests: int, is_more_here: bool
) -> None:
    many = [second * 400 for second in range(rows)]
    here, there = (many, many[:-1]) if is_more_here else (many[:-1], many)
    assert (await counted(Span(0, DAY - 1), there, here))[0] == requests


async def test_a_second_is_never_halved_however_many_messages_it_holds() -> None:
    assert await counted(Span(5, 5), [5] * 999, [5] * 900) == (1, [Span(5, 5)])


async def test_what_no_half_shows_any_more_is_read_whole() -> None:
    """It changed while it was compared."""
    answers = iter([1000, 500, 500])

    async def at_provider(_part: Span) -> int:
        return next(answers)

    async def stored(part: Span) -> int:
        return 999 if part == Span(0, DAY - 1) else 500

    spans = [each async for each in differences(Span(0, DAY - 1), at_provider=at_provider, stored=stored)]
    assert spans == [Difference(Span(0, DAY - 1), 1000, 999)]


# --- what is one span ---


def day(number: int) -> Span:
    return Span(number * DAY, (number + 1) * DAY - 1)


async def found_on(days: Sequence[tuple[int, int]]) -> list[Difference]:
    """Compare days, each with what the provider has and what is stored."""

    async def count(span: Span, which: int) -> int:
        return sum(both[which] for number, both in enumerate(days) if span.holds(number * DAY))

    return [
        difference
        async for difference in differences(
            Span(0, len(days) * DAY - 1),
            at_provider=lambda span: count(span, 0),
            stored=lambda span: count(span, 1),
        )
    ]


async def test_neighbouring_days_that_vanished_are_one_span_across_days_without_messages() -> None:
    assert await found_on([(0, 10), (0, 0), (0, 20), (5, 5), (0, 7), (9, 9)]) == [
        Difference(Span(0, 3 * DAY - 1), 0, 30),
        Difference(day(4), 0, 7),
    ]


async def test_days_that_were_always_empty_are_no_difference() -> None:
    assert await found_on([(0, 0), (0, 0), (3, 3), (0, 0)]) == []


async def test_what_differs_beside_what_vanished_is_a_span_of_its_own() -> None:
    assert await found_on([(0, 10), (4, 5), (0, 10)]) == [
        Difference(day(0), 0, 10),
        Difference(day(1), 4, 5),
        Difference(day(2), 0, 10),
    ]


async def test_a_span_holds_no_more_vanished_rows_than_memory_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOST_ROWS_TOGETHER", 25)
    assert [difference.stored for difference in await found_on([(0, 10)] * 5)] == [20, 20, 10]
