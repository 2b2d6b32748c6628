"""Builds seeds and models in a warehouse, inside the caller's transaction: it never begins or commits one.

After an error the caller rolls back, and the warehouse is as it was before.
"""
# ruff: noqa: S608 - names and types are checked where the project is read, values are parameters

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import duckdb

from sms_etl.errors import ModelError
from sms_etl.models.declared import Materialised
from sms_etl.models.project import SEEDS, Model, Project, Relation, Seed
from sms_etl.models.seeds import read_seed
from sms_etl.warehouse.comments import Described, comment_sql
from sms_etl.warehouse.file import is_damage

# What these say is about the SQL. The rest may quote a value of a row, which must not reach a log.
_ABOUT_SQL = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.NotImplementedException,
)
_GIVEN = "given as (select unnest(cast($1 as varchar[][])) as fields, unnest(cast($2 as bigint[])) as line)"


class Answer(Protocol):
    """What a statement gives back."""

    def fetchone(self) -> tuple[object, ...] | None:
        """Return the next row."""
        ...

    def fetchall(self) -> Sequence[tuple[object, ...]]:
        """Return all rows."""
        ...


class Connection(Protocol):
    """What is needed of a `duckdb.DuckDBPyConnection`."""

    def execute(self, query: str, parameters: object = None, /) -> Answer:
        """Run a statement."""
        ...


@dataclass(frozen=True)
class ModelBuild:
    """One model or seed that was built."""

    name: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class BuildResult:
    """The models that were built, in order, and how long it took with the seeds."""

    models: tuple[ModelBuild, ...]
    seconds: float

    @property
    def rows(self) -> dict[str, int]:
        """Rows by model."""
        return {model.name: model.rows for model in self.models}


def build(
    connection: Connection,
    project: Project,
    *,
    select: Collection[str] | None = None,
    on_model: Callable[[ModelBuild], None] | None = None,
) -> BuildResult:
    """Load the seeds and build the models, each after those it reads.

    Args:
        connection: Open for writing; in a transaction if all or nothing is wanted.
        project: What to build.
        select: Names of the models to build; all of them unless given. What they read must be there.
        on_model: Called after each model.

    Raises:
        ModelError: A model is not known or cannot be built; names file and line.
    """
    started = time.perf_counter()
    wanted = set(project.models if select is None else [project.model(name).name for name in select])
    load_seeds(connection, project)
    builds: list[ModelBuild] = []
    for name in project.models:
        if name in wanted:
            builds.append(build_model(connection, project, name))
            if on_model:
                on_model(builds[-1])
    return BuildResult(tuple(builds), time.perf_counter() - started)


def build_model(connection: Connection, project: Project, name: str) -> ModelBuild:
    """Build one model; the seeds and models it reads must be there.

    Raises:
        ModelError: It is not known or cannot be built, or a column is not of the declared type.
    """
    started = time.perf_counter()
    model = project.model(name)
    try:
        _make_room(connection, model)
        # The model begins on the statement's first line, so that DuckDB counts lines as the file does.
        connection.execute(f"create or replace {model.materialised.value} {name} as {model.sql}")
        _check_types(connection, model)
        _comment(connection, model.materialised.value, model)
        rows = count_rows(connection, name)
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise  # it is the file's, not the model's
        raise _explain(exc, model) from exc
    return ModelBuild(name, rows, time.perf_counter() - started)


def load_seeds(connection: Connection, project: Project) -> tuple[ModelBuild, ...]:
    """Write every seed as a table.

    Raises:
        ModelError: A file does not hold what is declared; names file and line.
    """
    connection.execute(f"create schema if not exists {SEEDS}")
    return tuple(_load_seed(connection, seed) for seed in project.seeds.values())


def count_rows(connection: Connection, name: str) -> int:
    """Count the rows of a relation, or of a query in brackets."""
    ((rows,),) = connection.execute(f"select count(*) from {name} as counted").fetchall()
    return int(str(rows))


def _load_seed(connection: Connection, seed: Seed) -> ModelBuild:
    started = time.perf_counter()
    rows = read_seed(seed)
    parameters = [[row.fields for row in rows], [row.line for row in rows]]
    _check_fields(connection, seed, parameters)
    columns = ", ".join(
        f"cast(fields[{place}] as {column.type}) as {column.name}"
        for place, column in enumerate(seed.columns, start=1)
    )
    connection.execute(
        f"create or replace table {seed.name} as with {_GIVEN} select {columns} from given order by line",
        parameters,
    )
    _comment(connection, "table", seed)
    return ModelBuild(seed.name, len(rows), time.perf_counter() - started)


def _comment(connection: Connection, kind: str, relation: Relation) -> None:
    columns = {column.name: column.description for column in relation.columns}
    connection.execute(comment_sql(Described(kind, relation.name, relation.description, columns)))


def _check_fields(connection: Connection, seed: Seed, parameters: object) -> None:
    """Find the first field that is not of its column's type, to name its line: the cast alone names none."""
    wrong = " union all ".join(
        f"select line, '{column.name}' as name, '{column.type}' as type, fields[{place}] as field from given "
        f"where fields[{place}] is not null and try_cast(fields[{place}] as {column.type}) is null"
        for place, column in enumerate(seed.columns, start=1)
    )
    found = connection.execute(
        f"with {_GIVEN} select * from ({wrong}) order by line, name", parameters
    ).fetchone()
    if found:
        line, name, type_name, field = found
        raise ModelError(f"{seed.label}:{line}: {name} is {field!r}, which is no {type_name}")


def _make_room(connection: Connection, model: Model) -> None:
    """Make the schema; drop what was built as the other kind, which `create or replace` refuses to change."""
    schema, _, table = model.name.partition(".")
    connection.execute(f"create schema if not exists {schema}")
    found = connection.execute(
        "select table_type from information_schema.tables where table_schema = $1 and table_name = $2",
        [schema, table],
    ).fetchone()
    if found:
        present = Materialised.VIEW if found[0] == "VIEW" else Materialised.TABLE
        if present is not model.materialised:
            connection.execute(f"drop {present.value} {model.name}")


def _check_types(connection: Connection, model: Model) -> None:
    found = {row[0]: str(row[1]) for row in connection.execute(f"describe {model.name}").fetchall()}
    for column in model.columns:
        is_type, declared = _plain(found[column.name]), _plain(column.type)
        if is_type != declared:
            raise ModelError(f"{model.label}:1: {column.name} is {is_type}, declared as {declared}")


def _plain(type_name: str) -> str:
    return type_name.replace(" ", "").lower()


def _explain(error: duckdb.Error, model: Model) -> ModelError:
    message = str(error)
    said = re.search(r"LINE (\d+):", message)
    place = f"{model.label}:{said.group(1) if said else 1}"
    if isinstance(error, _ABOUT_SQL):
        return ModelError(f"{place}: {message.partition('LINE ')[0].strip()}")
    return ModelError(
        f"{place}: {type(error).__name__} while {model.name} was built",
        hint="What DuckDB said may quote a row and is not shown; run the file in DuckDB to see it.",
    )
