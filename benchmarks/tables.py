"""Writes what was measured: as Markdown tables, as a picture, and into a page between its marks."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import vl_convert

from benchmarks.scenarios import Race, Rate
from benchmarks.verdicts import Goal, Line

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_COLOURS = {"wire": "#c9d0d7", "ours": "#2f5f8f", "dlt parallel": "#d9793d", "dlt rest_api": "#e3b23c"}
_NAMES = {
    "wire": "wire limit (fetched, thrown away)",
    "ours": "sms-etl sync --no-build",
    "dlt parallel": "dlt, pages in parallel",
    "dlt rest_api": "dlt, REST source",
}
_HEADER = alt.Header(
    labelAngle=0, labelOrient="top", labelAnchor="start", labelFontSize=12, labelFontWeight="bold"
)


def name_of(race: Race) -> str:
    """Name a race by what sets it apart."""
    return f"{race.page_size} a page" + (f", {race.latency_ms:g} ms latency" if race.latency_ms else "")


def verdict_table(lines: Sequence[Line]) -> str:
    """Return one row a goal: what, what it must be, what it is, whether that is reached."""
    rows = [
        f"| {line.what if first else ''} | {goal.must} | {goal.measured} | {_verdict(goal)} |"
        for line in lines
        for first, goal in zip([True] + [False] * len(line.goals), line.goals, strict=False)
    ]
    return "\n".join(["| what | must reach | measured | |", "|---|---|---|---|", *rows])


def rate_table(races: Sequence[Race]) -> str:
    """Return one row a reader and race: rows a second, CPU seconds a million rows, peak of memory."""
    rows = [
        f"| {name_of(race)} | {_NAMES[rate.who]} | {rate.rows:,} | "
        f"{rate.rows_per_second:,.0f} | {rate.seconds:.1f} | {1e6 * rate.cpu_seconds / rate.rows:.0f} | "
        f"{rate.peak_mb:.0f} |"
        for race in races
        for rate in _rates(race)
    ]
    head = "| listing | who | rows | rows/s | seconds | CPU s per 1M rows | peak MB |"
    return "\n".join([head, "|---|---|--:|--:|--:|--:|--:|", *rows])


def put_between_marks(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page.

    Raises:
        ValueError: It has no marks.
    """
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def picture(races: Sequence[Race]) -> str:
    """Draw the rates, one panel a race; SVG."""
    order = [_NAMES[who] for who in _NAMES]
    rows = [
        {
            "race": name_of(race),
            "who": _NAMES[rate.who],
            "rate": rate.rows_per_second,
            "label": f"{rate.rows_per_second:,.0f}",
        }
        for race in races
        for rate in _rates(race)
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("who:N", title=None, sort=order))
    bars = base.mark_bar(height=18).encode(
        x=alt.X("rate:Q", title="rows a second", axis=alt.Axis(format="~s", tickCount=5)),
        color=alt.Color(
            "who:N", legend=None, scale=alt.Scale(domain=order, range=[_COLOURS[who] for who in _NAMES])
        ),
    )
    labels = base.mark_text(align="left", dx=4).encode(x="rate:Q", text="label:N")
    chart = (
        alt.layer(bars, labels)
        .properties(width=460, height=100)
        .facet(row=alt.Row("race:N", title=None, sort=[name_of(race) for race in races], header=_HEADER))
        .resolve_scale(x="independent")
        .configure_view(stroke=None)
        .configure(background="#ffffff")
    )
    return vl_convert.vegalite_to_svg(chart.to_json())


def _rates(race: Race) -> list[Rate]:
    rivals = sorted(race.rivals, key=lambda rate: -rate.rows_per_second)
    return [race.wire, race.ours, *rivals]


def _verdict(goal: Goal) -> str:
    if goal.is_reached is None:
        return "not judged"
    return "reached" if goal.is_reached else f"**not reached**: {goal.miss}"
