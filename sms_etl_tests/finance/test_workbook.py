"""The workbook's cells are numbers and dates that a clerk can sum, filter and draw."""

import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl  # type: ignore[import-untyped]  # has no type information
import pytest

from sms_etl.finance.report import ReportResult, write_report
from sms_etl_tests.finance.account import Message, at, write_warehouse
from sms_etl_tests.finance.conftest import WRITTEN_AT

NOON = at("2026-01-15 11:00")
TABLES = [
    "EUR days",
    "EUR countries",
    "EUR cost centres",
    "EUR services",
    "EUR detail",
    "EUR bulks",
    "Delivery",
]
HEADER = 3


@pytest.fixture(scope="module")
def formulas(report: ReportResult) -> Any:
    return openpyxl.load_workbook(report.xlsx)


@pytest.fixture(scope="module")
def values(report: ReportResult) -> Any:
    return openpyxl.load_workbook(report.xlsx, data_only=True)


def column_of(sheet: Any, heading: str) -> int:
    return next(int(cell.column) for cell in sheet[HEADER] if cell.value == heading)


def test_there_is_a_summary_and_a_sheet_for_each_breakdown(values: Any) -> None:
    assert values.sheetnames == ["Summary", *TABLES]


def test_the_summary_says_period_zone_currency_freshness_and_share_settled(values: Any) -> None:
    stated = {row[0].value: row[1].value for row in values["Summary"].iter_rows(min_row=3, max_row=9)}
    assert stated["Period"] == "1 January 2026 to 31 January 2026"
    assert stated["Time zone"].startswith("Europe/Berlin")
    assert stated["Currency"] == "EUR, net of VAT"
    assert stated["Messages read up to"] == "2 February 2026, 13:00"
    assert stated["Statuses as of"] == "2 February 2026, 13:00"
    assert stated["Share settled"] == "98.05 %"


def test_the_summary_warns_as_the_page_does(values: Any) -> None:
    said = [row[0].value for row in values["Summary"].iter_rows(max_col=1) if row[0].value]
    assert any(text.startswith("29 messages are not final; figures may still change.") for text in said)


@pytest.mark.parametrize("name", TABLES)
def test_headings_stay_and_rows_can_be_filtered(formulas: Any, name: str) -> None:
    sheet = formulas[name]
    assert sheet.freeze_panes == "B4"
    last = sheet.cell(sheet.max_row - 1, sheet.max_column).coordinate
    assert sheet.auto_filter.ref == f"A{HEADER}:{last}"


@pytest.mark.parametrize("name", TABLES)
def test_every_sum_is_a_formula_over_its_column_stored_with_the_exact_total(
    formulas: Any, values: Any, name: str
) -> None:
    sheet, read = formulas[name], values[name]
    summed = [
        cell for cell in sheet[sheet.max_row] if isinstance(cell.value, str) and cell.value.startswith("=")
    ]
    assert summed
    for cell in summed:
        letter = cell.column_letter
        assert cell.value == f"=SUM({letter}{HEADER + 1}:{letter}{sheet.max_row - 1})"
        above = [read.cell(row, cell.column).value for row in range(HEADER + 1, sheet.max_row)]
        assert sum(Decimal(str(each)) for each in above) == Decimal(str(read[cell.coordinate].value))


@pytest.mark.parametrize("name", TABLES[:5])
def test_the_total_of_each_sheet_is_the_marts_own(
    marts: duckdb.DuckDBPyConnection, values: Any, name: str
) -> None:
    sheet = values[name]
    row = marts.execute(
        "select sum(cost), sum(cost_failed), sum(messages) from marts.cost_monthly "
        "where business_month = date '2026-01-01'"
    ).fetchone()
    assert row is not None
    shown = [
        sheet.cell(sheet.max_row, column_of(sheet, heading)).value
        for heading in ("Cost, EUR", "of failed, EUR", "Messages")
    ]
    assert [Decimal(str(each)) for each in shown] == list(row)


def test_cells_are_typed_and_carry_a_number_format(formulas: Any) -> None:
    days, bulks, delivery = formulas["EUR days"], formulas["EUR bulks"], formulas["Delivery"]
    cost = days.cell(HEADER + 1, column_of(days, "Cost, EUR"))
    assert (type(cost.value), cost.number_format) == (float, "#,##0.00####")
    assert (days["A4"].value, days["A4"].number_format) == (at("2026-01-01"), "yyyy-mm-dd")
    assert (type(days["B4"].value), days["B4"].number_format) == (int, "#,##0")
    assert (bulks["A4"].value, bulks["A4"].number_format) == (
        at("2026-01-08 10:30"),
        "yyyy-mm-dd hh:mm",
    )
    rate = delivery.cell(HEADER + 1, column_of(delivery, "Delivery rate"))
    assert rate.number_format == "0.00%"
    assert 0 < rate.value <= 1


@pytest.mark.parametrize("name", ["EUR days", "EUR countries", "Delivery"])
def test_sheets_that_are_read_at_a_glance_have_a_chart(
    report: ReportResult, formulas: Any, name: str
) -> None:
    with zipfile.ZipFile(report.xlsx) as archive:
        charts = [archive.read(each).decode() for each in archive.namelist() if "charts/chart" in each]
    sheet = formulas[name]
    mine = [chart for chart in charts if f"'{name}'!" in chart or f"<c:f>{name}!" in chart]
    assert len(mine) == 1
    assert re.search(rf"\$A\${HEADER + 1}:\$A\${sheet.max_row - 1}<", mine[0])


def test_two_currencies_have_a_group_of_sheets_each(warehouse_path: Path) -> None:
    messages = [Message(NOON, price="0.10"), Message(NOON, price="0.25", currency="CHF")]
    write_warehouse(warehouse_path, messages)
    with duckdb.connect(str(warehouse_path), read_only=True) as connection:
        result = write_report(connection, "2026-01", warehouse_path.parent, generated_at=WRITTEN_AT)
    book = openpyxl.load_workbook(result.xlsx, data_only=True)
    groups = {name.split()[0] for name in book.sheetnames}
    assert groups == {"Summary", "CHF", "EUR", "Delivery"}
    assert {book[f"{each} days"].cell(5, 5).value for each in ("CHF", "EUR")} == {0.25, 0.1}


def test_a_label_that_looks_like_a_formula_stays_text(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON, service="=1+1")])
    with duckdb.connect(str(warehouse_path), read_only=True) as connection:
        result = write_report(connection, "2026-01", warehouse_path.parent, generated_at=WRITTEN_AT)
    cell = openpyxl.load_workbook(result.xlsx, data_only=True)["EUR services"]["A4"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_shares_are_rounded_down_as_on_the_page(values: Any) -> None:
    sheet = values["Delivery"]
    settled = sheet.cell(sheet.max_row, column_of(sheet, "Share settled"))
    assert settled.value == 0.9805
