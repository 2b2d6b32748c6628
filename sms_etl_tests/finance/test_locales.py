"""Numbers and dates are written in the English or the German manner, in one file alike."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from sms_etl.finance import formatting, locales
from sms_etl.finance.locales import Locale, written_in
from sms_etl.finance.report import ReportResult, write_report
from sms_etl_tests.finance.conftest import WRITTEN_AT


@pytest.fixture(scope="module")
def german(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    return write_report(
        marts, "2026-01", tmp_path_factory.mktemp("de"), generated_at=WRITTEN_AT, locale=Locale.DE
    )


@pytest.fixture(scope="module")
def german_page(german: ReportResult) -> str:
    return german.html.read_text(encoding="utf-8").split("</main>", maxsplit=1)[0]


def test_numbers_and_dates_in_the_german_manner() -> None:
    with written_in(Locale.DE):
        assert formatting.money(Decimal("1234567.891")) == "1.234.567,89"
        assert formatting.with_currency("EUR", Decimal("1234.56")) == "1.234,56 €"
        assert formatting.with_currency("CHF", Decimal("0.5")) == "0,50 CHF"
        assert formatting.count(12345) == "12.345"
        assert formatting.share(Decimal("0.97315")) == "97,31 %"
        assert formatting.day(date(2026, 1, 31)) == "31.01.2026"
        assert formatting.change(1101, 1000) == ("+10,1 %", "up")
        assert locales.weekday(date(2026, 1, 5)) == "Mo 05.01."


def test_the_manner_ends_with_its_block() -> None:
    with pytest.raises(ZeroDivisionError), written_in(Locale.DE):
        raise ZeroDivisionError
    assert formatting.with_currency("EUR", Decimal("1234.56")) == "EUR 1,234.56"


def test_figures_id_and_digest_are_the_same_in_either_manner(
    report: ReportResult, german: ReportResult
) -> None:
    assert (german.report_id, german.digest, german.totals) == (
        report.report_id,
        report.digest,
        report.totals,
    )


def test_no_number_of_a_german_page_is_written_in_the_english_manner(german_page: str) -> None:
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", german_page, flags=re.DOTALL)
    cells = re.findall(r"<td>([^<]*)</td>", shown)
    assert "117,6306" in cells
    assert "1.493" in cells
    assert not [cell for cell in cells if re.search(r"\d,\d{3}\.|\d\.\d{1,2}$|\d\.\d{4,}", cell)]
    assert '117,63 <span class="unit">€</span>' in shown
    assert "01.01.2026 to 31.01.2026" in shown


def test_the_axes_of_a_german_page_are_german(german_page: str) -> None:
    drawn = re.search(r'id="cost-by-day-EUR">(.*?)</script>', german_page)
    assert drawn is not None
    spec = json.loads(drawn[1])
    assert spec["config"]["locale"]["number"]["decimal"] == ","


def test_a_german_workbook_has_german_dates_and_numbers_that_every_program_shows_in_its_own_manner(
    german: ReportResult,
) -> None:
    book = openpyxl.load_workbook(german.xlsx)
    cells = {cell.number_format for cell in book["EUR days"][4]}
    assert cells == {"dd.mm.yyyy", "#,##0", "#,##0.000000"}
    assert book["EUR days"]["A4"].is_date
    stated = {row[0].value: row[1].value for row in book["Summary"].iter_rows(min_row=3, max_row=9)}
    assert stated["Period"] == "01.01.2026 to 31.01.2026"


def test_a_german_report_is_where_the_english_one_would_be(
    german: ReportResult, report: ReportResult
) -> None:
    assert [Path(each).name for each in german.files] == [Path(each).name for each in report.files]
