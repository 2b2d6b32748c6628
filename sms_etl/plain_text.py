"""Rows as plain text for a terminal: side by side where they fit, else one below the other. Pure.

A word or number is never broken. What a terminal would obey instead of showing is written as `\\x1b`, and
what a spreadsheet would compute is marked as text.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

NULL = "NULL"
_GAP = " | "
_FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[=+\-@＝＋－＠\t\r\n])")
"""Where a formula may begin; also behind what a spreadsheet may take for the end of a cell, as a German Excel
takes a semicolon."""


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal would not show as a character."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def printable_lines(text: str) -> str:
    """Return the text as `printable` does, with its line breaks."""
    return "\n".join(printable(line) for line in text.split("\n"))


def for_spreadsheet(value: Any) -> Any:  # noqa: ANN401 - whatever a database gives
    """Return a value for a CSV that no spreadsheet takes for a formula: numbers stay, text may get a `'`."""
    if isinstance(value, Decimal):
        return _text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _FORMULA.sub("'", str(value))


def lines_of(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int, *, null: str = NULL
) -> Iterator[str]:
    """Write rows as lines of text.

    Args:
        columns: Their names.
        rows: Values as a database gives them.
        width: Of the terminal, in cells. A table that is wider is turned: a line for each value. A value that
            is wider than that stands on a line longer than the terminal, unbroken.
        null: What stands for no value.
    """
    names = [printable(name) for name in columns]
    cells = [[null if value is None else _cell(value) for value in row] for row in rows]
    widths = [
        max(cell_len(text) for text in (name, *(row[place] for row in cells)))
        for place, name in enumerate(names)
    ]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        is_right = [_is_number(row[place] for row in rows) for place in range(len(names))]
        yield from _side_by_side(names, cells, widths, is_right)
    else:
        yield from _one_below_the_other(names, cells)


def _side_by_side(
    names: list[str], cells: list[list[str]], widths: list[int], is_right: list[bool]
) -> Iterator[str]:
    def line(texts: list[str]) -> str:
        padded = (
            _pad(text, width, is_right=right)
            for text, width, right in zip(texts, widths, is_right, strict=True)
        )
        return _GAP.join(padded).rstrip()

    yield line(names)
    yield "-+-".join("-" * width for width in widths)
    yield from (line(row) for row in cells)


def _one_below_the_other(names: list[str], cells: list[list[str]]) -> Iterator[str]:
    width = max(cell_len(name) for name in names)
    for number, row in enumerate(cells, start=1):
        yield f"-[ {number} ]-".ljust(width + len(_GAP), "-")
        for name, text in zip(names, row, strict=True):
            yield f"{_pad(name, width, is_right=False)}{_GAP}{text}".rstrip()


def _pad(text: str, width: int, *, is_right: bool) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if is_right else text + blank


def _is_number(values: Iterator[Any]) -> bool:
    found = [value for value in values if value is not None]
    return bool(found) and all(
        isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in found
    )


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a database gives
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_cell(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_cell(name)}: {_cell(each)}' for name, each in value.items())}}}"
    return printable(_text(value))


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a database gives
    if value is None:
        return NULL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"  # never as a power of ten
    return str(value)
