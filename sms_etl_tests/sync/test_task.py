"""What a run is for, and which days it refuses before any request."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sms_etl.errors import SettingsError
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.plan import Purpose
from sms_etl.sync.task import SyncResult, Task, check_days

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, now=NOW, start=NOW - timedelta(days=10))


@pytest.mark.parametrize(
    ("task", "purpose"),
    [
        (Task(), Purpose.FORWARD),
        (Task(since=NOW), Purpose.BACKFILL),
        (Task(until=NOW), Purpose.BACKFILL),
        (Task(reconcile_days=3), Purpose.RECONCILE),
        (Task(is_replaying_quarantine=True), Purpose.REPLAY),
        (Task(since=NOW, is_replaying_quarantine=True), Purpose.REPLAY),
        (Task(since=NOW, reconcile_days=3), Purpose.BACKFILL),
    ],
)
def test_a_run_has_the_purpose_that_it_was_asked_for(task: Task, purpose: Purpose) -> None:
    assert task.purpose is purpose


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task(since=NOW, until=NOW - SECOND), "--since lies after --until"),
        (Task(since=NOW + SECOND), "in the future: it is 2026-03-01 12:00 UTC"),
        (Task(until=NOW - timedelta(days=10) - SECOND), "before SMS_ETL_START, 2026-02-19 12:00 UTC"),
    ],
)
def test_a_backfill_of_an_empty_span_is_refused(settings: Settings, task: Task, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_days(settings, task)


@pytest.mark.parametrize(
    "task",
    [
        Task(),
        Task(since=NOW),
        Task(since=NOW, until=NOW),
        Task(until=NOW - timedelta(days=10)),
        Task(since=NOW - timedelta(days=20), until=NOW - timedelta(days=15)),
    ],
)
def test_a_span_of_a_single_second_is_not_empty_and_since_may_lie_before_the_start(
    settings: Settings, task: Task
) -> None:
    check_days(settings, task)


def test_without_a_start_all_days_up_to_a_moment_may_be_read(tmp_path: Path) -> None:
    check_days(load_settings(data_dir=tmp_path, now=NOW), Task(until=NOW - timedelta(days=1000)))


def test_a_result_in_json_has_its_times_with_their_offset() -> None:
    values: dict[str, Any] = {field.name: 0 for field in fields(SyncResult)}
    values |= {
        "purpose": Purpose.FORWARD,
        "watermark_before": None,
        "watermark_after": NOW.replace(tzinfo=None),
    }
    told = SyncResult(**values).as_json()
    assert (told["watermark_before"], told["watermark_after"]) == (None, "2026-03-01T12:00:00+00:00")
    assert told["purpose"] == "forward"
    assert told.keys() == values.keys()
