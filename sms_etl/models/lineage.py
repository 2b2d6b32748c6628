"""What a SELECT reads and gives, read from its text by sqlglot (DuckDB dialect); no database is asked.

`label` is how errors call the file. Names are lower case, relations are `schema.table`.
"""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError
from sqlglot.lineage import lineage
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from sms_etl.errors import ModelError

DIALECT = "duckdb"
Schemas = Mapping[str, Mapping[str, str]]
"""Column types by column, by `schema.table`."""


def parse_select(sql: str, label: str) -> exp.Query:
    """Parse the one SELECT of a file.

    Raises:
        ModelError: It cannot be parsed, is no SELECT, or is more than one statement.
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, dialect=DIALECT) if statement]
    except ParseError as exc:
        first = exc.errors[0] if exc.errors else {}
        raise ModelError(f"{label}:{first.get('line', 1)}: {first.get('description', 'not SQL')}") from exc
    except TokenError as exc:
        raise ModelError(f"{label}:1: a quote or a comment is opened and not closed") from exc
    if not statements:
        raise ModelError(f"{label}:1: the file holds no SELECT")
    if len(statements) > 1:
        raise ModelError(f"{label}:{line_of(statements[1])}: a file holds one statement, this is the second")
    statement = statements[0]
    if not isinstance(statement, exp.Query):
        raise ModelError(f"{label}:1: a file holds a SELECT, this is {statement.key.upper()}")
    return statement


def relations_read(query: exp.Query, label: str) -> dict[str, int]:
    """List the relations a query reads, each with the line it is first named on.

    Raises:
        ModelError: A table is named without its schema and is no CTE.
    """
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    found: dict[str, int] = {}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in ctes):
            continue  # a table function such as range(), or a CTE
        if not table.db:
            raise ModelError(f"{label}:{line_of(table)}: write {table.name} with its schema, as schema.table")
        name = f"{table.db}.{table.name}".lower()
        found[name] = min(line_of(table), found.get(name, line_of(table)))
    return found


def check_explicit_columns(query: exp.Query, label: str) -> None:
    """Hold that the columns a query gives are written out, in itself or in the CTE its star stands for.

    Raises:
        ModelError: A star passes on whatever a relation happens to have.
    """
    ctes = {cte.alias.lower(): cte.this for cte in query.find_all(exp.CTE)}
    pending: list[exp.Expr] = [query]
    seen: set[str] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, exp.SetOperation):
            pending += [current.this, current.expression]
            continue
        if not isinstance(current, exp.Select) or not current.is_star:
            continue
        for table in [table for scope in _sources(current) for table in scope.find_all(exp.Table)]:
            name = table.name.lower()
            if table.db or name not in ctes:
                raise ModelError(
                    f"{label}:{line_of(table)}: the result takes every column of {table.sql()}",
                    hint="Write the columns out in the last CTE, so that a new one upstream stays upstream.",
                )
            if name not in seen:
                seen.add(name)
                pending.append(ctes[name])


def _sources(select: exp.Select) -> list[exp.Expr]:
    return [part for part in (select.args.get("from_"), *(select.args.get("joins") or [])) if part]


def qualified(query: exp.Query, schemas: Schemas, label: str) -> exp.Query:
    """Return the query with its stars expanded and every column beside its table.

    Raises:
        ModelError: A column does not exist or is ambiguous.
    """
    try:
        found = qualify(
            query.copy(),
            schema=_mapped(query, schemas),
            dialect=DIALECT,
            identify=False,
            quote_identifiers=False,
        )
    except OptimizeError as exc:
        raise ModelError(f"{label}:{_line_in(str(exc), query)}: {str(exc).split(' Line:')[0]}") from exc
    if not isinstance(found, exp.Query):
        raise ModelError(f"{label}:1: not a query")
    return found


def typed(query: exp.Query, schemas: Schemas) -> exp.Query:
    """Return a query, as `qualified` gives it, with the type of every expression as far as it can be told.

    A literal with a point is a decimal to DuckDB; sqlglot would take it for a double.
    """

    def as_decimal(node: exp.Expr) -> exp.Expr:
        is_decimal = isinstance(node, exp.Literal) and not node.is_string and not node.is_int
        return exp.cast(node.copy(), "decimal(18,6)") if is_decimal else node

    found = annotate_types(
        query.copy().transform(as_decimal), schema=_mapped(query, schemas), dialect=DIALECT
    )
    return found if isinstance(found, exp.Query) else query


def _mapped(query: exp.Query, schemas: Schemas) -> MappingSchema:
    """Return the relations that a query reads as sqlglot wants them: all there are would take longer."""
    by_schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in query.find_all(exp.Table):
        schema, name = table.db.lower(), table.name.lower()
        if columns := schemas.get(f"{schema}.{name}"):
            by_schema.setdefault(schema, {})[name] = dict(columns)
    return MappingSchema(dict(by_schema), dialect=DIALECT)


def _line_in(message: str, query: exp.Query) -> int:
    """Find the line a message of sqlglot is about: the one it says, or that of the column it names."""
    if said := re.search(r"Line: (\d+)", message):
        return int(said.group(1))
    named = re.search(r"column:? '?\"?(\w+)", message)
    columns = [c for c in query.find_all(exp.Column) if named and c.name.lower() == named.group(1).lower()]
    return line_of(columns[0]) if columns else 1


def column_sources(query: exp.Query, label: str) -> dict[str, list[tuple[str, str]]]:
    """Say from which columns of which relations each column of a query is made.

    Args:
        query: As `qualified` gives it.
        label: How errors call it.

    Returns:
        `(schema.table, column)` pairs, sorted, by column; empty for a constant or a plain count of rows.
    """
    try:
        nodes = lineage(None, query, {}, scope=build_scope(query), dialect=DIALECT, trim_selects=False)
    except SqlglotError as exc:
        raise ModelError(f"{label}:1: its column lineage cannot be read: {exc}") from exc
    if not isinstance(nodes, dict):
        raise ModelError(f"{label}:1: its column lineage cannot be read")
    found: dict[str, list[tuple[str, str]]] = {}
    for column, root in nodes.items():
        leaves = {
            (f"{node.source.db}.{node.source.name}", node.name.rpartition(".")[2])
            for node in root.walk()
            if isinstance(node.source, exp.Table) and node.source.db
        }
        found[column] = sorted(leaves)
    return found


def line_of(node: exp.Expr) -> int:
    """Return the line a piece of SQL begins on, 1 if it is not known."""
    lines: list[int] = [found.meta["line"] for found in node.walk() if "line" in found.meta]
    return min(lines, default=1)
