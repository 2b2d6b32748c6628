"""What a load makes of a message that is stored: it is updated, marked gone, and back again."""

from datetime import datetime, timedelta
from typing import Any

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl_tests.providers.lox24.rows import ROW, UUID, raw
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

HOUR = timedelta(hours=1)


def load(loader: Loader, *rows: bytes, at: datetime, gone: tuple[str, ...] = ()) -> LoadCounts:
    return loader.load(*rows, gone=gone, **BY_UUID, fetched_at=at)


def stored(loader: Loader) -> tuple[Any, ...]:
    """Return when the message changed, was seen, and was gone."""
    return loader.transaction.row("select changed_at, last_seen_at, gone_at from raw.sms", [])


def test_a_message_that_reappears_is_gone_no_longer(loader: Loader) -> None:
    load(loader, raw(ROW), at=NOW)
    assert load(loader, gone=(UUID,), at=NOW + HOUR).rows_gone == 1
    assert stored(loader) == (as_utc(NOW + HOUR), as_utc(NOW), as_utc(NOW + HOUR))
    assert load(loader, raw(ROW), at=NOW + 2 * HOUR).rows_changed == 1
    assert stored(loader) == (as_utc(NOW + 2 * HOUR), as_utc(NOW + 2 * HOUR), None)


def test_a_message_stays_gone_since_it_was_first_answered_so(loader: Loader) -> None:
    load(loader, raw(ROW), at=NOW)
    load(loader, gone=(UUID,), at=NOW + HOUR)
    assert load(loader, gone=(UUID,), at=NOW + 2 * HOUR).rows_gone == 0
    assert stored(loader) == (as_utc(NOW + HOUR), as_utc(NOW), as_utc(NOW + HOUR))


def test_a_message_that_is_shown_as_it_was_is_seen_and_not_changed(loader: Loader) -> None:
    load(loader, raw(ROW), at=NOW)
    counts = load(loader, raw(ROW), at=NOW + HOUR)
    assert (counts.rows_new, counts.rows_changed) == (0, 0)
    assert stored(loader) == (as_utc(NOW), as_utc(NOW + HOUR), None)


FIRST, SECOND = BEGIN, BEGIN + 3600


def rows(loader: Loader, columns: str) -> list[tuple[Any, ...]]:
    return loader.transaction.native.execute(f"select {columns} from raw.sms order by all").fetchall()


def test_the_change_log_has_the_first_sight_and_each_change_and_no_other(loader: Loader) -> None:
    for hours, code in enumerate(("0", "0", "100")):
        loader.load(message(1, FIRST, status_code=code), fetched_at=NOW + hours * HOUR)
    loader.load(message(1, FIRST, status_code="100", key_id="1"), fetched_at=NOW + 3 * HOUR)
    log = loader.transaction.native.execute(
        "select observed_at, observed_by, currency, status_code from raw.sms_change order by observed_at"
    ).fetchall()
    assert log == [(as_utc(NOW), "poll", "EUR", 0), (as_utc(NOW + 2 * HOUR), "poll", "EUR", 100)]


def test_a_message_that_comes_with_another_time_moves_there(loader: Loader) -> None:
    loader.load(message(1, FIRST))
    file = loader.land(message(1, SECOND), since=SECOND, until=SECOND)
    counts, missing = loader.load_files(file)
    assert (counts.rows_new, counts.rows_changed, missing.moved) == (0, 1, frozenset([uuid_of(1)]))
    assert rows(loader, "created_at") == [(from_unix(SECOND),)]


def test_a_message_that_an_earlier_version_stored_at_two_times_becomes_one(loader: Loader) -> None:
    loader.load(message(1, FIRST))
    loader.transaction.run(
        "insert into raw.sms select * replace (created_at + interval 1 hour as created_at) from raw.sms"
    )
    loader.load(message(1, FIRST), **BY_UUID, fetched_at=NOW + HOUR)
    assert rows(loader, "created_at, last_seen_at") == [(from_unix(FIRST), as_utc(NOW + HOUR))]


def test_what_is_read_of_a_text_outlives_it_and_nothing_else_does(loader: Loader) -> None:
    loader.load(message(1, FIRST))
    before = rows(loader, "text_units, text_parts, text_template")
    loader.load(message(1, FIRST, text="null", iso2="null"), fetched_at=NOW + HOUR)
    assert before == rows(loader, "text_units, text_parts, text_template") != [(None, None, None)]
    assert rows(loader, "iso2") == [(None,)]
