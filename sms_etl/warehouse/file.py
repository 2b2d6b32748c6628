"""The warehouse's file: where it lies, and why it could not be opened. Imports no SQLAlchemy.

What only reads needs no more than this, and starts in half the time.
"""

from pathlib import Path
from urllib.parse import unquote

from sms_etl.errors import DataDirError, NotAWarehouse, SettingsError, WarehouseError, WarehouseLocked
from sms_etl.plain_text import printable

_SCHEME = "duckdb"
_SIGNS_OF_ANOTHER_FILE = (
    "not a valid DuckDB database file",
    "Serialization",
    "Is a directory",
    "_scanner",  # it took the file for SQLite's or another database's, and missed the extension for it
)


def path_of(url: str) -> Path:
    """Return the file that a warehouse's address names.

    Args:
        url: `duckdb:///<path>`, percent-encoded; options of the connection may follow behind `?`.

    Raises:
        SettingsError: It is no address of a DuckDB file.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise _not_a_file("not an address.")
    if scheme != _SCHEME:
        raise _not_a_file(f"{scheme} is not supported here.")
    if rest and not rest.startswith("/"):
        raise _not_a_file("a warehouse is a file on this machine: name no host.")
    database = unquote(rest[1:].partition("?")[0])
    if database in {"", ":memory:"}:
        raise _not_a_file("a warehouse in memory would be lost before it could be read.")
    return Path(database)


def _not_a_file(reason: str) -> SettingsError:
    return SettingsError(f"SMS_ETL_WAREHOUSE: {reason}", hint="Give duckdb:///<path of the file>.")


def why_not_opened(exc: Exception, path: Path) -> WarehouseError | DataDirError:
    """Say what DuckDB's refusal to open a file means, and what to do."""
    said = str(getattr(exc, "orig", None) or exc)
    if path.is_symlink() and not path.exists():
        return DataDirError(
            f"The warehouse {path} is a link to {path.readlink()}, which is not there.",
            hint="Restore what it points to, or remove the link: the next sync makes a new warehouse.",
        )
    if "Could not set lock" in said:
        return WarehouseLocked(
            f"The warehouse {path} is open in another program: {lock_holder(said)}.",
            hint="Close it there, or wait until it is done; analysts read the published copy instead.",
        )
    if any(sign in said for sign in _SIGNS_OF_ANOTHER_FILE):
        return NotAWarehouse(
            f"{path} is {_other_kind(path)}.",
            hint="Point SMS_ETL_WAREHOUSE or SMS_ETL_DATA_DIR elsewhere. Nothing was changed.",
        )
    if "Permission denied" in said or "Cannot open file" in said:
        return DataDirError(
            f"The warehouse {path} cannot be opened: permission denied, or its folder is missing.",
            hint="Give SMS_ETL_DATA_DIR a folder you may write to.",
        )
    return known_trouble(said, path) or WarehouseError(
        f"The warehouse {path} cannot be opened: {said}", hint="Run `sms-etl doctor`."
    )


def known_trouble(said: str, path: Path) -> WarehouseError | DataDirError | None:
    """Return the error of a full disk or of a damaged file, if DuckDB's message is about one."""
    if _is_full(said):
        return _no_room(path)
    return damaged(path) if is_damage(said) else None


_SIGNS_OF_DAMAGE = (
    "Corrupt database file",
    "Could not read enough bytes",
    "Failed to load metadata pointer",
)


def is_damage(said: str) -> bool:
    """Return whether DuckDB's message is about a file that is cut, or whose blocks were changed."""
    return any(sign in said for sign in _SIGNS_OF_DAMAGE)


_SIGNS_OF_A_FULL_DISK = ("No space left on device", "File too large", "Disk quota exceeded")


def _is_full(said: str) -> bool:
    """Return whether DuckDB's message is about a disk without room."""
    return any(sign in said for sign in _SIGNS_OF_A_FULL_DISK)


def _no_room(path: Path) -> DataDirError:
    """Return the error of a warehouse whose disk is full."""
    return DataDirError(
        f"The warehouse {path} cannot be written: the disk is full.",
        hint="Free some space and run it again. Nothing of this step was written; what was loaded is kept.",
    )


def damaged(path: Path) -> WarehouseError:
    """Return the error of a file that is cut, or whose blocks were changed."""
    return WarehouseError(
        f"{path} is damaged: it cannot be read whole.",
        hint="Check the disk. A damaged copy is replaced by `sms-etl publish`; from a damaged warehouse, "
        "start again as docs/operations.md says under Backup.",
    )


def _other_kind(path: Path) -> str:
    if path.is_dir():
        return "a folder, where a DuckDB file is expected"
    try:
        is_empty = path.stat().st_size == 0
    except OSError:
        is_empty = False
    return "an empty file" if is_empty else "not a DuckDB file this version can read"


def lock_holder(said: str) -> str:
    """Name the program that holds the lock, and its number, from what DuckDB says of it.

    Never its arguments: they may hold a query, and in it a number.
    """
    holder = said.partition("held in ")[2].partition(". See")[0]
    program, _, rest = holder.partition(" (PID ")
    name = printable(Path(program).name)
    if not name:
        return "which one is not known"
    pid = rest.partition(")")[0]
    return f"{name} (PID {pid})" if pid.isdigit() else name
