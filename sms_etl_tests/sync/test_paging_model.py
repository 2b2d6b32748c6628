"""Paging against a model of the provider: whatever moves between two answers, no row is lost or invented.

A window must hold what the model held in its span while it was read. One case no total can show, and the
design says so (docs/decisions/0003): one row deleted and another inserted within a window while it is read.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_etl.errors import WindowUnstable
from sms_etl.providers.lox24.records import keys_of
from sms_etl.sync import fetch
from sms_etl.sync.fetch import ATTEMPTS, FetchedWindow
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import SMS
from sms_etl_tests.sync.provider_model import ModelProvider, Row

SINCE, SECONDS = 1_700_000_000, 24
SPAN = Span(SINCE, SINCE + SECONDS - 1)
_WINDOW_ROWS = 9
"""Few, so that few rows make many windows."""
of_the_model = settings(deadline=None, derandomize=True, max_examples=200)

Kind = Literal["delete", "insert"]
State = tuple[tuple[int, str], ...]
"""Second and uuid of each row there is, in the order of the listing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens at the provider between two answers."""

    after: int
    """So many answers."""
    kind: Kind
    place: int
    """Of the row that goes, counted round and round; or the second of the one that comes."""


@dataclass
class MovingProvider:
    """Rows that change as a script says.

    Args:
        seconds: Of the rows there are at first.
        sizes: Rows on a page, answer by answer; the last one stays.
        script: What changes, and when.
        seed: Of the order in which requests made at once are answered.
        is_shuffling: Whether rows of one second come in another order each time.
    """

    seconds: Sequence[int]
    sizes: Sequence[int] = (3,)
    script: Sequence[Change] = ()
    seed: int = 0
    is_shuffling: bool = False
    states: list[State] = field(init=False)
    """Every state there was, oldest first."""
    shown: list[int] = field(default_factory=list)
    """Which state each answer showed."""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._rng = random.Random(self.seed)
        self._to_come = sorted(self.script, key=lambda change: change.after)
        self.states = [tuple(sorted(self._new(second) for second in self.seconds))]
        self.client = ModelProvider(self._rows, self._page_size, turns=lambda: self._rng.randrange(4))

    def _new(self, second: int) -> tuple[int, str]:
        return SINCE + second, f"00000000-0000-4000-8000-{next(self._numbers):012d}"

    def _rows(self) -> list[Row]:
        while self._to_come and self._to_come[0].after <= len(self.shown):
            self._move(self._to_come.pop(0))
        self.shown.append(len(self.states) - 1)
        rows = list(self.states[-1])
        if self.is_shuffling:
            self._rng.shuffle(rows)
            rows.sort(key=lambda row: row[0])
        return [{"created_at": second, "uuid": uuid} for second, uuid in rows]

    def _move(self, change: Change) -> None:
        rows = list(self.states[-1])
        if change.kind == "insert":
            rows.append(self._new(change.place % SECONDS))
        elif rows:
            del rows[change.place % len(rows)]
        self.states.append(tuple(sorted(rows)))

    def _page_size(self) -> int:
        return self.sizes[min(len(self.shown), len(self.sizes)) - 1]

    def read(self) -> tuple[list[FetchedWindow], WindowUnstable | None]:
        """Read the whole span; give its windows, and why there are no more of them."""
        windows: list[FetchedWindow] = []

        async def read() -> None:
            found = fetch.windows(
                self.client, SMS, SPAN, window_rows=_WINDOW_ROWS, on_total=lambda _total: None
            )
            async for window in found:
                windows.append(window)

        try:
            asyncio.run(read())
        except WindowUnstable as exc:
            return windows, exc
        return windows, None

    def held_while_read(self, window: FetchedWindow) -> list[set[str]]:
        """Return what the window's span held at each moment of the reading that the window came of."""
        assert window.span is not None
        answers = [at for at, asked in enumerate(self.client.asked) if asked.window_id == window.window_id]
        first_page = self.client.asked[answers[0]].query  # what is asked for ties has a first page too
        begun = max(at for at in answers if self.client.asked[at].query == first_page)
        first, last = self.shown[begun], self.shown[answers[-1]]
        return [
            {uuid for second, uuid in state if window.span.holds(second)}
            for state in self.states[first : last + 1]
        ]


def uuids_of(window: FetchedWindow) -> list[str]:
    return [str(keys_of(raw).uuid) for raw in window.rows]


def was_swapped(held: Sequence[set[str]]) -> bool:
    """Whether a row went and another came while a window was read."""
    went = any(before - after for before, after in itertools.pairwise(held))
    came = any(after - before for before, after in itertools.pairwise(held))
    return went and came


def assert_tiling(windows: Sequence[FetchedWindow], *, is_whole: bool) -> None:
    spans = [window.span for window in windows if window.span is not None]
    assert len(spans) == len(windows)
    assert all(left.until + 1 == right.since for left, right in itertools.pairwise(spans))
    if spans:
        assert spans[0].since == SPAN.since
    if is_whole:
        assert spans[-1].until == SPAN.until


rows_at = st.lists(st.integers(0, SECONDS - 1), max_size=80)
steady = st.integers(1, 7).map(lambda size: (size,))
changing_sizes = st.lists(st.integers(1, 7), min_size=2, max_size=4)


def changes(*kinds: Kind, most: int) -> st.SearchStrategy[list[Change]]:
    """Draw a script; what happens early is more likely to fall into a window that is being read."""
    change = st.builds(Change, st.integers(0, 60), st.sampled_from(kinds), st.integers(0, 200))
    return st.lists(change, max_size=most)


@of_the_model
@given(rows_at, steady, st.integers(0, 9))
def test_what_holds_still_is_read_whole_and_no_page_of_it_twice(
    seconds: list[int], sizes: Sequence[int], seed: int
) -> None:
    provider = MovingProvider(seconds, sizes, seed=seed)
    windows, error = provider.read()
    assert error is None
    assert_tiling(windows, is_whole=True)
    assert [uuid for window in windows for uuid in uuids_of(window)] == [
        uuid for _, uuid in provider.states[0]
    ]
    asked = Counter((each.span, each.page) for each in provider.client.asked)
    assert max(asked.values()) == 1
    read = {(window.span.since, window.span.until) for window in windows if window.span}
    assert {page for span, page in asked if span not in read} <= {1}, "only what is cut is looked at in vain"


@of_the_model
@given(rows_at, steady | changing_sizes, st.integers(0, 9), st.booleans(), st.data())
@pytest.mark.parametrize("kind", ["delete", "insert"])
def test_rows_that_only_go_or_only_come_leave_every_window_as_it_was_at_one_moment(
    kind: Kind, seconds: list[int], sizes: Sequence[int], seed: int, is_shuffling: bool, data: st.DataObject
) -> None:
    script = data.draw(changes(kind, most=8), "script")
    provider = MovingProvider(seconds, sizes, script, seed, is_shuffling)
    windows, error = provider.read()
    assert_tiling(windows, is_whole=error is None)
    for window in windows:
        assert set(uuids_of(window)) == provider.held_while_read(window)[0]
    read = [uuid for window in windows for uuid in uuids_of(window)]
    assert len(read) == len(set(read))
    if error is None:
        untouched = set.intersection(*({uuid for _, uuid in state} for state in provider.states))
        assert untouched <= set(read)


@of_the_model
@given(rows_at, steady | changing_sizes, changes("delete", "insert", most=8), st.integers(0, 9))
def test_where_rows_go_and_come_at_once_a_window_holds_as_many_as_there_were_and_none_that_never_was(
    seconds: list[int], sizes: Sequence[int], script: list[Change], seed: int
) -> None:
    provider = MovingProvider(seconds, sizes, script, seed)
    windows, error = provider.read()
    assert_tiling(windows, is_whole=error is None)
    for window in windows:
        held, read = provider.held_while_read(window), uuids_of(window)
        if was_swapped(held):
            assert set(read) <= set.union(*held)
            assert len(set(read)) == len(read) == len(held[0])
        else:
            assert set(read) == held[0]


@of_the_model
@given(rows_at, changing_sizes, changes("delete", "insert", most=ATTEMPTS - 1), st.integers(0, 9))
def test_what_moves_less_often_than_it_is_read_is_never_given_up(
    seconds: list[int], sizes: Sequence[int], script: list[Change], seed: int
) -> None:
    resized = sum(before != after for before, after in itertools.pairwise(sizes))
    provider = MovingProvider(seconds, sizes, script[: ATTEMPTS - 1 - resized], seed)
    windows, error = provider.read()
    assert error is None
    assert_tiling(windows, is_whole=True)


def test_a_second_that_moves_at_each_answer_is_given_up_with_all_before_it_read() -> None:
    seconds = [0] * 4 + [5] * 9
    provider = MovingProvider(seconds, (3,), [Change(after, "insert", 5) for after in range(200)])
    windows, error = provider.read()
    assert error is not None
    assert f"in the second {SINCE + 5} (unix)" in error.message
    assert_tiling(windows, is_whole=False)
    assert [uuid for window in windows for uuid in uuids_of(window)] == [
        uuid for _, uuid in provider.states[0][:4]
    ]


@of_the_model
@given(
    rows_at,
    steady | changing_sizes,
    changes("delete", "insert", most=8),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_rows_asked_for_by_uuid_are_given_or_gone_and_gone_only_if_they_went(
    seconds: list[int], sizes: Sequence[int], script: list[Change], batch: int, seed: int
) -> None:
    provider = MovingProvider(seconds, sizes, script, seed)
    never_there = ["00000000-0000-4000-8000-999999999999"]
    asked = [uuid for _, uuid in provider.states[0]][::2] + never_there
    window = asyncio.run(fetch.by_uuid(provider.client, SMS, asked, batch))
    given = uuids_of(window)
    assert sorted([*given, *window.gone]) == sorted(asked)
    of_states = [{uuid for _, uuid in state} for state in provider.states[: provider.shown[-1] + 1]]
    assert set.intersection(*of_states) & set(asked) <= set(given), "what was there all the time"
    assert set(given) <= of_states[0]
    assert set(window.gone) <= set(asked) - of_states[-1]


@of_the_model
@given(rows_at, steady, st.integers(1, 9))
def test_asking_by_uuid_costs_a_request_a_page_and_one_for_each_that_is_gone(
    seconds: list[int], sizes: Sequence[int], batch: int
) -> None:
    provider = MovingProvider(seconds, sizes)
    there = [uuid for _, uuid in provider.states[0]]
    gone = [f"00000000-0000-4000-8000-9999999999{number:02d}" for number in range(3)]
    window = asyncio.run(fetch.by_uuid(provider.client, SMS, [*there, *gone], batch))
    found = [min(batch, max(0, len(there) - start)) for start in range(0, len(there) + len(gone), batch)]
    pages = sum(max(1, -(-count // sizes[0])) for count in found)
    assert (len(provider.client.asked), window.pages) == (pages + len(gone), pages)
