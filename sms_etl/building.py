"""Builds the SQL models in the warehouse, runs their tests, and keeps what both say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, tuple_, update

from sms_etl.clock import as_utc, system_clock
from sms_etl.models.checks import TestResult, checks, run_tests
from sms_etl.models.files import own_seeds, project_digest
from sms_etl.models.project import Project, load_project
from sms_etl.models.runner import BuildResult, ModelBuild
from sms_etl.models.runner import build as build_all
from sms_etl.settings import Settings
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction, writable_warehouse


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
        """Give it as plain JSON values."""
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
    settings: Settings, *, on_model: Callable[[ModelBuild], None] | None = None
) -> CheckedBuild:
    """Build every model and run every test, in one transaction.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        ModelError: A model cannot be built; the warehouse stays as it was.
    """
    project = project_of(settings)
    with writable_warehouse(settings).begin() as transaction:
        write_build_context(transaction, settings)
        models = build_all(transaction.native, project, on_model=on_model)
        tests = run_tests(transaction.native, project)
        record_tests(transaction, project, tests, settings.clock())
        build = CheckedBuild(models, tests)
        if not build.failures:
            transaction.sql.execute(update(tables.build_context).values(is_current=True))
    return build


def write_build_context(transaction: Transaction, settings: Settings) -> None:
    """Write what the models are built with, so that they are plain SQL."""
    transaction.sql.execute(delete(tables.build_context))
    transaction.sql.execute(
        insert(tables.build_context).values(
            as_of_at=as_utc(settings.clock()),
            timezone=settings.timezone,
            settle_days=settings.settle_days,
            built_at=as_utc(system_clock()),
            project_digest=project_digest(settings.data_dir),
            is_current=False,  # until all of it is built and has passed
        )
    )


def record_tests(
    transaction: Transaction, project: Project, tests: Sequence[TestResult], now: datetime
) -> None:
    """Replace what is known of these tests, and forget those the project has no more."""
    key = tuple_(tables.model_test.c.model, tables.model_test.c.test)
    run = [(test.model, test.test) for test in tests]
    known = [(check.model, check.test) for check in checks(project)]
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
