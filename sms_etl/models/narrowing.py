"""Shows a query fewer rows of what it reads: those of some days, and what belongs to them by key.

Each relation that is narrowed gets a temporary view, and the query's own text names that view instead: line
by line it stays as it was written. A view of the project is narrowed by narrowing what it reads.
"""
# ruff: noqa: S608 - names are checked where the project is read, days are dates

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlglot import exp

from sms_etl.models.connection import Connection
from sms_etl.models.declared import Materialised
from sms_etl.models.lineage import parse_select
from sms_etl.models.project import Model, Project

_MOST_SPANS = 20
"""Of an OR of spans each row is compared with each; more days than that are looked up."""


@dataclass(frozen=True)
class Inputs:
    """What a model by day reads in the end, through views, sorted by how it follows days.

    Attributes:
        by: The column that says to which day a row belongs, in the model and in what it reads.
        is_date: Whether that is a date; else it is a moment, and days are those of UTC.
        dated: The one relation with that column.
        keyed: Those without it that have the model's key instead, each with the column of its first moment.
        whole: Those that are read whole, such as seeds.
        key: The column that is the model's grain, if it is one.
    """

    by: str
    is_date: bool
    dated: str
    keyed: Mapping[str, str]
    whole: tuple[str, ...]
    key: str | None


@dataclass(frozen=True)
class Narrowed:
    """Temporary views that show a part, by the relation they stand for."""

    views: Mapping[str, str]
    of_keys: frozenset[str]
    """Of these relations a part has all rows of each key."""

    def rewrite(self, sql: str, label: str) -> str:
        """Return a SELECT that reads the parts, each name replaced where it stands."""
        return replace_relations(sql, self.views, label)


def narrow(
    connection: Connection, project: Project, model: Model, inputs: Inputs, days: Sequence[date]
) -> Narrowed:
    """Make the views that show what a model reads of some days.

    Args:
        connection: Where temporary views may be made; they last as long as it.
        project: Whose relations.
        model: The model by day.
        inputs: What it reads.
        days: Those to show, ascending; none shows nothing.
    """
    prefix = f"of_{model.name.replace('.', '_')}"
    views = {inputs.dated: f"{prefix}__{inputs.dated.replace('.', '_')}"}
    where = of_days(inputs, days)
    connection.execute(
        f"create or replace temp view {views[inputs.dated]} as select * from {inputs.dated} where {where}"
    )
    if inputs.keyed:
        keys = f"{prefix}__keys"
        connection.execute(
            f"create or replace temp table {keys} as "
            f"select distinct {inputs.key} from {inputs.dated} where {where}"
        )
        for name in inputs.keyed:
            views[name] = f"{prefix}__{name.replace('.', '_')}"
            connection.execute(
                f"create or replace temp view {views[name]} as select * from {name} "
                f"where {inputs.key} in (select {inputs.key} from {keys})"
            )
    of_keys = set(inputs.keyed)
    for view in views_read(project, model):
        sql = replace_relations(view.sql, views, view.label)
        if sql != view.sql:
            views[view.name] = f"{prefix}__{view.name.replace('.', '_')}"
            connection.execute(f"create or replace temp view {views[view.name]} as {sql}")
            if all(name in of_keys or name not in views for name in view.reads):
                of_keys.add(view.name)
    return Narrowed(views, frozenset(of_keys))


def of_days(inputs: Inputs, days: Sequence[date]) -> str:
    """Return the condition that a row is of some days."""
    if not days:
        return "false"
    listed = ", ".join(f"date '{day}'" for day in days)
    if inputs.is_date:
        return f"{inputs.by} in ({listed})"
    bounds = _span(inputs.by, days[0], days[-1])
    spans = [_span(inputs.by, first, last) for first, last in _runs(days)]
    if len(spans) > _MOST_SPANS:
        return f"{bounds} and cast({inputs.by} as date) in ({listed})"
    return f"{bounds} and ({' or '.join(spans)})"


def _span(by: str, first: date, last: date) -> str:
    return f"({by} >= timestamp '{first}' and {by} < timestamp '{last + timedelta(days=1)}')"


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    first = last = days[0]
    for day in days[1:]:
        if day - last > timedelta(days=1):
            yield first, last
            first = day
        last = day
    yield first, last


def views_read(project: Project, model: Model) -> list[Model]:
    """Return the views a model reads, directly or through others, each after those it reads itself."""
    found: dict[str, Model] = {}

    def follow(reader: Model) -> None:
        for name in reader.reads:
            read = project.models.get(name)
            if read is not None and read.materialised is Materialised.VIEW and name not in found:
                follow(read)
                found[name] = read

    follow(model)
    return list(found.values())


def replace_relations(sql: str, names: Mapping[str, str], label: str) -> str:
    """Return a SELECT in which some relations are called by other names; all else stays as it was written."""
    places = []
    for table in parse_select(sql, label).find_all(exp.Table):
        name = f"{table.db}.{table.name}".lower()
        if name in names:
            written = names[name] if table.alias else f"{names[name]} as {table.name}"
            places.append((table.args["db"].meta["start"], table.this.meta["end"] + 1, written))
    parts, end = [], 0
    for first, after, written in sorted(places):
        parts += [sql[end:first], written]
        end = after
    return "".join((*parts, sql[end:]))
