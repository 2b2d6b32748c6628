"""The planner: spans tile time without a gap or an overlap, whatever the provider's totals say."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.sync.plan import Span, span_to_read, windows_of

SECONDS = st.integers(min_value=0, max_value=2_000_000_000)
HOUR = timedelta(hours=1)


@given(SECONDS, st.integers(0, 10_000_000), st.integers(1, 500))
def test_a_split_tiles_the_span_without_gap_or_overlap(since: int, length: int, parts: int) -> None:
    span = Span(since, since + length)
    pieces = span.split(parts)
    assert (pieces[0].since, pieces[-1].until) == (span.since, span.until)
    assert all(left.until + 1 == right.since for left, right in itertools.pairwise(pieces))
    assert len(pieces) == min(parts, span.seconds)
    assert max(piece.seconds for piece in pieces) - min(piece.seconds for piece in pieces) <= 1


@given(
    since=SECONDS,
    length=st.integers(0, 10_000_000),
    total=st.integers(0, 5_000_000),
    window_rows=st.integers(10, 1000),
    offset=st.integers(-10, 10_000_010),
)
def test_windows_tile_the_span_wherever_the_first_row_lies(
    since: int, length: int, total: int, window_rows: int, offset: int
) -> None:
    span = Span(since, since + length)
    first_second = since + offset
    windows = windows_of(span, total=total, window_rows=window_rows, first_second=first_second)
    assert (windows[0].since, windows[-1].until) == (span.since, span.until)
    assert all(left.until + 1 == right.since for left, right in itertools.pairwise(windows))


@given(SECONDS, st.integers(1, 10_000_000), st.integers(10, 1000))
def test_a_span_that_is_too_large_is_always_cut_smaller(since: int, length: int, window_rows: int) -> None:
    span = Span(since, since + length)
    total = window_rows + window_rows // 2 + 1
    windows = windows_of(span, total=total, window_rows=window_rows, first_second=None)
    assert len(windows) > 1
    assert all(window.seconds < span.seconds for window in windows)


def test_a_single_second_is_never_cut_however_many_rows_it_holds() -> None:
    span = Span(5, 5)
    assert windows_of(span, total=100_000, window_rows=10, first_second=5) == (span,)


@pytest.mark.parametrize(
    ("watermark", "start", "now", "expected"),
    [
        (None, None, 10_000, Span(0, 10_000)),
        (None, 7_000, 10_000, Span(7_000, 10_000)),
        (9_000, None, 10_000, Span(5_400, 10_000)),
        (9_000, 7_000, 10_000, Span(7_000, 10_000)),
        (None, 20_000, 10_000, None),
        # A clock that was set back still reads what the overlap covers, and never less than nothing.
        (50_000, None, 10_000, Span(46_400, 50_000)),
    ],
)
def test_the_next_span_begins_an_overlap_before_the_watermark(
    watermark: int | None, start: int | None, now: int, expected: Span | None
) -> None:
    assert span_to_read(watermark=watermark, overlap=HOUR, start=start, now=now) == expected


def test_a_span_without_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one second"):
        Span(10, 9)


@pytest.mark.parametrize(("total", "windows"), [(0, 1), (10, 1), (15, 1), (16, 2), (20, 2), (21, 3), (31, 4)])
def test_a_span_of_half_as_many_rows_again_as_a_window_is_not_cut(total: int, windows: int) -> None:
    span = Span(0, 999)
    assert len(windows_of(span, total=total, window_rows=10, first_second=None)) == windows
