"""The whole job against a sandbox: what it makes, and what it must not tell."""

import shutil
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from sms_etl.definitions import defs
from sms_etl.defs.months import READ_AGAIN, REPORT
from sms_etl.defs.relations import BULKS, SMS
from sms_etl.errors import ChecksFailed
from sms_etl.models.checks import checks
from sms_etl.models.project import load_project
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import load_settings
from sms_etl.warehouse.publish import publish
from sms_etl_tests.defs.instance import Run, instance_in_memory, packaged_instance

GRAPH = defs.resolve_asset_graph()
BY_MONTH = {REPORT, READ_AGAIN}
NOT_SYNCED = sorted(GRAPH.get_all_asset_keys() - {SMS, BULKS} - BY_MONTH)


def materialised(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    return {
        event.materialization.asset_key.to_user_string(): event.materialization
        for event in (event.step_materialization_data for event in result.get_asset_materialization_events())
    }


def row_counts(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    return {
        asset: int(str(materialization.metadata["dagster/row_count"].value))
        for asset, materialization in materialised(result).items()
        if "dagster/row_count" in materialization.metadata
    }


def metadata(run: Run, asset: str) -> dict[str, object]:
    return {name: value.value for name, value in materialised(run.result)[asset].metadata.items()}


def build_again(home: Path) -> dg.ExecuteInProcessResult:
    """Build, test and publish what is loaded, without a sync."""
    with instance_in_memory(home) as instance:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=NOT_SYNCED, raise_on_error=False
        )


def change(data_dir: Path, sql: str) -> None:
    with duckdb.connect(str(data_dir / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def test_the_job_materialises_every_asset(run: Run) -> None:
    assert run.result.success
    every = GRAPH.get_all_asset_keys() - BY_MONTH
    assert set(materialised(run.result)) == {key.to_user_string() for key in every}


def test_the_job_evaluates_every_check_and_none_fails_that_matters(run: Run) -> None:
    evaluations = run.result.get_asset_check_evaluations()
    every = {key for key in GRAPH.asset_check_keys if key.asset_key not in BY_MONTH}
    assert {evaluation.asset_check_key for evaluation in evaluations} == every
    failed = [evaluation for evaluation in evaluations if not evaluation.passed]
    assert [one.check_name for one in failed if one.severity is dg.AssetCheckSeverity.ERROR] == []


def test_the_warehouse_holds_what_the_provider_holds(run: Run, sandbox: SandboxHandle) -> None:
    truth = sandbox.truth()
    assert metadata(run, "lox24/sms")["dagster/row_count"] == truth["messages"]
    assert metadata(run, "lox24/bulks")["dagster/row_count"] == truth["bulks"]
    assert metadata(run, "marts/fct_sms")["dagster/row_count"] == truth["messages"]
    with duckdb.connect(str(run.data_dir / "published" / "warehouse.duckdb"), read_only=True) as published:
        ((cost,),) = published.execute("select sum(cost) from marts.cost_monthly").fetchall()
    assert cost == Decimal(truth["price_sum"])


def test_every_table_says_how_many_rows_it_has(run: Run) -> None:
    counts = row_counts(run.result)
    assert set(counts) == set(materialised(run.result)) - {"published", "reports/overview"}
    assert counts["ops/build_context"] == 1
    assert counts["seeds/countries"] > 200
    assert counts["staging/stg_sms_change"] >= counts["marts/fct_sms"] == 400


def test_the_sync_says_how_it_went(run: Run, sandbox: SandboxHandle) -> None:
    told = metadata(run, "lox24/sms")
    assert told["stopped_reason"] == "done"
    assert told["rows_quarantined"] == 0
    assert told["requests"] == len(sandbox.requests())
    assert str(told["watermark_after"]).endswith("+00:00")
    assert f"| new rows, of messages and bulks | {told['rows_new']} |" in str(told["summary"])
    assert f"New rows by sync: `█` up to {told['rows_new']}" in str(told["summary"])
    assert "watermark_before" not in told


def test_the_published_copy_is_named(run: Run) -> None:
    assert metadata(run, "published")["path"] == str(run.data_dir / "published" / "warehouse.duckdb")


def test_one_run_has_one_build_context(run: Run) -> None:
    with duckdb.connect(str(run.data_dir / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.execute("select timezone from ops.build_context").fetchall() == [("Europe/Berlin",)]


def test_the_results_of_all_tests_are_recorded(run: Run) -> None:
    with duckdb.connect(str(run.data_dir / "warehouse.duckdb"), read_only=True) as warehouse:
        recorded = warehouse.execute("select model, test from ops.model_test").fetchall()
    assert sorted(recorded) == sorted((check.model, check.test) for check in checks(load_project()))


def test_no_token_and_no_phone_number_is_in_anything_dagster_keeps(run: Run, sandbox: SandboxHandle) -> None:
    numbers = {message["phone"].lstrip("+") for message in sandbox.truth_sms()}
    secrets = {sandbox.token, sandbox.token.partition(":")[2], *numbers}
    kept = [file for file in run.home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in kept)
    text = "\n".join(file.read_bytes().decode("utf-8", "replace") for file in kept)
    text += "\n".join(record.getMessage() for record in run.log_records)
    assert "lox24_sync" in text, "the event log was not read"
    assert len(numbers) > 100
    assert [secret for secret in secrets if secret in text] == []


def test_the_requests_of_the_client_are_not_logged(run: Run) -> None:
    logged = [record for record in run.log_records if record.name.startswith(("httpx", "httpcore"))]
    # The test's own calls to the sandbox are made before the sync sets the levels.
    assert {record.name for record in logged if "/_sandbox/" not in record.getMessage()} == set()


def test_progress_is_logged_in_counts(run: Run) -> None:
    with packaged_instance(run.home) as instance:
        said = [entry.user_message for entry in instance.all_logs(run.result.run_id)]
    assert "reading sms: 400 of 400" in said


def test_a_failing_blocking_check_keeps_wrong_data_from_analysts(loaded_again: Path, tmp_path: Path) -> None:
    published = loaded_again / "published" / "warehouse.duckdb"
    before = published.stat().st_ino, published.stat().st_mtime_ns
    change(loaded_again, "insert into raw.sms select * from raw.sms limit 1")
    result = build_again(tmp_path / "home")
    failed = {
        (one.asset_key.to_user_string(), one.check_name)
        for one in result.get_asset_check_evaluations()
        if not one.passed and one.severity is dg.AssetCheckSeverity.ERROR
    }
    assert failed == {("staging/stg_sms", "grain_unique")}
    assert not result.success
    assert not {"marts/fct_sms", "marts/cost_daily", "published"} & set(materialised(result))
    assert (published.stat().st_ino, published.stat().st_mtime_ns) == before


def test_publishing_alone_is_refused_as_long_as_a_blocking_test_fails(
    loaded_again: Path, tmp_path: Path
) -> None:
    change(loaded_again, "update ops.model_test set failures = 2 where test = 'money_reconciles'")
    with instance_in_memory(tmp_path / "home") as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("published")], raise_on_error=False
        )
    assert not result.success
    failure = result.failure_data_for_node("published")
    assert failure is not None
    assert "(marts.cost_monthly: money_reconciles, 2 rows)" in str(failure.user_failure_data)


def test_a_build_without_a_sync_shows_warnings_takes_own_seeds_and_forgets_old_tests(
    loaded_again: Path, tmp_path: Path
) -> None:
    change(loaded_again, "update raw.sms set status_code = 4711 where uuid = (select min(uuid) from raw.sms)")
    change(loaded_again, "insert into ops.model_test values (now(), 'marts.gone', 'gone', 'error', 3)")
    (loaded_again / "seeds").mkdir()
    (loaded_again / "seeds" / "cost_centres.csv").write_text("key_id,cost_centre,description\n1,Ours,\n")
    result = build_again(tmp_path / "home")
    failed = {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}
    assert "unknown_codes" in failed
    assert row_counts(result)["seeds/cost_centres"] == 1
    assert result.success, "a test that is no more kept it from being published"
    assert "published" in materialised(result)


def test_a_step_that_fails_is_in_the_way_of_publishing_until_it_succeeds(
    loaded_again: Path, tmp_path: Path
) -> None:
    (loaded_again / "seeds").mkdir()
    own = loaded_again / "seeds" / "cost_centres.csv"
    own.write_text("key_id,cost_centre,description\none,Ours,\n")
    assert not build_again(tmp_path / "home").success
    with pytest.raises(ChecksFailed, match="the last build ended in an error"):
        publish(load_settings(data_dir=loaded_again))
    own.write_text("key_id,cost_centre,description\n1,Ours,\n")
    assert build_again(tmp_path / "home").success


def test_data_is_built_only_from_a_warehouse_that_is_there(loaded_again: Path, tmp_path: Path) -> None:
    shutil.rmtree(loaded_again)
    result = build_again(tmp_path / "home")
    failure = result.failure_data_for_node("model_inputs")
    assert failure is not None
    assert "Run `sms-etl sync` first." in str(failure.user_failure_data)
