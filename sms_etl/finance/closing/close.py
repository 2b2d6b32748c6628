"""Closes a month: the order of the steps, and nothing else. All of it in the caller's transaction.

A month that is not ripe, or whose invoice differs, is left open; one that is closed stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import duckdb

from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.closing.differences import Difference, InvoiceComparison, compare
from sms_etl.finance.closing.facts import read_facts
from sms_etl.finance.closing.freeze import Agreed, freeze
from sms_etl.finance.closing.invoice import Invoice
from sms_etl.finance.closing.periods import ClosedPeriod, closed_periods, frozen_figures, open_totals
from sms_etl.finance.closing.ripeness import Reason, reasons_against
from sms_etl.finance.figures import Total
from sms_etl.finance.formatting import count
from sms_etl.finance.period import first_of_month
from sms_etl.finance.queries import Queries, Row
from sms_etl.finance.reading import marts_needed, read_figures

if TYPE_CHECKING:
    import pyarrow as pa


class Status(StrEnum):
    """What became of a month that was to be closed."""

    CLOSED = "closed"
    REFUSED = "refused"
    ALREADY_CLOSED = "already_closed"


@dataclass(frozen=True)
class CloseResult:
    """What became of a month that was to be closed, and why."""

    month: date
    status: Status
    totals: tuple[Total, ...]
    """Of a month that is refused: what it comes to now."""
    reasons: tuple[str, ...] = ()
    """What speaks, or spoke, against closing it, as sentences."""
    digest: str | None = None
    """None: it is not closed."""
    differences: tuple[Difference, ...] = ()
    """The invoice less what is here."""
    forced_reason: str | None = None
    """Why it was closed although something spoke against it."""
    differing: "pa.Table | None" = field(default=None, repr=False, compare=False)
    """The messages behind the differences, see `InvoiceComparison.messages`."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {
            "month": f"{self.month:%Y-%m}",
            "status": self.status.value,
            "reasons": list(self.reasons),
            "digest": self.digest,
            "totals": [each.as_json() for each in self.totals],
            "differences": [each.as_json() for each in self.differences],
            "forced_reason": self.forced_reason,
        }


def close_month(
    connection: duckdb.DuckDBPyConnection,
    month: date | str,
    *,
    now: datetime,
    invoice: Invoice | None = None,
    forced_reason: str | None = None,
    check_words: Callable[[str], str] = str,
) -> CloseResult:
    """Close a month if it is ripe and the invoice agrees; else say what speaks against it.

    Args:
        connection: To the warehouse, in a transaction that is committed afterwards; models are built.
        month: The business month: `2026-01`, or any day in it.
        now: The present moment, with a time zone.
        invoice: What the provider billed; compared if it is there.
        forced_reason: Why to close it although something speaks against it. Rows that were changed by hand
            are not closed for any reason.
        check_words: Puts the name of a check that failed in words.

    Raises:
        NotAPeriod: The month cannot be read, or has not begun.
        NoDataForPeriod: The month has no messages, and no corrections were booked to it.
        NoWarehouse: The models were never built.
        InvoiceUnreadable: The invoice names no currency where it has to.
        ClosedMonthChanged: The month is closed, and what is kept of it was changed since.
        ReportError: The marts contradict each other.
    """
    queries = Queries(connection, first_of_month(month))
    with marts_needed():
        period = closed_periods(queries).get(queries.month)
        if period is not None:
            return _already_closed(queries, period, invoice)
        context = _context(queries, now)
        compared = compare(queries, invoice) if invoice else InvoiceComparison()
        facts = read_facts(queries, context, now)
        facts = replace(facts, failed_checks=tuple(map(check_words, facts.failed_checks)))
        against = (*reasons_against(facts), *_disagreement(compared))
    reasons = tuple(reason.text for reason in against)
    if against and not (forced_reason and all(reason.can_be_forced for reason in against)):
        return CloseResult(
            queries.month,
            Status.REFUSED,
            open_totals(queries),
            reasons,
            differences=compared.differences,
            differing=compared.messages,
        )
    figures = read_figures(connection, queries.month, now=now)
    agreed = Agreed(now, invoice, compared.differences, forced_reason if against else None, reasons)
    period = freeze(queries, figures, agreed)
    return CloseResult(
        period.month,
        Status.CLOSED,
        period.totals,
        reasons,
        period.digest,
        compared.differences,
        period.forced_reason,
        compared.messages,
    )


def _already_closed(queries: Queries, period: ClosedPeriod, invoice: Invoice | None) -> CloseResult:
    frozen_figures(queries, period)  # raises if they are not what was closed
    compared = compare(queries, invoice) if invoice else InvoiceComparison()
    return CloseResult(
        period.month,
        Status.ALREADY_CLOSED,
        period.totals,
        digest=period.digest,
        differences=compared.differences,
        forced_reason=period.forced_reason,
        differing=compared.messages,
    )


def _context(queries: Queries, now: datetime) -> Row:
    """Return what is known of the month, and book the corrections that may still count in it."""
    found = queries.rows("closing/context")
    if found and found[0]["is_current"]:
        book_corrections(queries.connection, now)
    if not found or not found[0]["messages"]:
        read_figures(queries.connection, queries.month, now=now)  # says why, if there is nothing to close
    return found[0]


def _disagreement(compared: InvoiceComparison) -> tuple[Reason, ...]:
    said = []
    if compared.differences:
        amounts: dict[str, Any] = {}
        for each in compared.differences:
            amounts[each.currency] = amounts.get(each.currency, 0) + each.amount
        listed = ", ".join(f"{currency} {amount:+.6f}" for currency, amount in sorted(amounts.items()))
        how = "" if compared.has_uuids else " It names no messages, so only its totals were compared."
        said.append(
            f"The invoice differs from what is here, by {listed} in all.{how} Settle the differences with "
            "the provider (docs/closing.md), and give the invoice that agrees."
        )
    if compared.twice:
        many = "message is" if compared.twice == 1 else "messages are"
        said.append(
            f"{count(compared.twice)} {many} on the invoice more than once: an error of the invoice, counted "
            "as unknown. Ask the provider for a new one."
        )
    return tuple(Reason(text) for text in said)
