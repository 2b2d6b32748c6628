"""A warehouse in memory with only what closing reads: messages as marts show them, and what is closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import duckdb
from duckdb_sqlalchemy import Dialect
from sqlalchemy.schema import CreateTable

from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.queries import Queries
from sms_etl.warehouse.tables import metadata

NAMESPACE = UUID(int=11)
JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in (1, 2, 3, 4))
NOW = datetime(2026, 5, 10, tzinfo=UTC)
_FCT_SMS = """
create schema marts;
create table marts.fct_sms (
    uuid uuid, created_at timestamp, business_day date, business_month date, currency varchar,
    price decimal(18, 6), parts integer, cost_centre varchar, country_code varchar, service_code varchar,
    delivery_status varchar, is_gone boolean
)
"""


@dataclass(frozen=True)
class Sent:
    """What a test says of a message."""

    name: str
    month: date = JANUARY
    price: str | None = "0.05"
    currency: str = "EUR"
    cost_centre: str = "Sales"
    is_gone: bool = False


def uuid_of(name: str) -> UUID:
    return uuid5(NAMESPACE, name)


@dataclass
class Small:
    """Shows messages, closes months and books what changed."""

    connection: duckdb.DuckDBPyConnection

    def show(self, *messages: Sent) -> None:
        """Let the marts hold these messages and no others."""
        self.connection.execute("delete from marts.fct_sms")
        for each in messages:
            self.connection.execute(
                "insert into marts.fct_sms values (?, ?, ?, ?, ?, ?, 1, ?, 'DE', 'direct', 'delivered', ?)",
                [
                    uuid_of(each.name),
                    each.month,
                    each.month,
                    each.month,
                    each.currency,
                    each.price and Decimal(each.price),
                    each.cost_centre,
                    each.is_gone,
                ],
            )

    def close(self, month: date) -> None:
        """Write a month's lines, and that it is closed."""
        Queries(self.connection, month).insert("finance.closed_line", "closing/lines")
        self.connection.execute(
            "insert into finance.closed_period by name select ? as month, now() as closed_at, "
            "'Europe/Berlin' as timezone, '' as digest, 1 as digest_version, '[]' as totals, "
            "'{}' as figures, '' as figures_digest, false as is_forced, '[]' as overridden_reasons, "
            "'[]' as differences, '' as version",
            [month],
        )

    def book(self) -> int:
        return book_corrections(self.connection, NOW)

    def corrections(self) -> list[tuple[Any, ...]]:
        return self.select(
            "select closed_month, booked_month, kind, messages, currency, amount from finance.correction "
            "order by all"
        )

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@contextmanager
def small_warehouse() -> Iterator[Small]:
    """Make one; nothing is in it."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("create schema raw; create schema ops; create schema finance")
        for table in metadata.sorted_tables:
            if table.schema == "finance" or table.name == "account":
                connection.execute(str(CreateTable(table).compile(dialect=Dialect())))
        connection.execute(_FCT_SMS)
        connection.execute(
            "insert into ops.account by name select '4711' as account_id, 'EUR' as currency, "
            "'https://api.lox24.eu' as base_url, now() as first_seen_at"
        )
        yield Small(connection)
