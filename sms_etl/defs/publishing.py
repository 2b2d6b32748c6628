"""The asset `published`: the read-only copy for analysts, made once all models are built and tested."""

from collections.abc import Iterator

import dagster as dg

from sms_etl.build import book_changes
from sms_etl.check_words import check_words
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.models import AUTOMATION
from sms_etl.defs.relations import key_of
from sms_etl.defs.resources import WRITER_POOL, SettingsParam
from sms_etl.models.project import Project
from sms_etl.overview.attention import STALE_AFTER
from sms_etl.warehouse.publish import publish

PUBLISHED = dg.AssetKey(["published"])
COPIES_CHECK = "further_copies_hold_it"


def publishing_asset(project: Project) -> dg.AssetsDefinition:
    """Return the asset; it waits for all marts, and for any other model that nothing else reads."""
    read = {name for model in project.models.values() for name in model.reads}
    awaited = [name for name in project.models if name.startswith("marts.") or name not in read]

    @dg.asset(
        key=PUBLISHED,
        deps=[key_of(name) for name in awaited],
        description="The copy of the warehouse that analysts read; replaced at once, never written in place.",
        group_name="published",
        owners=["team:messaging"],
        kinds={"duckdb"},
        pool=WRITER_POOL,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER),
        automation_condition=AUTOMATION,
        check_specs=[
            dg.AssetCheckSpec(
                COPIES_CHECK,
                asset=PUBLISHED,
                description="Parquet and PostgreSQL, where they are wanted, hold what was published.",
            )
        ],
    )
    def published(settings: SettingsParam) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with sanitised_failures():
            loaded = settings.load()
            book_changes(loaded)  # here, for all models are built and tested
            copy = publish(
                loaded, check_words=check_words(loaded)
            )  # refused as long as a blocking check fails
        not_copied = {"not_copied": "; ".join(copy.copies.errors)} if copy.copies.errors else {}
        yield dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(copy.path)),
                "megabytes": round(copy.size / 1e6, 1),
                **not_copied,
            }
        )
        yield dg.AssetCheckResult(
            check_name=COPIES_CHECK,
            passed=not not_copied,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=not_copied,
        )

    return published
