"""Copies what is published further: into Parquet files beside it, and into PostgreSQL if the settings say so.

None of it holds up what is published. A copy that cannot be made is told and tried again by the next sync,
though nothing may have changed since: what there is is compared, no note of a failure is kept. What each of
them holds: `copied.py`.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from sms_etl.errors import CopyFailed, SmsEtlError
from sms_etl.files import PRIVATE_FILE, unusable
from sms_etl.settings import Settings
from sms_etl.warehouse.copied import is_parquet_current, note_postgres
from sms_etl.warehouse.parquet import ParquetCopy, remove_parquet, write_parquet
from sms_etl.warehouse.parts import PublishedMarts, published_marts

LOCK_FILE = "copies.lock"
_PATIENCE_SECONDS = 600
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FurtherCopies:
    """What became of the copies beside the published one."""

    parquet: ParquetCopy | None = None
    """None if they were as they should be, or are not wanted."""
    postgres: Any = None
    """A `PostgresCopy`; None as above."""
    errors: tuple[str, ...] = ()
    """What could not be copied, and why; a sentence each."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "parquet": self.parquet and self.parquet.as_json(),
            "postgres": self.postgres and self.postgres.as_json(),
            "errors": list(self.errors),
        }


def are_current(settings: Settings, published_at: datetime) -> bool:
    """Return whether the further copies are those of a publication, as far as that is known without a look.

    A database is asked each time.
    """
    is_asked = settings.publish_to is not None
    return settings.publish_parquet and not is_asked and is_parquet_current(settings, published_at)


def refresh_copies(settings: Settings) -> FurtherCopies:
    """Bring the further copies up to date with the published one; costs little where they are.

    What goes wrong is logged and returned, and raises no error: what is published stays published.
    """
    copies = FurtherCopies()
    try:
        with _only_one(settings):
            if not settings.publish_parquet:
                remove_parquet(settings)
            with published_marts(settings) as marts:
                for copy in (_parquet, _postgres):
                    copies = _told(copies, copy, settings, marts)
    except SmsEtlError as exc:
        copies = _with_error(copies, exc)
    except duckdb.Error as exc:  # whose text may quote a row
        copies = _with_error(copies, CopyFailed(f"The published copy cannot be read ({type(exc).__name__})."))
    return copies


def _parquet(settings: Settings, copies: FurtherCopies, marts: PublishedMarts) -> FurtherCopies:
    if not settings.publish_parquet or is_parquet_current(settings, marts.published_at):
        return copies
    return replace(copies, parquet=write_parquet(settings, marts))


def _postgres(settings: Settings, copies: FurtherCopies, marts: PublishedMarts) -> FurtherCopies:
    if settings.publish_to is None:
        return copies
    from sms_etl.warehouse.postgres import copy_to_postgres  # noqa: PLC0415 - asyncio and CSV, for few only

    made = copy_to_postgres(settings.publish_to.get_secret_value(), marts)
    note_postgres(settings, marts.published_at)
    return replace(copies, postgres=made)


def _told(
    copies: FurtherCopies,
    copy: Callable[[Settings, FurtherCopies, PublishedMarts], FurtherCopies],
    settings: Settings,
    marts: PublishedMarts,
) -> FurtherCopies:
    """Make one of them; what is wrong with it keeps no other from being made."""
    try:
        return copy(settings, copies, marts)
    except SmsEtlError as exc:
        return _with_error(copies, exc)
    except duckdb.Error:
        raise  # of what is published, not of this copy
    except Exception as exc:  # noqa: BLE001 - a copy must not fail a sync; what the error says may quote a row
        return _with_error(copies, CopyFailed(f"A copy of what is published failed ({type(exc).__name__})."))


def _with_error(copies: FurtherCopies, exc: SmsEtlError) -> FurtherCopies:
    _log.warning("%s %s", exc.message, exc.hint)
    return replace(copies, errors=(*copies.errors, exc.message))


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Wait for another program that copies: what it leaves is compared with what is published then.

    Raises:
        CopyFailed: It takes too long.
        DataDirError: The lock cannot be written.
    """
    path = settings.data_dir / LOCK_FILE
    lock = FileLock(path, mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except Timeout as exc:
        raise CopyFailed(
            f"Another program has been copying what {settings.data_dir} publishes for ten minutes.",
            hint="Wait until it is done, or end it. The next sync tries again.",
        ) from exc
    except OSError as exc:
        raise unusable(path, exc) from exc
    try:
        yield
    finally:
        lock.release()
