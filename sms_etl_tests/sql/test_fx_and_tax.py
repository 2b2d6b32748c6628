"""Costs in a reporting currency and with tax: every figure by hand, nothing where a rate is missing."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sms_etl.errors import ModelError
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl_tests.finance.closing.small import NOW
from sms_etl_tests.sql.test_budgets import close
from sms_etl_tests.sql.warehouse_rows import Rows

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
FX, TAX = "rate_date,from_currency,to_currency,rate,source\n", "valid_from,valid_to,country_code,rate,label\n"
MODELS = ["marts.cost_reporting_monthly", "marts.tax_monthly"]
Build = Callable[..., None]


@pytest.fixture
def build(rows: Rows, seeds: Path) -> Build:
    """Build with exchange rates and tax rates, of which there are none unless given."""

    def built(fx: str = "", tax: str = "") -> None:
        (seeds / "fx_rates.csv").write_text(FX + fx)
        (seeds / "tax.csv").write_text(TAX + tax)
        rows.build(seeds, MODELS)

    (seeds / "fx_rates.csv").write_text(FX)
    (seeds / "tax.csv").write_text(TAX)
    return built


def spend(rows: Rows, day: str, price: str | None, **fields: object) -> None:
    rows.sms(f"{day} {price} {fields}", created_at=f"{day} 11:00:00", price=price, **fields)


def test_a_cost_is_converted_at_the_rate_of_its_day_and_of_no_other(rows: Rows, build: Build) -> None:
    spend(rows, "2026-01-09", "1")
    spend(rows, "2026-01-10", "2")
    spend(rows, "2026-01-11", "4")
    spend(rows, "2026-01-10", "10", currency="CHF")
    spend(rows, "2026-01-11", "20", currency="USD")
    build(
        "2026-01-10,EUR,USD,1.08765432,ECB\n2026-01-08,EUR,USD,1.5,\n2026-01-10,USD,EUR,0.9,\n2026-01-10,CHF,EUR,1.1,\n"
    )
    columns = "business_day, currency, cost, rate, rate_source, cost_reporting"
    found = f"select {columns} from marts.cost_reporting where reporting_currency = 'USD' order by 1, 2"
    assert rows.select(found) == [
        (date(2026, 1, 9), "EUR", Decimal(1), None, None, None),
        (date(2026, 1, 10), "CHF", Decimal(10), None, None, None),
        (date(2026, 1, 10), "EUR", Decimal(2), Decimal("1.08765432"), "ECB", Decimal("2.175309")),
        (date(2026, 1, 11), "EUR", Decimal(4), None, None, None),
        (date(2026, 1, 11), "USD", Decimal(20), Decimal(1), None, Decimal(20)),
    ]
    totals = "currency, cost, cost_reporting, cost_without_rate, days, days_without_rate"
    by_month = (
        f"select {totals} from marts.cost_reporting_monthly where reporting_currency = '{{}}' order by 1"
    )
    assert rows.select(by_month.format("USD")) == [
        ("CHF", Decimal(10), None, Decimal(10), 1, 1),
        ("EUR", Decimal(7), Decimal("2.175309"), Decimal(5), 3, 2),
        ("USD", Decimal(20), Decimal(20), Decimal(0), 1, 0),
    ]
    assert rows.select(by_month.format("EUR")) == [
        ("CHF", Decimal(10), Decimal(11), Decimal(0), 1, 0),
        ("EUR", Decimal(7), Decimal(7), Decimal(0), 3, 0),
        ("USD", Decimal(20), None, Decimal(20), 1, 1),
    ]
    assert rows.failing(["marts.cost_reporting", "marts.cost_reporting_monthly"]) == {}


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("0.5", "0.000002"), ("0.49999999", "0.000001"), ("0.16666667", "0.000001"), ("0.16666666", "0.000000")],
)
def test_half_a_millionth_is_rounded_up_and_less_is_not(
    rows: Rows, build: Build, rate: str, expected: str
) -> None:
    spend(rows, "2026-01-10", "0.000003")
    build(f"2026-01-10,EUR,USD,{rate},\n")
    assert rows.one("select cost_reporting from marts.cost_reporting") == Decimal(expected)


def test_without_rates_nothing_is_converted_and_without_tax_there_is_no_gross(
    rows: Rows, build: Build
) -> None:
    spend(rows, "2026-01-10", "3.005")
    build()
    assert rows.select("select * from marts.cost_reporting") == []
    assert rows.select("select * from marts.cost_reporting_monthly") == []
    columns = "tax, tax_rate, net, net_rounded, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_lines") == [
        ("no rate", None, Decimal("3.005"), Decimal("3.01"), None, None)
    ]
    columns = "net, net_without_rate, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_monthly") == [
        (Decimal("3.005"), Decimal("3.005"), None, None)
    ]


def test_an_empty_account_has_no_rows(rows: Rows, build: Build) -> None:
    build("2026-01-10,EUR,USD,1.1,\n", "2026-01-01,,,0.19,VAT\n")
    for mart in ("cost_booked", "cost_reporting", "cost_reporting_monthly", "tax_lines", "tax_monthly"):
        assert rows.select(f"select * from marts.{mart}") == []


def test_tax_is_on_the_net_sum_of_the_month_and_rounded_once(rows: Rows, build: Build) -> None:
    # Message by message it would be 13 × 0.01 = 0.13, each rounded; of 13 × 0.05 = 0.65 it is 0.1235.
    for day in range(1, 14):
        spend(rows, f"2026-01-{day:02}", "0.05")
    spend(rows, "2026-02-01", "0.5", currency="CHF")
    spend(rows, "2026-02-01", None)
    build(tax="2020-01-01,,,0.19,VAT\n")
    columns = "booked_month, currency, tax, messages, net, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_lines order by 1, 2") == [
        (JANUARY, "EUR", "VAT 0.190000", 13, Decimal("0.65"), Decimal("0.12"), Decimal("0.77")),
        (FEBRUARY, "CHF", "VAT 0.190000", 1, Decimal("0.5"), Decimal("0.10"), Decimal("0.60")),  # 0.095
        (FEBRUARY, "EUR", "VAT 0.190000", 1, Decimal(0), Decimal("0.00"), Decimal("0.00")),
    ]
    assert rows.failing(["marts.tax_lines", "marts.tax_monthly"]) == {}


def test_a_rate_that_changes_within_a_month_splits_it_by_day(rows: Rows, build: Build) -> None:
    spend(rows, "2026-01-15", "100")
    rows.sms("last second", created_at="2026-01-15 22:59:59", price="10")
    rows.sms("first second", created_at="2026-01-15 23:00:00", price="1000")
    build(tax="2020-01-01,2026-01-15,,0.19,VAT\n2026-01-16,,,0.16,VAT\n")
    assert rows.select("select tax_rate, net, tax_amount, gross from marts.tax_lines order by tax_rate") == [
        (Decimal("0.16"), Decimal(1000), Decimal(160), Decimal(1160)),
        (Decimal("0.19"), Decimal(110), Decimal("20.90"), Decimal("130.90")),
    ]
    columns = "net, net_without_rate, net_rounded, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_monthly") == [
        (Decimal(1110), Decimal(0), Decimal(1110), Decimal("180.90"), Decimal("1290.90"))
    ]


def test_a_day_without_a_rate_leaves_the_month_without_tax_and_says_how_much(
    rows: Rows, build: Build
) -> None:
    spend(rows, "2026-01-15", "100")
    spend(rows, "2026-01-16", "7")
    build(tax="2026-01-16,,,0.19,\n")
    assert rows.select("select tax, net, tax_amount from marts.tax_lines order by tax") == [
        ("0.190000", Decimal(7), Decimal("1.33")),
        ("no rate", Decimal(100), None),
    ]
    columns = "net, net_without_rate, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_monthly") == [
        (Decimal(107), Decimal(100), None, None)
    ]


def test_a_rate_for_a_country_is_taken_before_one_for_all_and_zero_is_a_rate(
    rows: Rows, build: Build
) -> None:
    spend(rows, "2026-01-15", "100", iso2="DE")
    spend(rows, "2026-01-15", "10", iso2="AT")
    spend(rows, "2026-01-15", "1", iso2=None)
    build(tax="2026-01-01,,,0.19,VAT\n2026-01-01,,AT,0.2,VAT\n2026-01-01,,ZZ,0,none\n")
    assert rows.select("select tax, net, tax_amount, gross from marts.tax_lines order by tax") == [
        ("VAT 0.190000", Decimal(100), Decimal(19), Decimal(119)),
        ("VAT 0.200000", Decimal(10), Decimal(2), Decimal(12)),
        ("none 0.000000", Decimal(1), Decimal(0), Decimal(1)),
    ]
    assert rows.one("select gross from marts.tax_monthly") == Decimal(132)


def test_a_correction_has_the_rates_of_its_messages_day(rows: Rows, build: Build) -> None:
    spend(rows, "2026-01-15", "100")
    spend(rows, "2026-02-15", "10")
    rates = "2026-01-15,EUR,USD,2,\n2026-02-15,EUR,USD,3,\n"
    tax = "2026-01-01,2026-01-31,,0.19,VAT\n2026-02-01,,,0.16,VAT\n"
    build(rates, tax)
    close(rows, JANUARY)
    rows.connection.execute("update raw.sms set price = 99.995 where price = 100")
    build(rates, tax)
    book_corrections(rows.connection, NOW)
    columns = "booked_month, tax_rate, net, net_rounded, tax_amount, gross"
    assert rows.select(f"select {columns} from marts.tax_lines order by 1, 2") == [
        (JANUARY, Decimal("0.19"), Decimal(100), Decimal(100), Decimal(19), Decimal(119)),
        (FEBRUARY, Decimal("0.16"), Decimal(10), Decimal(10), Decimal("1.60"), Decimal("11.60")),
        # -0.005 and -0.00095: half a cent is rounded away from zero.
        (FEBRUARY, Decimal("0.19"), Decimal("-0.005"), Decimal("-0.01"), Decimal(0), Decimal("-0.01")),
    ]
    columns = "booked_month, cost, cost_reporting"
    assert rows.select(f"select {columns} from marts.cost_reporting_monthly order by 1") == [
        (JANUARY, Decimal(100), Decimal(200)),
        (FEBRUARY, Decimal("9.995"), Decimal("29.99")),
    ]


@pytest.mark.parametrize(
    ("fx", "tax", "message"),
    [
        ("2026-01-10,EUR,USD,1.1,\n2026-01-10,EUR,USD,1.2,\n", "", r"fx_rates\.csv:3: .* already, on line 2"),
        ("2026-01-10,EUR,USD,1.1,\n2026-1-10,EUR,USD,1.2,\n", "", r"fx_rates\.csv:3: .* already, on line 2"),
        ("2026-01-10,EUR,USD,0,\n", "", r"fx_rates\.csv:2: A rate is above 0"),
        ("2026-01-10,EUR,EUR,1,\n", "", r"fx_rates\.csv:2: A currency is worth 1 in itself"),
        ("2026-01-10,EUR,usd,1,\n", "", r"fx_rates\.csv:2: A currency is three capital letters"),
        (
            '2026-01-10,EUR,USD,"1,1",\n',
            "",
            r"fx_rates\.csv:2: rate is '1,1', but must be a number such as 12\.50",
        ),
        ("2026-01-10,EUR,USD,1.123456789,\n", "", r"fx_rates\.csv:2: .* more than 8 decimals"),
        (
            "10.1.2026,EUR,USD,1,\n",
            "",
            r"fx_rates\.csv:2: rate_date is '10\.1\.2026', but must be a date such",
        ),
        ("2026-01-10,,USD,1,\n", "", r"fx_rates\.csv:2: .* must not be empty"),
        ("", "2026-01-01,,,19,VAT\n", r"tax\.csv:2: A rate is a fraction, 0\.19 for 19 %"),
        ("", "2026-01-01,,,-0.1,VAT\n", r"tax\.csv:2: rate is less than 0"),
        ("", "2026-01-01,,,19%,VAT\n", r"tax\.csv:2: rate is '19%', but must be a number such as 12\.50"),
        ("", ",,,0.19,VAT\n", r"tax\.csv:2: valid_from is empty"),
        ("", "2026-01-02,2026-01-01,,0.19,VAT\n", r"tax\.csv:2: valid_to lies before valid_from"),
        (
            "",
            "2026-01-01,,,0.19,VAT\n2026-01-01,,AT,0.2,\n2027-01-01,,,0.2,VAT\n",
            r"tax\.csv:4: It holds for the same countries on the same days as another line\. Compare line 2",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    rows: Rows, build: Build, fx: str, tax: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build(fx, tax)


def test_a_country_that_does_not_exist_is_found(rows: Rows, build: Build) -> None:
    build(tax="2026-01-01,,XX,0.19,VAT\n")
    assert rows.failing(["seeds.tax"]) == {"seeds.tax.country_code_relationships": 1}
