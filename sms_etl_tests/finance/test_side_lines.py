"""Taxes add up as they are printed; budgets and converted cost add up over months."""

from datetime import date
from decimal import Decimal

from sms_etl.finance.side_lines import (
    BudgetLine,
    ConversionLine,
    ConversionTotal,
    TaxLine,
    TaxTotal,
    budget_totals,
    conversion_totals,
    tax_totals,
)

JANUARY = date(2026, 1, 1)


def test_the_net_of_a_tax_is_rounded_so_that_net_and_tax_are_the_gross() -> None:
    line = TaxLine(JANUARY, "EUR", "VAT 0.190000", Decimal("0.125000"), Decimal("0.02"), Decimal("0.15"))
    assert line.net_rounded == Decimal("0.13")


def test_a_net_without_a_rate_is_rounded_half_up_as_the_mart_does() -> None:
    assert TaxLine(JANUARY, "EUR", "no rate", Decimal("0.125"), None, None).net_rounded == Decimal("0.13")


def test_taxes_are_added_up_by_currency_and_what_has_no_rate_is_told_apart() -> None:
    lines = [
        TaxLine(JANUARY, "EUR", "VAT 0.190000", Decimal("1.004"), Decimal("0.19"), Decimal("1.19")),
        TaxLine(JANUARY, "EUR", "no rate", Decimal("2.006"), None, None),
        TaxLine(JANUARY, "CHF", "MWST 0.081000", Decimal("1"), Decimal("0.08"), Decimal("1.08")),
    ]
    euros = TaxTotal("EUR", Decimal("3.01"), Decimal("0.19"), Decimal("1.19"), Decimal("2.01"))
    francs = TaxTotal("CHF", Decimal("1.00"), Decimal("0.08"), Decimal("1.08"), Decimal(0))
    assert tax_totals(lines) == (francs, euros)


def budget(month: int, amount: str, spent: str, forecast: str | None, *, currency: str = "EUR") -> BudgetLine:
    known = None if forecast is None else Decimal(forecast)
    first = date(2026, month, 1)
    return BudgetLine(
        first, "A", currency, Decimal(amount), Decimal(spent), known, known, known, None, "within"
    )


def test_budgets_of_several_months_add_up_by_cost_centre_and_currency() -> None:
    lines = [budget(1, "3", "2", "2"), budget(1, "9", "1", "1", currency="CHF"), budget(2, "4", "5", "6")]
    euros, francs = budget_totals(lines)
    assert (euros.months, euros.budget, euros.spent, euros.forecast) == (
        *(2, Decimal(7), Decimal(7), Decimal(8)),
    )
    assert (euros.share_used, euros.status) == (Decimal("1.000000"), "at_risk")
    assert (francs.currency, francs.months, francs.status) == ("CHF", 1, "within")


def test_a_forecast_that_one_month_lacks_is_none_of_all() -> None:
    (total,) = budget_totals([budget(1, "1", "1.000001", "2"), budget(2, "0", "0", None)])
    assert (total.forecast, total.status) == (None, "passed")


def test_credits_use_nothing_of_a_budget_and_of_no_budget_there_is_no_share() -> None:
    (credit,) = budget_totals([budget(1, "3", "-1", "0")])
    (nothing,) = budget_totals([budget(1, "0", "0", "0")])
    assert (credit.share_used, nothing.share_used, nothing.status) == (Decimal(0), None, "within")


def test_converted_cost_adds_up_and_is_none_only_where_no_month_has_a_rate() -> None:
    def line(month: int, cost: str, converted: str | None, currency: str = "EUR") -> ConversionLine:
        known = None if converted is None else Decimal(converted)
        return ConversionLine(
            date(2026, month, 1),
            currency,
            "USD",
            Decimal(cost),
            known,
            Decimal(0) if known else Decimal(cost),
        )

    found = conversion_totals([line(1, "2", "2.2"), line(1, "5", None, "CHF"), line(2, "3", None)])
    assert found == (
        ConversionTotal("EUR", "USD", Decimal(5), Decimal("2.2"), Decimal(3)),
        ConversionTotal("CHF", "USD", Decimal(5), None, Decimal(5)),
    )
