"""Changes modules in one place at a time and runs their tests: `python -m sms_etl_tests.mutants MODULE ...`.

No file of the project is written. What survives and is not in `accepted.toml` ends it with 1, unless
`--share` says how much of it may.
"""

import argparse
import importlib
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import groupby

from sms_etl_tests.mutants.changes import Change, changes_of
from sms_etl_tests.mutants.count import Count, accepted
from sms_etl_tests.mutants.since import base_of, changed_lines
from sms_etl_tests.mutants.suites import PROJECT, modules, suite_of
from sms_etl_tests.mutants.trying import Module, NoTime, SuiteFails, Tried, try_changes

_LIBRARIES = (
    *("aiohttp", "altair", "duckdb", "filelock", "httpx", "jinja2", "pyarrow.parquet"),
    *("pydantic", "pydantic_settings", "sqlalchemy", "tenacity", "xlsxwriter"),
)
"""Imported once, for every process forked later; not those that pytest must import itself, and not ours."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the modules named, or all; return 1 if too many changes survive that are not accepted."""
    given = _given(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what runs is ended, too
    chosen = _chosen(given)
    if not chosen:
        sys.stdout.write("Nothing that changes can be made to has changed.\n")
    for library in _LIBRARIES if chosen else ():
        importlib.import_module(library)
    until, count = time.monotonic() + given.seconds, Count()
    suites = [list(each) for _, each in groupby(sorted(chosen, key=suite_of), key=suite_of)]
    for left, group in zip(range(len(suites), 0, -1), suites, strict=True):
        _try({module: chosen[module] for module in group}, (until - time.monotonic()) / left, count)
    return int(count.failed > 0 or count.is_short_of(given.share))


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sms_etl_tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=modules())
    parser.add_argument("--seconds", type=float, default=86400, help="begin no change later (default: a day)")
    parser.add_argument(
        "--changes", type=int, default=1000, help="the most of each module, drawn by a fixed chance"
    )
    parser.add_argument(
        "--share", type=float, default=100, help="so many percent must be noticed or accepted (default: all)"
    )
    parser.add_argument(
        "--since",
        nargs="?",
        const="",
        metavar="COMMIT",
        help="only what changed since then; none named: since the branch left main, or in the last commit",
    )
    return parser.parse_args(arguments)


def _chosen(given: argparse.Namespace) -> dict[str, list[Change]]:
    """Return the changes to try, by module."""
    since = (given.since or base_of(PROJECT)) if given.since is not None else None
    if given.since is not None and since is None:
        return {}  # the first commit, or a clone without the one before
    lines = None if since is None else changed_lines(PROJECT, since)
    chosen = {}
    for module in given.modules:
        changes = changes_of((PROJECT / module).read_text())
        if lines is not None:
            changes = [change for change in changes if lines.get(module, set()).intersection(change.lines)]
        chosen[module] = random.Random(0).sample(changes, min(len(changes), given.changes))
    return {module: changes for module, changes in chosen.items() if changes}


def _try(chosen: Mapping[str, Sequence[Change]], seconds: float, count: Count) -> None:
    """Try changes to modules of one suite, tell what came of them, and count them."""
    modules = [
        Module(name.removesuffix(".py").replace("/", "."), PROJECT / name, tuple(changes))
        for name, changes in chosen.items()
    ]
    tests = suite_of(next(iter(chosen)))
    try:
        for name, module, tried in zip(chosen, modules, try_changes(modules, tests, seconds), strict=True):
            _tell(name, module, tried, count)
    except NoTime:
        sys.stdout.write(f"{', '.join(chosen)}: no time to run the tests\n")
    except SuiteFails as exc:
        count.failed += 1
        sys.stdout.write(f"{', '.join(chosen)}: the tests fail without a change: {exc}\n")
    sys.stdout.flush()


def _tell(name: str, module: Module, tried: Tried, count: Count) -> None:
    reasons = accepted().get(name, {})
    survivors = sorted((module.changes[number] for number in tried.survived), key=lambda each: each.line)
    noticed, all_ = len(tried.noticed), len(tried.noticed) + len(survivors)
    good = [change for change in survivors if change.name in reasons]
    count.tried += all_
    count.good += noticed + len(good)
    sys.stdout.write(f"{name}: {noticed} of {all_} noticed, {len(good)} accepted\n")
    for change in survivors:
        sys.stdout.write(
            f"  {change.line}: {change.name}\n      {reasons.get(change.name, 'NOT ACCEPTED')}\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
