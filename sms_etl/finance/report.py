"""Writes a month's report: a page and a workbook with the same figures; both appear whole or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.errors import DataDirError
from sms_etl.files import commit_file, make_directory, open_private
from sms_etl.finance import wording
from sms_etl.finance.coverage import Comparison, Coverage
from sms_etl.finance.page import render_page
from sms_etl.finance.period import first_of_month
from sms_etl.finance.reading import read_figures
from sms_etl.finance.workbook import render_workbook


@dataclass(frozen=True)
class ReportResult:
    """What was written, and the figures on top of it."""

    html: Path
    xlsx: Path
    month: date
    """First day of the business month."""
    timezone: str
    watermark_at: datetime | None
    as_of_at: datetime
    coverage: Coverage
    """What of the month was read from the provider."""
    comparison: Comparison
    is_cost_complete: bool
    """The month was read whole, every message has a price, none is left out unaccepted."""
    is_delivery_complete: bool
    """The month was read whole, every message is final or aged out, none is left out unaccepted."""
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

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text, times are ISO 8601 with their offset."""
        covered = [
            {"from": f"{each.from_at.isoformat()}+00:00", "until": f"{each.until_at.isoformat()}+00:00"}
            for each in self.coverage.read
        ]
        return {
            "month": f"{self.month:%Y-%m}",
            "html": str(self.html),
            "xlsx": str(self.xlsx),
            "files": [str(self.html), str(self.xlsx)],
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


def write_report(
    connection: duckdb.DuckDBPyConnection, month: date | str, out_dir: Path, *, generated_at: datetime
) -> ReportResult:
    """Write `sms-report-<month>.html` and `.xlsx`, replacing earlier ones.

    Args:
        connection: Read-only, of the published copy.
        month: The business month: `2026-01`, or any day in it.
        out_dir: Where to; made if it is not there.
        generated_at: The present moment, with a time zone; printed on both.

    Raises:
        NotAPeriod: The month cannot be read, or has not begun.
        ReportError: The marts contradict each other.
        NoDataForPeriod: The month has no messages; names those that have.
        NoWarehouse: The models were never built.
        DataDirError: `out_dir` cannot be written.
    """
    figures = read_figures(connection, first_of_month(month), now=generated_at)
    basis = figures.basis
    html = out_dir / f"sms-report-{basis.month:%Y-%m}.html"
    xlsx = html.with_suffix(".xlsx")
    page = render_page(figures, generated_at=generated_at).encode()
    _replace({html: page, xlsx: render_workbook(figures, generated_at=generated_at)})
    return ReportResult(
        html=html,
        xlsx=xlsx,
        month=basis.month,
        timezone=basis.timezone,
        watermark_at=basis.watermark_at,
        as_of_at=basis.as_of_at,
        coverage=basis.coverage,
        comparison=basis.comparison,
        is_cost_complete=figures.is_cost_complete,
        is_delivery_complete=figures.is_delivery_complete,
        is_forced=bool(basis.publication and basis.publication.is_forced),
        statements=tuple(wording.statements(figures)),
        messages=figures.delivery.messages,
        parts=figures.delivery.parts,
        delivery_rate=figures.delivery.delivery_rate,
        share_settled=figures.delivery.share_settled,
        unpriced=figures.unpriced,
        currencies=tuple(each.currency for each in figures.currencies),
        cost={each.currency: each.total.cost for each in figures.currencies},
        cost_undelivered={each.currency: each.total.cost_undelivered for each in figures.currencies},
    )


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Write every file aside before the first is renamed, so that no reader meets half a report."""
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in contents}
    try:
        for path, content in contents.items():
            make_directory(path.parent)
            with open_private(aside[path]) as file:
                file.write(content)
        for path, part in aside.items():
            commit_file(part, path)
    except OSError as exc:
        raise DataDirError(
            f"The report cannot be written to {next(iter(contents)).parent}: {exc.strerror or exc}.",
            hint="Check that the folder exists, is yours to write, and has room.",
        ) from exc
    finally:
        for part in aside.values():
            _forget(part)


def _forget(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the error that led here is the one to tell
