"""Makes small changes to a module's source, one at a time: what a test ought to notice. Pure."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a module."""

    line: int
    before: str
    after: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """What it does; it outlives the lines that are added above it."""
        return f"{self.before} -> {self.after}"


def changes_of(source: str) -> Iterator[Change]:
    """Yield every change to a module, in the order of its lines."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    # How a class is made (frozen, with slots) is held by mypy.
    decorating = {
        id(each) for node in nodes for decorator in _decorators(node) for each in ast.walk(decorator)
    }
    found = [
        (number, variant)
        for number, node in enumerate(nodes)
        if id(node) not in decorating
        for variant in range(len(_variants(node)))
    ]
    found.sort(key=lambda each: getattr(nodes[each[0]], "lineno", 0))
    for number, variant in found:
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[number]
        statement = _statement_around(changed, node)
        line, before = getattr(node, "lineno", 0), _told(statement)
        _variants(node)[variant]()
        yield Change(line, before, _told(statement), ast.fix_missing_locations(changed))


def _decorators(node: ast.AST) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, ast.ClassDef | ast.FunctionDef) else []


def _variants(node: ast.AST) -> list[Callable[[], None]]:  # noqa: PLR0911 - one a kind of node
    """Return the changes that can be made to a node; each is made in place."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            return [lambda: setattr(node, "ops", [_COMPARISONS[type(operator)]()])]
        case ast.BoolOp(op=ast.And()):
            return [lambda: setattr(node, "op", ast.Or())]
        case ast.BoolOp(op=ast.Or()):
            return [lambda: setattr(node, "op", ast.And())]
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            return [lambda: setattr(node, "op", _OPERATORS[type(operator)]())]
        case ast.Constant(value=bool(value)):
            return [lambda: setattr(node, "value", not value)]
        case ast.Constant(value=int(number) | float(number)):
            return [
                lambda: setattr(node, "value", number + 1),
                lambda: setattr(node, "value", number / 10 if isinstance(number, float) else number - 1),
            ]
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) | ast.If(body=body):
            return _removals(body)
        case ast.For(body=body) | ast.AsyncFor(body=body) | ast.While(body=body) | ast.Try(body=body):
            return _removals(body)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return _removals(body)
    return []


def _removals(body: list[ast.stmt]) -> list[Callable[[], None]]:
    """Return the removal of each statement that does something and defines no name others need."""

    def remove(place: int) -> None:
        body[place] = ast.copy_location(ast.Pass(), body[place])

    def is_done(statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(value=ast.Constant()):
                return False  # a docstring
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
                return True
        return False

    places = (place for place, statement in enumerate(body) if is_done(statement))
    return [lambda place=place: remove(place) for place in places]  # type: ignore[misc]  # a default binds the place


def _statement_around(tree: ast.Module, node: ast.AST) -> ast.AST:
    """Return the innermost statement that holds a node, so that a change can be told in a line or two."""
    around: ast.AST = tree
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and any(each is node for each in ast.walk(statement)):
            around = statement
    return around


def _told(statement: ast.AST) -> str:
    """Return a statement's text; of a function or a loop the whole of it, on one line."""
    return " ".join(ast.unparse(statement).split())
