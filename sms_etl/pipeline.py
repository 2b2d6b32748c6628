"""The whole way in one call: sync, build and check the models, publish what passed.

What `sms-etl sync` does, and Dagster in separate assets. What builds is imported when something is built: a
sync without it starts in half the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sms_etl.build_state import is_up_to_date
from sms_etl.sync.engine import run_sync
from sms_etl.sync.plan import Purpose
from sms_etl.sync.task import Progress, SyncResult, Task

if TYPE_CHECKING:
    from sms_etl.build import CheckedBuild
    from sms_etl.settings import Settings
    from sms_etl.warehouse.publish import PublishResult

BUILDING = "building models"
PUBLISHING = "publishing"


@dataclass(frozen=True)
class PipelineResult:
    """How a sync and what follows it went."""

    sync: SyncResult
    build: CheckedBuild | None
    """None with `--no-build`, and if there was nothing to build."""
    published: PublishResult | None
    """None if a blocking test failed: analysts keep what they had."""
    is_up_to_date: bool = False
    """Nothing was to be built: models and published copy are what a build would make again."""

    @property
    def needs_attention(self) -> bool:
        """Whether rows wait in quarantine, bulks could not be read, or a blocking test failed."""
        return (
            self.sync.quarantine_open > 0
            or self.sync.bulks_error is not None
            or bool(self.build and self.build.failures)
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, the sync's at the top."""
        return {
            **self.sync.as_json(),
            "build": self.build.as_json() if self.build else None,
            "published": str(self.published.path) if self.published else None,
            "is_up_to_date": self.is_up_to_date,
        }


def sync_build_publish(
    settings: Settings,
    task: Task | None = None,
    *,
    is_building: bool = True,
    progress: Progress | None = None,
) -> PipelineResult:
    """Sync, build, check, and publish what passed; where nothing changed, that is done already.

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
    from sms_etl.warehouse.publish import publish, published_copy  # noqa: PLC0415 - see above

    # A backfill changes what is covered, a reconciliation what is proven, though no row may have changed.
    if (task or Task()).purpose is Purpose.FORWARD and is_up_to_date(settings):
        return PipelineResult(sync, None, published_copy(settings), is_up_to_date=True)
    from sms_etl.build import build_and_check  # noqa: PLC0415 - see above

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
