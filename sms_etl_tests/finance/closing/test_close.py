"""A ripe month is closed once, whole, for ever; what is not ripe stays open unless somebody says why."""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sms_etl.clock import fixed_clock
from sms_etl.errors import ClosedMonthChanged, NoDataForPeriod, NotAPeriod
from sms_etl.finance.closing.close import CloseResult, Status, close_month
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.closing.invoice import parse_invoice
from sms_etl.finance.closing.periods import changed_months, digest_of
from sms_etl.finance.figures import Total
from sms_etl.finance.queries import Queries
from sms_etl.finance.report import write_report
from sms_etl.models.runner import build
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.finance.account import project
from sms_etl_tests.finance.closing.small import JANUARY, NOW

ROOT = Path(__file__).parents[3]
COUNTS = """
select (select count(*) from finance.closed_line), (select count(*) from finance.closed_period),
    (select count(*) from finance.correction)
"""
OPEN = "update marts.fct_sms set is_final = false where price = 0.10"
FIRST = "00000000-0000-0000-0000-000000000001"


def close(connection: duckdb.DuckDBPyConnection, month: str = "2026-01", **more: str) -> CloseResult:
    return close_month(connection, month, now=NOW, forced_reason=more.get("because"))


def change(connection: duckdb.DuckDBPyConnection, changes: str) -> None:
    """Change raw.sms as a sync does, with its log, and build."""
    connection.execute(f"update raw.sms set {changes}")
    connection.execute(
        "insert into raw.sms_change by name select uuid, timestamp '2026-03-11' as observed_at, "
        "'poll' as observed_by, status_code, dlr_code, is_sent, gateway_sent_at, price, currency from raw.sms"
    )
    build(connection, project())
    book_corrections(connection, NOW)


def test_a_ripe_month_is_closed_with_a_line_a_message(ripe: duckdb.DuckDBPyConnection) -> None:
    result = close(ripe)
    assert (result.status, result.reasons) == (Status.CLOSED, ())
    assert result.totals == (Total("EUR", 3, Decimal("0.600001")),)
    lines = ripe.execute(
        "select business_day, price, cost_centre, delivery_status from finance.closed_line order by price"
    ).fetchall()
    assert [(f"{day:%m-%d}", *rest) for day, *rest in lines] == [
        ("01-01", Decimal("0.100000"), "Marketing", "delivered"),
        ("01-16", Decimal("0.200001"), "Logistics", "delivered"),
        ("01-31", Decimal("0.300000"), "Marketing", "expired"),
    ]


def test_a_month_is_closed_only_once_with_the_same_digest_and_totals(ripe: duckdb.DuckDBPyConnection) -> None:
    first = close(ripe)
    again = close(ripe)
    assert (again.status, again.digest, again.totals) == (Status.ALREADY_CLOSED, first.digest, first.totals)
    assert ripe.execute(COUNTS).fetchall() == [(3, 1, 0)]


def test_the_digest_can_be_made_again_from_the_table_alone(ripe: duckdb.DuckDBPyConnection) -> None:
    digest = close(ripe).digest
    days: dict[str, list[str]] = {}
    for uuid, created, day, price, parts, *texts in ripe.execute(
        "select uuid, epoch_us(created_at), business_day, price, parts, currency, cost_centre, country_code, "
        "service_code, delivery_status from finance.closed_line order by created_at, uuid"
    ).fetchall():
        currency, *others = (f"{len(text)}:{text}" for text in texts)
        line = "|".join(str(each) for each in (uuid, created, day, currency, price, parts, *others))
        days.setdefault(str(day), []).append(line)

    def hexed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    text = ["sms_etl closed month 1", "month 2026-01"]
    text += [f"day {day} {len(lines)} {hexed(chr(10).join(lines))}" for day, lines in days.items()]
    text += [f"corrections 0 {hexed('')}", "total EUR 3 0.600001", ""]
    assert hexed("\n".join(text)) == digest


def test_what_is_not_ripe_is_refused_and_nothing_is_kept(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute(OPEN)
    result = close(ripe)
    assert (result.status, result.digest) == (Status.REFUSED, None)
    assert [reason[:9] for reason in result.reasons] == ["1 message"]
    assert ripe.execute(COUNTS).fetchall() == [(0, 0, 0)]


def test_a_month_closed_by_force_keeps_both_reasons(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute(OPEN)
    result = close(ripe, because="agreed on the phone")
    assert result.status is Status.CLOSED
    [(is_forced, why, overridden)] = ripe.execute(
        "select is_forced, forced_reason, overridden_reasons ->> 0 from finance.closed_period"
    ).fetchall()
    assert (is_forced, why, overridden) == (True, "agreed on the phone", result.reasons[0])


def test_a_ripe_month_is_not_closed_by_force_whatever_was_given(ripe: duckdb.DuckDBPyConnection) -> None:
    assert close(ripe, because="to be sure").forced_reason is None
    assert ripe.execute("select is_forced, forced_reason from finance.closed_period").fetchall() == [
        (False, None)
    ]


def test_rows_that_were_changed_by_hand_are_closed_for_no_reason(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute(f"update raw.sms set price = price + 0.000001 where uuid = '{FIRST}'")
    result = close(ripe, because="never mind")
    assert result.status is Status.REFUSED
    assert any(FIRST in reason for reason in result.reasons)


def test_an_invoice_that_differs_is_a_reason_that_can_be_overridden(ripe: duckdb.DuckDBPyConnection) -> None:
    billed = parse_invoice(b"amount\n0.60\n")
    refused = close_month(ripe, "2026-01", now=NOW, invoice=billed)
    assert (refused.status, len(refused.differences)) == (Status.REFUSED, 1)
    assert "EUR -0.000001" in refused.reasons[0]
    closed = close_month(ripe, "2026-01", now=NOW, invoice=billed, forced_reason="rounded by them")
    assert closed.status is Status.CLOSED
    [(digest, bucket)] = ripe.execute(
        "select invoice_digest, differences ->> '$[0].bucket' from finance.closed_period"
    ).fetchall()
    assert (digest, bucket) == (billed.digest, "unknown")


def test_a_line_that_is_on_the_invoice_twice_is_said_even_at_no_price(
    ripe: duckdb.DuckDBPyConnection,
) -> None:
    rows = ripe.execute("select uuid, price from raw.sms where price < 0.4").fetchall()
    lines = "".join(f"{uuid},{price}\n" for uuid, price in rows)
    twice = parse_invoice(f"uuid,amount\n{lines}{FIRST},0\n".encode())
    result = close_month(ripe, "2026-01", now=NOW, invoice=twice)
    assert (result.status, result.differences) == (Status.REFUSED, ())
    assert "1 message is on the invoice more than once" in result.reasons[0]


@pytest.mark.parametrize(
    ("month", "error"), [("2026-07", NotAPeriod), ("2026-13", NotAPeriod), ("2024-01", NoDataForPeriod)]
)
def test_a_month_that_cannot_be_closed_at_all_is_an_error(
    ripe: duckdb.DuckDBPyConnection, month: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        close(ripe, month)


def test_a_correction_counts_in_the_month_it_was_booked_to(ripe: duckdb.DuckDBPyConnection) -> None:
    close(ripe)
    change(ripe, "price = 0.11 where price = 0.10")
    result = close(ripe, "2026-02")
    assert result.status is Status.CLOSED
    assert result.totals == (Total("EUR", 1, Decimal("0.410000")),)


def test_a_month_with_nothing_but_corrections_can_be_closed(ripe: duckdb.DuckDBPyConnection) -> None:
    close(ripe)
    close(ripe, "2026-02")
    change(ripe, "price = 0.41 where price = 0.40")
    with suppress(NotAPeriod):
        close(ripe, "2026-03")
    result = close(ripe, "2026-03", because="the month is not over")
    assert result.totals == (Total("EUR", 0, Decimal("0.010000")),)


def test_the_reports_of_all_months_add_up_to_all_messages(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    close(ripe)
    change(ripe, "price = price + 0.000001 where price < 0.40")
    change(ripe, "created_at = timestamp '2026-02-02' where price = 0.300001")
    reports = [write_report(ripe, month, tmp_path, generated_at=NOW) for month in ("2026-01", "2026-02")]
    totals = [total for report in reports for total in report.totals]
    exact = ripe.execute("select count(*), sum(price) from raw.sms").fetchall()
    assert [(sum(each.messages for each in totals), sum(each.cost for each in totals))] == exact


@pytest.mark.parametrize(
    "tampering",
    [
        "update finance.closed_line set price = price + 0.000001 where price = 0.10",
        "update finance.closed_line set cost_centre = 'Other' where price = 0.10",
        "delete from finance.closed_line where price = 0.10",
        "update finance.closed_period set figures = '{}'",
        "update finance.closed_period set totals = '[]'",
        "update finance.closed_period set digest = ''",
    ],
)
def test_a_closed_month_that_was_changed_is_found_and_no_later_one_is_closed(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path, tampering: str
) -> None:
    close(ripe)
    assert changed_months(ripe) == ()
    ripe.execute(tampering)
    assert changed_months(ripe) == (JANUARY,)
    with pytest.raises(ClosedMonthChanged, match="2026-01"):
        close(ripe)
    with pytest.raises(ClosedMonthChanged, match="2026-01"):
        write_report(ripe, "2026-01", tmp_path, generated_at=NOW)


def test_lines_with_other_borders_between_their_texts_have_another_digest(
    ripe: duckdb.DuckDBPyConnection,
) -> None:
    close(ripe)
    queries = Queries(ripe, JANUARY)
    before = digest_of(queries)
    ripe.execute("update finance.closed_line set cost_centre = 'Marketing|2:DE', country_code = ''")
    assert digest_of(queries) != before


OTHER = """
import sys
from datetime import timedelta
from sms_etl.clock import system_clock
from sms_etl.warehouse.store import Warehouse
with Warehouse(f"duckdb:///{sys.argv[1]}", system_clock, patience=timedelta(0)).begin():
    pass
"""


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from sms_etl.clock import system_clock
from sms_etl.finance.closing.close import close_month
from sms_etl.warehouse.store import Warehouse
with Warehouse(f"duckdb:///{sys.argv[1]}", system_clock).begin() as transaction:
    now = datetime(2026, 5, 10, tzinfo=UTC)
    print(close_month(transaction.native, "2026-01", now=now).status, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def warehouse_of(path: Path, tmp_path: Path) -> Iterator[Warehouse]:
    copied = tmp_path / "writable.duckdb"
    shutil.copyfile(path, copied)
    yield Warehouse(f"duckdb:///{copied}", fixed_clock(NOW), patience=timedelta(0))


def test_a_kill_after_all_was_written_and_before_it_is_committed_leaves_nothing(
    ripe_path: Path, tmp_path: Path
) -> None:
    with warehouse_of(ripe_path, tmp_path) as warehouse:
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(warehouse.path)], capture_output=True, text=True, check=False
        )
        assert (killed.stdout, killed.returncode) == ("closed\n", -signal.SIGKILL)
        with warehouse.begin() as transaction:
            assert transaction.row(COUNTS) == (0, 0, 0)
            assert close(transaction.native).status is Status.CLOSED


def test_while_a_month_is_being_closed_another_program_has_to_wait(ripe_path: Path, tmp_path: Path) -> None:
    with warehouse_of(ripe_path, tmp_path) as warehouse, warehouse.begin() as transaction:
        close(transaction.native)
        other = subprocess.run(
            [sys.executable, "-c", OTHER, str(warehouse.path)], capture_output=True, text=True, check=False
        )
    assert "WarehouseLocked" in other.stderr


def test_nothing_in_the_program_changes_or_deletes_what_was_closed() -> None:
    changing = re.compile(
        r"(update|delete\s+from|truncate|drop\s+table|merge\s+into|create\s+or\s+replace\s+table)\s+finance\."
        r"|(update|delete)\(\s*(tables\.)?(closed_period|closed_line|correction)",
        re.IGNORECASE,
    )
    sources = [
        path
        for folder in ("sms_etl", "dbt_like_sql")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql"}
    ]
    assert len(sources) > 100
    assert [path.name for path in sources if changing.search(path.read_text(encoding="utf-8"))] == []
