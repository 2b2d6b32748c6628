"""Finds SQL that another database, or sqlglot on the way to it, would take to mean something else.

`python -m sms_etl.models.portable [FOLDER …]` names each place in the project, and in the SQL of further
folders, with what to write instead, and ends with 1 if there is any. Macros are where such things may stand:
each stands there once, and is translated by hand. Nothing here touches a database.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from sms_etl.models.lineage import line_of, parse_select, qualified, relations_read, typed
from sms_etl.models.macros import expand
from sms_etl.models.project import Project, load_project

_DIVIDED = "write exact_division(amount, parts)"
_PERCENTILE = "write percentile(amount, share)"
_WEEKDAY = "write date_diff('day', date '1900-01-01', day) % 7 + 1, in which Monday is 1"
_DAYS = "cast both to business days (DATE) first, or count seconds"
_DECIMAL = "cast it to a DECIMAL first"

_PERCENTILES = (
    exp.ApproxQuantile,
    exp.Median,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Quantile,
    exp.WithinGroup,
)
_WEEKDAYS = {"dow", "isodow", "dayofweek", "dayofweekiso", "weekday"}
_TIMES = {"microsecond", "millisecond", "second", "minute", "hour"}
_DOUBLES = {exp.DType.DOUBLE, exp.DType.FLOAT}


@dataclass(frozen=True)
class Finding:
    """A place that does not travel, and what to write instead."""

    label: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.label}:{self.line}: {self.text}"


def findings(project: Project, folders: Sequence[Path] = ()) -> list[Finding]:
    """Return what does not travel in the models and tests of a project, and in the SQL of some folders.

    Raises:
        ModelError: A file cannot be read as SQL.
    """
    files = [(model.label, model.file) for model in project.models.values()]
    files += [(test.label, test.file) for test in project.tests]
    files += [(str(file), file) for folder in folders for file in sorted(folder.rglob("*.sql"))]
    texts = [(label, file.read_text(encoding="utf-8")) for label, file in files]
    texts += [
        (f"{relation.label} ({test.name})", f"select 1 as one from {relation.name} where {test.expression}")  # noqa: S608 - ours
        for relation in (*project.models.values(), *project.seeds.values())
        for test in relation.tests
        if test.expression is not None
    ]
    return [found for label, text in texts for found in look_at(text, project, label)]


def look_at(sql: str, project: Project, label: str) -> list[Finding]:
    """Return what does not travel in one SELECT that reads the relations of a project, by line.

    Raises:
        ModelError: It cannot be read.
    """
    written = parse_select(sql, label)
    found = list(_of(written, _by_form))
    schemas = {name: {**columns, "rowid": "bigint"} for name, columns in project.schemas.items()}
    if all(name in schemas for name in relations_read(written, label)):  # not the catalogue's
        query = qualified(parse_select(expand(sql, project.macros, label), label), schemas, label)
        found += _of(typed(query, schemas), _by_type)
    return [Finding(label, line, text) for line, text in sorted(set(found))]


def _of(query: exp.Query, judge: Callable[[exp.Expr], str | None]) -> Iterator[tuple[int, str]]:
    for node in query.walk():
        if (text := judge(node)) is not None:
            yield line_of(node), text


def _by_form(node: exp.Expr) -> str | None:
    """Judge what is wrong whatever it is about."""
    if isinstance(node, exp.Div | exp.IntDiv):
        return f"a division, which may go through a double: {_DIVIDED}"
    if isinstance(node, exp.Avg):
        return "avg() is a double: write exact_division(sum(amount), count(amount))"
    if isinstance(node, _PERCENTILES):
        return f"percentiles differ between databases: {_PERCENTILE}"
    if _is_weekday(node):
        return f"which day a week begins with differs between databases: {_WEEKDAY}"
    return None


def _is_weekday(node: exp.Expr) -> bool:
    if isinstance(node, exp.DayOfWeek | exp.DayOfWeekIso):
        return True
    if isinstance(node, exp.Extract):
        return node.this.name.lower() in _WEEKDAYS
    if isinstance(node, exp.Anonymous):
        asks = node.expressions[0].name.lower() if node.expressions else ""
        name = node.name.lower()
        return name in _WEEKDAYS or (name in {"date_part", "datepart"} and asks in _WEEKDAYS)
    return False


def _by_type(node: exp.Expr) -> str | None:
    """Judge what depends on the type of what it is about."""
    if isinstance(node, exp.Sum) and _is_double(node.this):
        return f"a sum of doubles depends on their order: {_DECIMAL}"
    if isinstance(node, exp.Round) and _is_double(node.this):
        return f"how a double is rounded differs between databases: {_DECIMAL}"
    if isinstance(node, exp.DateDiff):
        return _judge_difference(node)
    return None


def _is_double(node: exp.Expr) -> bool:
    if isinstance(node, exp.Round):
        return _is_double(node.this)  # sqlglot takes every one for a double
    return _type_of(node) in _DOUBLES


def _judge_difference(node: exp.DateDiff) -> str | None:
    """Days and longer are counted at midnight of some zone, of which a TIMESTAMP says nothing."""
    unit = node.args.get("unit")
    name = unit.name.lower() if unit is not None else "day"
    types = {_type_of(node.this), _type_of(node.expression)}
    if name not in _TIMES and types != {exp.DType.DATE}:
        return f"date_diff counts {name}s at midnight in UTC, or in whatever zone is set: {_DAYS}"
    if exp.DType.TIMESTAMPTZ in types and len(types) > 1:
        return "date_diff across time zones: write timezone('UTC', …) around the one that has a zone"
    return None


def _type_of(node: exp.Expr) -> exp.DType | None:
    if isinstance(node, exp.Anonymous) and node.name.lower() == "timezone" and len(node.expressions) > 1:
        is_taken_off = _type_of(node.expressions[1]) is exp.DType.TIMESTAMPTZ
        return exp.DType.TIMESTAMPNTZ if is_taken_off else exp.DType.TIMESTAMPTZ
    return node.type.this if isinstance(node.type, exp.DataType) else None


def main() -> None:
    """Print what does not travel; end with 1 if anything does not."""
    found = findings(load_project(), [Path(folder) for folder in sys.argv[1:]])
    sys.stdout.writelines(f"{each}\n" for each in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
