"""Plans which spans of time to read next. Pure: no I/O, no clock; see engine.py.

A span is closed at both ends and counts whole seconds, as the provider does. The provider's own totals
say how a span is cut: the first page of a span tells how many rows it holds.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MOST_PARTS = 4096
"""Most parts of one cut, whatever total is claimed; each part is probed before it is read."""


class Purpose(StrEnum):
    """Why a window is read; it stays with the window from the plan to `ops.fetch_window`."""

    FORWARD = "forward"
    """What is new since the watermark."""
    BACKFILL = "backfill"
    """Days that somebody asked to read again."""
    REPLAY = "replay"
    """Rows that could not be loaded before."""
    SETTLE = "settle"
    """What may still have changed."""
    RECONCILE = "reconcile"
    """What differs from the provider's totals."""

    @property
    def observed_by(self) -> str:
        """How the change log names what is seen this way."""
        return self.value if self in {Purpose.SETTLE, Purpose.RECONCILE} else "poll"


TEACHING_LATENESS = (Purpose.FORWARD, Purpose.RECONCILE)
"""Purposes whose new rows behind the watermark count as late; a backfill's were never requested before."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Seconds from `since` to `until`, both included; unix time."""

    since: int
    until: int

    def __post_init__(self) -> None:
        if self.since > self.until:
            raise ValueError("a span holds at least one second")

    @property
    def seconds(self) -> int:
        """How many seconds it holds."""
        return self.until - self.since + 1

    def holds(self, second: int) -> bool:
        """Whether a second lies in it."""
        return self.since <= second <= self.until

    def split_behind(self, first_second: int | None, parts: int) -> tuple["Span", ...]:
        """Split the part that has rows; what lies before the first row stays with the first part."""
        begins = first_second if first_second is not None and self.holds(first_second) else self.since
        first, *others = Span(begins, self.until).split(parts)
        return (Span(self.since, first.until), *others)

    def split(self, parts: int) -> tuple["Span", ...]:
        """Cut it into so many spans (fewer if it has fewer seconds) that tile it, the longest first."""
        count = min(parts, self.seconds)
        length, longer = divmod(self.seconds, count)
        spans: list[Span] = []
        since = self.since
        for index in range(count):
            until = since + length - 1 + (index < longer)
            spans.append(Span(since, until))
            since = until + 1
        return tuple(spans)


def span_to_read(*, watermark: int | None, overlap: timedelta, start: int | None, now: int) -> Span | None:
    """Return the span of the next sync: from the watermark, less the overlap, to now.

    Args:
        watermark: Unix second up to which all was read; None before the first sync.
        overlap: What is read again, for rows that became visible late.
        start: Where the first sync begins; None: at the provider's first row. Nothing before it is read.
        now: The last second to read.

    Returns:
        None if `start` lies in the future.
    """
    earliest = start or 0
    since = earliest if watermark is None else max(watermark - int(overlap.total_seconds()), earliest)
    if since > now:
        return None if watermark is None else Span(min(since, watermark), max(watermark, now))
    return Span(since, now)


def resume_at(watermark: int, read_at: int, overlap: timedelta) -> int:
    """Return where to go on after a run that was killed: nothing that was read late enough is read again.

    Args:
        watermark: Unix second up to which all was read.
        read_at: When it was read; rows could still become visible an overlap before that.
        overlap: How late a row may become visible.
    """
    return min(watermark, max(watermark, read_at) - int(overlap.total_seconds()))


@dataclass(frozen=True, slots=True)
class Reached:
    """How far earlier runs read a stream."""

    watermark: int | None
    """Unix second up to which all was read; None before the first sync."""
    read_at: int | None
    """When the watermark's row was read."""
    is_resuming: bool
    """Whether the last run was killed or failed: this one goes on where it was."""
    learnt_overlap: timedelta
    """Twice the greatest lateness of the last thirty days."""


@dataclass(frozen=True, slots=True)
class PlannedSpan:
    """A span to read, and whether reading it may move the watermark."""

    span: Span
    advances: bool


def plan_reading(
    reached: Reached,
    *,
    now: int,
    start: int | None,
    overlap: timedelta,
    backfill: tuple[int | None, int | None] | None,
) -> PlannedSpan | None:
    """Plan what a run reads of a stream.

    Args:
        reached: How far it was read.
        now: The last second to read.
        start: Nothing before it is read, unless a backfill asks for it.
        overlap: What is read again, for rows that became visible late.
        backfill: First and last second that somebody asked for; None: read on from the watermark.

    Returns:
        None if there is nothing to read yet.
    """
    watermark = reached.watermark
    if backfill is not None:
        since, until = backfill
        span = Span(start or 0 if since is None else since, until or now)
        # A backfill that begins after the watermark would leave a gap behind it.
        return PlannedSpan(span, watermark is not None and span.since <= watermark)
    if reached.is_resuming and watermark is not None:
        resumed = resume_at(watermark, min(reached.read_at or watermark, now), overlap)
        since = max(resumed, start or 0)
        return PlannedSpan(Span(since, max(now, since)), advances=True)
    longest = max(overlap, reached.learnt_overlap)
    planned = span_to_read(watermark=watermark, overlap=longest, start=start, now=now)
    return None if planned is None else PlannedSpan(planned, advances=True)


def span_to_reconcile(*, days: int, now: int, start: int | None) -> Span:
    """Return the last days, without what lies before `start`."""
    since = now - int(timedelta(days=days).total_seconds()) + 1
    return Span(since if start is None else max(since, min(start, now)), now)


def windows_of(span: Span, *, total: int, window_rows: int, first_second: int | None) -> tuple[Span, ...]:
    """Cut a span so that a window holds about `window_rows` rows, if they are spread evenly.

    Args:
        span: What to cut.
        total: Rows in it, as the provider says.
        window_rows: Rows to a window; half as many again are not cut.
        first_second: Time of its first row: what lies before it is empty and goes to the first window.

    Returns:
        Windows that tile the span; the span itself if it is small enough or a single second.
    """
    if total <= window_rows + window_rows // 2 or span.seconds == 1:
        return (span,)
    return span.split_behind(first_second, min(-(-total // window_rows), MOST_PARTS))
