"""`sms-etl report` as finance meets it: which period, which files, and the lines behind them."""

import csv
import os
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl_tests.cli.running import Run, the_object


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of an account that was synced once; reports change nothing of it."""
    account = AccountParameters(messages=300, days=6)
    with (
        running_sandbox(account=account, switches=SandboxSwitches(page_size=100)) as provider,
        pytest.MonkeyPatch.context() as patched,
    ):
        found = {
            "SMS_ETL_DATA_DIR": str(tmp_path_factory.mktemp("report") / "data"),
            "SMS_ETL_ENV_FILE": os.devnull,
            "SMS_ETL_LOX24_TOKEN": provider.token,
            "SMS_ETL_LOX24_BASE_URL": provider.url,
            "SMS_ETL_NOW": provider.now().isoformat(),
        }
        for name, value in found.items():
            patched.setenv(name, value)
        assert invoke("sync", "--json").exit_code == 0
    return found


@pytest.fixture
def synced(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on that account."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return invoke


def words_of(settings: dict[str, str]) -> tuple[str, str, str]:
    """Return the running month, quarter and year."""
    year, month = settings["SMS_ETL_NOW"][:4], settings["SMS_ETL_NOW"][5:7]
    return f"{year}-{month}", f"{year}-{(int(month) + 2) // 3}", year


def test_a_quarter_and_a_year_are_written_beside_the_month(synced: Run, settings: dict[str, str]) -> None:
    month, quarter, year = words_of(settings)
    reports = [
        the_object(synced("report", f"--{kind}", text, "--json"))
        for kind, text in (("month", month), ("quarter", quarter), ("year", year))
    ]
    assert [report[kind] for report, kind in zip(reports, ("month", "quarter", "year"), strict=True)] == [
        *(month, quarter, year)
    ]
    assert len({file for report in reports for file in report["files"]}) == 6
    assert all(Path(file).is_file() for report in reports for file in report["files"])
    assert reports[1]["report_id"].startswith(f"sms-{quarter.replace('-', '-q')}-{reports[1]['digest'][:12]}")
    assert {part["state"] for part in reports[2]["months"]} <= {
        *("open", "running", "not begun", "before the first message", "no messages")
    }


def test_csv_is_written_where_it_is_asked_for(synced: Run) -> None:
    report = the_object(synced("report", "--month", "2026-01", "--format", "csv", "--json"))
    assert {Path(file).suffix for file in report["files"]} == {".csv"}
    assert (report["html"], report["xlsx"]) == (None, None)


def test_focus_of_a_quarter_stands_beside_its_other_files(synced: Run, settings: dict[str, str]) -> None:
    _, quarter, _ = words_of(settings)
    slug = quarter.replace("-", "-q")
    report = the_object(synced("report", "--quarter", quarter, "--format", "xlsx,focus", "--json"))
    names = [Path(file).name for file in report["files"]]
    assert names[:3] == [f"sms-report-{slug}.xlsx", f"focus-{slug}.csv", f"focus-{slug}.parquet"]
    assert (report["focus"]["report_id"], report["focus"]["digest"]) == (
        report["report_id"],
        report["digest"],
    )
    with Path(report["files"][1]).open(encoding="utf-8-sig", newline="") as file:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(file))
    assert {total["currency"]: Decimal(total["cost"]) for total in report["totals"]} == {"EUR": billed}


def test_the_files_are_named_on_stdout_and_the_statements_on_stderr(synced: Run) -> None:
    result = synced("report", "--month", "2026-01", "--format", "xlsx,csv", "--locale", "de")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].endswith("sms-report-2026-01.xlsx")
    assert all(Path(line).is_file() for line in result.stdout.splitlines())
    assert "Read from 01.01.2026, 00:00 to" in result.stderr


def test_the_lines_of_a_figure_add_up_to_it(synced: Run) -> None:
    report = the_object(synced("report", "--month", "2026-01", "--format", "csv", "--json"))
    lines = the_object(synced("report", "--month", "2026-01", "--lines", "--json"))
    assert (lines["totals"], lines["cost"]) == (report["totals"], report["cost"])
    assert (lines["report_id"], lines["digest"]) == (report["report_id"], report["digest"])
    [cost] = [file for file in report["files"] if file.endswith("-cost.csv")]
    with Path(cost).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    some = max(rows, key=lambda row: Decimal(row["cost"]))
    where = [
        *("--where", f"country={some['country_code']}", "--where", f"service={some['service_code']}"),
        *("--where", f"cost_centre={some['cost_centre']}"),
    ]
    traced = the_object(synced("report", "--month", "2026-01", "--lines", *where, "--json"))
    assert (traced["cost"]["EUR"], traced["messages"]) == (some["cost"], int(some["messages"]))


def test_what_lines_come_to_is_said_beside_the_file(synced: Run) -> None:
    result = synced("report", "--month", "2026-01", "--lines", "--where", "country=DE")
    assert result.stdout.strip().endswith("sms-lines-2026-01-country-DE.csv")
    assert result.stderr.startswith("EUR: ")
    nothing = synced("report", "--month", "2026-01", "--lines", "--where", "country=Fiji")
    assert nothing.exit_code == 0
    assert "No message of January 2026 matches" in nothing.stderr
    misspelt = synced("report", "--month", "2026-01", "--lines", "--where", "country=Germny")
    assert misspelt.exit_code == 2
    assert "no country 'Germny'; did you mean Germany (DE)?" in misspelt.stderr


@pytest.mark.parametrize(
    "words",
    [("--overview",), ("--month", "2026-01"), ("--month", "2026-01", "--lines")],
    ids=["overview", "report", "lines"],
)
def test_a_folder_that_out_names_and_cannot_be_made_is_told_by_out(
    synced: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (str(tmp_path / "file" / "below"), "/proc/sms_etl", "/proc"):
        result = synced("report", *words, "--out", out)
        assert result.exit_code == 2, out
        assert "Give --out a folder you may write to." in result.stderr
        assert "SMS_ETL_DATA_DIR" not in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Give one of --month"),
        (("--month", "2026-01", "--year", "2026"), "Give one of --month"),
        (("--month", "2026-01", "--format", "pdf"), "'pdf' is none of html, xlsx, csv, focus"),
        (("--month", "2026-01", "--format", ""), "'' is none of"),
        (("--month", "2026-01", "--locale", "fr"), "'fr' is not one of"),
        (("--month", "2026-01", "--where", "country=DE"), "--where needs --lines"),
        (("--month", "2026-01", "--lines", "--format", "csv"), "cannot be combined with --format"),
        (("--month", "2026-01", "--lines", "--where", "phone=1"), "Columns: bulk, campaign, cost_centre"),
        (("--quarter", "2026-5"), "such as 2026-1"),
        (("--year", "26"), "such as 2026"),
        (("--year", "2099"), "2099 has not begun"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_to_do(synced: Run, words: tuple[str, ...], says: str) -> None:
    result = synced("report", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_a_year_without_messages_names_the_months_that_have_some(synced: Run) -> None:
    result = synced("report", "--year", "2019")
    assert result.exit_code == 1
    assert "No message of 2019 is loaded" in result.stderr
    assert "There are messages in" in result.stderr
