"""Holds where the watermark of a stream stands after a load."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.streams import BULKS_CHANGED, SMS, Stream
from sms_etl_tests.providers.lox24.rows import BULK, raw
from sms_etl_tests.sync.loading.conftest import NOW, Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN

FIRST, SECOND = UUID(int=1), UUID(int=2)
LATER = NOW + timedelta(hours=1)


def watermark(loader: Loader) -> list[tuple[object, ...]]:
    """Return the watermarks: of which stream, where, moved by which run, and read when."""
    return loader.transaction.native.execute(
        "select stream, watermark_at, run_id, read_at from ops.watermark"
    ).fetchall()


def read(loader: Loader, second: int, run_id: UUID, at: datetime = NOW, **manifest: Any) -> None:
    loader.load_files(
        loader.land(message(second, BEGIN + second), fetched_at=at, **manifest), run_id=run_id, now=at
    )


@pytest.mark.parametrize(
    ("second", "moved_by"), [(20, SECOND), (10, SECOND), (9, FIRST)], ids=["newer", "as new", "older"]
)
def test_it_moves_to_the_newest_row_and_never_back(loader: Loader, second: int, moved_by: UUID) -> None:
    read(loader, 10, FIRST)
    read(loader, second, SECOND, LATER)
    read_at = as_utc(LATER if moved_by is SECOND else NOW)
    assert watermark(loader) == [("sms", from_unix(BEGIN + max(10, second)), moved_by, read_at)]


def test_a_window_that_is_empty_or_no_step_forward_leaves_it(loader: Loader) -> None:
    loader.load()
    read(loader, 10, FIRST, advances_watermark=False)
    assert watermark(loader) == []


def test_of_windows_that_are_loaded_together_the_last_tells_when_it_was_read(loader: Loader) -> None:
    times = [NOW + timedelta(minutes=minute) for minute in range(3)]
    files = [
        loader.land(
            message(number, BEGIN + number), since=BEGIN + number, until=BEGIN + number, fetched_at=at
        )
        for number, at in enumerate(times)
    ]
    loader.load_files(*files, run_id=FIRST)
    assert watermark(loader) == [("sms", from_unix(BEGIN + 2), FIRST, as_utc(times[-1]))]


@pytest.mark.parametrize("stream", [SMS, BULKS_CHANGED], ids=lambda stream: stream.name)
def test_it_goes_by_the_time_that_the_stream_is_read_along(loader: Loader, stream: Stream) -> None:
    read(loader, 10, FIRST)
    loader.load_files(loader.land(raw(BULK), stream=BULKS_CHANGED), stream=BULKS_CHANGED, run_id=SECOND)
    found = {name: at for name, at, *_ in watermark(loader)}
    assert found[stream.name] == from_unix(BEGIN + 10 if stream is SMS else BULK["processed_at"])
