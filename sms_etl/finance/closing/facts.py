"""What is known of a month before it is closed: counts and names, read by SQL; `ripeness.py` judges them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sms_etl.clock import as_utc
from sms_etl.finance.closing.periods import changed_months
from sms_etl.finance.queries import Queries
from sms_etl.warehouse.publication import failed_checks


@dataclass(frozen=True)
class Layers:
    """A currency in which raw.sms, marts.fct_sms and marts.cost_monthly do not say the same of the month."""

    currency: str
    messages: int
    """By how many messages the largest and the smallest differ."""
    cost: Decimal
    """And by how much, in `currency`."""


@dataclass(frozen=True)
class Facts:
    """What speaks for or against closing a month; times are UTC, without a time zone."""

    month: date
    timezone: str
    starts_at: datetime
    ends_at: datetime
    now: datetime
    is_current: bool = True
    """The models show what was loaded last."""
    missing_seconds: int = 0
    """Seconds of the month that were not read."""
    open_messages: int = 0
    """Not final, and still asked for."""
    unpriced: int = 0
    waiting: int = 0
    """Rows and files in quarantine that may hold a message of the month."""
    failed_checks: tuple[str, ...] = ()
    """Blocking tests that failed in the last build."""
    differing: int = 0
    """Messages of any month that raw.sms and its change log do not say the same of."""
    differing_uuids: tuple[str, ...] = ()
    """The first few of them."""
    layers: tuple[Layers, ...] = ()
    open_before: tuple[date, ...] = ()
    """Earlier months with messages or corrections that are not closed."""
    changed_months: tuple[date, ...] = ()
    """Closed months whose lines no longer give their digest."""


def read_facts(queries: Queries, context: dict[str, object], now: datetime) -> Facts:
    """Read what is known of the month.

    Args:
        queries: Of the month, on the warehouse.
        context: The row of `sql/closing/context.sql`.
        now: The present moment, with a time zone.
    """
    log = queries.row("closing/change_log")
    taken = ("timezone", "starts_at", "ends_at", "is_current", "missing_seconds", "open_messages", "unpriced")
    return Facts(
        month=queries.month,
        now=as_utc(now),
        waiting=queries.row("closing/quarantine")["waiting"],
        failed_checks=failed_checks(queries.connection),
        differing=log["messages"],
        differing_uuids=tuple(log["uuids"]),
        layers=tuple(Layers(**row) for row in queries.rows("closing/layers")),
        open_before=tuple(row["month"] for row in queries.rows("closing/open_before")),
        changed_months=changed_months(queries.connection),
        **{name: context[name] for name in taken},  # type: ignore[arg-type]  # the row's types are the query's
    )
