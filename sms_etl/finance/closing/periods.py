"""The closed months: reads them, makes their digest, and tells whether they are still what was closed.

The digest is the SHA-256 of a text of a few lines: one for each day with the number of its messages and the
SHA-256 of their lines, one for the corrections booked to the month, one for each currency's total. Day by
day, so that memory stays bounded; by SQL, so that anybody can make it again.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb

from sms_etl.errors import ClosedMonthChanged
from sms_etl.finance.figures import Closing, Total
from sms_etl.finance.queries import Queries

DIGEST_VERSION = 1


@dataclass(frozen=True)
class ClosedPeriod:
    """A closed month; times are UTC, without a time zone."""

    month: date
    closed_at: datetime
    digest: str
    digest_version: int
    figures_digest: str
    is_forced: bool
    forced_reason: str | None
    overridden_reasons: tuple[str, ...]
    totals: tuple[Total, ...]
    version: str

    @property
    def closing(self) -> Closing:
        """How it was closed, as its report says it."""
        return Closing(self.closed_at, self.digest, self.forced_reason, self.overridden_reasons)


def closed_periods(queries: Queries) -> dict[date, ClosedPeriod]:
    """Return every closed month, by its first day."""
    found = (
        ClosedPeriod(
            **row
            | {
                "overridden_reasons": tuple(json.loads(row["overridden_reasons"])),
                "totals": tuple(
                    Total(each["currency"], each["messages"], Decimal(each["cost"]))
                    for each in json.loads(row["totals"])
                ),
            }
        )
        for row in queries.rows("closing/closed_months")
    )
    return {period.month: period for period in found}


def closed_totals(queries: Queries) -> tuple[Total, ...]:
    """Return what the lines of the month, and the corrections booked to it, come to."""
    return tuple(Total(**row) for row in queries.rows("closing/totals"))


def open_totals(queries: Queries) -> tuple[Total, ...]:
    """Return what a month that is not closed comes to now."""
    return tuple(Total(**row) for row in queries.rows("closing/open_totals"))


def digest_of(queries: Queries) -> str:
    """Return the digest of the month's lines, corrections and totals, as 64 hex digits."""
    hashed = hashlib.sha256()

    def add(*words: object) -> None:
        hashed.update((" ".join(str(word) for word in words) + "\n").encode())

    add("sms_etl closed month", DIGEST_VERSION)
    add("month", f"{queries.month:%Y-%m}")
    for row in queries.rows("closing/days"):
        queries.set("closed_day", row["business_day"])
        day = queries.row("closing/day_digest")
        add("day", row["business_day"], day["lines"], day["digest"])
    corrections = queries.row("closing/corrections_digest")
    add("corrections", corrections["corrections"], corrections["digest"])
    for total in closed_totals(queries):
        add("total", total.currency, total.messages, f"{total.cost:.6f}")
    return hashed.hexdigest()


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def frozen_figures(queries: Queries, period: ClosedPeriod) -> str:
    """Return the figures of a closed month as they were written.

    Raises:
        ClosedMonthChanged: They, or its lines, are not what was closed.
    """
    if not _is_as_closed(queries, period):
        raise ClosedMonthChanged(
            f"What is kept of {period.month:%Y-%m} is not what was closed: its digest differs.",
            hint="Somebody changed the tables of the schema finance; restore a backup (docs/operations.md).",
        )
    return str(queries.row("closing/figures")["figures"])


def changed_months(connection: duckdb.DuckDBPyConnection) -> tuple[date, ...]:
    """Return the closed months whose lines, corrections, totals or figures are not what was closed."""
    every = Queries(connection, date.min)
    periods = closed_periods(every).values()
    return tuple(
        period.month for period in periods if not _is_as_closed(Queries(connection, period.month), period)
    )


def _is_as_closed(queries: Queries, period: ClosedPeriod) -> bool:
    figures = str(queries.row("closing/figures")["figures"])
    return (
        digest_of_text(figures) == period.figures_digest
        and digest_of(queries) == period.digest
        and closed_totals(queries) == period.totals
    )
