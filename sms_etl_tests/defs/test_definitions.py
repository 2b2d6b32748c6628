import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from sms_etl import defs as defs_package
from sms_etl.definitions import defs
from sms_etl.defs.jobs import schedules
from sms_etl.defs.months import months
from sms_etl.defs.relations import complete, key_of, keys_of
from sms_etl.defs.resources import WRITER_POOL
from sms_etl.errors import ModelError
from sms_etl.models.checks import checks
from sms_etl.models.declared import Severity
from sms_etl.models.project import load_project
from sms_etl_tests.defs.instance import environment, packaged_instance

ASSETS = {
    "lox24/sms",
    "lox24/bulks",
    "lox24/months_read_again",
    "ops/build_context",
    "seeds/budgets",
    "seeds/bulk_status_codes",
    "seeds/cost_centres",
    "seeds/countries",
    "seeds/dlr_codes",
    "seeds/fx_rates",
    "seeds/status_codes",
    "seeds/tax",
    "staging/stg_bulk",
    "staging/stg_sms",
    "staging/stg_sms_change",
    "intermediate/int_as_of",
    "intermediate/int_bulk_traffic_daily",
    "intermediate/int_closed_daily",
    "intermediate/int_closed_month",
    "intermediate/int_codes_daily",
    "intermediate/int_cost_centre_rule",
    "intermediate/int_coverage",
    "intermediate/int_figure_changes_daily",
    "intermediate/int_forecast",
    "intermediate/int_logged_codes_daily",
    "intermediate/int_odd_bills",
    "intermediate/int_off_hours_daily",
    "intermediate/int_price_estimate",
    "intermediate/int_sms_daily",
    "intermediate/int_sms_settled",
    "intermediate/int_spend_daily",
    "intermediate/int_status",
    "intermediate/int_traffic_daily",
    "intermediate/int_traffic_hourly",
    "intermediate/int_unpriced_daily",
    "intermediate/int_unread_day",
    "intermediate/int_usual_price",
    "marts/accruals",
    "marts/billing_audit",
    "marts/budget_backtest",
    "marts/budget_status",
    "marts/bulk_performance",
    "marts/country_overview",
    "marts/delivery_cohort",
    "marts/delivery_funnel",
    "marts/delivery_hourly",
    "marts/delivery_latency",
    "marts/encoding_waste",
    "marts/failure_reasons",
    "marts/figure_changes",
    "marts/price_changes",
    "marts/sender_health",
    "marts/traffic_anomalies",
    "marts/dim_country",
    "marts/dim_status",
    "marts/fct_bulk",
    "marts/fct_sms",
    "marts/focus_cost_and_usage",
    "marts/cost_booked",
    "marts/cost_daily",
    "marts/cost_monthly",
    "marts/cost_reporting",
    "marts/cost_reporting_monthly",
    "marts/tax_lines",
    "marts/tax_monthly",
    "marts/coverage_daily",
    "marts/coverage_monthly",
    "marts/coverage_spans",
    "marts/data_status",
    "marts/delivery_daily",
    "marts/quarantined_rows",
    "published",
    "reports/month",
    "reports/overview",
}
BY_MONTH = {dg.AssetKey(["reports", "month"]), dg.AssetKey(["lox24", "months_read_again"])}
GRAPH = defs.resolve_asset_graph()


def parents(asset: str) -> set[str]:
    return {key.to_user_string() for key in GRAPH.get(dg.AssetKey(asset.split("/"))).parent_keys}


def test_definitions_load_without_any_setting_and_write_nothing(tmp_path: Path) -> None:
    loads = "from sms_etl.definitions import defs; print(len(list(defs.resolve_all_asset_keys())))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", loads],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,  # on a machine that does much else
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(len(ASSETS)), "")
    assert list(tmp_path.iterdir()) == []


def test_these_are_the_assets() -> None:
    assert {key.to_user_string() for key in GRAPH.get_all_asset_keys()} == ASSETS


def test_no_asset_comes_from_outside() -> None:
    """A misspelt dependency would be one, and Dagster would not complain."""
    assert {key.to_user_string() for key in GRAPH.external_asset_keys} == set()


def test_definitions_with_a_misspelt_dependency_do_not_load() -> None:
    misspelt = dg.AssetSpec("report", deps=["publised"])
    with pytest.raises(ModelError, match="no Dagster asset makes publised"):
        complete(dg.Definitions(assets=[misspelt]))


def test_every_sql_model_and_seed_is_an_asset() -> None:
    project = load_project()
    assert {name.replace(".", "/") for name in [*project.models, *project.seeds]} <= ASSETS


@pytest.mark.parametrize(
    ("asset", "reads"),
    [
        ("lox24/sms", set()),
        ("ops/build_context", {"lox24/sms", "lox24/bulks"}),
        ("seeds/countries", set()),
        ("staging/stg_sms", {"lox24/sms"}),
        ("staging/stg_sms_change", {"lox24/sms"}),
        ("staging/stg_bulk", {"lox24/bulks"}),
        ("marts/dim_country", {"seeds/countries", "intermediate/int_codes_daily"}),
        ("marts/cost_daily", {"marts/fct_sms"}),
        ("intermediate/int_coverage", {"lox24/sms"}),
        ("marts/coverage_monthly", {"marts/coverage_daily"}),
        ("marts/coverage_spans", {"intermediate/int_coverage"}),
        ("marts/quarantined_rows", {"lox24/sms"}),
        (
            "marts/data_status",
            {"lox24/sms", "ops/build_context", "marts/delivery_daily", "marts/quarantined_rows"},
        ),
        ("reports/overview", {"published"}),
        ("published", {asset for asset in ASSETS if asset.startswith("marts/")}),
    ],
)
def test_an_asset_depends_on_what_its_sql_reads(asset: str, reads: set[str]) -> None:
    assert parents(asset) == reads


def test_what_no_asset_makes_is_refused_instead_of_taken_for_external() -> None:
    with pytest.raises(ModelError, match=r"no Dagster asset writes raw\.sms_changes"):
        key_of("raw.sms_changes")


def test_the_catalogue_of_the_database_is_no_dependency() -> None:
    assert keys_of(["information_schema.columns", "raw.bulk"]) == [dg.AssetKey(["lox24", "bulks"])]


def test_a_model_of_what_no_asset_makes_waits_for_the_first_sync() -> None:
    assert keys_of(["finance.closed_period"]) == [dg.AssetKey(["ops", "build_context"])]


def test_assets_are_grouped_by_folder() -> None:
    groups = {key.to_user_string(): GRAPH.get(key).group_name for key in GRAPH.get_all_asset_keys()}
    assert groups == {asset: asset.partition("/")[0] for asset in ASSETS}


def test_a_model_tells_its_columns_its_sql_its_grain_and_its_owner() -> None:
    node = GRAPH.get(dg.AssetKey(["marts", "fct_sms"]))
    columns = {column.name: column for column in node.metadata["dagster/column_schema"].columns}
    assert columns["price"].type == "decimal(18,6)"
    assert "net of VAT" in (columns["price"].description or "")
    assert columns["uuid"].constraints.unique
    assert not columns["currency"].constraints.nullable
    assert node.metadata["grain"] == "uuid"
    assert "select" in node.metadata["sql"].md_str
    assert node.owners == ["team:messaging"]
    assert node.kinds == {"duckdb", "sql", "table"}
    assert "One row a message" in (node.description or "")


def test_a_column_can_be_followed_back_to_the_provider() -> None:
    def made_from(asset: str, column: str) -> set[tuple[str, str]]:
        lineage = GRAPH.get(dg.AssetKey(asset.split("/"))).metadata["dagster/column_lineage"]
        return {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage.deps_by_column[column]}

    assert ("marts/fct_sms", "price") in made_from("marts/cost_daily", "cost")
    assert made_from("marts/fct_sms", "price") == {("staging/stg_sms", "price")}
    assert made_from("staging/stg_sms", "price") == {("lox24/sms", "price")}


def test_every_test_of_the_models_is_a_check_that_blocks_if_it_is_an_error() -> None:
    expected = {
        (check.model.replace(".", "/"), check.test): check.severity is Severity.ERROR
        for check in checks(load_project())
    }
    found = {
        (key.asset_key.to_user_string(), key.name): GRAPH.get_check_spec(key).blocking
        for key in GRAPH.asset_check_keys
    }
    assert found == {
        **expected,
        ("lox24/sms", "nothing_quarantined"): False,
        ("lox24/sms", "no_new_fields"): False,
        ("lox24/bulks", "bulks_agree_with_their_messages"): False,
        ("lox24/bulks", "bulks_could_be_read"): False,
        ("reports/overview", "overview_was_drawn"): False,
        ("reports/month", "month_can_be_closed"): False,
        ("lox24/sms", "watermark_is_young"): False,
        ("lox24/sms", "no_message_is_there_twice"): False,
        ("lox24/sms", "none_is_open_too_long"): False,
        ("lox24/sms", "no_price_is_wild"): False,
        ("published", "copy_is_young"): False,
        ("published", "further_copies_hold_it"): False,
    }
    assert found["marts/cost_monthly", "money_reconciles"]
    assert not found["marts/dim_status", "unknown_codes"]


WHOLE_JOBS = ["sms_pipeline", "sms_reconcile"]
MONTHLY_JOBS = ["month_end", "rebuild"]
SINGLE_STEPS = ["campaign_status", "retention_apply", "retention_plan"]


def test_these_are_the_jobs() -> None:
    jobs = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    assert sorted(jobs) == sorted(WHOLE_JOBS + MONTHLY_JOBS + SINGLE_STEPS)


@pytest.mark.parametrize("name", WHOLE_JOBS)
def test_each_job_materialises_everything_in_one_process(name: str) -> None:
    job = defs.resolve_job_def(name)
    assert job.asset_layer.executable_asset_keys == GRAPH.executable_asset_keys - BY_MONTH
    assert job.executor_def is dg.in_process_executor


def test_these_are_the_schedules_and_each_waits_until_it_is_started() -> None:
    found = [defs.resolve_schedule_def(schedule.name) for schedule in defs.schedules or []]
    assert {(schedule.name, schedule.job_name, schedule.cron_schedule) for schedule in found} == {
        ("sms_pipeline_every_15_minutes", "sms_pipeline", "*/15 * * * *"),
        ("sms_reconcile_nightly", "sms_reconcile", "40 3 * * *"),
        ("month_end_monthly", "month_end", "0 7 6 * *"),
        ("retention_plan_weekly", "retention_plan", "0 6 * * 1"),
    }
    assert {schedule.default_status for schedule in found} == {dg.DefaultScheduleStatus.STOPPED}


@pytest.mark.parametrize(
    ("values", "zone"),
    [
        ({}, "Europe/Berlin"),
        ({"TIMEZONE": "America/New_York"}, "America/New_York"),
        ({"TIMEZONE": "nowhere"}, "Europe/Berlin"),
    ],
)
def test_schedules_and_months_keep_the_time_zone_of_the_settings(
    values: dict[str, str], zone: str, tmp_path: Path
) -> None:
    with environment(tmp_path, **values):
        assert {schedule.execution_timezone for schedule in schedules()} == {zone}
        assert months().timezone == zone


def test_months_begin_with_that_of_the_first_message_to_read(tmp_path: Path) -> None:
    with environment(tmp_path, START="2025-11-17"):
        assert months().get_first_partition_key() == "2025-11-01"


@pytest.mark.parametrize("name", WHOLE_JOBS + MONTHLY_JOBS + SINGLE_STEPS)
def test_all_steps_that_write_share_the_place_of_the_one_writer(name: str) -> None:
    job = defs.resolve_job_def(name)
    writing = [node.definition for node in job.graph.nodes if node.name != "invariants"]
    assert {definition.pool for definition in writing} == {WRITER_POOL}  # type: ignore[attr-defined]  # all nodes here are ops


def test_the_packaged_instance_lets_one_run_write_and_sends_no_telemetry(bare_environment: Path) -> None:
    with packaged_instance(bare_environment / "home") as instance:
        pools = instance.get_concurrency_config().pool_config
        assert (pools.default_pool_limit, str(pools.pool_granularity)) == (1, "PoolGranularity.RUN")
        assert not instance.telemetry_enabled


def test_the_files_of_a_checkout_are_those_of_the_package_and_name_the_same_definitions() -> None:
    root, package = Path(__file__).parents[2], Path(defs_package.__file__).parent
    for name in ("workspace.yaml", "dagster.yaml"):
        ours, theirs = (yaml.safe_load((folder / name).read_text()) for folder in (root, package))
        assert ours == theirs, name
    (loaded,) = yaml.safe_load((root / "workspace.yaml").read_text())["load_from"]
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["tool"]["dg"]["project"]
    assert loaded["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }
    assert project["code_location_target_module"] == "sms_etl.definitions"
