"""Builds the SQL models in the warehouse, runs their tests, and keeps what both say.

What changed in closed months is booked where all blocking tests passed: `finance/closing/corrections.py`.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, insert, select, tuple_, update

from sms_etl.build_state import loaded_digest
from sms_etl.clock import Clock, as_utc, system_clock
from sms_etl.errors import PolicyNotApplied, SmsEtlError, UnknownModel, WarehouseLocked
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.models.checks import GRAIN, TestResult, checks, run_tests
from sms_etl.models.declared import Severity
from sms_etl.models.files import own_seeds, project_digest
from sms_etl.models.incremental import check_incremental, note_tested
from sms_etl.models.project import Project, load_project
from sms_etl.models.runner import BuildResult, ModelBuild, Rebuild
from sms_etl.models.runner import build as build_all
from sms_etl.models.selection import selected
from sms_etl.pii.state import require_applied
from sms_etl.settings import Settings
from sms_etl.stopping import interrupting
from sms_etl.warehouse import tables
from sms_etl.warehouse.comments import write_table_comments
from sms_etl.warehouse.publication import NOT_BUILT, objections
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

_ALL_MODELS = "all models"
"""Stands for them where none was built yet."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MOST_DIGITS = 4
_FEW = 20_000
"""Of so few messages DuckDB's threads cost more than they do: a build takes a fifth more processor time."""


@dataclass(frozen=True)
class CheckedBuild:
    """What was built and what its tests say."""

    models: BuildResult
    tests: tuple[TestResult, ...]
    selection: str | None = None
    """What was chosen; None if all models were built. What is a part is not published."""
    corrections: int = 0
    """Changes in closed months that were booked; none while a blocking test fails."""
    seeds: tuple[str, ...] = ()
    """The seeds that were loaded."""

    @property
    def failures(self) -> tuple[TestResult, ...]:
        """The failed tests that keep the build from being published."""
        return tuple(test for test in self.tests if test.is_blocking)

    @property
    def warnings(self) -> tuple[TestResult, ...]:
        """The failed tests that somebody should look at."""
        return tuple(test for test in self.tests if not test.is_passed and not test.is_blocking)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "models": self.models.rows,
            "selection": self.selection,
            "seconds": round(self.models.seconds, 3),
            "tests": len(self.tests),
            "corrections": self.corrections,
            "failed_tests": [f"{test.model}: {test.test} ({test.failures} rows)" for test in self.failures],
            "warnings": [f"{test.model}: {test.test} ({test.failures} rows)" for test in self.warnings],
        }


def project_of(settings: Settings, built_digest: str | None = None) -> Project:
    """Read the SQL models; CSV files in `<data dir>/seeds` replace those of the same name.

    Args:
        settings: Name the data directory.
        built_digest: Of what was built before: if it is the same, it was checked then.

    Raises:
        ModelError: A model or seed cannot be read; names file and line.
    """
    digest = project_digest(settings.data_dir)
    return _project_as_it_is(own_seeds(settings.data_dir), digest, digest == built_digest)


@lru_cache(maxsize=2)
def _project_as_it_is(seeds: Path | None, digest: str, is_checked: bool) -> Project:
    """Read it once for each state of its files: that takes longer than to build an ordinary day."""
    project = load_project(seeds=seeds, is_checked=is_checked)
    if not is_checked:
        check_incremental(project)
    return project


def build_and_check(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    is_full: bool = False,
    on_model: Callable[[int], None] | None = None,
    is_applying_policy: bool = False,
) -> CheckedBuild:
    """Build every model, run every test, and book what changed in closed months, in one transaction; or those
    that are selected, of which nothing is booked.

    After a build of a part, models may be of different moments. So it is noted in `ops.build_context`: the
    next sync builds all of them, and until then publishing is refused.

    Args:
        settings: Name the warehouse.
        select: Which models, as `models.selection` reads it; all of them unless given.
        is_full: Rebuild models by day whole, whatever has changed.
        on_model: Is told, after each model, how many there are.
        is_applying_policy: The build is a part of `sms-etl pii apply`, before which others are refused.

    Raises:
        PolicyNotApplied: The warehouse holds what the settings' policy says is not to be kept.
        NoWarehouse: Nothing was loaded yet.
        UnknownModel: What is selected is no model.
        ModelError: A model cannot be built; the warehouse stays as it was, and notes it.
    """
    warehouse = writable_warehouse(settings)
    with (
        noting_failure(warehouse, settings.clock),
        warehouse.begin() as transaction,
        interrupting(transaction.native),
    ):
        project = project_of(settings, _built_digest(transaction))
        chosen = selected(project, select) if select else None
        selection = " ".join(select) if select else None
        write_build_context(transaction, settings, selection=selection, is_applying_policy=is_applying_policy)
        if transaction.row("select count(*) from raw.sms") < (_FEW,):
            transaction.use_threads(1)
        count = len(project.models if chosen is None else chosen)
        is_whole = is_full or is_applying_policy  # what is blanked moves no `changed_at`
        models = build_all(
            transaction.native,
            project,
            select=chosen,
            on_model=_each_of(count, on_model),
            rebuild=Rebuild.FULL if is_whole else Rebuild.BY_DAY,
        )
        tested = chosen and {*chosen, *project.seeds}
        digest = project_digest(settings.data_dir)
        passed = _passed(transaction)
        parts = [part for part in models.parts if part.tested_digest == digest]
        tests = run_tests(transaction.native, project, tested, parts=parts, passed=passed)
        if chosen is None:
            note_tested(transaction.native, digest)
        record_tests(transaction, project, tests, settings.clock())
        build = CheckedBuild(models, tests, selection, seeds=tuple(project.seeds))
        if not build.failures and chosen is None:
            transaction.sql.execute(update(tables.build_context).values(is_current=True))
            booked = book_corrections(transaction.native, settings.clock())
            build = replace(build, corrections=booked)
    return build


def book_changes(settings: Settings) -> int:
    """Book what changed in closed months, after a build that was made model by model; return how much.

    Nothing is booked while something speaks against publishing the build.
    """
    with writable_warehouse(settings).begin() as transaction:
        if objections(transaction.native):
            return 0
        return book_corrections(transaction.native, settings.clock())


@contextmanager
def noting_failure(warehouse: Warehouse, clock: Clock, models: Sequence[str] = ()) -> Iterator[None]:
    """Record that models could not be built if the block ends in an error; `record_tests` clears it.

    A build that failed leaves the warehouse as it was: without this it would look like a good one.

    Args:
        warehouse: Where to.
        clock: When.
        models: Which models; all that were ever tested unless given.
    """
    try:
        yield
    except (WarehouseLocked, PolicyNotApplied, UnknownModel):
        raise  # nothing was begun, and to record it might wait for the lock once more
    except Exception as exc:
        with suppress(SmsEtlError), warehouse.begin() as transaction:
            _record_failure(transaction, models, clock(), _kept_text(exc))
        raise


def _built_digest(transaction: Transaction) -> str | None:
    """Return the digest of the models and seeds that were built last; None if none were."""
    found = transaction.native.execute("select project_digest from ops.build_context").fetchone()
    return found[0] if found else None


def _passed(transaction: Transaction) -> set[tuple[str, str]]:
    """Return the tests that found nothing when they were last run, as model and test."""
    found = transaction.native.execute("select model, test from ops.model_test where failures = 0").fetchall()
    return {(model, test) for model, test in found}


def _record_failure(transaction: Transaction, models: Sequence[str], now: datetime, error: str) -> None:
    table, kept = tables.model_test, tables.failed_test_rows
    tested = models or transaction.sql.scalars(select(table.c.model).where(table.c.test == GRAIN)).all()
    failed = sorted(tested) or [_ALL_MODELS]
    for each in (table, kept):
        transaction.sql.execute(delete(each).where(each.c.test == NOT_BUILT, each.c.model.in_(failed)))
    row = {"tested_at": as_utc(now), "test": NOT_BUILT}
    result = {**row, "severity": Severity.ERROR.value, "failures": 1}
    transaction.sql.execute(insert(table), [{**result, "model": model} for model in failed])
    told = {**row, "model": failed[0], "number": 1, "row": {"error": error}}
    transaction.sql.execute(insert(kept), [told])


def _kept_text(exc: Exception) -> str:
    """Return what may be kept of an error: its kind; of ours the text, without what may be a number."""
    if not isinstance(exc, SmsEtlError):
        return f"{type(exc).__name__}, whose text may quote a row and is not kept"
    return _QUOTED.sub(
        lambda found: "'…'" if sum(map(str.isdigit, found[0])) > _MOST_DIGITS else found[0], exc.message
    )


def _each_of(count: int, on_model: Callable[[int], None] | None) -> Callable[[ModelBuild], None] | None:
    return None if on_model is None else lambda _model: on_model(count)


def write_build_context(
    transaction: Transaction,
    settings: Settings,
    *,
    selection: str | None = None,
    is_applying_policy: bool = False,
) -> None:
    """Write what the models are built with, so that they are plain SQL; describe the tables they read.

    Args:
        transaction: Where to.
        settings: Moment, time zone, days to settle.
        selection: Which models are built with it; all of them unless given.
        is_applying_policy: See `build_and_check`.

    Raises:
        PolicyNotApplied: The warehouse holds what the settings' policy says is not to be kept.
    """
    if not is_applying_policy:
        require_applied(transaction.native, settings)
    write_table_comments(transaction.native)  # a newer version of this package may say more of them
    transaction.sql.execute(delete(tables.build_context))
    transaction.sql.execute(
        insert(tables.build_context).values(
            as_of_at=as_utc(settings.clock()),
            timezone=settings.timezone,
            settle_days=settings.settle_days,
            built_at=as_utc(system_clock()),
            project_digest=project_digest(settings.data_dir),
            loaded_digest=loaded_digest(transaction.native),
            is_current=False,  # until all of it is built and has passed
            selection=selection,
        )
    )


def record_tests(
    transaction: Transaction, project: Project, tests: Sequence[TestResult], now: datetime
) -> None:
    """Replace what is known of these tests and their models, and forget tests the project has no more."""
    run = {(test.model, test.test) for test in tests}
    known = {(check.model, check.test) for check in checks(project)}
    known |= {(model, NOT_BUILT) for model in {model for model, _ in known} - {model for model, _ in run}}
    _forget(transaction, tables.model_test, run, known)
    _forget(transaction, tables.failed_test_rows, run, known)
    if tests:
        transaction.sql.execute(
            insert(tables.model_test),
            [
                {
                    "tested_at": as_utc(now),
                    "model": test.model,
                    "test": test.test,
                    "severity": test.severity.value,
                    "failures": test.failures,
                }
                for test in tests
            ],
        )
    _record_failed_rows(transaction, tests, as_utc(now))


def _forget(
    transaction: Transaction, table: Table, run: set[tuple[str, str]], known: set[tuple[str, str]]
) -> None:
    """Delete what a table has of tests that were run, and of those that are not known.

    It looks first: to compare with each test that is known takes longer than all else that is recorded.
    """
    stored = transaction.sql.execute(select(table.c.model, table.c.test).distinct())
    forgotten = [key for key in map(tuple, stored) if key in run or key not in known]
    if forgotten:
        transaction.sql.execute(delete(table).where(tuple_(table.c.model, table.c.test).in_(forgotten)))


def _record_failed_rows(transaction: Transaction, tests: Sequence[TestResult], now: datetime) -> None:
    """Keep the rows that these tests found wrong."""
    table = tables.failed_test_rows
    rows = [
        {"tested_at": now, "model": test.model, "test": test.test, "number": number, "row": json.loads(row)}
        for test in tests
        for number, row in enumerate(test.rows, start=1)
    ]
    if rows:
        transaction.sql.execute(insert(table), rows)
