"""Writes what the models are as one HTML page that needs nothing else: no network, no script, no other file.

Every text of the project is escaped, and the page forbids itself every request and every script.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sms_etl import __version__
from sms_etl.files import write_private
from sms_etl.models.checks import checks
from sms_etl.models.declared import Severity
from sms_etl.models.drawing import draw
from sms_etl.models.project import Model, Project, Relation
from sms_etl.warehouse.tables import metadata

_SCHEMAS = {
    "marts": "what analysts, finance and the reports read",
    "intermediate": "steps between; they may change at any time",
    "staging": "raw rows under our names",
    "seeds": "small lists kept as CSV files",
    "raw": "as the provider says it, newest state and changes",
    "ops": "what the pipeline did",
}


@dataclass(frozen=True)
class Field:
    """A column as the page shows it; `made_of` are columns one step back, as `schema.table.column`."""

    name: str
    type: str
    description: str
    tests: tuple[str, ...]
    made_of: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Said:
    """A test as the page shows it."""

    name: str
    description: str
    is_warning: bool


@dataclass(frozen=True)
class Entry:
    """A relation as the page shows it; of a table that no model builds grain, owner and SQL are unknown."""

    name: str
    kind: str
    description: str
    grain: tuple[str, ...]
    owner: str
    file: str
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    columns: tuple[Field, ...]
    tests: tuple[Said, ...]
    sql: str


@dataclass(frozen=True)
class DocsResult:
    """Where the page is, and how many relations it describes."""

    path: Path
    relations: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"path": str(self.path), "relations": self.relations}


def write_docs(project: Project, path: Path) -> DocsResult:
    """Write the page of a project, in the place of an earlier one.

    Raises:
        DataDirError: It cannot be written.
        ModelError: The lineage of a column cannot be read.
    """
    entries = list(_entries(project))
    write_private(path, render(project, entries).encode(), "The page {path} cannot be written")
    return DocsResult(path, len(entries))


def render(project: Project, entries: Sequence[Entry] | None = None) -> str:
    """Return the whole page as text."""
    found = sorted(_entries(project) if entries is None else entries, key=lambda entry: entry.name)
    style = files("sms_etl.models").joinpath("templates", "models.css").read_text(encoding="utf-8")
    schemas = [
        (schema, says, [entry for entry in found if entry.name.startswith(f"{schema}.")])
        for schema, says in _SCHEMAS.items()
    ]
    others = sorted({entry.name.partition(".")[0] for entry in found} - set(_SCHEMAS))
    schemas += [
        (name, "", [entry for entry in found if entry.name.startswith(f"{name}.")]) for name in others
    ]
    drawn = {entry.name: entry.reads for entry in found if entry.reads or entry.read_by}
    return (
        _environment()
        .get_template("models.html.j2")
        .render(
            schemas=[each for each in schemas if each[2]],
            picture=draw(drawn),
            known={entry.name for entry in found},
            macros=[*project.macros.values()],
            version=__version__,
            style=Markup(style),  # noqa: S704 - a file of ours
        )
    )


@cache
def _environment() -> Environment:
    """Return where the page's template is compiled, once."""
    environment = Environment(
        loader=PackageLoader("sms_etl.models"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """Escape a description, and set what stands between its backquotes as code."""
    parts = text.strip().split("`")
    coded = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
    return Markup("").join(coded) if len(parts) % 2 else escape(text)


def _entries(project: Project) -> Iterator[Entry]:
    readers: dict[str, list[str]] = {}
    for model in project.models.values():
        for name in model.reads:
            readers.setdefault(name, []).append(model.name)
    tests: dict[str, list[Said]] = {}
    for check in checks(project):
        said = Said(check.test, check.description, check.severity is Severity.WARN)
        tests.setdefault(check.model, []).append(said)
    for relation in (*project.models.values(), *project.seeds.values()):
        read_by = tuple(sorted(readers.get(relation.name, [])))
        yield _of_relation(project, relation, read_by, tuple(tests.get(relation.name, [])))
    described = {table.fullname: table for table in metadata.sorted_tables}
    for name, columns in project.sources.items():
        table = described.get(name)
        comments = (
            {column.name: column.comment or "" for column in table.columns} if table is not None else {}
        )
        fields = tuple(
            Field(column, kind, comments.get(column, ""), (), ()) for column, kind in columns.items()
        )
        about = (table.comment or "") if table is not None else ""
        read_by = tuple(sorted(readers.get(name, [])))
        yield Entry(name, "table", about, (), "", "", (), read_by, fields, tuple(tests.get(name, [])), "")


def _of_relation(
    project: Project, relation: Relation, read_by: tuple[str, ...], tests: tuple[Said, ...]
) -> Entry:
    model = relation if isinstance(relation, Model) else None
    lineage = project.column_lineage(relation.name) if model else {}
    columns = tuple(
        Field(
            column.name,
            column.type,
            column.description.strip(),
            tuple(test.kind.replace("_", " ") for test in column.tests),
            tuple(lineage.get(column.name, [])),
        )
        for column in relation.columns
    )
    return Entry(
        name=relation.name,
        kind=_kind(model),
        description=relation.description,
        grain=relation.grain,
        owner=relation.owner,
        file=relation.label,
        reads=model.reads if model else (),
        read_by=read_by,
        columns=columns,
        tests=tests,
        sql=model.written if model else "",
    )


def _kind(model: Model | None) -> str:
    if model is None:
        return "seed"
    by = f", rebuilt by day of {model.incremental.by}" if model.incremental else ""
    return f"{model.materialised.value}{by}"
