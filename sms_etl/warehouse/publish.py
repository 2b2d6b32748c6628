"""Publishes an atomic, read-only copy of the warehouse, so that readers and the pipeline never meet.

What failed a blocking check is refused, unless forced with a reason that is recorded. The copy is taken
while this process holds the warehouse: checkpoint (a copy without its write-ahead log would lose rows),
copied aside, fsync, read whole and compared, rename. Readers of the old copy keep it until they open again.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from sms_etl.clock import as_utc, system_clock
from sms_etl.errors import ChecksFailed, DataDirError, NoWarehouse, SmsEtlError, WarehouseError
from sms_etl.files import make_directory
from sms_etl.settings import Settings
from sms_etl.warehouse.publication import objections, record_publication, withdraw_publication
from sms_etl.warehouse.read import published
from sms_etl.warehouse.store import STORAGE_VERSION, Warehouse

_CHUNK = 16 * 1024 * 1024
_COPY = "sms_etl_published_copy"
_FORMAT = """
select database_name, tags['storage_version'] from duckdb_databases() where database_name = current_database()
"""
_COLUMNS = """
select schema_name, table_name, list(column_name) from duckdb_columns()
where database_name = ? and (schema_name, table_name) in (
    select (schema_name, table_name) from duckdb_tables() where database_name = ?
) group by all
"""
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


def published_copy(settings: Settings) -> PublishResult:
    """Return the copy that is published now, which passed its checks; it must be there."""
    with published(settings) as connection:
        ((published_at,),) = connection.execute("select max(published_at) from ops.publication").fetchall()
    return PublishResult(settings.published_path, settings.published_path.stat().st_size, published_at)


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
        # The file is closed last: closing it gives up this process's lock on it, DuckDB's included.
        with warehouse.path.open("rb") as source, warehouse.exclusive() as native:
            failed = objections(native)
            if failed and not forced_reason:
                raise _refused(failed)
            record_publication(native, published_at, failed, forced_reason)  # first: the copy itself tells
            _replace(target, aside, native, source)  # under the lock: another would write to the same file
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


def _replace(target: Path, aside: Path, native: duckdb.DuckDBPyConnection, source: BinaryIO) -> None:
    """Write the copy, verify it, and put it in the place of the old one.

    Raises:
        DataDirError: It cannot be written.
        WarehouseError: It is not what it should be.
    """
    ((name, found_format),) = native.execute(_FORMAT).fetchall()
    try:
        _forget(aside)
        if found_format == f"{STORAGE_VERSION}+":
            native.execute("checkpoint").fetchall()
            with aside.open("wb") as written:
                shutil.copyfileobj(source, written, _CHUNK)
        else:  # a warehouse that an earlier version of this package made
            _rewrite(native, name, aside)
        _make_durable(aside)
        _verify(native, name, aside)
        aside.replace(target)
        with suppress(OSError):  # it is in its place; without this a crash may bring the old one back
            _sync_directory(target.parent)
    except OSError as exc:
        raise _not_written(target, exc.strerror) from exc


def _rewrite(native: duckdb.DuckDBPyConnection, name: str, aside: Path) -> None:
    """Write the copy row by row, in the format older DuckDBs read: ten times the work of a plain copy."""
    native.execute(f"attach {_literal(str(aside))} as {_COPY} (storage_version '{STORAGE_VERSION}')")
    native.execute(f"copy from database {_name(name)} to {_COPY}").fetchall()
    native.execute(f"checkpoint {_COPY}").fetchall()
    native.execute(f"detach {_COPY}").fetchall()


def _verify(native: duckdb.DuckDBPyConnection, name: str, aside: Path) -> None:
    """Read the copy whole, which checks every block's sum, and compare its rows with the warehouse's.

    Raises:
        WarehouseError: It cannot be read, or differs.
    """
    try:
        native.execute(f"attach {_literal(str(aside))} as {_COPY} (type duckdb, read_only)")
        counts, copied = _counts(native, name), _counts(native, _COPY)
        for schema, table, columns in native.execute(_COLUMNS, [_COPY, _COPY]).fetchall():
            read = ", ".join(f"bit_xor(hash({_name(column)}))" for column in columns)
            native.execute(f"select {read} from {_COPY}.{_name(schema)}.{_name(table)}").fetchall()
        native.execute(f"detach {_COPY}").fetchall()
    except duckdb.Error as exc:
        raise _damaged(f"the copy cannot be read ({type(exc).__name__})") from exc
    if counts != copied:
        differing = sorted({table for table, _ in counts.items() ^ copied.items()})
        raise _damaged(f"the copy differs from it in {', '.join(differing)}")


def _damaged(how: str) -> WarehouseError:
    return WarehouseError(
        f"The warehouse may be damaged: {how}. Nothing is published, analysts keep what they had.",
        hint="Run `sms-etl doctor`; docs/operations.md says how to start again from the published copy.",
    )


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
