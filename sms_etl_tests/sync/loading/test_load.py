"""Holds what a load counts, what it notes of its windows, and when the models are out of date."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.missing import Missing
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

ONE, TWO = message(1, BEGIN), message(2, BEGIN + 1)
CHANGED = message(1, BEGIN, status_code="100")
BAD = message(3, BEGIN + 2, price="-1")
NOISY = message(4, BEGIN + 3, price="0.10000000000000001", new_field="1")


def test_pages_rows_and_noise_are_added_up_over_the_files(loader: Loader) -> None:
    files = [
        loader.land(ONE, TWO, BAD, since=BEGIN, until=BEGIN + 2, pages=2),
        loader.land(NOISY, since=BEGIN + 3, until=BEGIN + 9, pages=3),
    ]
    counts, _ = loader.load_files(*files)
    assert counts == LoadCounts(
        windows=2,
        pages=5,
        rows_seen=4,
        rows_new=3,
        rows_quarantined=1,
        prices_rounded=files[1].manifest.prices_rounded,
        unknown_fields=("new_field",),
    )


def test_a_field_is_new_once(loader: Loader) -> None:
    assert loader.load(NOISY).unknown_fields == ("new_field",)
    assert loader.load(NOISY).unknown_fields == ()


@pytest.mark.parametrize(("is_pruned", "pruned"), [(True, 1), (False, 0)])
def test_what_is_pruned_is_counted_as_gone_too(loader: Loader, is_pruned: bool, pruned: int) -> None:
    loader.load(ONE)
    counts = loader.load(gone=(uuid_of(1),), **BY_UUID, is_pruned=is_pruned)
    assert (counts.rows_gone, counts.rows_pruned) == (1, pruned)


def test_a_file_that_is_loaded_again_changes_nothing(loader: Loader) -> None:
    first, second = loader.land(ONE), loader.land(CHANGED, fetched_at=NOW + timedelta(hours=1))
    loader.load_files(first)
    loader.load_files(second)
    assert loader.load_files(first) == (LoadCounts(), Missing())
    assert loader.transaction.row("select status_code from raw.sms") == (100,)
    assert loader.transaction.row("select count(*) from ops.fetch_window") == (2,)


@pytest.mark.parametrize(
    ("rows", "more", "is_current"),
    [
        ([TWO], {}, False),
        ([CHANGED], {}, False),
        ([], {"gone": (uuid_of(1),), **BY_UUID}, False),
        ([BAD], {}, False),
        ([ONE], {}, True),
    ],
    ids=["new", "changed", "gone", "quarantined", "as it was"],
)
def test_models_are_out_of_date_once_anything_of_a_load_is_other_than_before(
    loader: Loader, rows: list[bytes], more: dict[str, Any], is_current: bool
) -> None:
    loader.load(ONE)
    loader.note_build()
    loader.load(*rows, **more)
    assert loader.are_models_current() is is_current


def test_a_load_tells_what_it_counted(loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sms_etl")
    loader.load(ONE, TWO, BAD)
    told = "Loaded 1 windows of sms (forward): 3 rows, 2 new, 0 changed, 0 gone, 1 quarantined."
    assert told in caplog.messages
