"""Rows that vanish by the thousand: listings and a sample confirm it; listings alone mark nothing gone."""

from datetime import timedelta

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.fetch import SAMPLE
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of

DAY = 86400
DELIVERED = {"status_code": 100, "dlr_code": 1, "is_sent": True}
DAYS = Task(reconcile_days=10)


def history(provider: SandboxHandle, *, days: int = 7, each_day: int = 60) -> list[str]:
    """Put messages of some days into the account, all final, and one of now; give the uuids of the others."""
    now = to_unix(provider.now())
    provider.set_switches(page_size=100)
    uuids = provider.insert(
        *(
            {**DELIVERED, "created_at": now - day * DAY - DAY // 2 + number * 30}
            for day in range(days, 0, -1)
            for number in range(each_day)
        )
    )
    provider.insert({**DELIVERED, "created_at": now})
    return uuids


def singles(provider: SandboxHandle) -> list[str]:
    return [request["path"] for request in provider.requests() if request["path"].startswith("/sms/")]


def assert_right(result: SyncResult, provider: SandboxHandle, settings_at: SettingsAt, *, gone: int) -> None:
    settings = settings_at(provider)
    assert result.rows_gone == gone
    assert ask(settings, "select count(*) from raw.sms where gone_at is not null") == [(gone,)]
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_a_history_that_the_provider_pruned_costs_a_handful_of_requests(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    old = history(empty_provider)
    settings = settings_at(empty_provider)
    run_sync(settings)
    usual = run_sync(settings, DAYS).requests
    empty_provider.delete(*old)
    empty_provider.forget_requests()
    result = run_sync(settings, DAYS)
    assert (result.rows_pruned, result.differences) == (len(old), 1)
    assert len(singles(empty_provider)) == SAMPLE
    assert result.requests <= usual + 1 + SAMPLE
    assert_right(result, empty_provider, settings_at, gone=len(old))


def test_where_the_provider_prunes_a_day_at_a_time_no_reconciliation_costs_more_than_another(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    old = history(empty_provider, each_day=250)
    run_sync(settings_at(empty_provider))
    usual = run_sync(settings_at(empty_provider), DAYS).requests
    empty_provider.set_switches(keep_days=7)
    assert run_sync(settings_at(empty_provider), DAYS).rows_pruned == 250
    for _ in range(3):
        empty_provider.advance(timedelta(days=1))
        settings = settings_at(empty_provider)
        result = run_sync(settings, DAYS)
        assert result.rows_pruned == 250
        assert result.requests <= usual + 1 + SAMPLE
        assert run_sync(settings, DAYS).requests <= usual, "what is known to be gone is not asked for again"
    assert len(old) == 1750


def test_a_day_of_which_a_part_is_pruned_is_cut_at_the_edge(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    old = history(empty_provider, days=1, each_day=1300)
    settings = settings_at(empty_provider)
    run_sync(settings)
    usual = run_sync(settings, DAYS).requests
    empty_provider.delete(*old[:1000])
    result = run_sync(settings, DAYS)
    assert 800 <= result.rows_pruned <= 1000
    assert result.requests <= usual + 40
    assert_right(result, empty_provider, settings_at, gone=1000)


def test_a_handful_of_vanished_rows_is_deleted_and_not_pruned(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    old = history(empty_provider, days=1, each_day=SAMPLE)
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.delete(*old)
    result = run_sync(settings, DAYS)
    assert result.rows_pruned == 0
    assert_right(result, empty_provider, settings_at, gone=SAMPLE)


def test_an_overlap_from_which_hundreds_vanish_is_confirmed_by_two_listings_and_a_sample(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.set_switches(page_size=100)
    rows = [{**DELIVERED, "created_at": now - 1000 + number} for number in range(900)]
    uuids = empty_provider.insert(*rows, {**DELIVERED, "created_at": now})[:-1]
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.delete(*uuids[100:])
    empty_provider.forget_requests()
    result = run_sync(settings)
    assert len(singles(empty_provider)) == SAMPLE
    assert result.requests <= 4 + 1 + 2 * 800 / 50 + SAMPLE
    assert result.rows_pruned == 0, "others of their time are still there"
    assert_right(result, empty_provider, settings_at, gone=800)


def test_an_overlap_that_is_empty_all_at_once_costs_a_handful(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    uuids = empty_provider.insert(*({**DELIVERED, "created_at": now - number} for number in range(300)))
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.delete(*uuids)
    result = run_sync(settings)
    assert result.requests == 3 + SAMPLE  # the account, messages and bulks
    assert_right(result, empty_provider, settings_at, gone=300)
