"""Holds which landed files are loaded together, and when their rows are known to be in order."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sms_etl.clock import from_unix
from sms_etl.sync.landing.files import Landed
from sms_etl.sync.loading.batch import batches, show_batch
from sms_etl.sync.loading.missing import Missing
from sms_etl.sync.plan import Purpose
from sms_etl.sync.streaming import stream_of
from sms_etl.sync.streams import SMS
from sms_etl_tests.sync.loading.conftest import BY_UUID, NOW, Loader, message
from sms_etl_tests.sync.manifests import manifest_of
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN

HERE = Path("any.parquet")


def file(rows: int = 10, **changed: Any) -> Landed:
    return Landed(HERE, manifest_of(rows=rows, **({"purpose": Purpose.FORWARD} | changed)))


async def numbers(files: Sequence[Landed], most_rows: int = 100) -> list[int]:
    """Return how many files are loaded at once, time after time."""
    return [len(batch) async for batch in batches(stream_of(files), most_rows=most_rows)]


async def test_files_are_loaded_together_up_to_the_rows_that_are_set() -> None:
    assert await numbers([file(10), file(20), file(1), file(40), file(5)], 30) == [2, 1, 1, 1]
    assert await numbers([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": Purpose.SETTLE},
        {"observed_by": "settle"},
        {"currency": "USD"},
        {"advances_watermark": False},
        {"is_pruned": True},
    ],
    ids=repr,
)
async def test_files_that_were_observed_otherwise_are_loaded_apart(change: dict[str, Any]) -> None:
    assert await numbers([file(), file(**change), file(**change), file()]) == [1, 2, 1]


async def test_files_before_an_error_are_given_before_it() -> None:
    async def breaking_off() -> AsyncIterator[Landed]:
        yield file()
        raise ValueError("broke off")

    given = batches(breaking_off(), most_rows=100)
    assert len(await anext(given)) == 1
    with pytest.raises(ValueError, match="broke off"):
        await anext(given)


SPAN, NEXT = {"since": 0, "until": 9}, {"since": 10, "until": 19}


@pytest.mark.parametrize(
    ("windows", "is_in_order"),
    [
        ([SPAN], True),
        ([SPAN, NEXT], True),
        ([SPAN, {"since": 9, "until": 19}], False),
        ([NEXT, SPAN], False),
        ([SPAN, NEXT, SPAN], False),
        ([BY_UUID], False),
        ([BY_UUID, BY_UUID], False),
    ],
)
def test_rows_are_in_order_if_their_windows_follow_each_other(
    loader: Loader, windows: list[dict[str, Any]], is_in_order: bool
) -> None:
    landed = [loader.land(**window) for window in windows]
    batch = show_batch(loader.transaction, SMS, landed, is_late=False)
    assert batch.is_in_order is is_in_order


ONE, CHANGED, TWO = message(1, BEGIN), message(1, BEGIN, status_code="100"), message(2, BEGIN + 1)


def test_of_a_row_that_two_files_hold_the_later_one_counts(loader: Loader) -> None:
    counts, _ = loader.load_files(loader.land(ONE, TWO), loader.land(CHANGED))
    assert counts.rows_new == 2
    stored = loader.transaction.native.execute("select status_code from raw.sms order by uuid").fetchall()
    assert stored == [(100,), (0,)]


def test_a_file_that_comes_late_brings_what_is_not_there_and_takes_nothing_back(loader: Loader) -> None:
    loader.load(ONE)
    late = loader.land(CHANGED, TWO, fetched_at=NOW - timedelta(hours=1))
    counts, missing = loader.load_files(late, is_late=True)
    assert (counts.rows_new, counts.rows_changed, missing) == (1, 0, Missing())
    stored = loader.transaction.native.execute("select status_code from raw.sms order by uuid").fetchall()
    assert stored == [(0,), (0,)]
    assert loader.transaction.row("select watermark_at from ops.watermark") == (from_unix(BEGIN),)
