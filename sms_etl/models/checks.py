"""Runs the tests of a project: those `_models.yml` declares and the files in `tests/`.

A result holds how many rows are wrong, and of the first of them uuids, figures and times, cost centre and
currency: no other text, which may be personal. To see all of them, run its `sql`.
"""
# ruff: noqa: S608 - names are checked where the project is read, values are written as literals

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import duckdb

from sms_etl.errors import ModelError
from sms_etl.models.connection import Connection, count_rows
from sms_etl.models.declared import Column, ColumnTest, RelationTest, Severity
from sms_etl.models.incremental import PartBuilt
from sms_etl.models.macros import Macro, expand
from sms_etl.models.narrowing import of_days, replace_relations
from sms_etl.models.project import BUILD_CONTEXT, Project, Relation, near_miss
from sms_etl.warehouse.file import is_damage

GRAIN = "grain_unique"
"""The test that every model and seed has."""
MOST_ROWS_KEPT = 20
"""Of each test: enough to see what is wrong, and little enough for a test that every message fails."""
_KEPT_TYPES = re.compile(r"UUID|BOOLEAN|DATE|TIMESTAMP|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(\d+,\d+\)")
_TEXTS_OF_OURS = {"cost_centre", "currency"}
"""Finance writes the first, the second is a code: a budget that does not hold can be named."""
_NUMBERS_OF_OTHERS = re.compile(r"source|\w+_id")
"""Integers that the provider gives without bounds: a phone number in one could not be told from a key."""


class Scope(Enum):
    """Which rows can make a test fail that passed before, once a part of what it reads was rebuilt."""

    ALL = auto()
    """Any."""
    ROWS = auto()
    """Those of the part: it looks at each row by itself."""
    KEYS = auto()
    """All with a key that the part has: it compares them."""
    DAYS = auto()
    """Those of the part, in each relation it reads."""


@dataclass(frozen=True)
class Check:
    """A test as it is run.

    Attributes:
        test: Its name, unique beside its model.
        sql: Returns the rows that are wrong.
        scope: What it must see of a model of which a part was rebuilt, if it found nothing on the rest.
        parent: The relation it looks rows up in.
    """

    model: str
    test: str
    severity: Severity
    description: str
    sql: str
    scope: Scope = Scope.ALL
    parent: str | None = None


@dataclass(frozen=True)
class TestResult:
    """How a test went.

    Attributes:
        failures: Number of rows that are wrong.
        rows: JSON objects of at most `MOST_ROWS_KEPT` of them, with the columns that may be kept.
    """

    __test__ = False  # pytest would take it for a class of tests

    check: Check
    failures: int
    rows: tuple[str, ...] = ()

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
    connection: Connection,
    project: Project,
    select: Collection[str] | None = None,
    *,
    parts: Sequence[PartBuilt] = (),
    passed: Collection[tuple[str, str]] = (),
) -> tuple[TestResult, ...]:
    """Run the tests.

    Args:
        connection: Where the models are built.
        project: Whose tests.
        select: Names of the models and seeds to test; all unless given.
        parts: What was just rebuilt of models by day, if all tests were run when they were built before.
        passed: The tests that found nothing then, as model and test: they look at these parts only.

    Raises:
        ModelError: A test cannot be run, for instance because its model is not built yet.
    """
    tests = [PartTests(connection, part) for part in parts if part.has_key]
    found = []
    for check in checks(project, select):
        sql = None
        if (check.model, check.test) in passed:
            sql = next((narrowed for part in tests if (narrowed := part.narrowed(check)) is not None), None)
        found.append(_run(connection, check if sql is None else replace(check, sql=sql)))
    return tuple(found)


class PartTests:
    """Narrows tests to what was rebuilt of one model by day, and to what can be wrong with it."""

    def __init__(self, connection: Connection, part: PartBuilt) -> None:
        inputs, model = part.inputs, part.model
        own = f"of_{model.replace('.', '_')}__itself"
        where = of_days(inputs, part.days)
        connection.execute(f"create or replace temp view {own} as select * from {model} where {where}")
        self._views = {**part.narrowed.views, model: own}
        self._part = part
        self._keys = f"of_{model.replace('.', '_')}__tested_keys"
        dated = self._views[inputs.dated]
        connection.execute(
            f"create or replace temp table {self._keys} as select {inputs.key} from {dated} "
            f"union select {inputs.key} from {own}"
        )

    def narrowed(self, check: Check) -> str | None:
        """Return the SQL of a test that sees the part only; None if it must see all."""
        views, inputs = self._views, self._part.inputs
        if check.scope is Scope.ALL or check.model not in views or check.parent in views:
            return None
        if check.parent is not None and check.parent not in inputs.whole:
            return None  # what it looks up may have changed
        label = f"{check.model}: {check.test}"
        if check.scope is Scope.DAYS:
            return replace_relations(check.sql, views, label)
        if check.scope is Scope.ROWS:
            return replace_relations(check.sql, {check.model: views[check.model]}, label)
        return self._of_keys(check, label)

    def _of_keys(self, check: Check, label: str) -> str:
        key, name = self._part.inputs.key, check.model
        rows = (
            self._views[name]
            if name in self._part.narrowed.of_keys
            else f"(select * from {name} where {key} in (select {key} from {self._keys}))"
        )
        return replace_relations(check.sql, {name: rows}, label)


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
    declared = [check for relation in relations.values() for check in _declared(relation, project.macros)]
    files = [
        Check(
            test.models[0],
            test.name,
            test.severity,
            test.description,
            test.sql,
            Scope.DAYS if test.is_by_day else Scope.ALL,
        )
        for test in project.tests
    ]
    return tuple(check for check in (*declared, *files) if select is None or check.model in select)


def _declared(relation: Relation, macros: Mapping[str, Macro]) -> Iterator[Check]:
    grain = ", ".join(relation.grain)
    yield Check(
        relation.name,
        GRAIN,
        Severity.ERROR,
        f"No two rows have the same {grain}, and none lacks it.",
        f"select {grain}, count(*) as rows from {relation.name} group by {grain} "
        f"having count(*) > 1 or {' or '.join(f'{name} is null' for name in relation.grain)}",
        Scope.KEYS,
    )
    for column in relation.columns:
        for test in column.tests:
            says, sql = _of_column(relation, column, test)
            scope = Scope.ALL if test.kind == "unique" else Scope.ROWS
            parent = str(test.argument).rpartition(".")[0] if test.kind == "relationships" else None
            name = f"{column.name}_{test.kind}"
            yield Check(relation.name, name, test.severity, says, sql, scope, parent)
    for whole in relation.tests:
        sql = _of_relation(relation, whole, macros)
        scope = Scope.ALL if whole.expression is None else Scope.ROWS
        yield Check(relation.name, whole.name, whole.severity, whole.description, sql, scope)


def _of_column(relation: Relation, column: Column, test: ColumnTest) -> tuple[str, str]:
    """Return what a test of a column says, and the query for the rows that are wrong."""
    name, it = relation.name, column.name
    shown = ", ".join(dict.fromkeys((*relation.grain, it)))
    match test.kind:
        case "unique":
            return f"{it} is unique.", (
                f"select {it}, count(*) as rows from {name} where {it} is not null "
                f"group by {it} having count(*) > 1"
            )
        case "not_null":
            return f"{it} is never null.", f"select {shown} from {name} where {it} is null"
        case "accepted_values":
            values = ", ".join(_literal(value) for value in _values(test))
            return f"{it} is one of {values}.", f"select {shown} from {name} where {it} not in ({values})"
        case "relationships":
            table, _, key = str(test.argument).rpartition(".")
            return f"{it} is in {test.argument}.", (
                f"select {shown} from {name} as child where {it} is not null "
                f"and not exists (select 1 from {table} as parent where parent.{key} = child.{it})"
            )
        case "at_least":
            return f"{it} is at least {test.argument}.", (
                f"select {shown} from {name} where {it} < {_literal(test.argument)}"
            )


def _of_relation(relation: Relation, test: RelationTest, macros: Mapping[str, Macro]) -> str:
    """Return the query for what is wrong with a relation: its rows, or one row that says what it is like."""
    if test.row_count is not None:
        count, most = test.row_count, test.row_count.at_most
        too_many = f" or count(*) > {most}" if most is not None else ""
        return f"select count(*) as rows from {relation.name} having count(*) < {count.at_least}{too_many}"
    if test.freshness is not None:
        column, days = test.freshness.column, test.freshness.within_days
        return (
            f"select max(tested.{column}) as newest, any_value(context.as_of_at) as as_of_at "
            f"from {relation.name} as tested cross join {BUILD_CONTEXT} as context "
            f"having max(tested.{column}) < any_value(context.as_of_at) - interval {days} day"
        )
    columns = ", ".join(column.name for column in relation.columns)
    expression = expand(test.expression or "", macros, f"{relation.label} ({test.name})")
    return f"select {columns} from {relation.name} where not ({expression})"


def _values(test: ColumnTest) -> list[object]:
    return list(test.argument) if isinstance(test.argument, list) else [test.argument]


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _run(connection: Connection, check: Check) -> TestResult:
    try:
        failures = count_rows(connection, f"(\n{check.sql}\n)")
        rows = _kept(connection, check) if failures else ()
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise  # it is the file's, not the test's
        kind = type(exc).__name__
        raise ModelError(
            f"the test {check.test} of {check.model} cannot be run ({kind})",
            hint="Build the models first; if they are built, run the test's SQL in DuckDB to see why.",
        ) from exc
    return TestResult(check, failures, rows)


def _kept(connection: Connection, check: Check) -> tuple[str, ...]:
    """Return the first rows that are wrong, in the order of what is kept of them, as JSON objects."""
    described = connection.execute(f"describe (\n{check.sql}\n)").fetchall()
    columns = [name for name, kind, *_ in described if _may_be_kept(str(name), str(kind))]
    if not columns:
        return ()
    values = ", ".join(f"'{name}', cast(\"{name}\" as varchar)" for name in columns)
    order = ", ".join(f'"{name}"' for name in columns)
    found = connection.execute(
        f"select cast(json_object({values}) as varchar) from (\n{check.sql}\n) as wrong "
        f"order by {order} limit {MOST_ROWS_KEPT}"
    )
    return tuple(str(row) for (row,) in found.fetchall())


def _may_be_kept(name: str, kind: str) -> bool:
    if kind == "UUID" or name in _TEXTS_OF_OURS:
        return True
    return _KEPT_TYPES.fullmatch(kind) is not None and _NUMBERS_OF_OTHERS.fullmatch(name) is None
