"""Builds seeds and models in a warehouse, inside the caller's transaction: it never begins or commits one.

After an error the caller rolls back, and the warehouse is as it was before.
"""
# ruff: noqa: S608 - names and types are checked where the project is read, values are parameters

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import duckdb
from sqlglot import exp

from sms_etl.errors import ModelError
from sms_etl.models.connection import Connection, count_rows
from sms_etl.models.declared import Materialised
from sms_etl.models.deleted import drop_deleted
from sms_etl.models.incremental import Looks, PartBuilt, build_by_day
from sms_etl.models.macros import Macro
from sms_etl.models.project import SEEDS, Model, Project, Relation, Seed
from sms_etl.models.seed_checks import cast_columns, check_fields, check_grain, check_pairs, check_rows, given
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


class Rebuild(Enum):
    """How models by day are rebuilt. Where there is no `ops.*`, nothing can be noted of them."""

    WHOLE = auto()
    """Whole, and nothing is noted."""
    FULL = auto()
    """Whole, and it is noted what from."""
    BY_DAY = auto()
    """The days of which something has changed, where that can be told."""


@dataclass(frozen=True)
class ModelBuild:
    """One model or seed that was built.

    Attributes:
        rows: It has now; None of a view that would have to be computed for it, in a build by day.
        part: What was rebuilt of a model by day; None if all of it was built.
    """

    name: str
    rows: int | None
    seconds: float
    part: PartBuilt | None = None


@dataclass(frozen=True)
class BuildResult:
    """The models that were built, in order, and how long it took with the seeds."""

    models: tuple[ModelBuild, ...]
    seconds: float

    @property
    def rows(self) -> dict[str, int | None]:
        """Rows by model."""
        return {model.name: model.rows for model in self.models}

    @property
    def parts(self) -> tuple[PartBuilt, ...]:
        """What was rebuilt of models by day."""
        return tuple(model.part for model in self.models if model.part is not None)


def build(
    connection: Connection,
    project: Project,
    *,
    select: Collection[str] | None = None,
    on_model: Callable[[ModelBuild], None] | None = None,
    rebuild: Rebuild = Rebuild.WHOLE,
) -> BuildResult:
    """Load the seeds and build the models, each after those it reads.

    Args:
        connection: Open for writing; in a transaction if all or nothing is wanted.
        project: What to build.
        select: Names of the models to build; all of them unless given. What they read must be there.
        on_model: Called after each model.
        rebuild: How models by day are rebuilt.

    Raises:
        ModelError: A model is not known or cannot be built; names file and line.
    """
    started = time.perf_counter()
    wanted = set(project.models if select is None else [project.model(name).name for name in select])
    _check_built(connection, project, wanted)
    load_seeds(connection, project)
    if rebuild is not Rebuild.WHOLE:
        drop_deleted(connection, project)
    builds: list[ModelBuild] = []
    looks = Looks(connection)
    for name in project.models:
        if name in wanted:
            is_counted = rebuild is not Rebuild.BY_DAY or not _is_computed(project.models[name])
            builds.append(build_model(connection, project, name, rebuild, is_counted=is_counted, looks=looks))
            if on_model:
                on_model(builds[-1])
    return BuildResult(tuple(builds), time.perf_counter() - started)


def _check_built(connection: Connection, project: Project, wanted: Collection[str]) -> None:
    """Hold that what is not built now, but read, was built before."""
    awaited = {
        (name, read)
        for name in wanted
        for read in project.models[name].reads
        if read in project.models and read not in wanted
    }
    if not awaited:
        return
    found = connection.execute("select table_schema || '.' || table_name from information_schema.tables")
    built = {str(name) for (name,) in found.fetchall()}
    for name, read in sorted(awaited):
        if read not in built:
            raise ModelError(
                f"{name} reads {read}, which is not built yet",
                hint=f"Select what it is made of too: --select +{name}.",
            )


def build_model(
    connection: Connection,
    project: Project,
    name: str,
    rebuild: Rebuild = Rebuild.WHOLE,
    *,
    is_counted: bool = True,
    looks: Looks | None = None,
) -> ModelBuild:
    """Build one model; the seeds and models it reads must be there.

    Args:
        connection: Open for writing.
        project: Whose model.
        name: Its name.
        rebuild: How it is rebuilt if it is one by day.
        is_counted: Whether to count its rows; of a view that may take as long as all the rest.
        looks: What was seen of sources already in this build.

    Raises:
        ModelError: It is not known or cannot be built, or a column is not of the declared type.
    """
    started = time.perf_counter()
    model = project.model(name)

    def build_whole() -> None:
        _make_room(connection, model)
        # The model begins on the statement's first line, so that DuckDB counts lines as the file does.
        connection.execute(f"create or replace {model.materialised.value} {name} as {model.sql}")
        _check_types(connection, model)

    part = None
    try:
        if model.incremental is None or rebuild is Rebuild.WHOLE:
            build_whole()
        else:
            is_full = rebuild is Rebuild.FULL
            part = build_by_day(
                connection, project, model, build_whole=build_whole, is_full=is_full, looks=looks
            )
        _comment(connection, model.materialised.value, model)
        rows = count_rows(connection, name) if is_counted else None
    except duckdb.Error as exc:
        if is_damage(str(exc)):
            raise  # it is the file's, not the model's
        raise _explain(exc, model) from exc
    return ModelBuild(name, rows, time.perf_counter() - started, part)


def _is_computed(model: Model) -> bool:
    """Return whether to count a model's rows takes as long as to compute them all."""
    is_view = model.materialised is Materialised.VIEW
    return is_view and model.query.find(exp.Group, exp.Join, exp.Distinct, exp.AggFunc) is not None


def load_seeds(connection: Connection, project: Project) -> tuple[ModelBuild, ...]:
    """Write every seed as a table.

    Raises:
        ModelError: A file does not hold what is declared, or fails a blocking test of its rows; names file
            and line.
    """
    connection.execute(f"create schema if not exists {SEEDS}")
    loaded = tuple(_load_seed(connection, seed, project.macros) for seed in project.seeds.values())
    check_pairs(connection, project)
    return loaded


def _load_seed(connection: Connection, seed: Seed, macros: Mapping[str, Macro]) -> ModelBuild:
    started = time.perf_counter()
    rows = read_seed(seed)
    parameters = [[row.fields for row in rows], [row.line for row in rows]]
    check_fields(connection, seed, parameters)
    check_grain(connection, seed, parameters)
    check_rows(connection, seed, macros, parameters)
    query = f"select {cast_columns(seed)} from given order by at_line"
    connection.execute(f"create or replace table {seed.name} as {given(query)}", parameters)
    _comment(connection, "table", seed)
    return ModelBuild(seed.name, len(rows), time.perf_counter() - started)


def _comment(connection: Connection, kind: str, relation: Relation) -> None:
    columns = {column.name: column.description for column in relation.columns}
    connection.execute(comment_sql(Described(kind, relation.name, relation.description, columns)))


def _make_room(connection: Connection, model: Model) -> None:
    """Make the schema; drop what was built as the other kind, which `create or replace` refuses to change."""
    schema, _, table = model.name.partition(".")
    connection.execute(f"create schema if not exists {schema}")
    other = Materialised.TABLE if model.materialised is Materialised.VIEW else Materialised.VIEW
    # To ask information_schema for either takes four times as long.
    found = connection.execute(
        f"select 1 from duckdb_{other.value}s() where database_name = current_database() "
        f"and schema_name = $1 and {other.value}_name = $2",
        [schema, table],
    )
    if found.fetchone():
        connection.execute(f"drop {other.value} {model.name}")


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
