"""Writes the overview of a published copy: `write_overview` is the way in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.finance.writing import replace_together
from sms_etl.overview.attention import Finding, findings
from sms_etl.overview.figures import Overview
from sms_etl.overview.page import render_page
from sms_etl.overview.reading import read_overview
from sms_etl.warehouse.later_build import LaterFailure

FILE_NAME = "overview.html"


@dataclass(frozen=True)
class OverviewResult:
    """What was written, and the figures on top of it; times are UTC."""

    html: Path
    as_of_at: datetime
    """The moment the models were built for."""
    written_at: datetime
    timezone: str
    findings: tuple[Finding, ...]
    """What needs attention, the most urgent first."""
    messages: int
    """Of the 28 days that are shown."""
    cost: dict[str, Decimal]
    """Of these days by currency, exact, net of VAT."""
    open: int
    stuck: int
    quarantine_open: int
    failed_checks: int
    out_of_range: int

    @property
    def needs_attention(self) -> bool:
        """Whether anything does."""
        return bool(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text, times are ISO 8601 with their offset."""
        return {
            "files": [str(self.html)],
            "html": str(self.html),
            "as_of": f"{self.as_of_at.isoformat()}+00:00",
            "written_at": f"{self.written_at.isoformat()}+00:00",
            "timezone": self.timezone,
            "needs_attention": self.needs_attention,
            "attention": [each.as_json() for each in self.findings],
            "messages": self.messages,
            "cost": {currency: f"{cost:f}" for currency, cost in self.cost.items()},
            "open": self.open,
            "stuck": self.stuck,
            "quarantine_open": self.quarantine_open,
            "failed_checks": self.failed_checks,
            "out_of_range": self.out_of_range,
        }


def write_overview(
    connection: duckdb.DuckDBPyConnection,
    out_dir: Path,
    *,
    generated_at: datetime,
    later: LaterFailure | None = None,
    check_words: Callable[[str], str] = str,
    unclear: tuple[str, ...] = (),
) -> OverviewResult:
    """Write `overview.html`, in the place of an earlier one.

    Args:
        connection: Read-only, of the published copy.
        out_dir: Where to; made if it is not there.
        generated_at: The present moment, with a time zone; how old the figures are is counted from it.
        later: How a build failed after the copy was published, if one did.
        check_words: Puts the name of a check that failed in words.
        unclear: Keys of campaigns of which it is not known whether they were sent.

    Raises:
        NoWarehouse: The models were never built, or by an older version.
        DataDirError: `out_dir` cannot be written.
    """
    read = replace(read_overview(connection, now=generated_at), later=later, unclear=unclear)
    overview = _in_words(read, check_words)
    html = out_dir / FILE_NAME
    replace_together({html: render_page(overview).encode()})
    return _result(html, overview)


def _in_words(overview: Overview, words: Callable[[str], str]) -> Overview:
    """Return the figures with every check that failed in words."""
    basis, checks, later = overview.basis, overview.checks, overview.later
    if basis.publication:
        failed = tuple(map(words, basis.publication.failed_tests))
        basis = replace(basis, publication=replace(basis.publication, failed_tests=failed))
    said = {each.named: words(each.named) for each in checks.failed}
    changed = {name: text for name, text in said.items() if text != name}
    return replace(
        overview,
        basis=basis,
        checks=replace(checks, words=changed),
        later=later and later.in_words(words),
    )


def _result(html: Path, overview: Overview) -> OverviewResult:
    return OverviewResult(
        html=html,
        as_of_at=overview.basis.as_of_at,
        written_at=overview.basis.written_at,
        timezone=overview.basis.timezone,
        findings=findings(overview),
        messages=overview.delivery.messages,
        cost={each.currency: each.total for each in overview.costs},
        open=overview.open,
        stuck=overview.stuck,
        quarantine_open=overview.quarantine_open,
        failed_checks=len(overview.checks.failed),
        out_of_range=len(overview.ranges.departures),
    )
