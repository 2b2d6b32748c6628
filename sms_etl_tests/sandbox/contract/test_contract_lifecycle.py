"""Holds how messages change with time against the documentation: what moves, which way, what never."""

from datetime import datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from sms_etl_tests.sandbox.contract.fields import FINAL_DLR, FINAL_STATUS, SMS, deviations
from sms_etl_tests.sandbox.contract.talk import Handle, Row, by_uuid, read_all

STEPS = (
    timedelta(seconds=30),
    timedelta(minutes=10),
    timedelta(hours=2),
    timedelta(hours=22),
    timedelta(days=2),
    timedelta(days=4),
    timedelta(days=10),
)
STATE = {"status_code", "dlr_code", "is_sent", "gateway_sent_at"}
CHANGING = STATE | {"is_text_deleted", "text", "requests", "clicks"}
COUNTED_LATER = {name for name, field in SMS.items() if field.nullable and name.endswith("_count")}
"""Null until the provider has counted; then they stay."""

Snapshot = tuple[datetime, dict[str, Row]]
Step = tuple[datetime, datetime, Row, Row]


@pytest.fixture(scope="module")
def history(moving: Handle, moving_provider: httpx.Client) -> list[Snapshot]:
    """Return the whole account at its start and after each step of the clock."""
    taken = [(moving.now(), by_uuid(read_all(moving_provider, "/sms")))]
    for step in STEPS:
        moving.advance(step)
        taken.append((moving.now(), by_uuid(read_all(moving_provider, "/sms"))))
    return taken


@pytest.fixture(scope="module")
def steps(history: list[Snapshot]) -> list[Step]:
    """Return each message before and after each step, with the clock of both."""
    return [
        (earlier, later, row, after[uuid])
        for (earlier, before), (later, after) in pairwise(history)
        for uuid, row in before.items()
    ]


def is_final(row: Row) -> bool:
    return row["status_code"] in FINAL_STATUS or row["dlr_code"] in FINAL_DLR


def test_the_clock_moves_as_it_is_told(history: list[Snapshot]) -> None:
    moved = [later - earlier for (earlier, _), (later, _) in pairwise(history)]
    assert all(abs(by - step) < timedelta(seconds=5) for by, step in zip(moved, STEPS, strict=True))


def test_time_alone_deletes_no_message(history: list[Snapshot]) -> None:
    assert all(before.keys() <= after.keys() for (_, before), (_, after) in pairwise(history))


def test_rows_keep_to_the_field_table_whatever_the_time(history: list[Snapshot]) -> None:
    assert not [faults for _, rows in history for m in rows.values() if (faults := deviations(m, SMS))][:3]


def test_only_the_fields_of_a_life_cycle_change(steps: list[Step]) -> None:
    changed = {
        name
        for *_, before, after in steps
        for name in before
        if before[name] != after[name] and not (name in COUNTED_LATER and before[name] is None)
    }
    assert STATE <= changed <= CHANGING


def test_no_field_comes_or_goes(steps: list[Step]) -> None:
    assert not [1 for *_, before, after in steps if before.keys() != after.keys()]


def test_a_final_state_stays(steps: list[Step]) -> None:
    moved = [(b, a) for *_, b, a in steps if is_final(b) and any(b[name] != a[name] for name in STATE)]
    assert not moved[:2]


def test_a_status_leaves_new_and_never_returns(steps: list[Step]) -> None:
    moves = {(b["status_code"], a["status_code"]) for *_, b, a in steps}
    assert {move for move in moves if move[0] != move[1] and move[0] != 0} == set()


def test_a_delivery_report_moves_towards_its_end(steps: list[Step]) -> None:
    moves = {(b["dlr_code"], a["dlr_code"]) for *_, b, a in steps}
    back = {
        (before, after) for before, after in moves if before != after and (before in FINAL_DLR or after == 0)
    }
    assert not back
    assert {after for before, after in moves if before not in FINAL_DLR} >= {1, 8}


def test_what_is_sent_stays_sent_at_its_time(steps: list[Step]) -> None:
    assert all(
        a["gateway_sent_at"] == b["gateway_sent_at"] and a["is_sent"] for *_, b, a in steps if b["is_sent"]
    )


def test_what_is_newly_sent_was_sent_within_the_step(steps: list[Step]) -> None:
    for earlier, later, before, after in steps:
        if after["is_sent"] and not before["is_sent"]:
            assert int(earlier.timestamp()) <= after["gateway_sent_at"] <= later.timestamp(), after["uuid"]


def test_a_scheduled_message_waits_for_its_time(history: list[Snapshot]) -> None:
    waiting = 0
    for moment, rows in history:
        ahead = [m for m in rows.values() if m["delivery_at"] > moment.timestamp()]
        waiting += len(ahead)
        assert not [m for m in ahead if m["is_sent"] or m["dlr_code"] != 0]
    assert waiting


def test_a_deleted_text_does_not_come_back(steps: list[Step]) -> None:
    assert all(a["is_text_deleted"] for *_, b, a in steps if b["is_text_deleted"])


def test_some_final_reports_come_days_after_sending(steps: list[Step]) -> None:
    late = [
        earlier.timestamp() - after["gateway_sent_at"]
        for earlier, _, before, after in steps
        if not is_final(before) and is_final(after) and after["is_sent"]
    ]
    assert max(late) > timedelta(days=1).total_seconds()


def test_most_messages_settle_in_the_end(history: list[Snapshot]) -> None:
    """Not all: `accepted by the operator` is the last word of a basic service."""
    known_from_start = history[0][1].keys()
    last = [row for uuid, row in history[-1][1].items() if uuid in known_from_start]
    settled = [is_final(row) or row["dlr_code"] == 4 for row in last]
    assert sum(settled) / len(settled) > 0.98


def test_new_messages_are_not_older_than_what_was_read(history: list[Snapshot]) -> None:
    """They may become visible a little after they were created, so ten minutes are allowed for."""
    for (earlier, before), (later, after) in pairwise(history):
        fresh = [row["created_at"] for uuid, row in after.items() if uuid not in before]
        assert all(earlier.timestamp() - 600 <= created <= later.timestamp() for created in fresh)
