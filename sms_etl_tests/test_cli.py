"""The commands as a person meets them: what they print, where, and with which exit code."""

import csv
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from sms_etl import __version__
from sms_etl.cli import cli
from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle

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
    "command", ["demo", "sync", "build", "publish", "report", "status", "query", "doctor", "sandbox", "ui"]
)
def test_every_command_has_a_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"sms-etl {command}" in result.stdout.partition("Example:")[2]


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = ["dagster", "pandas", "duckdb", "sqlglot", "altair", "httpx", "sqlalchemy", "pyarrow", "pydantic"]
    code = f"import sms_etl.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def imported_by(*words: str) -> set[str]:
    """Run a command in a process of its own; return the packages it imported."""
    code = (
        f"import sys, sms_etl.cli; sys.argv = {['sms-etl', *words]}\n"
        "try: sms_etl.cli.main()\n"
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
    assert "quarantined" in run("status").stdout


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


def test_a_long_answer_is_cut_and_says_how_to_get_all(synced: Run) -> None:
    result = synced("query", "select * from range(250)")
    assert "50 more rows" in result.stderr


def test_wrong_sql_is_answered_with_what_duckdb_says(synced: Run) -> None:
    result = synced("query", "select cost from marts.nothing")
    assert result.exit_code == 1
    assert "nothing" in result.stderr
    assert "show all tables" in result.stderr


def test_the_published_copy_cannot_be_written(synced: Run) -> None:
    result = synced("query", "delete from raw.sms")
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


@pytest.mark.parametrize("month", ["2026-13", "January", "2026-1-1-1"])
def test_a_month_that_is_none_is_answered_with_how_to_write_one(synced: Run, month: str) -> None:
    result = synced("report", "--month", month)
    assert result.exit_code in {1, 2}
    assert "2026-01" in result.stderr


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
    assert "cannot be made" in result.stderr
    assert "SMS_ETL_DATA_DIR" in result.stderr


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


# --- doctor ---


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
