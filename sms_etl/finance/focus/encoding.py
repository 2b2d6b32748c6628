"""Makes the CSV and the Parquet of rows. Pure.

CSV: RFC 4180 in UTF-8, null as nothing, decimals without exponent, times as `2026-01-31T23:00:00Z`. Text that
a spreadsheet would take for a formula gets a `'` before it, as everywhere; Parquet has it as it is.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO, StringIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sms_etl.finance.focus.specification import Column, Kind, Version
from sms_etl.finance.queries import Row
from sms_etl.plain_text import for_spreadsheet

_NUMBER = re.compile(
    r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?\s*", flags=re.IGNORECASE | re.ASCII
)
_PARQUET = {
    Kind.TEXT: pa.string(),
    Kind.CURRENCY: pa.string(),
    Kind.JSON: pa.string(),
    Kind.MONEY: pa.decimal128(38, 6),
    Kind.QUANTITY: pa.decimal128(38, 0),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
}


def csv_of(rows: Iterable[Row], columns: Sequence[Column], version: Version) -> bytes:
    """Return rows as CSV.

    Args:
        rows: What `rules.py` found nothing wrong with.
        columns: In the order of the file.
        version: 1.0 is written so that focus-validator 1.0.0 takes it, which takes whole numbers, and text
            that looks like a number, for the wrong type: quantities end in `.0`, such text begins with `#`.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(column.name for column in columns)
    write = _CELL | (_CELL_OF_1_0 if version is Version.V1_0 else {})
    for row in rows:
        values = ((value_of(row, column), column.kind) for column in columns)
        writer.writerow("" if value is None else write[kind](value) for value, kind in values)
    return text.getvalue().encode()


def parquet_of(rows: Sequence[Row], columns: Sequence[Column], version: Version, dataset: str) -> bytes:
    """Return rows as Parquet, whose metadata name the dataset and the version."""
    schema = pa.schema(
        [pa.field(each.name, _PARQUET[each.kind], nullable=each.is_nullable) for each in columns],
        metadata={"FocusVersion": version.value, "FocusDataset": dataset},
    )
    arrays = [
        pa.array([_in_utc(value_of(row, column)) for row in rows], _PARQUET[column.kind])
        for column in columns
    ]
    target = BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), target)
    return target.getvalue()


def value_of(row: Row, column: Column) -> Any:  # noqa: ANN401 - whatever a row holds
    """Return what a row has for a column."""
    return None if column.is_empty else row[column.source]


def _in_utc(value: Any) -> Any:  # noqa: ANN401 - a cell of any type
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@lru_cache(maxsize=10_000)  # most texts of a file stand in many rows
def _text(value: str) -> str:
    return str(for_spreadsheet(value))


@lru_cache(maxsize=10_000)
def _text_of_1_0(value: str) -> str:
    return _text(f"#{value}" if _NUMBER.fullmatch(value) else value)


_CELL: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text,
    Kind.CURRENCY: _text,
    Kind.JSON: _text,
    Kind.MONEY: lambda value: f"{value:.6f}",
    Kind.QUANTITY: lambda value: f"{value:d}",
    Kind.TIME: lambda value: f"{value:%Y-%m-%dT%H:%M:%SZ}",
}
_CELL_OF_1_0: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text_of_1_0,
    Kind.QUANTITY: lambda value: f"{value:d}.0",
}
