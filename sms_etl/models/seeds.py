"""Reads a seed's CSV file as text, checked against its declared columns and grain; errors name file and line.

A file may come out of a spreadsheet: a byte order mark and semicolons are understood, lines that begin with
`#` are comments, an empty field is null.
"""

import csv
from dataclasses import dataclass

from sms_etl.errors import ModelError
from sms_etl.models.project import Seed, near_miss


@dataclass(frozen=True)
class SeedRow:
    """One row: its line in the file, its fields in the order the columns are declared."""

    line: int
    fields: list[str | None]


def read_seed(seed: Seed) -> list[SeedRow]:
    """Read the rows of a seed.

    Raises:
        ModelError: The header, the number of fields or the uniqueness of the grain is not as declared.
    """
    try:
        text = seed.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelError(f"{seed.label}:1: cannot be read as UTF-8 text") from exc
    lines = [(line, row) for line, row in enumerate(text.splitlines(), start=1) if _counts(row)]
    if not lines:
        raise ModelError(f"{seed.label}:1: the header is missing", hint=_hint(seed))
    delimiter = ";" if lines[0][1].count(";") > lines[0][1].count(",") else ","
    cells = [
        (line, [cell.strip() for cell in next(csv.reader([row], delimiter=delimiter))]) for line, row in lines
    ]
    order = _order(seed, *cells[0])
    rows = [_row(seed, line, fields, order) for line, fields in cells[1:]]
    _check_grain(seed, rows)
    return rows


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _hint(seed: Seed) -> str:
    return f"The first line is {','.join(column.name for column in seed.columns)}."


def _order(seed: Seed, line: int, header: list[str]) -> list[int]:
    names = [column.name for column in seed.columns]
    given = [name.lower() for name in header]
    for name in given:
        if name not in names:
            raise ModelError(
                f"{seed.label}:{line}: no column {name!r}{near_miss(name, names)}", hint=_hint(seed)
            )
    for name in names:
        if given.count(name) != 1:
            problem = "is missing" if name not in given else "is there twice"
            raise ModelError(f"{seed.label}:{line}: the column {name} {problem}", hint=_hint(seed))
    return [given.index(name) for name in names]


def _row(seed: Seed, line: int, fields: list[str], order: list[int]) -> SeedRow:
    if len(fields) != len(order):
        raise ModelError(f"{seed.label}:{line}: {len(fields)} fields where the header has {len(order)}")
    return SeedRow(line, [fields[place] or None for place in order])


def _check_grain(seed: Seed, rows: list[SeedRow]) -> None:
    """Hold the grain here already: a key that is there twice would count every message of it twice."""
    places = [index for index, column in enumerate(seed.columns) if column.name in seed.grain]
    seen: dict[tuple[str | None, ...], int] = {}
    for row in rows:
        key = tuple(row.fields[place] for place in places)
        if None in key:
            raise ModelError(f"{seed.label}:{row.line}: {', '.join(seed.grain)} must not be empty")
        if key in seen:
            raise ModelError(
                f"{seed.label}:{row.line}: {', '.join(seed.grain)} is there already, on line {seen[key]}"
            )
        seen[key] = row.line
