"""The report of a closed month is that of its closing for ever; corrections stand on a page of their own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import duckdb
import pytest
from openpyxl import load_workbook

from sms_etl.finance.closing.close import close_month
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.closing.freeze import figures_of, text_of
from sms_etl.finance.closing.periods import changed_months, digest_of_text
from sms_etl.finance.closing.reported import digest_of_report
from sms_etl.finance.reading import read_figures
from sms_etl.finance.report import Format, ReportResult, write_report
from sms_etl_tests.finance.account import Message, at, write_warehouse
from sms_etl_tests.finance.closing.small import FEBRUARY, JANUARY, NOW


@pytest.fixture
def closed(ripe: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    close_month(ripe, JANUARY, now=NOW)
    return ripe


@pytest.fixture
def corrected(closed: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A message of January costs a cent more than when it was closed, another a cent less."""
    closed.execute("update marts.fct_sms set price = price + 0.01 where price = 0.10")
    closed.execute("update marts.fct_sms set price = price - 0.03 where price = 0.30")
    book_corrections(closed, NOW)
    return closed


def report_of(connection: duckdb.DuckDBPyConnection, folder: Path, month: str = "2026-02") -> ReportResult:
    return write_report(connection, month, folder, generated_at=NOW)


def shown(report: ReportResult) -> str:
    return report.html.read_text(encoding="utf-8").split("</main>", maxsplit=1)[0]


def test_figures_are_the_same_after_they_were_text(marts: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(marts, JANUARY, now=NOW)
    assert figures_of(text_of(figures)) == figures
    assert text_of(figures_of(text_of(figures))) == text_of(figures)


def test_a_field_that_a_later_version_adds_does_not_keep_an_older_text_from_being_read(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    figures = read_figures(marts, JANUARY, now=NOW)
    older = text_of(figures).replace('"corrections":[],', "")
    assert figures_of(older) == figures


def digest_as_of(path: Path, watermark_at: datetime, price: str = "0.10") -> str:
    messages = [Message(at("2025-12-10 11:00")), Message(at("2026-01-15 11:00"), price=price)]
    write_warehouse(path, messages, watermark_at=watermark_at)
    with duckdb.connect(str(path), read_only=True) as connection:
        figures = read_figures(connection, JANUARY, now=watermark_at.replace(tzinfo=UTC))
    return digest_of_report(figures)


def test_the_digest_of_an_open_month_stays_while_its_figures_do(tmp_path: Path) -> None:
    running = digest_as_of(tmp_path / "running.duckdb", at("2026-01-20 12:00"))
    later = digest_as_of(tmp_path / "later.duckdb", at("2026-01-21 09:00"))
    over = digest_as_of(tmp_path / "over.duckdb", at("2026-02-10"))
    assert running == later == over
    assert digest_as_of(tmp_path / "dearer.duckdb", at("2026-02-10"), price="0.11") != over


FIRST_FORM = Path(__file__).with_name("figures_of_0.1.json")
"""Figures of a month as version 0.1 wrote them before campaigns, waste, audit and accruals were in them."""


def test_a_month_that_was_closed_by_an_earlier_version_is_still_reported(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    text = FIRST_FORM.read_text(encoding="utf-8")
    closed.execute(
        "update finance.closed_period set figures = ?, figures_digest = ?", [text, digest_of_text(text)]
    )
    report = write_report(closed, "2026-01", tmp_path, generated_at=NOW, formats=list(Format))
    assert report.is_closed
    assert report.cost == {"CHF": Decimal("0.400000"), "EUR": Decimal("0.500001")}
    assert (report.messages, report.unpriced, report.corrections) == (4, 1, 1)
    assert changed_months(closed) == ()
    page = shown(report)
    assert "The month was closed by an earlier version" in page
    assert 'id="campaigns-EUR"' not in page
    assert 'id="waste"' not in page
    assert (tmp_path / "sms-report-2026-01-waste.csv").read_text(encoding="utf-8-sig").count("\n") == 1


def test_a_closed_month_is_reported_byte_for_byte_whatever_the_marts_say_later(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = report_of(closed, tmp_path / "first", "2026-01")
    closed.execute("update marts.fct_sms set price = 9; drop table marts.cost_monthly")
    closed.execute("drop table marts.delivery_daily cascade")
    again = write_report(closed, "2026-01", tmp_path / "again", generated_at=NOW + timedelta(days=400))
    assert again.html.read_bytes() == first.html.read_bytes()
    assert again.xlsx.read_bytes() == first.xlsx.read_bytes()
    assert (again.report_id, again.digest, again.totals) == (first.report_id, first.digest, first.totals)


def test_a_closed_report_says_when_it_was_closed_and_its_digest(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, tmp_path, "2026-01")
    page = shown(report)
    assert "<dt>Closed</dt><dd>10 May 2026, 02:00</dd>" in page
    assert report.digest in page
    assert report.is_closed


def test_an_open_report_has_the_digest_of_its_figures(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    before = report_of(ripe, tmp_path)
    assert not before.is_closed
    assert report_of(ripe, tmp_path).digest == before.digest
    ripe.execute("update marts.delivery_daily set parts = parts + 1")
    assert report_of(ripe, tmp_path).digest != before.digest


def test_what_was_overridden_stands_above_everything_else(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    ripe.execute("update marts.fct_sms set is_final = false where price = 0.10")
    close_month(ripe, JANUARY, now=NOW, forced_reason="it was <b>agreed</b>")
    page = shown(report_of(ripe, tmp_path, "2026-01"))
    notice = page.partition('<div class="notice"')[2].partition("</div>")[0]
    assert "1 message may still change" in notice
    assert "it was &lt;b&gt;agreed&lt;/b&gt;" in notice


def test_corrections_stand_on_a_page_of_their_own_with_what_the_month_comes_to(
    corrected: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    page = shown(report_of(corrected, tmp_path))
    section = page.partition('<section class="page" id="corrections">')[2].partition("</section>")[0]
    assert "January 2026" in section
    assert "−0.020000" in section
    assert "<td>0.380000</td>" in section
    assert "EUR −0.02" in page


def test_the_workbook_lists_each_correction_and_adds_them_up(
    corrected: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    book = load_workbook(BytesIO(report_of(corrected, tmp_path).xlsx.read_bytes()), data_only=True)
    _, _, heading, *rows = book["EUR corrections"].iter_rows(values_only=True)
    assert heading[-1] == "Amount, EUR"
    assert [(row[0], row[-1]) for row in rows] == [("2026-01", 0.01), ("2026-01", -0.03), ("Total", -0.02)]
    summary = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True)}
    assert summary["Cost, EUR"] == 0.38


def test_corrections_are_in_the_totals_and_not_in_the_cost_of_the_messages(
    corrected: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(corrected, tmp_path)
    assert report.cost == {"EUR": Decimal("0.40")}
    assert [total.as_json() for total in report.totals] == [
        {"currency": "EUR", "messages": 1, "cost": "0.380000"}
    ]


def test_a_month_without_corrections_has_no_page_for_them(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, tmp_path)
    assert 'id="corrections"' not in shown(report)
    assert "EUR corrections" not in load_workbook(BytesIO(report.xlsx.read_bytes())).sheetnames


def test_corrections_that_were_booked_before_the_closing_stay_in_its_report(
    corrected: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    corrected.execute(
        "update raw.sms set price = fct.price from marts.fct_sms as fct where fct.uuid = sms.uuid"
    )
    figures = read_figures(corrected, FEBRUARY, now=NOW)
    assert [each.amount for each in figures_of(text_of(figures)).corrections] == [
        Decimal("0.010000"),
        Decimal("-0.030000"),
    ]
