"""Syncs with one of their parts exchanged: a client of a model, or a load that fails."""

from dataclasses import replace
from typing import Any

from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.parts import Load, Parts
from sms_etl.sync.task import SyncResult, Task


def sync_with(settings: Settings, client: Any, task: Task | None = None) -> SyncResult:
    """Run a sync that asks this client."""
    return run_sync(settings, task, parts=replace(Parts.of(settings), client=client))


def sync_loading_by(load: Load, settings: Settings, task: Task | None = None) -> SyncResult:
    """Run a sync that loads landed files in another way."""
    return run_sync(settings, task, parts=replace(Parts.of(settings), load=load))


def power_cut(*_: object, **__: object) -> Any:
    """Load nothing: the machine goes off as it begins."""
    raise RuntimeError("power cut")
