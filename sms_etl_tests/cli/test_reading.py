"""`query`, `status` and `report` as a person meets them."""

import csv
import io
import os
import pty
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_etl.cli.commands import cli
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, the_object


def test_query_prints_a_table_csv_or_json_with_exact_decimals(synced: Run) -> None:
    sql = "select cast(1.100000 as decimal(18,6)) as price, 'a,b' as word, null as nothing"
    assert "1.100000" in synced("query", sql).stdout
    assert list(csv.reader(io.StringIO(synced("query", "--csv", sql).stdout))) == [
        ["price", "word", "nothing"],
        ["1.100000", "a,b", ""],
    ]
    assert the_object(synced("query", "--json", sql))["rows"] == [["1.100000", "a,b", None]]


def test_query_reads_sql_from_stdin_and_refuses_nothing(synced: Run) -> None:
    result = CliRunner().invoke(cli, ["query", "--csv"], input="select 41 + 1 as answer")
    assert result.stdout.split() == ["answer", "42"]
    assert CliRunner().invoke(cli, ["query"], input="  ").exit_code == 2


def test_query_without_sql_on_a_terminal_explains_itself_instead_of_waiting(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        result = subprocess.run(
            [sys.executable, "-m", "sms_etl", "query"],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=30,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert result.returncode == 2
    assert "show tables" in result.stderr


def test_several_statements_are_refused_not_half_obeyed(synced: Run) -> None:
    result = synced("query", "select 1 as first; select 2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "2 statements" in result.stderr


def test_csv_and_json_exclude_each_other(synced: Run) -> None:
    assert synced("query", "--csv", "--json", "select 1").exit_code == 2


@pytest.mark.parametrize("columns", ["80", "60", "200"])
def test_no_word_and_no_number_is_broken_at_any_width(
    synced: Run, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = synced("query", "select * from marts.cost_monthly order by cost desc limit 3").stdout
    exact = the_object(
        synced("query", "--json", "select * from marts.cost_monthly order by cost desc limit 3")
    )
    assert all(name in shown for name in exact["columns"])
    assert all(str(value) in shown for row in exact["rows"] for value in row)
    if columns != "60":
        assert max(map(len, shown.splitlines())) <= int(columns)


def test_what_a_terminal_would_obey_is_shown_instead(synced: Run) -> None:
    result = synced("query", "select '[red]' || chr(27) || '[31m' as \"[bold]x\"")
    assert "[bold]x" in result.stdout
    assert "[red]\\x1b[31m" in result.stdout
    assert "\x1b" not in result.stdout
    refused = synced("query", "select cast(chr(27) || '[31m' as integer)")
    assert "\x1b" not in refused.stderr


FORMULAS = "select '=1+1' as \"=head\", '+49151' as phone, -1.5 as number, true as flag, 'plain' as text"


def test_a_csv_is_safe_to_open_in_a_spreadsheet_and_raw_has_it_as_it_is(synced: Run) -> None:
    safe = list(csv.reader(io.StringIO(synced("query", "--csv", FORMULAS).stdout)))
    assert safe == [
        ["'=head", "phone", "number", "flag", "text"],
        ["'=1+1", "'+49151", "-1.5", "True", "plain"],
    ]
    raw = list(csv.reader(io.StringIO(synced("query", "--csv", "--raw", FORMULAS).stdout)))
    assert raw == [["=head", "phone", "number", "flag", "text"], ["=1+1", "+49151", "-1.5", "True", "plain"]]
    assert synced("query", "--raw", "select 1").exit_code == 2


def test_show_tables_lists_the_marts(synced: Run) -> None:
    said = synced("query", "show tables").stdout.split()
    assert {"marts.cost_monthly", "marts.data_status", "marts.fct_sms"} <= set(said)


def test_a_plan_is_drawn_as_the_database_draws_it(synced: Run) -> None:
    assert len(synced("query", "explain select count(*) from marts.fct_sms").stdout.splitlines()) == 3


def test_no_rows_are_said_to_be_none(synced: Run) -> None:
    result = synced("query", "select 1 as one where false")
    assert result.stdout.split() == ["one", "---"]
    assert "No rows" in result.stderr


def test_a_long_answer_is_cut_and_says_how_to_get_all(synced: Run) -> None:
    result = synced("query", "select * from range(250)")
    assert "50 more rows" in result.stderr


def test_wrong_sql_is_answered_with_what_duckdb_says(synced: Run) -> None:
    result = synced("query", "select cost from marts.nothing")
    assert result.exit_code == 1
    assert "nothing" in result.stderr
    assert "show tables" in result.stderr


def test_the_published_copy_cannot_be_written(synced: Run) -> None:
    result = synced("query", "delete from marts.fct_sms")
    assert result.exit_code == 1
    assert "read-only" in result.stderr


def test_status_shows_freshness_in_sentences_and_in_json(synced: Run) -> None:
    values = the_object(synced("status", "--json"))
    assert values["messages"] == 300
    assert values["last_run"]["stopped_reason"] == "done"
    assert values["watermark"].endswith("+00:00")
    said = synced("status").stdout
    assert "read up to" in said
    assert "2026-01-31" in said


def test_status_shows_how_late_messages_became_visible(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    run("sync", "--no-build", **account)
    newest = max(row["created_at"] for row in provider.truth_sms())
    provider.insert({"created_at": newest - 600})
    run("sync", "--no-build")
    late = the_object(run("status", "--json"))["lateness"]
    assert (late["messages"], late["median_seconds"], late["beyond_overlap"]) == (1, 600, 0)
    assert "600 s behind the watermark" in " ".join(run("status").stdout.split())


def test_reconcile_and_replay_are_asked_for_alone(run: Run, account: dict[str, str]) -> None:
    values = the_object(run("sync", "--reconcile", "--days", "10", "--no-build", "--json", **account))
    assert values["differences"] == 0
    assert the_object(run("sync", "--replay-quarantine", "--no-build", "--json"))["rows_seen"] == 0
    for words in (
        ("--days", "3"),
        ("--reconcile", "--since", "2026-01-01"),
        ("--replay-quarantine", "--reconcile"),
    ):
        assert run("sync", *words).exit_code == 2


def test_status_before_the_first_build_knows_what_is_loaded(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    assert the_object(run("status", "--json"))["open_messages"] is None


def test_the_report_of_the_running_month_says_until_when_it_goes(
    synced: Run, account: dict[str, str]
) -> None:
    month = account["now"][:7]
    result = synced("report", "--month", month)
    assert result.exit_code == 0
    assert "Covered: running month, until" in result.stderr
    values = the_object(synced("report", "--month", month, "--json"))
    assert (values["is_running"], values["is_covered"], values["is_cost_complete"]) == (True, False, False)
    [span] = values["covered"]
    assert datetime.fromisoformat(span["until"]) == datetime.fromisoformat(account["now"]) + timedelta(
        seconds=1
    )


def test_a_start_within_the_month_is_said_by_the_report(run: Run, account: dict[str, str]) -> None:
    now = datetime.fromisoformat(account["now"])
    start = (now - timedelta(days=3)).date()
    run("sync", "--json", **account, start=start.isoformat())
    result = run("report", "--month", f"{start:%Y-%m}")
    assert re.search(rf"Read from {start.day} \w+, 0[12]:00 to", result.stderr)
    assert "not read" in result.stderr


def test_report_writes_a_page_and_a_workbook(synced: Run) -> None:
    values = the_object(synced("report", "--month", "2026-01", "--json"))
    assert Path(values["html"]).read_text().startswith("<!")
    assert Path(values["xlsx"]).read_bytes()[:2] == b"PK"
    assert "sms-report-2026-01.html" in synced("report", "--month", "2026-01").stdout
