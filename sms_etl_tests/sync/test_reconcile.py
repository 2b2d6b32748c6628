"""Reconciliation: what differs from the provider's totals is found, repaired and told."""

import duckdb

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask, assert_messages_equal, rows_of, warehouse_of

DAYS = Task(reconcile_days=10)


def test_a_message_that_became_visible_beyond_the_overlap_is_found_and_told(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    [late] = provider.insert({"created_at": to_unix(provider.now()) - 3 * 86400})
    assert run_sync(settings).rows_new == 0, "the overlap does not reach it"
    result = run_sync(settings, DAYS)
    assert (result.rows_new, result.rows_late, result.differences) == (1, 1, 1)
    assert late in rows_of(warehouse_of(settings), "raw.sms")
    assert ask(settings, "select observed_by from ops.late_row") == [("reconcile",)]
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_a_message_deleted_when_it_was_final_is_found_gone(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    final = [row["uuid"] for row in provider.truth_sms() if row["dlr_code"] == 1][:3]
    provider.delete(*final)
    assert run_sync(settings).rows_gone <= 3
    run_sync(settings, DAYS)
    stored = rows_of(warehouse_of(settings), "raw.sms")
    assert all(stored[uuid]["gone_at"] is not None for uuid in final)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_where_nothing_differs_it_costs_a_request_a_day(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    usual = run_sync(settings).requests
    result = run_sync(settings, DAYS)
    assert result.differences == 0
    assert result.requests <= usual + 10


def test_a_row_that_is_sent_right_later_leaves_the_quarantine(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    long_ago = to_unix(empty_provider.now()) - 2 * 86400
    [uuid] = empty_provider.insert({"created_at": long_ago, "extra": {"price": "?"}})
    settings = settings_at(empty_provider)
    assert run_sync(settings).rows_quarantined == 1
    replay = Task(is_replaying_quarantine=True)
    assert run_sync(settings, replay).rows_quarantined == 0, "still bad: it stays, once"
    empty_provider.delete(uuid)
    empty_provider.insert({"created_at": long_ago, "uuid": uuid})
    result = run_sync(settings, replay)
    assert result.rows_new == 1
    assert ask(settings, "select count(*) from ops.quarantine where replayed_at is null") == [(0,)]


def test_the_first_sight_of_a_field_is_told_once(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert(
        {"created_at": now, "extra": {"mcc": 262}}, {"created_at": now, "extra": {"mcc": 1}}
    )
    settings = settings_at(empty_provider)
    assert run_sync(settings).unknown_fields == ("mcc",)
    assert run_sync(settings).unknown_fields == ()


def test_the_overlap_learns_from_what_came_late(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.insert({"created_at": now - 3000})
    assert run_sync(settings).rows_late == 1
    empty_provider.insert({"created_at": now - 5500})
    assert run_sync(settings).rows_late == 1, "beyond the hour that is set, within twice what was seen"


def test_a_run_after_one_that_failed_goes_on_where_it_stood(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    watermark = to_unix(empty_provider.now()) - 3 * 86400
    empty_provider.insert({"created_at": watermark})
    settings = settings_at(empty_provider)

    def reads_from() -> int:
        empty_provider.forget_requests()
        run_sync(settings)
        query = next(request["query"] for request in empty_provider.requests() if request["path"] == "/sms")
        return int(query.partition("created_at%5Bgte%5D=")[2].partition("&")[0])

    assert reads_from() == 0
    assert reads_from() == watermark - 3600
    with duckdb.connect(str(warehouse_of(settings))) as connection:
        connection.execute("update ops.sync_run set stopped_reason = null, finished_at = null")
    assert reads_from() == watermark, "its rows were read long after they were created: none can come late"
