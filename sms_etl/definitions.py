"""What Dagster loads; nothing else."""

import dagster as dg

from sms_etl.defs.campaigns import campaign_status
from sms_etl.defs.jobs import EXECUTOR, hourly, nightly, sms_pipeline, sms_reconcile
from sms_etl.defs.models import model_assets
from sms_etl.defs.overview import overview
from sms_etl.defs.publishing import publishing_asset
from sms_etl.defs.resources import SettingsSource
from sms_etl.defs.retention import retention_apply, retention_plan
from sms_etl.defs.sync import lox24_sync
from sms_etl.models.project import load_project

_PROJECT = load_project()

defs = dg.Definitions(
    assets=[lox24_sync, *model_assets(_PROJECT), publishing_asset(_PROJECT), overview],
    jobs=[sms_pipeline, sms_reconcile, retention_plan, retention_apply, campaign_status],
    schedules=[hourly(), nightly()],
    resources={"settings": SettingsSource()},
    executor=EXECUTOR,
)
