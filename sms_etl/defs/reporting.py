"""Tells Dagster's instance what a command made, so that its pages show it as they show runs of Dagster.

Nothing depends on it: whatever is wrong with the instance, the command has done its work.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from sms_etl.defs.overview import OVERVIEW
from sms_etl.defs.publishing import PUBLISHED
from sms_etl.defs.relations import BUILD_CONTEXT, BULKS, SMS, key_of
from sms_etl.files import private
from sms_etl.pipeline import PipelineResult

_log = logging.getLogger(__name__)
_BY = "by"


def report_sync(home: Path, result: PipelineResult, command: str) -> None:
    """Report what a sync made; if the instance cannot be reached, log a warning.

    Args:
        home: Of the instance, with its dagster.yaml.
        result: What was made.
        command: By which command, for people.
    """
    try:
        with private(), dg.DagsterInstance.from_config(str(home)) as instance:
            for key, facts in _made(result):
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, metadata={_BY: command, **facts})
                )
    except Exception as exc:  # noqa: BLE001 - whatever is wrong there, the sync is done
        _log.warning("Dagster's instance in %s was not told of this sync: %s.", home, type(exc).__name__)


def _made(result: PipelineResult) -> Iterator[tuple[dg.AssetKey, Mapping[str, Any]]]:
    sync = result.sync
    yield SMS, dict(_counts(sync.as_json()))
    yield BULKS, {"run_id": sync.run_id}
    if result.build is not None:
        yield BUILD_CONTEXT, {}
        for seed in result.build.seeds:
            yield key_of(seed), {}
        for model in result.build.models.models:
            rows = {} if model.rows is None else {"dagster/row_count": model.rows}
            yield key_of(model.name), {**rows, "seconds": round(model.seconds, 3)}
    if result.published is not None and not result.is_up_to_date:
        yield PUBLISHED, {"megabytes": round(result.published.size / 1e6, 1)}
    if result.overview is not None and result.overview.html is not None:
        yield OVERVIEW, {"path": dg.MetadataValue.path(str(result.overview.html))}


def _counts(values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in values.items() if isinstance(value, (int, float, str)))
