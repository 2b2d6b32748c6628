"""Runs the tests of a project: those `_models.yml` declares and the files in `tests/`.

A result holds counts only. To see the rows, run its `sql`.
"""
# ruff: noqa: S608 - names are checked where the project is read, values are written as literals

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from sms_etl.errors import ModelError
from sms_etl.models.declared import Column, ColumnTest, Severity
from sms_etl.models.project import Project, Relation, near_miss
from sms_etl.models.runner import Connection, count_rows
from sms_etl.warehouse.file import is_damage

GRAIN = "grain_unique"
"""The test that every model and seed has."""


@dataclass(frozen=True)
class Check:
    """A test as it is run. `test` is unique beside its model; `sql` returns the rows that are wrong."""

    model: str
    test: str
    severity: Severity
    description: str
    sql: str


@dataclass(frozen=True)
class TestResult:
    """How a test went. `failures` is the number of rows that are wrong."""

    __test__ = False  # pytest would take it for a class of tests

    check: Check
    failures: int

    @property
    def model(self) -> str:
        """The relation tested."""
        return self.check.model

    @property
    def test(self) -> str:
        """The test's name."""
        return self.check.test

    @property
    def severity(self) -> Severity:
        """What a failure does."""
        return self.check.severity

    @property
    def is_passed(self) -> bool:
        """No row is wrong."""
        return self.failures == 0

    @property
    def is_blocking(self) -> bool:
        """Rows are wrong, and it matters enough not to publish."""
        return self.failures > 0 and self.severity is Severity.ERROR


def run_tests(
    connection: Connection, project: Project, select: Collection[str] | None = None
) -> tuple[TestResult, ...]:
    """Run the tests.

    Args:
        connection: Where the models are built.
        project: Whose tests.
        select: Names of the models and seeds to test; all unless given.

    Raises:
        ModelError: A test cannot be run, for instance because its model is not built yet.
    """
    return tuple(_run(connection, check) for check in checks(project, select))


def checks(project: Project, select: Collection[str] | None = None) -> tuple[Check, ...]:
    """List the tests of a project, without running them: declared ones first, in build order.

    Raises:
        ModelError: A selected name is not known.
    """
    relations: dict[str, Relation] = {**project.seeds, **project.models}
    known = {*relations, *project.sources}
    for name in select or ():
        if name not in known:
            raise ModelError(f"there is no model {name}{near_miss(name, known)}")
    declared = [check for relation in relations.values() for check in _declared(relation)]
    files = [
        Check(test.models[0], test.name, test.severity, test.description, test.sql) for test in project.tests
    ]
    return tuple(check for check in (*declared, *files) if select is None or check.model in select)


def _declared(relation: Relation) -> Iterator[Check]:
    grain = ", ".join(relation.grain)
    yield Check(
        relation.name,
        GRAIN,
        Severity.ERROR,
        f"No two rows have the same {grain}, and none lacks it.",
        f"select {grain}, count(*) as rows from {relation.name} group by {grain} "
        f"having count(*) > 1 or {' or '.join(f'{name} is null' for name in relation.grain)}",
    )
    for column in relation.columns:
        for test in column.tests:
            says, sql = _of_column(relation.name, column, test)
            yield Check(relation.name, f"{column.name}_{test.kind}", test.severity, says, sql)


def _of_column(name: str, column: Column, test: ColumnTest) -> tuple[str, str]:
    """Return what a test of a column says, and the query for the rows that are wrong."""
    it = column.name
    match test.kind:
        case "unique":
            return f"{it} is unique.", (
                f"select {it}, count(*) as rows from {name} where {it} is not null "
                f"group by {it} having count(*) > 1"
            )
        case "not_null":
            return f"{it} is never null.", f"select * from {name} where {it} is null"
        case "accepted_values":
            values = ", ".join(_literal(value) for value in _values(test))
            return f"{it} is one of {values}.", f"select {it} from {name} where {it} not in ({values})"
        case "relationships":
            table, _, key = str(test.argument).rpartition(".")
            return f"{it} is in {test.argument}.", (
                f"select {it} from {name} as child where {it} is not null "
                f"and not exists (select 1 from {table} as parent where parent.{key} = child.{it})"
            )
        case "at_least":
            return f"{it} is at least {test.argument}.", (
                f"select {it} from {name} where {it} < {_literal(test.argument)}"
            )


def _values(test: ColumnTest) -> list[object]:
    return list(test.argument) if isinstance(test.argument, list) else [test.argument]


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _run(connection: Connection, check: Check) -> TestResult:
    try:
        failures = count_rows(connection, f"(\n{check.sql}\n)")
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise  # it is the file's, not the test's
        kind = type(exc).__name__
        raise ModelError(
            f"the test {check.test} of {check.model} cannot be run ({kind})",
            hint="Build the models first; if they are built, run the test's SQL in DuckDB to see why.",
        ) from exc
    return TestResult(check, failures)
