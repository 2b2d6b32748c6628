"""Builds the SQL models in the warehouse, runs their tests, and keeps what both say."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, tuple_, update

from sms_etl.build_state import loaded_digest
from sms_etl.clock import Clock, as_utc, system_clock
from sms_etl.errors import PolicyNotApplied, SmsEtlError, WarehouseLocked
from sms_etl.models.checks import GRAIN, TestResult, checks, run_tests
from sms_etl.models.declared import Severity
from sms_etl.models.files import own_seeds, project_digest
from sms_etl.models.project import Project, load_project
from sms_etl.models.runner import BuildResult, ModelBuild
from sms_etl.models.runner import build as build_all
from sms_etl.pii.state import require_applied
from sms_etl.settings import Settings
from sms_etl.stopping import interrupting
from sms_etl.warehouse import tables
from sms_etl.warehouse.comments import write_table_comments
from sms_etl.warehouse.publication import NOT_BUILT
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse


@dataclass(frozen=True)
class CheckedBuild:
    """What was built and what its tests say."""

    models: BuildResult
    tests: tuple[TestResult, ...]

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
            "seconds": round(self.models.seconds, 3),
            "tests": len(self.tests),
            "failed_tests": [f"{test.model}: {test.test} ({test.failures} rows)" for test in self.failures],
            "warnings": [f"{test.model}: {test.test} ({test.failures} rows)" for test in self.warnings],
        }


def project_of(settings: Settings) -> Project:
    """Read the SQL models; CSV files in `<data dir>/seeds` replace those of the same name.

    Raises:
        ModelError: A model or seed cannot be read; names file and line.
    """
    return load_project(seeds=own_seeds(settings.data_dir))


def build_and_check(
    settings: Settings,
    *,
    on_model: Callable[[int], None] | None = None,
    is_applying_policy: bool = False,
) -> CheckedBuild:
    """Build every model and run every test, in one transaction.

    Args:
        settings: Name the warehouse.
        on_model: Is told, after each model, how many there are.
        is_applying_policy: The build is a part of `sms-etl pii apply`, before which others are refused.

    Raises:
        PolicyNotApplied: The warehouse holds what the settings' policy says is not to be kept.
        NoWarehouse: Nothing was loaded yet.
        ModelError: A model cannot be built; the warehouse stays as it was, and notes it.
    """
    warehouse = writable_warehouse(settings)
    with noting_failure(warehouse, settings.clock):
        project = project_of(settings)
        with warehouse.begin() as transaction, interrupting(transaction.native):
            write_build_context(transaction, settings, is_applying_policy=is_applying_policy)
            models = build_all(transaction.native, project, on_model=_each_of(project, on_model))
            tests = run_tests(transaction.native, project)
            record_tests(transaction, project, tests, settings.clock())
            build = CheckedBuild(models, tests)
            if not build.failures:
                transaction.sql.execute(update(tables.build_context).values(is_current=True))
    return build


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
    except (WarehouseLocked, PolicyNotApplied):
        raise  # nothing was begun, and to record it might wait for the lock once more
    except Exception:
        with suppress(SmsEtlError), warehouse.begin() as transaction:
            _record_failure(transaction, models, clock())
        raise


def _record_failure(transaction: Transaction, models: Sequence[str], now: datetime) -> None:
    table = tables.model_test
    failed = models or transaction.sql.scalars(select(table.c.model).where(table.c.test == GRAIN)).all()
    transaction.sql.execute(delete(table).where(table.c.test == NOT_BUILT, table.c.model.in_(failed)))
    if failed:
        row = {"tested_at": as_utc(now), "test": NOT_BUILT, "severity": Severity.ERROR.value, "failures": 1}
        transaction.sql.execute(insert(table), [{**row, "model": model} for model in failed])


def _each_of(project: Project, on_model: Callable[[int], None] | None) -> Callable[[ModelBuild], None] | None:
    return None if on_model is None else lambda _model: on_model(len(project.models))


def write_build_context(
    transaction: Transaction, settings: Settings, *, is_applying_policy: bool = False
) -> None:
    """Write what the models are built with, so that they are plain SQL; describe the tables they read.

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
        )
    )


def record_tests(
    transaction: Transaction, project: Project, tests: Sequence[TestResult], now: datetime
) -> None:
    """Replace what is known of these tests and their models, and forget tests the project has no more."""
    key = tuple_(tables.model_test.c.model, tables.model_test.c.test)
    run = [(test.model, test.test) for test in tests]
    known = [(check.model, check.test) for check in checks(project)]
    known += [(model, NOT_BUILT) for model in {model for model, _ in known} - {model for model, _ in run}]
    transaction.sql.execute(delete(tables.model_test).where(key.in_(run) | key.not_in(known)))
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
