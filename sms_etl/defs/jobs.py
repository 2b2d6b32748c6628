"""The jobs, each of which materialises all, and their schedules, stopped until somebody starts them."""

from collections.abc import Callable

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from sms_etl.defs.months import READ_AGAIN, REPORT
from sms_etl.defs.resources import EXECUTOR, settings_or_defaults
from sms_etl.defs.retention import retention_plan
from sms_etl.defs.sync import SyncConfig, lox24_sync
from sms_etl.finance.period import previous_month
from sms_etl.sync.task import RECONCILED_DAYS

EVERYTHING = dg.AssetSelection.all() - dg.AssetSelection.assets(REPORT, READ_AGAIN)
"""All that one run brings up to date; what is done by month has runs of its own."""

sms_pipeline = dg.define_asset_job(
    "sms_pipeline",
    selection=EVERYTHING,
    description="Sync, build, test, publish.",
    executor_def=EXECUTOR,
)

sms_reconcile = dg.define_asset_job(
    "sms_reconcile",
    selection=EVERYTHING,
    description=(
        "Sync, compare the last days with the provider's totals and read again what differs; "
        "then build, test, publish."
    ),
    config=dg.RunConfig(ops={lox24_sync.op.name: SyncConfig(reconcile_days=RECONCILED_DAYS)}),
    executor_def=EXECUTOR,
)

month_end = dg.define_asset_job(
    "month_end",
    selection=dg.AssetSelection.assets(REPORT),
    description="Write the report of a month, and say whether the month can be closed. Closes nothing.",
    executor_def=EXECUTOR,
)

rebuild = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.assets(READ_AGAIN),
    description="Read months again from the provider, build, test, publish. A backfill of many is one run.",
    executor_def=EXECUTOR,
)


def schedules() -> list[dg.ScheduleDefinition]:
    """Return the schedules, in the time zone of the business days."""
    return [
        _schedule(
            "sms_pipeline_every_15_minutes", sms_pipeline, "*/15 * * * *", "Every 15 minutes.", _unless_queued
        ),
        _schedule("sms_reconcile_nightly", sms_reconcile, "40 3 * * *", "Every night at 03:40."),
        _schedule(
            "month_end_monthly",
            month_end,
            "0 7 6 * *",
            "On the 6th of each month at 07:00, when the month before is settled.",
            _of_last_month,
        ),
        _schedule(
            "retention_plan_weekly",
            retention_plan,
            "0 6 * * 1",
            "On Mondays at 06:00. It plans only: nothing is deleted before somebody applies the plan.",
        ),
    ]


_WAITING = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]


def _unless_queued(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run unless one waits already: after a long one they would all run, one behind the other."""
    waiting = dg.RunsFilter(job_name=sms_pipeline.name, statuses=_WAITING)
    if context.instance.get_runs(filters=waiting, limit=1):
        return dg.SkipReason("A run waits already for its place.")
    return dg.RunRequest()


def _of_last_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    first = context.scheduled_execution_time.date().replace(day=1)
    return dg.RunRequest(partition_key=f"{previous_month(first):%Y-%m-%d}")


def _schedule(
    name: str,
    job: dg.JobDefinition | UnresolvedAssetJobDefinition,
    cron: str,
    when: str,
    requests: Callable[[dg.ScheduleEvaluationContext], dg.RunRequest | dg.SkipReason] | None = None,
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=settings_or_defaults().timezone,
        execution_fn=requests,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"{when} Stopped until it is started here.",
    )
