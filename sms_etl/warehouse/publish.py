"""Publishes an atomic, read-only copy of the warehouse, so that readers and the pipeline never meet.

What failed a blocking check is refused, unless forced with a reason that is recorded. The copy is taken
while this process holds the warehouse: written aside, fsync, read whole and compared, rename. Readers of the
old copy keep it until they open again. What is in it, and what is not: SMS_ETL_PUBLISH, `copying.py`. What is
copied further from there: `further_copies.py`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from sms_etl.clock import as_utc, system_clock
from sms_etl.errors import ChecksFailed, NoWarehouse, PolicyNotApplied, SmsEtlError
from sms_etl.files import commit_file, keep_private, make_directory, published_file_mode, unusable
from sms_etl.pii.state import require_applied
from sms_etl.settings import Publish, Settings
from sms_etl.warehouse.copying import copy_for_analysts, copy_whole, forget
from sms_etl.warehouse.further_copies import FurtherCopies, are_current, refresh_copies
from sms_etl.warehouse.publication import objections, record_publication, withdraw_publication
from sms_etl.warehouse.read import published
from sms_etl.warehouse.store import Warehouse


@dataclass(frozen=True)
class PublishResult:
    """Where the copy lies, how large it is in bytes, and what had failed if it was forced."""

    path: Path
    size: int
    published_at: datetime
    """UTC, without a time zone, as in `ops.publication`."""
    failed_tests: tuple[str, ...] = ()
    forced_reason: str | None = None
    copies: FurtherCopies = field(default_factory=FurtherCopies)
    """In Parquet and PostgreSQL; one that could not be made is tried again by the next sync."""

    @property
    def is_forced(self) -> bool:
        """Whether a blocking check had failed."""
        return bool(self.failed_tests)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "published_at": f"{self.published_at.isoformat()}+00:00",
            "is_forced": self.is_forced,
            "forced_reason": self.forced_reason,
            "failed_tests": list(self.failed_tests),
            "copies": self.copies.as_json(),
        }


def published_copy(settings: Settings) -> PublishResult:
    """Return the copy that is published now, which passed its checks; it must be there.

    Further copies that are not up to date with it are made.
    """
    with published(settings) as connection:
        ((published_at,),) = connection.execute("select max(published_at) from ops.publication").fetchall()
    size = settings.published_path.stat().st_size
    copies = FurtherCopies() if are_current(settings, published_at) else refresh_copies(settings)
    return PublishResult(settings.published_path, size, published_at, copies=copies)


def publish(
    settings: Settings,
    *,
    forced_reason: str | None = None,
    is_applying_policy: bool = False,
    check_words: Callable[[str], str] = str,
) -> PublishResult:
    """Replace the published copy by the warehouse as it is now.

    Args:
        settings: Whose data directory, and what of it.
        forced_reason: Why to publish even if a blocking check failed; recorded if one did.
        is_applying_policy: What is published is free of what the old copy may hold, though not all is yet.
        check_words: Puts the name of a check that failed in words, for the error.

    Raises:
        PolicyNotApplied: The warehouse holds what the settings' policy says is not to be kept.
        ChecksFailed: The last build failed a blocking check, ended in an error or was of a part; or there
            was none.
        NoWarehouse: There is none yet.
        WarehouseLocked: Another program has it open.
        WarehouseError: It is damaged: the copy is not what it should be.
        DataDirError: The copy cannot be written. Whenever publishing fails, the old copy stays.
    """
    warehouse = Warehouse.of(settings)
    if not warehouse.exists:
        raise NoWarehouse("There is no warehouse to publish yet.", hint="Run `sms-etl sync` first.")
    target = settings.published_path
    make_directory(target.parent)
    keep_private(settings)
    with warehouse.begin():
        pass  # an older file is migrated, another one refused, before it is shown to anybody
    published_at = as_utc(system_clock())
    aside = target.with_suffix(".tmp")
    try:
        # The file is closed last: closing it gives up this process's lock on it, DuckDB's included.
        with warehouse.path.open("rb") as source, warehouse.exclusive() as native:
            if not is_applying_policy:
                require_applied(native, settings)
            failed = objections(native)
            if failed and not forced_reason:
                raise _refused([check_words(each) for each in failed])
            contents = settings.publish.value
            record_publication(native, published_at, contents, failed, forced_reason)  # first: the copy tells
            # Under the lock: another would write to the same file.
            _replace(settings, aside, native, source)
    except (ChecksFailed, PolicyNotApplied):
        raise
    except BaseException:
        with suppress(OSError):
            forget(aside)
        with suppress(SmsEtlError), warehouse.exclusive() as native:
            withdraw_publication(native, published_at)
        raise
    return PublishResult(
        path=target,
        size=target.stat().st_size,
        published_at=published_at,
        failed_tests=failed,
        forced_reason=forced_reason if failed else None,
        copies=refresh_copies(settings),  # the warehouse is free meanwhile
    )


def _refused(failed: Sequence[str]) -> ChecksFailed:
    return ChecksFailed(
        f"Nothing was published; analysts keep the copy they had: {'; '.join(failed)}.",
        hint="`sms-etl build` builds and checks again. "
        'To publish all the same: `sms-etl publish --force --reason "…"`.',
    )


def _replace(settings: Settings, aside: Path, native: duckdb.DuckDBPyConnection, source: BinaryIO) -> None:
    """Write the copy, verify it, and put it in the place of the old one.

    Raises:
        DataDirError: It cannot be written.
        WarehouseError: It is not what it should be.
    """
    target = settings.published_path
    try:
        forget(aside)
        if settings.publish is Publish.ALL:
            copy_whole(native, source, aside)
        else:
            copy_for_analysts(native, aside)
        aside.chmod(published_file_mode(settings.share_published))
        commit_file(aside, target)
    except OSError as exc:
        raise unusable(target, exc, "The published copy {path} cannot be written") from exc
