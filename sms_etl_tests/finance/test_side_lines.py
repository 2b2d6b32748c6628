"""Taxes add up as they are printed."""

from datetime import date
from decimal import Decimal

from sms_etl.finance.side_lines import TaxLine, TaxTotal, tax_totals

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
