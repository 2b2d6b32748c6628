"""Bulks against their messages: what does not add up is counted, and what cannot be compared is not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sms_etl.cli.status import read_status
from sms_etl.clock import fixed_clock
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.bulks import count_differing
from sms_etl.sync.engine import run_sync
from sms_etl.sync.plan import Purpose
from sms_etl.sync.task import Task
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask
from sms_etl_tests.sql.warehouse_rows import Rows

CREATED, PROCESSED = "2026-01-10 12:00:00", "2026-01-10 12:05:00"
READ = ("2026-01-01 00:00:00", "2026-01-10 13:05:00")
"""From the first message to an hour after the bulk was processed."""
HOUR = timedelta(hours=1)

Change = Callable[[Rows], object]


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    """A warehouse with a bulk of three messages at 0.1, which add up, and a message of no bulk."""
    warehouse = Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(datetime(2026, 1, 10, tzinfo=UTC)))
    with warehouse.begin() as transaction:
        found = Rows(transaction.native)
        for name in ("a", "b", "c"):
            found.sms(name, bulk_id=found.uuid("bulk"), price="0.1")
        found.sms("alone", price="0.1")
        found.bulk(
            created_at=CREATED,
            processed_at=PROCESSED,
            status_code=10,
            msg_total_count=3,
            msg_total_cost="0.3",
        )
        window(found, *READ)
        yield found


def window(rows: Rows, since: str, until: str, stream: str = "sms", purpose: str = "forward") -> None:
    rows.connection.execute(
        "insert into ops.fetch_window values (?, ?, ?, ?, ?, ?, 0, 0, 1, 1, '', ?, ?, ?)",
        [uuid4(), uuid4(), stream, Purpose(purpose).observed_by, since, until, until, until, purpose],
    )


def sms(set_: str, name: str = "a") -> Change:
    return lambda rows: rows.connection.execute(
        f"update raw.sms set {set_} where uuid = ?", [rows.uuid(name)]
    )


def bulk(set_: str) -> Change:
    return lambda rows: rows.connection.execute(f"update raw.bulk set {set_}")


def lose_a_message(rows: Rows) -> None:
    rows.connection.execute("delete from raw.sms where uuid = ?", [rows.uuid("a")])


def lose_all(rows: Rows) -> None:
    rows.connection.execute("delete from raw.sms")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lose_a_message, id="a message is missing"),
        pytest.param(lose_all, id="all messages are missing"),
        pytest.param(lambda rows: rows.sms("d", bulk_id=rows.uuid("bulk"), price="0"), id="one too many"),
        pytest.param(sms("price = 0.100001"), id="a millionth more"),
        pytest.param(bulk("msg_total_cost = 0.299999"), id="a millionth less is reported"),
        pytest.param(sms("currency = 'CHF'"), id="amounts that would add up across two currencies"),
    ],
)
def test_a_bulk_that_does_not_add_up_is_counted(rows: Rows, change: Change) -> None:
    assert count_differing(rows.connection, overlap=HOUR) == 0
    change(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 1


def test_each_bulk_counts_once(rows: Rows) -> None:
    for name in ("second", "third"):
        rows.bulk(name, created_at=CREATED, processed_at=PROCESSED, msg_total_count=1, msg_total_cost="1")
    sms("currency = 'CHF'", "a")(rows)
    sms("price = 7", "b")(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 3


def test_a_message_the_provider_deleted_still_counts(rows: Rows) -> None:
    sms("gone_at = now()")(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 0


def test_cost_is_compared_once_every_message_has_a_price(rows: Rows) -> None:
    sms("price = null")(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 0
    sms("price = 0.2")(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 1


def test_the_number_of_messages_is_compared_whatever_their_prices(rows: Rows) -> None:
    sms("price = null")(rows)
    bulk("msg_total_count = 4")(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 1


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(bulk(f"status_code = {code}"), id=f"status {code}") for code in (0, 5, 15, 20, 201)),
        pytest.param(bulk("is_dryrun = true"), id="a dry run"),
        pytest.param(bulk("processed_at = processed_at + interval 1 second"), id="within the overlap"),
        pytest.param(bulk("processed_at = null"), id="not processed yet"),
        pytest.param(bulk("created_at = '2025-12-31 23:59:59'"), id="before what is loaded"),
    ],
)
def test_a_bulk_that_is_not_done_or_not_wholly_loaded_is_not_compared(rows: Rows, change: Change) -> None:
    lose_a_message(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 1
    change(rows)
    assert count_differing(rows.connection, overlap=HOUR) == 0


@pytest.mark.parametrize(
    ("stream", "purpose"), [("bulks", "forward"), ("sms", "settle"), ("sms", "reconcile")]
)
def test_only_what_is_read_of_messages_widens_what_is_loaded(rows: Rows, stream: str, purpose: str) -> None:
    lose_a_message(rows)
    bulk("processed_at = '2026-01-10 14:00:00'")(rows)
    window(rows, "2026-01-10 13:05:01", "2026-01-10 15:00:00", stream, purpose)
    assert count_differing(rows.connection, overlap=HOUR) == 0
    window(rows, "2026-01-10 13:05:01", "2026-01-10 15:00:00")
    assert count_differing(rows.connection, overlap=HOUR) == 1


def test_what_lies_between_a_backfill_and_what_is_read_forward_is_not_compared(rows: Rows) -> None:
    lose_a_message(rows)
    rows.connection.execute("delete from ops.fetch_window")
    window(rows, "2026-01-01 00:00:00", "2026-01-05 23:59:59", purpose="backfill")
    window(rows, "2026-01-20 00:00:00", "2026-01-31 00:00:00")
    assert count_differing(rows.connection, overlap=HOUR) == 0, "its messages were never asked for"
    window(rows, "2026-01-06 00:00:00", "2026-01-19 23:59:59", purpose="backfill")
    assert count_differing(rows.connection, overlap=HOUR) == 1, "the backfill closed the gap"


def test_before_anything_was_read_nothing_is_compared(rows: Rows) -> None:
    lose_a_message(rows)
    rows.connection.execute("delete from ops.fetch_window")
    assert count_differing(rows.connection, overlap=HOUR) == 0


# --- by a sync ---


def send_bulk(provider: SandboxHandle) -> list[str]:
    """Have the account send a bulk to ten numbers; give the uuids of its messages."""
    order: dict[str, Any] = {"sender_id": "Shop", "text": "Hello"}
    order["phones"] = [f"+1415555{number:04}" for number in range(10)]
    header = {"X-LOX24-AUTH-TOKEN": provider.token}
    sent = httpx.post(f"{provider.url}/bulks", json=order, headers=header, trust_env=False)
    assert sent.status_code == 201, sent.text
    provider.advance(timedelta(minutes=5))
    return [row["uuid"] for row in provider.truth_sms() if row["bulk_id"] == sent.json()["uuid"]]


def test_a_sync_finds_a_bulk_whose_message_it_never_saw(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    uuids = [send_bulk(empty_provider)[0] for _ in range(2)]
    empty_provider.delete(uuids[0])
    assert run_sync(settings_at(empty_provider)).bulks_differing == 0, "it may still become visible"
    empty_provider.advance(timedelta(hours=1))
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert (result.bulks_differing, result.as_json()["bulks_differing"]) == (1, 1)
    assert (result.stopped_reason, result.differences) == ("done", 0)
    found = read_status(settings)
    assert (found.bulks_differing, found.as_json()["bulks_differing"]) == (1, 1)
    assert "bulks that do not add up to their messages: 1" in found.warnings


def test_a_bulk_adds_up_after_its_message_was_deleted_at_the_provider(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    uuids = send_bulk(empty_provider)
    run_sync(settings_at(empty_provider))
    empty_provider.delete(uuids[0])
    empty_provider.advance(timedelta(hours=2))
    settings = settings_at(empty_provider)
    assert run_sync(settings).bulks_differing == 0
    assert ask(settings, "select count(*) from raw.sms where gone_at is not null") == [(1,)]
    found = read_status(settings)
    assert (found.bulks_differing, found.warnings) == (0, ())


def test_bulks_of_a_realistic_account_add_up(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    provider.advance(timedelta(days=3))
    settings = settings_at(provider)
    assert run_sync(settings).bulks_differing == 0
    done = "select count(*) > 3 from raw.bulk where status_code = 10 and not is_dryrun"
    assert ask(settings, done) == [(True,)]


def test_a_run_that_reads_no_bulks_does_not_say_they_add_up(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(empty_provider)
    backfill = Task(until=empty_provider.now())
    assert run_sync(settings, backfill).bulks_differing is None
    assert run_sync(settings, Task(is_replaying_quarantine=True)).bulks_differing is None
    assert run_sync(settings, Task(reconcile_days=2)).bulks_differing == 0
