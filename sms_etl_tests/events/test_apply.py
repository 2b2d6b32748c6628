"""What events change in the warehouse: a few rows, a few events, in whatever order."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sms_etl.clock import as_utc, fixed_clock, from_unix
from sms_etl.events.apply import EventCounts, apply_events, apply_segments
from sms_etl.events.event import KeptEvent, as_line
from sms_etl.events.segments import Segment, SegmentWriter, segments_in
from sms_etl.sync.settle import open_messages
from sms_etl.warehouse.store import Transaction, Warehouse
from sms_etl_tests.events.conftest import AT
from sms_etl_tests.sql.warehouse_rows import Rows

CREATED = datetime(2026, 1, 10, 12, tzinfo=UTC)
NOW = CREATED + timedelta(days=1)
OPEN = {"status_code": 100, "dlr_code": 0, "gateway_sent_at": "2026-01-10 12:00:05", "is_sent": True}
MICROSECOND = 1_000_000


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transaction]:
    """One for all tests: to make it takes longer than all they do."""
    path = tmp_path_factory.mktemp("events") / "w.duckdb"
    with Warehouse(f"duckdb:///{path}", fixed_clock(NOW)).begin() as transaction:
        yield transaction


@pytest.fixture
def transaction(warehouse: Transaction) -> Transaction:
    for table in ("raw.sms", "raw.sms_change", "ops.delivery_event", "ops.quarantine"):
        warehouse.native.execute(f"delete from {table}")
    return warehouse


@pytest.fixture
def rows(transaction: Transaction) -> Rows:
    return Rows(transaction.native)


def put(rows: Rows, name: str = "a", *, polled: int = 0, **fields: Any) -> None:
    """Store a message that a poll saw so many seconds after it was created."""
    moments = {"created_at": as_utc(CREATED), "first_seen_at": as_utc(CREATED), "changed_at": as_utc(CREATED)}
    rows.sms(name, **{**OPEN, **moments, "last_seen_at": from_unix(AT + polled), **fields})


def kept(
    rows: Rows, dlr: int, *, after: int, name: str = "a", status: int | None = 100, key: UUID | None = None
) -> KeptEvent:
    """Return an event of so many seconds after the message was created, received two seconds later."""
    received = (AT + after + 2) * MICROSECOND
    return KeptEvent(key or uuid4(), rows.uuid(name), AT + after, dlr, status, received)


def apply(transaction: Transaction, *events: KeptEvent, damaged: tuple[int, ...] = ()) -> EventCounts:
    segment = Segment(Path("1.jsonl"), list(events), list(damaged), is_torn=False)
    return apply_events(transaction, [segment], run_id=UUID(int=1), now=NOW)


def state(rows: Rows) -> tuple[Any, ...]:
    (found,) = rows.connection.execute("select status_code, dlr_code, delivered_at from raw.sms").fetchall()
    return tuple(found)


def outcomes(rows: Rows) -> list[str | None]:
    found = rows.connection.execute("select outcome from ops.delivery_event order by event_at, dlr_code")
    return [outcome for (outcome,) in found.fetchall()]


def test_an_event_changes_its_message_and_is_logged_as_seen_when_it_was_received(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows, price="0.0560")
    assert apply(transaction, kept(rows, 1, after=60)) == EventCounts(read=1, changed=1)
    assert state(rows) == (100, 1, from_unix(AT + 60))
    logged = rows.connection.execute(
        "select observed_by, observed_at, status_code, dlr_code, is_sent, cast(price as varchar), currency "
        "from raw.sms_change"
    ).fetchall()
    assert logged == [("webhook", from_unix(AT + 62), 100, 1, True, "0.056000", "EUR")]
    assert outcomes(rows) == ["changed"]


def test_an_event_that_comes_again_changes_nothing(transaction: Transaction, rows: Rows) -> None:
    put(rows)
    again = kept(rows, 1, after=60)
    assert apply(transaction, again, again) == EventCounts(read=1, changed=1)
    assert apply(transaction, again) == EventCounts()
    assert rows.connection.execute("select count(*) from raw.sms_change").fetchall() == [(1,)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("is_together", [True, False])
def test_in_whatever_order_events_come_the_newest_one_wins(
    transaction: Transaction, rows: Rows, order: tuple[int, ...], is_together: bool
) -> None:
    put(rows)
    events = [kept(rows, dlr, after=after) for dlr, after in ((4, 10), (2, 20), (1, 30))]
    sent = [events[place] for place in order]
    for batch in [sent] if is_together else [[one] for one in sent]:
        apply(transaction, *batch)
    assert state(rows) == (100, 1, from_unix(AT + 30))
    assert None not in outcomes(rows)


def test_of_one_second_the_final_report_wins_even_if_it_was_applied_before(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows)
    apply(transaction, kept(rows, 2, after=10), kept(rows, 8, after=10))
    assert state(rows)[:2] == (100, 8)
    apply(transaction, kept(rows, 4, after=10))
    assert state(rows)[:2] == (100, 8)


@pytest.mark.parametrize(
    ("polled_state", "polled", "dlr", "after", "expected"),
    [
        (0, 100, 1, 50, 1),  # a poll saw it open after that: it cannot have missed its end, clocks differ
        (1, 100, 2, 50, 1),  # an older report does not open it again
        (1, 100, 2, 150, 1),  # nor does a newer one
        (2, 100, 4, 50, 2),  # the poll saw what came after
        (2, 100, 4, 150, 4),
        (8, 100, 1, 50, 8),
        (8, 100, 1, 150, 1),  # delivered after all
        (None, 100, 1, 150, 1),
    ],
)
def test_an_event_and_a_poll_are_weighed_by_their_moments(
    transaction: Transaction,
    rows: Rows,
    polled_state: int | None,
    polled: int,
    dlr: int,
    after: int,
    expected: int,
) -> None:
    put(rows, polled=polled, dlr_code=polled_state)
    apply(transaction, kept(rows, dlr, after=after))
    assert state(rows)[1] == expected


def test_an_event_of_a_message_that_is_not_there_waits_for_it(transaction: Transaction, rows: Rows) -> None:
    put(rows, "another")
    assert apply(transaction, kept(rows, 1, after=60)) == EventCounts(read=1)
    assert outcomes(rows) == [None]
    rows.connection.execute("delete from raw.sms")
    put(rows, polled=100, dlr_code=1)
    assert apply(transaction) == EventCounts()
    assert state(rows) == (100, 1, from_unix(AT + 60)), "the poll knew it, the event knows when"
    assert outcomes(rows) == ["known"]


def test_delivered_is_when_the_first_event_says_so(transaction: Transaction, rows: Rows) -> None:
    put(rows)
    apply(transaction, kept(rows, 1, after=90))
    apply(transaction, kept(rows, 1, after=60), kept(rows, 2, after=30))
    assert state(rows)[2] == from_unix(AT + 60)


def test_a_status_that_an_event_does_not_say_stays(transaction: Transaction, rows: Rows) -> None:
    put(rows)
    apply(transaction, kept(rows, 8, after=60, status=None))
    assert state(rows)[:2] == (100, 8)


def test_a_failure_by_status_settles_a_message_too(transaction: Transaction, rows: Rows) -> None:
    put(rows, status_code=0, gateway_sent_at=None)
    apply(transaction, kept(rows, 0, after=60, status=208))
    assert state(rows) == (208, 0, None)
    assert not open_messages(transaction, now=NOW, settle_days=5, just_read=None)


def test_what_an_event_settled_is_not_asked_for(transaction: Transaction, rows: Rows) -> None:
    put(rows)
    put(rows, "silent")
    apply(transaction, kept(rows, 1, after=60))
    due = open_messages(transaction, now=NOW, settle_days=5, just_read=None)
    assert [message.uuid for message in due] == [str(rows.uuid("silent"))]


@pytest.mark.parametrize("unknown", [{"price": None}, {"parts_count": None}, {"gateway_sent_at": None}])
def test_what_an_event_does_not_tell_is_asked_for_and_then_no_more(
    transaction: Transaction, rows: Rows, unknown: dict[str, Any]
) -> None:
    put(rows, **unknown)
    apply(transaction, kept(rows, 1, after=60))
    due = open_messages(transaction, now=NOW, settle_days=5, just_read=None)
    assert len(due) == 1
    rows.connection.execute(
        "update raw.sms set last_seen_at = changed_at, price = 0.05, parts_count = 1, "
        "gateway_sent_at = changed_at"
    )
    assert not open_messages(transaction, now=NOW, settle_days=5, just_read=None)


def test_a_change_is_later_than_the_one_before_it_whatever_the_clocks_say(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows, changed_at=as_utc(NOW), polled=100)
    apply(transaction, kept(rows, 1, after=60))
    ((observed_at,),) = rows.connection.execute("select observed_at from raw.sms_change").fetchall()
    assert observed_at == as_utc(NOW) + timedelta(microseconds=1)


def test_models_are_stale_after_an_event_and_not_without_one(transaction: Transaction, rows: Rows) -> None:
    put(rows)
    rows.context()
    for events, is_current in (([], True), ([kept(rows, 1, after=60)], False)):
        rows.connection.execute("update ops.build_context set is_current = true")
        apply(transaction, *events)
        found = rows.connection.execute("select is_current from ops.build_context").fetchall()
        assert found == [(is_current,)]


def test_a_damaged_line_waits_in_quarantine_once_and_stops_no_other(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows)
    assert apply(transaction, kept(rows, 1, after=60), damaged=(3,)) == EventCounts(1, 1, 1)
    assert apply(transaction, damaged=(3,)) == EventCounts()
    found = rows.connection.execute("select stream, reason, raw from ops.quarantine").fetchall()
    assert found == [("events", "Line 3 of 1.jsonl is no event: the file is damaged", None)]


def test_segments_are_removed_after_the_commit_and_read_again_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    warehouse = Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW))
    with warehouse.begin() as transaction:
        rows = Rows(transaction.native)
        put(rows)
        event = kept(rows, 1, after=60)
    writer, other = SegmentWriter(folder), SegmentWriter(folder)
    writer.append(as_line(event))
    writer.close()
    other.append(as_line(event))  # still written to
    content = {path: path.read_bytes() for path in segments_in(folder)}
    assert apply_segments(warehouse, folder, run_id=UUID(int=1), now=NOW) == EventCounts(1, 1, 0)
    assert len(segments_in(folder)) == 1
    for path, written in content.items():  # a kill between commit and removal
        path.write_bytes(written)
    other.close()
    assert apply_segments(warehouse, folder, run_id=UUID(int=2), now=NOW) == EventCounts()
    assert segments_in(folder) == []


def test_a_segment_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "0.jsonl").mkdir()
    (folder / "1.jsonl").symlink_to("/dev/zero")
    writer = SegmentWriter(folder)
    writer.append(as_line(KeptEvent(UUID(int=1), UUID(int=2), AT, 1, 100, AT * MICROSECOND)))
    writer.close()
    warehouse = Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW))
    assert apply_segments(warehouse, folder, run_id=UUID(int=1), now=NOW).read == 1
