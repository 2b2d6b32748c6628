"""A few rows put into a warehouse by name, its models built, and rows taken out."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import duckdb

from sms_etl.models.checks import run_tests
from sms_etl.models.project import load_project
from sms_etl.models.runner import BuildResult, build

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
    """Puts rows in, builds the models of the package, and gives rows out. A name stands for its uuid."""

    connection: duckdb.DuckDBPyConnection

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

    def build(self, seeds: Path | None = None) -> BuildResult:
        return build(self.connection, package_project(seeds=seeds))

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        ((value,),) = self.select(sql)
        return value

    def failing(self) -> dict[str, int]:
        """Return the rows that are wrong by test, of those that fail."""
        return {
            f"{result.model}.{result.test}": result.failures
            for result in run_tests(self.connection, package_project())
            if not result.is_passed
        }

    def _insert(self, table: str, fields: dict[str, object]) -> None:
        places = ", ".join("?" for _ in fields)
        self.connection.execute(
            f"insert into {table} ({', '.join(fields)}) values ({places})", list(fields.values())
        )
