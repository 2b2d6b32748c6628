"""What `_models.yml` and `_seeds.yml` declare, checked and typed; an error names file and line.

Pure reading: nothing here looks at the SQL or at a database.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sms_etl.errors import ModelError

_NAME = r"^[a-z][a-z0-9_]*$"
_TYPE = r"^[a-z][a-z0-9_ ]*(\(\d+(, ?\d+)?\))?(\[\])?$"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C reads ours in a tenth of the time


class Severity(StrEnum):
    """What a failing test does: an error blocks publishing, a warning is only reported."""

    ERROR = "error"
    WARN = "warn"


class Materialised(StrEnum):
    """What a model becomes in the warehouse."""

    VIEW = "view"
    TABLE = "table"


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnTest(_Declared):
    """A test of one column: `not_null`, or `{accepted_values: [a, b], severity: warn}`."""

    kind: Literal["unique", "not_null", "accepted_values", "relationships", "at_least"]
    argument: object = None
    """accepted_values: the list; relationships: `schema.table.column`; at_least: the smallest value."""
    severity: Severity = Severity.ERROR


def _unfold(test: object) -> object:
    """Turn the short way a test is written into its fields."""
    if isinstance(test, str):
        return {"kind": test}
    if isinstance(test, dict):
        kinds = [key for key in test if key != "severity"]
        if len(kinds) != 1:
            raise ValueError("write one test an entry, such as `{at_least: 0, severity: warn}`")
        return {"kind": kinds[0], "argument": test[kinds[0]], "severity": test.get("severity", "error")}
    raise ValueError("write a test as `unique` or `{at_least: 0}`")


class InFile(StrEnum):
    """Where a column of a seed comes from."""

    ALWAYS = "always"
    """The file has it."""
    OPTIONAL = "optional"
    """The file may leave it out: then it is null."""
    LINE = "line"
    """The file does not have it: it is the number of the row's line, so that a failed test names the line."""


class Column(_Declared):
    """A column of a model or seed. `type` is DuckDB's name of it, such as `decimal(18,6)`."""

    name: str = Field(pattern=_NAME)
    type: str = Field(pattern=_TYPE)
    description: str = Field(pattern=r"\S")
    in_file: InFile = InFile.ALWAYS
    tests: tuple[Annotated[ColumnTest, BeforeValidator(_unfold)], ...] = ()


class RowCount(_Declared):
    """How many rows a relation may have, both ends included; either may be left out."""

    at_least: int = Field(default=0, ge=0)
    at_most: int | None = Field(default=None, ge=0)


class Freshness(_Declared):
    """How far the newest time in a column may lie before the moment of the build, in days of 24 hours."""

    column: str = Field(pattern=_NAME)
    within_days: int = Field(ge=1)


class RelationTest(_Declared):
    """A test of a relation as a whole; one of `expression`, `row_count` and `freshness` is given.

    An expression is about one row, and must not be false; where it is null, it says nothing.
    """

    name: str = Field(pattern=_NAME)
    description: str = Field(pattern=r"\S")
    severity: Severity = Severity.ERROR
    expression: str | None = None
    row_count: RowCount | None = None
    freshness: Freshness | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "RelationTest":
        given = [each for each in (self.expression, self.row_count, self.freshness) if each is not None]
        if len(given) != 1:
            raise ValueError("write one of expression, row_count and freshness")
        return self


class Incremental(_Declared):
    """How a table is rebuilt by day: only the days of which something has changed.

    Each of its rows must be made of rows of its own day, or by its own key, and of what is read whole.
    """

    by: str = Field(pattern=_NAME)
    """The column that says to which day a row belongs: a date, or a moment in UTC."""
    key: str | None = Field(default=None, pattern=_NAME)
    """By which rows of what has no such day belong to those that do; the grain, if that is one column."""
    overtaken: str | None = None
    """Which rows time alone changes: of the row's columns and `before`, `now` (moments), `settle_days`."""


class Declaration(_Declared):
    """An entry of the YAML file; `grain` lists the columns that together are unique."""

    name: str = Field(pattern=_NAME)
    description: str = Field(pattern=r"\S")
    grain: tuple[str, ...] = Field(min_length=1)
    owner: str
    materialised: Materialised | None = None
    incremental: Incremental | None = None
    columns: tuple[Column, ...] = Field(min_length=1)
    tests: tuple[RelationTest, ...] = ()


class _DeclarationFile(_Declared):
    models: tuple[Declaration, ...]


def read_declarations(file: Path, label: str) -> dict[str, tuple[Declaration, int]]:
    """Read a YAML file of declarations.

    Args:
        file: `_models.yml` or `_seeds.yml`; a file that does not exist declares nothing.
        label: How errors call it.

    Returns:
        Each declaration and the line it begins on, by name.

    Raises:
        ModelError: The file is not YAML, or an entry is misspelt, incomplete or there twice.
    """
    if not file.exists():
        return {}
    text, node = file.read_text(encoding="utf-8"), None
    try:
        loader = _LOADER(text)
        node = loader.get_single_node()
        declared = _DeclarationFile.model_validate(loader.construct_document(node) if node else None)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ModelError(f"{label}:{line}: not YAML: {exc.problem}") from exc
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        path = ".".join(str(step) for step in error["loc"])
        raise ModelError(f"{label}:{_line(node, error['loc'])}: {path}: {error['msg']}") from exc
    found: dict[str, tuple[Declaration, int]] = {}
    for index, declaration in enumerate(declared.models):
        line = _line(node, ("models", index))
        if declaration.name in found:
            raise ModelError(f"{label}:{line}: {declaration.name} is declared twice")
        _check_columns(declaration, f"{label}:{line}")
        found[declaration.name] = (declaration, line)
    return found


def _check_columns(declaration: Declaration, place: str) -> None:
    names = [column.name for column in declaration.columns]
    tests = [test.name for test in declaration.tests]
    if doubled := sorted({name for name in tests if tests.count(name) > 1}):
        raise ModelError(f"{place}: {declaration.name} has two tests called {', '.join(doubled)}")
    if declaration.incremental and declaration.incremental.by not in names:
        raise ModelError(
            f"{place}: {declaration.name} is incremental by {declaration.incremental.by}, no column of it"
        )
    for test in declaration.tests:
        if test.freshness and test.freshness.column not in names:
            raise ModelError(f"{place}: {test.name} is about {test.freshness.column}, no column of it")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"{place}: {declaration.name} declares {', '.join(twice)} twice")
    missing = [name for name in declaration.grain if name not in names]
    if missing:
        raise ModelError(
            f"{place}: the grain of {declaration.name} names {', '.join(missing)}, no column of it"
        )


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Find the line of a value, or of the nearest thing around it that is written down."""
    line = node.start_mark.line + 1 if node else 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
