"""Quarters and years are the sum of their months, exactly; closed months count as they were closed.

The account, in the business time zone: November 2025 EUR 0.10 on the 10th; December EUR 0.20 and CHF 0.50;
January 2026 EUR 0.30; February EUR 0.01 and a message without a price; March nothing; April EUR 0.40.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from sms_etl.errors import ClosedMonthChanged, NoDataForPeriod, NotAPeriod
from sms_etl.finance.closing.close import close_month
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.coverage import Comparison, compare_months
from sms_etl.finance.figures import Total
from sms_etl.finance.period import Period, month_of, quarter_of, year_of
from sms_etl.finance.report import Format, ReportResult, write_report
from sms_etl_tests.finance.account import Message, at, write_warehouse

NOW = datetime(2026, 5, 10, tzinfo=UTC)
MONTHS_CLOSED = ("2025-11", "2025-12", "2026-01")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    messages = [
        Message(at("2025-11-10 11:00"), price="0.10"),
        Message(at("2025-12-05 11:00"), price="0.20", iso2="AT"),
        Message(at("2025-12-06 11:00"), price="0.50", currency="CHF", iso2="CH"),
        Message(at("2026-01-15 11:00"), price="0.30"),
        Message(at("2026-01-31 23:30"), price="0.01", key_id=2),  # in Berlin it is February
        Message(at("2026-02-10 11:00"), price=None),
        Message(at("2026-04-10 11:00"), price="0.40", key_id=9),
    ]
    path = tmp_path_factory.mktemp("months") / "warehouse.duckdb"
    return write_warehouse(path, messages, watermark_at=at("2026-05-10"))


@pytest.fixture
def months(account: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the account, to be closed and changed."""
    copied = tmp_path / "copy.duckdb"
    shutil.copyfile(account, copied)
    with duckdb.connect(str(copied)) as connection:
        yield connection


@pytest.fixture
def closed(months: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """November to January are closed; then a message of November costs two cents more."""
    for month in MONTHS_CLOSED:
        assert close_month(months, month, now=NOW).digest
    months.execute("update marts.fct_sms set price = price + 0.02 where price = 0.10")
    book_corrections(months, NOW)
    return months


def report_of(
    connection: duckdb.DuckDBPyConnection,
    period: Period,
    folder: Path,
    *,
    formats: tuple[Format, ...] = (Format.CSV,),
    now: datetime = NOW,
) -> ReportResult:
    return write_report(connection, period, folder, generated_at=now, formats=formats)


def said(report: ReportResult) -> dict[str, tuple[str, str]]:
    return {each.name: (each.state, each.text) for each in report.statements}


def totals_of(reports: list[ReportResult]) -> dict[str, tuple[int, Decimal]]:
    found: dict[str, tuple[int, Decimal]] = {}
    for total in (total for report in reports for total in report.totals):
        messages, cost = found.get(total.currency, (0, Decimal(0)))
        found[total.currency] = (messages + total.messages, cost + total.cost)
    return found


@pytest.mark.parametrize(
    ("text", "slug", "months", "name", "before"),
    [
        ("2026-1", "2026-q1", (date(2026, 1, 1), date(2026, 3, 1)), "Q1 2026", "Q4 2025"),
        ("2025-4", "2025-q4", (date(2025, 10, 1), date(2025, 12, 1)), "Q4 2025", "Q3 2025"),
        ("2024-q2", "2024-q2", (date(2024, 4, 1), date(2024, 6, 1)), "Q2 2024", "Q1 2024"),
    ],
)
def test_a_quarter_is_read(text: str, slug: str, months: tuple[date, date], name: str, before: str) -> None:
    quarter = quarter_of(text)
    assert (quarter.slug, quarter.name, quarter.before.name) == (slug, name, before)
    assert (quarter.months[0], quarter.months[-1]) == months


def test_a_year_is_read() -> None:
    year = year_of("2024")
    assert (year.slug, year.name, year.before.name, year.last_day) == (
        "2024",
        "2024",
        "2023",
        date(2024, 12, 31),
    )
    assert len(year.months) == 12


@pytest.mark.parametrize("text", ["2026-5", "2026-0", "2026", "Q1", "2026-01", "", "２０２６-1"])
def test_what_is_no_quarter_is_refused(text: str) -> None:
    with pytest.raises(NotAPeriod, match="such as 2026-1"):
        quarter_of(text)


@pytest.mark.parametrize("text", ["26", "2026-1", "0999", "", "year", "２０２６"])
def test_what_is_no_year_is_refused(text: str) -> None:
    with pytest.raises(NotAPeriod, match="such as 2026"):
        year_of(text)


def test_a_quarter_is_the_sum_of_its_months(months: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = report_of(months, quarter_of("2026-1"), tmp_path)
    assert (report.messages, report.unpriced, report.cost) == (3, 1, {"EUR": Decimal("0.31")})
    assert report.report_id.startswith("sms-2026-q1-")


def test_currencies_of_a_year_stand_apart(months: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = report_of(months, year_of("2025"), tmp_path)
    assert report.cost == {"CHF": Decimal("0.50"), "EUR": Decimal("0.30")}
    assert report.totals == (Total("CHF", 1, Decimal("0.50")), Total("EUR", 2, Decimal("0.30")))


@pytest.mark.parametrize("which", ["months", "closed"])
def test_the_reports_of_all_years_and_of_all_months_are_the_sum_of_the_messages(
    request: pytest.FixtureRequest, tmp_path: Path, which: str
) -> None:
    connection: duckdb.DuckDBPyConnection = request.getfixturevalue(which)
    with_messages = ("2025-11", "2025-12", "2026-01", "2026-02", "2026-04")
    by_month = [report_of(connection, month_of(month), tmp_path) for month in with_messages]
    by_year = [report_of(connection, year_of(year), tmp_path) for year in ("2025", "2026")]
    rows = connection.execute(
        "select currency, count(*), sum(coalesce(price, 0)) from marts.fct_sms group by currency"
    ).fetchall()
    messages = {currency: (number, cost) for currency, number, cost in rows}
    assert totals_of(by_year) == totals_of(by_month) == messages


def test_closed_months_of_a_year_stay_as_they_were_closed_and_open_ones_follow_the_marts(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    closed.execute("update marts.cost_daily set cost = cost + 1 where business_day < date '2026-02-01'")
    closed.execute("update marts.cost_monthly set cost = cost + 1 where business_month < date '2026-02-01'")
    for table, column in (("fct_sms", "price"), ("cost_daily", "cost"), ("cost_monthly", "cost")):
        day = "business_month" if table == "cost_monthly" else "business_day"
        closed.execute(
            f"update marts.{table} set {column} = {column} + 0.05 where {day} >= date '2026-04-01'"
        )
    assert report_of(closed, year_of("2025"), tmp_path).cost["EUR"] == Decimal("0.30")
    assert report_of(closed, year_of("2026"), tmp_path).cost == {"EUR": Decimal("0.76")}


def test_the_report_says_which_months_are_closed_and_what_is_with_the_others(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, year_of("2026"), tmp_path, formats=(Format.HTML, Format.XLSX))
    assert said(report)["Months"] == (
        "1 of 12 closed",
        "Jan 2026: closed, the figures no longer change. Feb, Apr 2026: open, the figures may still change. "
        "Mar 2026: read whole, without a message. May 2026: running. Jun–Dec 2026: not begun.",
    )
    assert said(report)["Covered"][0] == "running year, until 10 May, 02:00"
    assert not report.is_closed
    section = report.html.read_text(encoding="utf-8").partition('id="months"')[2].partition("</section>")[0]
    assert section.count('<td class="name short">closed</td>') == 1
    assert section.count("<tr><td") == 13
    book = openpyxl.load_workbook(report.xlsx, data_only=True)
    states = [row[1].value for row in book["EUR months"].iter_rows(min_row=4, max_row=9)]
    assert states == ["closed", "open", "no messages", "open", "running", "not begun"]


def test_corrections_booked_within_a_year_are_in_its_totals_and_on_its_page(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, year_of("2026"), tmp_path, formats=(Format.HTML, Format.XLSX))
    assert report.cost == {"EUR": Decimal("0.71")}
    assert report.totals == (Total("EUR", 4, Decimal("0.73")),)
    page = report.html.read_text(encoding="utf-8").partition('id="corrections"')[2]
    assert "+0.020000" in page
    assert "November 2025" in page


def test_the_months_of_a_year_are_shown_with_the_corrections_booked_to_each(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, year_of("2026"), tmp_path, formats=(Format.HTML, Format.XLSX))
    section = report.html.read_text(encoding="utf-8").partition('id="months"')[2].partition("</section>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row)[3:6] for row in section.split("<tr>")[2:]]
    assert rows[0] == ["0.30", "0.00", "0.30"]
    assert rows[-1] == ["0.71", "+0.02", "0.73"]
    assert ["0.00", "+0.02", "0.02"] in rows or ["0.01", "+0.02", "0.03"] in rows
    sheet = openpyxl.load_workbook(report.xlsx, data_only=True)["EUR months"]
    *_, total = sheet.iter_rows(values_only=True)
    heads = [cell.value for cell in sheet[3]]
    found = dict(zip(heads, total, strict=True))
    assert (found["Corrections, EUR"], found["With corrections, EUR"]) == (0.02, 0.73)


def test_a_quarter_whose_months_are_all_closed_is_the_same_byte_for_byte_for_ever(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    formats = tuple(Format)
    first = report_of(closed, quarter_of("2025-4"), tmp_path / "first", formats=formats)
    closed.execute("update marts.fct_sms set price = 9")
    closed.execute("update marts.cost_daily set cost = 9")
    again = report_of(
        closed, quarter_of("2025-4"), tmp_path / "again", formats=formats, now=NOW + timedelta(days=400)
    )
    assert first.is_closed
    assert (again.report_id, again.digest) == (first.report_id, first.digest)
    assert [each.read_bytes() for each in again.files] == [each.read_bytes() for each in first.files]


def test_the_digest_of_a_quarter_is_made_of_those_of_its_months(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    november, december = (
        report_of(closed, month_of(month), tmp_path).digest for month in ("2025-11", "2025-12")
    )
    text = (
        "sms_etl report 1\nperiod 2025-q4\nmonth 2025-10 none\n"
        f"month 2025-11 {november}\nmonth 2025-12 {december}\n"
    )
    assert (
        report_of(closed, quarter_of("2025-4"), tmp_path).digest == hashlib.sha256(text.encode()).hexdigest()
    )


def test_a_closed_month_that_was_changed_is_not_added_up(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    closed.execute("update finance.closed_line set price = price + 0.000001 where month = date '2025-12-01'")
    with pytest.raises(ClosedMonthChanged, match="2025-12"):
        report_of(closed, year_of("2025"), tmp_path)
    assert not list(tmp_path.glob("sms-report-*"))


def test_a_quarter_is_compared_with_the_same_months_of_the_quarter_before(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(closed, quarter_of("2026-2"), tmp_path, formats=(Format.HTML, Format.XLSX))
    assert said(report)["Changes"] == (
        "against the same months",
        "Apr 2026 is compared with the same months of Q1 2026; months not read whole in both are left out.",
    )
    assert "+33.3 %</span> against Jan 2026" in report.html.read_text(encoding="utf-8")
    rows: list[list[Any]] = [
        [cell.value for cell in row[:4]]
        for row in openpyxl.load_workbook(report.xlsx, data_only=True)["Summary"].iter_rows()
    ]
    assert ["Cost, EUR", "Q2 2026", "Apr 2026", "Jan 2026"] in rows
    assert ["Cost", 0.4, 0.4, 0.3] in rows


def test_months_before_the_first_message_are_not_missing(
    months: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = report_of(months, quarter_of("2025-4"), tmp_path)
    assert "Oct 2025: before the account's first message." in said(report)["Months"][1]
    assert said(report)["Covered"] == (
        "whole quarter",
        "Read from 1 October, 00:00 to 31 December, 24:00. The account's first message is from 10 November.",
    )


def test_months_that_were_not_read_are_named(tmp_path: Path) -> None:
    path = write_warehouse(
        tmp_path / "warehouse.duckdb",
        [Message(at("2026-02-10 11:00"), price="0.10")],
        windows=[(at("2026-02-01"), at("2026-05-10"))],
        watermark_at=at("2026-05-10"),
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        report = report_of(connection, quarter_of("2026-1"), tmp_path)
    assert "Jan 2026: not read whole, without a message." in said(report)["Months"][1]
    assert said(report)["Covered"][0] == "part of the quarter"
    assert "1 January to 1 February" in said(report)["Covered"][1].replace(", 00:00", "").replace(
        ", 01:00", ""
    )
    assert not report.is_cost_complete


def test_a_period_that_has_not_begun_is_refused(months: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for period in (quarter_of("2026-3"), year_of("2027"), year_of("9999")):
        with pytest.raises(NotAPeriod, match=rf"{period.name} has not begun"):
            report_of(months, period, tmp_path)


def test_a_period_without_messages_names_the_months_that_have_some(
    months: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(NoDataForPeriod, match="No message of 2024 is loaded") as caught:
        report_of(months, year_of("2024"), tmp_path)
    assert "the first message is from 2025-11-10" in caught.value.message
    assert "2025-11, 2025-12, 2026-01, 2026-02, 2026-04" in caught.value.hint


def test_whole_periods_are_compared_whole() -> None:
    now = [date(2026, month, 1) for month in (4, 5, 6)]
    before = [date(2026, month, 1) for month in (1, 2, 3)]

    def compared(now: Sequence[date | None], before: Sequence[date | None], first_day: date) -> Comparison:
        return compare_months(
            now,
            before,
            before_ends=date(2026, 3, 31),
            first_day=first_day,
            name="Q2 2026",
            name_before="Q1 2026",
        )

    whole = compared(now, before, date(2026, 1, 1))
    assert (whole.is_whole, whole.months) == (True, (1, 2, 3))
    partly = compared(now, before, date(2026, 1, 2))
    assert (partly.is_whole, partly.months) == (False, (2, 3))
    nothing = compared([None, None, None], before, date(2026, 1, 1))
    said = "no month of Q2 2026 that begins after the account's first message was read whole"
    assert nothing.reason == said
    apart = compared([date(2026, 4, 1), None, None], [None, None, date(2026, 3, 1)], date(2026, 1, 1))
    assert "and of no such pair both months were read whole" in apart.reason
    earliest = compared(now, before, date(2026, 4, 1))
    assert earliest.reason == "there is no message before 1 April 2026"
