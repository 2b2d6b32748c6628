"""Why a window was read stays with it: only forward reading and reconciliation teach how late rows come."""

from datetime import UTC, datetime, timedelta

import duckdb
import msgspec
import pytest

from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync import engine
from sms_etl.sync.engine import run_sync
from sms_etl.sync.landing.files import WindowManifest, new_window_id
from sms_etl.sync.plan import Purpose
from sms_etl.sync.task import Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.exchanged import power_cut, sync_loading_by
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of

HOUR, DAY = 3600, 86400


def two_days_of_the_past(provider: SandboxHandle) -> tuple[datetime, int]:
    """Put messages before and after a start into the account; give the start, and how many lie before it."""
    now = to_unix(provider.now())
    before = [{"created_at": now - 2 * DAY + number * 600} for number in range(40)]
    provider.insert(*before, {"created_at": now - HOUR}, {"created_at": now})
    return datetime.fromtimestamp(now - 6 * HOUR, tz=UTC), len(before)


def reads_from(provider: SandboxHandle, settings: Settings) -> int:
    """Sync, and give the second it read from, counted back from now."""
    provider.forget_requests()
    run_sync(settings)
    query = next(request["query"] for request in provider.requests() if request["path"] == "/sms")
    since = int(query.partition("created_at%5Bgte%5D=")[2].partition("&")[0])
    return to_unix(provider.now()) - since


def test_a_backfill_teaches_no_lateness_and_no_overlap(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    start, count = two_days_of_the_past(empty_provider)
    run_sync(settings_at(empty_provider, start=start))
    settings = settings_at(empty_provider)
    result = run_sync(settings, Task(since=start - timedelta(days=3), until=start))
    assert (result.rows_new, result.rows_late, result.purpose) == (count, 0, "backfill")
    assert ask(settings, "select purpose, count(*) from ops.late_row group by all") == [("backfill", count)]
    assert read_status(settings).lateness is None
    assert reads_from(empty_provider, settings) == HOUR


def test_a_backfill_that_a_killed_run_landed_is_still_one_when_the_next_run_loads_it(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    start, count = two_days_of_the_past(empty_provider)
    run_sync(settings_at(empty_provider, start=start))
    settings = settings_at(empty_provider)

    with pytest.raises(RuntimeError, match="power cut"):
        sync_loading_by(power_cut, settings, Task(since=start - timedelta(days=3), until=start))
    result = run_sync(settings)
    assert (result.rows_new, result.rows_late, result.purpose) == (count, 0, "forward")
    assert read_status(settings).lateness is None
    assert reads_from(empty_provider, settings) == HOUR
    assert_messages_equal(warehouse_of(settings), empty_provider.truth_sms())


def test_a_row_that_could_be_loaded_at_last_did_not_become_visible_late(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    [uuid] = empty_provider.insert({"created_at": now - 10 * HOUR, "extra": {"price": "?"}})
    empty_provider.insert({"created_at": now})
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.delete(uuid)
    empty_provider.insert({"created_at": now - 10 * HOUR, "uuid": uuid})
    result = run_sync(settings, Task(is_replaying_quarantine=True))
    assert (result.rows_new, result.rows_late) == (1, 0)
    assert read_status(settings).lateness is None
    assert reads_from(empty_provider, settings) == HOUR


def test_what_came_late_is_told_by_how_it_was_found(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.insert({"created_at": now - 600}, {"created_at": now - 3 * DAY})
    run_sync(settings, Task(reconcile_days=5))
    lateness = read_status(settings).lateness
    assert lateness is not None
    assert (lateness["messages"], lateness["beyond_overlap"], lateness["longest_seconds"]) == (2, 1, 3 * DAY)


def test_every_run_and_every_window_says_what_it_was_for(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    message = {"status_code": 100, "is_sent": True}
    empty_provider.insert(
        {**message, "created_at": now - 2 * HOUR, "dlr_code": 0},
        {**message, "created_at": now - 2 * HOUR, "dlr_code": 0, "extra": {"price": "?"}},
        {**message, "created_at": now, "dlr_code": 1},
    )
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.insert({"created_at": now - 3 * DAY})
    tasks = [
        Task(reconcile_days=5),
        Task(since=empty_provider.now() - timedelta(days=1)),
        Task(is_replaying_quarantine=True),
    ]
    for task in tasks:
        run_sync(settings, task)
    runs = ask(settings, "select purpose from ops.sync_run order by rowid")
    assert runs == [("forward",), ("reconcile",), ("backfill",), ("replay",)]
    purposes = "select distinct purpose, observed_by from ops.fetch_window where stream = 'sms' order by all"
    assert ask(settings, purposes) == [
        ("backfill", "poll"),
        ("forward", "poll"),
        ("reconcile", "reconcile"),
        ("replay", "poll"),
        ("settle", "settle"),
    ]


def test_a_run_that_is_killed_leaves_word_of_its_purpose(
    provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(provider)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(engine, "record_end", killed)
        with pytest.raises(KeyboardInterrupt):
            run_sync(settings, Task(since=provider.now() - timedelta(days=1)))
    assert ask(settings, "select purpose, finished_at from ops.sync_run") == [("backfill", None)]


def test_a_backfill_that_failed_does_not_shorten_what_the_next_run_reads_again(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    settings = settings_at(empty_provider)
    run_sync(settings)
    empty_provider.insert({"created_at": now - 3000})
    run_sync(settings)
    assert reads_from(empty_provider, settings) == 6000, "twice what was seen"
    run_sync(settings, Task(since=empty_provider.now() - timedelta(minutes=1)))
    with duckdb.connect(str(warehouse_of(settings))) as connection:
        failed = "update ops.sync_run set stopped_reason = 'Unreachable' where purpose = 'backfill'"
        connection.execute(failed)
    assert reads_from(empty_provider, settings) == 6000


@pytest.mark.parametrize(
    ("observed_by", "since", "advances", "purpose"),
    [
        ("settle", None, False, Purpose.SETTLE),
        ("settle", 1, False, Purpose.SETTLE),
        ("reconcile", 1, False, Purpose.RECONCILE),
        ("poll", None, False, Purpose.REPLAY),
        ("poll", 1, False, Purpose.BACKFILL),
        ("poll", 1, True, Purpose.BACKFILL),
    ],
)
def test_a_file_of_a_version_that_knew_no_purposes_loads_and_teaches_nothing_by_mistake(
    observed_by: str, since: int | None, advances: bool, purpose: Purpose
) -> None:
    written = {
        "window_id": new_window_id(),
        "run_id": new_window_id(),
        "stream": "sms",
        "observed_by": observed_by,
        "since": since,
        "until": since,
        "advances_watermark": advances,
        "currency": "EUR",
        "fetched_at": datetime(2026, 1, 31, tzinfo=UTC),
        "pages": 1,
        "attempts": 1,
        "rows": 3,
        "rows_bad": 0,
    }
    facts = msgspec.json.decode(msgspec.json.encode(written), type=WindowManifest)
    assert (facts.why_read, facts.is_pruned, facts.prices_rounded) == (purpose, False, 0)
