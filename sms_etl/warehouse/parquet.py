"""Copies the published marts into Parquet files, a file a month, for tools without DuckDB.

    published/parquet/marts.fct_sms/month=2026-01/fct_sms.parquet
    published/parquet/marts.dim_country/dim_country.parquet

A file is written aside and renamed, so that no reader meets a half of one, and only if its rows changed: each
keeps the digest of its rows in its metadata. Decimals stay decimals.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sms_etl.errors import DataDirError, WarehouseError
from sms_etl.files import (
    commit_file,
    make_directory,
    open_private,
    private,
    published_file_mode,
    share,
    unusable,
)
from sms_etl.settings import Settings
from sms_etl.warehouse.copied import PARQUET_DONE
from sms_etl.warehouse.parts import SCHEMA, CopiedTable, Part, PublishedMarts

_DIGEST = "sms_etl.digest"
_STAGED = ".part"
"""Readers take files that end in `.parquet`, and no hidden ones."""
_ANY_INTEGER = {"HUGEINT", "UHUGEINT"}
"""Parquet has no such type, and DuckDB would write floats."""


@dataclass(frozen=True)
class ParquetCopy:
    """The files of one publication."""

    path: Path
    files: int
    written: int
    """Those that were not as they should be."""
    removed: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "path": str(self.path),
            "files": self.files,
            "written": self.written,
            "removed": self.removed,
        }


def write_parquet(settings: Settings, marts: PublishedMarts) -> ParquetCopy:
    """Bring the files up to date with the published copy.

    Raises:
        DataDirError: A file cannot be written; those that were stay.
        WarehouseError: The published copy cannot be read.
    """
    folder = settings.parquet_path
    parts = {_place(folder, part): part for table in marts.tables for part in _parts(marts, table)}
    if not parts:
        return ParquetCopy(folder, 0, 0, remove_parquet(settings))
    make_directory(folder)
    try:
        (folder / PARQUET_DONE).unlink(missing_ok=True)
        changed = [path for path, part in parts.items() if _digest_of(path) != part.digest]
        for path in changed:
            _write(settings, marts, path, parts[path])
        removed = _remove_others(folder, set(parts))
        _note(folder, str(marts.published_at))
    except OSError as exc:
        raise unusable(folder, exc, "The Parquet files in {path} cannot be written") from exc
    share(settings)
    return ParquetCopy(folder, len(parts), len(changed), removed)


def remove_parquet(settings: Settings) -> int:
    """Remove the files, where there are any; return how many there were.

    Raises:
        DataDirError: They cannot be removed.
    """
    folder = settings.parquet_path
    if folder.is_symlink() or not folder.is_dir():
        return 0
    count = sum(1 for _ in folder.glob("**/*.parquet"))
    try:
        shutil.rmtree(folder)
    except OSError as exc:
        raise unusable(folder, exc, "The Parquet files in {path} cannot be removed") from exc
    return count


def _parts(marts: PublishedMarts, table: CopiedTable) -> Iterable[Part]:
    """Return what becomes a file each; a table without rows is one, so that its columns are known."""
    return marts.parts(table) or [marts.without_rows(table)]


def _place(folder: Path, part: Part) -> Path:
    table = folder / f"{SCHEMA}.{part.table.name}"
    return (table / f"month={part.label}" if part.label else table) / f"{part.table.name}.parquet"


def _digest_of(path: Path) -> str | None:
    """Return the digest in a file; None if it is not there or is not whole."""
    try:
        found = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    digest: bytes = found.get(_DIGEST.encode(), b"")
    return digest.decode(errors="replace")


def _write(settings: Settings, marts: PublishedMarts, path: Path, part: Part) -> None:
    make_directory(path.parent)
    aside = path.with_name(f".{path.name}{_STAGED}")
    columns = ", ".join(
        f"cast({column.quoted} as decimal(38, 0)) as {column.quoted}"
        if column.type in _ANY_INTEGER
        else column.quoted
        for column in part.table.columns
    )
    to = str(aside).replace("'", "''")
    try:
        aside.unlink(missing_ok=True)
        with private():
            marts.connection.execute(
                f"copy (select {columns} from {part.table.source} where {part.condition}) to '{to}' "
                f"(format parquet, compression zstd, kv_metadata {{'{_DIGEST}': '{part.digest}'}}, "
                "use_tmp_file false)"
            ).fetchall()
        aside.chmod(published_file_mode(settings.share_published))
        commit_file(aside, path)
    except duckdb.IOException as exc:
        raise DataDirError(
            f"The Parquet file {path} cannot be written ({type(exc).__name__}).",
            hint="Free disk space, or set SMS_ETL_PUBLISH_PARQUET=no; the next sync writes what is missing.",
        ) from exc
    except duckdb.Error as exc:
        raise WarehouseError(
            f"{SCHEMA}.{part.table.name} cannot be copied into Parquet ({type(exc).__name__}).",
            hint="`sms-etl publish` replaces the published copy and tries again.",
        ) from exc
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def _remove_others(folder: Path, kept: set[Path]) -> int:
    """Remove what belongs to no part: months that are gone, and what a run that was killed left."""
    others = [path for path in sorted(folder.rglob("*")) if not path.is_dir() and path not in kept]
    for path in others:
        path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):  # what is below first
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return sum(path.suffix == ".parquet" for path in others)


def _note(folder: Path, published_at: str) -> None:
    aside = folder / f"{PARQUET_DONE}{_STAGED}"
    with open_private(aside) as file:
        file.write(published_at.encode())
    commit_file(aside, folder / PARQUET_DONE)
