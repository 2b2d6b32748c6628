"""The tests of the models as asset checks, run in the step that makes the asset.

Where a test says `error`, what is downstream of its asset is not built if it fails. A test reads nothing but
what its model is made of (`load_project` holds that), so all it reads is there.
"""

from collections.abc import Collection, Iterator

import dagster as dg

from sms_etl.build import record_tests
from sms_etl.check_words import in_words
from sms_etl.defs.relations import key_of
from sms_etl.models.checks import TestResult, checks, run_tests
from sms_etl.models.declared import Severity
from sms_etl.models.project import Project
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Transaction

_SEVERITY = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}


def check_specs(project: Project, relations: Collection[str]) -> list[dg.AssetCheckSpec]:
    """Describe the checks of some models or seeds."""
    return [
        dg.AssetCheckSpec(
            check.test,
            asset=key_of(check.model),
            description=check.description,
            blocking=check.severity is Severity.ERROR,
            metadata={"sql": dg.MetadataValue.md(f"```sql\n{check.sql}\n```")},
        )
        for check in checks(project, relations)
    ]


def tested(
    transaction: Transaction, project: Project, relations: Collection[str], settings: Settings
) -> tuple[TestResult, ...]:
    """Run the tests of some models or seeds, and record how they went.

    Raises:
        ModelError: A test cannot be run.
    """
    results = run_tests(transaction.native, project, relations)
    record_tests(transaction, project, results, settings.clock())
    return results


def check_results(tests: Collection[TestResult], chosen: Collection[str]) -> Iterator[dg.AssetCheckResult]:
    """Tell Dagster how those tests went that it asks for: in counts, never in rows."""
    for test in tests:
        if test.test not in chosen:
            continue
        yield dg.AssetCheckResult(
            asset_key=key_of(test.model),
            check_name=test.test,
            passed=test.is_passed,
            severity=_SEVERITY[test.severity],
            description=None
            if test.is_passed
            else in_words(test.model, test.test, test.failures, test.check.description),
            metadata={"rows that are wrong": test.failures},
        )
