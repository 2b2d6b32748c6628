"""Holds that the ledger of deletions tells what was begun and what came of it, and notices each change."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.errors import LedgerBroken
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Place
from sms_etl.warehouse.store import Warehouse

CLOCK = fixed_clock(datetime(2026, 3, 1, 12, tzinfo=UTC))
FIRST, SECOND = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
PLAN = UUID(int=7)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Warehouse(f"duckdb:///{tmp_path / 'warehouse.duckdb'}", CLOCK), CLOCK, "clerk")


def deletion(plan_id: UUID | None = PLAN) -> Operation:
    return Operation(uuid4(), Action.DELETE, Place.LOX24, "old", plan_id)


def record(ledger: Ledger, event: Event, operation: Operation, what: list[str], **said: Any) -> None:
    with ledger.begin() as page:
        page.record(event, operation, what, **said)


def deleted(ledger: Ledger) -> Operation:
    """Write the rows of a deletion that went well."""
    operation = deletion()
    record(ledger, Event.INTENDED, operation, [FIRST, SECOND], proof="ab" * 32)
    record(ledger, Event.DONE, operation, [FIRST, SECOND], count=2, request_id="r1")
    record(ledger, Event.CONFIRMED, operation, [FIRST, SECOND])
    return operation


def run(ledger: Ledger, statement: str) -> None:
    with ledger.warehouse.begin() as transaction:
        transaction.run(statement)


def test_an_empty_ledger_is_whole(ledger: Ledger) -> None:
    assert ledger.verify().is_whole
    assert ledger.require_whole().rows == 0


def test_rows_are_read_as_they_were_written(ledger: Ledger) -> None:
    operation = deleted(ledger)
    rows = ledger.rows(operation_id=operation.operation_id)
    assert [(row.sequence, row.event, row.what) for row in rows] == [
        (1, "intended", (FIRST, SECOND)),
        (2, "done", (FIRST, SECOND)),
        (3, "confirmed", (FIRST, SECOND)),
    ]
    assert (rows[0].proof_digest, rows[0].actor, rows[0].plan_id) == ("ab" * 32, "clerk", PLAN)
    assert (rows[1].answer_count, rows[1].request_id) == (2, "r1")
    found = ledger.verify()
    assert (found.is_whole, found.rows, found.head) == (True, 3, rows[-1].hash)


def test_what_was_begun_and_has_no_end_is_left(ledger: Ledger) -> None:
    deleted(ledger)
    begun = deletion()
    record(ledger, Event.INTENDED, begun, [FIRST, SECOND])
    record(ledger, Event.CONFIRMED, begun, [SECOND])
    [left] = ledger.unfinished()
    assert (left.operation, left.left, left.is_answered) == (begun, (FIRST,), False)
    record(ledger, Event.FAILED, begun, [FIRST])
    assert ledger.unfinished() == []


def test_a_message_that_is_gone_after_all_did_not_fail(ledger: Ledger) -> None:
    operation = deletion()
    record(ledger, Event.INTENDED, operation, [FIRST])
    record(ledger, Event.FAILED, operation, [FIRST])
    record(ledger, Event.CONFIRMED, operation, [FIRST])
    [outcome] = ledger.outcomes(plan_id=PLAN)
    assert (outcome.confirmed, outcome.failed) == ((FIRST,), ())


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ("update ops.deletion set rule = 'new' where sequence = 2", 2),
        ("update ops.deletion set what = '[]' where sequence = 1", 1),
        ("update ops.deletion set answer_count = null where sequence = 2", 2),
        ("update ops.deletion set recorded_at = recorded_at + interval 1 second where sequence = 3", 3),
        ("update ops.deletion set hash = repeat('0', 64) where sequence = 3", 3),
        ("delete from ops.deletion where sequence = 1", 1),
        ("delete from ops.deletion where sequence = 2", 2),
        ("delete from ops.deletion where sequence = 3", 3),
        ("delete from ops.deletion", 1),
        ("insert into ops.deletion select * from ops.deletion where sequence = 3", 4),
    ],
)
def test_a_changed_or_missing_row_is_named_and_stops_further_deletions(
    ledger: Ledger, change: str, row: int
) -> None:
    deleted(ledger)
    run(ledger, change)
    found = ledger.verify()
    assert (found.is_whole, found.broken_at) == (False, row)
    with pytest.raises(LedgerBroken, match=rf"\b{row}\b"):
        ledger.require_whole()


def test_a_row_that_was_sealed_anew_no_longer_seals_what_follows(ledger: Ledger) -> None:
    deleted(ledger)
    rows = ledger.rows()
    forged = replace(rows[1], rule="new").seal()
    run(ledger, f"update ops.deletion set rule = 'new', hash = '{forged}' where sequence = 2")
    assert ledger.verify().broken_at == 3


def lose_the_file(ledger: Ledger) -> None:
    ledger.head_path.unlink()


def damage_the_file(ledger: Ledger) -> None:
    ledger.head_path.write_bytes(b"{")


def cut_off_the_end(ledger: Ledger) -> None:
    run(ledger, "delete from ops.deletion where sequence > 1")


@pytest.mark.parametrize("harm", [lose_the_file, damage_the_file, cut_off_the_end])
def test_what_is_lost_can_be_accepted_with_a_reason_and_deletions_go_on(
    ledger: Ledger, harm: Callable[[Ledger], None]
) -> None:
    deleted(ledger)
    harm(ledger)
    assert not ledger.verify().is_whole
    found = ledger.accept("an older backup was restored")
    assert (found.is_whole, len(found.accepted)) == (True, 1)
    assert "an older backup was restored" in str(ledger.rows()[-1].note)
    deleted(ledger)
    assert ledger.require_whole().rows == found.rows + 3
    run(ledger, f"update ops.deletion set rule = 'new' where sequence = {found.rows + 1}")
    assert not ledger.verify().is_whole


@pytest.mark.parametrize(
    "change",
    [
        "update ops.deletion set rule = 'new' where sequence = 1",
        "delete from ops.deletion where sequence = 1",
        "update ops.deletion set hash = repeat('0', 64) where sequence = 2",
    ],
)
def test_what_was_accepted_is_not_changed_unseen_afterwards(ledger: Ledger, change: str) -> None:
    deleted(ledger)
    lose_the_file(ledger)
    ledger.accept("the file was not in the backup")
    deleted(ledger)
    assert ledger.verify().is_whole
    run(ledger, change)
    assert "not as they were accepted" in str(ledger.verify().problem)
    assert ledger.accept("known").is_whole


def test_nothing_is_accepted_of_a_ledger_that_is_whole(ledger: Ledger) -> None:
    deleted(ledger)
    assert ledger.accept("to be sure").rows == 3


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("writes", [1, 2], ids=["before the commit", "after it"])
@pytest.mark.parametrize("is_written", [False, True], ids=["unwritten", "written"])
def test_a_run_that_is_killed_around_a_commit_leaves_a_ledger_that_is_whole(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, writes: int, is_written: bool
) -> None:
    deleted(ledger)
    keep, times = Ledger._keep_head, count(1)

    def killed(self: Ledger, head: Any) -> None:
        is_last = next(times) == writes
        if is_last and not is_written:
            raise _Killed
        keep(self, head)
        if is_last:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_keep_head", killed)
        with pytest.raises(_Killed):
            record(ledger, Event.INTENDED, deletion(), [FIRST])
    found = ledger.verify()
    assert (found.is_whole, found.rows) == (True, 3 if writes == 1 else 4)
    deleted(ledger)
    assert ledger.require_whole().rows == found.rows + 3


def forged(ledger: Ledger, times: int) -> None:
    """Append rows that are chained and sealed as the ledger's own are."""
    for _ in range(times):
        last = ledger.rows()[-1]
        row = replace(last, sequence=last.sequence + 1, rule="forged", previous_hash=last.hash)
        with ledger.warehouse.begin() as transaction:
            transaction.run(
                "insert into ops.deletion select * replace ($1 as sequence, 'forged' as rule, "
                "$2 as previous_hash, $3 as hash) from ops.deletion where sequence = $1 - 1",
                [row.sequence, row.previous_hash, row.seal()],
            )


@pytest.mark.parametrize("times", [1, 2])
def test_a_row_that_somebody_else_appended_is_noticed_and_stays_so(ledger: Ledger, times: int) -> None:
    deleted(ledger)
    forged(ledger, times)
    assert ledger.verify().broken_at == 4
    deleted(ledger)  # what was begun before is still written down
    assert (ledger.verify().broken_at, len(ledger.rows())) == (4, 6 + times)
    with pytest.raises(LedgerBroken, match="row 4"):
        ledger.require_whole()
    assert ledger.accept("a test of ours").is_whole


def test_a_lost_file_is_not_made_anew_by_the_next_row(ledger: Ledger) -> None:
    deleted(ledger)
    lose_the_file(ledger)
    deleted(ledger)
    assert "is gone" in str(ledger.verify().problem)


def test_the_file_beside_the_warehouse_is_its_owners_alone(ledger: Ledger) -> None:
    deleted(ledger)
    assert ledger.head_path.stat().st_mode & 0o777 == 0o600
