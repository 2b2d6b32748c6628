"""Writes FOCUS files of one or more months: all of them appear whole, or none does."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.errors import FocusInvalid, NoDataForPeriod, NotAPeriod, ReportError
from sms_etl.finance.closing.reported import digest_of_report
from sms_etl.finance.focus.charges import MonthOfCharges, read_month
from sms_etl.finance.focus.encoding import csv_of, parquet_of
from sms_etl.finance.focus.rules import (
    broken_by_charges,
    broken_by_columns,
    broken_by_period,
    broken_by_sums,
)
from sms_etl.finance.focus.specification import BILLING_PERIOD, COST_AND_USAGE, Version
from sms_etl.finance.formatting import count
from sms_etl.finance.writing import replace_together

_MOST_SHOWN = 5


@dataclass(frozen=True)
class FocusResult:
    """What was written."""

    version: Version
    name: str
    """How the period is called."""
    files: tuple[Path, ...]
    months: tuple[date, ...]
    """Those with messages or corrections."""
    rows: int
    """Of Cost and Usage."""
    corrections: int
    """How many of these correct closed months."""
    unpriced: int
    """Messages that are in no row, as their price is not known."""
    digest: str
    """SHA-256, 64 hex digits: of one month as its report has it, of several that of all of them."""

    @property
    def report_id(self) -> str:
        """Names what was written, as the report of the same figures."""
        return f"sms-{self.name}-{self.digest[:12]}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what whoever reads the files must know, as sentences."""
        if not self.unpriced:
            return ()
        are = "message has no price and is" if self.unpriced == 1 else "messages have no price and are"
        return (f"{count(self.unpriced)} {are} left out: FOCUS has no place for a cost that is not known.",)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "version": self.version.value,
            "files": [str(file) for file in self.files],
            "report_id": self.report_id,
            "digest": self.digest,
            "months": [f"{month:%Y-%m}" for month in self.months],
            "rows": self.rows,
            "corrections": self.corrections,
            "unpriced": self.unpriced,
            "notes": list(self.notes),
        }


def write_focus(
    connection: duckdb.DuckDBPyConnection,
    months: Sequence[date],
    out_dir: Path,
    *,
    now: datetime,
    version: Version = Version.V1_4,
    name: str | None = None,
    digest: str | None = None,
) -> FocusResult:
    """Write `focus-<name>.csv` and `.parquet`, and for 1.4 `focus-billing-period-<name>` likewise.

    The CSV of a closed month is the same byte for byte for ever; its Parquet has the same values.

    Args:
        connection: Read-only, of the published copy.
        months: First days of business months, in order. Months that have not begun, or in which nothing was
            sent, are left out, unless all of them are.
        out_dir: Where to; made if it is not there.
        now: The present moment, with a time zone.
        version: Which version of FOCUS.
        name: How the period is called in the names of the files; that of a single month by default.
        digest: Of the report of several months.

    Raises:
        FocusInvalid: A row would break a rule of FOCUS; nothing is written.
        NotAPeriod: No month has begun.
        NoDataForPeriod: Nothing was sent.
        ClosedMonthChanged: What is kept of a closed month was changed since.
        NoWarehouse: The models were never built, or by an older version.
        DataDirError: `out_dir` cannot be written.
    """
    read = _read(connection, months, now)
    rows = [row for month in read for row in month.rows]
    periods = [month.billing_period for month in read]
    columns = COST_AND_USAGE[version]
    _refuse(chain(broken_by_columns(rows, columns), broken_by_columns(periods, BILLING_PERIOD)))
    _refuse(_broken_rules(read, rows))
    called = name or f"{months[0]:%Y-%m}"
    charges, period = out_dir / f"focus-{called}.csv", out_dir / f"focus-billing-period-{called}.csv"
    contents = {
        charges: csv_of(rows, columns, version),
        charges.with_suffix(".parquet"): parquet_of(rows, columns, version, "CostAndUsage"),
    }
    if version is Version.V1_4:
        contents[period] = csv_of(periods, BILLING_PERIOD, version)
        contents[period.with_suffix(".parquet")] = parquet_of(
            periods, BILLING_PERIOD, version, "BillingPeriod"
        )
    replace_together(contents)
    return FocusResult(
        version=version,
        name=called,
        files=tuple(contents),
        months=tuple(month.figures.basis.month for month in read),
        rows=len(rows),
        corrections=sum(len(month.corrections) for month in read),
        unpriced=sum(month.figures.unpriced for month in read),
        digest=digest or digest_of_report(read[0].figures),
    )


def _read(
    connection: duckdb.DuckDBPyConnection, months: Sequence[date], now: datetime
) -> list[MonthOfCharges]:
    read: list[MonthOfCharges] = []
    empty: list[ReportError] = []
    for month in months:
        try:
            read.append(read_month(connection, month, now=now))
        except (NoDataForPeriod, NotAPeriod) as exc:
            empty.append(exc)
    if not read:
        raise empty[0]
    return read


def _broken_rules(read: Iterable[MonthOfCharges], rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what holds of rows whose columns are as they must be."""
    yield from broken_by_charges(rows)
    for month in read:
        yield from broken_by_sums(month.rows, month.figures)
        yield from broken_by_period(month.billing_period)


def _refuse(broken: Iterator[str]) -> None:
    if found := list(islice(broken, _MOST_SHOWN)):
        more = "" if len(found) < _MOST_SHOWN else " There may be more."
        raise FocusInvalid(
            f"The FOCUS file would not be as the specification says: {'; '.join(found)}.{more}",
            hint="Nothing was written. Run `sms-etl sync` and `sms-etl build --full`; look at failed tests.",
        )
