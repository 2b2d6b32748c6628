"""Writes a month's report: a page and a workbook with the same figures; both appear whole or not at all."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from sms_etl.errors import DataDirError, ReportError
from sms_etl.finance.figures import read_figures
from sms_etl.finance.page import render_page
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
    is_complete: bool
    """Whether all of the month was read from the provider."""
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
    cost_failed: Mapping[str, Decimal]


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
        ReportError: The month cannot be read, or the marts contradict each other.
        NoDataForPeriod: The month has no messages; names those that have.
        NoWarehouse: The models were never built.
        DataDirError: `out_dir` cannot be written.
    """
    figures = read_figures(connection, first_of_month(month))
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
        is_complete=basis.is_complete,
        messages=figures.delivery.messages,
        parts=figures.delivery.parts,
        delivery_rate=figures.delivery.delivery_rate,
        share_settled=figures.delivery.share_settled,
        unpriced=figures.unpriced,
        currencies=tuple(each.currency for each in figures.currencies),
        cost={each.currency: each.total.cost for each in figures.currencies},
        cost_failed={each.currency: each.total.cost_failed for each in figures.currencies},
    )


def first_of_month(month: date | str) -> date:
    """Give the first day of a month.

    Raises:
        ReportError: It is not written as `2026-01`.
    """
    if isinstance(month, date):
        return date(month.year, month.month, 1)
    read = re.fullmatch(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])", month.strip())
    if not read:
        raise ReportError(f"{month!r} is not a month.", hint="Give year and month, such as 2026-01.")
    return date(int(read[1]), int(read[2]), 1)


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Write every file aside before the first is renamed, so that no reader meets half a report."""
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            aside[path].write_bytes(content)
        for path, part in aside.items():
            part.replace(path)
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
