"""Writes the messages behind a figure of a report as CSV, so that a total can be traced to its messages.

No recipient and no text; a sender that is a number is masked. Messages of closed months are those that were
closed; corrections booked to the period are lines of their own.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.finance.choosing import FILTERS, Filters, known_filters, shown
from sms_etl.finance.closing.reported import digest_of_report, figures_to_report
from sms_etl.finance.csv_cells import Cell, write_rows
from sms_etl.finance.figures import Figures, Total
from sms_etl.finance.locales import Locale, written_in
from sms_etl.finance.period import Period
from sms_etl.finance.queries import Queries, sql_of
from sms_etl.finance.reading import marts_needed
from sms_etl.finance.writing import written_together
from sms_etl.pii.senders import shown_sender

COLUMNS = (
    "line",
    "business_month",
    "uuid",
    "created_at",
    "business_day",
    "sent_at",
    "settled_at",
    "delivery_status",
    "country_code",
    "service_code",
    "sender_id",
    "cost_centre",
    "bulk_id",
    "key_id",
    "messages",
    "parts",
    "unit_price",
    "price",
    "currency",
    "closed_month",
    "correction_kind",
)
_ORDER = ("created_at", "uuid", "closed_month", "correction_kind", "price")
_BATCH = 10_000
_LONGEST_NAME = 120
_MILLIONTH = Decimal("0.000001")


@dataclass
class Sum:
    """What the lines in one currency come to."""

    messages: int = 0
    cost: Decimal = Decimal(0)
    corrections: int = 0
    correction_messages: int = 0
    correction_amount: Decimal = Decimal(0)

    def total(self, currency: str) -> Total:
        """Return messages and cost, corrections included."""
        return Total(currency, self.messages + self.correction_messages, self.cost + self.correction_amount)


@dataclass(frozen=True)
class LinesResult:
    """What was written, and what it comes to."""

    file: Path
    period: Period
    filters: Filters
    report_id: str
    """Of the report that these are lines of."""
    digest: str
    sums: Mapping[str, Sum] = field(default_factory=dict)
    """By currency."""

    @property
    def lines(self) -> int:
        """How many there are."""
        return sum(each.messages + each.corrections for each in self.sums.values())

    @property
    def totals(self) -> tuple[Total, ...]:
        """What they come to, corrections included."""
        return tuple(found.total(currency) for currency, found in sorted(self.sums.items()))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {
            self.period.kind: self.period.written,
            "files": [str(self.file)],
            "report_id": self.report_id,
            "digest": self.digest,
            "where": {
                column: [shown(column, value) for value in values] for column, values in self.filters.items()
            },
            "lines": self.lines,
            "messages": sum(each.messages for each in self.sums.values()),
            "cost": {currency: f"{found.cost:.6f}" for currency, found in sorted(self.sums.items())},
            "corrections": sum(each.corrections for each in self.sums.values()),
            "totals": [each.as_json() for each in self.totals],
        }


def write_lines(
    connection: duckdb.DuckDBPyConnection,
    period: Period,
    out_dir: Path,
    *,
    now: datetime,
    filters: Filters | None = None,
    locale: Locale = Locale.EN,
) -> LinesResult:
    """Write `sms-lines-<period>.csv`, with what was filtered by in its name, replacing an earlier one.

    Args:
        connection: Read-only, of the published copy.
        period: Whose lines.
        out_dir: Where to; made if it is not there.
        now: The present moment, with a time zone.
        filters: Which lines; None: all of them.
        locale: In which manner numbers and dates are written.

    Raises:
        ReportError: As `write_report`, which makes sure that all lines are what the report says.
        UnknownFilter: No line of any month could have a value that is asked for.
        DataDirError: `out_dir` cannot be written.
    """
    figures = figures_to_report(connection, period, now=now)
    with marts_needed():
        chosen = known_filters(connection, filters or {})
    digest = digest_of_report(figures)
    path = out_dir / f"sms-lines-{period.slug}{_named(chosen)}.csv"
    sums: dict[str, Sum] = {}
    with (
        written_together((path,), "The lines") as (file,),
        TextIOWrapper(file, encoding="utf-8", newline="") as text,
        written_in(locale),
        marts_needed(),
    ):
        write_rows(text, COLUMNS, _counted(_rows(connection, figures, chosen), sums))
    return LinesResult(path, period, chosen, f"sms-{period.slug}-{digest[:12]}", digest, sums)


def _rows(
    connection: duckdb.DuckDBPyConnection, figures: Figures, filters: Filters
) -> Iterator[dict[str, Any]]:
    """Yield lines month by month, messages before corrections, each in the order of their time."""
    for month, is_closed in _months(figures):
        for query in ("lines/closed" if is_closed else "lines/open", "lines/corrections"):
            Queries(connection, month).set("report_month", month)
            text, values = _statement(query, filters)
            cursor = connection.execute(text, values)
            names = [column[0] for column in cursor.description or ()]
            while batch := cursor.fetchmany(_BATCH):
                yield from (dict(zip(names, row, strict=True)) for row in batch)


def _months(figures: Figures) -> list[tuple[date, bool]]:
    """Return the months that have figures, and whether each is closed."""
    if not figures.months:
        return [(figures.basis.month, figures.closing is not None)]
    return [(part.month, part.figures.closing is not None) for part in figures.months if part.figures]


def _statement(query: str, filters: Filters) -> tuple[str, list[str]]:
    """Return a query for the lines that are chosen; what a person wrote is in its parameters only."""
    conditions = ["true"]
    for name, values in filters.items():
        either = [f"{FILTERS[name]} = ?" for value in values if value]
        if "" in values:
            either.append(f"{FILTERS[name]} is null")
        conditions.append(f"({' or '.join(either)})")
    chosen, order = " and ".join(conditions), ", ".join(f"lines.{name}" for name in _ORDER)
    return (
        f"select lines.* from (\n{sql_of(query)}\n) as lines where {chosen} order by {order}",  # noqa: S608 - ours
        [value for values in filters.values() for value in values if value],
    )


def _counted(rows: Iterator[dict[str, Any]], sums: dict[str, Sum]) -> Iterator[tuple[Cell, ...]]:
    """Yield rows as they are written, adding each to the sum of its currency."""
    for row in rows:
        found = sums.setdefault(row["currency"], Sum())
        if row["line"] == "message":
            found.messages += 1
            found.cost += row["price"] or 0
        else:
            found.corrections += 1
            found.correction_messages += row["messages"]
            found.correction_amount += row["price"]
        row["unit_price"] = _unit_price(row)
        row["sender_id"] = row["sender_id"] and shown_sender(row["sender_id"])
        row["business_month"] = f"{row['business_month']:%Y-%m}"
        row["closed_month"] = row["closed_month"] and f"{row['closed_month']:%Y-%m}"
        yield tuple(row[name] for name in COLUMNS)


def _unit_price(row: Mapping[str, Any]) -> Decimal | None:
    """Return the price per part, rounded half up to a millionth as the marts do; voice has none."""
    if row["price"] is None or not row["parts"] or row["is_voice"]:
        return None
    return Decimal(row["price"] / row["parts"]).quantize(_MILLIONTH, ROUND_HALF_UP)


def _named(filters: Filters) -> str:
    """Return what was filtered by as a part of a file's name; where it cannot be told apart, with a hash."""
    words = "-".join(
        f"{name}-{shown(name, value) or 'none'}" for name, values in filters.items() for value in values
    )
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", words).strip("-")[:_LONGEST_NAME]
    if not plain or plain == words:
        return f"-{plain}" if plain else ""
    return f"-{plain}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
