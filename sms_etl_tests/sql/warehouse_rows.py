"""A few rows put into a warehouse by name, its models built, and rows taken out."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import duckdb
from duckdb_sqlalchemy import Dialect
from sqlalchemy.schema import CreateTable

from sms_etl.models.checks import run_tests
from sms_etl.models.project import Project, load_project
from sms_etl.models.runner import build_model, load_seeds
from sms_etl.models.selection import selected
from sms_etl.warehouse.tables import metadata

NAMESPACE = UUID(int=7)
package_project = cache(load_project)
SEEN = {"first_seen_at": "2026-01-10", "last_seen_at": "2026-01-10", "changed_at": "2026-01-10"}
SMS = {
    "created_at": "2026-01-10 12:00:00",
    "status_code": 100,
    "dlr_code": 1,
    "is_unicode": False,
    "iso2": "DE",
    "parts_count": 1,
    "chars_count": 10,
    "price": "0.0560",
    "currency": "EUR",
    "service_code": "direct",
    "key_id": 8207,
    **SEEN,
}
CHANGE = {"observed_by": "poll", "status_code": 100, "dlr_code": 1, "currency": "EUR"}
BULK = {
    "created_at": "2026-01-10 12:00:00",
    "status_code": 10,
    "msg_total_count": 0,
    "msg_total_cost": "0",
    "currency": "EUR",
    "is_dryrun": False,
    "service_code": "direct",
    **SEEN,
}
CAMPAIGN = {
    "digest": "d",
    "state": "sent",
    "service_code": "direct",
    "encoding": "gsm7",
    "business_month": "2026-01-01",
    "recipients": 10,
    "recipients_digest": "d",
    "invalid": 0,
    "duplicates": 0,
    "opted_out": 0,
    "parts": 10,
    "currency": "EUR",
    "cost_centre": "unassigned",
    "attempts": 1,
    "intended_at": "2026-01-10",
    "asked_at": "2026-01-10",
    "version": "0",
}
READ_AT = "2026-03-01"
WINDOW = {
    "stream": "sms",
    "observed_by": "poll",
    "rows": 1,
    "rows_quarantined": 0,
    "pages": 1,
    "attempts": 1,
}


@dataclass
class Rows:
    """Puts rows in, builds the models of the package, and takes rows out. A name stands for its uuid.

    A model is built when it is first asked for, with what it is made of: most tests need a few of them.
    """

    connection: duckdb.DuckDBPyConnection
    _project: Project = field(default_factory=lambda: package_project())  # noqa: PLW0108 - a cached function is no plain one
    _to_build: set[str] = field(default_factory=set)

    def uuid(self, name: str) -> UUID:
        return uuid5(NAMESPACE, name)

    def sms(self, name: str = "a", /, **fields: object) -> None:
        self._insert("raw.sms", {"uuid": self.uuid(name), **SMS, **fields})

    def change(self, name: str, observed_at: str, **fields: object) -> None:
        self._insert(
            "raw.sms_change", {"uuid": self.uuid(name), "observed_at": observed_at, **CHANGE, **fields}
        )

    def bulk(self, name: str = "bulk", /, **fields: object) -> None:
        self._insert("raw.bulk", {"uuid": self.uuid(name), **BULK, **fields})

    def campaign(self, name: str = "campaign", /, **fields: object) -> None:
        """Note a campaign as sent from here; its key is its name."""
        names = {"campaign_id": self.uuid(name), "key": name}
        self._insert("ops.campaign", {**names, **CAMPAIGN, **fields})

    def window(self, since_at: str | None, until_at: str | None, **fields: object) -> None:
        """Note a window as read; its last second is included."""
        moments = {"since_at": since_at, "until_at": until_at, "fetched_at": READ_AT, "loaded_at": READ_AT}
        names = {"window_id": uuid4(), "run_id": UUID(int=0), "landed": str(uuid4())}
        self._insert("ops.fetch_window", {**WINDOW, **names, **moments, **fields})

    def context(
        self, as_of_at: str = "2026-01-12", timezone: str = "Europe/Berlin", settle_days: int = 5
    ) -> None:
        self.connection.execute("delete from ops.build_context")
        values = {"as_of_at": as_of_at, "timezone": timezone, "settle_days": settle_days}
        self._insert("ops.build_context", {**values, "built_at": as_of_at})

    def build(self, seeds: Path | None = None, at_once: Sequence[str] = ()) -> None:
        """Let the models be built anew, from the rows there are when they are asked for, or at once."""
        self._project = package_project(seeds=seeds)
        self._to_build = set(self._project.models)
        load_seeds(self.connection, self._project)
        self._build(at_once)

    def build_rest(self) -> None:
        """Build what was not asked for yet."""
        self._build(self._project.models)

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a statement, with the models built that it names."""
        self._build(name for name in self._project.models if name in sql)
        return self.connection.execute(sql)

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        return self.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        ((value,),) = self.select(sql)
        return value

    def failing(self, select: Sequence[str] | None = None) -> dict[str, int]:
        """Return the rows that are wrong by test, of those that fail; of all models or of those named."""
        self._build(self._project.models if select is None else select)
        return {
            f"{result.model}.{result.test}": result.failures
            for result in run_tests(self.connection, self._project, select)
            if not result.is_passed
        }

    def _build(self, names: Iterable[str]) -> None:
        asked = [f"+{name}" for name in names if name in self._to_build]
        wanted = self._to_build & selected(self._project, asked) if asked else set()
        for name in self._project.models:
            if name in wanted:
                build_model(self.connection, self._project, name)
        self._to_build -= wanted

    def failed_rows(self, model: str, test: str) -> list[dict[str, str]]:
        """Return what is kept of the rows that a test finds."""
        self._build([model])
        results = run_tests(self.connection, self._project, [model])
        return [json.loads(row) for result in results if result.test == test for row in result.rows]

    def _insert(self, table: str, fields: dict[str, object]) -> None:
        places = ", ".join("?" for _ in fields)
        self.connection.execute(
            f"insert into {table} ({', '.join(fields)}) values ({places})", list(fields.values())
        )


_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1}
"""A third faster with so few rows."""


@contextmanager
def empty_warehouse() -> Iterator[Rows]:
    """Make a DuckDB with the empty tables that models are made of."""
    with duckdb.connect(config=_CONFIG) as connection:
        connection.execute(_empty_tables())
        found = Rows(connection)
        found.context()
        yield found


@cache
def _empty_tables() -> str:
    """Return the statements that make the tables: to write them takes longer than to run them."""
    schemas = sorted({str(table.schema) for table in metadata.sorted_tables})
    tables = (str(CreateTable(table).compile(dialect=Dialect())) for table in metadata.sorted_tables)
    return "; ".join([*(f"create schema {schema}" for schema in schemas), *tables])


def keep(rows: Rows, path: Path) -> Path:
    """Write a warehouse into a new file, for `copied_warehouse`."""
    rows.connection.execute(f"attach '{path}' as kept; copy from database memory to kept; detach kept")
    return path


@contextmanager
def copied_warehouse(path: Path) -> Iterator[Rows]:
    """Copy a warehouse from such a file into memory: a tenth of the work of building one."""
    with duckdb.connect(config=_CONFIG) as connection:
        connection.execute(
            f"attach '{path}' as kept (read_only); copy from database kept to memory; detach kept"
        )
        yield Rows(connection)
