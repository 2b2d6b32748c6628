"""Prints where a sync's CPU time goes: by module of sms_etl (fetch, records, land, load …) and by function.

Each thread runs under cProfile with the thread's own CPU clock, so waiting costs nothing and the other
thread's work is not charged. What a library spends is charged to the module of sms_etl that called it.
cProfile makes small Python functions look dearer than they are: compare shares, and measure seconds with
`benchmarks.quick`. Landing files are written in this process, not in one of their own. (Sampling stacks
misleads here: a sampler gets its turn where the GIL is let go.)

    python -m benchmarks.profile_sync --rows 100000 [--page-size 100] [--latency-ms 0] [--lines 25]
"""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ours import settings_for
from benchmarks.processes import page_server

_PACKAGE = str(Path(__file__).parent.parent / "sms_etl") + os.sep
_ELSEWHERE = "event loop and imports"
_ROUNDS = 40
"""Of handing time from callee to caller; libraries are not nested deeper than that where it matters."""

Function = tuple[str, int, str]
Shares = Mapping[str, float]


@contextmanager
def profiled_threads() -> Iterator[list[cProfile.Profile]]:
    """Profile this thread and every one that is started while the block runs."""
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def profiled_run(thread: threading.Thread) -> None:
        with _profile(profiles):
            run(thread)

    # There is no other way into a pool's threads; mypy does not like a method replaced.
    threading.Thread.run = profiled_run  # type: ignore[method-assign,assignment]  # what a profiler does
    try:
        with _profile(profiles):
            yield profiles
    finally:
        threading.Thread.run = run  # type: ignore[method-assign]  # puts it back


@contextmanager
def _profile(profiles: list[cProfile.Profile]) -> Iterator[None]:
    profile = cProfile.Profile(time.thread_time)
    profiles.append(profile)
    profile.enable()
    try:
        yield
    finally:
        profile.disable()


def by_module(stats: pstats.Stats) -> dict[str, float]:
    """Return the CPU seconds of each module of sms_etl, with what libraries spent for it."""
    entries = stats.stats  # type: ignore[attr-defined]  # typeshed leaves it out
    shares: dict[Function, Shares] = {
        function: {_module(function) or _ELSEWHERE: 1.0} for function in entries
    }
    strangers = [function for function in entries if _module(function) is None]
    for _ in range(_ROUNDS):
        for function in strangers:
            shares[function] = _shares_of_callers(function, entries[function][4], shares)
    seconds: dict[str, float] = defaultdict(float)
    for function, (_, _, own, _, _) in entries.items():
        for module, share in shares[function].items():
            seconds[module] += own * share
    return dict(seconds)


def _shares_of_callers(
    function: Function,
    callers: Mapping[Function, tuple[int, int, float, float]],
    shares: Mapping[Function, Shares],
) -> Shares:
    weights = {caller: edge[3] for caller, edge in callers.items() if caller != function}
    total = sum(weights.values())
    if not total:
        return {_ELSEWHERE: 1.0}
    mixed: dict[str, float] = defaultdict(float)
    for caller, weight in weights.items():
        for module, share in shares[caller].items():
            mixed[module] += share * weight / total
    return mixed


def _module(function: Function) -> str | None:
    return function[0].removeprefix(_PACKAGE) if function[0].startswith(_PACKAGE) else None


def _show(title: str, seconds: Mapping[str, float], lines: int) -> None:
    total = sum(seconds.values()) or 1
    print(f"\n{title}")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1])[:lines]:
        print(f"  {spent:8.2f} s {100 * spent / total:5.1f} %  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--lines", type=int, default=25)
    options = parser.parse_args()
    with (
        page_server(options.rows, page_size=options.page_size) as server,
        tempfile.TemporaryDirectory() as directory,
    ):
        newest = server.tell("set", latency_ms=options.latency_ms)["newest"]
        os.environ.update(settings_for(server, Path(directory), newest + 60))
        from sms_etl.settings import load_settings  # noqa: PLC0415 - reads the environment set above
        from sms_etl.sync.engine import run_sync  # noqa: PLC0415 - reads it, too
        from sms_etl.sync.landing import worker as lander  # noqa: PLC0415 - its import is not what is profiled

        lander.ROWS_WORTH_A_PROCESS = sys.maxsize

        before, started = os.times(), time.perf_counter()
        with profiled_threads() as profiles:
            result = run_sync(load_settings())
        seconds, after = time.perf_counter() - started, os.times()
    cpu = after.user + after.system - before.user - before.system
    children = after.children_user + after.children_system - before.children_user - before.children_system
    stats = pstats.Stats(*profiles)
    modules = by_module(stats)
    modules["native threads (DuckDB, Arrow)"] = max(0.0, cpu - sum(modules.values()))
    if children:
        modules["child processes"] = children
    print(
        f"{options.rows:,} rows, {seconds:.1f} s under the profiler, load {os.getloadavg()[0]:.1f}; {result}"
    )
    _show("CPU seconds by module, with what libraries spent for it", modules, options.lines)
    own = {
        f"{_module(function) or Path(function[0]).name}:{function[2]}": entry[2]
        for function, entry in stats.stats.items()  # type: ignore[attr-defined]  # typeshed leaves it out
    }
    _show("CPU seconds by function, without what it calls", own, options.lines)


if __name__ == "__main__":
    main()
