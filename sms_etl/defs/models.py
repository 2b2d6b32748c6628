"""The assets of the SQL models and seeds: one each, by `schema/table`, with the dependencies the SQL has.

Models are read when the definitions load. Seeds are read again in each run, since a file in the data
directory may replace one.
"""

from collections.abc import Iterator
from hashlib import sha256

import dagster as dg

from sms_etl.build import noting_failure, project_of, write_build_context
from sms_etl.check_words import check_words
from sms_etl.defs.checks import check_results, check_specs, tested
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.relations import BUILD_CONTEXT, BULKS, SMS, columns_of, key_of, keys_of, lineage_of, spec_of
from sms_etl.defs.resources import WRITER_POOL, SettingsParam
from sms_etl.models.deleted import drop_deleted
from sms_etl.models.project import Model, Project
from sms_etl.models.runner import ModelBuild, Rebuild, build_model, load_seeds
from sms_etl.overview.refresh import telling_of_error
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import writable_warehouse

AUTOMATION = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
"""For those who start the sensor of automation conditions in place of a schedule: what changed is built
again, and nothing behind a check that blocks."""
_Told = dg.MaterializeResult[None] | dg.AssetCheckResult


def model_assets(project: Project) -> list[dg.AssetsDefinition]:
    """Return the assets of a project: what models are built with, then the models."""
    return [_inputs(project), *(_model(project, model) for model in project.models.values())]


def _inputs(project: Project) -> dg.AssetsDefinition:
    """Return the assets of the build context and of the seeds: one step, so that a run has one context."""
    seeds = [spec_of(seed, kinds=["csv"], metadata={}) for seed in project.seeds.values()]
    context = dg.AssetSpec(
        BUILD_CONTEXT,
        deps=[SMS, BULKS],  # the moment the models are built for comes after what is loaded
        description="What the models are built with: the moment, the time zone, the days to settle.",
        group_name="ops",
        owners=["team:messaging"],
        kinds={"duckdb"},
        metadata={
            "dagster/table_name": "ops.build_context",
            "dagster/column_schema": columns_of(tables.build_context),
        },
    )

    @dg.multi_asset(
        name="model_inputs",
        specs=[context, *seeds],
        check_specs=check_specs(project, project.seeds),
        pool=WRITER_POOL,
    )
    def model_inputs(settings: SettingsParam) -> Iterator[_Told]:
        with sanitised_failures():
            loaded = settings.load()
            warehouse = writable_warehouse(loaded)
            with (
                telling_of_error(loaded, check_words(loaded)),
                noting_failure(warehouse, loaded.clock, [*project.seeds]),
            ):
                current = project_of(loaded)
                with warehouse.begin() as transaction:
                    write_build_context(transaction, loaded)
                    builds = load_seeds(transaction.native, current)
                    drop_deleted(transaction.native, current)
                    tests = tested(transaction, project, project.seeds, loaded)
        yield dg.MaterializeResult(asset_key=BUILD_CONTEXT, metadata={"dagster/row_count": 1})
        for build in builds:
            yield dg.MaterializeResult(asset_key=key_of(build.name), metadata=_facts(build))
        yield from check_results(tests, {test.test for test in tests})

    return model_inputs


def _model(project: Project, model: Model) -> dg.AssetsDefinition:
    spec = spec_of(
        model,
        kinds=["sql", model.materialised.value],
        metadata={
            "dagster/column_lineage": lineage_of(project, model),
            "sql": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
        },
    )

    @dg.multi_asset(
        name=model.name.replace(".", "__"),
        specs=[
            spec.replace_attributes(
                deps=keys_of(model.reads),
                code_version=sha256(model.sql.encode()).hexdigest()[:12],
                automation_condition=AUTOMATION,
                skippable=True,
            )
        ],
        check_specs=check_specs(project, [model.name]),
        can_subset=True,  # so that its checks can be executed without it
        pool=WRITER_POOL,
    )
    def build(context: dg.AssetExecutionContext, settings: SettingsParam) -> Iterator[_Told]:
        chosen = {key.name for key in context.selected_asset_check_keys}
        with sanitised_failures():
            loaded = settings.load()
            warehouse = writable_warehouse(loaded)
            if not context.selected_asset_keys:
                with warehouse.begin() as transaction:
                    tests = tested(transaction, project, [model.name], loaded)
                yield from check_results(tests, chosen)
                return
            with (
                telling_of_error(loaded, check_words(loaded)),
                noting_failure(warehouse, loaded.clock, [model.name]),
                warehouse.begin() as transaction,
            ):
                built = build_model(transaction.native, project, model.name, Rebuild.BY_DAY)
                tests = tested(transaction, project, [model.name], loaded)
        yield dg.MaterializeResult(asset_key=key_of(model.name), metadata=_facts(built))
        yield from check_results(tests, chosen)

    return build


def _facts(build: ModelBuild) -> dict[str, int | float]:
    counted = {} if build.rows is None else {"dagster/row_count": build.rows}
    return {**counted, "seconds": round(build.seconds, 3)}
