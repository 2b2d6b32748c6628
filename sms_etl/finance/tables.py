"""Lays out a report as tidy tables for CSV: one row a thing, the month and the currency in columns. Pure.

There is always the same set of tables; one of which nothing is known has only its headings. Names of columns
are those of the marts, so that a script meets no new words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sms_etl.finance.csv_cells import Cell
from sms_etl.finance.figures import CurrencyFigures, Figures, MonthPart, MonthState
from sms_etl.finance.measures import Cost, Delivery
from sms_etl.finance.side_lines import BudgetLine
from sms_etl.finance.vocabulary import tax_name

_COST = tuple(each.name for each in fields(Cost))
_DELIVERY = tuple(each.name for each in fields(Delivery))
_RATES = ("delivery_rate", "accepted_delivery_rate", "share_settled")


class Table(NamedTuple):
    """A table, named as its file is."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def tables_of(figures: Figures, digest: str) -> list[Table]:
    """Return the tables of a report, in the order in which a reader needs them."""
    parts = figures.months or (_only_month(figures, digest),)
    return [
        _months(parts),
        _by_section(
            parts,
            "cost",
            ("cost_centre", "country_code", "country_name", "service_code", *_COST),
            lambda section: [
                (each.cost_centre, each.country_code, each.country, each.service, *_values(each.cost))
                for each in section.items
            ],
        ),
        _by_section(
            parts,
            "days",
            ("business_day", *_COST),
            lambda section: [(each.day, *_values(each.cost)) for each in section.days],
        ),
        _by_section(
            parts,
            "campaigns",
            ("campaign", *_COST),
            lambda section: [(each.label, *_values(each.cost)) for each in section.campaigns or ()],
        ),
        _by_section(
            parts,
            "bulks",
            (
                "created_at",
                "bulk_id",
                "service_code",
                "cost_centre",
                "bulk_status",
                "messages",
                "delivered",
                "cost",
            ),
            lambda section: [
                (
                    each.created_at,
                    each.bulk_id,
                    each.service,
                    each.cost_centre,
                    each.status,
                    each.messages,
                    each.delivered,
                    each.cost,
                )
                for each in section.bulks
            ],
        ),
        _by_section(
            parts,
            "unassigned",
            ("key_id", "messages", "cost"),
            lambda section: [(each.key_id, each.messages, each.cost) for each in section.unassigned],
        ),
        _by_month(
            parts,
            "delivery",
            ("business_day", *_DELIVERY, *_RATES),
            lambda of: [(each.day, *_counts(each.delivery)) for each in of.days],
        ),
        _by_month(
            parts,
            "accruals",
            (
                "currency",
                "country_code",
                "service_code",
                "unpriced",
                "unpriced_parts",
                "estimated_cost",
                "without_estimate",
                "backtest_estimate",
                "backtest_cost",
            ),
            lambda of: [_all_of(each) for each in of.accruals or ()],
        ),
        _by_month(
            parts,
            "waste",
            ("currency", "kind", "sender_id", "messages", "extra_parts", "cost_wasted"),
            lambda of: [_all_of(each) for each in of.waste or ()],
        ),
        _by_month(
            parts,
            "audit",
            ("currency", "finding", "country_code", "service_code", "findings", "amount"),
            lambda of: [_all_of(each) for each in of.audit or ()],
        ),
        Table(
            "budgets",
            ("business_month", *(each.name for each in fields(BudgetLine)[1:])),
            [_all_of(each) for part in parts for each in part.budgets],
        ),
        _by_month(
            parts,
            "conversions",
            (
                "currency",
                "reporting_currency",
                "cost",
                "cost_reporting",
                "cost_without_rate",
                "days_without_rate",
            ),
            lambda of: [
                (
                    each.currency,
                    each.reporting_currency,
                    each.cost,
                    each.cost_reporting,
                    each.cost_without_rate,
                    len(each.days_without_rate),
                )
                for each in of.conversions
            ],
        ),
        _by_month(
            parts,
            "taxes",
            ("currency", "tax", "net", "net_rounded", "tax_amount", "gross"),
            lambda of: [
                (each.currency, tax_name(each.tax), each.net, each.net_rounded, each.tax_amount, each.gross)
                for each in of.taxes
            ],
        ),
        _by_month(
            parts,
            "corrections",
            (
                "closed_month",
                "uuid",
                "kind",
                "messages",
                "currency",
                "amount",
                "cost_centre",
                "country_code",
                "service_code",
                "detected_at",
            ),
            lambda of: [_all_of(each) for each in of.corrections],
        ),
        _by_month(
            parts,
            "left-out",
            (
                "kind",
                "state",
                "reason",
                "accepted_reason",
                "currency",
                "rows",
                "unreadable",
                "undated",
                "known",
                "price",
            ),
            lambda of: [
                (
                    "message" if each.is_message else "bulk",
                    "accepted" if each.is_accepted else "open",
                    each.reason,
                    each.accepted_reason,
                    each.currency,
                    each.rows,
                    each.unreadable,
                    each.undated,
                    each.known,
                    each.price,
                )
                for each in of.left_out
            ],
        ),
    ]


def _only_month(figures: Figures, digest: str) -> MonthPart:
    if figures.closing:
        state = MonthState.CLOSED
    else:
        state = MonthState.RUNNING if figures.basis.coverage.is_running else MonthState.OPEN
    return MonthPart(figures.basis.month, state, figures, digest)


def _months(parts: Sequence[MonthPart]) -> Table:
    """Lay out what each month comes to: a row a currency, or one without where there is nothing."""
    columns = (
        "business_month",
        "state",
        "currency",
        *_COST,
        "corrections",
        "correction_messages",
        "correction_amount",
        "total_messages",
        "total_cost",
        "digest",
    )
    rows: list[tuple[Cell, ...]] = []
    for part in parts:
        month, state = f"{part.month:%Y-%m}", part.state.value
        if part.figures is None:
            rows.append((month, state, *(None for _ in columns[2:])))
            continue
        for total in part.figures.totals:
            cost = part.cost_in(total.currency)
            booked = [each for each in part.figures.corrections if each.currency == total.currency]
            rows.append(
                (
                    month,
                    state,
                    total.currency,
                    *_values(cost),
                    len(booked),
                    total.messages - cost.messages,
                    total.cost - cost.cost,
                    total.messages,
                    total.cost,
                    part.digest,
                )
            )
    return Table("months", columns, rows)


def _by_section(
    parts: Sequence[MonthPart],
    name: str,
    columns: tuple[str, ...],
    rows: Callable[[CurrencyFigures], Sequence[tuple[Cell, ...]]],
) -> Table:
    found = [
        (month, section.currency, *row)
        for month, figures in _with_figures(parts)
        for section in figures.currencies
        for row in rows(section)
    ]
    return Table(name, ("business_month", "currency", *columns), found)


def _by_month(
    parts: Sequence[MonthPart],
    name: str,
    columns: tuple[str, ...],
    rows: Callable[[Figures], Sequence[tuple[Cell, ...]]],
) -> Table:
    found = [(month, *row) for month, figures in _with_figures(parts) for row in rows(figures)]
    return Table(name, ("business_month", *columns), found)


def _with_figures(parts: Sequence[MonthPart]) -> Iterator[tuple[str, Figures]]:
    """Yield the months that have figures; a month is written as in the name of its report."""
    for part in parts:
        if part.figures is not None:
            yield f"{part.month:%Y-%m}", part.figures


def _values(cost: Cost) -> tuple[Cell, ...]:
    return tuple(getattr(cost, name) for name in _COST)


def _counts(delivery: Delivery) -> tuple[Cell, ...]:
    rates = (_rate(getattr(delivery, name)) for name in _RATES)
    return (*(getattr(delivery, name) for name in _DELIVERY), *rates)


def _rate(rate: Decimal | None) -> Decimal | None:
    """Round half up to a millionth, as the marts do."""
    return None if rate is None else rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def _all_of(line: object) -> tuple[Cell, ...]:
    """Return every field of a line, in order; a month as in the name of its report."""
    values = (getattr(line, each.name) for each in fields(line))  # type: ignore[arg-type]  # a dataclass
    return tuple(
        f"{value:%Y-%m}" if type(value) is date else value  # a datetime is a date, too
        for value in values
    )
