"""Settlement against a model of the provider: what is stored is what was shown when it was last asked for.

The rule of who is asked is tried by itself, under many schedules of syncs; the whole sync under few, with
many messages each.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sms_etl.clock import as_utc, fixed_clock, from_unix
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.settle import LONGEST_PAUSE, SILENCE_SHARE, open_messages
from sms_etl.warehouse.store import Transaction, Warehouse
from sms_etl_tests.exchanged import sync_with
from sms_etl_tests.provider_truth import assert_messages_equal, rows_of, warehouse_of
from sms_etl_tests.providers.lox24.rows import ROW
from sms_etl_tests.sync.provider_model import ModelProvider, Row

BEGINNING = 1_767_225_600
HOUR, DAY = 3600, 86400

# The rule by itself: which messages are asked when.

FINAL, SILENT, PRICELESS, SCHEDULED = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(4))
SCHEDULED_FOR = DAY + 5 * HOUR


@contextmanager
def silent_messages() -> Iterator[Transaction]:
    """Store messages as a first sync does; none of them will ever change."""
    clock = fixed_clock(datetime.fromtimestamp(BEGINNING, tz=UTC))
    with (
        TemporaryDirectory() as folder,
        Warehouse(f"duckdb:///{folder}/warehouse.duckdb", clock).begin() as transaction,
    ):
        _store_silent_messages(transaction)
        yield transaction


def _store_silent_messages(transaction: Transaction) -> None:
    now = from_unix(BEGINNING)
    states = [
        (FINAL, 1, Decimal("0.05"), None),
        (SILENT, 4, Decimal("0.05"), None),
        (PRICELESS, 1, None, None),
        (SCHEDULED, 0, Decimal("0.05"), from_unix(BEGINNING + SCHEDULED_FOR)),
    ]
    for uuid, dlr_code, price, delivery_at in states:
        transaction.native.execute(
            "insert into raw.sms (uuid, created_at, status_code, dlr_code, price, delivery_at, parts_count, "
            "currency, first_seen_at, last_seen_at, changed_at) "
            "values ($uuid, $now, 100, $dlr_code, $price, $delivery_at, 1, 'EUR', $now, $now, $now)",
            {"uuid": uuid, "now": now, "dlr_code": dlr_code, "price": price, "delivery_at": delivery_at},
        ).fetchall()


def most_asks(shortest_gap: int, open_for: int) -> int:
    """Return the bound that follows from the back-off: asks grow apart by half until they are a pause apart.

    Args:
        shortest_gap: Between two syncs, seconds.
        open_for: From the first sight of a message until it ages out, seconds.
    """
    pause = LONGEST_PAUSE.total_seconds()
    grown = pause / SILENCE_SHARE  # so long silent, it is asked a pause apart
    growing = math.ceil(math.log(grown / shortest_gap, 1 + SILENCE_SHARE)) if shortest_gap < grown else 0
    return growing + math.ceil(max(0, open_for - grown) / pause) + 1


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.lists(st.integers(HOUR, 30 * HOUR), min_size=1, max_size=6), st.integers(1, 5))
@example([HOUR], 5)
def test_what_never_changes_is_asked_a_bounded_number_of_times_and_once_more_when_its_time_is_over(
    gaps: Sequence[int], settle_days: int
) -> None:
    asked: Counter[str] = Counter()
    last_asked: dict[str, int] = {}
    at, end = BEGINNING, BEGINNING + SCHEDULED_FOR + settle_days * DAY + 2 * DAY
    with silent_messages() as transaction:
        for gap in itertools.cycle(gaps):
            at += gap
            if at > end:
                break
            now = datetime.fromtimestamp(at, tz=UTC)
            due = open_messages(transaction, now=now, settle_days=settle_days, just_read=None)
            asked.update(message.uuid for message in due)
            last_asked.update((message.uuid, at) for message in due)
            transaction.native.execute(
                "update raw.sms set last_seen_at = ? where list_contains(?::uuid[], uuid)",
                [as_utc(now), [message.uuid for message in due]],
            ).fetchall()
    assert FINAL not in asked
    for uuid, scheduled_for in ((SILENT, 0), (PRICELESS, 0), (SCHEDULED, SCHEDULED_FOR)):
        open_for = scheduled_for + settle_days * DAY
        assert asked[uuid] <= most_asks(min(gaps), open_for)
        assert last_asked[uuid] >= BEGINNING + open_for


# The whole sync, over lives that the model knows beforehand.

LIVES_AN_EXAMPLE = 24
COURSES: Sequence[Sequence[tuple[int, int]]] = (
    ((0, 0),),
    ((100, 4),),
    ((0, 0), (100, 1)),
    ((0, 0), (100, 4), (100, 1)),
    ((0, 0), (100, 2), (100, 8)),
    ((0, 0), (208, 0)),
    ((100, 1),),
)
"""Status and report codes, one after the other; what is final is never left."""
_FINAL = {(100, 1), (100, 8), (208, 0)}
_LONG_AGO = -1


@dataclass(frozen=True, slots=True)
class Life:
    """A message, and all it will go through; times are seconds after its creation."""

    uuid: str
    created_at: int
    delivery_at: int
    steps: tuple[tuple[int, tuple[int, int]], ...]
    priced_at: int
    counted_at: int
    deleted_at: int | None

    @property
    def sent_at(self) -> int:
        """From when on it settles, unix seconds."""
        return self.created_at + self.delivery_at

    def is_there(self, now: int) -> bool:
        age = now - self.created_at
        return age >= 0 and (self.deleted_at is None or age < self.deleted_at)

    def row(self, now: int) -> dict[str, Any]:
        """Return it as the provider shows it at a moment."""
        age = now - self.created_at
        codes = next(codes for at, codes in reversed(self.steps) if at <= age)
        return dict(
            ROW,
            uuid=self.uuid,
            created_at=self.created_at,
            delivery_at=self.sent_at if self.delivery_at else 0,
            status_code=codes[0],
            dlr_code=codes[1],
            is_sent=codes[0] == 100,
            price=3 if self.priced_at <= age else None,
            parts_count=1 if self.counted_at <= age else None,
        )


def is_settled(row: Row) -> bool:
    codes = row["status_code"], row["dlr_code"]
    return codes in _FINAL and row["price"] is not None and row["parts_count"] is not None


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    """Draw messages of the first two days."""
    moments = st.integers(1, 4 * DAY)
    known_at = st.just(_LONG_AGO) | moments
    drawn = []
    for number in range(LIVES_AN_EXAMPLE):
        codes = draw(st.sampled_from(COURSES))
        times = [_LONG_AGO, *sorted(draw(st.lists(moments, min_size=6, max_size=6)))][: len(codes)]
        drawn.append(
            Life(
                uuid=f"00000000-0000-4000-8000-{number:012d}",
                created_at=BEGINNING + draw(st.integers(0, 2 * DAY)),
                delivery_at=draw(st.sampled_from((0, 0, 0, 6 * HOUR, 2 * DAY))),
                steps=tuple(zip(times, codes, strict=True)),
                priced_at=draw(known_at),
                counted_at=draw(known_at),
                deleted_at=draw(st.none() | st.none() | moments),
            )
        )
    return sorted(drawn, key=lambda life: life.created_at)


@dataclass
class SettlingProvider:
    """The lives at the moment that is set, and a sync that asks for them."""

    lives: Sequence[Life]
    data_dir: Path
    settle_days: int
    page_size: int
    now: int = BEGINNING

    def __post_init__(self) -> None:
        self.client = ModelProvider(self._rows, lambda: self.page_size)

    def _rows(self) -> list[Row]:
        return [life.row(self.now) for life in self.lives if life.is_there(self.now)]

    @property
    def settings(self) -> Settings:
        return load_settings(
            data_dir=self.data_dir,
            lox24_token="1:model",
            now=datetime.fromtimestamp(self.now, tz=UTC),
            overlap=timedelta(hours=1),
            settle_days=self.settle_days,
        )

    def stored(self) -> dict[str, dict[str, Any]]:
        path = warehouse_of(self.settings)
        return rows_of(path, "raw.sms") if path.exists() else {}

    def sync_at(self, now: int) -> set[str]:
        """Sync at a moment; give what was asked for by uuid."""
        self.now = now
        self.client.asked.clear()
        sync_with(self.settings, self.client)
        return {uuid for asked in self.client.asked for uuid in asked.uuids}

    def assert_stored_as_last_shown(self) -> None:
        """Each message is as it was shown when it was last seen, which is as late as it must be."""
        by_uuid = {life.uuid: life for life in self.lives}
        stored = self.stored()
        there = {life.uuid for life in self.lives if life.is_there(self.now)}
        assert there <= stored.keys()
        assert not {uuid for uuid in there if stored[uuid]["gone_at"] is not None}
        shown = []
        for uuid, row in stored.items():
            if row["gone_at"] is not None:
                continue
            life = by_uuid[uuid]
            seen_at = int(row["last_seen_at"].replace(tzinfo=UTC).timestamp())
            shown.append(life.row(seen_at))
            assert is_settled(row) or seen_at >= life.sent_at + self.settle_days * DAY, uuid
        assert_messages_equal(warehouse_of(self.settings), shown)


@settings(deadline=None, derandomize=True, max_examples=3, phases=[Phase.generate])  # to shrink takes minutes
@given(
    lives(),
    st.lists(st.integers(HOUR, 30 * HOUR), min_size=2, max_size=3),
    st.integers(1, 3),
    st.integers(1, 60),
)
def test_once_its_days_are_over_each_message_is_as_last_shown_and_nothing_settled_was_asked_again(
    lives: list[Life], gaps: Sequence[int], settle_days: int, page_size: int
) -> None:
    with TemporaryDirectory() as folder:
        assert_settling(SettlingProvider(lives, Path(folder), settle_days, page_size), gaps)


def assert_settling(provider: SettlingProvider, gaps: Sequence[int]) -> None:
    """Sync after each gap and once the days of all messages are over."""
    lives = provider.lives
    rest = max(life.sent_at for life in lives) + provider.settle_days * DAY
    moments = list(itertools.accumulate(gaps, initial=BEGINNING + DAY))
    for now in (*moments, max(rest, moments[-1] + 12 * HOUR)):
        settled = {uuid for uuid, row in provider.stored().items() if is_settled(row)}
        asked = provider.sync_at(now)
        there = {life.uuid for life in lives if life.is_there(now)}
        assert not asked & settled & there, "nothing changes there any more"
    provider.assert_stored_as_last_shown()
    assert provider.sync_at(provider.now + 12 * HOUR) == set(), "all is settled or has aged out"
