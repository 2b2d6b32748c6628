"""`sms-etl close` says what it needs, builds what is stale, and publishes what was closed."""

import shutil
from pathlib import Path
from uuid import UUID

import duckdb
import pytest

from sms_etl.build import book_changes
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import load_settings
from sms_etl_tests.cli.running import Run, the_object


@pytest.fixture
def month(provider: SandboxHandle) -> str:
    """The month the account's messages are of."""
    return f"{provider.now():%Y-%m}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--month"),
        (("--month", "2026-13"), "2026-13"),
        (("--month", "2026-01", "--force"), "go together"),
        (("--month", "2026-01", "--reason", "because"), "go together"),
        (("--month", "2026-01", "--force", "--reason", " "), "go together"),
        (("--month", "2026-01", "--invoice", "nowhere.csv"), "nowhere.csv cannot be opened"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...], says: str) -> None:
    result = run("close", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_invoice_that_cannot_be_read_names_the_line(run: Run, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("uuid,amount\n,1\n,+49 170 1234567\n")
    result = run("close", "--month", "2026-01", "--invoice", str(invoice))
    assert result.exit_code == 2
    assert "Line 3 of the invoice" in result.stderr
    assert "1234567" not in result.stderr


def test_without_a_warehouse_it_says_what_to_run(run: Run) -> None:
    result = run("close", "--month", "2026-01")
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_a_month_that_is_not_ripe_is_refused_with_3_and_its_reasons(
    synced: Run, month: str, tmp_path: Path
) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("amount\n1000000\n")
    result = synced("close", "--month", month, "--invoice", str(invoice))
    shown = " ".join(result.stdout.split())
    assert result.exit_code == 3
    assert f"{month} was not closed" in shown
    assert "is not over" in shown
    assert "unknown" in shown.partition("Invoice less what is here")[2]
    values = the_object(synced("close", "--month", month, "--json"))
    assert (values["status"], values["digest"], values["differences"]) == ("refused", None, [])
    assert len(values["reasons"]) >= 1


def test_messages_that_differ_are_listed_and_a_list_that_cannot_be_written_changes_nothing(
    synced: Run, month: str, tmp_path: Path
) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text(f"uuid,amount\n{UUID(int=1)},0.5\n")
    compared = ("close", "--month", month, "--invoice", str(invoice))
    reports = load_settings().reports_dir
    shutil.rmtree(reports, ignore_errors=True)
    reports.write_text("in the way")
    unlisted = synced(*compared, "--json")
    assert unlisted.exit_code == 3
    assert (the_object(unlisted)["status"], the_object(unlisted)["differences_file"]) == ("refused", None)
    assert f"{reports} is a file" in unlisted.stderr
    reports.unlink()
    listed = Path(the_object(synced(*compared, "--json"))["differences_file"])
    assert f"Message by message: {listed}" in synced(*compared).stdout
    assert len(listed.read_text(encoding="utf-8-sig").splitlines()) > 2


def test_a_month_closed_by_force_is_published_and_reported(synced: Run, month: str) -> None:
    result = synced("close", "--month", month, "--force", "--reason", "a rehearsal")
    assert result.exit_code == 0
    assert f"{month} is closed" in result.stdout
    assert "a rehearsal" in result.stdout
    closed = the_object(synced("close", "--month", month, "--json"))
    reported = the_object(synced("report", "--month", month, "--json"))
    assert closed["status"] == "already_closed"
    assert reported["digest"] == closed["digest"]
    assert reported["totals"] == closed["totals"]
    assert reported["report_id"].startswith(f"sms-{month}-{closed['digest'][:8]}")


def test_what_a_kill_kept_from_being_published_is_published_the_next_time(
    synced: Run, month: str, tmp_path: Path
) -> None:
    published = tmp_path / "data" / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    synced("close", "--month", month, "--force", "--reason", "a rehearsal")
    published.write_bytes(before)
    result = synced("close", "--month", month, "--json")
    assert the_object(result)["published"] == str(published)
    assert the_object(synced("report", "--month", month, "--json"))["is_closed"]


def test_a_change_in_a_closed_month_is_not_booked_from_a_build_that_failed_a_check(
    synced: Run, month: str, tmp_path: Path
) -> None:
    synced("close", "--month", month, "--force", "--reason", "a rehearsal")
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")
    result = synced("build", "--json")
    assert result.exit_code == 3
    assert the_object(result)["corrections"] == 0


def test_a_build_says_what_it_booked(synced: Run, month: str, tmp_path: Path) -> None:
    synced("close", "--month", month, "--force", "--reason", "a rehearsal")
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        (uuid,) = connection.execute("select uuid from finance.closed_line where price > 0").fetchall()[0]
        connection.execute("update raw.sms set price = price + 1 where uuid = ?", [uuid])
    assert "booked to later ones: 1." in synced("build").stdout


def test_a_build_made_model_by_model_is_booked_unless_a_check_failed(
    synced: Run, month: str, tmp_path: Path
) -> None:
    synced("close", "--month", month, "--force", "--reason", "a rehearsal")
    warehouse = str(tmp_path / "data" / "warehouse.duckdb")
    with duckdb.connect(warehouse) as connection:
        connection.execute("update marts.fct_sms set price = price + 1")
        connection.execute("insert into ops.model_test values (now(), 'marts.x', 'y', 'error', 1)")
    assert book_changes(load_settings()) == 0
    with duckdb.connect(warehouse) as connection:
        connection.execute("delete from ops.model_test where model = 'marts.x'")
    assert book_changes(load_settings()) > 0
    assert book_changes(load_settings()) == 0


def test_a_month_forced_against_a_failed_check_is_closed_and_not_published(
    synced: Run, month: str, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw.bulk select * from raw.bulk limit 1")
    result = synced("close", "--month", month, "--force", "--reason", "a rehearsal", "--json")
    values = the_object(result)
    assert (values["status"], values["published"], values["is_shown"]) == ("closed", None, False)
    assert any("grain_unique" in reason for reason in values["reasons"])
