"""Adds up months to a quarter or a year; every figure of it is the sum of theirs, exactly. Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Context, Decimal
from typing import Any, TypeVar

from sms_etl.finance.coverage import Coverage, compare_months, joined
from sms_etl.finance.figures import (
    Closing,
    Credits,
    CurrencyFigures,
    Figures,
    Key,
    LeftOut,
    MonthPart,
    MonthState,
)
from sms_etl.finance.measures import Cost, Delivery, Item, Line, Pair, added_up, lines_by, sum_of
from sms_etl.finance.period import Period
from sms_etl.finance.side_lines import AccrualLine, FindingLine, WasteLine

CAMPAIGNS_NOT_KEPT = "not kept by campaign"
"""Months that were closed before campaigns were in the figures."""
_DIGEST_VERSION = 1
_FIXED = {MonthState.CLOSED, MonthState.BEFORE, MonthState.NO_MESSAGES}
"""A month without messages needs no closing."""
_EXACT = Context(prec=100)
_Added = TypeVar("_Added", WasteLine, FindingLine, AccrualLine, LeftOut, Key)


@dataclass(frozen=True)
class ReadMonth:
    """A month of a quarter or a year, and what of it was read."""

    part: MonthPart
    coverage: Coverage

    @property
    def whole(self) -> date | None:
        """Its first day if it was read whole; None if not."""
        return self.part.month if self.coverage.is_complete else None


def combined(
    period: Period, months: Sequence[ReadMonth], before: Sequence[ReadMonth], *, first_day: date
) -> Figures:
    """Add up the months of a quarter or a year.

    Args:
        period: What they make up.
        months: All of its months, in order; at least one has figures.
        before: Those of the period before, which changes are measured against.
        first_day: Day of the first message that was ever loaded.
    """
    parts = tuple(each.part for each in months)
    there = [part.figures for part in parts if part.figures]
    comparison = compare_months(
        [each.whole for each in months],
        [each.whole for each in before],
        before_ends=period.before.last_day,
        first_day=first_day,
        name=period.name,
        name_before=period.before.name,
    )
    newest = next((each for each in reversed(there) if each.closing is None), there[-1])
    basis = replace(
        newest.basis,
        month=period.first,
        months=period.count,
        first_day=first_day,
        coverage=joined([each.coverage for each in months]),
        comparison=comparison,
        publication=_publication(there),
    )
    now = [parts[place - 1] for place in comparison.months]
    earlier = [before[place - 1].part for place in comparison.months]
    currencies = sorted({section.currency for each in there for section in each.currencies})
    return Figures(
        basis=basis,
        delivery=_delivery(parts),
        compared=Pair(_delivery(now), _delivery(earlier)) if now else None,
        days=tuple(day for each in there for day in each.days),
        currencies=tuple(
            _currency(currency, there, Pair(_cost(currency, now), _cost(currency, earlier)) if now else None)
            for currency in currencies
        ),
        left_out=_left_out(there),
        corrections=tuple(line for each in there for line in each.corrections),
        closing=_closing(period, parts),
        waste=_kept(there, lambda each: each.waste, ("currency", "kind", "sender")),
        audit=_kept(there, lambda each: each.audit, ("currency", "finding", "country_code", "service")),
        accruals=_kept(there, lambda each: each.accruals, ("currency", "country_code", "service")),
        budgets=tuple(line for part in parts for line in part.budgets),
        conversions=tuple(line for each in there for line in each.conversions),
        taxes=tuple(line for each in there for line in each.taxes),
        months=parts,
    )


def digest_of_months(period: Period, parts: Sequence[MonthPart]) -> str:
    """Return the digest of a quarter or a year: that of its months' digests, as 64 hex digits.

    It is the SHA-256 of a line `sms_etl report 1`, a line `period 2026-q1`, and for each month a line
    `month 2026-01 <its digest>`, or `none` where it has no figures; each line ended by a line feed.
    """
    lines = [
        f"sms_etl report {_DIGEST_VERSION}",
        f"period {period.slug}",
        *(f"month {part.month:%Y-%m} {part.digest or 'none'}" for part in parts),
    ]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _closing(period: Period, parts: Sequence[MonthPart]) -> Closing | None:
    """Return when the last of the months was closed; None while the figures of any may change."""
    closings = [part.figures.closing for part in parts if part.figures and part.figures.closing]
    if not closings or any(part.state not in _FIXED for part in parts):
        return None
    return Closing(max(each.closed_at for each in closings), digest_of_months(period, parts))


def _publication(there: Sequence[Figures]) -> Any:  # noqa: ANN401 - a Publication, or None
    """Return a publication by force if any month's figures come from one."""
    known = [each.basis.publication for each in there if each.basis.publication]
    return next((each for each in known if each.is_forced), known[-1] if known else None)


def _delivery(parts: Iterable[MonthPart]) -> Delivery:
    return sum((part.delivery for part in parts), Delivery())


def _cost(currency: str, parts: Iterable[MonthPart]) -> Cost:
    return sum_of(part.cost_in(currency) for part in parts)


def _currency(currency: str, there: Sequence[Figures], compared: Pair[Cost] | None) -> CurrencyFigures:
    sections = [section for each in there for section in each.currencies if section.currency == currency]
    costs: dict[tuple[str, ...], Cost] = defaultdict(Cost)
    for item in (item for section in sections for item in section.items):
        costs[item.cost_centre, item.country, item.service, item.country_code] += item.cost
    items = tuple(
        Item(cost_centre, country_code, country, service, cost)
        for (cost_centre, country, service, country_code), cost in sorted(costs.items())
    )
    return CurrencyFigures(
        currency=currency,
        total=sum_of(section.total for section in sections),
        compared=compared,
        days=tuple(day for section in sections for day in section.days),
        countries=lines_by(items, lambda each: each.country),
        cost_centres=lines_by(items, lambda each: each.cost_centre),
        services=lines_by(items, lambda each: each.service),
        items=items,
        bulks=tuple(bulk for section in sections for bulk in section.bulks),
        unassigned=tuple(
            sorted(
                added((key for section in sections for key in section.unassigned), ("key_id",)),
                key=lambda key: (-key.cost, key.key_id is None, key.key_id or 0),
            )
        ),
        credits=Credits(
            sum(section.credits.messages for section in sections),
            sum((section.credits.cost for section in sections), Decimal(0)),
        ),
        campaigns=_campaigns(sections),
    )


def _left_out(there: Sequence[Figures]) -> tuple[LeftOut, ...]:
    """Add up what is alike, open rows first."""
    by = ("is_message", "is_accepted", "reason", "accepted_reason", "currency")
    lines = added((line for each in there for line in each.left_out), by)
    return tuple(sorted(lines, key=lambda each: (each.is_accepted, not each.is_message)))


def _campaigns(sections: Sequence[CurrencyFigures]) -> tuple[Line, ...] | None:
    """Add up campaigns; months that were closed without them are a line of their own, so that all adds up."""
    if all(section.campaigns is None for section in sections):
        return None
    return added_up(
        (line.label, line.cost)
        for section in sections
        for line in (
            (Line(CAMPAIGNS_NOT_KEPT, section.total),) if section.campaigns is None else section.campaigns
        )
    )


def _kept(
    there: Sequence[Figures], read: Callable[[Figures], tuple[_Added, ...] | None], by: tuple[str, ...]
) -> tuple[_Added, ...] | None:
    """Add up lines of the months that have them; None if no month has."""
    found = [lines for lines in map(read, there) if lines is not None]
    return added((line for lines in found for line in lines), by) if found else None


def added(lines: Iterable[_Added], by: tuple[str, ...]) -> tuple[_Added, ...]:
    """Add up lines that are alike in the fields `by`, in the order in which they are met first.

    Counts and amounts are added; a text in which they are not alike is left empty.
    """
    sums: dict[tuple[Any, ...], _Added] = {}
    for line in lines:
        identity = tuple(getattr(line, name) for name in by)
        before = sums.get(identity)
        sums[identity] = line if before is None else _sum(before, line, by)
    return tuple(sums.values())


def _sum(one: _Added, other: _Added, by: tuple[str, ...]) -> _Added:
    names = [each.name for each in fields(one) if each.name not in by]
    return replace(one, **{name: _plus(getattr(one, name), getattr(other, name)) for name in names})


def _plus(one: Any, other: Any) -> Any:  # noqa: ANN401 - two counts, amounts or texts
    if isinstance(one, Decimal):
        return _EXACT.add(one, other)
    return one + other if isinstance(one, int) else ""
