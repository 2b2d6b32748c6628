"""Holds what counts as missing from a window that was read whole, and since when a message is gone."""

from datetime import timedelta

import pytest

from sms_etl.clock import as_utc
from sms_etl.sync.landing.files import Landed
from sms_etl.sync.loading.missing import Missing
from sms_etl.sync.streams import BULKS, BULKS_CHANGED
from sms_etl_tests.providers.lox24.rows import BULK, raw
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

FOUR = [message(number, BEGIN + 10 * number) for number in range(4)]


@pytest.fixture
def stored(loader: Loader) -> Loader:
    """A warehouse with four messages, ten seconds apart."""
    loader.load(*FOUR)
    return loader


def window(loader: Loader, first: int, last: int, *rows: bytes) -> Landed:
    return loader.land(*rows, since=BEGIN + first, until=BEGIN + last)


def test_what_lies_at_either_end_of_a_window_and_is_not_in_it_is_missing(stored: Loader) -> None:
    _, missing = stored.load_files(window(stored, 0, 30, FOUR[1], FOUR[2]))
    assert missing == Missing(of_some=(uuid_of(0), uuid_of(3)))


def test_what_lies_beside_a_window_is_not_missing(stored: Loader) -> None:
    _, missing = stored.load_files(window(stored, 1, 29, FOUR[1], FOUR[2]))
    assert missing == Missing()


def test_windows_in_which_nothing_is_left_are_told_apart(stored: Loader) -> None:
    windows = (window(stored, 0, 9), window(stored, 10, 29, FOUR[1]), window(stored, 30, 39))
    _, missing = stored.load_files(*windows)
    assert missing == Missing(of_some=(uuid_of(2),), of_all=((uuid_of(0),), (uuid_of(3),)))


@pytest.mark.parametrize("good", [[], [FOUR[1]]], ids=["bad row alone", "beside a good one"])
def test_a_row_that_cannot_be_read_is_not_missing_and_leaves_its_window_not_empty(
    stored: Loader, good: list[bytes]
) -> None:
    bad = message(2, BEGIN + 20, price="-1")
    _, missing = stored.load_files(window(stored, 10, 39, *good, bad))
    assert missing == Missing(of_some=(uuid_of(3),) if good else (uuid_of(1), uuid_of(3)))


def test_what_is_known_to_be_gone_is_missing_no_more(stored: Loader) -> None:
    stored.load(gone=(uuid_of(3),), **BY_UUID)
    _, missing = stored.load_files(window(stored, 20, 39, FOUR[2]))
    assert missing == Missing()


def test_along_the_time_of_their_last_change_no_bulk_is_missing(loader: Loader) -> None:
    loader.load_files(loader.land(raw(BULK), stream=BULKS), stream=BULKS)
    _, missing = loader.load_files(loader.land(stream=BULKS_CHANGED), stream=BULKS_CHANGED)
    assert missing == Missing()


def test_of_files_that_are_loaded_together_the_last_tells_since_when_a_message_is_gone(
    stored: Loader,
) -> None:
    times = [NOW + timedelta(minutes=minute) for minute in range(3)]
    files = [stored.land(gone=(uuid_of(3),), **BY_UUID, fetched_at=at) for at in times]
    counts, _ = stored.load_files(*files)
    assert counts.rows_gone == 1
    found = stored.transaction.row("select gone_at, changed_at from raw.sms where gone_at is not null")
    assert found == (as_utc(times[-1]), as_utc(times[-1]))


def test_what_a_later_load_found_at_another_time_was_not_missing() -> None:
    earlier = Missing(("a", "b"), (("c", "d"), ("e",)), moved=frozenset("f"))
    later = Missing(("f",), (("g", "a"),), moved=frozenset("ace"))
    assert earlier + later == Missing(("b", "f"), (("d",), ("g", "a")))
