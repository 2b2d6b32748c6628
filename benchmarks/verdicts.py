"""Holds what was measured against what must be reached. Pure.

A line that is judged against dlt without latency is judged against the faster of its two ways of paging. At
50 ms a page it is judged against its declarative REST source, which the target was set by: no client can be
seven times as fast as eight connections that wait as long as ours do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.builds import Built
from benchmarks.scenarios import Increments, LateReport, NothingNew, Race, Rate

MOST_MB = 400
MOST_GROWTH = 1.1
MOST_SECONDS_GROWTH = 1.3
MOST_LATE_SHARE = 0.01
MOST_IDLE_REQUESTS = 5
MOST_IDLE_CPU = 1.5
MOST_STATUS_SECONDS = 0.7
MOST_BUILD_SECONDS = 60
MOST_BUILD_MB = 4096
LEAST_BUILD_TIMES = 20
MOST_QUESTION_MS = 100
RACE_TARGETS = {(100, 0.0): (8.0, 0.6), (30, 0.0): (3.0, 0.8)}
"""By page size and latency: times dlt's rate, share of the wire's."""
LATENCY_TARGET = 7.0
"""Times the rate of dlt's REST source."""


@dataclass(frozen=True)
class Goal:
    """One figure, and what it must be."""

    must: str
    measured: str
    is_reached: bool | None
    """None: there is nothing to judge by, as the rival is missing."""
    miss: str = ""
    """By how much not."""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    goals: Sequence[Goal]


def race_line(race: Race) -> Line:
    """Judge a race."""
    what = f"{race.ours.rows:,} messages, {race.page_size} a page"
    if race.latency_ms:
        rest = race.of("rest_api")
        goals = [_times(race.ours, rest, LATENCY_TARGET, "dlt's REST source")]
        return Line(f"{what}, {race.latency_ms:g} ms latency, 8 at a time", goals)
    times, share = RACE_TARGETS[race.page_size, race.latency_ms]
    fastest = max(race.rivals, key=lambda rate: rate.rows_per_second, default=None)
    reached = race.ours.rows_per_second / race.wire.rows_per_second
    wire = Goal(
        f"≥ {share:g} of the wire", f"{reached:.2f}", reached >= share, f"{share - reached:.2f} short"
    )
    return Line(f"{what}, no latency", [_times(race.ours, fastest, times, "dlt, the faster way"), wire])


def memory_line(few: Rate, many: Rate) -> Line:
    """Judge the peak of memory."""
    what = f"peak memory, {few.rows:,} → {many.rows:,} messages"
    if not few.peak_mb:  # no /proc to read it from
        return Line(what, [Goal(f"≤ {MOST_MB} MB", "not measured", None)])
    growth = many.peak_mb / few.peak_mb
    over = many.peak_mb - MOST_MB
    return Line(
        what,
        [
            Goal(f"≤ {MOST_MB} MB", f"{many.peak_mb:.0f} MB", over <= 0, f"{over:.0f} MB over"),
            Goal(
                "grows by < 10 %",
                f"{growth - 1:+.0%} ({few.peak_mb:.0f} → {many.peak_mb:.0f} MB)",
                growth < MOST_GROWTH,
                f"{growth - MOST_GROWTH:.0%} over",
            ),
        ],
    )


def increments_line(found: Increments) -> Line:
    """Judge what the size of the warehouse costs."""
    growth = found.seconds[1] / found.seconds[0]
    few, many = found.rows
    return Line(
        f"{found.new:,} new, {found.changed:,} changed, warehouse of {few:,} → {many:,} rows",
        [
            Goal(
                f"< {MOST_SECONDS_GROWTH:g} × the time",
                f"{growth:.2f} × ({found.seconds[0]:.2f} → {found.seconds[1]:.2f} s; "
                f"CPU {found.cpu_seconds[0]:.1f} → {found.cpu_seconds[1]:.1f} s)",
                growth < MOST_SECONDS_GROWTH,
                f"{growth - MOST_SECONDS_GROWTH:.2f} over",
            )
        ],
    )


def builds_line(found: Built) -> Line:
    """Judge full builds, builds after a busy hour, and what analysts wait for."""
    return Line(
        f"a build of {found.messages:,} messages",
        [
            Goal(
                f"in full ≤ {MOST_BUILD_SECONDS} s",
                f"{found.full_seconds:.1f} s (CPU {found.full_cpu_seconds:.0f} s)",
                found.full_seconds <= MOST_BUILD_SECONDS,
                f"{found.full_seconds - MOST_BUILD_SECONDS:.1f} s over",
            ),
            Goal(
                f"in full ≤ {MOST_BUILD_MB:,} MB",
                f"{found.full_peak_mb:,.0f} MB",
                found.full_peak_mb <= MOST_BUILD_MB,
                f"{found.full_peak_mb - MOST_BUILD_MB:,.0f} MB over",
            ),
            Goal(
                f"after 5,000 changes ≤ 1/{LEAST_BUILD_TIMES} of it",
                f"1/{found.times:.1f} ({found.seconds:.2f} s; CPU {found.cpu_seconds:.1f} s)",
                found.times >= LEAST_BUILD_TIMES,
                f"{found.seconds - found.full_seconds / LEAST_BUILD_TIMES:.2f} s over",
            ),
            Goal(
                f"19 of 20 answers ≤ {MOST_QUESTION_MS} ms",
                f"{found.questions_p95_ms:.0f} ms (half: {found.questions_p50_ms:.0f} ms)",
                found.questions_p95_ms <= MOST_QUESTION_MS,
                f"{found.questions_p95_ms - MOST_QUESTION_MS:.0f} ms over",
            ),
        ],
    )


def late_line(found: LateReport) -> Line:
    """Judge what one late report costs."""
    share = found.requests / found.requests_to_reread
    return Line(
        "a report that arrives after 3 days",
        [
            Goal(
                "< 1 % of the requests of re-reading",
                f"{share:.2%} ({found.requests} of {found.requests_to_reread})",
                share < MOST_LATE_SHARE,
                f"{share - MOST_LATE_SHARE:.2%} over",
            )
        ],
    )


def idle_line(found: NothingNew) -> Line:
    """Judge a sync with nothing new."""
    more = found.requests - MOST_IDLE_REQUESTS
    return Line(
        "a sync with nothing new",
        [
            Goal(f"≤ {MOST_IDLE_REQUESTS} requests", f"{found.requests}", more <= 0, f"{more} more"),
            Goal(
                f"≤ {MOST_IDLE_CPU:g} s of process time",
                f"{found.cpu_seconds:.2f} s",
                found.cpu_seconds <= MOST_IDLE_CPU,
                f"{found.cpu_seconds - MOST_IDLE_CPU:.2f} s over",
            ),
            Goal(
                f"`status` ≤ {MOST_STATUS_SECONDS:g} s",
                f"{found.status_seconds:.2f} s",
                found.status_seconds <= MOST_STATUS_SECONDS,
                f"{found.status_seconds - MOST_STATUS_SECONDS:.2f} s over",
            ),
        ],
    )


def _times(ours: Rate, rival: Rate | None, target: float, name: str) -> Goal:
    must = f"≥ {target:g} × {name}"
    if rival is None:
        return Goal(must, "not measured", None)
    times = ours.rows_per_second / rival.rows_per_second
    return Goal(must, f"{times:.1f} ×", times >= target, f"{target - times:.1f} × short")
