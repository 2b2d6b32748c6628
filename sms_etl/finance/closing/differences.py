"""Compares an invoice with what a month holds: the differences by bucket, which add up exactly.

The amounts of all buckets of a currency are together the invoice's total less ours. Within a bucket they are
told apart by cause, so that what is billed too much and what is not billed do not hide each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sms_etl.errors import InvoiceUnreadable
from sms_etl.finance.closing.invoice import Invoice
from sms_etl.finance.queries import Queries, Row

if TYPE_CHECKING:
    import pyarrow as pa

_MAKE_TABLE = """
create or replace temp table invoice_line (
    line integer, uuid uuid, currency varchar, amount decimal(38, 6)
)
"""
_FILL_TABLE = """
insert into temp.invoice_line
select
    unnest(cast($lines as integer[])),
    unnest(cast($uuids as uuid[])),
    unnest(cast($currencies as varchar[])),
    unnest(cast($amounts as decimal(38, 6)[]))
"""


@dataclass(frozen=True)
class Cause:
    """What one cause adds to a bucket."""

    cause: str
    """In words, as `invoice_differences.sql` names it."""
    messages: int
    amount: Decimal

    def as_json(self) -> dict[str, str | int]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {"cause": self.cause, "messages": self.messages, "amount": f"{self.amount:.6f}"}


@dataclass(frozen=True)
class Difference:
    """What an invoice says more (or less, if negative) than is here, in one bucket and currency."""

    bucket: str
    """`late`, `deleted at the provider`, `unpriced`, `price differs` or `unknown`."""
    currency: str
    messages: int
    """0 where the invoice names no messages."""
    amount: Decimal
    causes: tuple[Cause, ...]
    """They add up to the amount; a message that has two is in both."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {
            "bucket": self.bucket,
            "messages": self.messages,
            "amount": f"{self.amount:.6f}",
            "currency": self.currency,
            "causes": [each.as_json() for each in self.causes],
        }


@dataclass(frozen=True)
class InvoiceComparison:
    """How an invoice differs; nothing, if it agrees."""

    differences: tuple[Difference, ...] = ()
    twice: int = 0
    """Messages that are on the invoice more than once."""
    has_uuids: bool = True
    messages: "pa.Table | None" = field(default=None, repr=False, compare=False)
    """One row a message that differs, or a charge for none, as `invoice_differences.sql` has them; None if
    there is none, or the invoice names no messages."""


def compare(queries: Queries, invoice: Invoice) -> InvoiceComparison:
    """Compare an invoice with the month: message by message, or by totals if it names no messages.

    Raises:
        InvoiceUnreadable: A line has no currency, and the month has several.
    """
    _write(queries, invoice)
    if not invoice.has_uuids:
        totals = (_by_totals(row) for row in queries.rows("closing/invoice_totals"))
        return InvoiceComparison(tuple(totals), has_uuids=False)
    queries.make_temporary("invoice_difference", "closing/invoice_differences")
    differences = _by_bucket(queries.rows("closing/invoice_causes"))
    return InvoiceComparison(
        differences,
        queries.row("closing/invoice_twice")["messages"],
        messages=queries.table("closing/invoice_messages") if differences else None,
    )


def _by_totals(row: Row) -> Difference:
    cause = Cause(row["cause"], row["messages"], row["amount"])
    return Difference(row["bucket"], row["currency"], row["messages"], row["amount"], (cause,))


def _by_bucket(rows: Iterable[Row]) -> tuple[Difference, ...]:
    """Return the buckets of rows in which each comes before its causes."""
    found = []
    for (bucket, currency), together in groupby(rows, key=lambda row: (row["bucket"], row["currency"])):
        whole, *parts = together
        causes = tuple(Cause(row["cause"], row["messages"], row["amount"]) for row in parts)
        found.append(Difference(bucket, currency, whole["messages"], whole["amount"], causes))
    return tuple(found)


def _write(queries: Queries, invoice: Invoice) -> None:
    """Write the invoice into a temporary table, which the comparison reads."""
    usual = _usual_currency(queries, invoice)
    queries.connection.execute(_MAKE_TABLE)
    queries.connection.execute(
        _FILL_TABLE,
        {
            "lines": [each.line for each in invoice.lines],
            "uuids": [each.uuid and str(each.uuid) for each in invoice.lines],
            "currencies": [each.currency or usual for each in invoice.lines],
            "amounts": [str(each.amount) for each in invoice.lines],
        },
    ).fetchall()


def _usual_currency(queries: Queries, invoice: Invoice) -> str | None:
    """Return the currency of lines that name none; None if every line names one."""
    silent = next((each.line for each in invoice.lines if each.currency is None), None)
    if silent is None:
        return None
    currencies = [str(row["currency"]) for row in queries.rows("closing/currencies")]
    if len(currencies) == 1:
        return currencies[0]
    raise InvoiceUnreadable(
        f"Line {silent} of the invoice names no currency, and the month has "
        f"{', '.join(currencies) or 'none'}.",
        hint="Add a column currency.",
    )
