"""Writes the report of a month, quarter or year; all files of it appear whole or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.finance import wording
from sms_etl.finance.closing.reported import digest_of_report, figures_to_report
from sms_etl.finance.coverage import Comparison, Coverage
from sms_etl.finance.csv_cells import csv_of
from sms_etl.finance.figures import Figures, MonthPart, Total
from sms_etl.finance.locales import Locale, written_in
from sms_etl.finance.page import render_page
from sms_etl.finance.period import Period, month_of
from sms_etl.finance.tables import tables_of
from sms_etl.finance.workbook import render_workbook
from sms_etl.finance.writing import replace_together
from sms_etl.warehouse.later_build import LaterFailure


class Format(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    XLSX = "xlsx"
    CSV = "csv"


DEFAULT_FORMATS = (Format.HTML, Format.XLSX)


@dataclass(frozen=True)
class Report:
    """What the files of a report are made of."""

    figures: Figures
    stamp: wording.Stamp

    @property
    def name(self) -> str:
        """How its files are called, without what tells them apart."""
        return f"sms-report-{self.figures.basis.period.slug}"


def _html(report: Report) -> dict[str, bytes]:
    return {f"{report.name}.html": render_page(report.figures, report.stamp).encode()}


def _xlsx(report: Report) -> dict[str, bytes]:
    return {f"{report.name}.xlsx": render_workbook(report.figures, report.stamp)}


def _csv(report: Report) -> dict[str, bytes]:
    return {
        f"{report.name}-{table.name}.csv": csv_of(table.columns, table.rows)
        for table in tables_of(report.figures, report.stamp.digest)
    }


_WRITERS: Mapping[Format, Callable[[Report], dict[str, bytes]]] = {
    Format.HTML: _html,
    Format.XLSX: _xlsx,
    Format.CSV: _csv,
}
"""What each format is written by: returns the contents of its files by their names."""


@dataclass(frozen=True)
class ReportResult:
    """What was written, and the figures on top of it."""

    files: tuple[Path, ...]
    """In the order of the formats asked for."""
    report_id: str
    """Names the report; of closed months the same for ever."""
    period: Period
    timezone: str
    watermark_at: datetime | None
    as_of_at: datetime
    coverage: Coverage
    """What of the period was read from the provider."""
    comparison: Comparison
    is_cost_complete: bool
    """The period was read whole, every message has a price, none is left out unaccepted."""
    is_delivery_complete: bool
    """The period was read whole, every message is final or aged out, none is left out unaccepted."""
    is_forced: bool
    """What is reported on was published although a blocking check had failed."""
    statements: tuple[wording.Statement, ...]
    """What the report says of itself, in sentences."""
    messages: int
    parts: int
    delivery_rate: Decimal | None
    """Delivered of the final messages, 0 to 1."""
    share_settled: Decimal
    """0 to 1; below 1 the figures may still change."""
    unpriced: int
    currencies: tuple[str, ...]
    cost: Mapping[str, Decimal]
    """By currency, exact, net of VAT."""
    cost_undelivered: Mapping[str, Decimal]
    digest: str
    """SHA-256, 64 hex digits: of a closed month that of its closing, of an open one that of the figures as
    they are now, of a quarter or year that of its months' digests."""
    is_closed: bool
    """The figures never change again: the month is closed, or every month of the period is."""
    totals: tuple[Total, ...]
    """What the period comes to, the corrections booked to it included."""
    corrections: int
    """How many those are."""
    months: tuple[MonthPart, ...]
    """Of a quarter or year: its months, and what is closed of it."""

    @property
    def month(self) -> date:
        """First day of the period."""
        return self.period.first

    @property
    def html(self) -> Path:
        """The page, where one was written."""
        return self._file(Format.HTML)

    @property
    def xlsx(self) -> Path:
        """The workbook, where one was written."""
        return self._file(Format.XLSX)

    def _file(self, form: Format) -> Path:
        return next(each for each in self.files if each.suffix == f".{form}")

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text, times are ISO 8601 with their offset."""
        covered = [
            {"from": f"{each.from_at.isoformat()}+00:00", "until": f"{each.until_at.isoformat()}+00:00"}
            for each in self.coverage.read
        ]
        by_format = {
            form.value: next((str(each) for each in self.files if each.suffix == f".{form}"), None)
            for form in DEFAULT_FORMATS
        }
        return {
            self.period.kind: self.period.written,
            **by_format,
            "files": [str(each) for each in self.files],
            "report_id": self.report_id,
            "digest": self.digest,
            "is_closed": self.is_closed,
            "totals": [each.as_json() for each in self.totals],
            "corrections": self.corrections,
            "months": [
                {"month": f"{each.month:%Y-%m}", "state": each.state.value, "digest": each.digest}
                for each in self.months
            ],
            "messages": self.messages,
            "cost": {currency: str(cost) for currency, cost in self.cost.items()},
            "covered": covered,
            "is_covered": self.coverage.is_complete,
            "is_running": self.coverage.is_running,
            "is_cost_complete": self.is_cost_complete,
            "is_delivery_complete": self.is_delivery_complete,
            "is_forced": self.is_forced,
            "statements": [f"{each.name}: {each.state}. {each.text}" for each in self.statements],
        }


def _with_check_words(figures: Figures, words: Callable[[str], str]) -> Figures:
    """Return figures whose failed checks are in words; the digest is of their names."""
    published = figures.basis.publication
    if published is None or not published.failed_tests:
        return figures
    said = replace(published, failed_tests=tuple(map(words, published.failed_tests)))
    return replace(figures, basis=replace(figures.basis, publication=said))


def write_report(
    connection: duckdb.DuckDBPyConnection,
    period: Period | date | str,
    out_dir: Path,
    *,
    generated_at: datetime,
    formats: Sequence[Format] = DEFAULT_FORMATS,
    locale: Locale = Locale.EN,
    check_words: Callable[[str], str] = str,
    later: LaterFailure | None = None,
) -> ReportResult:
    """Write `sms-report-<period>.html` and whatever else is asked for, replacing earlier ones.

    Of a closed month all show the figures as they were closed, byte for byte.

    Args:
        connection: Read-only, of the published copy.
        period: A business month, as `2026-01` or any day in it, or a quarter or year.
        out_dir: Where to; made if it is not there.
        generated_at: The present moment, with a time zone; printed, but where all is closed: there the moment
            of the last closing is.
        formats: Which files to write.
        locale: In which manner numbers and dates are written.
        check_words: Puts the name of a check that failed in words.
        later: How a build failed after the copy was published, if one did; said of figures that may change.

    Raises:
        NotAPeriod: The period cannot be read, or has not begun.
        ReportError: The marts contradict each other.
        ClosedMonthChanged: A month is closed, and what is kept of it was changed since.
        NoDataForPeriod: It has no messages; names the months that have.
        NoWarehouse: The models were never built.
        DataDirError: `out_dir` cannot be written.
    """
    asked = period if isinstance(period, Period) else month_of(period)
    figures = figures_to_report(connection, asked, now=generated_at)
    digest = digest_of_report(figures)
    told = later.in_words(check_words) if later and figures.closing is None else None
    stamp = wording.Stamp(generated_at, f"sms-{asked.slug}-{digest[:12]}", digest, told)
    figures = _with_check_words(figures, check_words)
    report = Report(figures, stamp)
    with written_in(locale):
        contents = {
            out_dir / name: content for form in formats for name, content in _WRITERS[form](report).items()
        }
        statements = tuple(wording.statements(figures))
    replace_together(contents)
    basis = figures.basis
    return ReportResult(
        files=tuple(contents),
        report_id=stamp.report_id,
        period=asked,
        timezone=basis.timezone,
        watermark_at=basis.watermark_at,
        as_of_at=basis.as_of_at,
        coverage=basis.coverage,
        comparison=basis.comparison,
        is_cost_complete=figures.is_cost_complete,
        is_delivery_complete=figures.is_delivery_complete,
        is_forced=bool(basis.publication and basis.publication.is_forced),
        statements=statements,
        messages=figures.delivery.messages,
        parts=figures.delivery.parts,
        delivery_rate=figures.delivery.delivery_rate,
        share_settled=figures.delivery.share_settled,
        unpriced=figures.unpriced,
        currencies=tuple(each.currency for each in figures.currencies),
        cost={each.currency: each.total.cost for each in figures.currencies},
        cost_undelivered={each.currency: each.total.cost_undelivered for each in figures.currencies},
        digest=digest,
        is_closed=figures.closing is not None,
        totals=figures.totals,
        corrections=len(figures.corrections),
        months=figures.months,
    )
