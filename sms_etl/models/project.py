"""Reads a folder of SQL models into a checked `Project`: what there is, in which order it is built.

A folder is laid out as `dbt_like_sql/`: `<folder>/<file>.sql` holds one SELECT and becomes the relation
`<folder>.<file>`; `_models.yml` beside it declares grain, columns and tests; `tests/*.sql` return the rows
that are wrong; `seeds/*.csv` become `seeds.<file>`, typed by `seeds/_seeds.yml`; `macros/*.sql` are written
out where they are called. Dependencies come from the SQL itself. Nothing here touches a database.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from duckdb_sqlalchemy import Dialect
from sqlalchemy.types import TypeEngine
from sqlglot import exp

from sms_etl.errors import ModelError
from sms_etl.models.declared import (
    Column,
    Declaration,
    Incremental,
    Materialised,
    RelationTest,
    Severity,
    read_declarations,
)
from sms_etl.models.files import default_path, own_seed_files
from sms_etl.models.lineage import (
    DIALECT,
    Schemas,
    check_explicit_columns,
    column_sources,
    parse_select,
    qualified,
    relations_read,
)
from sms_etl.models.macros import MACROS, Macro, expand, read_macros
from sms_etl.warehouse.tables import metadata

SEEDS = "seeds"
TESTS = "tests"
_FOLDER_ORDER = ("staging", "intermediate", "marts")
_CATALOGUE = "information_schema."
_BY_DAY = "-- by: day"
_DUCKDB = Dialect()
_MOST_MEANT = 2
BUILD_CONTEXT = "ops.build_context"
"""One row: what the models are built with."""


@dataclass(frozen=True)
class Relation:
    """What models and seeds have in common.

    Attributes:
        name: `schema.table`.
        label: File as errors name it, from the project's folder on.
        grain: The columns that together are unique and never null.
    """

    name: str
    file: Path
    label: str
    description: str
    owner: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
    tests: tuple[RelationTest, ...]


@dataclass(frozen=True)
class Seed(Relation):
    """A CSV file that becomes a table."""


@dataclass(frozen=True)
class Model(Relation):
    """A SELECT that becomes a view or a table.

    Attributes:
        written: As it stands in the file.
        sql: As it is run, its macros written out on the lines of their calls.
        reads: The relations in it, sources included.
    """

    written: str
    sql: str
    materialised: Materialised
    incremental: Incremental | None
    reads: tuple[str, ...]
    query: exp.Query = field(repr=False, compare=False)


@dataclass(frozen=True)
class SqlTest:
    """A query that returns the rows that are wrong; `models` are the relations it speaks about."""

    name: str
    file: Path
    label: str
    sql: str
    description: str
    models: tuple[str, ...]
    severity: Severity
    is_by_day: bool = False
    """Whether what it finds of a day is made of rows of that day: then it need not see the others again."""


@dataclass(frozen=True)
class Project:
    """Models in the order they are built, seeds, tests and macros, by name."""

    path: Path
    models: Mapping[str, Model]
    seeds: Mapping[str, Seed]
    tests: tuple[SqlTest, ...]
    sources: Schemas
    macros: Mapping[str, Macro] = field(default_factory=dict)

    def model(self, name: str) -> Model:
        """Return a model by its name.

        Raises:
            ModelError: There is none of that name.
        """
        if name not in self.models:
            raise ModelError(f"there is no model {name}{near_miss(name, self.models)}")
        return self.models[name]

    def column_lineage(self, name: str) -> dict[str, list[tuple[str, str]]]:
        """Say from which `(relation, column)` pairs each column of a model is made, one step back."""
        model = self.model(name)
        return column_sources(qualified(model.query, self.schemas, model.label), model.label)

    @cached_property
    def schemas(self) -> Schemas:
        """Every relation a model may read: sources, seeds and models with their columns and types."""
        declared = {
            relation.name: {column.name: column.type for column in relation.columns}
            for relation in (*self.seeds.values(), *self.models.values())
        }
        return {**self.sources, **declared}


@cache
def warehouse_sources() -> Schemas:
    """Return the tables that are not built by a model, those of `tables.py`, with their columns and types."""
    return MappingProxyType(
        {
            table.fullname: {column.name: _type_name(_written(column.type)) for column in table.columns}
            for table in metadata.sorted_tables
        }
    )


def _written(column_type: TypeEngine[Any]) -> str:
    return column_type.compile(_DUCKDB)


@cache
def _type_name(written: str) -> str:
    """Return DuckDB's own name of a type; its dialect of SQLAlchemy writes PostgreSQL's longer ones."""
    return exp.DataType.build(written, dialect="postgres").sql(DIALECT).lower().replace(" ", "")


def load_project(
    path: Path | None = None,
    seeds: Path | None = None,
    *,
    sources: Schemas | None = None,
    is_checked: bool = False,
) -> Project:
    """Read and check a folder of models.

    Args:
        path: The folder; that of the package unless given.
        seeds: A folder whose CSV files replace those of the same name; need not exist.
        sources: Relations that are there already, with their columns; those of `tables.py` unless given.
        is_checked: Whether these very files were checked before: to look at each column again takes as
            long as to read them.

    Raises:
        ModelError: Anything is wrong with it; the message names file and line.
    """
    root = path or default_path()
    if not root.is_dir():
        raise ModelError(f"there is no folder of models at {root}")
    known = warehouse_sources() if sources is None else sources
    macros = read_macros(root, root.name)
    found_seeds = _read_seeds(root, seeds)
    found = [model for folder in _model_folders(root) for model in _read_folder(root, folder, macros)]
    relations = {*known, *found_seeds, *(model.name for model in found)}
    for model in found:
        _check_reads(model.query, relations, model.label)
    project = Project(root, _in_order(found), found_seeds, (), known, macros)
    if is_checked:
        return replace(project, tests=tuple(_test_files(root, relations, macros)))
    schemas = project.schemas
    for model in project.models.values():
        _check_columns(model, schemas)
    upstream = _upstream(project)
    for relation in (*found_seeds.values(), *found):
        _check_relationships(relation, schemas, upstream)
        _check_tests(relation, schemas, macros)
    return replace(project, tests=tuple(_read_tests(root, relations, upstream, macros)))


def near_miss(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?`, or nothing if no known name is near.

    A name that is a part of one or two others (`month` of `business_month`) means them, before any that is
    only spelt alike (`amount`).
    """
    names = sorted(known)
    whole = re.compile(rf"(^|[._]){re.escape(name)}([._]|$)")
    parts = [each for each in names if name not in names and whole.search(each)]
    meant = parts if 0 < len(parts) <= _MOST_MEANT else get_close_matches(name, names, n=1)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def _label(root: Path, file: Path) -> str:
    return f"{root.name}/{file.relative_to(root).as_posix()}" if file.is_relative_to(root) else str(file)


def _model_folders(root: Path) -> list[Path]:
    folders = [folder for folder in root.iterdir() if folder.is_dir() and any(folder.glob("*.sql"))]
    ranked = {name: rank for rank, name in enumerate(_FOLDER_ORDER)}
    return sorted(
        (folder for folder in folders if folder.name not in {SEEDS, TESTS, MACROS}),
        key=lambda folder: (ranked.get(folder.name, len(ranked)), folder.name),
    )


def _read_folder(root: Path, folder: Path, macros: Mapping[str, Macro]) -> list[Model]:
    declarations_file = folder / "_models.yml"
    declared = read_declarations(declarations_file, _label(root, declarations_file))
    files = {file.stem: file for file in sorted(folder.glob("*.sql"))}
    _check_pairs(declared, files, _label(root, declarations_file), root)
    return [_read_model(root, file, declared[name][0], macros) for name, file in files.items()]


def _check_pairs(
    declared: Mapping[str, tuple[Declaration, int]], files: Mapping[str, Path], label: str, root: Path
) -> None:
    for name, (_, line) in declared.items():
        if name not in files:
            raise ModelError(f"{label}:{line}: {name} is declared but has no file{near_miss(name, files)}")
    for name, file in files.items():
        if name not in declared:
            raise ModelError(f"{_label(root, file)}:1: not declared in {label}{near_miss(name, declared)}")


def _read_model(root: Path, file: Path, declared: Declaration, macros: Mapping[str, Macro]) -> Model:
    written, label = file.read_text(encoding="utf-8"), _label(root, file)
    sql = expand(written, macros, label)
    query = parse_select(sql, label)
    check_explicit_columns(query, label)
    by_folder = Materialised.VIEW if file.parent.name == "staging" else Materialised.TABLE
    return Model(
        name=f"{file.parent.name}.{file.stem}",
        file=file,
        label=label,
        description=declared.description.strip(),
        owner=declared.owner,
        grain=declared.grain,
        columns=declared.columns,
        tests=declared.tests,
        written=written.rstrip(),
        sql=sql.rstrip().rstrip(";"),
        materialised=declared.materialised or by_folder,
        incremental=declared.incremental,
        reads=tuple(sorted(relations_read(query, label))),
        query=query,
    )


def _read_seeds(root: Path, overrides: Path | None) -> dict[str, Seed]:
    folder = root / SEEDS
    declared = read_declarations(folder / "_seeds.yml", _label(root, folder / "_seeds.yml"))
    files = {file.stem: file for file in sorted(folder.glob("*.csv"))}
    _check_pairs(declared, files, _label(root, folder / "_seeds.yml"), root)
    own = {file.stem: file for file in own_seed_files(overrides)} if overrides else {}
    for name, file in own.items():
        if name not in files:
            raise ModelError(
                f"{file}:1: there is no seed {name}{near_miss(name, files)}",
                hint=f"A file here replaces the seed of its name: {', '.join(files) or 'there is none'}.",
            )
    return {
        f"{SEEDS}.{name}": Seed(
            name=f"{SEEDS}.{name}",
            file=own.get(name, file),
            label=_label(root, own.get(name, file)),
            description=declared[name][0].description.strip(),
            owner=declared[name][0].owner,
            grain=declared[name][0].grain,
            columns=declared[name][0].columns,
            tests=declared[name][0].tests,
        )
        for name, file in files.items()
    }


def _check_reads(query: exp.Query, relations: set[str], label: str) -> None:
    for name, line in relations_read(query, label).items():
        if name not in relations and not name.startswith(_CATALOGUE):
            raise ModelError(f"{label}:{line}: there is no relation {name}{near_miss(name, relations)}")


def _in_order(models: list[Model]) -> dict[str, Model]:
    by_name = {model.name: model for model in models}
    sorter = TopologicalSorter(
        {model.name: [name for name in model.reads if name in by_name] for model in models}
    )
    try:
        return {name: by_name[name] for name in sorter.static_order()}
    except CycleError as exc:
        names = list(reversed(exc.args[1]))
        first, second = by_name[names[0]], names[1]
        line = relations_read(first.query, first.label)[second]
        raise ModelError(f"{first.label}:{line}: the models read each other: {' → '.join(names)}") from exc


def _upstream(project: Project) -> dict[str, set[str]]:
    """Give, for every relation, what a test of it may read: sources, seeds, itself and all it is made of.

    A test that read more would fail, or pass on yesterday's rows, when it runs right after its model.
    """
    unbuilt = {*project.sources, *project.seeds}
    found: dict[str, set[str]] = dict.fromkeys(unbuilt, unbuilt)
    for model in project.models.values():
        found[model.name] = {model.name, *unbuilt}.union(*(found[name] for name in model.reads))
    return found


def _check_columns(model: Model, schemas: Schemas) -> None:
    gives = [name.lower() for name in qualified(model.query, schemas, model.label).named_selects]
    declared = [column.name for column in model.columns]
    for name in gives:
        if name not in declared:
            raise ModelError(
                f"{model.label}:1: gives {name}, which is not declared{near_miss(name, declared)}"
            )
    for name in declared:
        if name not in gives:
            raise ModelError(
                f"{model.label}:1: does not give {name}, which is declared{near_miss(name, gives)}"
            )


def _check_relationships(relation: Relation, schemas: Schemas, upstream: Mapping[str, set[str]]) -> None:
    targets = [
        (column, str(test.argument))
        for column in relation.columns
        for test in column.tests
        if test.kind == "relationships"
    ]
    for column, target in targets:
        table, _, name = target.rpartition(".")
        if name not in schemas.get(table, {}):
            known = [f"{table}.{name}" for table, columns in schemas.items() for name in columns]
            raise ModelError(
                f"{relation.label}:1: {column.name} is declared to relate to {target}, "
                f"which does not exist{near_miss(target, known)}"
            )
        if table not in upstream[relation.name]:
            raise ModelError(
                f"{relation.label}:1: {column.name} relates to {target}, which it is not made of",
                hint="The test may run before both are built; write it in tests/, for the later one.",
            )


def _check_tests(relation: Relation, schemas: Schemas, macros: Mapping[str, Macro]) -> None:
    """Hold that tests of a relation are about its own columns, and that time can be measured."""
    for test in relation.tests:
        if test.expression is not None:
            label = f"{relation.label} ({test.name})"
            expression = expand(test.expression, macros, label)
            query = parse_select(f"select 1 as one from {relation.name} where {expression}", label)  # noqa: S608 - ours
            qualified(query, schemas, label)
        if test.freshness and BUILD_CONTEXT not in schemas:
            raise ModelError(f"{relation.label}:1: {test.name} needs {BUILD_CONTEXT}, which is not there")


def _read_tests(
    root: Path, relations: set[str], upstream: Mapping[str, set[str]], macros: Mapping[str, Macro]
) -> list[SqlTest]:
    tests = _test_files(root, relations, macros)
    for test in tests:
        for name, line in relations_read(parse_select(test.sql, test.label), test.label).items():
            if name not in upstream[test.models[0]] and not name.startswith(_CATALOGUE):
                raise ModelError(
                    f"{test.label}:{line}: {test.models[0]} can be tested before {name} is built",
                    hint="Name the model that is built last first: `-- models: <last>, <others>`.",
                )
    return tests


def _test_files(root: Path, relations: set[str], macros: Mapping[str, Macro]) -> list[SqlTest]:
    return [_read_test(root, file, relations, macros) for file in sorted((root / TESTS).glob("*.sql"))]


def _read_test(root: Path, file: Path, relations: set[str], macros: Mapping[str, Macro]) -> SqlTest:
    """Read a test and its first comment lines: what it says, its models, its severity, if it is by day."""
    label = _label(root, file)
    sql = expand(file.read_text(encoding="utf-8"), macros, label)
    says: list[str] = []
    models: list[str] = []
    severity = Severity.ERROR
    is_by_day = False
    for line, text in enumerate(sql.splitlines(), start=1):
        if not text.startswith("--"):
            break
        key, _, value = (part.strip() for part in text.removeprefix("--").partition(":"))
        if key in {"model", "models"}:
            models = re.split(r"\s*,\s*", value)
        elif text == _BY_DAY:
            is_by_day = True
        elif key == "severity":
            if value not in set(Severity):
                raise ModelError(f"{label}:{line}: severity is error or warn, not {value}")
            severity = Severity(value)
        else:
            says.append(text.removeprefix("--").strip())
        for name in [name for name in models if name not in relations]:
            raise ModelError(f"{label}:{line}: there is no relation {name}{near_miss(name, relations)}")
    query = parse_select(sql, label)
    _check_reads(query, relations, label)
    speaks_of = tuple(models) or tuple(name for name in relations_read(query, label) if name in relations)[:1]
    if not speaks_of:
        raise ModelError(f"{label}:1: name what it tests in a first line such as `-- models: marts.fct_sms`")
    return SqlTest(
        file.stem, file, label, sql.rstrip().rstrip(";"), " ".join(says), speaks_of, severity, is_by_day
    )
