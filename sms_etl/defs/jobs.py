"""The jobs, each of which materialises all, and their schedules, stopped until somebody starts them."""

import dagster as dg

from sms_etl.defs.sync import SyncConfig, lox24_sync
from sms_etl.errors import SettingsError
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.task import RECONCILED_DAYS

EXECUTOR = dg.in_process_executor
"""A process a step would cost three seconds each, and DuckDB lets one process write."""

sms_pipeline = dg.define_asset_job(
    "sms_pipeline",
    selection=dg.AssetSelection.all(),
    description="Sync, build, test, publish.",
    executor_def=EXECUTOR,
)

sms_reconcile = dg.define_asset_job(
    "sms_reconcile",
    selection=dg.AssetSelection.all(),
    description=(
        "Sync, compare the last days with the provider's totals and read again what differs; "
        "then build, test, publish."
    ),
    config=dg.RunConfig(ops={lox24_sync.op.name: SyncConfig(reconcile_days=RECONCILED_DAYS)}),
    executor_def=EXECUTOR,
)


def hourly() -> dg.ScheduleDefinition:
    """Return the schedule of the pipeline, in the time zone of the business days."""
    return dg.ScheduleDefinition(
        name="sms_pipeline_hourly",
        job=sms_pipeline,
        cron_schedule="0 * * * *",
        execution_timezone=_timezone(),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every hour. Stopped until it is started here.",
    )


def nightly() -> dg.ScheduleDefinition:
    """Return the schedule of the reconciliation, in the time zone of the business days.

    At half past: the hourly run has ended by then, or this one waits for it.
    """
    return dg.ScheduleDefinition(
        name="sms_reconcile_nightly",
        job=sms_reconcile,
        cron_schedule="30 3 * * *",
        execution_timezone=_timezone(),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every night at 03:30. Stopped until it is started here.",
    )


def _timezone() -> str:
    """Return the time zone; the default one if a setting is wrong, which the first step then says."""
    try:
        return load_settings().timezone
    except SettingsError:
        return str(Settings.model_fields["timezone"].default)
