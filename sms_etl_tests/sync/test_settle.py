"""What is open, and when it is due: a message is asked for less often the longer it has not changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_etl.clock import as_utc, fixed_clock, to_unix
from sms_etl.sync.plan import Span
from sms_etl.sync.settle import OpenMessage, count_stored, open_bulks, open_messages, plan_settlement
from sms_etl.warehouse.store import Transaction, Warehouse
from sms_etl_tests.sql.warehouse_rows import Rows

CREATED = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
OPEN = {"status_code": 100, "dlr_code": 0}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transaction]:
    """One for all tests: to make it takes longer than all they do."""
    path = tmp_path_factory.mktemp("settle") / "w.duckdb"
    with Warehouse(f"duckdb:///{path}", fixed_clock(CREATED)).begin() as transaction:
        yield transaction


@pytest.fixture
def transaction(warehouse: Transaction) -> Transaction:
    for table in ("raw.sms", "raw.bulk"):
        warehouse.native.execute(f"delete from {table}")
    return warehouse


@pytest.fixture
def rows(transaction: Transaction) -> Rows:
    return Rows(transaction.native)


def put(
    rows: Rows,
    name: str = "a",
    *,
    created: datetime = CREATED,
    seen: timedelta = timedelta(0),
    **fields: Any,
) -> None:
    """Store an open message that was last seen so long after its creation, and has not changed since."""
    moments = {"created_at": as_utc(created), "first_seen_at": as_utc(created), "changed_at": as_utc(created)}
    rows.sms(name, **{**OPEN, **moments, "last_seen_at": as_utc(created + seen), **fields})


def due(
    transaction: Transaction, now: datetime, *, settle_days: int = 5, just_read: Span | None = None
) -> list[OpenMessage]:
    return open_messages(transaction, now=now, settle_days=settle_days, just_read=just_read)


def is_due(transaction: Transaction, at: timedelta) -> bool:
    """Whether a message is asked for so long after `CREATED`."""
    return bool(due(transaction, CREATED + at))


@pytest.mark.parametrize("silent", [2 * MINUTE, 2 * HOUR, 20 * HOUR])
def test_a_message_is_asked_for_again_after_half_the_time_it_has_been_silent(
    transaction: Transaction, rows: Rows, silent: timedelta
) -> None:
    put(rows, seen=silent)
    assert not is_due(transaction, silent * 1.5 - SECOND)
    assert is_due(transaction, silent * 1.5)


def test_no_pause_is_longer_than_twelve_hours(transaction: Transaction, rows: Rows) -> None:
    put(rows, seen=4 * DAY)
    assert not is_due(transaction, 4 * DAY + 12 * HOUR - SECOND)
    assert is_due(transaction, 4 * DAY + 12 * HOUR)


def test_a_change_begins_the_pauses_anew(transaction: Transaction, rows: Rows) -> None:
    put(rows, seen=2 * DAY, changed_at=as_utc(CREATED + 2 * DAY - 2 * MINUTE))
    assert not is_due(transaction, 2 * DAY + MINUTE - SECOND)
    assert is_due(transaction, 2 * DAY + MINUTE)


def test_a_message_ages_out_once_it_was_seen_at_the_end_of_its_days(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows, seen=5 * DAY - SECOND)
    assert is_due(transaction, 60 * DAY), "once more, however long the pause was"
    rows.connection.execute("update raw.sms set last_seen_at = created_at + interval 5 days")
    assert not is_due(transaction, 60 * DAY)


def test_the_days_of_a_scheduled_message_count_from_its_delivery(
    transaction: Transaction, rows: Rows
) -> None:
    put(rows, seen=10 * DAY, delivery_at=as_utc(CREATED + 6 * DAY))
    assert is_due(transaction, 11 * DAY)
    rows.connection.execute("update raw.sms set delivery_at = created_at - interval 6 days")
    assert not is_due(transaction, 11 * DAY), (
        "a delivery before its creation shortens nothing, and adds nothing"
    )


@pytest.mark.parametrize("seen", [HOUR, 10 * DAY])
def test_what_a_clock_that_ran_ahead_saw_is_due(
    transaction: Transaction, rows: Rows, seen: timedelta
) -> None:
    put(rows, seen=seen)
    assert is_due(transaction, seen - SECOND)
    assert not is_due(transaction, seen), "seen this moment"


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({"status_code": 100, "dlr_code": 1}, False),
        ({"status_code": 208, "dlr_code": 0}, False),
        ({"status_code": 208, "dlr_code": None}, False),
        *(({"status_code": code, "dlr_code": 0}, False) for code in (400, 410, 2000, 3000, 5000, 6000)),
        ({"status_code": 100, "dlr_code": 8}, False),
        ({"status_code": 100, "dlr_code": 16}, False),
        ({"status_code": 100, "dlr_code": 2}, True),
        ({"status_code": 100, "dlr_code": 3}, True),
        ({"status_code": 777, "dlr_code": 1}, True),
        ({"status_code": None, "dlr_code": 1}, True),
        ({"status_code": 0, "dlr_code": 1}, True),
        ({"status_code": 100, "dlr_code": 4}, True),
        ({"status_code": None, "dlr_code": None}, True),
        ({"status_code": 100, "dlr_code": None}, True),
        ({"status_code": 208, "price": None}, True),
        ({"status_code": 208, "parts_count": None}, True),
        ({"status_code": 0, "gone_at": "2026-01-11"}, False),
        ({"status_code": 208, "price": None, "gone_at": "2026-01-11"}, False),
    ],
    ids=str,
)
def test_open_is_what_is_not_final_or_has_no_price_or_parts_and_is_not_gone(
    transaction: Transaction, rows: Rows, fields: dict[str, Any], is_open: bool
) -> None:
    put(rows, **fields)
    assert is_due(transaction, DAY) is is_open


def test_what_this_run_has_read_already_is_not_asked_for(transaction: Transaction, rows: Rows) -> None:
    second = to_unix(CREATED)
    for offset in range(5):
        put(rows, str(offset), created=CREATED + offset * SECOND)
    read = Span(second + 1, second + 3)
    left = due(transaction, CREATED + DAY, just_read=read)
    assert [message.second for message in left] == [second, second + 4]
    assert len(due(transaction, CREATED + DAY)) == 5


def test_a_rank_counts_all_messages_that_are_stored_and_not_gone(
    transaction: Transaction, rows: Rows
) -> None:
    final: dict[str, Any] = {"status_code": 208}
    put(rows, "before", created=CREATED - SECOND, **final)
    put(rows, "last", created=CREATED + 4 * SECOND)
    put(rows, "first")
    put(rows, "final", created=CREATED + SECOND, **final)
    put(rows, "gone", created=CREATED + 2 * SECOND, gone_at="2026-01-11")
    first, last = due(transaction, CREATED + DAY)
    assert (first.uuid, last.uuid) == (str(rows.uuid("first")), str(rows.uuid("last")))
    assert (first.second, last.second) == (to_unix(CREATED), to_unix(CREATED) + 4)
    assert last.rank - first.rank == 2


def test_the_messages_of_a_second_come_in_order_of_their_uuids(transaction: Transaction, rows: Rows) -> None:
    names = [str(number) for number in range(20)]
    for name in names:
        put(rows, name)
    found = due(transaction, CREATED + DAY)
    assert [message.uuid for message in found] == sorted(str(rows.uuid(name)) for name in names)
    assert [message.rank - found[0].rank for message in found] == list(range(20))


def test_open_bulks_are_the_new_and_those_in_progress_oldest_first(
    transaction: Transaction, rows: Rows
) -> None:
    rows.bulk("in progress", status_code=5, created_at="2026-01-10 12:00:01")
    rows.bulk("new", status_code=0)
    rows.bulk("done", status_code=10)
    rows.bulk("gone", status_code=0, gone_at="2026-01-11")
    assert open_bulks(transaction) == [str(rows.uuid("new")), str(rows.uuid("in progress"))]


def test_what_is_stored_in_a_span_is_counted_with_both_its_ends_and_without_what_is_gone(
    transaction: Transaction, rows: Rows
) -> None:
    second = to_unix(CREATED)
    for offset in range(5):
        put(rows, str(offset), created=CREATED + offset * SECOND)
    put(rows, "gone", created=CREATED + 2 * SECOND, gone_at="2026-01-11")
    assert count_stored(transaction, Span(second + 1, second + 3)) == 3


def test_nothing_open_costs_nothing(transaction: Transaction) -> None:
    assert due(transaction, CREATED) == []
    plan = plan_settlement([], page_size=100, batch=50)
    assert (plan.spans, plan.uuids, plan.requests, plan.requests_by_uuid) == ((), (), 0, 0)


def neighbours(first_rank: int, first_second: int, count: int, *, apart: int = 1) -> list[OpenMessage]:
    """Return open messages a second and so many ranks apart from each other."""
    return [
        OpenMessage(f"{first_rank + number * apart}", first_second + number, first_rank + number * apart)
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("begins", "spans"),
    [
        (19, (Span(0, 38),)),
        (20, (Span(0, 39),)),
        (21, (Span(0, 19), Span(21, 40))),
        (22, (Span(0, 19), Span(22, 41))),
    ],
)
def test_spans_that_touch_are_read_as_one(begins: int, spans: tuple[Span, ...]) -> None:
    sparse = [OpenMessage(f"{rank}", 19, rank) for rank in (20, 40, 60, 80)]
    messages = [*neighbours(0, 0, 20), *sparse, *neighbours(81, begins, 20)]
    plan = plan_settlement(messages, page_size=10, batch=4)
    assert plan.spans == spans
    assert plan.uuids == ("20", "40", "60", "80")
    assert (plan.requests, plan.requests_by_uuid) == (3 + 1 + 3, 11)


def test_three_spans_stay_three() -> None:
    sparse = [
        [OpenMessage(f"{first + 20 * number}", 0, first + 20 * number) for number in range(4)]
        for first in (20, 120)
    ]
    messages = [
        *neighbours(0, 0, 20),
        *sparse[0],
        *neighbours(90, 100, 20),
        *sparse[1],
        *neighbours(190, 120, 20),
    ]
    plan = plan_settlement(messages, page_size=10, batch=4)
    assert plan.spans == (Span(0, 19), Span(100, 139))


@pytest.mark.parametrize(("last", "uuids"), [(28, ()), (29, ("20", "22", "25", "29"))])
def test_a_batch_that_fills_the_pages_of_its_uuids_is_sparse(last: int, uuids: tuple[str, ...]) -> None:
    batch = [OpenMessage(f"{rank}", rank, rank) for rank in (20, 22, 25, last)]
    assert plan_settlement([*neighbours(0, 0, 20), *batch], page_size=10, batch=4).uuids == uuids


@pytest.mark.parametrize(("count", "requests"), [(20, 3), (21, 4)])
def test_a_window_costs_its_pages_and_one_more(count: int, requests: int) -> None:
    assert plan_settlement(neighbours(0, 0, count), page_size=10, batch=4).requests == requests


def test_a_window_that_costs_as_much_as_the_uuids_is_not_read() -> None:
    plan = plan_settlement(neighbours(0, 0, 12), page_size=10, batch=4)
    assert (plan.spans, plan.requests, len(plan.uuids)) == ((), 3, 12)


def test_with_a_row_a_page_each_uuid_costs_a_page() -> None:
    plan = plan_settlement(neighbours(0, 0, 3, apart=9), page_size=1, batch=50)
    assert (plan.requests, plan.requests_by_uuid, len(plan.uuids)) == (3, 3, 3)
