"""What is measured: each function runs one line's programs beside each other and gives the bare figures.

Nothing is judged here; see verdicts.py.
"""

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ours import CONCURRENCY, Synced, status, sync
from benchmarks.processes import MeasuredProgramError, Server, measure, page_server
from benchmarks.rival import WAYS, Dlt

_A_MINUTE, _A_DAY = 60, 86_400
_STEP = 5_000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is read; the rival reads fewer rows, as its rate stays the same and it would take minutes."""

    rows: int
    fewer_rows: int
    """What the peak of memory at `rows` is compared with."""
    rival_rows: int
    latency_rows: int
    rival_latency_rows: int
    warehouses: tuple[int, int]
    repeats: int
    built: int
    """Messages of the warehouse whose models are built."""


FULL = Sizes(1_000_000, 100_000, 150_000, 200_000, 20_000, (100_000, 10_000_000), 3, 10_000_000)
SMALL = Sizes(50_000, 20_000, 10_000, 20_000, 5_000, (20_000, 500_000), 1, 50_000)


@dataclass(frozen=True)
class Rate:
    """How fast somebody read, and with what."""

    who: str
    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def rows_per_second(self) -> float:
        """Rows a second, from start to end."""
        return self.rows / self.seconds


@dataclass(frozen=True)
class Race:
    """One listing, read by each in turn."""

    page_size: int
    latency_ms: float
    wire: Rate
    ours: Rate
    rivals: Sequence[Rate]

    def of(self, way: str) -> Rate | None:
        """Return a rival's rate, if it took part."""
        return next((rate for rate in self.rivals if rate.who == f"dlt {way}"), None)


@dataclass(frozen=True)
class Increments:
    """Syncs that bring as much to a small and to a large warehouse; medians."""

    rows: tuple[int, int]
    seconds: tuple[float, float]
    cpu_seconds: tuple[float, float]
    new: int
    changed: int


@dataclass(frozen=True)
class LateReport:
    """What it took to notice one report three days late."""

    requests: int
    """Of the sync that brought it, beyond those of a sync that brings nothing."""
    requests_to_reread: int
    syncs: int
    """How many were needed until it was there."""


@dataclass(frozen=True)
class NothingNew:
    """A sync that has nothing to bring, its build included, and a look at the status; medians."""

    requests: int
    cpu_seconds: float
    seconds: float
    status_seconds: float


def race(
    server: Server,
    sizes: Sizes,
    dlt: Dlt | None,
    say: Say,
    *,
    page_size: int,
    latency_ms: float,
    keep: Path | None,
) -> Race:
    """Let the wire, us and the rival read the same listing.

    Args:
        server: With at least `sizes.rows` messages.
        sizes: How much.
        dlt: The rival, if it could be installed.
        say: Is told what begins.
        page_size: Rows a page.
        latency_ms: Before each answer.
        keep: Where our warehouse stays; None: it is thrown away.
    """
    rows = sizes.latency_rows if latency_ms else sizes.rows
    newest = server.tell("set", page_size=page_size, latency_ms=latency_ms, visible=rows)["newest"]
    name = f"{page_size} a page, {latency_ms:g} ms"
    say(f"{name}: wire, {rows} rows")
    before = _wire(server, rows, page_size)
    say(f"{name}: ours, {rows} rows")
    with tempfile.TemporaryDirectory() as directory:
        data_dir = keep or Path(directory)
        ours = _rate("ours", _whole(sync(server, data_dir, newest + _A_MINUTE), rows), rows)
    say(f"{name}: wire again")
    after = _wire(server, rows, page_size)
    wire = min(before, after, key=lambda rate: rate.seconds)  # what slows it is not the wire
    fewer = min(rows, sizes.rival_latency_rows if latency_ms else sizes.rival_rows)
    server.tell("set", visible=fewer)
    rivals = [_rival(dlt, way, server, fewer, say) for way in WAYS] if dlt else []
    return Race(page_size, latency_ms, wire, ours, rivals)


def fewer_rows(server: Server, sizes: Sizes, say: Say) -> Rate:
    """Sync few rows, for the memory it takes."""
    say(f"memory: ours, {sizes.fewer_rows} rows")
    newest = server.tell("set", page_size=100, latency_ms=0, visible=sizes.fewer_rows)["newest"]
    with tempfile.TemporaryDirectory() as directory:
        synced = _whole(sync(server, Path(directory), newest + _A_MINUTE), sizes.fewer_rows)
    return _rate("ours", synced, sizes.fewer_rows)


def nothing_new(server: Server, data_dir: Path, sizes: Sizes, say: Say) -> NothingNew:
    """Sync again what was synced and built to the end."""
    say("nothing new")
    now = server.tell("set", page_size=100, latency_ms=0, visible=sizes.rows)["newest"] + _A_MINUTE
    sync(server, data_dir, now, is_building=True)
    turns = range(max(2, sizes.repeats))
    synced = [sync(server, data_dir, now + (turn + 1) * _A_MINUTE, is_building=True) for turn in turns]
    return NothingNew(
        requests=int(statistics.median(sum(each.asked.values()) for each in synced)),
        cpu_seconds=statistics.median(each.measured.cpu_seconds for each in synced),
        seconds=statistics.median(each.measured.seconds for each in synced),
        status_seconds=statistics.median(status(data_dir).seconds for _ in turns),
    )


def increments(sizes: Sizes, say: Say) -> Increments:
    """Bring 5,000 new messages and 2,000 reports to a small and to a large warehouse, each time the same."""
    few, many = sizes.warehouses
    synced: list[list[Synced]] = [[], []]
    turns = sizes.repeats + 1  # the first one after the copy reads a file nobody has opened yet
    with (
        page_server(few, first=many - few, later=turns * _STEP) as server,
        tempfile.TemporaryDirectory() as directory,
    ):
        small, large = Path(directory) / "small", Path(directory) / "large"
        say(f"increments: a warehouse of {few} rows")
        now = server.tell("set", open=1)["newest"] + _A_MINUTE
        _whole(sync(server, small, now), few)
        shutil.copytree(small, large)
        say(f"increments: a warehouse of {many} rows, filled by SQL")
        oldest = server.tell("asked")["oldest"]
        fill = [sys.executable, "-m", "benchmarks.fill", large / "warehouse.duckdb", many - few, oldest]
        measure([str(part) for part in fill], {})
        for turn in range(turns):
            say(f"increments: turn {turn + 1} of {turns}")
            now = server.tell("advance", new=_STEP)["newest"] + _A_MINUTE
            for size, data_dir in enumerate((small, large)):
                synced[size].append(sync(server, data_dir, now))
    last = synced[1][-1].result
    timed = [each[1:] for each in synced]
    return Increments(
        rows=(few, many),
        seconds=_both(timed, lambda each: float(each.result["seconds"])),
        cpu_seconds=_both(timed, lambda each: each.measured.cpu_seconds),
        new=last["rows_new"],
        changed=last["rows_changed"],
    )


def late_report(sizes: Sizes, say: Say) -> LateReport:
    """Notice one report that arrives three days after its message."""
    three_days = 33_334
    say("late report")
    with page_server(_STEP, later=three_days) as server, tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory)
        now = server.tell("hold", back=100)["newest"] + _A_MINUTE
        _whole(sync(server, data_dir, now), _STEP)
        now = server.tell("advance", new=three_days, keep=1)["newest"] + _A_MINUTE
        _whole(sync(server, data_dir, now), three_days)
        server.tell("advance", new=0)
        requests, turns = 0, 0
        for turns in range(1, 6):  # the next ask may not be due at once
            synced = sync(server, data_dir, now + turns * _A_DAY // 8)
            requests += sum(synced.asked.values())
            if synced.result["rows_changed"]:
                break
        else:
            raise MeasuredProgramError("The late report was not noticed.")
        idle = sum(sync(server, data_dir, now + _A_DAY).asked.values())
    return LateReport(max(0, requests - turns * idle), -(-three_days // 100), turns)


def _wire(server: Server, rows: int, page_size: int) -> Rate:
    arguments = [server.url, rows, page_size, CONCURRENCY]
    measured = measure([sys.executable, "-m", "benchmarks.wire", *map(str, arguments)], {})
    seconds = json.loads(measured.printed)["seconds"]
    return Rate("wire", rows, seconds, measured.cpu_seconds, measured.peak_mb)


def _rival(dlt: Dlt, way: str, server: Server, rows: int, say: Say) -> Rate:
    say(f"    dlt {way}, {rows} rows")
    measured = dlt.load(way, server, rows)
    return Rate(f"dlt {way}", rows, measured.seconds, measured.cpu_seconds, measured.peak_mb)


def _rate(who: str, synced: Synced, rows: int) -> Rate:
    measured = synced.measured
    return Rate(who, rows, measured.seconds, measured.cpu_seconds, measured.peak_mb)


def _whole(synced: Synced, rows: int) -> Synced:
    if synced.result["rows_new"] != rows:
        raise MeasuredProgramError(f"A sync brought {synced.result['rows_new']} rows of {rows}.")
    return synced


def _both(synced: Sequence[Sequence[Synced]], value: Callable[[Synced], float]) -> tuple[float, float]:
    few, many = (statistics.median(value(each) for each in turns) for turns in synced)
    return few, many
