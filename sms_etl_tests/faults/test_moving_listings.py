"""Messages are deleted and inserted late while their window is paged: no live row is lost by it."""

import random
import threading
from datetime import timedelta

import pytest

from sms_etl.sync.task import SyncResult
from sms_etl_tests.faults import evidence
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.proxy import Asked
from sms_etl_tests.faults.rehearsal import Patience, Rehearsal
from sms_etl_tests.provider_truth import rows_of

MOVES_A_RUN = 3
"""Fewer than how often a window is read again."""


class Mover:
    """Changes the account, without a word, when a certain page of a window is asked for."""

    def __init__(self, rehearsal: Rehearsal, seed: int, *, deletes: bool, inserts: bool) -> None:
        self._rng = random.Random(seed)
        self._provider = rehearsal.provider
        self._deletes, self._inserts = deletes, inserts
        self._lock = threading.Lock()
        self._on_pages = {self._rng.randrange(2, 25) for _ in range(MOVES_A_RUN)}
        self.moves = 0

    def __call__(self, asked: Asked) -> None:
        page, since, until = (
            asked.query.get(name) for name in ("page", "created_at[gte]", "created_at[lte]")
        )
        if asked.path != "/sms" or page is None or since is None or until is None:
            return
        with self._lock:
            if int(page) in self._on_pages:
                self._on_pages.remove(int(page))
                self._move(int(since), int(until))

    def _move(self, since: int, until: int) -> None:
        inside = [m for m in self._provider.truth_sms() if since <= m["created_at"] <= until]
        if not inside:
            return
        self.moves += 1
        if self._deletes:
            going = self._rng.sample(inside, min(len(inside), self._rng.randint(1, 4)))
            self._provider.delete(*(message["uuid"] for message in going))
        if self._inserts:
            near = [self._rng.choice(inside)["created_at"] for _ in range(self._rng.randint(1, 4))]
            self._provider.insert(
                *({"created_at": second, "status_code": 100, "dlr_code": 1} for second in near)
            )


@pytest.mark.parametrize(
    ("deletes", "inserts"), [(True, False), (False, True)], ids=["deletions", "late inserts"]
)
def test_rows_deleted_or_inserted_while_paging_leave_no_row_behind(
    moving_seed: int, deletes: bool, inserts: bool, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    what = "deletions" if deletes else "late inserts"
    rehearsal = rehearsal_of(f"{what} while paging", messages=300)
    mover = Mover(rehearsal, moving_seed, deletes=deletes, inserts=inserts)
    rehearsal.proxy.before = mover
    outcome = rehearsal.sync()
    rehearsal.tally.faults += mover.moves
    assert isinstance(outcome, SyncResult), outcome
    assert mover.moves


def test_rows_deleted_and_inserted_at_once_lose_nothing_beyond_the_next_run(
    moving_seed: int, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    """As many gone as came: the totals agree, and only the overlap read again shows that a page slipped."""
    rehearsal = rehearsal_of("swaps while paging", messages=60)
    rehearsal.base = rehearsal.base.model_copy(update={"overlap": timedelta(days=7)})
    mover = Swapper(rehearsal, moving_seed)
    rehearsal.proxy.before = mover
    rehearsal.sync(is_still=False)
    rehearsal.tally.faults += mover.moves
    assert mover.moves
    rehearsal.proxy.before = None
    assert isinstance(rehearsal.sync(is_still=False), SyncResult)
    stored = rows_of(evidence.warehouse_of(rehearsal.base), "raw.sms")
    truth = rehearsal.provider.truth_sms()
    assert not [message["uuid"] for message in truth if message["uuid"] not in stored]
    rehearsal.tally.rows += len(truth)


def test_a_message_deleted_while_paging_is_marked_gone_when_its_window_is_read_again_without_it(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("deleted and read again without it", messages=60)
    rehearsal.base = rehearsal.base.model_copy(update={"overlap": timedelta(days=7)})
    assert isinstance(rehearsal.sync(), SyncResult)
    final = next(message for message in rehearsal.provider.truth_sms() if message["dlr_code"] == 1)
    rehearsal.provider.delete(final["uuid"])
    assert isinstance(rehearsal.sync(), SyncResult)


class Swapper(Mover):
    """Deletes one message and inserts another, so that the total stays."""

    def __init__(self, rehearsal: Rehearsal, seed: int) -> None:
        super().__init__(rehearsal, seed, deletes=True, inserts=True)
        self._on_pages = {self._rng.randrange(3, 12)}

    def _move(self, since: int, until: int) -> None:
        inside = [m for m in self._provider.truth_sms() if since <= m["created_at"] <= until]
        self.moves += 1
        self._provider.delete(inside[self._rng.randrange(len(inside) // 3)]["uuid"])
        second = inside[-1]["created_at"] - 1
        self._provider.insert({"created_at": second, "status_code": 100, "dlr_code": 1})
