"""Holds that rows are set aside which are right in themselves, but not where they stand."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sms_etl.sync.landing.misplaced import _Bounds
from sms_etl.sync.landing.writer import write_staged
from sms_etl.sync.streams import SMS
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, UUID, raw
from sms_etl_tests.sync.manifests import manifest_of

SINCE, UNTIL = 1_755_868_000, 1_755_869_000
FAR = int((manifest_of().fetched_at + timedelta(days=366)).timestamp())
WINDOW: dict[str, Any] = {"since": SINCE, "until": UNTIL}
BY_UUID: dict[str, Any] = {"since": None, "until": None}


def reasons(folder: Path, told: dict[str, Any], *seconds: int, uuids: str = "0123456789") -> list[str | None]:
    """Land rows of these times, and return why each is bad; the good ones come first."""
    pairs = zip(seconds, uuids, strict=False)
    rows = [raw(ROW, created_at=str(second), uuid=f'"{UUID[:-1]}{last}"') for second, last in pairs]
    page = b"[%b]" % b",".join(rows)
    file = write_staged(folder, SMS.layout, manifest_of(**told), page, (), HIDDEN).commit()
    found: list[str | None] = pq.read_table(file.path)["bad_reason"].to_pylist()
    return found


def test_rows_at_both_ends_of_their_window_are_in_place(tmp_path: Path) -> None:
    assert reasons(tmp_path, WINDOW, SINCE, UNTIL) == [None, None]


@pytest.mark.parametrize("second", [SINCE - 1, UNTIL + 1])
def test_a_row_outside_the_time_of_its_window_is_a_stranger(tmp_path: Path, second: int) -> None:
    strange = "Outside the time that was asked for - at `$.created_at`"
    assert reasons(tmp_path, WINDOW, SINCE, second, UNTIL) == [None, None, strange]


def test_a_row_asked_for_by_uuid_may_be_of_any_time_but_the_far_future(tmp_path: Path) -> None:
    strange = "In the far future - at `$.created_at`"
    assert reasons(tmp_path, BY_UUID, 1, FAR) == [None, None]
    assert reasons(tmp_path, BY_UUID, 1, FAR + 1) == [None, strange]


def test_a_second_row_with_the_uuid_of_another_is_a_copy(tmp_path: Path) -> None:
    copy = "Another row of the same listing has the same value - at `$.uuid`"
    assert reasons(tmp_path, WINDOW, SINCE, SINCE, UNTIL, uuids="110") == [None, None, copy]


def test_a_row_without_the_time_that_is_asked_for_is_in_place() -> None:
    assert _Bounds.of(SMS.layout, manifest_of(**WINDOW)).hold(None)
