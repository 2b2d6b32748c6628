"""A target is called reached exactly when it is, and the page shows each with what was measured."""

from pathlib import Path

import pytest

from benchmarks.builds import Built
from benchmarks.scenarios import Increments, LateReport, NothingNew, Race, Rate
from benchmarks.tables import BEGIN, END, picture, put_between_marks, rate_table, verdict_table
from benchmarks.verdicts import (
    Line,
    builds_line,
    idle_line,
    increments_line,
    late_line,
    memory_line,
    race_line,
)


def rate(who: str, rows_per_second: float, *, peak_mb: float = 300) -> Rate:
    return Rate(who, 1000, 1000 / rows_per_second, cpu_seconds=1, peak_mb=peak_mb)


def race(ours: float, *, page_size: int = 100, latency_ms: float = 0, has_dlt: bool = True) -> Race:
    rivals = [rate("dlt rest_api", 8_000), rate("dlt parallel", 10_000)] if has_dlt else []
    return Race(page_size, latency_ms, rate("wire", 100_000), rate("ours", ours), rivals)


def increments(small: float, large: float) -> Increments:
    return Increments((100_000, 10_000_000), (small, large), (1, 1), 5000, 2000)


@pytest.mark.parametrize(
    ("line", "reached"),
    [
        (race_line(race(80_001)), [True, True]),
        (race_line(race(79_000)), [False, True]),
        (race_line(race(59_000)), [False, False]),
        (race_line(race(81_000, page_size=30)), [True, True]),
        (race_line(race(79_000, page_size=30)), [True, False]),
        (race_line(race(57_000, latency_ms=50)), [True]),
        (race_line(race(55_000, latency_ms=50)), [False]),
        (race_line(race(55_000, latency_ms=50, has_dlt=False)), [None]),
        (race_line(race(61_000, has_dlt=False)), [None, True]),
        (memory_line(rate("ours", 1, peak_mb=380), rate("ours", 1, peak_mb=399)), [True, True]),
        (memory_line(rate("ours", 1, peak_mb=380), rate("ours", 1, peak_mb=420)), [False, False]),
        (memory_line(rate("ours", 1, peak_mb=0), rate("ours", 1, peak_mb=0)), [None]),
        (increments_line(increments(1.0, 1.29)), [True]),
        (increments_line(increments(1.0, 1.31)), [False]),
        (late_line(LateReport(3, 334, 1)), [True]),
        (late_line(LateReport(4, 334, 1)), [False]),
        (builds_line(Built(10_000_000, 60, 40, 4096, 3, 2, 900, 5, 100)), [True] * 4),
        (builds_line(Built(10_000_000, 60.1, 40, 4097, 3.01, 2, 900, 5, 101)), [False] * 4),
        (idle_line(NothingNew(5, 1.5, 2, 0.7)), [True, True, True]),
        (idle_line(NothingNew(6, 1.6, 2, 0.8)), [False, False, False]),
    ],
)
def test_a_goal_is_reached_exactly_at_its_target(line: Line, reached: list[bool | None]) -> None:
    assert [goal.is_reached for goal in line.goals] == reached


def test_the_faster_of_the_rivals_is_what_counts_without_latency() -> None:
    assert race_line(race(50_000)).goals[0].measured == "5.0 ×"


def test_the_table_says_by_how_much_a_target_was_missed() -> None:
    table = verdict_table([race_line(race(50_000)), idle_line(NothingNew(4, 1, 1, 0.5))])
    assert "| 1,000 messages, 100 a page, no latency | ≥ 8 × dlt, the faster way | 5.0 × |" in table
    assert "**not reached**: 3.0 × short" in table
    assert "|  | ≤ 1.5 s of process time | 1.00 s | reached |" in table


def test_the_rates_are_listed_with_the_wire_first_and_the_faster_rival_before_the_other() -> None:
    rows = rate_table([race(50_000)]).splitlines()[2:]
    assert [row.split("|")[2].strip().split(",")[-1] for row in rows] == [
        " thrown away)",
        "sms-etl sync --no-build",
        " pages in parallel",
        " REST source",
    ]


def test_the_picture_names_all_who_took_part() -> None:
    drawn = picture([race(50_000), race(9_000, latency_ms=50)])
    assert drawn.startswith("<svg")
    for name in ("sms-etl sync --no-build", "wire limit", "50,000", "100 a page, 50 ms latency"):
        assert name in drawn


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_between_marks(page, "new")
    put_between_marks(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\nnewer\n{END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="measured"):
        put_between_marks(page, "new")
    assert page.read_text() == "text"
