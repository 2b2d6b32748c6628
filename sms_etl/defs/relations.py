"""Asset keys of relations, and what is known of a relation before it is built, as Dagster metadata. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg
from sqlalchemy import Table, make_url

from sms_etl.errors import ModelError
from sms_etl.models.project import Model, Project, Relation

SMS = dg.AssetKey(["lox24", "sms"])
BULKS = dg.AssetKey(["lox24", "bulks"])
BUILD_CONTEXT = dg.AssetKey(["ops", "build_context"])

_OF_SOURCE = {
    "raw.sms": SMS,
    "raw.sms_change": SMS,
    "raw.bulk": BULKS,
    "ops.fetch_window": SMS,
    "ops.build_context": BUILD_CONTEXT,
    "ops.account": SMS,
    "ops.quarantine": SMS,
    "ops.watermark": SMS,
}
# Read as it is: publishing, closing and booking write it after all that is built, campaigns at any time.
_NOT_AWAITED = ("information_schema.", "ops.campaign", "ops.publication", "finance.")


def key_of(name: str) -> dg.AssetKey:
    """Return the asset that makes a relation.

    Raises:
        ModelError: No asset makes this table; Dagster would take any key for one from outside.
    """
    if name in _OF_SOURCE:
        return _OF_SOURCE[name]
    schema, _, table = name.partition(".")
    if schema in {"raw", "ops", "finance"}:
        raise ModelError(
            f"no Dagster asset writes {name}", hint=f"Name it in {__name__}, beside {', '.join(_OF_SOURCE)}."
        )
    return dg.AssetKey([schema, table])


def complete(definitions: dg.Definitions) -> dg.Definitions:
    """Return the definitions, none of whose assets waits for one that nobody makes.

    Raises:
        ModelError: One does: a misspelt dependency, which Dagster takes for an asset from outside.
    """
    foreign = sorted(key.to_user_string() for key in definitions.resolve_asset_graph().external_asset_keys)
    if foreign:
        raise ModelError(
            f"no Dagster asset makes {', '.join(foreign)}", hint="Is it misspelt where it is depended on?"
        )
    return definitions


def keys_of(names: Iterable[str]) -> list[dg.AssetKey]:
    """Return the assets that make some relations, each once, sorted.

    What no asset makes is there once the models may be built: without that, it would be looked for in a
    warehouse that the first sync has not made yet.
    """
    return sorted({key_of(name) for name in names if not name.startswith(_NOT_AWAITED)}) or [BUILD_CONTEXT]


def spec_of(relation: Relation, *, kinds: Iterable[str] = (), metadata: Mapping[str, object]) -> dg.AssetSpec:
    """Describe the asset of a seed or model, without what it depends on."""
    return dg.AssetSpec(
        key_of(relation.name),
        description=relation.description,
        group_name=relation.name.partition(".")[0],
        owners=[f"team:{relation.owner}"],
        kinds={"duckdb", *kinds},
        metadata={
            "dagster/table_name": relation.name,
            "dagster/column_schema": _declared_columns(relation),
            "grain": ", ".join(relation.grain),
            "file": relation.label,
            **metadata,
        },
    )


def columns_of(table: Table) -> dg.TableSchema:
    """Describe the columns of a table that no model builds."""
    dialect = make_url("duckdb:///").get_dialect()()
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type.compile(dialect=dialect).lower(),
                column.comment,
                dg.TableColumnConstraints(nullable=bool(column.nullable)),
            )
            for column in table.columns
        ]
    )


def lineage_of(project: Project, model: Model) -> dg.TableColumnLineage:
    """Return from which columns of which assets each column of a model is made; constants are left out."""
    return dg.TableColumnLineage(
        {
            column: awaited
            for column, sources in project.column_lineage(model.name).items()
            if (
                awaited := [
                    dg.TableColumnDep(key_of(name), source)
                    for name, source in sources
                    if not name.startswith(_NOT_AWAITED)
                ]
            )
        }
    )


def _declared_columns(relation: Relation) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name, column.type, column.description, _constraints(column.name, relation.grain, kinds)
            )
            for column in relation.columns
            for kinds in [[test.kind for test in column.tests]]
        ]
    )


def _constraints(name: str, grain: Sequence[str], tests: Sequence[str]) -> dg.TableColumnConstraints:
    return dg.TableColumnConstraints(
        nullable=name not in grain and "not_null" not in tests,
        unique="unique" in tests or list(grain) == [name],
    )
