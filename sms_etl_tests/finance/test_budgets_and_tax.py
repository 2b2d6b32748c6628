"""Budgets, the reporting currency and tax stand in the report as their marts have them.

In January 2026 Marketing spent EUR 0.30 on the 15th and 0.10 on the 16th, of a budget of 0.25; a euro is 1.10
dollars on the 15th and unknown on the 16th; VAT is 19 %: 0.076, rounded to 0.08.
"""

import csv
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from sms_etl.finance.closing.close import close_month
from sms_etl.finance.closing.reported import figures_to_report
from sms_etl.finance.period import quarter_of
from sms_etl.finance.reading import read_figures
from sms_etl.finance.report import Format, ReportResult, write_report
from sms_etl.models.project import load_project
from sms_etl.models.runner import build
from sms_etl_tests.finance.account import Message, at, write_warehouse

NOW = datetime(2026, 3, 10, tzinfo=UTC)
SEEDS = {
    "cost_centres": "key_id,cost_centre,description\n1,Marketing,campaigns\n",
    "budgets": "business_month,cost_centre,currency,amount\n"
    "2026-01-01,Marketing,EUR,0.25\n2026-02-01,Marketing,EUR,0.50\n2026-03-01,*,EUR,1\n",
    "fx_rates": "rate_date,from_currency,to_currency,rate,source\n2026-01-15,EUR,USD,1.10,a bank\n",
    "tax": "valid_from,valid_to,country_code,rate,label\n2026-01-01,,,0.19,VAT\n",
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("budgets")
    for name, text in SEEDS.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    messages = [Message(at("2026-01-15 11:00"), price="0.30"), Message(at("2026-01-16 11:00"), price="0.10")]
    path = write_warehouse(folder / "warehouse.duckdb", messages, watermark_at=at("2026-03-10"))
    with duckdb.connect(str(path)) as connection:
        build(connection, load_project(seeds=folder))
        close_month(connection, "2026-01", now=NOW)
    return path


def test_a_closed_month_keeps_taxes_that_only_countries_have(tmp_path: Path) -> None:
    rates = "valid_from,valid_to,country_code,rate,label\n2026-01-01,,DE,0.19,VAT\n2026-01-01,,CH,0,none\n"
    (tmp_path / "tax.csv").write_text(rates, encoding="utf-8")
    messages = [Message(at("2026-01-15 11:00"), price="0.30")]
    path = write_warehouse(tmp_path / "warehouse.duckdb", messages, watermark_at=at("2026-03-10"))
    with duckdb.connect(str(path)) as connection:
        build(connection, load_project(seeds=tmp_path))
        before = read_figures(connection, date(2026, 1, 1), now=NOW).taxes
        close_month(connection, "2026-01", now=NOW)
        after = figures_to_report(connection, date(2026, 1, 1), now=NOW).taxes
    assert [(each.net, each.tax_amount) for each in after] == [(Decimal("0.30"), Decimal("0.06"))]
    assert after == before


@pytest.fixture(scope="module")
def quarter(account: Path, tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    with duckdb.connect(str(account), read_only=True) as connection:
        return write_report(
            connection,
            quarter_of("2026-1"),
            tmp_path_factory.mktemp("quarter"),
            generated_at=NOW,
            formats=list(Format),
        )


def rows_of(report: ReportResult, table: str) -> list[dict[str, str]]:
    (file,) = (each for each in report.files if each.name.endswith(f"-{table}.csv"))
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_budget_stands_in_the_report_with_what_is_spent_of_it(quarter: ReportResult) -> None:
    row, *_ = rows_of(quarter, "budgets")
    assert (row["business_month"], row["cost_centre"], row["status"]) == ("2026-01", "Marketing", "passed")
    assert (Decimal(row["budget"]), Decimal(row["spent"])) == (Decimal("0.25"), Decimal("0.40"))
    assert Decimal(row["share_used"]) == Decimal("1.6")


def test_a_quarter_has_the_budgets_of_months_without_messages(quarter: ReportResult) -> None:
    rows = [
        (row["business_month"], row["cost_centre"], Decimal(row["spent"]), row["status"])
        for row in rows_of(quarter, "budgets")
    ]
    assert rows[1:] == [
        ("2026-02", "Marketing", Decimal(0), "within"),
        ("2026-03", "*", Decimal(0), "within"),
    ]
    page = quarter.html.read_text(encoding="utf-8").partition('id="budgets"')[2].partition("</section>")[0]
    assert "February 2026" in page
    book = openpyxl.load_workbook(quarter.xlsx, data_only=True)
    assert [cell.value for cell in book["Budgets"]["A"][3:6]] == ["2026-01", "2026-02", "2026-03"]


def test_a_quarter_has_the_sums_of_its_budgets_and_of_the_reporting_currency(quarter: ReportResult) -> None:
    page = quarter.html.read_text(encoding="utf-8")
    budgets = page.partition('id="budgets"')[2].partition("<tfoot>")[2].partition("</tfoot>")[0]
    first = re.findall(r"<td[^>]*>(.*?)</td>", budgets)[:6]
    book = openpyxl.load_workbook(quarter.xlsx, data_only=True)
    cells = [cell.value for cell in book["Budgets in all"][4]]
    assert first[:4] == ["Q1 2026", "Marketing", cells[1], "EUR"]
    assert (cells[0], cells[3], cells[5]) == ("Marketing", 2, 0.4)
    conversions = page.partition('id="conversions"')[2].partition("<tfoot>")[2].partition("</tfoot>")[0]
    assert "0.330000" in conversions
    assert 0.33 in [cell.value for cell in book["Reporting currency in all"]["E"]]


def test_days_without_a_rate_are_named(quarter: ReportResult) -> None:
    said = (
        "EUR 0.10 of January 2026 is not in the converted cost: no rate from EUR to USD for 16 January 2026."
    )
    assert said in quarter.html.read_text(encoding="utf-8")
    (row,) = (row for row in rows_of(quarter, "conversions") if row["reporting_currency"] == "USD")
    assert row["days_without_rate"] == "1"
    sheet = openpyxl.load_workbook(quarter.xlsx, data_only=True)["Reporting currency"]
    assert "16 January 2026" in [cell.value for cell in sheet["G"]]


def test_the_reporting_currency_stands_beside_what_has_no_rate(quarter: ReportResult) -> None:
    (row,) = (row for row in rows_of(quarter, "conversions") if row["reporting_currency"] == "USD")
    assert [Decimal(row[name]) for name in ("cost", "cost_reporting", "cost_without_rate")] == [
        *(Decimal("0.40"), Decimal("0.33"), Decimal("0.10"))
    ]


def test_tax_stands_in_the_report_as_on_an_invoice(quarter: ReportResult) -> None:
    (row,) = rows_of(quarter, "taxes")
    assert (row["tax"], row["net_rounded"]) == ("VAT 19 %", "0.400000")
    assert [Decimal(row[name]) for name in ("net", "tax_amount", "gross")] == [
        *(Decimal("0.40"), Decimal("0.08"), Decimal("0.48"))
    ]


def test_page_and_workbook_show_them_too(quarter: ReportResult) -> None:
    page = quarter.html.read_text(encoding="utf-8")
    budgets = re.findall(r"<td[^>]*>(.*?)</td>", page.partition('id="budgets"')[2].partition("</section>")[0])
    assert budgets[:7] == ["January 2026", "Marketing", "passed", "EUR", "0.25", "0.40", "160.00 %"]
    taxes = page.partition('id="taxes"')[2].partition("</section>")[0]
    assert re.findall(r"<td>(.*?)</td>", taxes) == [*("0.40", "0.08", "0.48"), "", *("0.40", "0.08", "0.48")]
    assert "VAT 19 %" in taxes
    book = openpyxl.load_workbook(quarter.xlsx, data_only=True)
    assert [cell.value for cell in book["EUR tax"][4]] == ["2026-01", "VAT 19 %", 0.4, 0.08, 0.48, None, 0.4]
    assert book["Budgets"]["F4"].value == 0.4
    assert 0.33 in [cell.value for cell in book["Reporting currency"]["F"]]
