"""Publishes an atomic, read-only copy of the warehouse, so that readers and the pipeline never meet.

What failed a blocking check is refused, unless forced with a reason that is recorded. The copy is written in
the format of DuckDB 1.2, which BI tools can open, while this process holds the warehouse: copied aside,
compared table by table, fsync, rename. Readers of the old copy keep it until they open again.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.clock import as_utc, system_clock
from sms_etl.errors import ChecksFailed, DataDirError, NoWarehouse, SmsEtlError, WarehouseError
from sms_etl.files import make_directory
from sms_etl.settings import Settings
from sms_etl.warehouse.publication import objections, record_publication, withdraw_publication
from sms_etl.warehouse.store import Warehouse

STORAGE_VERSION = "v1.2.0"
"""What DuckDB from 1.2 on can read. The warehouse itself is in the newest format, which only 2.0 can."""
_COPY = "sms_etl_published_copy"
_TABLES = "select schema_name, table_name from duckdb_tables() where database_name = ? and not internal"
_VIEWS = "select schema_name, view_name from duckdb_views() where database_name = ? and not internal"


@dataclass(frozen=True)
class PublishResult:
    """Where the copy lies, how large it is in bytes, and what had failed if it was forced."""

    path: Path
    size: int
    published_at: datetime
    """UTC, without a time zone, as in `ops.publication`."""
    failed_tests: tuple[str, ...] = ()
    forced_reason: str | None = None

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
        }


def publish(settings: Settings, *, forced_reason: str | None = None) -> PublishResult:
    """Replace the published copy by the warehouse as it is now.

    Args:
        settings: Whose data directory.
        forced_reason: Why to publish even if a blocking check failed; recorded if one did.

    Raises:
        ChecksFailed: The last build failed a blocking check, or ended in an error, or there was none.
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
    with warehouse.begin():
        pass  # an older file is migrated, another one refused, before it is shown to anybody
    published_at = as_utc(system_clock())
    aside = target.with_suffix(".tmp")
    try:
        with warehouse.exclusive() as native:
            failed = objections(native)
            if failed and not forced_reason:
                raise _refused(failed)
            record_publication(native, published_at, failed, forced_reason)  # first: the copy itself tells
            _replace(target, aside, native)  # under the lock: another publisher would write to the same file
    except ChecksFailed:
        raise
    except BaseException:
        _forget(aside)
        with suppress(SmsEtlError), warehouse.exclusive() as native:
            withdraw_publication(native, published_at)
        raise
    return PublishResult(
        target, target.stat().st_size, published_at, failed, forced_reason if failed else None
    )


def _refused(failed: Sequence[str]) -> ChecksFailed:
    return ChecksFailed(
        f"Nothing is published, analysts keep what they had: {'; '.join(failed)}.",
        hint="`sms-etl build` builds and checks again. "
        'To publish all the same: `sms-etl publish --force --reason "…"`.',
    )


def _replace(target: Path, aside: Path, native: duckdb.DuckDBPyConnection) -> None:
    """Write the copy and put it in the place of the old one.

    Raises:
        DataDirError: It cannot be written.
        WarehouseError: It is not what it should be.
    """
    try:
        _forget(aside)
        _copy(native, aside)
        _make_durable(aside)
        aside.replace(target)
        with suppress(OSError):  # it is in its place; without this a crash may bring the old one back
            _sync_directory(target.parent)
    except OSError as exc:
        raise _not_written(target, exc.strerror) from exc
    except (duckdb.IOException, duckdb.FatalException) as exc:
        if str(aside) not in str(exc):
            raise  # it is about the warehouse
        raise _not_written(target, str(exc).rpartition(": ")[2]) from exc


def _copy(native: duckdb.DuckDBPyConnection, aside: Path) -> None:
    (source,) = native.execute("select current_database()").fetchall()[0]
    native.execute(f"attach {_literal(str(aside))} as {_COPY} (storage_version '{STORAGE_VERSION}')")
    native.execute(f"copy from database {_name(source)} to {_COPY}").fetchall()
    counts, copied = _counts(native, source), _counts(native, _COPY)
    if counts != copied:
        differing = sorted({name for name, _ in counts.items() ^ copied.items()})
        raise WarehouseError(
            f"The copy differs from the warehouse in {', '.join(differing)}; nothing is published.",
            hint="The warehouse may be damaged: `sms-etl doctor` looks at it.",
        )
    native.execute(f"checkpoint {_COPY}").fetchall()
    native.execute(f"detach {_COPY}").fetchall()


def _counts(native: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    """Return the rows of every table, and of every view that it is there (-1)."""
    tables = native.execute(_TABLES, [database]).fetchall()
    counts = " union all ".join(
        f"select {_literal(f'{schema}.{table}')}, count(*) "
        f"from {_name(database)}.{_name(schema)}.{_name(table)}"
        for schema, table in tables
    )
    views = native.execute(_VIEWS, [database]).fetchall()
    return dict(native.execute(counts).fetchall()) | {f"{schema}.{view}": -1 for schema, view in views}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _not_written(target: Path, reason: str | None) -> DataDirError:
    return DataDirError(
        f"The published copy {target} cannot be written: {reason}.",
        hint="Free disk space, or give SMS_ETL_DATA_DIR a folder you may write to.",
    )


def _make_durable(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())
    path.chmod(path.stat().st_mode & 0o444)  # readable to whom the umask lets


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(aside: Path) -> None:
    """Remove a copy that was not finished, with its write-ahead log."""
    for path in (aside, aside.with_name(f"{aside.name}.wal")):
        path.unlink(missing_ok=True)
