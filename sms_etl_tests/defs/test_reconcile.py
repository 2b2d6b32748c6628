"""The nightly job: it repairs what the hourly one cannot see, goes on to publish, and tells counts alone."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import click
import dagster as dg
import duckdb
import httpx
import pytest
from filelock import FileLock
from pydantic import ValidationError

from sms_etl.cli.commands import sync
from sms_etl.clock import to_unix
from sms_etl.definitions import defs
from sms_etl.defs.resources import SettingsSource
from sms_etl.defs.sync import SyncConfig, lox24_sync
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import RECONCILED_DAYS, SyncResult
from sms_etl_tests.defs.instance import SMALL, Run, environment, packaged_instance

DAY = 86400


@pytest.fixture(scope="module")
def provider() -> Iterator[SandboxHandle]:
    with running_sandbox(account=replace(SMALL, messages=60)) as handle:
        yield handle


@pytest.fixture(scope="module")
def night(provider: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the nightly job: after a sync, a message became visible three days late."""
    directory = tmp_path_factory.mktemp("night")
    send_bulk_that_lost_a_message(provider)
    values = {
        "LOX24_TOKEN": provider.token,
        "LOX24_BASE_URL": provider.url,
        "DATA_DIR": str(directory / "data"),
        "NOW": provider.now().isoformat(),
    }
    with environment(directory, **values), packaged_instance(directory / "home") as instance:
        run_sync(load_settings())
        provider.insert({"created_at": to_unix(provider.now()) - 3 * DAY, "phone": "+4915112345678"})
        result = defs.resolve_job_def("sms_reconcile").execute_in_process(
            instance=instance, raise_on_error=False
        )
    return Run(result, directory / "home", directory / "data", [])


def send_bulk_that_lost_a_message(provider: SandboxHandle) -> None:
    order = {"sender_id": "Shop", "text": "Hello", "phones": ["+4915112340001", "+4915112340002"]}
    header = {"X-LOX24-AUTH-TOKEN": provider.token}
    bulk = httpx.post(f"{provider.url}/bulks", json=order, headers=header, trust_env=False).json()
    provider.control("POST", "clock", {"advance_seconds": 7200})
    provider.delete(next(row["uuid"] for row in provider.truth_sms() if row["bulk_id"] == bulk["uuid"]))


def told(night: Run) -> dict[str, object]:
    [materialization] = [
        event.step_materialization_data.materialization
        for event in night.result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["lox24", "sms"])
    ]
    return {name: value.value for name, value in materialization.metadata.items()}


def test_what_the_overlap_does_not_reach_is_repaired_and_told_in_counts(night: Run) -> None:
    assert night.result.success
    facts = told(night)
    names = ("differences", "rows_new", "rows_late", "rows_gone", "bulks_differing")
    assert {name: facts[name] for name in names} == {
        "differences": 1,
        "rows_new": 1,
        "rows_late": 1,
        "rows_gone": 0,
        "bulks_differing": 1,
    }
    may_be_none = {"bulks_error", "watermark_before", "watermark_after"}
    assert {field.name for field in fields(SyncResult)} - facts.keys() <= may_be_none, "all it counts is told"
    assert facts["purpose"] == "reconcile"


def test_what_was_repaired_is_built_and_published(night: Run, provider: SandboxHandle) -> None:
    with duckdb.connect(str(night.data_dir / "published" / "warehouse.duckdb"), read_only=True) as published:
        ((messages,),) = published.execute("select count(*) from marts.fct_sms").fetchall()
    assert messages == provider.truth()["messages"]


def test_a_bulk_that_does_not_add_up_is_a_warning_in_counts_and_stops_nothing(night: Run) -> None:
    [found] = [
        one
        for one in night.result.get_asset_check_evaluations()
        if one.check_name == "bulks_agree_with_their_messages"
    ]
    assert found.asset_key == dg.AssetKey(["lox24", "bulks"])
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {name: value.value for name, value in found.metadata.items()} == {"bulks that differ": 1}


def test_no_phone_number_is_in_anything_dagster_keeps(night: Run, provider: SandboxHandle) -> None:
    numbers = {message["phone"].lstrip("+") for message in provider.truth_sms()}
    kept = [file.read_bytes().decode("utf-8", "replace") for file in night.home.rglob("*") if file.is_file()]
    assert "4915112345678" in numbers
    assert any("lox24_sync" in text for text in kept)
    assert [number for number in numbers if any(number in text for text in kept)] == []


def days_compared(job: str, run_config: Mapping[str, Any]) -> object:
    """Return what the sync is told by a job that is launched with this config."""
    resolved = dg.validate_run_config(defs.resolve_job_def(job), dict(run_config))
    return resolved["ops"]["lox24_sync"]["config"]["reconcile_days"]


def test_each_night_compares_as_many_days_as_the_command_and_the_usual_job_none() -> None:
    schedule = defs.resolve_schedule_def("sms_reconcile_nightly")
    [request] = schedule.evaluate_tick(dg.build_schedule_context()).run_requests or []
    assert days_compared("sms_reconcile", request.run_config) == RECONCILED_DAYS
    assert days_compared("sms_pipeline", {}) is None
    assert f"default: {RECONCILED_DAYS}" in (days_option().help or "")


def test_other_days_can_be_asked_for() -> None:
    config = {"ops": {"lox24_sync": {"config": {"reconcile_days": 7}}}}
    assert {days_compared(job, config) for job in ("sms_reconcile", "sms_pipeline")} == {7}


def days_option() -> click.Option:
    [option] = [parameter for parameter in sync.params if parameter.name == "days"]
    assert isinstance(option, click.Option)
    return option


def test_the_days_have_the_bounds_of_the_command_and_say_what_they_cost() -> None:
    allowed = days_option().type
    assert isinstance(allowed, click.IntRange)
    least, most = int(allowed.min or 0), int(allowed.max or 0)
    assert [SyncConfig(reconcile_days=days).reconcile_days for days in (least, most)] == [least, most]
    for beyond in (least - 1, most + 1):
        with pytest.raises(ValidationError, match="reconcile_days"):
            SyncConfig(reconcile_days=beyond)
    assert "a request a day" in (SyncConfig.model_fields["reconcile_days"].description or "")


def test_days_out_of_bounds_fail_at_once_and_are_not_tried_again(bare_environment: Path) -> None:
    config = {"ops": {"lox24_sync": {"config": {"reconcile_days": 0}}}}
    result = defs.resolve_job_def("sms_reconcile").execute_in_process(run_config=config, raise_on_error=False)
    failure = result.failure_data_for_node("lox24_sync")
    assert failure is not None
    assert failure.error is not None
    assert "reconcile_days" in failure.error.message
    assert "STEP_UP_FOR_RETRY" not in {event.event_type_value for event in result.all_events}


def test_beside_another_sync_it_fails_and_says_so(bare_environment: Path) -> None:
    data = bare_environment / "data"
    data.mkdir()
    results = lox24_sync(dg.build_asset_context(), SyncConfig(reconcile_days=1), SettingsSource())
    with (
        environment(bare_environment, LOX24_TOKEN="1:key", DATA_DIR=str(data), LOCK_WAIT="0s"),
        FileLock(data / "sync.lock"),
        pytest.raises(dg.Failure, match="Another sync works on") as failure,
    ):
        next(cast("Iterator[object]", results))
    assert failure.value.allow_retries, "the other one may be done a minute later"
