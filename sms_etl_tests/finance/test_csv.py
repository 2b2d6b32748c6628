"""The report as CSV: what a clerk opens in a spreadsheet and a script reads, with the same figures."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sms_etl.finance.csv_cells import Cell, csv_of
from sms_etl.finance.locales import Locale, written_in
from sms_etl.finance.period import month_of, quarter_of
from sms_etl.finance.report import Format, ReportResult, write_report
from sms_etl_tests.finance.account import Message, at, write_warehouse
from sms_etl_tests.finance.conftest import WRITTEN_AT

TABLES = [
    *("months", "cost", "days", "campaigns", "bulks", "unassigned", "delivery"),
    *("accruals", "waste", "audit", "budgets", "conversions", "taxes", "corrections", "left-out"),
]


@pytest.fixture(scope="module")
def written(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    return write_report(
        marts, "2026-01", tmp_path_factory.mktemp("csv"), generated_at=WRITTEN_AT, formats=[Format.CSV]
    )


def rows_of(result: ReportResult, table: str) -> list[dict[str, str]]:
    (file,) = (each for each in result.files if each.name.endswith(f"-{table}.csv"))
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def test_there_is_a_file_a_table_whatever_it_holds(written: ReportResult) -> None:
    assert [each.name for each in written.files] == [f"sms-report-2026-01-{name}.csv" for name in TABLES]
    assert rows_of(written, "corrections") == []


@pytest.mark.parametrize("table", ["months", "cost", "days", "campaigns"])
def test_every_breakdown_adds_up_to_the_report(written: ReportResult, table: str) -> None:
    rows = rows_of(written, table)
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal("117.630600") == written.cost["EUR"]
    assert sum(int(row["messages"]) for row in rows) == written.messages
    assert {row["business_month"] for row in rows} == {"2026-01"}


def test_delivery_adds_up_to_the_report(written: ReportResult) -> None:
    rows = rows_of(written, "delivery")
    assert sum(int(row["messages"]) for row in rows) == written.messages
    assert sum(int(row["parts"]) for row in rows) == written.parts


def test_both_rates_of_a_day_stand_side_by_side_rounded_as_in_the_marts(written: ReportResult) -> None:
    rows = rows_of(written, "delivery")
    for row in rows:
        messages, delivered, not_final = (Decimal(row[name]) for name in ("messages", "delivered", "open"))
        final = messages - not_final
        found = [Decimal(row[name]) for name in ("delivery_rate", "accepted_delivery_rate", "share_settled")]
        assert found == [
            round(delivered / final, 6),
            round(delivered / messages, 6),
            round(final / messages, 6),
        ]
    assert any(row["delivery_rate"] != row["accepted_delivery_rate"] for row in rows)


def test_the_month_has_its_state_its_totals_and_its_digest(written: ReportResult) -> None:
    (month,) = rows_of(written, "months")
    assert (month["state"], month["total_cost"], month["digest"]) == ("open", "117.630600", written.digest)


def test_a_quarter_has_each_month_in_every_table(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    result = write_report(
        marts, quarter_of("2025-4"), tmp_path, generated_at=WRITTEN_AT, formats=[Format.CSV]
    )
    assert [(row["business_month"], row["state"], row["cost"]) for row in rows_of(result, "months")] == [
        ("2025-10", "before the first message", ""),
        ("2025-11", "before the first message", ""),
        ("2025-12", "open", "117.025700"),
    ]
    assert {row["business_month"] for row in rows_of(result, "cost")} == {"2025-12"}


def test_a_file_begins_with_a_byte_order_mark_and_its_lines_end_as_rfc_4180_says() -> None:
    assert csv_of(("a", "b"), [("ä", 1)]) == b"\xef\xbb\xbfa,b\r\n\xc3\xa4,1\r\n"


@pytest.mark.parametrize(
    ("cell", "english", "german"),
    [
        (Decimal("1234.5"), "1234.500000", "1234,500000"),
        (Decimal("-0.02"), "-0.020000", "-0,020000"),
        (Decimal("0.21000000000000002"), "0.21000000000000002", "0,21000000000000002"),
        (Decimal("1E+3"), "1000.000000", "1000,000000"),
        (Decimal(f"1{'0' * 31}.5"), f"1{'0' * 31}.500000", f"1{'0' * 31},500000"),
        (date(2026, 1, 31), "2026-01-31", "31.01.2026"),
        (datetime(2026, 1, 31, 23, 5, tzinfo=UTC), "2026-01-31T23:05:00Z", "31.01.2026 23:05:00"),
        (12345, "12345", "12345"),
        (None, "", ""),
        ("a;b", "a;b", '"a;b"'),
        ("a,b", '"a,b"', "a,b"),
    ],
)
def test_cells_are_written_exactly_and_in_the_manner_asked_for(cell: Cell, english: str, german: str) -> None:
    assert csv_of(("a", "b"), [(cell, 1)]).decode("utf-8-sig").splitlines()[1] == f"{english},1"
    with written_in(Locale.DE):
        assert csv_of(("a", "b"), [(cell, 1)]).decode("utf-8-sig").splitlines()[1] == f"{german};1"


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "x;=1"])
@pytest.mark.parametrize("locale", list(Locale))
def test_a_label_that_a_spreadsheet_would_compute_is_marked_as_text(
    warehouse_path: Path, tmp_path: Path, label: str, locale: Locale
) -> None:
    path = write_warehouse(warehouse_path, [Message(at("2026-01-15 11:00"), service=label)])
    with duckdb.connect(str(path), read_only=True) as connection:
        result = write_report(
            connection,
            month_of("2026-01"),
            tmp_path,
            generated_at=WRITTEN_AT,
            formats=[Format.CSV],
            locale=locale,
        )
    (file,) = (each for each in result.files if each.name.endswith("-cost.csv"))
    with file.open(encoding="utf-8-sig", newline="") as opened:
        _, row = csv.reader(opened, delimiter=";" if locale is Locale.DE else ",")
    cells = [cell for cell in row if label.strip()[-2:] in cell]
    assert cells
    assert all("'" in cell and not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert "x;=" not in "".join(cells)
