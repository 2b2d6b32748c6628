"""Lines of a report beside its cost and delivery: each as the mart that it is read from has it. Pure.

Those of a closed month are kept as text for ever, see `figures.Figures`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True)
class WasteLine:
    """Parts that a few characters cost, see `marts.encoding_waste`."""

    currency: str
    kind: str
    """`unicode`, `needless_unicode` or `one_part_more`."""
    sender: str
    messages: int
    extra_parts: int
    cost: Decimal
    """Extra parts at their price per part."""


@dataclass(frozen=True)
class FindingLine:
    """Bills that are not what the messages say, see `marts.billing_audit`."""

    currency: str
    finding: str
    country_code: str | None
    """None: of bulks."""
    service: str
    findings: int
    amount: Decimal
    """Billed more than expected; less, if negative. What has no price adds nothing."""


@dataclass(frozen=True)
class AccrualLine:
    """What messages without a price will cost by estimate, see `marts.accruals`."""

    currency: str
    country_code: str
    service: str
    unpriced: int
    unpriced_parts: int
    estimated_cost: Decimal
    without_estimate: int
    """Messages for which there is no price to estimate from."""
    backtest_estimate: Decimal
    """The same estimate where the price is known by now,"""
    backtest_cost: Decimal
    """and that price."""


@dataclass(frozen=True)
class BudgetLine:
    """A budget and what is spent of it, see `marts.budget_status`."""

    month: date
    cost_centre: str
    """`*`: all of them together."""
    currency: str
    budget: Decimal
    spent: Decimal
    """Corrections booked to the month included."""
    forecast: Decimal | None
    forecast_low: Decimal | None
    forecast_high: Decimal | None
    share_used: Decimal | None
    status: str
    """`within`, `at_risk`, `passed` or `not_begun`."""


@dataclass(frozen=True)
class BudgetTotal:
    """What the budgets of one cost centre and currency come to over several months."""

    cost_centre: str
    """`*`: all of them together."""
    currency: str
    months: int
    """How many have a budget."""
    budget: Decimal
    spent: Decimal
    """In the months that have one."""
    forecast: Decimal | None
    """None: a month has none, as one that has not begun."""

    @property
    def share_used(self) -> Decimal | None:
        """To a millionth, half up, as `marts.budget_status` has it; None of a budget of nothing."""
        if not self.budget:
            return None
        return (max(self.spent, Decimal(0)) / self.budget).quantize(_MILLIONTH, ROUND_HALF_UP)

    @property
    def status(self) -> str:
        """`within`, `at_risk` or `passed`."""
        if self.spent > self.budget:
            return "passed"
        return "at_risk" if self.forecast is not None and self.forecast > self.budget else "within"


@dataclass(frozen=True)
class ConversionLine:
    """Cost in a reporting currency, see `marts.cost_reporting_monthly`; corrections included."""

    month: date
    currency: str
    reporting_currency: str
    cost: Decimal
    """In `currency`."""
    cost_reporting: Decimal | None
    """Of the days that have a rate, in `reporting_currency`; None: none has."""
    cost_without_rate: Decimal
    """The part of `cost` that is not in it, in `currency`."""
    days_without_rate: tuple[date, ...] = ()
    """Whose cost that is, in order; empty as well where they were not kept when the month was closed."""


@dataclass(frozen=True)
class ConversionTotal:
    """Cost of several months in a reporting currency."""

    currency: str
    reporting_currency: str
    cost: Decimal
    """In `currency`."""
    cost_reporting: Decimal | None
    """Of the days that have a rate, in `reporting_currency`; None: none has."""
    cost_without_rate: Decimal
    """The part of `cost` that is not in it, in `currency`."""


@dataclass(frozen=True)
class TaxLine:
    """Net, tax and gross at one rate, as on an invoice, see `marts.tax_lines`; corrections included."""

    month: date
    currency: str
    tax: str
    net: Decimal
    tax_amount: Decimal | None
    """None: there is no rate."""
    gross: Decimal | None

    @property
    def net_rounded(self) -> Decimal:
        """The net to cents as on an invoice: with the tax it is the gross."""
        if self.gross is None or self.tax_amount is None:
            return self.net.quantize(_CENT, ROUND_HALF_UP)
        return self.gross - self.tax_amount


@dataclass(frozen=True)
class TaxTotal:
    """What the lines of taxes in one currency come to, each rounded to cents."""

    currency: str
    net: Decimal
    tax_amount: Decimal
    gross: Decimal
    """Of what has a rate."""
    without_rate: Decimal
    """The part of `net` that has no rate, and so is in neither tax nor gross."""


def budget_totals(lines: Iterable[BudgetLine]) -> tuple[BudgetTotal, ...]:
    """Add up budgets of several months by cost centre and currency, in the order in which they come."""
    found: dict[tuple[str, str], list[BudgetLine]] = defaultdict(list)
    for line in lines:
        found[line.currency, line.cost_centre].append(line)
    return tuple(
        BudgetTotal(
            cost_centre,
            currency,
            len(mine),
            sum((each.budget for each in mine), Decimal(0)),
            sum((each.spent for each in mine), Decimal(0)),
            _sum_if_all([each.forecast for each in mine]),
        )
        for (currency, cost_centre), mine in found.items()
    )


def _sum_if_all(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [each for each in amounts if each is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def conversion_totals(lines: Iterable[ConversionLine]) -> tuple[ConversionTotal, ...]:
    """Add up converted cost by currency and reporting currency, in the order in which they come."""
    found: dict[tuple[str, str], list[ConversionLine]] = defaultdict(list)
    for line in lines:
        found[line.currency, line.reporting_currency].append(line)
    return tuple(
        ConversionTotal(
            currency,
            reporting_currency,
            sum((each.cost for each in mine), Decimal(0)),
            sum(converted, Decimal(0)) if converted else None,
            sum((each.cost_without_rate for each in mine), Decimal(0)),
        )
        for (currency, reporting_currency), mine in found.items()
        for converted in [[each.cost_reporting for each in mine if each.cost_reporting is not None]]
    )


def tax_totals(lines: Iterable[TaxLine]) -> tuple[TaxTotal, ...]:
    """Add up taxes by currency."""
    by_currency: dict[str, list[TaxLine]] = defaultdict(list)
    for line in lines:
        by_currency[line.currency].append(line)
    return tuple(
        TaxTotal(
            currency,
            net=sum((each.net_rounded for each in found), Decimal(0)),
            tax_amount=sum((each.tax_amount or Decimal(0) for each in found), Decimal(0)),
            gross=sum((each.gross or Decimal(0) for each in found), Decimal(0)),
            without_rate=sum((each.net_rounded for each in found if each.gross is None), Decimal(0)),
        )
        for currency, found in sorted(by_currency.items())
    )
