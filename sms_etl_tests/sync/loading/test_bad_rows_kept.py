"""Holds which bad rows a load keeps, closes and asks for again; without a provider."""

from uuid import UUID

import pytest

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.loading.quarantine import spans_to_replay, uuids_to_replay
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import BULKS, BULKS_CHANGED, SMS
from sms_etl_tests.providers.lox24.rows import BULK, BULK_UUID, ROW, raw
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

BAD_BULK = raw(BULK, source='"api"')


def nameless(second: int | str) -> bytes:
    """Return a row without a uuid; its second may be unreadable."""
    return raw(ROW, uuid="null", created_at=str(second))


def bad(number: int, second: int = BEGIN) -> bytes:
    return message(number, second, price="-1")


def count_open(loader: Loader) -> int:
    (count,) = loader.transaction.row("select count(*) from ops.quarantine where replayed_at is null")
    return int(count)


def test_a_bad_row_is_kept_with_its_run_its_window_its_time_and_its_currency(loader: Loader) -> None:
    file = loader.land(message(2, BEGIN), bad(1), currency="CHF")
    assert loader.load_files(file, run_id=UUID(int=7))[0].rows_quarantined == 1
    kept = loader.transaction.row(
        "select run_id, window_id, stream, quarantined_at, uuid, price, currency, created_at "
        "from ops.quarantine"
    )
    window_id = file.manifest.window_id
    assert kept == (UUID(int=7), window_id, "sms", as_utc(NOW), uuid_of(1), "-1", "CHF", from_unix(BEGIN))


@pytest.mark.parametrize("way", [{}, BY_UUID], ids=["by time", "by uuid"])
def test_a_bad_row_is_kept_once_and_closed_when_it_is_loaded(loader: Loader, way: dict[str, object]) -> None:
    assert loader.load(bad(1), **way).rows_quarantined == 1
    assert loader.load(bad(1), **way).rows_quarantined == 0
    counts = loader.load(message(1, BEGIN), **way)
    assert (counts.rows_new, counts.rows_quarantined, count_open(loader)) == (1, 0, 0)
    assert loader.load(bad(1), **way).rows_quarantined == 1


def test_a_row_of_which_a_copy_is_still_bad_stays_open(loader: Loader) -> None:
    loader.load(bad(1))
    loader.load_files(loader.land(message(1, BEGIN), bad(1)))
    assert count_open(loader) == 1


def test_a_load_without_bad_rows_counts_none(loader: Loader) -> None:
    loader.load(bad(1), nameless(BEGIN))
    assert loader.load(message(2, BEGIN + 9), since=BEGIN + 9, until=BEGIN + 9).rows_quarantined == 0
    assert count_open(loader) == 2


def test_a_bulk_is_the_same_one_along_either_of_its_times_and_no_message(loader: Loader) -> None:
    counted = [
        loader.load_files(loader.land(BAD_BULK, stream=stream), stream=stream)[0].rows_quarantined
        for stream in (BULKS, BULKS_CHANGED)
    ]
    assert counted == [1, 0]
    loader.load(raw(ROW, uuid=f'"{BULK_UUID}"'))
    assert count_open(loader) == 1
    assert uuids_to_replay(loader.transaction, SMS) == []
    assert uuids_to_replay(loader.transaction, BULKS, BULKS_CHANGED) == [BULK_UUID]
    loader.load_files(loader.land(raw(BULK), stream=BULKS_CHANGED), stream=BULKS_CHANGED)
    assert count_open(loader) == 0


def test_neighbouring_seconds_of_rows_without_a_uuid_are_replayed_as_one_span(loader: Loader) -> None:
    loader.load(*(nameless(BEGIN + second) for second in (0, 1, 3, 3, 10)), bad(1))
    spans = [Span(BEGIN, BEGIN + 1), Span(BEGIN + 3, BEGIN + 3), Span(BEGIN + 10, BEGIN + 10)]
    assert spans_to_replay(loader.transaction, SMS) == spans
    assert uuids_to_replay(loader.transaction, SMS) == [uuid_of(1)]


def test_windows_that_overlap_are_replayed_as_one_span(loader: Loader) -> None:
    for since, until in ((0, 5), (50, 99), (60, 70), (100, 120)):
        unlike = f'"{"x" * since}"'  # what looks alike in the same seconds is one row
        loader.load(nameless(unlike), since=BEGIN + since, until=BEGIN + until)
    spans = [Span(BEGIN, BEGIN + 5), Span(BEGIN + 50, BEGIN + 120)]
    assert spans_to_replay(loader.transaction, SMS) == spans


def test_along_the_time_of_their_last_change_the_window_of_a_bulk_is_replayed(loader: Loader) -> None:
    file = loader.land(raw(BULK, uuid="null"), stream=BULKS_CHANGED, since=1_755_868_000, until=1_755_869_000)
    loader.load_files(file, stream=BULKS_CHANGED)
    assert spans_to_replay(loader.transaction, BULKS_CHANGED) == [Span(1_755_868_000, 1_755_869_000)]


def test_a_row_that_is_right_again_and_as_it_was_makes_models_out_of_date(loader: Loader) -> None:
    """They count what waits in quarantine."""
    loader.load(message(1, BEGIN))
    loader.load(bad(1))
    loader.note_build()
    assert loader.load(message(1, BEGIN)).rows_changed == 0
    assert not loader.are_models_current()


def test_a_row_without_a_uuid_that_is_not_there_any_more_makes_models_out_of_date(loader: Loader) -> None:
    assert loader.load(nameless(BEGIN), nameless(BEGIN)).rows_quarantined == 2
    loader.note_build()
    loader.load(nameless(BEGIN), nameless(BEGIN))
    loader.load(since=BEGIN + 1, until=BEGIN + 9)
    assert loader.are_models_current()
    loader.load(nameless(BEGIN))
    assert not loader.are_models_current()
    assert count_open(loader) == 1
