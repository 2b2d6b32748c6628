"""Makes small changes to a module's source, one at a time: what a test ought to notice. Pure."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

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
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_UNREACHABLE = "# pragma: no cover"
_LEGIBLE = 50
"""So many characters of a line are told on either side of what changes in it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a module.

    Args:
        line: Where it is made.
        lines: The function it is made in, or else the statement at module level.
        function: The outermost function whose body it is made in, as `__qualname__` names it; None for what
            runs as the module is imported.
        before: The line as it was, or what of it stands around the change.
        after: What becomes of that.
    """

    line: int
    lines: range
    function: str | None
    before: str
    after: str
    _tree: ast.Module
    _edit: "_Edit"

    @property
    def name(self) -> str:
        """What it does; it outlives the lines that are added above it."""
        told = f"{self.before} -> {self.after}"
        return f"{self.function}: {told}" if self.function else told

    def code(self, path: str) -> CodeType:
        """Compile the changed module."""
        kept = self._edit.make()
        try:
            return compile(self._tree, path, "exec")
        finally:
            kept.make()


@dataclass(frozen=True, slots=True)
class _Edit:
    """Sets a field of a node."""

    node: ast.AST
    field: str
    value: Any

    def make(self) -> "_Edit":
        """Make it in place, and return the one that undoes it."""
        undone = _Edit(self.node, self.field, getattr(self.node, self.field))
        setattr(self.node, self.field, self.value)
        return undone


@dataclass(frozen=True, slots=True)
class _Place:
    """What a node stands in."""

    statement: ast.stmt
    scope: tuple[str, ...] = ()
    function: _Function | None = None


def changes_of(source: str) -> list[Change]:
    """Return every change to a module, in the order of its lines; none where no test can come."""
    tree = ast.parse(source)
    unreachable = {number for number, line in enumerate(source.split("\n"), 1) if _UNREACHABLE in line}
    found = [
        _change(tree, place, node, edit)
        for statement in tree.body
        for node, place in _within(statement, _Place(statement))
        for edit in _edits(node)
    ]
    return sorted((each for each in found if each.line not in unreachable), key=lambda each: each.line)


def _within(node: ast.AST, place: _Place) -> Iterator[tuple[ast.AST, _Place]]:
    """Yield a node and all in it, without what mypy holds: annotations, and how a class is made."""
    inside = place
    if place.function is None and isinstance(node, _Function | ast.ClassDef):
        function = node if isinstance(node, _Function) else None
        inside = _Place(place.statement, (*place.scope, node.name), function)
    yield node, inside
    for child in _unannotated(node):
        yield from _within(child, inside if isinstance(child, ast.stmt) else place)


def _unannotated(node: ast.AST) -> Iterator[ast.AST]:
    left_out = {"annotation", "returns", "type_params"} | (
        {"decorator_list"} if isinstance(node, ast.ClassDef) else set()
    )
    for field, value in ast.iter_fields(node):
        if field not in left_out:
            each_in = value if isinstance(value, list) else [value]
            yield from (each for each in each_in if isinstance(each, ast.AST))


def _change(tree: ast.Module, place: _Place, node: ast.AST, edit: _Edit) -> Change:
    kept = edit.make()
    after = ast.unparse(place.statement).split("\n")
    kept.make()
    before = ast.unparse(place.statement).split("\n")
    around = place.function or place.statement
    cut = told(*next(pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]))
    return Change(
        line=_line_of(edit, otherwise=around.lineno),
        lines=range(around.lineno, (around.end_lineno or around.lineno) + 1),
        function=".".join(place.scope) if place.function else None,
        before=cut[0],
        after=cut[1],
        _tree=tree,
        _edit=edit,
    )


def told(before: str, after: str) -> tuple[str, str]:
    """Return two lines, cut to what differs between them and some of what stands around it."""
    before, after = before.strip(), after.strip()
    same = _alike(before, after)
    rest = _alike(before[same:][::-1], after[same:][::-1])
    begin = max(0, same - _LEGIBLE)

    def cut(line: str) -> str:
        end = len(line) - rest + _LEGIBLE
        return ("..." if begin else "") + line[begin:end] + ("..." if end < len(line) else "")

    return cut(before), cut(after)


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _line_of(edit: _Edit, otherwise: int) -> int:
    """Return the line of what is changed, or left out."""
    nodes = [edit.node]
    if edit.field == "body":
        nodes = [each for each in edit.value if isinstance(each, ast.Pass)]
    return next((node.lineno for node in nodes if hasattr(node, "lineno")), otherwise)


def _edits(node: ast.AST) -> list[_Edit]:  # noqa: PLR0911 - one a kind of node
    """Return the changes that can be made to a node."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            return [_Edit(node, "ops", [_COMPARISONS[type(operator)]()])]
        case ast.BoolOp(op=ast.And()):
            return [_Edit(node, "op", ast.Or())]
        case ast.BoolOp(op=ast.Or()):
            return [_Edit(node, "op", ast.And())]
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            return [_Edit(node, "op", _OPERATORS[type(operator)]())]
        case ast.Constant(value=bool(value)):
            return [_Edit(node, "value", not value)]
        case ast.Constant(value=int(number) | float(number)):
            less = number / 10 if isinstance(number, float) else number - 1
            return [_Edit(node, "value", number + 1), _Edit(node, "value", less)]
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) | ast.If(body=body):
            return _removals(node, body)
        case ast.For(body=body) | ast.AsyncFor(body=body) | ast.While(body=body) | ast.Try(body=body):
            return _removals(node, body)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return _removals(node, body)
    return []


def _removals(node: ast.AST, body: list[ast.stmt]) -> list[_Edit]:
    """Return the removal of each statement that does something and defines no name others need."""

    def is_done(statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(value=ast.Constant()):
                return False  # a docstring
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
                return True
        return False

    def without(place: int) -> list[ast.stmt]:
        return [*body[:place], ast.copy_location(ast.Pass(), body[place]), *body[place + 1 :]]

    return [_Edit(node, "body", without(place)) for place, each in enumerate(body) if is_done(each)]
