"""What a load makes of a message that is stored: it is updated, marked gone, and back again."""

from datetime import datetime, timedelta
from typing import Any

from sms_etl.clock import as_utc
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl_tests.providers.lox24.rows import ROW, UUID, raw
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader

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
