"""The asset `published`: the read-only copy for analysts, made once all models are built and tested."""

import dagster as dg
from sqlalchemy import func, select

from sms_etl.defs.failures import told_plainly
from sms_etl.defs.relations import key_of
from sms_etl.defs.resources import WRITER_POOL, SettingsParam
from sms_etl.errors import ModelError
from sms_etl.models.declared import Severity
from sms_etl.models.project import Project
from sms_etl.settings import Settings
from sms_etl.warehouse import tables
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import writable_warehouse

PUBLISHED = dg.AssetKey(["published"])


def publishing_asset(project: Project) -> dg.AssetsDefinition:
    """Give the asset; it waits for all marts, and for any other model that nothing else reads."""
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
    )
    def published(settings: SettingsParam) -> dg.MaterializeResult[None]:
        with told_plainly():
            loaded = settings.load()
            _check_last_tests(loaded)
            copy = publish(loaded)
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(str(copy.path)), "megabytes": round(copy.size / 1e6, 1)}
        )

    return published


def _check_last_tests(settings: Settings) -> None:
    """Hold what a blocking check holds, for whoever materialises this asset alone.

    Raises:
        ModelError: A blocking test failed when it was last run.
    """
    failed = (
        select(func.count())
        .select_from(tables.model_test)
        .where(tables.model_test.c.severity == Severity.ERROR.value, tables.model_test.c.failures > 0)
    )
    with writable_warehouse(settings).begin() as transaction:
        count = transaction.sql.scalar(failed)
    if count:
        raise ModelError(
            f"{count} blocking tests failed when they were last run; analysts keep what they had.",
            hint="Materialise all; the failed checks say what is wrong.",
        )
