"""What a sync is asked to do, and how it went."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sms_etl.errors import SettingsError
from sms_etl.settings import Settings
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.plan import Purpose

DONE = "done"
RECONCILED_DAYS = 30
"""Days that a reconciliation compares by default; each costs a request."""
MOST_RECONCILED_DAYS = 3660

Progress = Callable[[str, int, int | None], None]
"""Called with a step's name, how much more of it is done, and the total (None: unknown)."""


@dataclass(frozen=True)
class Task:
    """What a sync is asked to do; nothing given: read what is new, and settle what is open."""

    since: datetime | None = None
    """Read messages from here, whatever the watermark says (a backfill)."""
    until: datetime | None = None
    """Read messages up to here."""
    reconcile_days: int | None = None
    """Compare so many days with the provider's totals, and repair what differs."""
    is_replaying_quarantine: bool = False
    """Ask again for the rows that could not be loaded."""

    @property
    def is_backfill(self) -> bool:
        """Whether days are read again."""
        return self.since is not None or self.until is not None

    @property
    def purpose(self) -> Purpose:
        """What the run is for; one that reconciles reads what is new as well."""
        if self.is_replaying_quarantine:
            return Purpose.REPLAY
        if self.is_backfill:
            return Purpose.BACKFILL
        return Purpose.FORWARD if self.reconcile_days is None else Purpose.RECONCILE


def check_days(settings: Settings, task: Task) -> None:
    """Refuse a backfill of an empty span, before any request.

    Raises:
        SettingsError: It says which of its bounds are wrong.
    """
    if not task.is_backfill:
        return
    if task.since and task.until and task.since > task.until:
        raise SettingsError("--since lies after --until.", hint="Exchange them.")
    now = settings.clock()
    if task.since and task.since > now:
        raise SettingsError(f"--since lies in the future: it is {now:%Y-%m-%d %H:%M} UTC.")
    if task.until and not task.since and settings.start and settings.start > task.until:
        raise SettingsError(
            f"--until lies before SMS_ETL_START, {settings.start:%Y-%m-%d %H:%M} UTC.",
            hint="Give --since too: it reads what lies before SMS_ETL_START.",
        )


@dataclass(frozen=True, kw_only=True)
class SyncResult(LoadCounts):
    """How one sync went; the counts are over all streams.

    What a run counts has its one definition here and in `LoadCounts`: `ops.sync_run` has a column for each
    field, and `--json`, `status` and Dagster show all of them.
    """

    run_id: str
    purpose: Purpose
    stopped_reason: str
    watermark_before: datetime | None
    """Of messages, UTC."""
    watermark_after: datetime | None
    requests: int
    retries: int
    quarantine_open: int
    """Rows and files that wait in quarantine at the end, of this run and of all before it."""
    quarantine_files: int
    """How many of them are landed files."""
    settled_by_uuid: int
    """Open messages that were re-fetched by uuid."""
    settled_by_window: int
    """Spans of open messages that were read again, because that cost fewer requests."""
    differences: int
    """Spans that a reconciliation found to differ, and read again."""
    bulks_differing: int | None
    """Bulks whose messages do not add up to the provider's totals of them; None if they were not compared."""
    bulks_error: str | None
    """Why bulks could not be read; messages are read without them. None if they could."""
    events_read: int
    """Delivery events of the webhook that were seen for the first time."""
    events_changed: int
    """Messages whose state one of them changed."""
    events_damaged: int
    """Lines of the webhook's files that could not be read, and were quarantined."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO 8601 with their offset."""
        values = asdict(self) | {"purpose": self.purpose.value}
        for name in ("watermark_before", "watermark_after"):
            moment = values[name]
            values[name] = None if moment is None else f"{moment.isoformat()}+00:00"
        return values
