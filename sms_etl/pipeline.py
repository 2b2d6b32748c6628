"""The whole way in one call: sync, build and check the models, publish what passed.

What `sms-etl sync` does, and Dagster in separate assets. What builds is imported when something is built: a
sync without it starts in half the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sms_etl.sync.engine import Progress, SyncResult, Task, run_sync

if TYPE_CHECKING:
    from sms_etl.building import CheckedBuild
    from sms_etl.settings import Settings
    from sms_etl.warehouse.publish import PublishResult

BUILDING = "building models"
PUBLISHING = "publishing"


@dataclass(frozen=True)
class PipelineResult:
    """How a sync and what follows it went."""

    sync: SyncResult
    build: CheckedBuild | None
    """None with `--no-build`."""
    published: PublishResult | None
    """None if a blocking test failed: analysts keep what they had."""

    @property
    def needs_a_person(self) -> bool:
        """Whether rows were quarantined or a blocking test failed."""
        return self.sync.rows_quarantined > 0 or bool(self.build and self.build.failures)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON values, the sync's at the top."""
        return {
            **self.sync.as_json(),
            "build": self.build.as_json() if self.build else None,
            "published": str(self.published.path) if self.published else None,
        }


def sync_build_publish(
    settings: Settings,
    task: Task | None = None,
    *,
    is_building: bool = True,
    progress: Progress | None = None,
) -> PipelineResult:
    """Sync, build, check, and publish what passed.

    Args:
        settings: With a token.
        task: What the sync is to do.
        is_building: False stops after the load.
        progress: Is told how far it is.

    Raises:
        SmsEtlError: See `run_sync` and `build_and_check`.
    """
    sync = run_sync(settings, task, progress=progress)
    if not is_building:
        return PipelineResult(sync, None, None)
    from sms_etl.building import build_and_check  # noqa: PLC0415 - see above
    from sms_etl.warehouse.publish import publish  # noqa: PLC0415 - see above

    tell = progress or _nobody
    tell(BUILDING, 0, None)
    build = build_and_check(settings, on_model=lambda count: tell(BUILDING, 1, count))
    if build.failures:
        return PipelineResult(sync, build, None)
    tell(PUBLISHING, 0, None)
    published = publish(settings)
    tell(PUBLISHING, 1, 1)
    return PipelineResult(sync, build, published)


def _nobody(_step: str, _done: int, _total: int | None) -> None:
    """Tell no one."""
