"""Publishes an atomic, read-only copy of the warehouse, so that readers and the pipeline never meet.

The copy is taken while this process holds the file: checkpoint (a copy without its write-ahead log would
lose rows), copy aside, fsync, rename. Readers of the old copy keep it until they open again.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sms_etl.errors import DataDirError, NoWarehouse
from sms_etl.files import make_directory
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Warehouse

_CHUNK = 16 * 1024 * 1024


@dataclass(frozen=True)
class PublishResult:
    """Where the copy lies and how large it is, in bytes."""

    path: Path
    size: int


def published_copy(settings: Settings) -> PublishResult:
    """Return the copy that is published now; it must be there."""
    return PublishResult(settings.published_path, settings.published_path.stat().st_size)


def publish(settings: Settings) -> PublishResult:
    """Replace the published copy by the warehouse as it is now.

    Raises:
        NoWarehouse: There is none yet.
        WarehouseLocked: Another program has it open.
        DataDirError: The copy cannot be written.
    """
    warehouse = Warehouse.of(settings)
    if not warehouse.exists:
        raise NoWarehouse("There is no warehouse to publish yet.", hint="Run `sms-etl sync` first.")
    target = settings.published_path
    make_directory(target.parent)
    aside = target.with_suffix(".tmp")
    with warehouse.begin():
        pass  # an older file is migrated, another one refused, before it is shown to anybody
    try:
        # The file is closed last: closing it gives up this process's lock on it, DuckDB's included.
        with warehouse.path.open("rb") as source, warehouse.exclusive() as native:
            native.execute("checkpoint")
            _copy(source, aside)
            aside.replace(target)  # under the lock too: another publisher would write to the same `aside`
        _sync_directory(target.parent)
    except OSError as exc:
        aside.unlink(missing_ok=True)
        raise DataDirError(
            f"The published copy {target} cannot be written: {exc.strerror}.",
            hint="Free disk space, or give SMS_ETL_DATA_DIR a folder you may write to.",
        ) from exc
    return PublishResult(target, target.stat().st_size)


def _copy(source: BinaryIO, target: Path) -> None:
    target.unlink(missing_ok=True)
    with target.open("wb") as writer:
        shutil.copyfileobj(source, writer, _CHUNK)
        writer.flush()
        os.fsync(writer.fileno())
    target.chmod(target.stat().st_mode & 0o444)  # readable to whom the umask lets


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
