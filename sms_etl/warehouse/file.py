"""The warehouse's file: where it lies, and why it could not be opened. Imports no SQLAlchemy.

What only reads needs no more than this, and starts in half the time.
"""

from pathlib import Path
from urllib.parse import unquote

from sms_etl.errors import DataDirError, NotAWarehouse, SettingsError, WarehouseError, WarehouseLocked
from sms_etl.tabular import printable

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
        raise _not_a_file("a warehouse lies on this machine, under no host.")
    database = unquote(rest[1:].partition("?")[0])
    if database in {"", ":memory:"}:
        raise _not_a_file("a warehouse in memory is gone before it can be read.")
    return Path(database)


def _not_a_file(reason: str) -> SettingsError:
    return SettingsError(f"SMS_ETL_WAREHOUSE: {reason}", hint="Give duckdb:///<path of the file>.")


def why_not_opened(exc: Exception, path: Path) -> WarehouseError | DataDirError:
    """Say what DuckDB's refusal to open a file means, and what to do."""
    said = str(getattr(exc, "orig", None) or exc)
    if "Could not set lock" in said:
        return WarehouseLocked(
            f"The warehouse {path} is open in another program: {lock_holder(said)}.",
            hint="Close it there, or wait until it is done; analysts read the published copy instead.",
        )
    if any(sign in said for sign in _SIGNS_OF_ANOTHER_FILE):
        return NotAWarehouse(
            f"{path} is not a DuckDB file this version can read.",
            hint="Point SMS_ETL_WAREHOUSE or SMS_ETL_DATA_DIR elsewhere. Nothing was changed.",
        )
    if "Permission denied" in said or "Cannot open file" in said:
        return DataDirError(
            f"The warehouse {path} cannot be opened: permission denied, or its folder is missing.",
            hint="Give SMS_ETL_DATA_DIR a folder you may write to.",
        )
    return WarehouseError(f"The warehouse {path} cannot be opened: {said}", hint="Run `sms-etl doctor`.")


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
