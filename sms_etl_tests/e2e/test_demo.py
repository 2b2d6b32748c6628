"""The demo, as a newcomer runs it, against what the sandbox says of itself; and what it must never touch."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from sms_etl.accounts import with_twosms
from sms_etl.cli.commands import cli
from sms_etl.cli.demo import demo_sandbox_state, demo_settings, with_sandbox
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import assert_bulks_equal, assert_messages_equal


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The demo's own, in a data directory of a test's own."""
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(tmp_path / "data"))
    return demo_settings(load_settings())


def demo(*words: str, messages: int = 4000) -> str:
    result = CliRunner().invoke(cli, ["demo", "--messages", str(messages), *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused_demo() -> str:
    result = CliRunner().invoke(cli, ["demo", "--messages", "200"], catch_exceptions=False)
    assert result.exit_code == 1
    return result.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_belongs_to_an_account_is_left_behind_and_the_sandboxs_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOX24_TOKEN", "TWOSMS_CLIENT_ID", "TWOSMS_CLIENT_SECRET"):
        monkeypatch.setenv(f"SMS_ETL_{name}", "1:an-accounts-own")
    left = demo_settings(load_settings(data_dir=tmp_path))
    assert (left.lox24_token, left.twosms_client_id, left.twosms_client_secret) == (None, None, None)
    with running_sandbox(account=AccountParameters(messages=0)) as provider:
        with_twosms(with_sandbox(left, provider), lambda client: client.check())


def test_after_the_demo_the_warehouse_equals_the_sandboxs_own_account_of_itself(settings: Settings) -> None:
    values = json.loads(demo("--json"))
    assert values["matches_provider"] is True
    assert values["first"]["rows_new"] > 4000
    assert values["second"]["rows_changed"] > 0
    with running_sandbox(state=demo_sandbox_state(settings)) as provider:
        assert_messages_equal(Path(values["warehouse"]), provider.truth_sms())
        assert_bulks_equal(Path(values["warehouse"]), provider.truth_bulks())
        truth = provider.truth()
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        [(cost,)] = connection.execute("select sum(cost) from marts.cost_monthly").fetchall()
    assert cost == Decimal(truth["price_sum"])
    assert values["messages"] == truth["messages"]


def test_the_demo_ends_with_a_summary_a_person_can_read(settings: Settings) -> None:
    said = demo()
    assert re.search(r"[\d,]+ rows of 90 days by the first sync", said)
    assert re.search(r"Delivered: \d+\.\d% of those with a final status", said)
    assert counts_of_open(said) == json.loads(run_here("status", "--json").stdout)["open_messages"]
    assert "Germany" in said
    assert "as the sandbox counts them itself: yes" in said
    assert str(settings.data_dir / "reports") in said


def counts_of_open(said: str) -> int:
    """What the summary says is still re-fetched: none, aged out and still must add up."""
    found = re.search(r"([\d,]+) have none: ([\d,]+) never got .* ([\d,]+) still are", " ".join(said.split()))
    assert found, said
    without, aged_out, still = (int(number.replace(",", "")) for number in found.groups())
    assert without == aged_out + still
    return still


def test_a_second_demo_replaces_the_first(settings: Settings) -> None:
    first = json.loads(demo("--json", messages=300))
    second = json.loads(demo("--json", messages=400))
    assert second["matches_provider"] is True
    assert second["first"]["rows_new"] >= 400
    assert first["warehouse"] == second["warehouse"]


def test_nothing_of_an_account_is_touched_by_the_ui_without_a_token_and_a_demo_after_it(
    tmp_path: Path, provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo once took a directory for its own in which `sms-etl ui` had made a sandbox."""
    account = settings_at(provider)
    run_sync(account)
    say_it_is_a_sandboxs(account, None)
    with running_sandbox(state=account.data_dir / "sandbox.sqlite"):
        pass
    for folder in ("published", "reports", "seeds"):
        (account.data_dir / folder).mkdir()
        (account.data_dir / folder / "precious").write_text("the account's")
    before = contents(account.data_dir)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(account.data_dir))
    monkeypatch.setenv("SMS_ETL_WAREHOUSE", account.warehouse_url)
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", "1:the-accounts")
    demo(messages=200)
    demo(messages=200)
    after = {name: text for name, text in contents(account.data_dir).items() if not name.startswith("demo/")}
    assert {"warehouse.duckdb", "pii.key", "sandbox.sqlite"} <= set(before)
    assert after == before


def say_it_is_a_sandboxs(settings: Settings, is_sandbox: bool | None) -> None:
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("update ops.account set is_sandbox = ?", [is_sandbox])


def an_accounts_warehouse(settings: Settings) -> None:
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("create schema ops")
        connection.execute("create table ops.account as select 1 as account_id, false as is_sandbox")


def an_older_warehouse(settings: Settings) -> None:
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("create schema ops")
        connection.execute("create table ops.account as select 1 as account_id")


def a_warehouse_of_nobody_yet(settings: Settings) -> None:
    with Warehouse.of(settings).begin():
        pass


def another_programs_database(settings: Settings) -> None:
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("create table precious as select 1")


def no_database_at_all(settings: Settings) -> None:
    (settings.data_dir / "warehouse.duckdb").write_text("notes")


def a_copy_of_an_accounts_warehouse(settings: Settings) -> None:
    an_accounts_warehouse(settings)
    settings.published_path.parent.mkdir()
    (settings.data_dir / "warehouse.duckdb").rename(settings.published_path)


def landed_files_of_whoever(settings: Settings) -> None:
    (settings.landing_dir / "sms").mkdir(parents=True)
    (settings.landing_dir / "sms" / "a.parquet").write_text("landed")


@pytest.mark.parametrize(
    "put_there",
    [
        an_accounts_warehouse,
        an_older_warehouse,
        a_warehouse_of_nobody_yet,
        another_programs_database,
        no_database_at_all,
        a_copy_of_an_accounts_warehouse,
        landed_files_of_whoever,
    ],
)
def test_what_is_not_known_to_be_a_sandboxs_is_never_replaced(
    settings: Settings, put_there: Callable[[Settings], None]
) -> None:
    settings.data_dir.mkdir(parents=True)
    put_there(settings)
    demo_sandbox_state(settings).touch()
    before = contents(settings.data_dir)
    said = refused_demo()
    assert str(settings.data_dir) in said
    assert "Nothing was changed" in said
    assert contents(settings.data_dir) == before


def test_a_warehouse_that_says_it_is_no_sandboxs_any_more_is_kept(settings: Settings) -> None:
    demo(messages=200)
    for answer in (False, None):
        say_it_is_a_sandboxs(settings, answer)
        refused_demo()
    say_it_is_a_sandboxs(settings, True)
    demo(messages=200)


def test_a_demo_killed_before_it_loaded_anything_is_followed_by_a_whole_one(settings: Settings) -> None:
    code = (
        "import os, sms_etl.cli.demo as demo\n"
        "from sms_etl.settings import load_settings\n"
        "demo.sync_build_publish = lambda *_, **__: os._exit(9)\n"
        "demo.run_demo(load_settings(), messages=200)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 9
    assert (settings.data_dir / "warehouse.duckdb").exists()
    assert json.loads(demo("--json", messages=200))["matches_provider"] is True


def test_a_demo_in_use_by_another_sandbox_is_left_alone(settings: Settings) -> None:
    demo(messages=200)
    with running_sandbox(state=demo_sandbox_state(settings)):
        result = CliRunner().invoke(cli, ["demo", "--messages", "200"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "Stop the sandbox that uses it" in result.stderr


def test_the_demos_own_directory_may_be_named_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo(messages=200)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(settings.data_dir))
    assert json.loads(demo("--json", messages=200))["warehouse"] == str(
        settings.data_dir / "warehouse.duckdb"
    )


def test_an_accounts_settings_do_not_reach_the_demo(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMS_ETL_START", "2099-01-01")
    monkeypatch.setenv("SMS_ETL_PII_KEY", "ab" * 32)
    monkeypatch.setenv("SMS_ETL_WAREHOUSE", f"duckdb:///{tmp_path}/the-accounts.duckdb")
    assert json.loads(demo("--json", messages=200))["matches_provider"] is True
    assert not (tmp_path / "the-accounts.duckdb").exists()


def run_here(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sms_etl", *words],
        env={**os.environ, "SMS_ETL_DATA_DIR": "data/demo"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("elsewhere", [False, True])
def test_each_next_step_works_when_it_is_pasted(tmp_path: Path, *, elsewhere: bool) -> None:
    """In a fresh shell, in the same folder; `ui` is tried in test_ui.py."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "SMS_ETL_ENV_FILE": os.devnull,
        **{name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "PYTHONPATH"))},
    }
    inline = {"SMS_ETL_DATA_DIR": str(tmp_path / "my data")}
    if elsewhere:
        environment["SMS_ETL_WAREHOUSE"] = "duckdb:///the-accounts.duckdb"
    shown = subprocess.run(
        [sys.executable, "-m", "sms_etl", "demo", "--messages", "300"],
        env={**environment, **inline},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    commands = [line for line in shown.splitlines() if line.startswith("SMS_ETL_DATA_DIR='my data/demo'")]
    assert [re.sub(r".* -m sms_etl (\w+).*", r"\1", command) for command in commands] == [
        "status",
        "query",
        "report",
        "ui",
    ]
    for command in commands[:-1]:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "Error" not in done.stderr
        assert done.stdout


def test_who_asks_for_the_status_after_a_demo_is_told_where_it_lies(settings: Settings) -> None:
    demo(messages=200)
    result = CliRunner().invoke(cli, ["status"])
    assert result.exit_code == 1
    assert "The demo has a folder of its own: SMS_ETL_DATA_DIR=data/demo " in result.stderr


def test_own_cost_centres_survive_the_demo(settings: Settings) -> None:
    seeds = settings.data_dir / "seeds"
    seeds.mkdir(parents=True)
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\n8207,OWN,mine\n")
    demo("--json")
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        named = connection.execute("select distinct cost_centre from marts.fct_sms").fetchall()
    assert sorted(named) == [("OWN",), ("unassigned",)]


def test_the_report_is_written_beside_the_warehouse_and_survives_it(settings: Settings) -> None:
    values = json.loads(demo("--json"))
    shutil.rmtree(settings.data_dir / "published")
    assert Path(values["report"]).exists()
    assert Path(values["workbook"]).exists()
