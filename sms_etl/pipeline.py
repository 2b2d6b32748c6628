"""The whole way in one call: sync, build and check the models, publish what passed; and to close a month.

What `sms-etl sync` and `sms-etl close` do; the first of them Dagster does in separate assets. What builds is
imported when something is built: a sync without it starts in half the time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sms_etl.build_state import BUILDING, is_up_to_date
from sms_etl.sync.engine import run_sync
from sms_etl.sync.plan import Purpose
from sms_etl.sync.task import Progress, SyncResult, Task

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from sms_etl.build import CheckedBuild
    from sms_etl.errors import DataDirError
    from sms_etl.finance.closing.close import CloseResult
    from sms_etl.finance.closing.invoice import Invoice
    from sms_etl.overview.refresh import Refreshed
    from sms_etl.settings import Settings
    from sms_etl.warehouse.publish import PublishResult

CLOSING = "closing"
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
    overview: Refreshed | None = None
    """The page for operations; None if nothing new was published and no build failed."""
    error: Exception | None = None
    """What ended a later step; what the sync did is kept, and told, all the same."""

    @property
    def needs_attention(self) -> bool:
        """Whether rows wait in quarantine, bulks or a further copy failed, or a blocking test did."""
        return (
            self.sync.quarantine_open > 0
            or self.sync.bulks_error is not None
            or bool(self.build and self.build.failures)
            or bool(self.published and self.published.copies.errors)
        )

    @property
    def error_text(self) -> str | None:
        """What the error says; of one that is not ours, which may quote a row, only its kind."""
        from sms_etl.errors import SmsEtlError

        if self.error is None:
            return None
        return self.error.message if isinstance(self.error, SmsEtlError) else type(self.error).__name__

    def or_raise(self) -> PipelineResult:
        """Return it if no step ended in an error; else raise that."""
        if self.error is not None:
            raise self.error
        return self

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, the sync's at the top."""
        return {
            **self.sync.as_json(),
            "build": self.build.as_json() if self.build else None,
            "published": str(self.published.path) if self.published else None,
            "is_up_to_date": self.is_up_to_date,
            "copies": self.published.copies.as_json() if self.published else None,
            "error": self.error_text,
            **(self.overview.as_json() if self.overview else {"overview": None, "overview_error": None}),
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

    Returns:
        How it went; what ended a step after the sync is its `error`, so that what was loaded is told too.

    Raises:
        SmsEtlError: See `run_sync`.
    """
    sync = run_sync(settings, task, progress=progress)
    if not is_building:
        return PipelineResult(sync, None, None)
    from sms_etl.warehouse.publish import published_copy

    # A backfill changes what is covered, a reconciliation what is proven, though no row may have changed.
    if (task or Task()).purpose is Purpose.FORWARD and is_up_to_date(settings):
        return PipelineResult(sync, None, published_copy(settings), is_up_to_date=True)
    result = PipelineResult(sync, None, None)
    try:
        result = replace(result, build=_built(settings, progress or _nobody))
        if result.build and not result.build.failures:
            result = replace(result, published=_published(settings, progress or _nobody))
    except Exception as exc:  # noqa: BLE001 - told with the result, as `run_sync` lets it through
        result = replace(result, error=exc)
    from sms_etl.check_words import check_words
    from sms_etl.overview.refresh import refresh_if_published

    return replace(result, overview=refresh_if_published(settings, check_words(settings)))


def _built(settings: Settings, tell: Progress) -> CheckedBuild:
    from sms_etl.build import build_and_check

    tell(BUILDING, 0, None)
    return build_and_check(settings, on_model=lambda count: tell(BUILDING, 1, count))


def _published(settings: Settings, tell: Progress) -> PublishResult:
    from sms_etl.check_words import check_words
    from sms_etl.warehouse.publish import publish

    tell(PUBLISHING, 0, None)
    published = publish(settings, check_words=check_words(settings))
    tell(PUBLISHING, 1, 1)
    return published


@dataclass(frozen=True)
class ClosedAndPublished:
    """What became of a month that was to be closed, and whether analysts and reports see it."""

    close: CloseResult
    published: PublishResult | None
    """None: the copy shows it already, or a blocking test failed and it keeps what it had."""
    is_shown: bool
    """The published copy, from which reports are made, has the month as it is closed."""
    differences_file: Path | None = None
    """The messages of which the invoice differs; None if there are none."""
    differences_error: DataDirError | None = None
    """Why they could not be written; the month is as `close` says all the same."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, the closing's at the top."""
        return {
            **self.close.as_json(),
            "published": str(self.published.path) if self.published else None,
            "is_shown": self.is_shown,
            "differences_file": str(self.differences_file) if self.differences_file else None,
        }


def build_close_publish(
    settings: Settings,
    month: date,
    *,
    invoice: Invoice | None = None,
    forced_reason: str | None = None,
    progress: Progress | None = None,
) -> ClosedAndPublished:
    """Build what is stale, close a month if it is ripe, and publish it for reports.

    Args:
        settings: Name the warehouse.
        month: First day of the business month.
        invoice: What the provider billed.
        forced_reason: Why to close it although something speaks against it.
        progress: Is told how far it is.

    Raises:
        SmsEtlError: See `build_and_check`, `close_month` and `publish`. A month that was closed before an
            error stays closed; to close it again publishes it.
    """
    from sms_etl.check_words import check_words
    from sms_etl.finance.closing.close import close_month
    from sms_etl.stopping import interrupting
    from sms_etl.warehouse.store import writable_warehouse

    tell = progress or _nobody
    warehouse = writable_warehouse(settings)
    is_built = not is_up_to_date(settings)
    if is_built:
        _built(settings, tell)
    tell(CLOSING, 0, None)
    with warehouse.begin() as transaction, interrupting(transaction.native):
        result = close_month(
            transaction.native,
            month,
            now=settings.clock(),
            invoice=invoice,
            forced_reason=forced_reason,
            check_words=check_words(settings),
        )
    tell(CLOSING, 1, 1)
    is_shown = _is_shown(settings, result)
    published = _published_if_it_may(settings, tell) if is_built or not is_shown else None
    file, error = _differing_listed(settings, result, invoice)
    return ClosedAndPublished(result, published, is_shown or published is not None, file, error)


class _NothingIsClosed(Exception):
    pass


def propose_close(settings: Settings, month: date) -> CloseResult:
    """Say what to close a month would do now, and close nothing.

    Args:
        settings: Name the warehouse, whose models are built.
        month: First day of the business month.

    Returns:
        `closed` if nothing speaks against it, else why it would be refused.

    Raises:
        SmsEtlError: See `close_month`.
    """
    from sms_etl.finance.closing.close import close_month
    from sms_etl.warehouse.store import writable_warehouse

    with suppress(_NothingIsClosed), writable_warehouse(settings).begin() as transaction:
        result = close_month(transaction.native, month, now=settings.clock())
        raise _NothingIsClosed
    return result


def _differing_listed(
    settings: Settings, result: CloseResult, invoice: Invoice | None
) -> tuple[Path | None, DataDirError | None]:
    """List the messages of which the invoice differs, when the warehouse is free again."""
    from sms_etl.errors import DataDirError
    from sms_etl.finance.closing.differing import write_differing

    if invoice is None:
        return None, None
    try:
        return write_differing(result, invoice, settings.reports_dir), None
    except DataDirError as exc:
        return None, exc


def _is_shown(settings: Settings, result: CloseResult) -> bool:
    """Return whether the published copy has the month as it is closed, or need not have it."""
    import duckdb

    from sms_etl.errors import WarehouseError
    from sms_etl.warehouse.read import published

    if result.digest is None:
        return True
    try:
        with published(settings) as connection:
            found = connection.execute(
                "select digest from finance.closed_period where month = $1", [result.month]
            ).fetchall()
    except (WarehouseError, duckdb.Error, OSError):
        return False  # there is no copy yet, or an older one
    return found == [(result.digest,)]


def _published_if_it_may(settings: Settings, tell: Progress) -> PublishResult | None:
    from sms_etl.check_words import check_words
    from sms_etl.errors import ChecksFailed
    from sms_etl.overview.refresh import refresh_overview

    try:
        published = _published(settings, tell)
    except ChecksFailed:  # which the result tells: as a reason, or as what was overridden
        return None
    refresh_overview(settings, check_words(settings))
    return published


def _nobody(_step: str, _done: int, _total: int | None) -> None:
    """Tell no one."""
