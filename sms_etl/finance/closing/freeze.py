"""Writes what is kept of a closed month for ever: its lines, its digest, and the figures of its report."""

import json
from dataclasses import dataclass
from datetime import datetime

import msgspec

from sms_etl import __version__
from sms_etl.clock import as_utc
from sms_etl.errors import ReportError
from sms_etl.finance.closing.differences import Difference
from sms_etl.finance.closing.invoice import Invoice
from sms_etl.finance.closing.periods import (
    DIGEST_VERSION,
    ClosedPeriod,
    closed_periods,
    closed_totals,
    digest_of,
    digest_of_text,
)
from sms_etl.finance.figures import Figures
from sms_etl.finance.queries import Queries

_INSERT = """
insert into finance.closed_period by name
select
    $month as month, $closed_at as closed_at, $timezone as timezone, $digest as digest,
    $digest_version as digest_version, cast($totals as json) as totals, cast($figures as json) as figures,
    $figures_digest as figures_digest, $is_forced as is_forced, $forced_reason as forced_reason,
    cast($overridden_reasons as json) as overridden_reasons, $invoice_digest as invoice_digest,
    cast($differences as json) as differences, $version as version
"""


@dataclass(frozen=True)
class Agreed:
    """When and on what terms a month is closed."""

    now: datetime
    invoice: Invoice | None
    differences: tuple[Difference, ...]
    forced_reason: str | None
    overridden_reasons: tuple[str, ...]


def freeze(queries: Queries, figures: Figures, agreed: Agreed) -> ClosedPeriod:
    """Write the month's lines and its period, and return the period as it was written.

    Raises:
        ReportError: The figures are not the sum of the lines.
    """
    queries.insert("finance.closed_line", "closing/lines")
    totals, text = closed_totals(queries), text_of(figures)
    if totals != figures.totals:
        raise ReportError(
            "The figures are not the sum of the messages.",
            hint="Run `sms-etl build` and look at its failed tests. Nothing was closed.",
        )
    queries.connection.execute(
        _INSERT,
        {
            "month": queries.month,
            "closed_at": as_utc(agreed.now),
            "timezone": figures.basis.timezone,
            "digest": digest_of(queries),
            "digest_version": DIGEST_VERSION,
            "totals": json.dumps([each.as_json() for each in totals]),
            "figures": text,
            "figures_digest": digest_of_text(text),
            "is_forced": agreed.forced_reason is not None,
            "forced_reason": agreed.forced_reason,
            "overridden_reasons": json.dumps(agreed.overridden_reasons),
            "invoice_digest": agreed.invoice.digest if agreed.invoice else None,
            "differences": json.dumps([each.as_json() for each in agreed.differences]),
            "version": __version__,
        },
    ).fetchall()
    return closed_periods(queries)[queries.month]


def text_of(figures: Figures) -> str:
    """Return figures as JSON, the same text for the same figures; decimals keep their digits."""
    return msgspec.json.encode(figures, order="deterministic").decode()


def figures_of(text: str) -> Figures:
    """Return the figures that a text of `text_of` holds."""
    return msgspec.json.decode(text, type=Figures)
