"""`sms-etl report --format focus` writes a month's charges, and says what it wrote and what is left out."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, the_object


@pytest.fixture
def month(provider: SandboxHandle) -> str:
    """The month the account's messages are of."""
    return f"{provider.now():%Y-%m}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--format", "fokus"), "focus"),
        (("--format", "focus", "--focus-version", "1.3"), "1.4"),
        (("--focus-version", "1.0"), "--focus-version needs --format focus"),
        (("--format", "focus", "--month", "2026-13"), "2026-13"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...], says: str) -> None:
    result = run("report", "--month", "2026-01", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_without_a_published_copy_it_says_what_to_run(run: Run) -> None:
    result = run("report", "--month", "2026-01", "--format", "focus")
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_a_month_without_messages_ends_with_1_and_one_that_has_not_begun_with_2(synced: Run) -> None:
    for month, code in (("2020-01", 1), ("2999-01", 2)):
        result = synced("report", "--month", month, "--format", "focus")
        assert result.exit_code == code
        assert month in result.stderr


def test_the_files_add_up_to_the_report_and_name_it(synced: Run, month: str) -> None:
    report = the_object(synced("report", "--month", month, "--json"))
    focus = the_object(synced("report", "--month", month, "--format", "focus", "--json"))
    assert [Path(file).name for file in focus["files"]] == [
        f"focus-{month}.csv",
        f"focus-{month}.parquet",
        f"focus-billing-period-{month}.csv",
        f"focus-billing-period-{month}.parquet",
    ]
    assert {Path(file).stat().st_mode & 0o777 for file in focus["files"]} == {0o600}
    assert (focus["report_id"], focus["digest"]) == (report["report_id"], report["digest"])
    with Path(focus["files"][0]).open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    (total,) = report["totals"]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(total["cost"])
    assert sum(int(row["x_MessageCount"]) for row in rows) == total["messages"] - focus["unpriced"]


def test_1_0_has_no_billing_period(synced: Run, month: str) -> None:
    result = synced("report", "--month", month, "--format", "focus", "--focus-version", "1.0")
    assert result.exit_code == 0
    assert [Path(line).name for line in result.stdout.splitlines()] == [
        f"focus-{month}.csv",
        f"focus-{month}.parquet",
    ]


def test_what_is_left_out_is_said_beside_the_files(
    run: Run, provider: SandboxHandle, account: dict[str, str], month: str
) -> None:
    provider.set_switches(price_null_until_sent=True)
    provider.insert(
        {"created_at": to_unix(provider.now()), "status_code": 0, "dlr_code": 0, "is_sent": False}
    )
    assert run("sync", "--json", **account).exit_code == 0
    result = run("report", "--month", month, "--format", "focus")
    assert result.exit_code == 0
    assert "left out: FOCUS has no place for a cost that is not known." in result.stderr
    assert "left out" not in result.stdout
