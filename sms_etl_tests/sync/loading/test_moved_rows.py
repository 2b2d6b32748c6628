"""Holds that a message is stored once, whatever becomes of its `created_at`: the uuid is the key."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.parts import Parts
from sms_etl.sync.task import SyncResult, Task
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.exchanged import power_cut, sync_with
from sms_etl_tests.provider_truth import ask, assert_messages_equal, rows_of, warehouse_of
from sms_etl_tests.providers.lox24.rows import ROW
from sms_etl_tests.sync.provider_model import ModelProvider

HOUR, DAY = 3600, 86400
BEGINNING = 1_767_225_600
NOW = BEGINNING + 4 * DAY


@dataclass
class MovingProvider:
    """Messages whose time changes: between two syncs, or when so many requests were answered."""

    data_dir: Path
    times: dict[str, int] = field(default_factory=dict)
    now: int = NOW
    page_size: int = 4
    moves: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """After how many listings of the next sync what happens."""

    def __post_init__(self) -> None:
        self.client = ModelProvider(self._rows, lambda: self.page_size)

    def _rows(self) -> list[dict[str, Any]]:
        while self.moves and self.moves[0][0] <= len(self.client.asked):
            self.moves.pop(0)[1]()
        return list(self.truth())

    def truth(self) -> list[dict[str, Any]]:
        by_time = sorted((time, uuid) for uuid, time in self.times.items())
        return [dict(ROW, uuid=uuid, created_at=time, price=3, status_code=208) for time, uuid in by_time]

    def send(self, *times: int) -> list[str]:
        """Create messages, a second or several each; return their uuids."""
        uuids = [f"00000000-0000-4000-8000-{len(self.times) + n:012d}" for n in range(len(times))]
        self.times.update(zip(uuids, times, strict=True))
        return uuids

    def move(self, uuid: str, seconds: int) -> None:
        self.times[uuid] = min(max(self.times[uuid] + seconds, 1), self.now)

    @property
    def settings(self) -> Settings:
        return load_settings(
            data_dir=self.data_dir,
            lox24_token="1:model",
            now=datetime.fromtimestamp(self.now, tz=UTC),
            overlap=timedelta(hours=1),
        )

    def sync(self, task: Task | None = None) -> SyncResult:
        self.client.asked.clear()
        result = sync_with(self.settings, self.client, task)
        self.assert_each_is_there_once()
        return result

    def land_only(self) -> None:
        """Let a sync land files and be killed before it loads the first."""
        parts = replace(Parts.of(self.settings), client=self.client, load=power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            run_sync(self.settings, parts=parts)

    def assert_each_is_there_once(self) -> None:
        rows_of(warehouse_of(self.settings), "raw.sms")
        doubled = ask(
            self.settings,
            "select uuid from (select uuid, (status_code, dlr_code, price, is_sent) as seen, "
            "lag(seen) over (partition by uuid order by observed_at) as before from raw.sms_change) "
            "where seen is not distinct from before",
        )
        assert doubled == [], "the change log holds what did not change"

    def assert_stored(self) -> None:
        assert_messages_equal(warehouse_of(self.settings), self.truth())


@pytest.fixture
def provider(tmp_path: Path) -> MovingProvider:
    return MovingProvider(tmp_path)


def since(second: int, until: int | None = None) -> Task:
    def moment(value: int) -> datetime:
        return datetime.fromtimestamp(value, tz=UTC)

    return Task(since=moment(second), until=None if until is None else moment(until))


RECONCILE = Task(reconcile_days=30)


@pytest.mark.parametrize("seconds", [1, -1, HOUR - 1, HOUR + 1, -DAY, -2 * DAY])
def test_a_message_whose_time_changes_moves_and_is_neither_new_nor_late_nor_gone(
    provider: MovingProvider, seconds: int
) -> None:
    *_, moving, _ = provider.send(*range(NOW - 3 * DAY, NOW - 2 * HOUR, 6 * HOUR), NOW)
    provider.sync()
    provider.move(moving, seconds)
    result = provider.sync(since(BEGINNING))
    assert (result.rows_new, result.rows_changed, result.rows_gone) == (0, 1, 0)
    assert ask(provider.settings, "select count(*) from ops.late_row") == [(0,)]
    provider.assert_stored()
    [(first, last, changed)] = ask(
        provider.settings,
        f"select first_seen_at, last_seen_at, changed_at from raw.sms where uuid = '{moving}'",
    )
    assert first <= last
    assert first <= changed


@pytest.mark.parametrize("task", [None, RECONCILE, since(BEGINNING), since(NOW - 100, NOW)])
def test_every_kind_of_sync_moves_what_it_meets_at_another_time(
    provider: MovingProvider, task: Task | None
) -> None:
    moving, *_ = provider.send(BEGINNING + 5, *range(NOW - 3 * DAY, NOW, 6 * HOUR), NOW)
    provider.sync()
    provider.times[moving] = NOW - 10
    result = provider.sync(task)
    assert (result.rows_new, result.rows_changed, result.rows_gone) == (0, 1, 0)
    provider.assert_stored()


def test_a_day_read_again_asks_where_its_message_went(provider: MovingProvider) -> None:
    moving, *_ = provider.send(BEGINNING + 5, BEGINNING + 6, NOW)
    provider.sync()
    provider.times[moving] = NOW - 2 * DAY
    provider.sync(since(BEGINNING, BEGINNING + DAY))
    provider.assert_stored()


@pytest.mark.parametrize("seconds", [1, 100, -1, -100])
def test_one_that_moves_while_its_pages_are_read_is_stored_once(
    provider: MovingProvider, seconds: int
) -> None:
    uuids = provider.send(*range(NOW - 400, NOW, 2))
    for after in range(3, 40, 19):
        (provider.data_dir / "warehouse.duckdb").unlink(missing_ok=True)
        provider.moves.append((after, lambda: provider.move(uuids[100], seconds)))
        provider.sync()
        provider.sync(since(BEGINNING))
        provider.assert_stored()


def test_one_that_two_landed_files_hold_at_two_times_is_as_the_later_one_has_it(
    provider: MovingProvider,
) -> None:
    moving, *_ = provider.send(NOW - 3 * DAY, NOW - DAY)
    provider.land_only()
    landed = sorted((provider.data_dir / "landing" / "sms").glob("*.parquet"))
    hidden = [file.rename(file.with_suffix(".hidden")) for file in landed]
    provider.now += 1
    provider.times[moving] = NOW - 5
    provider.land_only()
    for file in hidden:
        file.rename(file.with_suffix(".parquet"))
    provider.sync()
    provider.assert_stored()


def test_where_all_of_a_span_moved_none_of_it_is_gone(provider: MovingProvider) -> None:
    moving = provider.send(*range(BEGINNING, BEGINNING + 12))
    provider.send(*range(NOW - DAY, NOW, 100))
    provider.sync()
    for uuid in moving[1:3]:  # what no sample asks for
        provider.times[uuid] = NOW - 50
    for uuid in {*moving} - {*moving[1:3]}:
        del provider.times[uuid]
    result = provider.sync(since(BEGINNING))
    assert result.rows_gone == len(moving) - 2
    provider.assert_stored()


# --- warehouses that hold a uuid twice ---


def test_a_message_that_is_stored_at_two_times_becomes_one_where_it_is_met(provider: MovingProvider) -> None:
    uuid, *_ = provider.send(NOW - 3 * DAY, NOW - 2 * DAY, NOW - 20)
    provider.sync()
    for task in (None, RECONCILE, since(BEGINNING)):
        _store_again(provider, uuid, NOW - 2 * DAY - 9)
        provider.times[uuid] = NOW - 30
        provider.sync(task)
        provider.assert_stored()
        provider.times[uuid] = NOW - 3 * DAY
        provider.sync(since(BEGINNING))


def test_the_copy_that_nobody_reads_is_found_by_a_reconciliation(provider: MovingProvider) -> None:
    uuid, *_ = provider.send(NOW - 3 * DAY, NOW - 2 * DAY, NOW - 20)
    provider.sync()
    _store_again(provider, uuid, NOW - 2 * DAY - 9)
    provider.sync(RECONCILE)
    provider.assert_stored()


def _store_again(provider: MovingProvider, uuid: str, second: int) -> None:
    with Warehouse.of(provider.settings).begin() as transaction:
        transaction.run(
            f"insert into raw.sms select * replace (make_timestamp({second * 1_000_000}) as created_at) "
            f"from raw.sms where uuid = '{uuid}'"
        )


# --- against a model ---

MESSAGES = 14
OFFSETS = st.sampled_from([1, -1, 59, -61, HOUR, -HOUR, 5 * HOUR, DAY, -DAY, 3 * DAY, -3 * DAY])
MOVES = st.tuples(st.integers(0, MESSAGES - 1), OFFSETS)
TASKS = st.sampled_from([None, None, RECONCILE, since(NOW - 2 * DAY, NOW - DAY), since(NOW - HOUR)])
STEPS = st.lists(
    st.tuples(st.lists(MOVES, max_size=4), st.lists(st.tuples(st.integers(1, 40), MOVES), max_size=2), TASKS),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, derandomize=True, max_examples=6, phases=[Phase.explicit, Phase.generate])
@given(STEPS, st.integers(1, 5))
@example([([(0, 3 * DAY), (13, -3 * DAY)], [], since(NOW - 2 * DAY, NOW - DAY))], 1)
def test_however_messages_move_each_is_stored_once_and_equals_the_provider_when_all_is_read_again(
    steps: list[tuple[list[tuple[int, int]], list[tuple[int, tuple[int, int]]], Task | None]], page_size: int
) -> None:
    with TemporaryDirectory() as folder:
        provider = MovingProvider(Path(folder), page_size=page_size)
        uuids = provider.send(*itertools.islice(range(NOW - 3 * DAY, NOW, 5 * HOUR), MESSAGES - 3))
        uuids += provider.send(NOW - 61, NOW - 60, NOW)
        provider.sync()
        for between, within, task in steps:
            for number, seconds in between:
                provider.move(uuids[number], seconds)
            for after, (number, seconds) in sorted(within):
                provider.moves.append((after, _moving(provider, uuids[number], seconds)))
            provider.sync(task)
            provider.moves.clear()
        provider.sync(since(1))
        provider.assert_stored()
        assert ask(provider.settings, "select count(*) from raw.sms where gone_at is not null") == [(0,)]


def _moving(provider: MovingProvider, uuid: str, seconds: int) -> Callable[[], None]:
    return lambda: provider.move(uuid, seconds)
