"""The workbook's cells are numbers and dates that a clerk can sum, filter and draw."""

import re
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from sms_etl.finance import vocabulary, wording
from sms_etl.finance.reading import read_figures
from sms_etl.finance.report import ReportResult, write_report
from sms_etl_tests.finance.account import BadRow, Message, Published, at, write_warehouse
from sms_etl_tests.finance.conftest import WRITTEN_AT

NOON = at("2026-01-15 11:00")
TABLES = [
    "EUR days",
    "EUR countries",
    "EUR cost centres",
    "EUR services",
    "EUR campaigns",
    "EUR unassigned",
    "EUR detail",
    "EUR bulks",
    "Delivery",
    "EUR accruals",
    "EUR billing audit",
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
    assert values.sheetnames == ["Summary", *TABLES, "Words"]


def test_the_summary_says_account_period_zone_currency_and_freshness(values: Any) -> None:
    stated = {row[0].value: row[1].value for row in values["Summary"].iter_rows(min_row=3, max_row=12)}
    assert stated["Account"] == "4711 at api.lox24.eu"
    assert stated["Period"] == "1 January 2026 to 31 January 2026"
    assert stated["Time zone"].startswith("Europe/Berlin")
    assert stated["Currency"] == "EUR, net of VAT"
    assert stated["Newest message"] == "2 February 2026, 13:00"
    assert stated["Statuses as of"] == "2 February 2026, 13:00"


def test_the_summary_shows_the_reports_id_and_digest(values: Any, report: ReportResult) -> None:
    stated = {row[0].value: row[1].value for row in values["Summary"].iter_rows(min_row=3, max_row=12)}
    assert (stated["Report"], stated["Digest"]) == (report.report_id, report.digest)


def test_each_figure_of_the_summary_leads_to_the_total_that_it_is(values: Any) -> None:
    leading = [row[1] for row in values["Summary"].iter_rows() if row[1].hyperlink]
    assert len(leading) == 12
    for cell in leading:
        sheet, _, place = cell.hyperlink.location.rpartition("!")
        assert values[sheet.strip("'")][place].value == cell.value


def test_the_summary_lists_every_sheet_and_each_leads_back(values: Any) -> None:
    listed = [row[0].value for row in values["Summary"].iter_rows() if row[0].hyperlink]
    assert listed == TABLES
    assert {values[name]["A2"].hyperlink.location for name in TABLES} == {"'Summary'!A1"}


def test_the_summary_says_the_same_of_itself_as_the_page(
    marts: duckdb.DuckDBPyConnection, values: Any
) -> None:
    figures = read_figures(marts, date(2026, 1, 1), now=WRITTEN_AT)
    said = [tuple(cell.value for cell in row[:3]) for row in values["Summary"].iter_rows()]
    for each in wording.statements(figures):
        assert (each.name, each.state, each.text) in said


def test_whole_months_stand_side_by_side_in_the_summary(values: Any) -> None:
    heads = [
        [cell.value for cell in row] for row in values["Summary"].iter_rows() if row[0].value == "Cost, EUR"
    ]
    assert heads == [["Cost, EUR", "January 2026", "December 2025"]]


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
    summed = [cell for cell in sheet[sheet.max_row] if str(cell.value).startswith("=SUBTOTAL")]
    assert summed
    for cell in summed:
        letter = cell.column_letter
        assert cell.value == f"=SUBTOTAL(9,{letter}{HEADER + 1}:{letter}{sheet.max_row - 1})"
        above = [read.cell(row, cell.column).value for row in range(HEADER + 1, sheet.max_row)]
        assert sum(Decimal(str(each)) for each in above) == Decimal(str(read[cell.coordinate].value))


@pytest.mark.parametrize("name", [name for name in TABLES[:7] if name != "EUR unassigned"])
def test_the_total_of_each_sheet_is_the_marts_own(
    marts: duckdb.DuckDBPyConnection, values: Any, name: str
) -> None:
    sheet = values[name]
    row = marts.execute(
        "select sum(cost), sum(cost_undelivered), sum(messages) from marts.cost_monthly "
        "where business_month = date '2026-01-01'"
    ).fetchone()
    assert row is not None
    shown = [
        sheet.cell(sheet.max_row, column_of(sheet, heading)).value
        for heading in ("Cost, EUR", "of undelivered, EUR", "Messages")
    ]
    assert [Decimal(str(each)) for each in shown] == list(row)


def test_cells_are_typed_and_carry_a_number_format(formulas: Any) -> None:
    days, bulks, delivery = formulas["EUR days"], formulas["EUR bulks"], formulas["Delivery"]
    cost = days.cell(HEADER + 1, column_of(days, "Cost, EUR"))
    assert (type(cost.value), cost.number_format) == (float, "#,##0.000000")
    assert (days["A4"].value, days["A4"].number_format) == (at("2026-01-01"), "yyyy-mm-dd")
    assert (type(days["B4"].value), days["B4"].number_format) == (int, "#,##0")
    assert (bulks["A4"].value, bulks["A4"].number_format) == (
        at("2026-01-08 10:30"),
        "yyyy-mm-dd hh:mm",
    )
    rate = delivery.cell(HEADER + 1, column_of(delivery, "Delivery rate"))
    assert rate.number_format == "0.00%"
    assert 0 < rate.value <= 1


RATIOS = [
    ("EUR days", "Per part, EUR", '=IFERROR(ROUND((E{t}-G{t})/H{t},6),"")'),
    ("EUR services", "Share of cost", '=IFERROR(ROUNDDOWN(E{t}/SUM(E4:E{l}),4),"")'),
    ("Delivery", "Delivery rate", '=IFERROR(ROUNDDOWN(D{t}/J{t},4),"")'),
    ("Delivery", "Accepted delivery rate", '=IFERROR(ROUNDDOWN(D{t}/B{t},4),"")'),
    ("Delivery", "Share settled", '=IFERROR(ROUNDDOWN(J{t}/B{t},4),"")'),
]


@pytest.mark.parametrize(("name", "heading", "formula"), RATIOS)
def test_a_ratio_in_the_totals_follows_the_filter_as_the_sums_do(
    formulas: Any, values: Any, name: str, heading: str, formula: str
) -> None:
    sheet, read = formulas[name], values[name]
    row, column = sheet.max_row, column_of(sheet, heading)
    assert sheet.cell(row, column).value == formula.format(t=row, l=row - 1)
    letters = {
        letter: Decimal(str(read[f"{letter}{row}"].value))
        for letter in "BDEGHJ"
        if read[f"{letter}{row}"].value
    }
    worked_out = {
        "Per part, EUR": lambda: (letters["E"] - letters.get("G", 0)) / letters["H"],
        "Share of cost": lambda: Decimal(1),
        "Delivery rate": lambda: letters["D"] / letters["J"],
        "Accepted delivery rate": lambda: letters["D"] / letters["B"],
        "Share settled": lambda: letters["J"] / letters["B"],
    }[heading]()
    assert abs(worked_out - Decimal(str(read.cell(row, column).value))) < Decimal("0.0001")


@pytest.mark.parametrize("name", TABLES)
def test_amounts_of_a_column_have_as_many_decimals_each(formulas: Any, name: str) -> None:
    sheet = formulas[name]
    for column in sheet.iter_cols(min_row=HEADER + 1):
        forms = {cell.number_format for cell in column if isinstance(cell.value, float)}
        assert forms <= {"#,##0.000000"} or forms <= {"0.00%"}


def cells_of_page(page: str) -> list[list[list[str]]]:
    """The tables of the page: their rows' cells."""
    tables = re.findall(r"<table>(.*?)</table>", page, flags=re.DOTALL)
    rows = [re.findall(r"<tr[^>]*>(.*?)</tr>", table)[1:] for table in tables]
    return [[re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table] for table in rows]


def test_page_and_workbook_show_the_same_figures_to_the_last_digit(page: str, values: Any) -> None:
    countries, centres, unassigned, services, campaigns, days, bulks, delivery, accruals, _ = cells_of_page(
        page
    )
    for name, table, headings in (
        ("EUR cost centres", centres, ("Messages", "Parts", "Cost, EUR", "Share of cost", "Per part, EUR")),
        ("EUR services", services, ("Messages", "Parts", "Cost, EUR", "Share of cost", "Per part, EUR")),
        ("EUR campaigns", campaigns, ("Messages", "Parts", "Cost, EUR", "Share of cost", "Per part, EUR")),
        ("EUR unassigned", unassigned, ("Messages", "Cost, EUR")),
        (
            "EUR days",
            days,
            ("Messages", "Parts", "Without a price", "Cost, EUR", "of undelivered, EUR", "Per part, EUR"),
        ),
        (
            "Delivery",
            delivery,
            (
                *("Messages", "Delivered", "Expired", "Rejected", "Failed", "Cancelled", "Open"),
                *("Delivery rate", "Accepted delivery rate", "Share settled"),
            ),
        ),
    ):
        sheet = values[name]
        columns = [column_of(sheet, heading) for heading in headings]
        shown = [
            [sheet.cell(row, column).value for column in columns]
            for row in range(HEADER + 1, sheet.max_row + 1)
        ]
        assert [[number(cell) for cell in row[1:]] for row in table] == [
            [None if cell in {None, ""} else Decimal(str(cell)) for cell in row] for row in shown
        ]
    estimated = [cell.value for cell in values["EUR accruals"]["F"][HEADER:]]
    assert [number(row[5]) for row in accruals] == [Decimal(str(cell)) for cell in estimated]
    by_country = [cell.value for cell in values["EUR countries"]["E"][HEADER:]]
    assert [number(row[3]) for row in countries[:15]] == [Decimal(str(cell)) for cell in by_country[:15]]
    by_bulk = [cell.value for cell in values["EUR bulks"]["H"][HEADER:-1]]
    assert [number(row[7]) for row in bulks] == [Decimal(str(cell)) for cell in by_bulk]


def number(text: str) -> Decimal | None:
    """Read a figure of the page."""
    if text == "–":
        return None
    plain = text.replace(",", "")
    return Decimal(plain.removesuffix(" %")) / 100 if plain.endswith(" %") else Decimal(plain)


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
    book = book_of(warehouse_path, Message(NOON, price="0.10"), Message(NOON, price="0.25", currency="CHF"))
    groups = {name.split()[0] for name in book.sheetnames}
    assert groups == {"Summary", "CHF", "EUR", "Delivery", "Words"}
    assert {book[f"{each} days"].cell(5, 5).value for each in ("CHF", "EUR")} == {0.25, 0.1}


@pytest.mark.parametrize("label", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "http://example.org", "\t=1"])
def test_a_label_that_looks_like_a_formula_stays_text(warehouse_path: Path, label: str) -> None:
    bad = BadRow(reason=label, accepted_reason=label)
    book = book_of(warehouse_path, Message(NOON, service=label), bad_rows=[bad])
    left = book["Not in the figures"]
    for cell in (book["EUR services"]["A4"], left.cell(HEADER + 1, 3)):
        assert (cell.value, cell.data_type, cell.hyperlink) == (label, "s", None)
    assert left.cell(HEADER + 1, 4).value.startswith(f"Accepted: {label}.")


def book_of(path: Path, *messages: Message, **account: Any) -> Any:
    write_warehouse(path, messages, **account)
    with duckdb.connect(str(path), read_only=True) as connection:
        result = write_report(connection, "2026-01", path.parent, generated_at=WRITTEN_AT)
    return openpyxl.load_workbook(result.xlsx, data_only=True)


def test_a_partial_month_shows_the_compared_days_beside_the_month(warehouse_path: Path) -> None:
    book = book_of(
        warehouse_path,
        Message(at("2025-12-15 12:00"), price="0.10"),
        Message(at("2026-01-02"), price="0.80"),
        Message(at("2026-01-15 12:00"), price="0.20"),
        windows=[(at("2025-12-14 23:00"), at("2026-02-02"))],
        watermark_at=at("2026-02-02"),
    )
    rows = [[cell.value for cell in row] for row in book["Summary"].iter_rows()]
    first = next(at for at, row in enumerate(rows) if row[0] == "Cost, EUR")
    assert rows[first][1:] == ["January 2026", "15–31 January 2026", "15–31 December 2025"]
    assert rows[first + 1] == ["Cost", 1, 0.2, 0.1]


def test_a_sandbox_and_a_forced_publication_stand_on_top_of_the_workbook(warehouse_path: Path) -> None:
    book = book_of(warehouse_path, Message(NOON), publications=[Published("board")], is_sandbox=True)
    summary = book["Summary"]
    assert summary["A1"].value == "SANDBOX: SMS report January 2026"
    assert [summary["A3"].value, summary["A4"].value] == ["Published by force", "SANDBOX"]
    assert summary["B3"].value.endswith("marts.cost_monthly.money_reconciles. Reason given: board.")
    assert all("SANDBOX" in sheet.oddFooter.left.text for sheet in book)


def test_the_words_are_defined_in_the_workbook_too(values: Any) -> None:
    defined = [(row[0].value, row[1].value) for row in values["Words"].iter_rows()]
    assert defined == list(vocabulary.DEFINITIONS)


def test_shares_are_rounded_down_as_on_the_page(values: Any) -> None:
    sheet = values["Delivery"]
    settled = sheet.cell(sheet.max_row, column_of(sheet, "Share settled"))
    assert settled.value == 0.9805
