"""Holds what is declared of a seed's rows while its file is read, so that the error names file and line.

The same tests run with all others after a build. Here they come first: a wrong row is corrected in its file,
and nothing is built from it.
"""
# ruff: noqa: S608 - names are checked where the project is read, values are written as literals

import re
from collections.abc import Iterator, Mapping

from sms_etl.errors import ModelError
from sms_etl.models.connection import Connection
from sms_etl.models.declared import Column, ColumnTest, Severity
from sms_etl.models.macros import Macro, expand
from sms_etl.models.project import Project, Seed, SqlTest

_OTHER_LINE = "other_line"
_GIVEN = (
    "given as (select unnest(cast($1 as varchar[][])) as fields, unnest(cast($2 as bigint[])) as at_line)"
)
_WHOLE = re.compile("u?(tiny|small|big|huge)?int(eger)?")
_WRITTEN = {
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
    "decimal": "a number such as 12.50",
    "timestamp": "a moment such as 2026-01-31 12:00:00",
    "uuid": "a UUID such as 018d0000-0000-7000-8000-000000000000",
}
"""How values of a type are written, for those who know no databases."""
_HINTS = {
    "date": "Write dates as 2026-01-31.",
    "decimal": "Write numbers with a decimal point, without a unit and without separators of thousands.",
}


def cast_columns(seed: Seed) -> str:
    """Return the typed columns of a seed, as a SELECT over `fields` lists them."""
    return ", ".join(
        f"cast(fields[{place}] as {column.type}) as {column.name}"
        for place, column in enumerate(seed.columns, start=1)
    )


def given(sql: str) -> str:
    """Return a query that may read `given`: the text fields of a file and their lines, two parameters."""
    return f"with {_GIVEN} {sql}"


def check_fields(connection: Connection, seed: Seed, parameters: object) -> None:
    """Find the first field that its column cannot hold, to name its line: the cast alone names none.

    Raises:
        ModelError: There is one.
    """
    wrong = " union all ".join(
        f"select at_line, {place} as place, fields[{place}] as field, "
        f"try_cast(fields[{place}] as {column.type}) is not null as is_cut, "
        f"abs(try_cast(fields[{place}] as double)) >= 1000 as is_large from given "
        f"where fields[{place}] is not null and {_does_not_fit(column, place)}"
        for place, column in enumerate(seed.columns, start=1)
    )
    found = connection.execute(
        given(f"select * from ({wrong}) order by at_line, place limit 1"), parameters
    ).fetchone()
    if found:
        line, place, field, is_cut, is_large = found
        column = seed.columns[int(str(place)) - 1]
        problem, hint = _misfit(column.type, is_cut=bool(is_cut), is_large=bool(is_large))
        raise ModelError(f"{seed.label}:{line}: {column.name} is {field!r}, {problem}", hint=hint)


def _does_not_fit(column: Column, place: int) -> str:
    typed = f"try_cast(fields[{place}] as {column.type})"
    is_wrong = f"{typed} is null"
    if not _is_number(column.type):
        return is_wrong
    return f"({is_wrong} or {typed} != try_cast(fields[{place}] as decimal(38, 18)))"


def _is_number(kind: str) -> bool:
    return kind.startswith("decimal") or bool(_WHOLE.fullmatch(kind))


def _misfit(kind: str, *, is_cut: bool, is_large: bool) -> tuple[str, str]:
    """Return what is wrong with a field, in words for those who know no databases, and what to do."""
    name, _, digits = kind.partition("(")
    hint = _HINTS.get(name, "")
    if is_cut and name == "decimal":
        return f"which has more than {digits.rpartition(',')[2].strip(' )')} decimals", hint
    if _is_number(kind) and is_large and not is_cut:
        return "which is too large", hint
    written = "a whole number such as 12" if _WHOLE.fullmatch(kind) else _WRITTEN.get(name, f"a {kind}")
    return f"but must be {written}", hint


def check_grain(connection: Connection, seed: Seed, parameters: object) -> None:
    """Find the first row whose key is there already, also if it is written in another way: 2026-1-5.

    Held here already: a key that is there twice would count every message of it twice.

    Raises:
        ModelError: There is one.
    """
    key = ", ".join(seed.grain)
    found = connection.execute(
        f"with {_GIVEN}, typed as (select at_line, {cast_columns(seed)} from given), "
        f"keyed as (select at_line, min(at_line) over (partition by {key}) as first_line from typed) "
        "select at_line, first_line from keyed where at_line > first_line order by at_line limit 1",
        parameters,
    ).fetchone()
    if found:
        line, first_line = found
        raise ModelError(f"{seed.label}:{line}: {key} is there already, on line {first_line}")


def check_rows(connection: Connection, seed: Seed, macros: Mapping[str, Macro], parameters: object) -> None:
    """Find the first row of which a blocking test of the seed does not hold.

    Raises:
        ModelError: There is one.
    """
    conditions = list(_wrong_if(seed, macros))
    if not conditions:
        return
    wrong = " union all ".join(
        f"select at_line, {number} as number from typed where {condition}"
        for number, (_, condition) in enumerate(conditions)
    )
    typed = f", typed as (select at_line, {cast_columns(seed)} from given)"
    found = connection.execute(
        f"with {_GIVEN}{typed} select * from ({wrong}) order by at_line, number limit 1", parameters
    ).fetchone()
    if found:
        line, number = found
        raise ModelError(f"{seed.label}:{line}: {conditions[int(str(number))][0]}")


def _wrong_if(seed: Seed, macros: Mapping[str, Macro]) -> Iterator[tuple[str, str]]:
    for column in seed.columns:
        for test in column.tests:
            condition = _column_is_wrong(column.name, test)
            if condition is not None and test.severity is Severity.ERROR:
                yield condition
    for whole in seed.tests:
        if whole.expression is not None and whole.severity is Severity.ERROR:
            expression = expand(whole.expression, macros, f"{seed.label} ({whole.name})")
            yield whole.description, f"not ({expression})"


def _column_is_wrong(name: str, test: ColumnTest) -> tuple[str, str] | None:
    """Return what to say of a row that fails, and when it does; None of a test that is about several rows."""
    if test.kind == "not_null":
        return f"{name} is empty", f"{name} is null"
    if test.kind == "at_least":
        return f"{name} is less than {test.argument}", f"{name} < {test.argument}"
    return None


def check_pairs(connection: Connection, project: Project) -> None:
    """Run the blocking tests in `tests/` that are about seeds alone and name the lines of two rows.

    Raises:
        ModelError: Two rows of a file contradict each other.
    """
    for test in project.tests:
        if test.severity is Severity.ERROR and _is_of_pairs(test, project):
            found = connection.execute(
                f"select line, {_OTHER_LINE} from (\n{test.sql}\n) order by line, {_OTHER_LINE} limit 1"
            ).fetchone()
            if found:
                line, other_line = found
                label = project.seeds[test.models[0]].label
                raise ModelError(f"{label}:{line}: {test.description} Compare line {other_line}.")


def _is_of_pairs(test: SqlTest, project: Project) -> bool:
    return all(name in project.seeds for name in test.models) and _OTHER_LINE in test.sql
