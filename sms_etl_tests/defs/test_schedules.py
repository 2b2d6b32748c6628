"""What the schedules ask for when they tick."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from sms_etl.definitions import defs
from sms_etl_tests.defs.instance import packaged_instance


def ticked(name: str, instance: dg.DagsterInstance, moment: datetime) -> ScheduleExecutionData:
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=moment, repository_def=defs.get_repository_def()
    )
    return defs.resolve_schedule_def(name).evaluate_tick(context)


@pytest.mark.parametrize(
    "name", ["sms_pipeline_every_15_minutes", "sms_reconcile_nightly", "retention_plan_weekly"]
)
def test_a_tick_asks_for_one_run(name: str, bare_environment: Path) -> None:
    with packaged_instance(bare_environment / "home") as instance:
        tick = ticked(name, instance, datetime(2026, 2, 2, 6, tzinfo=UTC))
    assert len(tick.run_requests or []) == 1


def test_while_a_run_waits_no_other_is_asked_for(bare_environment: Path) -> None:
    with packaged_instance(bare_environment / "home") as instance:
        instance.create_run_for_job(defs.resolve_job_def("sms_pipeline"))
        tick = ticked("sms_pipeline_every_15_minutes", instance, datetime(2026, 2, 2, 6, tzinfo=UTC))
    assert (tick.run_requests or [], tick.skip_message) == ([], "A run waits already for its place.")


@pytest.mark.parametrize(("moment", "month"), [("2026-02-06", "2026-01-01"), ("2026-01-06", "2025-12-01")])
def test_the_report_of_a_month_is_that_of_the_month_before(
    moment: str, month: str, bare_environment: Path
) -> None:
    with packaged_instance(bare_environment / "home") as instance:
        tick = ticked("month_end_monthly", instance, datetime.fromisoformat(f"{moment}T06:00+00:00"))
    assert [request.partition_key for request in tick.run_requests or []] == [month]
