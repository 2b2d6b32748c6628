"""Runs the tests of a project: those `_models.yml` declares and the files in `tests/`.

A result holds how many rows are wrong, and of the first of them uuids, figures and times, cost centre and
currency: no other text, which may be personal. To see all of them, run its `sql`.
"""
# ruff: noqa: S608 - names are checked where the project is read, values are written as literals

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
_SELECT = re.compile(r"\bselect\b", re.IGNORECASE)
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
        rows_of: What it reads, if it looks at each row by itself and at nothing else.
        wrong_if: Which of these rows are wrong.
    """

    model: str
    test: str
    severity: Severity
    description: str
    sql: str
    scope: Scope = Scope.ALL
    parent: str | None = None
    rows_of: str | None = None
    wrong_if: str = "false"


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
        narrowed = None
        if (check.model, check.test) in passed:
            narrowed = next((sees for part in tests if (sees := part.narrowed(check)) is not None), None)
        found.append(narrowed or check)
    return tuple(_run_all(connection, found))


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

    def narrowed(self, check: Check) -> Check | None:
        """Return a test so that it sees the part only; None if it must see all."""
        views, inputs = self._views, self._part.inputs
        if check.scope is Scope.ALL or check.model not in views or check.parent in views:
            return None
        if check.parent is not None and check.parent not in inputs.whole:
            return None  # what it looks up may have changed
        label = f"{check.model}: {check.test}"
        if check.scope is Scope.DAYS:
            return replace(check, sql=replace_relations(check.sql, views, label))
        if check.scope is Scope.ROWS:
            sql = replace_relations(check.sql, {check.model: views[check.model]}, label)
            rows_of = f"{views[check.model]} as {check.model.partition('.')[2]}"
            return replace(check, sql=sql, rows_of=rows_of if check.rows_of else None)
        return replace(check, sql=self._of_keys(check, label))

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
    wanted = known if select is None else set(select)
    declared = [
        check
        for name, relation in relations.items()
        if name in wanted
        for check in _declared(relation, project.macros)
    ]
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
        if test.models[0] in wanted
    ]
    return (*declared, *files)


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
            yield _of_column(relation, column, test)
    for whole in relation.tests:
        yield _of_relation(relation, whole, macros)


def _of_column(relation: Relation, column: Column, test: ColumnTest) -> Check:
    name, it = relation.name, column.name
    shown = ", ".join(dict.fromkeys((*relation.grain, it)))

    def check(says: str, sql: str, scope: Scope = Scope.ROWS, parent: str | None = None) -> Check:
        return Check(name, f"{it}_{test.kind}", test.severity, says, sql, scope, parent)

    def of_rows(says: str, wrong_if: str) -> Check:
        sql = f"select {shown} from {name} where {wrong_if}"
        return replace(check(says, sql), rows_of=name, wrong_if=wrong_if)

    match test.kind:
        case "unique":
            return check(
                f"{it} is unique.",
                f"select {it}, count(*) as rows from {name} where {it} is not null "
                f"group by {it} having count(*) > 1",
                Scope.ALL,
            )
        case "not_null":
            return of_rows(f"{it} is never null.", f"{it} is null")
        case "accepted_values":
            values = ", ".join(_literal(value) for value in _values(test))
            return of_rows(f"{it} is one of {values}.", f"{it} not in ({values})")
        case "relationships":
            table, _, key = str(test.argument).rpartition(".")
            return check(
                f"{it} is in {test.argument}.",
                f"select {shown} from {name} as child where {it} is not null "
                f"and not exists (select 1 from {table} as parent where parent.{key} = child.{it})",
                parent=table,
            )
        case "at_least":
            return of_rows(f"{it} is at least {test.argument}.", f"{it} < {_literal(test.argument)}")


def _of_relation(relation: Relation, test: RelationTest, macros: Mapping[str, Macro]) -> Check:
    check = Check(relation.name, test.name, test.severity, test.description, "")
    if test.expression is None:
        return replace(check, sql=_of_whole(relation, test))
    wrong_if = f"not ({expand(test.expression, macros, f'{relation.label} ({test.name})')})"
    columns = ", ".join(column.name for column in relation.columns)
    return replace(
        check,
        sql=f"select {columns} from {relation.name} where {wrong_if}",
        scope=Scope.ROWS,
        rows_of=None if _SELECT.search(wrong_if) else relation.name,
        wrong_if=wrong_if,
    )


def _of_whole(relation: Relation, test: RelationTest) -> str:
    """Return the query for one row that says what is wrong with a relation as a whole."""
    if test.row_count is not None:
        count, most = test.row_count, test.row_count.at_most
        too_many = f" or count(*) > {most}" if most is not None else ""
        return f"select count(*) as rows from {relation.name} having count(*) < {count.at_least}{too_many}"
    assert test.freshness is not None  # noqa: S101 - one of the three is declared
    column, days = test.freshness.column, test.freshness.within_days
    return (
        f"select max(tested.{column}) as newest, any_value(context.as_of_at) as as_of_at "
        f"from {relation.name} as tested cross join {BUILD_CONTEXT} as context "
        f"having max(tested.{column}) < any_value(context.as_of_at) - interval {days} day"
    )


def _values(test: ColumnTest) -> list[object]:
    return list(test.argument) if isinstance(test.argument, list) else [test.argument]


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _run_all(connection: Connection, found: Sequence[Check]) -> Iterator[TestResult]:
    """Run tests in their order; those of each row of a relation in one statement.

    Most are such: one by one they took as long as to build all models of a small account.
    """
    of_rows: dict[str, list[Check]] = defaultdict(list)
    for check in found:
        if check.rows_of is not None:
            of_rows[check.rows_of].append(check)
    counted: dict[Check, int] = {}
    for check in found:
        if check not in counted:
            counted |= _count(connection, of_rows[check.rows_of] if check.rows_of else [check])
        yield TestResult(check, counted[check], _kept(connection, check) if counted[check] else ())


def _count(connection: Connection, tests: Sequence[Check]) -> dict[Check, int]:
    """Return how many rows are wrong: by one test, or by several of the same rows."""
    with _explaining(tests):
        if len(tests) == 1:
            return {tests[0]: count_rows(connection, f"(\n{tests[0].sql}\n)")}
        counts = ", ".join(f"count(*) filter (where {test.wrong_if}\n)" for test in tests)
        (row,) = connection.execute(f"select {counts} from {tests[0].rows_of}").fetchall()
        return {test: int(str(count)) for test, count in zip(tests, row, strict=True)}


@contextmanager
def _explaining(tests: Sequence[Check]) -> Iterator[None]:
    """Name the tests that were run in place of an error of DuckDB, which may quote a row."""
    try:
        yield
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise  # it is the file's, not the test's
        names = ", ".join(test.test for test in tests)
        what = f"the test {names}" if len(tests) == 1 else f"one of the tests {names}"
        raise ModelError(
            f"{what} of {tests[0].model} cannot be run ({type(exc).__name__})",
            hint="Build the models first; if they are built, run the test's SQL in DuckDB to see why.",
        ) from exc


def _kept(connection: Connection, check: Check) -> tuple[str, ...]:
    """Return the first rows that are wrong, in the order of what is kept of them, as JSON objects."""
    with _explaining([check]):
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
