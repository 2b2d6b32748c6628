"""Opens the warehouse for writing, late and briefly, one transaction at a time.

DuckDB lets one process write and locks out every other, readers too. So nothing here stays open: `begin`
opens the file, gives one transaction and closes it again. Readers use the published copy (`read.py`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from sms_etl.clock import Clock
from sms_etl.errors import DataDirError, NoWarehouse, WarehouseError, WarehouseLocked
from sms_etl.files import make_directory
from sms_etl.settings import Settings
from sms_etl.warehouse.file import known_trouble, path_of, why_not_opened
from sms_etl.warehouse.migrations import migrate

LOCK_PATIENCE = timedelta(seconds=10)
_LOCK_POLL_SECONDS = 0.1
STORAGE_VERSION = "v1.2.0"
"""The format of a new file: its copies can be read by DuckDB from 1.2 on, at no cost (decision 0012)."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # DuckDB would download what reads another program's file
    "storage_compatibility_version": STORAGE_VERSION,
}
_Opened = TypeVar("_Opened", Connection, duckdb.DuckDBPyConnection)


@dataclass(frozen=True)
class Transaction:
    """One transaction, seen from both sides: what one does the other sees."""

    sql: Connection
    """SQLAlchemy, for schema and small state."""
    native: duckdb.DuckDBPyConnection
    """DuckDB itself, for bulk."""

    def use_threads(self, count: int) -> None:
        """Let DuckDB work with so many threads, until the file is closed."""
        self.run(f"set threads = {count}")

    def use_memory(self, most: str) -> None:
        """Let DuckDB hold so much in memory, until the file is closed."""
        self.run(f"set memory_limit = '{most}'")

    def run(self, statement: str, parameters: object = None) -> None:
        """Run a native statement to its end."""
        self.native.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: object = None) -> tuple[Any, ...]:
        """Run a native statement that gives one row, and take its result whole.

        A result that is not taken to its end blocks what else is to be done on the connection.
        """
        rows: list[tuple[Any, ...]] = self.native.execute(statement, parameters).fetchall()
        return rows[0]


class Warehouse:
    """The warehouse file.

    Args:
        url: `duckdb:///<path>`.
        clock: Stamps migrations.
        patience: How long to wait for another program to close the file.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        patience: timedelta = LOCK_PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path_of(url)
        self._clock = clock
        self._patience = patience
        self._sleep = sleep
        self._is_current = False
        self._engine = _engine(url)

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """Give the warehouse the settings name."""
        return cls(settings.warehouse_url, settings.clock)

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open the file for one transaction: committed at the end, rolled back on an error.

        Raises:
            WarehouseLocked: Another program has it open; the message says which.
            WarehouseError: It cannot be opened or is not ours; see the subclasses.
            DataDirError: Its folder cannot be written.
        """
        make_directory(self.path.parent)
        is_current = self._is_current and self.exists  # a file that was removed meanwhile is made anew
        try:
            with self._patiently(self._engine.connect) as connection, connection.begin():
                if not is_current:
                    migrate(connection, self._clock)
                yield Transaction(connection, connection.connection.driver_connection)  # type: ignore[arg-type]  # the dialect's wrapper passes every attribute on to DuckDB's connection
                self._is_current = True
        except (DBAPIError, duckdb.Error) as exc:
            raise _refused(exc, self.path) from exc

    @contextmanager
    def exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the file outside of any transaction, for what DuckDB does to the file as a whole.

        Raises:
            As `begin`.
        """
        try:
            with self._patiently(lambda: duckdb.connect(str(self.path), config=_CONFIG)) as connection:
                yield connection
        except duckdb.Error as exc:
            raise _refused(exc, self.path) from exc

    def _patiently(self, connect: Callable[[], _Opened]) -> _Opened:
        waited = 0.0
        while True:
            try:
                return connect()
            except (DBAPIError, duckdb.Error) as exc:
                refusal = why_not_opened(exc, self.path)
                if not isinstance(refusal, WarehouseLocked) or waited >= self._patience.total_seconds():
                    raise refusal from exc
            self._sleep(_LOCK_POLL_SECONDS)
            waited += _LOCK_POLL_SECONDS


def writable_warehouse(settings: Settings) -> Warehouse:
    """Give the warehouse, if there is one.

    Raises:
        NoWarehouse: Nothing was loaded yet.
    """
    warehouse = Warehouse.of(settings)
    if not warehouse.exists:
        raise NoWarehouse(f"There is no warehouse at {warehouse.path} yet.", hint="Run `sms-etl sync` first.")
    return warehouse


def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"config": _CONFIG})


# What these say may quote a value of a row, which must not reach a log.
_MAY_QUOTE_ROWS = (duckdb.ConversionException, duckdb.ConstraintException, duckdb.DataError)


def _refused(exc: DBAPIError | duckdb.Error, path: Path) -> WarehouseError | DataDirError:
    said = getattr(exc, "orig", None) or exc
    return known_trouble(str(said), path) or WarehouseError(
        f"The warehouse {path} refused: {type(said).__name__ if isinstance(said, _MAY_QUOTE_ROWS) else said}",
        hint="Nothing of this step was written. Run `sms-etl doctor`.",
    )
