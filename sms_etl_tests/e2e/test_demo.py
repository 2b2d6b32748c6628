"""The demo, as a newcomer runs it, against what the sandbox says of itself."""

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from sms_etl.cli import cli
from sms_etl.demo import demo_sandbox_state
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl_tests.provider_truth import assert_bulks_equal, assert_messages_equal


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(tmp_path / "data"))
    return load_settings()


def demo(*words: str) -> str:
    result = CliRunner().invoke(cli, ["demo", "--messages", "4000", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


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
    assert re.search(r"Delivered: \d+\.\d% of the final ones", said)
    assert "Germany" in said
    assert "as the sandbox counts them itself: yes" in said
    assert str(settings.data_dir / "reports") in said
    assert "sms-etl query" in said


def test_a_second_demo_replaces_the_first(settings: Settings) -> None:
    first = json.loads(demo("--json"))
    second = json.loads(demo("--json"))
    assert second["matches_provider"] is True
    assert second["first"]["rows_new"] >= 4000
    assert first["warehouse"] == second["warehouse"]


def test_the_demo_never_replaces_a_real_accounts_warehouse(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    warehouse = settings.data_dir / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table precious as select 1")
    before = warehouse.read_bytes()
    result = CliRunner().invoke(cli, ["demo"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "SMS_ETL_DATA_DIR=" in result.stderr
    assert warehouse.read_bytes() == before


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
