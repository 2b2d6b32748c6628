"""What a run reads of a stream: from where earlier runs stopped, or what somebody asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sms_etl.sync.plan import (
    PlannedSpan,
    Purpose,
    Reached,
    Span,
    plan_reading,
    resume_at,
    span_to_read,
    span_to_reconcile,
)

HOUR = timedelta(hours=1)
DAY_SECONDS = 86_400
NOW = 1_000_000
FRESH = Reached(watermark=None, read_at=None, is_resuming=False, learnt_overlap=timedelta())
READ = replace(FRESH, watermark=NOW - 500, read_at=NOW - 400)


def planned(
    reached: Reached,
    *,
    start: int | None = None,
    backfill: tuple[int | None, int | None] | None = None,
) -> PlannedSpan | None:
    return plan_reading(reached, now=NOW, start=start, overlap=HOUR, backfill=backfill)


@pytest.mark.parametrize(
    ("purpose", "name"),
    [
        (Purpose.FORWARD, "poll"),
        (Purpose.BACKFILL, "poll"),
        (Purpose.REPLAY, "poll"),
        (Purpose.SETTLE, "settle"),
        (Purpose.RECONCILE, "reconcile"),
    ],
)
def test_the_change_log_names_what_was_looked_at_again(purpose: Purpose, name: str) -> None:
    assert purpose.observed_by == name


def test_a_sync_that_begins_now_reads_this_second() -> None:
    assert span_to_read(watermark=None, overlap=HOUR, start=NOW, now=NOW) == Span(NOW, NOW)


@pytest.mark.parametrize(
    ("read_at", "second"),
    [(NOW - 500, NOW - 4_100), (NOW, NOW - 3_600), (NOW + 3_100, NOW - 500), (NOW + 9_000, NOW - 500)],
)
def test_a_run_goes_on_an_overlap_before_its_rows_were_read_and_never_behind_the_watermark(
    read_at: int, second: int
) -> None:
    assert resume_at(NOW - 500, read_at, HOUR) == second


def test_the_first_run_reads_all_there_is() -> None:
    assert planned(FRESH) == PlannedSpan(Span(0, NOW), advances=True)


def test_the_next_run_begins_the_longer_overlap_before_the_watermark() -> None:
    late = replace(READ, learnt_overlap=2 * HOUR)
    assert planned(READ) == PlannedSpan(Span(NOW - 500 - 3_600, NOW), advances=True)
    assert planned(late) == PlannedSpan(Span(NOW - 500 - 7_200, NOW), advances=True)


def test_a_run_after_a_killed_one_reads_only_what_was_not_read_late_enough() -> None:
    killed = replace(READ, is_resuming=True, learnt_overlap=2 * HOUR)
    assert planned(killed) == PlannedSpan(Span(NOW - 4_000, NOW), advances=True)
    assert planned(killed, start=NOW - 100) == PlannedSpan(Span(NOW - 100, NOW), advances=True)


def test_nothing_is_planned_before_the_start() -> None:
    assert planned(FRESH, start=NOW + 1) is None


@pytest.mark.parametrize(
    ("backfill", "start", "span"),
    [
        ((None, None), None, Span(0, NOW)),
        ((None, 900), 100, Span(100, 900)),
        ((50, 900), 100, Span(50, 900)),
        ((50, None), None, Span(50, NOW)),
    ],
)
def test_a_backfill_reads_what_was_asked_for(
    backfill: tuple[int | None, int | None], start: int | None, span: Span
) -> None:
    assert planned(FRESH, start=start, backfill=backfill) == PlannedSpan(span, advances=False)


@pytest.mark.parametrize(("since", "advances"), [(NOW - 501, True), (NOW - 500, True), (NOW - 499, False)])
def test_a_backfill_moves_the_watermark_unless_it_would_leave_a_gap_behind_it(
    since: int, advances: bool
) -> None:
    assert planned(READ, backfill=(since, None)) == PlannedSpan(Span(since, NOW), advances=advances)


@pytest.mark.parametrize(
    ("start", "since"),
    [
        (None, NOW - DAY_SECONDS + 1),
        (NOW - 2 * DAY_SECONDS, NOW - DAY_SECONDS + 1),
        (NOW - 100, NOW - 100),
        (NOW + 100, NOW),
    ],
)
def test_a_reconciliation_of_a_day_holds_a_days_seconds_behind_the_start(
    start: int | None, since: int
) -> None:
    assert span_to_reconcile(days=1, now=NOW, start=start) == Span(since, NOW)
