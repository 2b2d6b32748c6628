"""Reads the macros of a project and writes them out where models, tests and figures call them.

`macros/<name>.sql` holds one `create macro <name>(…) as (…)`, as DuckDB takes it. A call is replaced by the
macro's own tree with the arguments' trees in it; all around a call stays as it was written, line by line, so
that sqlglot changes nothing else and an error of DuckDB names the line of the file. Nothing here touches a
database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from sms_etl.errors import ModelError

MACROS = "macros"
"""The folder they lie in."""
_DIALECT = "duckdb"
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}


@dataclass(frozen=True)
class Macro:
    """An expression with parameters; `description` is the comment its file begins with."""

    name: str
    label: str
    description: str
    parameters: tuple[str, ...]
    sql: str
    body: exp.Expr = field(repr=False, compare=False)


def read_macros(root: Path, label: str) -> dict[str, Macro]:
    """Read the macros of a project, by name.

    Args:
        root: The project's folder; it need not have any.
        label: How errors call that folder.

    Raises:
        ModelError: A file does not hold one macro of its own name.
    """
    files = sorted((root / MACROS).glob("*.sql"))
    return {file.stem: _read_macro(file, f"{label}/{MACROS}/{file.name}") for file in files}


def expand(sql: str, macros: Mapping[str, Macro], label: str) -> str:
    """Replace the calls of macros in a statement or an expression, as many lines as there were.

    Args:
        sql: As it stands in a file.
        macros: By name.
        label: How errors call the file.

    Raises:
        ModelError: A macro is called with another number of arguments than it has parameters.
    """
    try:
        tokens = sqlglot.tokenize(sql, dialect=_DIALECT)
    except SqlglotError:
        return sql  # the parser says what is wrong
    written: list[str] = []
    end = 0
    for call in _calls(tokens, macros):
        text = sql[call.first.start : call.last.end + 1]
        written += [sql[end : call.first.start], _expanded(call, sql, macros, label)]
        written.append("\n" * text.count("\n"))
        end = call.last.end + 1
    return "".join((*written, sql[end:]))


@dataclass(frozen=True)
class _Call:
    macro: Macro
    first: Token
    last: Token
    arguments: tuple[tuple[Token, ...], ...]


def _calls(tokens: Sequence[Token], macros: Mapping[str, Macro]) -> Iterator[_Call]:
    """Find the outermost calls; those within their arguments are expanded with the argument."""
    place = 0
    while place < len(tokens) - 1:
        macro = macros.get(tokens[place].text.lower())
        is_call = tokens[place + 1].token_type is TokenType.L_PAREN
        is_of_schema = place > 0 and tokens[place - 1].token_type is TokenType.DOT
        found = _call(macro, tokens, place) if macro and is_call and not is_of_schema else None
        if found:
            yield found
            place = tokens.index(found.last)
        place += 1


def _call(macro: Macro, tokens: Sequence[Token], place: int) -> _Call | None:
    """Read a call to its closing bracket; None if there is none, which the parser will say."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[place + 1 :]:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 0:
            is_empty = arguments == [[]]
            return _Call(macro, tokens[place], token, () if is_empty else tuple(map(tuple, arguments)))
        if depth == 1 and token.token_type is TokenType.COMMA:
            arguments.append([])
        elif depth > 1 or token.token_type is not TokenType.L_PAREN:
            arguments[-1].append(token)
    return None


def _expanded(call: _Call, sql: str, macros: Mapping[str, Macro], label: str) -> str:
    macro, place = call.macro, f"{label}:{call.first.line}"
    if len(call.arguments) != len(macro.parameters):
        raise ModelError(
            f"{place}: {macro.name} takes {', '.join(macro.parameters)}; {len(call.arguments)} given",
            hint=f"{macro.label} says what each is.",
        )
    values: dict[str, exp.Expr] = {}
    for name, tokens in zip(macro.parameters, call.arguments, strict=True):
        if not tokens:
            raise ModelError(f"{place}: {macro.name} is called without {name}")
        text = expand(sql[tokens[0].start : tokens[-1].end + 1], macros, label)
        values[name] = _argument(text, place)
    return f"({_filled(macro, values).sql(_DIALECT, comments=False)})"


def _argument(text: str, place: str) -> exp.Expr:
    try:
        (parsed,) = sqlglot.parse_one(f"select {text}", dialect=_DIALECT).expressions
    except (SqlglotError, ValueError) as exc:
        raise ModelError(f"{place}: not an expression: {text}") from exc
    is_single = isinstance(parsed, exp.Column | exp.Literal | exp.Func | exp.Paren)
    return parsed if is_single else exp.Paren(this=parsed)


def _filled(macro: Macro, values: Mapping[str, exp.Expr]) -> exp.Expr:
    def fill(node: exp.Expr) -> exp.Expr:
        is_parameter = isinstance(node, exp.Column) and not node.table and node.name.lower() in values
        return values[node.name.lower()].copy() if is_parameter else node

    filled: exp.Expr = macro.body.copy().transform(fill)
    return filled


def _read_macro(file: Path, label: str) -> Macro:
    sql = file.read_text(encoding="utf-8")
    hint = f"Write one `create macro {file.stem}(…) as (…)`."
    try:
        found = [each for each in sqlglot.parse(sql, dialect=_DIALECT) if each]
    except SqlglotError as exc:
        raise ModelError(f"{label}:1: not SQL", hint=hint) from exc
    created = found[0] if len(found) == 1 else None
    if not isinstance(created, exp.Create) or created.kind != "MACRO":
        raise ModelError(f"{label}:1: the file does not hold one macro", hint=hint)
    signature, body = created.this, created.expression
    if signature.this.name.lower() != file.stem:
        raise ModelError(f"{label}:1: the macro is called {signature.this.name}", hint=hint)
    said = [line.removeprefix("--").strip() for line in sql.splitlines() if line.startswith("--")]
    if not said:
        raise ModelError(f"{label}:1: say what it returns in a first line such as `-- The quotient …`")
    parameters = tuple(parameter.name.lower() for parameter in signature.expressions)
    return Macro(file.stem, label, " ".join(said), parameters, sql, body.unnest())
