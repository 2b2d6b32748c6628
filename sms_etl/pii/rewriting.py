"""Writes stored data anew without what is to go: landed files, the warehouse's file, its copies.

What a change of policy, a new key and an erasure have in common. Each step can be run again. What is blanked
in a DuckDB file stays in its free blocks, so the file itself is written anew; and so are its copies.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sms_etl.errors import WarehouseLocked
from sms_etl.files import commit_file, open_private, unusable
from sms_etl.settings import Settings
from sms_etl.sync.landing.files import STAGED_SUFFIX, remove_unfinished
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.copying import forget, rewrite
from sms_etl.warehouse.parquet import remove_parquet
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Transaction, Warehouse

_TRIES = 5
_REDACTED = """
update ops.quarantine as kept set raw = redacted.raw, uuid = redacted.uuid, price = redacted.price
from (
    select
        unnest(cast($ids as uuid[])) as id,
        unnest(cast($raws as varchar[])) as raw,
        unnest(cast($uuids as varchar[])) as uuid,
        unnest(cast($prices as varchar[])) as price
) as redacted
where kept.quarantine_id = redacted.id
"""


@dataclass(frozen=True)
class RewrittenFiles:
    """What became of the landed files."""

    files: int
    """Those that were written anew."""
    unreadable: tuple[str, ...]
    """Names, below the landing folder, of those that cannot be read and may hold anything."""


@dataclass(frozen=True)
class ReplacedCopies:
    """The copies in the data directory, where there is one."""

    published: Path | None
    backup: Path | None
    errors: tuple[str, ...] = ()
    """Copies in Parquet or PostgreSQL that could not be replaced: they still hold what is to go."""


def write_redacted(
    transaction: Transaction, rows: Sequence[tuple[UUID, str | None, str | None, str | None]]
) -> None:
    """Replace raw, uuid and price of rows in quarantine, each named by its `quarantine_id`."""
    if rows:
        ids, raws, uuids, prices = (list(column) for column in zip(*rows, strict=True))
        transaction.run(_REDACTED, {"ids": ids, "raws": raws, "uuids": uuids, "prices": prices})


def rewrite_landing(settings: Settings, change: Callable[[pa.Table], pa.Table]) -> RewrittenFiles:
    """Write those landed files anew that a function changes.

    Raises:
        DataDirError: A file cannot be written. What was rewritten stays so.
    """
    remove_unfinished(settings.landing_dir)
    unreadable: list[str] = []
    files = 0
    for path in sorted(settings.landing_dir.glob("*/*.parquet")):
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException):
            unreadable.append(str(path.relative_to(settings.landing_dir)))
            continue
        changed = change(table)
        if not changed.equals(table, check_metadata=True):
            _put_in_place(path, changed)
            files += 1
    return RewrittenFiles(files, tuple(unreadable))


def with_column(table: pa.Table, name: str, values: pa.Array | Sequence[object]) -> pa.Table:
    """Return a table with other values in one of its columns, which keeps its type."""
    place = table.column_names.index(name)
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = pa.array(values, table.schema.field(name).type)
    return table.set_column(place, table.schema.field(name), values)


def _put_in_place(path: Path, table: pa.Table) -> None:
    aside = path.with_suffix(STAGED_SUFFIX)
    try:
        with open_private(aside) as file:
            pq.write_table(table, file, compression="zstd")
        commit_file(aside, path)
    except OSError as exc:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise unusable(path, exc, "The landing file {path} cannot be written") from exc


def rewrite_warehouse(warehouse: Warehouse, command: str) -> None:
    """Put a file in the place of the warehouse's that has its rows, and nothing of what was once in it.

    It is only read meanwhile: a connection that may write would clear away the new file's write-ahead log.

    Args:
        warehouse: The file.
        command: What to run again if it is locked.

    Raises:
        WarehouseLocked: Another program has it open.
        DataDirError: It cannot be written.
    """
    log = warehouse.path.with_name(f"{warehouse.path.name}.wal")
    aside = warehouse.path.with_name(f"{warehouse.path.name}.new")
    for _ in range(_TRIES):
        with warehouse.exclusive() as native:
            native.execute("checkpoint").fetchall()
        with warehouse.only_reading() as native:
            if log.exists():  # somebody has written since
                continue
            _write_anew(native, warehouse.path, aside)
        shutil.rmtree(f"{warehouse.path}.tmp", ignore_errors=True)  # what a query that was killed had spilt
        return
    raise WarehouseLocked(
        f"The warehouse {warehouse.path} is written all the time by another program.",
        hint=f"End it, and run `{command}` again.",
    )


def _write_anew(native: duckdb.DuckDBPyConnection, path: Path, aside: Path) -> None:
    try:
        forget(aside)
        rewrite(native, aside)
        commit_file(aside, path)
    except OSError as exc:
        raise unusable(path, exc) from exc
    finally:
        forget(aside)


def replace_copies(settings: Settings, reason: str) -> ReplacedCopies:
    """Replace the published copy and the backup of the data directory, where there is one.

    Args:
        settings: Whose data directory.
        reason: Why to publish even what failed a blocking check; recorded if one did.

    Raises:
        WarehouseError, DataDirError: As `publish` and `back_up`.
    """
    published = backup = None
    errors: tuple[str, ...] = ()
    if settings.published_path.exists():
        result = publish(settings, forced_reason=reason, is_applying_policy=True)
        published, errors = result.path, result.copies.errors
    else:
        remove_parquet(settings)  # of a copy that somebody has removed
    if settings.backup_path.exists():
        backup = back_up(settings).path
    for left in (*settings.published_path.parent.glob("*.tmp*"), *settings.backup_path.parent.glob("*.tmp*")):
        left.unlink(missing_ok=True)  # of a run that was killed
    return ReplacedCopies(published, backup, errors)


def replace_values(
    transaction: Transaction, table: str, column: str, where: str, by: Callable[[str], str | None]
) -> None:
    """Replace each distinct value of a column, as text, by what a function makes of it."""
    found = transaction.native.execute(
        f"select distinct cast({column} as varchar) from {table} where {where} and {column} is not null"  # noqa: S608 - our own names
    ).fetchall()
    changed = [(old, new) for (old,) in found if (new := by(old)) != old]
    if not changed:
        return
    olds, news = (list(values) for values in zip(*changed, strict=True))
    transaction.run(
        f"""
        update {table} set {column} = changed.new
        from (
            select unnest(cast($olds as varchar[])) as old, unnest(cast($news as varchar[])) as new
        ) as changed
        where cast({table.partition(".")[2]}.{column} as varchar) = changed.old and {where}
        """,  # noqa: S608 - names of our own columns
        {"olds": olds, "news": news},
    )
