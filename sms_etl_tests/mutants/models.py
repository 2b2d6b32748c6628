"""Changes models in one place at a time and runs the tests of their figures.

`python -m sms_etl_tests.mutants.models MODEL ...`: no file of the project is written. What survives and is
not in `accepted.toml` ends it with 1, unless `--share` says how much of it may.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from sms_etl.models.project import Model, Project, load_project
from sms_etl_tests.mutants.count import Count, accepted
from sms_etl_tests.mutants.forked import end_after, forked
from sms_etl_tests.mutants.running import FirstRun, first_run, run_in_order, with_collected
from sms_etl_tests.mutants.sql_changes import SqlChange, changes_of_model
from sms_etl_tests.mutants.suites import PROJECT

_TESTS = (str(PROJECT / "sms_etl_tests" / "sql"),)
_ROWS = "sms_etl_tests.sql.warehouse_rows"


class Tried(msgspec.Struct):
    """Whether a test noticed a change."""

    model: str
    change: str
    is_noticed: bool


class _Report(msgspec.Struct):
    first: FirstRun
    tried: list[Tried]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try changes to the models named, or all; return 1 if too many survive that are not accepted."""
    given = _given(arguments)
    project = load_project()
    names = [project.model(name).name for name in given.models or project.models]
    chosen = _chosen(project, names, given.changes, given.most)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        code = forked(lambda: _try(chosen, path, given.seconds))
        if code != 0:
            sys.stdout.write(f"The tests fail without a change, or cannot be collected ({code}).\n")
            return 1
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    return int(_tell(report.tried).is_short_of(given.share))


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sms_etl_tests.mutants.models", description=__doc__)
    parser.add_argument("models", nargs="*", help="such as marts.cost_daily (default: all)")
    parser.add_argument("--seconds", type=float, default=86400, help="begin no change later (default: a day)")
    parser.add_argument("--changes", type=int, default=1000, help="the most of each model, by a fixed chance")
    parser.add_argument("--most", type=int, default=100_000, help="the most of all, by a fixed chance")
    parser.add_argument(
        "--share", type=float, default=100, help="so many percent must be noticed or accepted (default: all)"
    )
    return parser.parse_args(arguments)


def _chosen(
    project: Project, names: Sequence[str], most_each: int, most: int
) -> list[tuple[Model, Callable[[], SqlChange]]]:
    drawn = random.Random(0)
    chosen = []
    for name in names:
        changes = changes_of_model(project.models[name])
        chosen += [
            (project.models[name], each) for each in drawn.sample(changes, min(len(changes), most_each))
        ]
    return drawn.sample(chosen, min(len(chosen), most))


def _try(chosen: Sequence[tuple[Model, Callable[[], SqlChange]]], path: Path, seconds: float) -> int:
    """Run the tests once without a change, then in a process for each change those that build its model."""

    def work(session: pytest.Session) -> int:
        rows = sys.modules[_ROWS]
        rows.package_project(), rows.package_project(seeds=None)  # else each process would read it anew
        code = forked(lambda: _first(session, path))
        if code != 0:
            return code
        first = msgspec.json.decode(path.read_bytes(), type=FirstRun)
        report, until = _Report(first, []), time.monotonic() + seconds
        for model, make in chosen:
            if time.monotonic() > until:
                break
            change = make()
            code = forked(partial(_with_change, session, first, model, change))
            report.tried.append(Tried(model.name, change.name, code != 0))
        path.write_bytes(msgspec.json.encode(report))
        return 0

    return with_collected(_TESTS, work)


def _first(session: pytest.Session, path: Path) -> int:
    end_after(1800)
    rows = sys.modules[_ROWS]
    built: set[str] = set()
    build_model = rows.build_model

    def noting(connection: object, project: Project, name: str) -> object:
        built.add(name)
        return build_model(connection, project, name)

    rows.build_model = noting  # type: ignore[attr-defined]  # a module as tests see it
    run = first_run(session, built)
    path.write_bytes(msgspec.json.encode(run))
    return int(run.failed is not None)


def _with_change(session: pytest.Session, first: FirstRun, model: Model, change: SqlChange) -> int:
    rows = sys.modules[_ROWS]
    as_it_is = rows.package_project

    def changed(seeds: Path | None = None) -> Project:
        project: Project = as_it_is(seeds=seeds)
        model_now = replace(project.models[model.name], sql=change.sql)
        return replace(project, models={**project.models, model.name: model_now})

    rows.package_project = changed  # type: ignore[attr-defined]  # a module as tests see it
    return run_in_order(session, first.reaching(model.name), first.seconds)


def _tell(tried: Sequence[Tried]) -> Count:
    """Print what came of the changes by model, and count them."""
    count = Count()
    for model in sorted({each.model for each in tried}):
        of_model = [each for each in tried if each.model == model]
        reasons = accepted().get(model, {})
        survivors = [each.change for each in of_model if not each.is_noticed]
        good = [each for each in survivors if each in reasons]
        count.tried += len(of_model)
        count.good += len(of_model) - len(survivors) + len(good)
        sys.stdout.write(
            f"{model}: {len(of_model) - len(survivors)} of {len(of_model)} noticed, {len(good)} accepted\n"
        )
        for name in survivors:
            sys.stdout.write(f"  {name}\n      {reasons.get(name, 'NOT ACCEPTED')}\n")
    sys.stdout.write(f"{count.good} of {count.tried} are noticed or accepted\n")
    return count


if __name__ == "__main__":
    sys.exit(main())
