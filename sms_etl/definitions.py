"""What Dagster loads; nothing else."""

import dagster as dg

from sms_etl.defs.alerts import alerts
from sms_etl.defs.campaigns import campaign_status
from sms_etl.defs.invariants import invariants
from sms_etl.defs.jobs import month_end, rebuild, schedules, sms_pipeline, sms_reconcile
from sms_etl.defs.models import model_assets
from sms_etl.defs.months import month_report, read_again
from sms_etl.defs.overview import overview
from sms_etl.defs.publishing import publishing_asset
from sms_etl.defs.relations import complete
from sms_etl.defs.resources import EXECUTOR, SettingsSource
from sms_etl.defs.retention import retention_apply, retention_plan
from sms_etl.defs.sync import lox24_sync
from sms_etl.models.project import load_project

_PROJECT = load_project()

defs = complete(
    dg.Definitions(
        assets=[
            lox24_sync,
            *model_assets(_PROJECT),
            publishing_asset(_PROJECT),
            overview,
            month_report,
            read_again,
        ],
        asset_checks=[invariants],
        jobs=[
            sms_pipeline,
            sms_reconcile,
            month_end,
            rebuild,
            retention_plan,
            retention_apply,
            campaign_status,
        ],
        schedules=schedules(),
        sensors=[alerts],
        resources={"settings": SettingsSource()},
        executor=EXECUTOR,
    )
)
