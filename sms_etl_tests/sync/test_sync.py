"""A sync against the sandbox: `raw.*` equals the provider, and every run can be run again."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sms_etl.clock import to_unix
from sms_etl.pii.policy import PiiPolicy
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.exchanged import power_cut, sync_loading_by
from sms_etl_tests.provider_truth import ask, assert_bulks_equal, assert_messages_equal, rows_of, warehouse_of


def message_paths(provider: SandboxHandle) -> list[str]:
    return [f"{request['path']}?{request['query']}" for request in provider.requests()]


def before_the_overlap(provider: SandboxHandle) -> int:
    """Return a second that the next sync does not read again: a newer message moves the watermark on."""
    now = to_unix(provider.now())
    provider.insert({"created_at": now, "status_code": 100, "dlr_code": 1, "is_sent": True})
    return now - 7200


def test_a_first_sync_loads_every_message_and_bulk_field_by_field(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    result = run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert_bulks_equal(warehouse_of(settings), provider.truth_bulks())
    assert result.stopped_reason == "done"
    assert result.rows_new == provider.truth()["messages"] + provider.truth()["bulks"]
    assert result.rows_quarantined == 0


def test_the_sum_of_prices_is_exact_to_the_last_digit(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    assert ask(settings, "select sum(price) from raw.sms") == [(Decimal(provider.truth()["price_sum"]),)]


def test_after_some_days_statuses_settle_and_equal_the_provider_again(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    run_sync(settings_at(provider))
    provider.advance(timedelta(days=3))
    settings = settings_at(provider)
    result = run_sync(settings)
    assert result.rows_changed > 0
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert_bulks_equal(warehouse_of(settings), provider.truth_bulks())


def test_a_receipt_that_arrives_after_three_days_replaces_the_row_and_is_logged(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    sent = before_the_overlap(empty_provider)
    [uuid] = empty_provider.insert(
        {
            "created_at": sent,
            "steps": [
                {"at": sent, "status_code": 0, "dlr_code": 0, "is_sent": False},
                {"at": sent + 2, "status_code": 100, "dlr_code": 0, "is_sent": True},
                {"at": sent + 3 * 86400, "status_code": 100, "dlr_code": 1, "is_sent": True},
            ],
        }
    )
    run_sync(settings_at(empty_provider))
    empty_provider.advance(timedelta(days=3))
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert (result.rows_new, result.rows_changed) == (0, 1)
    assert rows_of(warehouse_of(settings), "raw.sms")[uuid]["dlr_code"] == 1
    of_it = f"from raw.sms_change where uuid = '{uuid}'"
    log = ask(settings, f"select observed_by, dlr_code {of_it} order by observed_at")
    assert log == [("poll", 0), ("settle", 1)]


def test_what_is_final_is_not_asked_for_again(empty_provider: SandboxHandle, settings_at: SettingsAt) -> None:
    long_ago = before_the_overlap(empty_provider)
    [final] = empty_provider.insert(
        {"created_at": long_ago, "status_code": 100, "dlr_code": 1, "is_sent": True}
    )
    [opened] = empty_provider.insert(
        {"created_at": long_ago, "status_code": 100, "dlr_code": 4, "is_sent": True}
    )
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.forget_requests()
    run_sync(settings)
    asked = " ".join(message_paths(empty_provider))
    assert opened in asked
    assert final not in asked


def test_a_message_that_never_settles_ages_out_and_is_no_longer_asked_for(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    [uuid] = empty_provider.insert(
        {
            "created_at": before_the_overlap(empty_provider),
            "status_code": 100,
            "dlr_code": 4,
            "is_sent": True,
        }
    )
    run_sync(settings_at(empty_provider))
    empty_provider.advance(timedelta(days=50))
    empty_provider.forget_requests()
    run_sync(settings_at(empty_provider))
    assert uuid in " ".join(message_paths(empty_provider)), "after a pause it is asked for once more"
    empty_provider.forget_requests()
    run_sync(settings_at(empty_provider))
    assert uuid not in " ".join(message_paths(empty_provider))


def test_changes_seen_under_a_clock_that_stands_still_keep_their_order(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    steps = [
        {"at": now + offset, "status_code": 100, "dlr_code": dlr, "is_sent": True}
        for offset, dlr in ((0, 0), (10, 2), (20, 1))
    ]
    empty_provider.insert({"created_at": now, "steps": steps})
    settings = settings_at(empty_provider)
    for _ in steps:
        run_sync(settings)
        empty_provider.advance(timedelta(seconds=10))
    log = ask(settings, "select dlr_code from raw.sms_change order by observed_at")
    assert log == [(0,), (2,), (1,)]
    assert ask(settings, "select count(distinct observed_at) from raw.sms_change") == [(3,)]


def test_a_scheduled_message_is_open_for_as_long_as_it_is_scheduled(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = before_the_overlap(empty_provider)
    due = now + 20 * 86400
    [uuid] = empty_provider.insert(
        {
            "created_at": now,
            "delivery_at": due,
            "steps": [
                {"at": now, "status_code": 0, "dlr_code": 0, "is_sent": False},
                {"at": due + 9, "status_code": 100, "dlr_code": 1, "is_sent": True},
            ],
        }
    )
    run_sync(settings_at(empty_provider))
    empty_provider.advance(timedelta(days=21))
    settings = settings_at(empty_provider)
    run_sync(settings)
    assert rows_of(warehouse_of(settings), "raw.sms")[uuid]["dlr_code"] == 1


def test_a_sync_with_nothing_new_changes_nothing_and_asks_little(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    provider.advance(timedelta(days=30))  # all is final or has aged out
    settings = settings_at(provider)
    run_sync(settings)
    before = ask(settings, "select * from raw.sms order by uuid")
    result = run_sync(settings)
    assert (result.rows_new, result.rows_changed) == (0, 0)
    assert result.requests <= 5
    assert ask(settings, "select count(*) from raw.sms_change")[0][0] == len(before)


def test_a_bulk_of_thousands_in_one_second_is_paged_within_that_second(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    second = to_unix(empty_provider.now()) - 100
    messages = [{"created_at": second} for _ in range(1200)]
    messages += [{"created_at": second + offset} for offset in (-5, 5)]
    empty_provider.insert(*messages)
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert result.rows_new == 1202
    assert_messages_equal(warehouse_of(settings), empty_provider.truth_sms())


def test_a_row_that_became_visible_late_is_found_by_the_overlap(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    run_sync(settings_at(empty_provider))
    [late] = empty_provider.insert({"created_at": now - 1800})
    settings = settings_at(empty_provider)
    run_sync(settings)
    assert late in rows_of(warehouse_of(settings), "raw.sms")


def test_a_message_deleted_at_the_provider_stays_and_is_marked_gone(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    [uuid, _] = empty_provider.insert({"created_at": now - 7200}, {"created_at": now})
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.delete(uuid)
    result = run_sync(settings)
    row = rows_of(warehouse_of(settings), "raw.sms")[uuid]
    assert result.rows_gone == 1
    assert row["gone_at"] == empty_provider.now().replace(tzinfo=None)
    assert row["price"] == Decimal("0.056")
    assert run_sync(settings).rows_gone == 0


def test_the_text_features_outlive_the_text(empty_provider: SandboxHandle, settings_at: SettingsAt) -> None:
    now = to_unix(empty_provider.now())
    [uuid] = empty_provider.insert({"created_at": now, "text": "Grüße €", "text_deleted_at": now + 60})
    run_sync(settings_at(empty_provider, pii=PiiPolicy.KEEP))
    empty_provider.advance(timedelta(minutes=5))
    settings = settings_at(empty_provider, pii=PiiPolicy.KEEP)
    run_sync(settings)
    row = rows_of(warehouse_of(settings), "raw.sms")[uuid]
    assert (row["text"], row["is_text_deleted"], row["text_units"]) == ("", True, 8)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"uuid": None}, "uuid"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"price": "0.05"}, "Not a number"),
        ({"price": -1}, "Negative"),
        ({"price": 12345678901234567890}, "twelve digits"),
        ({"iso2": "DEU"}, "iso2"),
        ({"parts_count": 1.5}, "parts_count"),
    ],
)
def test_a_bad_row_goes_to_quarantine_and_stops_no_good_one(
    empty_provider: SandboxHandle, settings_at: SettingsAt, broken: dict[str, Any], reason: str
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert(
        {"created_at": now, "extra": broken, "phone": "+14155550123"},
        {"created_at": now},
        {"created_at": now},
    )
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert (result.rows_new, result.rows_quarantined, result.rows_seen) == (2, 1, 3)
    [(why, raw)] = ask(settings, "select reason, raw from ops.quarantine")
    assert reason in why
    assert "4155550123" not in raw


def test_a_bad_row_is_quarantined_once_however_often_it_is_seen(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    empty_provider.insert({"created_at": to_unix(empty_provider.now()), "extra": {"price": "free"}})
    settings = settings_at(empty_provider)
    assert run_sync(settings).rows_quarantined == 1
    assert run_sync(settings).rows_quarantined == 0


def _shape(kind: str, length: int) -> str:
    return f'{{"type":"{kind}","length":{length}}}'


@pytest.mark.parametrize(
    ("policy", "mcc", "route"),
    [("keep", "262", '{"name":"x"}'), ("pseudonymise", _shape("number", 3), _shape("object", 12))],
)
def test_of_fields_that_are_not_known_the_policy_tells_what_is_kept(
    policy: str, mcc: str, route: str, empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    [uuid] = empty_provider.insert(
        {"created_at": to_unix(empty_provider.now()), "extra": {"mcc": 262, "route": {"name": "x"}}}
    )
    settings = settings_at(empty_provider).model_copy(update={"pii": PiiPolicy(policy)})
    run_sync(settings)
    found = ask(settings, f"select extra->>'mcc', extra->>'route' from raw.sms where uuid = '{uuid}'")
    assert found == [(mcc, route)]


def test_unknown_codes_load(empty_provider: SandboxHandle, settings_at: SettingsAt) -> None:
    empty_provider.insert({"created_at": to_unix(empty_provider.now()), "status_code": 777, "dlr_code": 99})
    settings = settings_at(empty_provider)
    run_sync(settings)
    assert ask(settings, "select status_code, dlr_code from raw.sms") == [(777, 99)]


def test_a_backfill_before_the_watermark_does_not_move_it(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    first = run_sync(settings)
    since = provider.now() - timedelta(days=4)
    again = run_sync(settings, Task(since=since, until=since + timedelta(days=1)))
    assert again.watermark_before == again.watermark_after == first.watermark_after
    assert again.rows_new == 0
    assert again.rows_seen > 0


def test_a_backfill_into_an_empty_warehouse_sets_no_watermark_and_the_next_sync_reads_all(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    backfill = run_sync(settings, Task(since=provider.now() - timedelta(days=1)))
    assert backfill.rows_new > 0
    assert backfill.watermark_after is None
    run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_the_first_sync_begins_at_the_start_that_is_set(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    start = provider.now() - timedelta(days=2)
    settings = settings_at(provider, start=start)
    run_sync(settings)
    expected = [row for row in provider.truth_sms() if row["created_at"] >= to_unix(start)]
    assert 0 < len(expected) < provider.truth()["messages"]
    assert_messages_equal(warehouse_of(settings), expected)


def test_what_is_landed_is_loaded_by_the_next_run_and_not_asked_for_again(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)

    with pytest.raises(RuntimeError, match="power cut"):
        sync_loading_by(power_cut, settings)
    landed = list((settings.landing_dir / "sms").glob("*.parquet"))
    assert landed
    read_before = {path for path in message_paths(provider) if path.startswith("/sms?")}
    provider.forget_requests()
    run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    pages_read_twice = {path for path in message_paths(provider) if "page=2" in path} & read_before
    assert not pages_read_twice


def test_loading_fails_without_a_trace_and_the_watermark_stays(
    provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(provider)

    def disk_full(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr("sms_etl.sync.loading.load.advance_watermark", disk_full)
        with pytest.raises(RuntimeError, match="disk full"):
            run_sync(settings)
    assert ask(settings, "select count(*) from raw.sms") == [(0,)]
    assert ask(settings, "select count(*) from ops.watermark") == [(0,)]
    run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_a_start_in_the_future_reads_no_message(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    result = run_sync(settings_at(provider, start=provider.now() + timedelta(days=1)))
    assert (result.rows_new, result.watermark_after) == (0, None)


def test_no_number_and_no_text_reaches_the_disk_under_pseudonymise(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    stored = ask(settings, "select phone, text, phone_hash, phone_masked from raw.sms")
    assert all(phone is None and text is None and hashed and masked for phone, text, hashed, masked in stored)
    written = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
    messages = provider.truth_sms()
    assert not [row["phone"] for row in messages if row["phone"].lstrip("+").encode() in written]
    assert not [row["uuid"] for row in messages if len(row["text"]) > 20 and row["text"].encode() in written]


def test_under_keep_number_and_text_are_stored_as_sent(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider, pii=PiiPolicy.KEEP)
    run_sync(settings)
    stored = rows_of(warehouse_of(settings), "raw.sms")
    assert {uuid: (row["phone"], row["text"]) for uuid, row in stored.items()} == {
        row["uuid"]: (row["phone"], row["text"]) for row in provider.truth_sms()
    }


def test_every_request_is_in_the_ledger_with_its_request_id(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    provider.forget_requests()
    result = run_sync(settings)
    ledger = ask(settings, "select request_id, method, path, status from ops.request")
    seen = [(row["request_id"], row["method"], row["path"], row["status"]) for row in provider.requests()]
    assert sorted(ledger) == sorted(seen)
    assert len(ledger) == result.requests


def test_the_result_in_json_names_what_the_contract_names(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    result: SyncResult = run_sync(settings_at(provider))
    names = (
        "run_id stopped_reason watermark_before watermark_after windows pages requests retries rows_seen "
        "rows_new rows_changed rows_quarantined seconds"
    )
    values = result.as_json()
    assert set(names.split()) <= set(values)
    assert values["watermark_after"].endswith("+00:00")
