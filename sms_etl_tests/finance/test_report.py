"""The report is written whole or not at all, and says clearly why it cannot be."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from sms_etl.errors import DataDirError, NoDataForPeriod, NotAPeriod
from sms_etl.finance.period import first_of_month
from sms_etl.finance.report import ReportResult, write_report
from sms_etl.warehouse.later_build import LaterFailure
from sms_etl_tests.finance.account import Message, Published, at, write_warehouse
from sms_etl_tests.finance.conftest import WRITTEN_AT


def test_the_result_says_what_was_written_and_its_figures(report: ReportResult) -> None:
    assert report.html.name == "sms-report-2026-01.html"
    assert report.xlsx.name == "sms-report-2026-01.xlsx"
    assert (report.month, report.currencies, report.messages) == (date(2026, 1, 1), ("EUR",), 1493)
    assert report.cost == {"EUR": Decimal("117.630600")}
    assert report.coverage.is_complete
    assert report.comparison.is_whole
    assert not report.is_cost_complete
    assert not report.is_forced
    assert report.unpriced == 4


def test_the_same_figures_give_the_same_files(
    marts: duckdb.DuckDBPyConnection, report: ReportResult, tmp_path: Path
) -> None:
    again = write_report(marts, date(2026, 1, 31), tmp_path / "new" / "folder", generated_at=WRITTEN_AT)
    assert again.html.read_bytes() == report.html.read_bytes()
    assert again.xlsx.read_bytes() == report.xlsx.read_bytes()


def test_the_largest_prices_are_reported_with_every_digit(warehouse_path: Path, tmp_path: Path) -> None:
    messages = [
        Message(at(f"2026-01-{day:02} 12:00"), price="999999999999.999999", parts=parts)
        for day, parts in enumerate((None, 0, 1, 2**31 - 1) * 7, start=1)
    ]
    path = write_warehouse(warehouse_path, messages)
    with duckdb.connect(str(path), read_only=True) as connection:
        written = write_report(connection, "2026-01", tmp_path / "reports", generated_at=WRITTEN_AT)
    assert written.cost == {"EUR": 28 * Decimal("999999999999.999999")}
    assert "27,999,999,999,999.999972" in written.html.read_text(encoding="utf-8")


def test_checks_that_failed_are_told_in_the_words_they_are_put_in(
    warehouse_path: Path, tmp_path: Path
) -> None:
    published = Published("finance waits", ("marts.cost_monthly: money_reconciles (2 rows)",))
    path = write_warehouse(warehouse_path, [Message(at("2026-01-15 11:00"))], publications=[published])
    with duckdb.connect(str(path), read_only=True) as connection:
        named = write_report(connection, "2026-01", tmp_path, generated_at=WRITTEN_AT)
        told = write_report(
            connection,
            "2026-01",
            tmp_path,
            generated_at=WRITTEN_AT,
            check_words=lambda name: name.replace("money_reconciles", "Costs add up"),
        )
    assert "although checks had failed: marts.cost_monthly: Costs add up (2 rows)." in told.html.read_text(
        encoding="utf-8"
    )
    assert told.digest == named.digest


def test_a_later_build_that_failed_is_told_on_the_page_and_in_the_workbook_in_words(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    named = "marts.cost_monthly: money_reconciles (2 rows)"
    later = LaterFailure(at("2026-02-03 10:00"), (named,), None, at("2026-02-02 12:00"))
    words = {named: "Costs add up (money_reconciles, 2 rows)"}.get
    told = write_report(
        marts,
        "2026-01",
        tmp_path,
        generated_at=WRITTEN_AT,
        later=later,
        check_words=lambda name: words(name, name),
    )
    page = told.html.read_text(encoding="utf-8")
    assert "A later build failed" in page
    said = "On 3 February 2026, 11:00: Costs add up (money_reconciles, 2 rows). What was loaded since"
    assert said in page
    summary = openpyxl.load_workbook(told.xlsx)["Summary"]
    assert any(said in str(cell.value) for cell in summary["B"])


def test_nothing_is_left_beside_the_two_files(report: ReportResult) -> None:
    assert sorted(each.name for each in report.html.parent.iterdir()) == [report.html.name, report.xlsx.name]


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-1", "01-2026", "2026-01-01", "January", "", "0000-01", "２０２６-01"]
)
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(NotAPeriod, match="such as 2026-01") as caught:
        first_of_month(month)
    assert caught.value.exit_code == 2


def test_a_month_without_data_writes_nothing(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(NoDataForPeriod):
        write_report(marts, "2020-01", tmp_path / "reports", generated_at=WRITTEN_AT)
    assert not (tmp_path / "reports").exists()


def test_a_folder_that_cannot_be_made_is_named(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataDirError, match="file"):
        write_report(marts, "2026-01", tmp_path / "file", generated_at=WRITTEN_AT)


def test_when_one_file_cannot_be_put_in_place_no_half_written_one_stays(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "sms-report-2026-01.html").mkdir()
    with pytest.raises(DataDirError):
        write_report(marts, "2026-01", tmp_path, generated_at=WRITTEN_AT)
    assert [each.name for each in tmp_path.iterdir()] == ["sms-report-2026-01.html"]
