"""The one job, which materialises all, and its schedule, stopped until somebody starts it."""

import dagster as dg

from sms_etl.errors import SettingsError
from sms_etl.settings import Settings, load_settings

EXECUTOR = dg.in_process_executor
"""A process a step would cost three seconds each, and DuckDB lets one process write."""

sms_pipeline = dg.define_asset_job(
    "sms_pipeline",
    selection=dg.AssetSelection.all(),
    description="Sync, build, test, publish.",
    executor_def=EXECUTOR,
)


def hourly() -> dg.ScheduleDefinition:
    """Give the schedule, in the time zone of the business days."""
    return dg.ScheduleDefinition(
        name="sms_pipeline_hourly",
        job=sms_pipeline,
        cron_schedule="0 * * * *",
        execution_timezone=_timezone(),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every hour. Stopped until it is started here.",
    )


def _timezone() -> str:
    """Give the time zone; the default one if a setting is wrong, which the first step then says."""
    try:
        return load_settings().timezone
    except SettingsError:
        return str(Settings.model_fields["timezone"].default)
