"""Measures the sync beside its rivals and writes the table: `make bench`; `make bench-small` is a short look.

python -m benchmarks [--small] [--rows N] [--only races,memory,increments,late,idle,builds]
                     [--data data/bench] [--page docs/performance.md]
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import scenarios
from benchmarks.builds import builds
from benchmarks.processes import MeasuredProgramError, page_server
from benchmarks.rival import Dlt, install
from benchmarks.scenarios import FULL, SMALL, Race, Sizes
from benchmarks.tables import picture, put_between_marks, rate_table, verdict_table
from benchmarks.verdicts import (
    Line,
    builds_line,
    idle_line,
    increments_line,
    late_line,
    memory_line,
    race_line,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PARTS = ("races", "memory", "increments", "late", "idle", "builds")
LISTINGS = ((100, 0.0), (30, 0.0), (100, 50.0))
"""Rows a page, and milliseconds of latency."""
_BUSY = 0.5
"""Load a core by others, from which on figures are doubtful."""
_IMAGE = "images/performance.svg"
_PACKAGES = ("duckdb", "httpx", "msgspec", "pyarrow")


@dataclass
class Measurements:
    """All that one run of the benchmark found."""

    races: list[Race] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, found: "DataclassInstance", line: Line) -> None:
        """Keep what was measured and how it was judged."""
        self.figures[name] = asdict(found)
        self.lines.append(line)
        for goal in line.goals:
            _say(f"    {line.what}: {goal.measured} (must be {goal.must})")


def main() -> None:
    options = _options()
    sizes = SMALL if options.small else FULL
    if options.rows:
        sizes = dataclasses.replace(sizes, rows=options.rows)
    busy = _warn_if_busy()
    started, load_before = time.perf_counter(), os.getloadavg()
    options.data.mkdir(parents=True, exist_ok=True)
    dlt = _rival(options.data / "dlt")
    found = measured(sizes, dlt, options.only)
    about = {
        "measured_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "load_before": load_before,
        "load_after": os.getloadavg(),
        "is_busy": busy,
        "versions": _versions(dlt),
        "seconds": round(time.perf_counter() - started),
        "sizes": asdict(sizes),
    }
    text = report_of(found, about)
    kind = "small" if options.small else "full"
    record = {**about, **found.figures, "lines": [asdict(line) for line in found.lines]}
    (options.data / f"{kind}.json").write_text(json.dumps(record, indent=2, default=str))
    (options.data / f"{kind}.md").write_text(text)
    print(text)
    if options.page:
        if found.races:
            (options.page.parent / _IMAGE).write_text(picture(found.races), encoding="utf-8")
        put_between_marks(options.page, text)


def measured(sizes: Sizes, dlt: Dlt | None, parts: Sequence[str]) -> Measurements:
    """Run what was asked for."""
    found = Measurements()
    with ExitStack() as stack:
        kept = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if {"races", "memory", "idle"} & set(parts):
            server = stack.enter_context(page_server(max(sizes.rows, sizes.latency_rows)))
            listings = LISTINGS if "races" in parts else LISTINGS[:1]
            for page_size, latency_ms in listings:
                is_first = (page_size, latency_ms) == LISTINGS[0]
                rival = dlt if "races" in parts else None
                keep = kept if is_first else None
                ran = scenarios.race(
                    server, sizes, rival, _say, page_size=page_size, latency_ms=latency_ms, keep=keep
                )
                found.races.append(ran)
                found.add(f"race_{page_size}_{latency_ms:g}", ran, race_line(ran))
            if "memory" in parts:
                few = scenarios.fewer_rows(server, sizes, _say)
                found.add("fewer_rows", few, memory_line(few, found.races[0].ours))
            if "idle" in parts:
                idle = scenarios.nothing_new(server, kept, sizes, _say)
                found.add("nothing_new", idle, idle_line(idle))
    if "increments" in parts:
        brought = scenarios.increments(sizes, _say)
        found.add("increments", brought, increments_line(brought))
    if "late" in parts:
        late = scenarios.late_report(sizes, _say)
        found.add("late_report", late, late_line(late))
    if "builds" in parts:
        _say(f"Building {sizes.built:,} messages, in full and after changes")
        made = builds(sizes.built)
        found.add("builds", made, builds_line(made))
    return found


def report_of(found: Measurements, about: dict[str, Any]) -> str:
    """Write the tables with what they were measured on."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    before, after = (about[name][0] for name in ("load_before", "load_after"))
    paragraphs = [
        f"Measured {about['measured_at'][:10]} on {about['machine']}; {versions}. "
        f"Load before {before:.1f}, after {after:.1f} (the benchmark's own included)."
    ]
    if about["is_busy"]:
        paragraphs.append("**The machine had other work: these figures are low, and their ratios rough.**")
    paragraphs.append(verdict_table(found.lines))
    if found.races:
        paragraphs += [f"![Rows a second, ours beside the wire and dlt]({_IMAGE})", rate_table(found.races)]
    return "\n\n".join(paragraphs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="little of everything; shows that it works")
    parser.add_argument("--rows", type=int, help="of the first two lines, instead of 1,000,000")
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, metavar=",".join(PARTS))
    parser.add_argument(
        "--data", type=Path, default=Path("data/bench"), help="for results and dlt's environment"
    )
    parser.add_argument("--page", type=Path, help="a Markdown page to write the results into")
    return parser.parse_args()


def _rival(directory: Path) -> Dlt | None:
    try:
        return install(directory.resolve())
    except MeasuredProgramError as exc:
        _say(f"{exc}\nGoing on without dlt.")
        return None


def _warn_if_busy() -> bool:
    busy = os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1)
    if busy:
        _say(f"The machine is busy (load {os.getloadavg()[0]:.1f}): the figures will be low and rough.")
    return busy


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cpu = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0].strip("\t: ")
    except OSError:
        cpu = ""
    return f"{os.cpu_count()} cores ({cpu or platform.machine()}), {memory:.0f} GB, {platform.system()}"


def _versions(dlt: Dlt | None) -> dict[str, str]:
    ours = {"sms_etl": version("sms_etl"), "Python": platform.python_version()}
    theirs = {"dlt": dlt.versions["dlt"]} if dlt else {}
    return {**ours, **{name: version(name) for name in _PACKAGES}, **theirs}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
