"""Reads a seed's CSV file as text, checked against its declared columns; errors name file and line.

A file may come out of a spreadsheet: a byte order mark and semicolons are understood, lines that begin with
`#` are comments, an empty field is null. A column may be left out if it is declared `in_file: optional`.
"""

import csv
from dataclasses import dataclass

from sms_etl.errors import ModelError
from sms_etl.models.declared import Column, InFile
from sms_etl.models.project import Seed, near_miss


@dataclass(frozen=True)
class SeedRow:
    """One row: its line in the file, its fields in the order the columns are declared."""

    line: int
    fields: list[str | None]


def read_seed(seed: Seed) -> list[SeedRow]:
    """Read the rows of a seed.

    Raises:
        ModelError: The file cannot be read, its header or number of fields is not as declared, or a field of
            the grain is empty.
    """
    text = _text(seed)
    lines = [(line, row) for line, row in enumerate(text.splitlines(), start=1) if _counts(row)]
    if not lines:
        raise ModelError(f"{seed.label}:1: the header is missing", hint=_hint(seed))
    delimiter = ";" if lines[0][1].count(";") > lines[0][1].count(",") else ","
    cells = [
        (line, [cell.strip() for cell in next(csv.reader([row], delimiter=delimiter))]) for line, row in lines
    ]
    order = _order(seed, *cells[0])
    rows = [_row(seed, line, fields, len(cells[0][1]), order) for line, fields in cells[1:]]
    _check_key(seed, rows)
    return rows


def _text(seed: Seed) -> str:
    try:
        content = seed.file.read_bytes()
    except OSError as exc:
        raise ModelError(f"{seed.label}:1: cannot be read: {exc.strerror or 'not readable'}") from exc
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = len(content[: exc.start + 1].splitlines())
        raise ModelError(
            f"{seed.label}:{line}: is not UTF-8",
            hint="Save the file as CSV in UTF-8: in Excel as `CSV UTF-8`, in LibreOffice with the character "
            "set `Unicode (UTF-8)`.",
        ) from exc


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _in_file(seed: Seed) -> list[Column]:
    return [column for column in seed.columns if column.in_file is not InFile.LINE]


def _hint(seed: Seed) -> str:
    columns = _in_file(seed)
    needed = [column.name for column in columns if column.in_file is InFile.ALWAYS]
    optional = [column.name for column in columns if column.in_file is InFile.OPTIONAL]
    may = f"; {', '.join(optional)} may be left out" if optional else ""
    return f"The first line is {','.join(needed + optional)}{may}."


def _order(seed: Seed, line: int, header: list[str]) -> list[int | None]:
    """Return the place of each column in the file; None of one that is left out."""
    columns = _in_file(seed)
    names = [column.name for column in columns]
    given = [name.lower() for name in header]
    for name in given:
        if name not in names:
            raise ModelError(
                f"{seed.label}:{line}: no column {name!r}{near_miss(name, names)}", hint=_hint(seed)
            )
    for column in columns:
        found = given.count(column.name)
        if found > 1 or (found == 0 and column.in_file is InFile.ALWAYS):
            problem = "is there twice" if found else "is missing"
            raise ModelError(f"{seed.label}:{line}: the column {column.name} {problem}", hint=_hint(seed))
    return [given.index(name) if name in given else None for name in names]


def _row(seed: Seed, line: int, fields: list[str], width: int, order: list[int | None]) -> SeedRow:
    if len(fields) != width:
        raise ModelError(f"{seed.label}:{line}: {len(fields)} fields where the header has {width}")
    given = iter([None if place is None else fields[place] or None for place in order])
    return SeedRow(
        line, [str(line) if column.in_file is InFile.LINE else next(given) for column in seed.columns]
    )


def _check_key(seed: Seed, rows: list[SeedRow]) -> None:
    places = [index for index, column in enumerate(seed.columns) if column.name in seed.grain]
    for row in rows:
        if None in (row.fields[place] for place in places):
            raise ModelError(f"{seed.label}:{row.line}: {', '.join(seed.grain)} must not be empty")
