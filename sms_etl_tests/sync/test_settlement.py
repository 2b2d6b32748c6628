"""The settlement planner: everything open is asked for, once, and never for more than by uuid alone."""

import itertools
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.plan import Span
from sms_etl.sync.settle import OpenMessage, plan_settlement
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import assert_messages_equal


@st.composite
def open_messages(draw: st.DrawFn) -> list[OpenMessage]:
    """Open messages among others: each some seconds and some rows behind the one before it."""
    gaps = draw(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), max_size=400))
    second, rank, messages = 1_700_000_000, 0, []
    for number, (seconds, rows) in enumerate(gaps):
        second, rank = second + seconds, rank + rows
        messages.append(OpenMessage(f"uuid-{number}", second, rank))
    return messages


@given(open_messages(), st.integers(1, 200), st.integers(1, 60))
def test_every_open_message_is_asked_for_in_one_way(
    messages: list[OpenMessage], page_size: int, batch: int
) -> None:
    plan = plan_settlement(messages, page_size=page_size, batch=batch)
    by_uuid = set(plan.uuids)
    for message in messages:
        assert message.uuid in by_uuid or any(span.holds(message.second) for span in plan.spans)
    assert len(plan.uuids) == len(by_uuid)


@given(open_messages(), st.integers(1, 200), st.integers(1, 60))
def test_a_plan_never_costs_more_than_asking_for_everything_by_uuid(
    messages: list[OpenMessage], page_size: int, batch: int
) -> None:
    plan = plan_settlement(messages, page_size=page_size, batch=batch)
    assert plan.requests <= plan.requests_by_uuid


@given(open_messages(), st.integers(1, 200), st.integers(1, 60))
def test_the_spans_of_a_plan_are_in_order_and_apart(
    messages: list[OpenMessage], page_size: int, batch: int
) -> None:
    spans = plan_settlement(messages, page_size=page_size, batch=batch).spans
    assert all(earlier.until + 1 < later.since for earlier, later in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("page_size", "open_one_in", "expected_spans", "expected_uuids", "requests"),
    [
        pytest.param(100, 1, 1, 0, 6, id="a page shows twice as many as a request can ask for"),
        pytest.param(
            30, 1, 1, 0, 18, id="a page holds a third of what a request asks for: two pages, not full"
        ),
        pytest.param(50, 1, 0, 500, 10, id="a page holds as many as a request asks for"),
        pytest.param(100, 3, 0, 500, 10, id="two in three are final: reading them costs more"),
    ],
)
def test_what_is_open_side_by_side_is_read_again_where_that_is_cheaper(
    page_size: int, open_one_in: int, expected_spans: int, expected_uuids: int, requests: int
) -> None:
    bulk = [
        OpenMessage(f"uuid-{number}", 1_700_000_000 + number, number * open_one_in) for number in range(500)
    ]
    plan = plan_settlement(bulk, page_size=page_size, batch=50)
    assert (len(plan.spans), len(plan.uuids), plan.requests) == (expected_spans, expected_uuids, requests)


def test_a_dense_stretch_is_read_again_and_what_is_scattered_around_it_asked_for() -> None:
    seconds = range(1_700_000_000, 1_700_001_000)
    before = [OpenMessage(f"before-{at}", seconds[at], at * 40) for at in range(100)]
    bulk = [OpenMessage(f"bulk-{at}", seconds[500], 4000 + at) for at in range(1000)]
    after = [OpenMessage(f"after-{at}", seconds[600 + at], 5000 + at * 40) for at in range(100)]
    plan = plan_settlement([*before, *bulk, *after], page_size=100, batch=50)
    assert plan.spans == (Span(seconds[500], seconds[500]),)
    assert len(plan.uuids) == 200
    assert (plan.requests, plan.requests_by_uuid) == (2 + 11 + 2, 2 + 20 + 2)


def operator_acknowledged(provider: SandboxHandle, count: int) -> list[str]:
    """Put messages into the account that stay at code 4 for good, two hours before a newer one."""
    now = to_unix(provider.now())
    provider.insert({"created_at": now, "status_code": 100, "dlr_code": 1, "is_sent": True})
    message = {"created_at": now - 7200, "status_code": 100, "dlr_code": 4, "is_sent": True}
    return provider.insert(*(dict(message) for _ in range(count)))


def test_what_is_silent_is_still_asked_for_by_the_run_after_the_first(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    operator_acknowledged(empty_provider, 3)
    run_sync(settings_at(empty_provider))
    assert run_sync(settings_at(empty_provider)).settled_by_uuid == 3


def test_a_bulk_in_one_second_settles_by_reading_the_second_again(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    second = now - 7200
    steps = [
        {"at": second, "status_code": 100, "dlr_code": 0, "is_sent": True},
        {"at": now + 60, "status_code": 100, "dlr_code": 1, "is_sent": True},
    ]
    empty_provider.insert({"created_at": now, "status_code": 100, "dlr_code": 1, "is_sent": True})
    empty_provider.insert(*({"created_at": second, "steps": steps} for _ in range(600)))
    empty_provider.set_switches(page_size=100)
    run_sync(settings_at(empty_provider))
    empty_provider.advance(timedelta(hours=1))
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert result.rows_changed == 600
    assert (result.settled_by_uuid, result.settled_by_window) == (0, 1)
    assert_messages_equal(settings.data_dir / "warehouse.duckdb", empty_provider.truth_sms())


def test_a_step_never_does_more_than_it_said_it_would(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    """Settlement reads dense seconds again and asks for the scattered rest: both are one step."""
    empty_provider.set_switches(page_size=100)
    now = to_unix(empty_provider.now())
    message = {"status_code": 100, "dlr_code": 0, "is_sent": True}
    empty_provider.insert({**message, "created_at": now, "dlr_code": 1})
    empty_provider.insert(*({**message, "created_at": now - 7200} for _ in range(600)))
    empty_provider.insert(*({**message, "created_at": now - 86400 - 60 * number} for number in range(60)))
    run_sync(settings_at(empty_provider))
    empty_provider.advance(timedelta(hours=1))
    done: Counter[str] = Counter()
    promised: dict[str, int | None] = {}

    def note(step: str, more: int, of: int | None) -> None:
        done[step] += more
        promised[step] = of

    run_sync(settings_at(empty_provider), progress=note)
    assert done["settling sms"] == promised["settling sms"] == 660
