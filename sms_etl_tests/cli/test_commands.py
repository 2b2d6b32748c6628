"""The commands as a person meets them: what they print, where, and with which exit code."""

import csv
import importlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from sms_etl import __version__
from sms_etl.cli.commands import cli
from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.warehouse.test_migrations import make_version_1

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command with a data directory of its own; keywords are settings, by their short names."""
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(tmp_path / "data"))

    def invoke(*words: str, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(f"SMS_ETL_{name.upper()}", value)
        return CliRunner().invoke(cli, list(words), catch_exceptions=False)

    return invoke


@pytest.fixture
def account(provider: SandboxHandle) -> dict[str, str]:
    """The settings of somebody whose account is the sandbox's."""
    return {
        "lox24_token": provider.token,
        "lox24_base_url": provider.url,
        "now": provider.now().isoformat(),
    }


@pytest.fixture
def synced(run: Run, account: dict[str, str]) -> Run:
    """Runs commands on a data directory that was synced."""
    assert run("sync", "--json", **account).exit_code == 0
    return run


def the_object(result: Result) -> dict[str, Any]:
    """Read stdout as exactly one JSON object."""
    value: dict[str, Any] = json.loads(result.stdout)
    return value


# --- what is there ---


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "sync",
        "build",
        "publish",
        "report",
        "status",
        "query",
        "quarantine",
        "doctor",
        "sandbox",
        "ui",
    ],
)
def test_every_command_has_a_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"sms-etl {command}" in result.stdout.partition("Example:")[2]


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = ["dagster", "pandas", "duckdb", "sqlglot", "altair", "httpx", "sqlalchemy", "pyarrow", "pydantic"]
    code = f"import sms_etl.cli.commands, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def imported_by(*words: str) -> set[str]:
    """Run a command in a process of its own; return the packages it imported."""
    code = (
        f"import sys, sms_etl.cli.commands; sys.argv = {['sms-etl', *words]}\n"
        "try: sms_etl.cli.commands.main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name for name in run.stderr.splitlines()[-1].split() if "." not in name}


def test_status_starts_without_the_libraries_that_only_a_sync_needs(synced: Run) -> None:
    assert imported_by("status", "--json").isdisjoint(
        {"sqlalchemy", "pandas", "numpy", "pyarrow", "sqlglot", "httpx"}
    )


def test_a_sync_imports_neither_pandas_nor_numpy(synced: Run, provider: SandboxHandle) -> None:
    assert {"pyarrow", "sqlalchemy"} <= imported_by("sync", "--no-build")
    assert imported_by("sync").isdisjoint({"pandas", "numpy"})


def test_the_version_is_shown(run: Run) -> None:
    assert __version__ in run("--version").stdout


@pytest.mark.parametrize(
    "words", [("sink",), ("sync", "--sinse", "2026-01-01"), ("report",), ("sync", "--since", "x")]
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


# --- sync, build, publish ---


def test_sync_prints_one_json_object_with_what_the_contract_names(run: Run, account: dict[str, str]) -> None:
    result = run("sync", "--json", **account)
    values = the_object(result)
    assert values["stopped_reason"] == "done"
    assert values["rows_new"] > 300
    assert values["build"]["failed_tests"] == []
    assert Path(values["published"]).exists()


def test_sync_says_in_sentences_what_it_did(run: Run, account: dict[str, str]) -> None:
    said = run("sync", **account).stdout
    assert re.search(r"\d+ new and 0 changed of \d+ rows read", said)
    assert "models built" in said
    assert "Published" in said


def test_no_build_stops_after_the_load(run: Run, account: dict[str, str]) -> None:
    values = the_object(run("sync", "--no-build", "--json", **account))
    assert values["build"] is None
    assert values["published"] is None
    assert run("query", "select 1").exit_code == 1


def test_build_and_publish_do_the_rest(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    assert the_object(run("build", "--json"))["models"]["marts.fct_sms"] == 300
    assert "models built" in run("build").stdout
    assert the_object(run("publish", "--json"))["bytes"] > 0
    assert "Published" in run("publish").stdout
    assert "300" in run("query", "select count(*) from marts.fct_sms").stdout


def test_a_backfill_reads_whole_days(run: Run, account: dict[str, str], provider: SandboxHandle) -> None:
    run("sync", "--no-build", **account)
    day = (provider.now() - timedelta(days=2)).date()
    provider.forget_requests()
    values = the_object(run("sync", "--no-build", "--json", "--since", f"{day}", "--until", f"{day}"))
    assert values["watermark_before"] == values["watermark_after"]
    [window] = {
        tuple(re.findall(r"te%5D=(\d+)", request["query"]))
        for request in provider.requests()
        if request["path"] == "/sms"
    }
    assert int(window[1]) - int(window[0]) == 86399


def test_quarantined_rows_end_with_3_and_say_so(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.insert({"created_at": to_unix(provider.now()), "extra": {"price": "much"}})
    result = run("sync", **account)
    assert result.exit_code == 3
    assert "1 rows could not be loaded" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    "words", [("sync",), ("sync", "--no-build"), ("sync", "--replay-quarantine"), ("status",)]
)
def test_while_a_row_waits_in_quarantine_every_sync_and_status_end_with_3_and_say_how_many(
    run: Run, account: dict[str, str], provider: SandboxHandle, words: tuple[str, ...]
) -> None:
    insert_bad_rows(provider, {"price": "much"})
    assert run("sync", "--no-build", **account).exit_code == 3
    result = run(*words)
    assert result.exit_code == 3
    assert "1 row waits in quarantine. `sms-etl quarantine list`" in " ".join(result.stdout.split())
    as_json = run(*words, "--json")
    assert (as_json.exit_code, the_object(as_json)["quarantine_open"]) == (3, 1)


def test_a_changed_format_ends_with_1_each_time_and_says_what_changed(
    run: Run, account: dict[str, str], empty_provider: SandboxHandle
) -> None:
    insert_bad_rows(empty_provider, *[{"created_at": "2026-01-31T12:00:00Z"}] * 100)
    account["lox24_base_url"] = empty_provider.url
    for _ in range(2):
        result = run("sync", "--no-build", **account)
        assert result.exit_code == 1
        assert "The provider's format has changed: 100 rows of /sms" in result.stderr
        assert "Expected `int`, got `str` - at `$.created_at`" in result.stderr
    assert the_object(run("status", "--json"))["last_run"]["stopped_reason"] == "FormatChanged"


# --- quarantine ---


def insert_bad_rows(provider: SandboxHandle, *extras: dict[str, Any]) -> list[str]:
    now = to_unix(provider.now())
    return provider.insert(
        *({"created_at": now, "extra": extra, "phone": "+4917612345678"} for extra in extras)
    )


@pytest.fixture
def waiting(run: Run, account: dict[str, str], provider: SandboxHandle) -> Run:
    """Runs commands on a data directory with three rows in quarantine, two of them bad for one reason."""
    insert_bad_rows(provider, {"price": -1}, {"price": -2}, {"uuid": None})
    assert run("sync", "--no-build", **account).exit_code == 3
    return run


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = the_object(run("quarantine", "list", "--json", *words))["rows"]
    return rows


def test_quarantine_list_shows_what_tells_a_row_apart_and_nothing_personal(waiting: Run) -> None:
    said = " ".join(waiting("quarantine", "list").stdout.split())
    assert "2 of sms: Negative, but documented as at least 0 - at `$.price`" in said
    assert "1 of sms: Expected `str`, got `null` - at `$.uuid`" in said
    assert "-2 EUR" in said
    assert "3 rows wait. `sms-etl sync --replay-quarantine`" in said
    values = the_object(waiting("quarantine", "list", "--json"))
    assert values["quarantine_open"] == 3
    assert {row["price"] for row in values["rows"]} == {"-1", "-2", "0.056"}
    assert all(row["created_at"].endswith("+00:00") for row in values["rows"])
    assert "12345678" not in said + str(values)
    assert not {"raw", "phone", "text"} & values["rows"][0].keys()


def test_accepting_every_row_lets_status_and_sync_end_with_0_and_is_recorded(waiting: Run) -> None:
    ids = [row["quarantine_id"] for row in listed(waiting)]
    said = waiting("quarantine", "accept", ids[0], "--reason", " a credit note ").stdout
    assert "1 accepted; 2 rows wait" in " ".join(said.split())
    assert waiting("status").exit_code == 3
    values = the_object(waiting("quarantine", "accept", ids[1][:8], ids[2], "--reason", "tests", "--json"))
    assert values == {"accepted": ids[1:], "quarantine_open": 0}
    assert waiting("status").exit_code == 0
    assert waiting("sync", "--no-build").exit_code == 0
    assert "The quarantine is empty" in waiting("quarantine", "list").stdout
    assert listed(waiting) == []
    closed = {row["quarantine_id"]: row["accepted_reason"] for row in listed(waiting, "--all")}
    assert closed == {ids[0]: "a credit note", ids[1]: "tests", ids[2]: "tests"}
    assert "accepted 2026-01-31: a credit note" in " ".join(
        waiting("quarantine", "list", "--all").stdout.split()
    )


def test_the_published_copy_shows_what_was_accepted_after_the_next_sync(waiting: Run) -> None:
    waiting("sync")
    count = "select count(*) from marts.quarantined_rows where accepted_at is not null"
    waiting("quarantine", "accept", listed(waiting)[0]["quarantine_id"], "--reason", "a test")
    waiting("sync")
    assert the_object(waiting("query", "--json", count))["rows"] == [[1]]


def test_accept_all_like_closes_what_is_bad_for_the_same_reason(waiting: Run) -> None:
    negative = next(row["quarantine_id"] for row in listed(waiting) if row["price"] == "-1")
    waiting("quarantine", "accept", negative, "--all-like", "--reason", "credit notes")
    assert [row["reason"] for row in listed(waiting)] == ["Expected `str`, got `null` - at `$.uuid`"]


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("00000000-0000-0000-0000-000000000000", "--reason", "x"), 1, "No open row in quarantine"),
        (("zzz", "--reason", "x"), 1, "No open row in quarantine"),
        ((" ", "--reason", "x"), 1, "No open row in quarantine"),
        (("ID", "zzz", "--reason", "x"), 1, "No open row in quarantine"),
        (("ID",), 2, "--reason"),
        (("ID", "--reason", ""), 2, "say why"),
        (("ID", "--reason", "  "), 2, "say why"),
        (("--reason", "x"), 2, "ID"),
    ],
)
def test_accept_refuses_what_is_not_clear_and_changes_nothing(
    waiting: Run, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    id_ = listed(waiting)[0]["quarantine_id"]
    result = waiting("quarantine", "accept", *(id_ if word == "ID" else word for word in words))
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert len(listed(waiting)) == 3


def test_the_beginning_of_several_ids_is_refused(waiting: Run, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        id_ = "cast('1234567' || rowid || '-0000-0000-0000-000000000000' as uuid)"
        connection.execute(f"update ops.quarantine set quarantine_id = {id_}")
    result = waiting("quarantine", "accept", "1234", "--reason", "x")
    assert (result.exit_code, len(listed(waiting))) == (1, 3)
    assert "3 rows begin with 1234." in result.stderr


def test_a_row_that_was_accepted_is_not_accepted_twice(waiting: Run) -> None:
    id_ = listed(waiting)[0]["quarantine_id"]
    assert waiting("quarantine", "accept", id_, "--reason", "first").exit_code == 0
    assert waiting("quarantine", "accept", id_, "--reason", "second").exit_code == 1
    [row] = [row for row in listed(waiting, "--all") if row["quarantine_id"] == id_]
    assert row["accepted_reason"] == "first"


@pytest.mark.parametrize("words", [("list",), ("accept", "1", "--reason", "x")])
def test_quarantine_without_a_warehouse_says_what_to_do(run: Run, words: tuple[str, ...]) -> None:
    result = run("quarantine", *words)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


@pytest.mark.parametrize("words", [("status",), ("quarantine", "list")])
def test_a_warehouse_of_an_older_version_is_refused_until_it_is_brought_up_to_date(
    run: Run, account: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    make_version_1(tmp_path / "data" / "warehouse.duckdb")
    result = run(*words)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr
    run("sync", "--no-build", **account)
    assert run(*words).exit_code == 0


def test_prices_with_binary_noise_are_loaded_and_counted(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    insert_bad_rows(provider, {"price": 0.21000000000000002}, {"price": 0.30000000000000004})
    result = run("sync", "--no-build", "--json", **account)
    assert result.exit_code == 0
    assert the_object(result)["prices_rounded"] == 2
    assert the_object(run("status", "--json"))["prices_rounded"] == 2
    assert "prices rounded" in run("status").stdout


# --- checks and the published copy ---


def test_a_failed_check_ends_with_3_and_keeps_the_published_copy(synced: Run, tmp_path: Path) -> None:
    published = tmp_path / "data" / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")
    result = synced("sync")
    assert result.exit_code == 3
    assert "failed" in result.stdout
    assert published.read_bytes() == before
    assert synced("build").exit_code == 3
    assert "grain_unique" in synced("status").stdout


def break_a_figure(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")


def mend_it(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create or replace temp table kept as select distinct * from raw.sms")
        connection.execute("delete from raw.sms")
        connection.execute("insert into raw.sms from kept")


def test_publish_refuses_with_3_what_failed_a_check_and_names_it(synced: Run, tmp_path: Path) -> None:
    published = tmp_path / "data" / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    break_a_figure(tmp_path / "data" / "warehouse.duckdb")
    assert synced("build").exit_code == 3
    result = synced("publish")
    assert result.exit_code == 3
    assert "grain_unique" in result.stderr
    assert "--force --reason" in result.stderr
    assert published.read_bytes() == before


def test_a_forced_copy_is_shown_by_status_until_a_healthy_build_is_published(
    synced: Run, tmp_path: Path
) -> None:
    break_a_figure(tmp_path / "data" / "warehouse.duckdb")
    synced("build")
    result = synced("publish", "--force", "--reason", "one row twice, known", "--json")
    assert result.exit_code == 0
    values = the_object(result)
    assert (values["is_forced"], values["forced_reason"]) == (True, "one row twice, known")
    assert any("grain_unique" in failed for failed in values["failed_tests"])

    status = synced("status")
    assert status.exit_code == 3
    assert "one row twice, known" in " ".join(status.stdout.split())
    forced = the_object(synced("status", "--json"))["forced"]
    assert forced["forced_reason"] == "one row twice, known"
    assert forced["published_at"].endswith("+00:00")
    asked = synced("query", "--json", "select is_forced, forced_reason from marts.data_status")
    assert the_object(asked)["rows"] == [[True, "one row twice, known"]]

    mend_it(tmp_path / "data" / "warehouse.duckdb")
    assert synced("build").exit_code == 0
    assert synced("publish").exit_code == 0
    status = synced("status", "--json")
    assert (status.exit_code, the_object(status)["forced"]) == (0, None)


@pytest.mark.parametrize("words", [("--force",), ("--reason", "because"), ("--force", "--reason", " ")])
def test_force_and_reason_go_together(synced: Run, words: tuple[str, ...]) -> None:
    result = synced("publish", *words)
    assert result.exit_code == 2
    assert "go together" in result.stderr


def test_a_build_that_ended_in_an_error_is_not_published_until_one_succeeds(
    synced: Run, tmp_path: Path
) -> None:
    seeds = tmp_path / "data" / "seeds"
    seeds.mkdir()
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\nnone,Ours,\n")
    assert synced("build").exit_code == 1
    result = synced("publish")
    assert result.exit_code == 3
    assert "the last build ended in an error" in result.stderr
    assert synced("status").exit_code == 3
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\n1,Ours,\n")
    assert synced("build").exit_code == 0
    assert synced("publish").exit_code == 0
    assert synced("status").exit_code == 0


def test_what_was_loaded_and_never_built_is_not_published(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    result = run("publish")
    assert result.exit_code == 3
    assert "nothing was built yet" in result.stderr


# --- reading ---


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


# --- bad input: a clear answer, and nothing lost ---


def test_without_a_token_sync_says_what_to_set(run: Run) -> None:
    result = run("sync")
    assert result.exit_code == 2
    assert "SMS_ETL_LOX24_TOKEN is not set" in result.stderr
    assert "sms-etl demo" in result.stderr


def test_a_wrong_token_is_tried_once_ends_with_1_and_is_not_shown(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.forget_requests()
    result = run("sync", **(account | {"lox24_token": "1:not-the-key"}))
    assert result.exit_code == 1
    assert "SMS_ETL_LOX24_TOKEN is wrong" in result.stderr
    assert "request id" in result.stderr
    assert "not-the-key" not in result.output
    assert len(provider.requests()) == 1


def test_an_unreachable_host_is_named(run: Run, account: dict[str, str]) -> None:
    result = run("doctor", **(account | {"lox24_base_url": "http://127.0.0.1:9"}))
    assert result.exit_code == 1
    assert "127.0.0.1:9 cannot be reached" in " ".join(result.stdout.split())


def test_a_month_without_data_says_which_months_have_some(synced: Run) -> None:
    result = synced("report", "--month", "2019-07")
    assert result.exit_code == 1
    assert "2019-07" in result.stderr
    assert "2026-01" in result.stderr


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "January", "2026-1-1-1"])
def test_a_month_that_is_none_is_wrong_usage_and_answered_with_how_to_write_one(
    synced: Run, month: str
) -> None:
    result = synced("report", "--month", month)
    assert result.exit_code == 2
    assert "2026-01" in result.stderr
    assert result.stdout == ""


def test_a_month_that_has_not_begun_is_wrong_usage(synced: Run, account: dict[str, str]) -> None:
    result = synced("report", "--month", "2099-01")
    assert result.exit_code == 2
    assert "2099-01 has not begun" in result.stderr
    assert f"The running month is {account['now'][:7]}" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", "0"),
        ("settle_days", "400"),
        ("overlap", "yesterday"),
        ("timezone", "Mars/Olympus"),
        ("pii", "forget"),
        ("now", "2026-01-01T00:00:00"),
        ("lox24_token", "no-colon"),
        ("lox24_base_url", "api.lox24.eu"),
    ],
)
def test_a_setting_out_of_bounds_is_named_and_ends_with_2(run: Run, name: str, value: str) -> None:
    result = run("status", **{name: value})
    assert result.exit_code == 2
    assert f"SMS_ETL_{name.upper()}:" in result.stderr
    if name == "lox24_token":
        assert value not in result.stderr


def test_a_data_directory_that_cannot_be_written_is_named(
    run: Run, account: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = run("sync", **account, data_dir=str(tmp_path / "file" / "data"))
    assert result.exit_code == 1
    assert f"cannot be made: {tmp_path / 'file'} is a file" in result.stderr
    assert "SMS_ETL_DATA_DIR" in result.stderr


@pytest.mark.skipif(
    sys.platform != "linux", reason="of folders that take no file, only /proc is sure to exist"
)
def test_a_data_directory_that_takes_no_file_is_no_other_sync(run: Run, account: dict[str, str]) -> None:
    result = run("sync", **account, data_dir="/proc/self")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: /proc/self/sync.lock cannot be written: No such file or directory."
    )
    assert "Give SMS_ETL_DATA_DIR a folder you may write to." in result.stderr


def test_a_lock_file_of_another_user_is_named_with_its_owner(
    run: Run, account: dict[str, str], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    (tmp_path / "data" / "sync.lock").touch(0o600)
    assert run("sync", "--help").exit_code == 0  # what it imports is read by root
    importlib.import_module("sms_etl.pipeline")
    os.seteuid(65534)
    try:
        result = run("sync", **account)
    finally:
        os.seteuid(0)
    assert result.exit_code == 1
    assert "sync.lock cannot be written: Permission denied." in result.stderr
    assert "It belongs to root: run it as root, or give SMS_ETL_DATA_DIR" in result.stderr


def test_a_file_that_cannot_be_used_is_named_without_a_traceback(
    synced: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no other error speaks of: here the folder of own seeds holds one that is no file."""
    (tmp_path / "data" / "seeds" / "cost_centres.csv").mkdir(parents=True)
    result = CliRunner().invoke(cli, ["build"], catch_exceptions=True)
    assert result.exit_code == 1
    assert "cost_centres.csv" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_warehouse_another_program_writes_says_which(
    synced: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.warehouse.store.LOCK_PATIENCE", timedelta(0))
    warehouse = tmp_path / "data" / "warehouse.duckdb"
    code = (
        f"import duckdb, sys; connection = duckdb.connect({str(warehouse)!r}); "
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        locked = synced("build")
        doctor = synced("doctor")
        status = synced("status")
        holder.communicate()
    assert locked.exit_code == 1
    assert f"PID {holder.pid}" in locked.stderr
    assert f"PID {holder.pid}" in " ".join(doctor.stdout.split())
    assert status.exit_code == 0, "the published copy answers"
    assert synced("build").exit_code == 0


@pytest.mark.parametrize("command", [("build",), ("publish",), ("status",), ("query", "select 1")])
def test_before_the_first_sync_every_reader_says_to_run_one(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_ctrl_c_says_that_nothing_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sms_etl.pipeline.sync_build_publish", interrupted)
    result = run("sync")
    assert result.exit_code == 1
    assert "What was read is kept" in result.stderr


@pytest.mark.parametrize("words", [("status",), ("sync",), ("query", "select 1"), ("doctor",)])
def test_a_misspelt_setting_ends_every_command_with_2_and_the_name_that_was_meant(
    run: Run, words: tuple[str, ...]
) -> None:
    result = run(*words, overlp="1h")
    assert result.exit_code == 2
    assert "SMS_ETL_OVERLP is not a setting. Did you mean SMS_ETL_OVERLAP?" in result.stderr


def test_messages_name_the_absolute_path(run: Run, tmp_path: Path) -> None:
    assert f"{tmp_path}/mine/published" in run("status", data_dir="mine").stderr


# --- logs ---


def log_in(folder: Path, *words: str) -> list[str]:
    """What a command logs of messages at each level, ours and those of the library that knows addresses."""
    code = (
        "import logging, sys\n"
        "from sms_etl.cli import commands as cli\n"
        "def say(*_):\n"
        "    for name in ('sms_etl.sync', 'httpx'):\n"
        "        log = logging.getLogger(name)\n"
        "        log.warning('a warning'), log.info('an info'), log.debug('a detail')\n"
        "    raise SystemExit(0)\n"
        "cli._settings = say\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=60,
    )
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("status",), ["WARNING sms_etl.sync: a warning"]),
        (("-v", "status"), ["WARNING sms_etl.sync: a warning", "INFO    sms_etl.sync: an info"]),
        (("status", "-v"), ["WARNING sms_etl.sync: a warning", "INFO    sms_etl.sync: an info"]),
        (
            ("-v", "status", "-v"),
            [
                "WARNING sms_etl.sync: a warning",
                "INFO    sms_etl.sync: an info",
                "DEBUG   sms_etl.sync: a detail",
            ],
        ),
        (
            ("status", "-vvv"),
            [
                "WARNING sms_etl.sync: a warning",
                "INFO    sms_etl.sync: an info",
                "DEBUG   sms_etl.sync: a detail",
            ],
        ),
    ],
)
def test_v_logs_what_we_do_and_never_what_libraries_know(
    tmp_path: Path, words: tuple[str, ...], lines: list[str]
) -> None:
    said = log_in(tmp_path, *words)
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line) for line in said)
    assert [line[24:] for line in said] == [*lines, "WARNING httpx: a warning"]


# --- doctor ---


def test_doctor_says_which_env_file_was_read(
    run: Run, account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.env").write_text("SMS_ETL_CONCURRENCY=3\n")
    monkeypatch.delenv("SMS_ETL_ENV_FILE")
    monkeypatch.setattr("sms_etl.places.PACKAGE_HOME", tmp_path)
    said = [found["says"] for found in the_object(run("doctor", "--json", **account))["findings"]]
    assert any(text.startswith("From the environment: none in ") for text in said)
    monkeypatch.setenv("SMS_ETL_ENV_FILE", "mine.env")
    said = [found["says"] for found in the_object(run("doctor", "--json"))["findings"]]
    assert f"From the environment and {tmp_path / 'mine.env'}." in said


def test_doctor_finds_nothing_wrong_with_a_working_account(run: Run, account: dict[str, str]) -> None:
    result = run("doctor", "--json", **account)
    values = the_object(result)
    assert (result.exit_code, values["ok"]) == (0, True)
    assert {"data directory", "disk", "warehouse", "time zone", "provider", "currency", "clock"} <= {
        found["subject"] for found in values["findings"]
    }


def test_doctor_without_a_token_says_what_to_set_and_ends_with_1(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 1
    assert "SMS_ETL_LOX24_TOKEN is not set" in result.stdout


def test_doctor_knows_a_wrong_token_and_asks_once(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.forget_requests()
    result = run("doctor", **(account | {"lox24_token": "1:wrong"}))
    assert result.exit_code == 1
    assert "wrong or inactive" in " ".join(result.stdout.split())
    assert len(provider.requests()) == 1


# --- sandbox ---


def test_the_sandbox_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sms_etl", "sandbox", "--port", "0", "--messages", "100"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(3))
        time.sleep(0.1)
        process.terminate()
    assert re.search(r"SMS_ETL_LOX24_BASE_URL=http://127\.0\.0\.1:\d+", said)
    assert "SMS_ETL_LOX24_TOKEN=" in said


def test_a_decimal_is_never_shown_as_a_power_of_ten(synced: Run) -> None:
    assert "0.000001" in synced("query", "select cast(0.000001 as decimal(18,6))").stdout
    assert Decimal(
        the_object(synced("query", "--json", "select 0.000001::decimal(18,6)"))["rows"][0][0]
    ) == Decimal("0.000001")


def test_sync_and_doctor_say_so_where_an_env_file_says_where_the_environments_token_goes(
    run: Run, account: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "named.env"
    file.write_text(f"SMS_ETL_LOX24_BASE_URL={account.pop('lox24_base_url')}\n")
    monkeypatch.setenv("SMS_ETL_ENV_FILE", str(file))
    synced = run("sync", "--no-build", "--json", **account)
    assert the_object(synced)["rows_new"] > 0
    assert synced.stderr.startswith(
        "The token of SMS_ETL_LOX24_TOKEN in the environment goes to http://127.0"
    )
    found = {each["subject"]: each for each in the_object(run("doctor", "--json"))["findings"]}
    assert "in the environment goes to http://127.0" in found["settings"]["says"]
