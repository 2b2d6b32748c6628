"""The asset `reports/overview`: the page for operations, drawn after each publication.

If it cannot be drawn, its check warns and the run succeeds: what was published is not the worse for it.
"""

from collections.abc import Iterator

import dagster as dg

from sms_etl.check_words import check_words
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.models import AUTOMATION
from sms_etl.defs.publishing import PUBLISHED
from sms_etl.defs.resources import WRITER_POOL, SettingsParam
from sms_etl.overview.refresh import refresh_overview

OVERVIEW = dg.AssetKey(["reports", "overview"])
CHECK = "overview_was_drawn"


@dg.multi_asset(
    name="overview",
    specs=[
        dg.AssetSpec(
            OVERVIEW,
            deps=[PUBLISHED],
            description="One page for operations: what needs attention, and how the last 28 days went.",
            group_name="reports",
            owners=["team:messaging"],
            kinds={"html"},
            automation_condition=AUTOMATION,
            skippable=True,
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(CHECK, asset=OVERVIEW, description="The page shows what was published last.")
    ],
    pool=WRITER_POOL,
)
def overview(settings: SettingsParam) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Draw the page."""
    with sanitised_failures():
        loaded = settings.load()
        drawn = refresh_overview(loaded, check_words(loaded))
    if drawn.html is not None:
        yield dg.MaterializeResult(
            asset_key=OVERVIEW, metadata={"path": dg.MetadataValue.path(str(drawn.html))}
        )
    yield dg.AssetCheckResult(
        asset_key=OVERVIEW,
        check_name=CHECK,
        passed=drawn.error is None,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"why not": drawn.error} if drawn.error else {},
    )
