"""Writes rows as CSV that a clerk opens in a spreadsheet and a script reads.

UTF-8 with a byte order mark, without which Excel takes it for another encoding; lines end in CR LF, as
RFC 4180 says. Commas and decimal points; in the German manner semicolons, decimal commas and `31.01.2026`.
Amounts have six decimals and no thousands separators. Text that a spreadsheet would compute gets a `'` before
it, see `plain_text.py`. Times are UTC.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, TextIO
from uuid import UUID

from sms_etl.finance import locales
from sms_etl.plain_text import for_spreadsheet

BYTE_ORDER_MARK = "\ufeff"
_PLACES = 6
"""As the warehouse keeps money; a price that could not be loaded may have more, and keeps them."""
Cell = str | int | Decimal | date | datetime | UUID | bool | None


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a whole file."""
    text = StringIO(newline="")
    write_rows(text, columns, rows)
    return text.getvalue().encode()


def write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a file's byte order mark, headings and rows, in the manner of `locales.written_in`."""
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file, delimiter=";" if locales.is_german() else ",")
    writer.writerow(columns)
    is_german = locales.is_german()
    writer.writerows([_cell(value, is_german=is_german) for value in row] for row in rows)


def _cell(value: Cell, *, is_german: bool) -> Any:  # noqa: ANN401 - what csv.writer takes
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        is_finer = isinstance(exponent, int) and exponent < -_PLACES
        exact = f"{value:f}" if is_finer else f"{value:.{_PLACES}f}"
        return exact.replace(".", ",") if is_german else exact
    if isinstance(value, datetime):
        return f"{value:%d.%m.%Y %H:%M:%S}" if is_german else f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}" if is_german else value.isoformat()
    return for_spreadsheet(value)
