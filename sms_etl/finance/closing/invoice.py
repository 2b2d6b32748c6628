"""Reads the provider's invoice, a CSV of any layout that names its columns. Never quotes what is in it.

Columns go by their headings, in any order: `uuid`; `amount`, `price` or `cost`, the first of these that is
there; `currency`. All others are ignored. Fields are parted by commas or semicolons; with semicolons an
amount may have a decimal comma.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from sms_etl.errors import InvoiceUnreadable

_AMOUNTS = ("amount", "price", "cost")
_POINT = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,30})?")
_POINT_OR_COMMA = re.compile(r"[+-]?[0-9]{1,12}([.,][0-9]{1,30})?")
_PLACES = Decimal("0.000001")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class InvoiceLine:
    """One line of an invoice."""

    line: int
    """Of the file, counted from 1."""
    uuid: UUID | None
    """None: it is for no single message."""
    amount: Decimal
    """At most six decimals."""
    currency: str | None
    """None: it does not say."""


@dataclass(frozen=True)
class Invoice:
    """A whole invoice."""

    lines: tuple[InvoiceLine, ...]
    has_uuids: bool
    """It has a column `uuid`; without one, only totals can be compared."""
    digest: str
    """SHA-256 of the file, as 64 hex digits."""


def read_invoice(path: Path) -> Invoice:
    """Read an invoice.

    Raises:
        InvoiceUnreadable: It cannot be opened, or a line cannot be read; names the line and what to do.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InvoiceUnreadable(
            f"The invoice {path} cannot be opened: {exc.strerror or 'not readable'}.",
            hint="Give the path of a CSV file.",
        ) from exc
    return parse_invoice(content)


def parse_invoice(content: bytes) -> Invoice:
    """Read the bytes of an invoice, as `read_invoice` does."""
    text = _decoded(content)
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    rows = _rows(text, delimiter)
    try:
        _, heading = next(rows)
    except StopIteration:
        raise _unreadable(1, "the file is empty", "Give a CSV whose first line names its columns.") from None
    columns = {name.strip().lower(): place for place, name in reversed([*enumerate(heading)])}
    amount = next((name for name in _AMOUNTS if name in columns), None)
    if amount is None:
        raise _unreadable(
            1, "no column is called amount, price or cost", "Name the column with the amounts so."
        )
    reader = _Reader(columns, amount, delimiter, len(heading))
    lines = tuple(reader.read(number, fields) for number, fields in rows)
    if not lines:
        raise _unreadable(1, "nothing follows the headings", "Give the invoice with its lines.")
    return Invoice(lines, "uuid" in columns, hashlib.sha256(content).hexdigest())


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise _unreadable(line, "it is not UTF-8", "Save the file as CSV in UTF-8.") from exc


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as exc:
        raise _unreadable(
            begins, "its quotes do not match, or a field is too long", "Save the file as CSV anew."
        ) from exc


@dataclass(frozen=True)
class _Reader:
    """Reads rows by the columns of a heading."""

    columns: Mapping[str, int]
    amount: str
    delimiter: str
    width: int

    def read(self, number: int, fields: list[str]) -> InvoiceLine:
        if len(fields) != self.width:
            raise _unreadable(
                number,
                f"it has {len(fields)} fields where the headings are {self.width}",
                "Put fields that hold the delimiter into double quotes.",
            )
        return InvoiceLine(
            number,
            self._uuid(number, self._field("uuid", fields)),
            self._amount(number, self._field(self.amount, fields)),
            self._currency(number, self._field("currency", fields)),
        )

    def _field(self, name: str, fields: list[str]) -> str:
        return fields[self.columns[name]].strip() if name in self.columns else ""

    def _uuid(self, number: int, text: str) -> UUID | None:
        if not text:
            return None
        if not _UUID.fullmatch(text):
            raise _unreadable(
                number, "uuid holds no uuid", "Give the uuid of the message, or nothing if there is none."
            )
        return UUID(text)

    def _amount(self, number: int, text: str) -> Decimal:
        has_comma = self.delimiter == ";"
        if not (_POINT_OR_COMMA if has_comma else _POINT).fullmatch(text):
            form = "1234.56 or 1234,56" if has_comma else "1234.56"
            raise _unreadable(
                number,
                f"{self.amount} holds no amount",
                f"Write amounts as {form}: without a sign of the currency, and without one for thousands.",
            )
        amount = Decimal(text.replace(",", "."))
        if amount != amount.quantize(_PLACES):
            raise _unreadable(
                number, f"{self.amount} has more than six decimals", "Give it with six decimals at most."
            )
        return amount.quantize(_PLACES)

    @staticmethod
    def _currency(number: int, text: str) -> str | None:
        if not text:
            return None
        if not re.fullmatch(r"[A-Za-z]{3}", text):
            raise _unreadable(number, "currency holds no currency", "Give its three letters, such as EUR.")
        return text.upper()


def _unreadable(line: int, what: str, hint: str) -> InvoiceUnreadable:
    return InvoiceUnreadable(f"Line {line} of the invoice cannot be read: {what}.", hint=hint)
