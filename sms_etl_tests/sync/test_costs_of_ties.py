"""What it costs to read a second whose ties have no stable order, to the request; and how it is divided.

Fewer requests than here are welcome, and change the numbers; more of them need a reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from sms_etl.errors import WindowUnstable
from sms_etl.sync.pages import Identity, Question, Reader, Reading
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import ProviderFacts
from sms_etl.sync.ties import (
    _ByDigits,
    _ByRange,
    _ByValue,
    _Cell,
    _common_beginning,
    _Known,
    _Second,
    _Way,
)
from sms_etl_tests.sync.provider_model import Row
from sms_etl_tests.sync.raw_provider import uuid_of
from sms_etl_tests.sync.test_pages import WINDOW_ID, Scripted, page, reader, row
from sms_etl_tests.sync.test_ties import (
    ALONE,
    SECOND,
    Habits,
    TiedProvider,
    a_bulk,
    alike,
    message,
    sent,
)

STEADY = Habits(is_random=False)
UNCOUNTED = replace(STEADY, has_totals=False)


def having(rows: Sequence[Row], name: str, value_of: Callable[[int], object]) -> list[Row]:
    return [{**row, name: value_of(at)} for at, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "habits", "requests"),
    [
        (a_bulk(200), STEADY, 72),
        (a_bulk(300), STEADY, 60),
        (sent(a_bulk(300), each_second=20), STEADY, 27),
        (having(a_bulk(200), "chars_count", lambda at: at % 90), STEADY, 19),
        (having(a_bulk(100), "chars_count", lambda at: 5 + (at % 10 > 5)), STEADY, 21),
        (having(a_bulk(200), "chars_count", lambda at: 5 + (at % 5 == 0)), STEADY, 72),
        (having(a_bulk(200), "gateway_sent_at", lambda at: SECOND if at % 2 else None), STEADY, 72),
        (alike(40), Habits(), 9),
        (alike(100), Habits(), 17),
        (a_bulk(200), replace(STEADY, ignores=frozenset({"phone"})), 40),
        (sent(a_bulk(200), 20), replace(STEADY, refuses=frozenset({"gateway_sent_at"})), 82),
    ],
    ids=[
        *("numbers", "more", "sent", "lengths", "two lengths", "mostly one length", "half of them sent"),
        *("alike", "more alike", "ignored", "refused"),
    ],
)
def test_a_second_costs_as_many_requests_as_it_did(
    rows: Sequence[Row], habits: Habits, requests: int
) -> None:
    provider = TiedProvider(rows, habits)
    provider.assert_all_read(provider.read(ALONE))
    assert len(provider.asked) == requests


def test_without_totals_a_second_costs_as_many_requests_as_it_did() -> None:
    provider = TiedProvider(a_bulk(100), UNCOUNTED)
    provider.assert_all_read(provider.read(ALONE, ProviderFacts(totals="missing")))
    assert len(provider.asked) == 59


def test_what_never_comes_is_given_up_after_as_many_requests_as_it_was() -> None:
    provider = TiedProvider(alike(31), replace(STEADY, is_by_page=True))
    with pytest.raises(WindowUnstable, match="of the 31 rows"):
        provider.read(ALONE)
    assert len(provider.asked) == 20


def test_of_many_seconds_those_on_two_pages_are_read_by_themselves() -> None:
    provider = TiedProvider([message(number, second=SECOND + number // 4) for number in range(200)], STEADY)
    provider.assert_all_read(provider.read(Span(SECOND - 1000, SECOND + 1000)))
    assert len(provider.asked) == 10


# --- ways to divide ---


def known(*values: object, name: str = "n") -> _Known:
    return [({name: value}, f"row {at}", msgspec.Raw(b"{}")) for at, value in enumerate(values)]


def shown(cells: Sequence[_Cell]) -> list[tuple[dict[str, str], int]]:
    return [(dict(cell.filters), len(cell.known)) for cell in cells]


def test_neighbouring_numbers_are_a_range_and_both_ends_are_open() -> None:
    cells = _ByRange("n").cells(known(1, 1, 2, 5, 5, 5, 9), size=5)
    assert shown(cells) == [({"n[lte]": "4"}, 3), ({"n[gte]": "5", "n[lte]": "8"}, 3), ({"n[gte]": "9"}, 1)]
    assert shown(_ByRange("n").cells(known(7, 7), size=5)) == [({}, 2)]


def test_a_range_is_of_numbers_only() -> None:
    assert shown(_ByRange("n").cells(known(1, "x", True, None, 1.5), size=9)) == [({}, 1)]


def test_each_value_is_a_cell_and_what_is_no_value_is_none() -> None:
    cells = _ByValue("n", "filter").cells(known("a", "b", "a", None, 3), size=1)
    assert shown(cells) == [({"filter": "a"}, 2), ({"filter": "b"}, 1), ({"filter": "3"}, 1)]


def test_numbers_that_begin_alike_are_a_cell_and_digits_not_seen_yet_are_one_too() -> None:
    numbers = ("+4915100000", "+4915100001", "+4915177777", "name", None)
    cells = _ByDigits("n").cells(known(*numbers), size=2)
    assert [(prefix["n"], count) for prefix, count in shown(cells)] == [
        *((f"49151{digit}", 2 if digit == 0 else 1 if digit == 7 else 0) for digit in range(10))
    ]


@pytest.mark.parametrize("way", [_ByRange("n"), _ByDigits("n"), _ByValue("n", "n")], ids=repr)
def test_every_known_row_that_has_a_value_is_in_one_cell(way: _Way) -> None:
    values = [491510000 + at * at for at in range(40)]
    rows = known(*(str(value) if isinstance(way, _ByDigits) else value for value in values))
    cells = way.cells(rows, size=7)
    assert sum(len(cell.known) for cell in cells) == 40
    assert set().union(*(cell.known for cell in cells)) == {row for _, row, _ in rows}


@pytest.mark.parametrize(
    ("numbers", "begin"),
    [([], ""), (["49151"], "49151"), (["49151", "49160"], "491"), (["1", "2"], ""), (["12", "123"], "12")],
)
def test_what_numbers_begin_with_alike(numbers: list[str], begin: str) -> None:
    assert _common_beginning(numbers) == begin


# --- one step at a time ---


def second_of(asking: Reader, *numbers: int, total: int = 10) -> _Second:
    """Return what collects a second of which a page of these rows was read."""
    shown_page = page([row(number) for number in numbers], total)
    return _Second(asking, Reading(Question(ALONE), WINDOW_ID, [shown_page], total, len(numbers)))


def pages_asked(asking: Reader) -> list[int | None]:
    assert isinstance(asking.client, Scripted)
    return [asked.page for asked in asking.client.asked]


def test_the_way_is_taken_that_divides_best_and_none_that_does_not() -> None:
    values = [{"a": 1 + (at == 9), "b": at % 2} | ({"c": 1} if at > 6 else {}) for at in range(10)]
    rows: dict[Identity, msgspec.Raw] = {
        f"row {at}": msgspec.Raw(msgspec.json.encode(each)) for at, each in enumerate(values)
    }
    best = second_of(reader(lambda _: ([], 0)), 1, 2, 3, 4, 5)._best
    by = {name: _ByValue(name, name) for name in "abc"}
    assert best([by["a"]], rows, 10) is None, "nine of ten in one cell"
    assert best([by["c"]], rows, 10) is None, "one cell"
    chosen = best([by["a"], by["c"], by["b"]], rows, 10)
    assert chosen is not None
    assert chosen[0] == by["b"]


@pytest.mark.parametrize(
    ("count", "asked"), [(2, [1]), (4, [1, 2]), (6, [1, 2, 3])], ids=["a page", "two", "three"]
)
async def test_a_cell_of_few_pages_is_read_whole_and_each_request_counts(
    count: int, asked: list[int]
) -> None:
    rows = [row(number) for number in range(count)]
    asking = reader(lambda each: (rows[2 * (each.page or 1) - 2 : 2 * (each.page or 1)], count))
    collecting = second_of(asking, 90, 91)
    got = await collecting._cell(Question(ALONE), _Cell((("key_id", "1"),), {}), 100)
    assert got == {uuid_of(number) for number in range(count)}
    assert (pages_asked(asking), collecting.requests) == (asked, len(asked))


async def test_a_cell_without_a_total_is_read_until_a_page_is_empty() -> None:
    rows = [row(number) for number in range(4)]
    asking = reader(
        lambda each: (rows[2 * (each.page or 1) - 2 : 2 * (each.page or 1)], None),
        ProviderFacts(totals="missing"),
    )
    got = await second_of(asking, 90, 91)._cell(Question(ALONE), _Cell((("key_id", "1"),), {}), 100)
    assert (len(got), pages_asked(asking)) == (4, [1, 2, 3])


async def test_a_cell_that_holds_all_there_is_does_not_divide() -> None:
    asking = reader(lambda _each: ([row(1), row(2)], 100))
    assert len(await second_of(asking, 90, 91)._cell(Question(ALONE), _Cell((), {}), 100)) == 2
    assert pages_asked(asking) == [1]
