"""Makes small changes to a model's SQL, one at a time: what a test of its figures ought to notice. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlglot import exp

from sms_etl.models.lineage import DIALECT
from sms_etl.models.project import Model
from sms_etl_tests.mutants.changes import told

_Edit = Callable[[exp.Expr], exp.Expr | None]
"""Returns what stands in a node's place, or None where the node itself was changed."""

_SWAPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.And: exp.Or,
    exp.Or: exp.And,
    exp.Add: exp.Sub,
    exp.Sub: exp.Add,
    exp.Sum: exp.Max,
    exp.Min: exp.Max,
    exp.Max: exp.Min,
}


@dataclass(frozen=True, slots=True)
class SqlChange:
    """One change to a model.

    Args:
        name: What it does; it outlives the lines that are added above it.
        sql: The changed query.
    """

    name: str
    sql: str


def changes_of_model(model: Model) -> list[Callable[[], SqlChange]]:
    """Return what makes each change to a model: to an expression, or one step more in a column."""
    return [*_steps(model), *_edited(model.query)]


def _steps(model: Model) -> Iterator[Callable[[], SqlChange]]:
    """Yield a step more, or the opposite, in one column of all rows."""
    for column in model.columns:
        if stepped := _stepped(column.name, column.type):
            replaced = f"cast({stepped} as {column.type}) as {column.name}"
            sql = f"select * replace ({replaced}) from (\n{model.sql}\n)"
            yield partial(SqlChange, f"{column.name} -> {stepped}", sql)


def _stepped(name: str, type_: str) -> str | None:
    kind = type_.lower()
    if kind.startswith("decimal"):
        return f"{name} + 0.{'0' * (int(kind.rstrip(')').partition(',')[2]) - 1)}1"
    if kind in {"bigint", "integer"}:
        return f"{name} + 1"
    if kind == "boolean":
        return f"not {name}"
    return None


def _edited(query: exp.Expr) -> Iterator[Callable[[], SqlChange]]:
    for place, node in enumerate(query.walk()):
        for edit in _edits(node):
            yield partial(_edit_at, query, place, edit)


def _edit_at(query: exp.Expr, place: int, edit: _Edit) -> SqlChange:
    changed = query.copy()
    there = next(node for at, node in enumerate(changed.walk()) if at == place)
    around = there.parent or there
    before = around.sql(DIALECT)
    instead = edit(there)
    if instead is not None:
        there.replace(instead)
    return SqlChange(" -> ".join(told(before, around.sql(DIALECT))), changed.sql(DIALECT))


def _edits(node: exp.Expr) -> Iterator[_Edit]:
    """Yield what can be changed about a node."""
    if swapped := _SWAPPED.get(type(node)):
        yield lambda there: swapped(**there.args)
    match node:
        case exp.Literal() if node.is_int and not isinstance(node.parent, exp.DataTypeParam):
            yield lambda there: exp.Literal.number(int(there.name) + 1)
        case exp.Coalesce() | exp.Not() | exp.Filter():
            yield lambda there: there.this
        case exp.Is():
            yield lambda there: exp.Not(this=there.copy())
        case exp.Where():
            yield _left_out
        case exp.Join() if node.side:
            yield _without_side
        case exp.If() if isinstance(node.parent, exp.Case) and len(node.parent.args["ifs"]) > 1:
            yield _left_out


def _left_out(there: exp.Expr) -> None:
    there.pop()


def _without_side(there: exp.Expr) -> None:
    there.set("side", None)
