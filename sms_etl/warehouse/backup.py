"""Backs up the warehouse: a copy of the whole file, taken under its lock, read whole and compared.

The published copy is none: without SMS_ETL_PUBLISH=all the provider's rows are not in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sms_etl.errors import WarehouseError
from sms_etl.files import commit_file, make_directory, unusable
from sms_etl.settings import Settings
from sms_etl.warehouse.copying import copy_whole, forget
from sms_etl.warehouse.store import writable_warehouse


@dataclass(frozen=True)
class BackupResult:
    """Where the backup lies, and how large it is in bytes."""

    path: Path
    size: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"path": str(self.path), "bytes": self.size}


def back_up(settings: Settings, target: Path | None = None) -> BackupResult:
    """Write the whole warehouse to a file, `backup/warehouse.duckdb` in the data directory unless given.

    Raises:
        NoWarehouse: There is none yet.
        WarehouseError: It is locked or damaged, or the target is the warehouse or its published copy.
        DataDirError: The file cannot be written. Whatever fails, a file that was there stays.
    """
    warehouse = writable_warehouse(settings)
    path = (target or settings.backup_path).absolute()
    if path.resolve() in {warehouse.path.resolve(), settings.published_path.resolve()}:
        raise WarehouseError(f"{path} is in use.", hint="Name another file for the backup.")
    make_directory(path.parent)
    aside = path.with_name(f"{path.name}.tmp")
    try:
        # The file is closed last: closing it gives up this process's lock on it, DuckDB's included.
        with warehouse.path.open("rb") as source, warehouse.exclusive() as native:
            forget(aside)
            copy_whole(native, source, aside)
        commit_file(aside, path)
    except OSError as exc:
        forget(aside)
        raise unusable(path, exc, "The backup {path} cannot be written") from exc
    except BaseException:
        forget(aside)
        raise
    return BackupResult(path, path.stat().st_size)
