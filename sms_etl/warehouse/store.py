"""Opens the warehouse for writing, late and briefly, one transaction at a time.

DuckDB lets one process write and locks out every other, readers too. So no file stays open here: `begin`
opens it, gives one transaction and closes it again. Readers use the published copy (`read.py`). What stays is
an instance of DuckDB in memory, to which the file is attached: to start one takes ten times as long.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import duckdb
from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from sms_etl.clock import Clock
from sms_etl.errors import (
    DataDirError,
    NoWarehouse,
    OutOfMemory,
    RowsRefused,
    WarehouseError,
    WarehouseLocked,
)
from sms_etl.files import make_directory, make_private, private
from sms_etl.settings import Settings
from sms_etl.warehouse.file import known_trouble, path_of, why_not_opened
from sms_etl.warehouse.migrations import migrate

_log = logging.getLogger(__name__)

LOCK_PATIENCE = timedelta(seconds=10)
_LOCK_POLL_SECONDS = 0.1
STORAGE_VERSION = "v1.2.0"
"""The format of a new file: its copies can be read by DuckDB from 1.2 on, at no cost (decision 0012)."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # DuckDB would download what reads another program's file
    "storage_compatibility_version": STORAGE_VERSION,
}
_ATTACHED = "warehouse"
_Opened = TypeVar("_Opened")


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
        self._url = url
        self._instance = _Instance(url, self.path)

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """Return the warehouse the settings name."""
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
            with private(), self._attached() as connection, connection.begin():
                if not is_current:
                    make_private(self.path)  # an earlier version left it to the umask
                    migrate(connection, self._clock)
                yield Transaction(connection, connection.connection.driver_connection)  # type: ignore[arg-type]  # the dialect's wrapper passes every attribute on to DuckDB's connection
                self._is_current = True
        except (DBAPIError, duckdb.Error) as exc:
            raise _refused(exc, self.path) from exc

    @contextmanager
    def _attached(self) -> Iterator[Connection]:
        """Return a connection of its own, whose default database is the file, for as long as it lasts."""
        with self._instance.connect() as connection:
            native: duckdb.DuckDBPyConnection = connection.connection.driver_connection  # type: ignore[assignment]  # the dialect's wrapper passes every attribute on
            path = str(self.path).replace("'", "''")
            self._patiently(lambda: native.execute(f"attach '{path}' as {_ATTACHED} (type duckdb)"))
            try:
                native.execute(f"use {_ATTACHED}")
                yield connection
            finally:
                self._detach(connection, native)

    def _detach(self, connection: Connection, native: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.rollback()
            native.execute("use memory")
            native.execute(f"detach {_ATTACHED}")  # which writes what is in the log into the file
            native.execute("reset threads")
            native.execute("reset memory_limit")
        except (DBAPIError, duckdb.Error) as exc:  # after some errors DuckDB does nothing more
            _log.debug("The warehouse is closed with DuckDB's instance: %s", type(exc).__name__)
            self._instance = _Instance(self._url, self.path)

    @contextmanager
    def exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the file outside of any transaction, for what DuckDB does to the file as a whole.

        Raises:
            As `begin`.
        """
        try:
            with private(), self._patiently(self._connect) as connection:
                yield connection
        except duckdb.Error as exc:
            raise _refused(exc, self.path) from exc

    @contextmanager
    def only_reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the file against all who would write it, without being able to write it.

        Raises:
            As `begin`.
        """
        quoted = str(self.path).replace("'", "''")

        def connect() -> duckdb.DuckDBPyConnection:
            connection = duckdb.connect(":memory:", config=_CONFIG)
            try:
                connection.execute(f"attach '{quoted}' as warehouse (type duckdb, read_only); use warehouse")
            except duckdb.Error:
                connection.close()
                raise
            return connection

        try:
            with private(), self._patiently(connect) as connection:
                yield connection
        except duckdb.Error as exc:
            raise _refused(exc, self.path) from exc

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.path), config=_CONFIG)

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
    """Return the warehouse, if there is one.

    Raises:
        NoWarehouse: Nothing was loaded yet.
    """
    warehouse = Warehouse.of(settings)
    if not warehouse.exists:
        raise NoWarehouse(f"There is no warehouse at {warehouse.path} yet.", hint="Run `sms-etl sync` first.")
    return warehouse


class _Instance:
    """DuckDB in memory, as long as this lives; each connection to it is one of its own."""

    def __init__(self, url: str, path: Path) -> None:
        self._engine = _engine(url, path)
        self._kept: Connection | None = None
        """Is never used: without any connection the instance would end."""

    def connect(self) -> Connection:
        """Open a connection; the first one starts the instance."""
        if self._kept is None:
            self._kept = self._engine.connect()
        return self._engine.connect()


def _engine(url: str, path: Path) -> Engine:
    """Make the engine of an instance in memory, with the options that the warehouse's address gives."""
    # What does not fit into memory is written beside the warehouse, not into the folder somebody stands in.
    config = {**_CONFIG, "temp_directory": f"{path}.tmp"}
    address = URL.create("duckdb", database=f":memory:{uuid4().hex}", query=make_url(url).query)
    return create_engine(address, poolclass=NullPool, connect_args={"config": config})


# A statement fails so by what a row holds. What these say may quote it, which must not reach a log.
_BY_ITS_ROWS = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InternalError,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotSupportedError,
    duckdb.SerializationException,
)


def _refused(exc: DBAPIError | duckdb.Error, path: Path) -> WarehouseError | DataDirError:
    said = getattr(exc, "orig", None) or exc
    if isinstance(said, duckdb.OutOfMemoryException):
        return OutOfMemory(
            f"The warehouse {path} needs more memory than there is.",
            hint="Nothing of this step was written. Close other programs, or give the machine more memory.",
        )
    if (trouble := known_trouble(str(said), path)) is not None:
        return trouble
    hint = "Nothing of this step was written. Run `sms-etl doctor`."
    if isinstance(said, _BY_ITS_ROWS):
        return RowsRefused(f"The warehouse {path} refused: {type(said).__name__}", hint=hint)
    return WarehouseError(f"The warehouse {path} refused: {said}", hint=hint)
