"""The sensor `alerts`: runs that failed are told once, unless the warehouse tells of the same."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from sms_etl.definitions import defs
from sms_etl.defs.alerts import alerts
from sms_etl.defs.resources import SettingsSource
from sms_etl_tests.alerts.servers import Hook, hook_listening
from sms_etl_tests.defs.instance import environment, instance_in_memory


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_listening() as listening:
        yield listening


def evaluated(instance: dg.DagsterInstance) -> SensorExecutionData:
    context = dg.build_sensor_context(instance=instance, resources={"settings": SettingsSource()})
    return alerts.evaluate_tick(context)


def run_job(instance: dg.DagsterInstance, name: str) -> None:
    defs.resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False)


def test_without_anybody_to_tell_it_says_what_to_set(bare_environment: Path) -> None:
    with instance_in_memory(bare_environment / "home") as instance:
        assert "SMS_ETL_ALERT_WEBHOOK" in str(evaluated(instance).skip_message)


def test_a_run_that_fails_is_told_once_until_it_has_succeeded(bare_environment: Path, hook: Hook) -> None:
    data = str(bare_environment / "data")
    with (
        environment(bare_environment, ALERT_WEBHOOK=hook.url, DATA_DIR=data),
        instance_in_memory(bare_environment / "home") as instance,
    ):
        for _ in range(2):
            run_job(instance, "sms_pipeline")
            evaluated(instance)
    (post,) = hook.posts
    assert post["alert"]["title"] == "The job sms_pipeline failed with SettingsError"
    assert "SMS_ETL_LOX24_TOKEN" in post["text"]


def test_an_alert_that_is_not_taken_fails_the_tick_and_is_tried_again(
    bare_environment: Path, hook: Hook
) -> None:
    data = str(bare_environment / "data")
    with (
        environment(bare_environment, ALERT_WEBHOOK=hook.url, DATA_DIR=data),
        instance_in_memory(bare_environment / "home") as instance,
    ):
        run_job(instance, "sms_pipeline")
        hook.status = 500
        with pytest.raises(Exception, match="it answered 500"):
            evaluated(instance)
        hook.status = 200
        assert evaluated(instance).skip_message == "1 open, of which 1 were told now."
