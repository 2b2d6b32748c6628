"""Holds that a row that cannot be loaded waits once, until it is loaded or somebody accepts it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from sms_etl.clock import from_unix, to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl.warehouse.quarantine import accept, quarantined_rows
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.exchanged import power_cut, sync_loading_by
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of
from sms_etl_tests.sync.reformatting import reformatting

REPLAY = Task(is_replaying_quarantine=True)
Sync = Callable[..., SyncResult]


@pytest.fixture
def settings(empty_provider: SandboxHandle, settings_at: SettingsAt) -> Settings:
    """Settings at the moment the account begins with; its clock stands still, and windows are small."""
    return settings_at(empty_provider, window_rows=300)


@pytest.fixture
def now(empty_provider: SandboxHandle) -> int:
    return to_unix(empty_provider.now())


@pytest.fixture
def sync(settings: Settings) -> Sync:
    return lambda task=None: run_sync(settings, task)


def replace(provider: SandboxHandle, uuid: str, message: dict[str, Any]) -> None:
    """Let the provider show a message otherwise from now on."""
    provider.delete(uuid)
    provider.insert({"uuid": uuid, **message})


def accept_all(settings: Settings, reason: str = "a test message") -> None:
    with Warehouse.of(settings).begin() as transaction:
        ids = [str(row.quarantine_id) for row in quarantined_rows(transaction.native)]
        accept(transaction.native, ids, reason=reason, now=settings.clock())


def states(settings: Settings) -> list[tuple[Any, ...]]:
    """Return of each row whether it was replayed and accepted, the oldest first."""
    return ask(
        settings,
        "select replayed_at is not null, accepted_at is not null from ops.quarantine order by rowid",
    )


# --- one open row each ---


def test_a_row_that_changes_and_is_still_bad_stays_one_open_row_as_it_is_now(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    [uuid] = empty_provider.insert({"created_at": now, "extra": {"price": "free"}})
    sync()
    replace(empty_provider, uuid, {"created_at": now, "extra": {"iso2": "XKX"}, "dlr_code": 1})
    result = sync()
    assert (result.rows_quarantined, result.quarantine_open) == (0, 1)
    assert ask(settings, "select reason from ops.quarantine") == [("Not two letters - at `$.iso2`",)]


def test_a_row_that_waits_is_counted_by_every_run_also_one_that_reads_no_message(
    empty_provider: SandboxHandle, now: int, sync: Sync, settings: Settings
) -> None:
    empty_provider.insert({"created_at": now - 86400, "extra": {"price": "free"}}, {"created_at": now})
    assert (sync().quarantine_open, sync().quarantine_open, sync(REPLAY).quarantine_open) == (1, 1, 1)
    kept = ask(settings, "select rows_quarantined, quarantine_open from ops.sync_run order by rowid")
    assert kept == [(1, 1), (0, 1), (0, 1)]


def test_a_bulk_that_is_bad_along_both_of_its_times_is_one_row(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    with reformatting(provider) as changing:
        bulks = provider.truth_bulks()
        broken = bulks[0]["uuid"]
        changing.write(lambda row: row | ({"source": "api"} if row["uuid"] == broken else {}), "/bulks")
        settings = settings_at(provider).model_copy(update={"lox24_base_url": changing.proxy.url})
        result = run_sync(settings)
        assert (result.rows_quarantined, result.quarantine_open) == (1, 1)
        changing.write_as_documented()
        assert run_sync(settings, REPLAY).quarantine_open == 0
    assert ask(settings, f"select count(*) from raw.bulk where uuid = '{broken}'") == [(1,)]


def test_each_bad_row_knows_its_time_and_its_own_window(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    empty_provider.insert(*({"created_at": now - 2000 + number} for number in range(600)))
    times = [now - 1999, now - 1402]
    empty_provider.insert(*({"created_at": time, "extra": {"iso2": 1}} for time in times))
    empty_provider.insert({"created_at": now, "extra": {"created_at": "today"}})
    sync()
    assert ask(settings, "select count(*) from ops.fetch_window where stream = 'sms'")[0][0] > 1
    rows = ask(
        settings,
        "select created_at, created_at between read.since_at and read.until_at from ops.quarantine "
        "join ops.fetch_window as read using (window_id) order by created_at nulls last",
    )
    assert rows == [(from_unix(times[0]), True), (from_unix(times[1]), True), (None, None)]


# --- rows without a readable uuid ---


def test_a_row_without_a_uuid_is_closed_when_its_second_is_read_again_and_it_is_right(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    long_ago = now - 3 * 86400
    [uuid] = empty_provider.insert({"created_at": long_ago, "extra": {"uuid": None}})
    empty_provider.insert({"created_at": now})
    assert sync().quarantine_open == 1
    empty_provider.forget_requests()
    still_bad = sync(REPLAY)
    assert (still_bad.rows_seen, still_bad.rows_quarantined, still_bad.quarantine_open) == (1, 0, 1)
    [asked] = [request["query"] for request in empty_provider.requests() if request["path"] == "/sms"]
    assert asked.count(str(long_ago)) == 2, "one second, not the days of its window"
    replace(empty_provider, uuid, {"created_at": long_ago})
    right = sync(REPLAY)
    assert (right.rows_new, right.quarantine_open) == (1, 0)
    assert_messages_equal(warehouse_of(settings), empty_provider.truth_sms())


def test_without_a_uuid_and_a_time_the_whole_window_is_read_again(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    message = {"created_at": now - 3 * 86400}
    [uuid] = empty_provider.insert(message | {"extra": {"uuid": 17, "created_at": "then"}})
    empty_provider.insert({"created_at": now})
    sync()
    assert sync(REPLAY).quarantine_open == 1
    replace(empty_provider, uuid, message)
    assert sync(REPLAY).quarantine_open == 0
    assert_messages_equal(warehouse_of(settings), empty_provider.truth_sms())


@pytest.mark.parametrize("extra", [{"uuid": None}, {"uuid": "n/a", "created_at": None}])
def test_a_row_without_a_uuid_met_by_the_overlap_stays_one_row_whatever_else_of_it_changes(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync, extra: dict[str, Any]
) -> None:
    empty_provider.insert({"created_at": now - 60})
    [uuid] = empty_provider.insert({"created_at": now, "extra": extra})
    assert sync().quarantine_open == 1
    again = sync()
    assert (again.rows_quarantined, again.quarantine_open) == (0, 1)
    replace(empty_provider, uuid, {"created_at": now, "dlr_code": 1, "status_code": 100, "extra": extra})
    sync(REPLAY)
    assert sync().quarantine_open == 1


def test_rows_that_look_alike_but_for_what_is_not_kept_are_counted_each(
    empty_provider: SandboxHandle, now: int, sync: Sync
) -> None:
    alike = {"created_at": now, "extra": {"uuid": None, "requests": None, "clicks": None}}
    numbers = ("+14155550101", "+14155550102", "+14155550103")
    empty_provider.insert(*(alike | {"phone": number} for number in numbers))
    assert sync().quarantine_open == 3
    assert sync().quarantine_open == 3


def test_reading_other_seconds_closes_nothing(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    long_ago = now - 3 * 86400
    empty_provider.insert({"created_at": long_ago, "extra": {"uuid": None}}, {"created_at": now})
    sync()
    around = from_unix(long_ago)
    for since, until in ((-100, -1), (1, 100)):
        moments = [_aware(around + timedelta(seconds=offset)) for offset in (since, until)]
        assert run_sync(settings, Task(since=moments[0], until=moments[1])).quarantine_open == 1


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


# --- accepted rows ---


def test_an_accepted_row_stays_closed_however_often_it_is_met(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    bad = {"created_at": now, "extra": {"price": -1}}
    [uuid] = empty_provider.insert(bad)
    empty_provider.insert({"created_at": now, "extra": {"uuid": None}}, {"created_at": now})
    sync()
    accept_all(settings)
    assert sync().quarantine_open == 0
    replace(empty_provider, uuid, bad | {"dlr_code": 1, "status_code": 100})
    again = sync()
    assert (again.rows_quarantined, again.quarantine_open) == (0, 0)
    assert sync(REPLAY).rows_seen == 0
    assert states(settings) == [(False, True), (False, True)]


@pytest.mark.parametrize(
    "other", [{"price": -500}, {"price": "?"}, {"iso2": 1}], ids=["price", "reason", "field"]
)
def test_an_accepted_row_that_is_bad_in_another_way_waits_again(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync, other: dict[str, Any]
) -> None:
    [uuid] = empty_provider.insert({"created_at": now, "extra": {"price": -1}})
    sync()
    accept_all(settings)
    replace(empty_provider, uuid, {"created_at": now, "extra": other})
    result = sync()
    assert (result.rows_quarantined, result.quarantine_open) == (1, 1)
    assert states(settings) == [(False, True), (False, False)]


@pytest.mark.parametrize("extra", [{"price": -1}, {"uuid": None}], ids=["with uuid", "without"])
def test_an_accepted_row_that_is_right_later_is_marked_replayed(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync, extra: dict[str, Any]
) -> None:
    [uuid] = empty_provider.insert({"created_at": now, "extra": extra})
    sync()
    accept_all(settings)
    replace(empty_provider, uuid, {"created_at": now})
    assert sync().rows_new == 1
    assert states(settings) == [(True, True)]


# --- landed files ---


def test_landed_files_without_the_time_of_bad_rows_still_load(
    empty_provider: SandboxHandle, settings: Settings, now: int, sync: Sync
) -> None:
    empty_provider.insert({"created_at": now, "extra": {"price": "free"}}, {"created_at": now})
    _fail_to_load(settings)
    [file] = (settings.landing_dir / "sms").glob("*.parquet")
    _as_of_version_1(file)
    empty_provider.insert({"created_at": now, "extra": {"price": "free"}})
    assert sync().quarantine_open == 2
    assert ask(settings, "select count(*), count(created_at) from ops.quarantine") == [(2, 2)]


def test_a_row_that_one_landed_file_holds_bad_and_a_later_one_right_does_not_wait(
    empty_provider: SandboxHandle, settings_at: SettingsAt, now: int
) -> None:
    [uuid] = empty_provider.insert({"created_at": now, "extra": {"price": "free"}})
    settings = settings_at(empty_provider)
    _fail_to_load(settings)
    [first] = (settings.landing_dir / "sms").glob("*.parquet")
    hidden = first.rename(settings.data_dir / first.name)
    replace(empty_provider, uuid, {"created_at": now})
    empty_provider.advance(timedelta(seconds=1))
    _fail_to_load(settings_at(empty_provider))
    hidden.rename(first)
    empty_provider.delete(uuid)
    result = run_sync(settings)
    assert (result.rows_new, result.rows_quarantined, result.quarantine_open) == (1, 0, 0)


def _fail_to_load(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        sync_loading_by(power_cut, settings)


def _as_of_version_1(file: Path) -> None:
    table = pq.read_table(file)
    manifest = msgspec.json.decode(table.schema.metadata[b"sms_etl"])
    del manifest["prices_rounded"]
    metadata = {b"sms_etl": msgspec.json.encode(manifest)}
    pq.write_table(table.drop_columns("bad_created_at").replace_schema_metadata(metadata), file)
