"""Tells Dagster what a command made, where Dagster is in use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sms_etl.pipeline import PipelineResult


def tell_dagster(home: "Path | None", result: "PipelineResult", command: str) -> None:
    """Report to Dagster's instance what a sync made; without one, Dagster is not even imported."""
    if home is not None:
        from sms_etl.defs.reporting import report_sync

        report_sync(home, result, command)
