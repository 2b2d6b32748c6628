"""Writes the messages of which an invoice differs as CSV, to be settled with the provider.

No personal data: a message is named by its UUID.
"""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from sms_etl.finance.closing.close import CloseResult
from sms_etl.finance.closing.invoice import Invoice
from sms_etl.finance.csv_cells import Cell, write_rows
from sms_etl.finance.writing import replace_together

if TYPE_CHECKING:
    import pyarrow as pa


def write_differing(result: CloseResult, invoice: Invoice, folder: Path) -> Path | None:
    """Write `sms-invoice-differences-<month>-<digest>.csv`, and return its path.

    One row a message, or a charge for none. An amount is empty where that side has none. The digest is that
    of the invoice, so that the list of a later one stands beside it.

    Args:
        result: What became of the month.
        invoice: What it was compared with.
        folder: Of reports; made if it is not there.

    Returns:
        None if nothing differs, or the invoice names no messages.

    Raises:
        DataDirError: The folder cannot be written.
    """
    if result.differing is None:
        return None
    text = StringIO(newline="")
    write_rows(text, result.differing.column_names, _rows(result.differing))
    path = folder / f"sms-invoice-differences-{result.month:%Y-%m}-{invoice.digest[:8]}.csv"
    replace_together({path: text.getvalue().encode()})
    return path


def _rows(table: "pa.Table") -> Iterator[tuple[Cell, ...]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
