"""One story: an invoice differs, the month is closed, and what changes later is booked as a correction."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from sms_etl.clock import to_unix
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.cli.running import Clerk, Run, clerk_of

JANUARY, FEBRUARY = "2026-01", "2026-02"
_BUCKET = ("bucket", "messages", "amount", "currency")
_BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def provider() -> Iterator[SandboxHandle]:
    """An account of January and February, two weeks after January: all of it is settled."""
    account = AccountParameters(messages=150, days=30, days_after=10)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=100)) as handle:
        handle.advance(timedelta(days=14))
        yield handle


@pytest.fixture
def clerk(run: Run, provider: SandboxHandle) -> Clerk:
    return clerk_of(run, provider)


def month_of(row: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(row['created_at'], tz=UTC).astimezone(_BERLIN):%Y-%m}"


def write_invoice(path: Path, lines: Sequence[tuple[str, Decimal]]) -> str:
    """Write an invoice as somebody's spreadsheet would: semicolons, decimal commas, other columns."""
    text = "".join(f"SMS;{uuid};{str(amount).replace('.', ',')};x\n" for uuid, amount in lines)
    path.write_bytes(b"\xef\xbb\xbf" + f"Product;UUID;Amount;Remark\n{text}".encode())
    return str(path)


def test_a_month_is_closed_against_its_invoice_and_stays_so(
    clerk: Clerk, provider: SandboxHandle, tmp_path: Path
) -> None:
    assert clerk("sync")[0] == 0
    rows = provider.truth_sms()
    january = [(row["uuid"], Decimal(row["price"])) for row in rows if month_of(row) == JANUARY]
    february = next((row["uuid"], Decimal(row["price"])) for row in rows if month_of(row) == FEBRUARY)
    assert len(january) > 150

    # The invoice bills one message too much, one of another month, and one that nobody sent.
    (first, price), *others = january
    stranger = ("018d0000-0000-7000-8000-000000000000", Decimal("0.5"))
    wrong = [(first, price + Decimal("0.01")), *others, february, stranger]
    code, refused = clerk(
        "close", "--month", JANUARY, "--invoice", write_invoice(tmp_path / "wrong.csv", wrong)
    )
    assert (code, refused["status"]) == (3, "refused")
    assert [{name: each[name] for name in _BUCKET} for each in refused["differences"]] == [
        {"bucket": "late", "messages": 1, "amount": f"{february[1]:.6f}", "currency": "EUR"},
        {"bucket": "price differs", "messages": 1, "amount": "0.010000", "currency": "EUR"},
        {"bucket": "unknown", "messages": 1, "amount": "0.500000", "currency": "EUR"},
    ]
    with Path(refused["differences_file"]).open(encoding="utf-8-sig", newline="") as file:
        listed = {row["uuid"]: (row["cause"], Decimal(row["difference"])) for row in csv.DictReader(file)}
    assert listed == {
        first: ("another price", Decimal("0.01")),
        february[0]: ("of another month here", february[1]),
        stranger[0]: ("not here", Decimal("0.5")),
    }

    # The provider sends a new one, which agrees.
    right = write_invoice(tmp_path / "right.csv", january)
    code, closed = clerk("close", "--month", JANUARY, "--invoice", right)
    assert (code, closed["status"], closed["reasons"]) == (0, "closed", [])
    assert closed["differences_file"] is None
    total = sum(amount for _, amount in january)
    assert closed["totals"] == [{"currency": "EUR", "messages": len(january), "cost": f"{total:.6f}"}]
    _, report = clerk("report", "--month", JANUARY)
    assert report["digest"] == closed["digest"]
    files = [Path(file).read_bytes() for file in report["files"]]

    # A message becomes visible late, and the provider changes prices of January.
    provider.insert(
        {"created_at": to_unix(datetime(2026, 1, 20, 12, tzinfo=UTC)), "price": "0.123456"}
        | {"status_code": 100, "dlr_code": 1, "is_sent": True}
    )
    provider.set_switches(late_price_every=10, late_price_after_seconds=0)
    assert clerk("sync", "--since", "2026-01-01", "--until", "2026-02-14")[0] == 0
    code, booked = clerk("report", "--month", FEBRUARY)
    late = sum(Decimal(row["price"]) for row in provider.truth_sms() if month_of(row) == JANUARY) - total
    assert booked["corrections"] > 1
    assert late != Decimal("0.123456")
    assert [Decimal(each["cost"]) - Decimal(booked["cost"]["EUR"]) for each in booked["totals"]] == [late]

    # January stays as it was closed, to the last byte; both months together are all messages.
    code, again = clerk("close", "--month", JANUARY)
    assert (code, again["status"]) == (0, "already_closed")
    assert (again["digest"], again["totals"]) == (closed["digest"], closed["totals"])
    _, reported = clerk("report", "--month", JANUARY)
    assert [Path(file).read_bytes() for file in reported["files"]] == files
    everything = [*again["totals"], *booked["totals"]]
    truth = provider.truth()
    assert sum(Decimal(each["cost"]) for each in everything) == Decimal(truth["price_sum"])
    assert sum(each["messages"] for each in everything) == truth["messages"]


def test_a_price_changed_by_hand_is_found_before_the_month_is_closed(
    clerk: Clerk, provider: SandboxHandle, tmp_path: Path
) -> None:
    clerk("sync")
    uuid = provider.truth_sms()[7]["uuid"]
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("update raw.sms set price = price + 0.000001 where uuid = ?", [uuid])
    code, refused = clerk("close", "--month", JANUARY, "--force", "--reason", "in a hurry")
    assert (code, refused["status"]) == (3, "refused")
    assert [uuid in reason for reason in refused["reasons"]] == [True]

    # What the hint says mends it.
    clerk("sync", "--since", "2026-01-01", "--until", "2026-01-31")
    assert clerk("close", "--month", JANUARY)[0] == 0
