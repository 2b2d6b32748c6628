"""Copies the published marts into PostgreSQL: schema `marts`, with types, comments and exact numbers.

One transaction deletes and loads the parts that changed; readers wait for nothing and see the old copy or
the new one, never half of one. Tables stay what they are, and with them what others have built on them:
grants, views, indexes. Schema `sms_etl` keeps what was copied. Rows are streamed, a batch at a time.
"""
# ruff: noqa: S608 - names come from the catalogue and are quoted, other values are parameters

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pyarrow as pa
from pyarrow import csv

from sms_etl import __version__
from sms_etl.errors import CopyFailed
from sms_etl.plain_text import printable
from sms_etl.warehouse.parts import SCHEMA, CopiedTable, Part, PublishedMarts, quoted

if TYPE_CHECKING:
    import asyncpg

_STATE = "sms_etl"
_CONNECT_SECONDS = 15
_LOCK_SECONDS = 60
"""Somebody who changes our tables meanwhile, or an ALTER TABLE behind a long query, is waited for so long."""
_PART_SECONDS = 1800
"""A server that answers no more must not hold up a sync for ever; a month of a million rows takes seconds."""
_BATCH = 20_000
_LOCK_KEY = 7_767_438_752_001
"""Of two programs that copy into one database the second waits. Any number that nobody else takes."""
_TYPES = {
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "HUGEINT": "numeric(38,0)",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "UUID": "uuid",
}
"""What is not among them, and no DECIMAL, becomes `text`."""
_SAID_BY_POSTGRES = {"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz"}
_SET_UP = f"""
create schema if not exists {SCHEMA};
create schema if not exists {_STATE};
create table if not exists {_STATE}.publication (
    published_at timestamp not null, account text not null, version text not null
);
create table if not exists {_STATE}.copied_table (
    table_name text primary key, signature text not null
);
create table if not exists {_STATE}.copied_part (
    table_name text not null, part text not null, digest text not null, row_count bigint not null,
    primary key (table_name, part)
);
comment on schema {_STATE} is 'What sms_etl has copied into schema {SCHEMA}: kept by it, not to be changed.';
"""
_HAS_STATE = f"select to_regclass('{_STATE}.publication') is not null"
_FOUND_COLUMNS = """
select attributes.attname as name, format_type(attributes.atttypid, attributes.atttypmod) as type
from pg_attribute as attributes
where attributes.attrelid = to_regclass($1) and attributes.attnum > 0 and not attributes.attisdropped
"""
_SHOWN_CLASSES = {"08", "28", "3D", "42", "53", "55", "57"}
"""SQLSTATEs whose text names users, databases and relations, and quotes no value of a row."""


@dataclass(frozen=True)
class PostgresCopy:
    """The copy in a database."""

    target: str
    """Host, port and database; never a user or a password."""
    parts: int
    written: int
    """Those that were not as they should be."""
    rows: int
    """That were loaded."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"target": self.target, "parts": self.parts, "written": self.written, "rows": self.rows}


def target_of(url: str) -> str:
    """Return where a URL leads: host, port and database, without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["the default socket"])[0]
    return printable(f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}")


def copy_to_postgres(url: str, marts: PublishedMarts) -> PostgresCopy | None:
    """Bring the copy in a database up to date with the published one.

    Args:
        url: `postgresql://user:password@host:port/database`.
        marts: The published copy.

    Returns:
        What was done; None if the database has this publication already.

    Raises:
        CopyFailed: It cannot be reached, refuses, or is not ours to change. It stays as it was.
    """
    driver = _driver()
    try:
        return asyncio.run(_copy(driver, url, marts))
    except (driver.PostgresError, driver.InterfaceError) as exc:
        raise _refused(url, exc) from None  # its cause might quote a row
    except TimeoutError as exc:
        raise CopyFailed(f"PostgreSQL at {target_of(url)} did not answer in time.", hint=_TRY_AGAIN) from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else None
        raise CopyFailed(
            f"PostgreSQL at {target_of(url)} cannot be reached ({why or type(exc).__name__}).",
            hint=_TRY_AGAIN,
        ) from None  # its text may have the whole address in it
    except duckdb.Error as exc:
        raise CopyFailed(
            f"The published copy cannot be read ({type(exc).__name__}).", hint="Run `sms-etl publish`."
        ) from exc


_TRY_AGAIN = (
    "The database keeps what it had. The next sync tries again, and so does `sms-etl publish`; "
    "SMS_ETL_PUBLISH_TO says where to."
)


def _driver() -> Any:  # noqa: ANN401 - a module
    try:
        import asyncpg  # noqa: PLC0415 - an extra
    except ImportError:
        raise CopyFailed(
            "SMS_ETL_PUBLISH_TO is set, and the package that speaks to PostgreSQL is not installed.",
            hint="Install sms_etl with its extra `postgres`, or the package asyncpg beside it; or unset "
            "SMS_ETL_PUBLISH_TO.",
        ) from None
    return asyncpg


async def _copy(driver: Any, url: str, marts: PublishedMarts) -> PostgresCopy | None:  # noqa: ANN401 - a module
    connection = await driver.connect(
        url,
        timeout=_CONNECT_SECONDS,
        command_timeout=_PART_SECONDS,
        statement_cache_size=0,  # a pool between us and the server may know no prepared statements
        server_settings={"application_name": "sms_etl", "DateStyle": "ISO"},
    )
    try:
        if await _has(connection, marts):
            return None
        async with connection.transaction():
            return await _replace(connection, url, marts)
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


async def _has(connection: "asyncpg.Connection", marts: PublishedMarts) -> bool:
    """Return whether the database has this publication."""
    if not await connection.fetchval(_HAS_STATE):
        return False
    found = await connection.fetch(f"select published_at, account, version from {_STATE}.publication")
    return [tuple(row) for row in found] == [(marts.published_at, marts.account, __version__)]


async def _replace(connection: "asyncpg.Connection", url: str, marts: PublishedMarts) -> PostgresCopy:
    await connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
    await connection.execute(f"select pg_advisory_xact_lock({_LOCK_KEY})")
    await connection.execute(_SET_UP)
    await _refuse_another_account(connection, url, marts)
    copied = dict(await connection.fetch(f"select table_name, signature from {_STATE}.copied_table"))
    for name in sorted(copied.keys() - {table.name for table in marts.tables}):
        await connection.execute(f"drop table if exists {SCHEMA}.{quoted(name)}")
        await _forget(connection, name)
    parts = written = rows = 0
    for table in marts.tables:
        if copied.get(table.name) != table.signature:
            await _make_table(connection, url, table, is_ours=table.name in copied)
        elif not await connection.fetchval("select to_regclass($1) is not null", _target(table)):
            await _make_table(connection, url, table, is_ours=True)  # somebody dropped it
        changed, count = await _replace_parts(connection, marts, table)
        parts, written, rows = parts + count, written + len(changed), rows + sum(p.rows for p in changed)
    await connection.execute(f"delete from {_STATE}.publication")
    await connection.execute(
        f"insert into {_STATE}.publication values ($1, $2, $3)",
        marts.published_at,
        marts.account,
        __version__,
    )
    return PostgresCopy(target_of(url), parts, written, rows)


async def _refuse_another_account(connection: "asyncpg.Connection", url: str, marts: PublishedMarts) -> None:
    found = await connection.fetchval(f"select account from {_STATE}.publication limit 1")
    if found and found != marts.account:
        raise CopyFailed(
            f"The database at {target_of(url)} has the copy of another account.",
            hint="Name a database for each account in SMS_ETL_PUBLISH_TO; or, if the other copy is not "
            f"needed any more, drop its schemas {SCHEMA} and {_STATE}.",
        )


async def _make_table(
    connection: "asyncpg.Connection", url: str, table: CopiedTable, *, is_ours: bool
) -> None:
    """Make a table as it should be; one that is there loses its rows, and changes by column."""
    target = _target(table)
    found = dict(await connection.fetch(_FOUND_COLUMNS, target))
    if found and not is_ours:
        raise CopyFailed(
            f"The database at {target_of(url)} has a {target} that sms_etl has not made.",
            hint="Name another database in SMS_ETL_PUBLISH_TO, or rename it there.",
        )
    wanted = {column.name: type_of(column.type) for column in table.columns}
    if not found:
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in wanted.items())
        await connection.execute(f"create table {target} ({columns})")
        if table.is_by_month:
            await connection.execute(f"create index on {target} (business_day)")
    else:
        await connection.execute(f"delete from {target}")
        # Only what differs: a view of somebody's that reads another column goes on working.
        gone = [name for name, kind in found.items() if wanted.get(name) != _plain(kind)]
        new = [name for name, kind in wanted.items() if name not in found or name in gone]
        for name in gone:
            await connection.execute(f"alter table {target} drop column {quoted(name)}")
        for name in new:
            await connection.execute(f"alter table {target} add column {quoted(name)} {wanted[name]}")
    await connection.execute(_comments(table))
    await _forget(connection, table.name)
    await connection.execute(
        f"insert into {_STATE}.copied_table values ($1, $2)", table.name, table.signature
    )


def type_of(duckdb_type: str) -> str:
    """Return the type of PostgreSQL for one of DuckDB."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", duckdb_type)
    return f"numeric({decimal[1]},{decimal[2]})" if decimal else _TYPES.get(duckdb_type, "text")


def _plain(kind: str) -> str:
    """Return a type as `type_of` says it, from how PostgreSQL says it."""
    return _SAID_BY_POSTGRES.get(kind, kind)


def _comments(table: CopiedTable) -> str:
    target = _target(table)
    said = [f"comment on table {target} is {_literal(table.comment)}"]
    said += [f"comment on column {target}.{c.quoted} is {_literal(c.comment)}" for c in table.columns]
    return "; ".join(said)


async def _forget(connection: "asyncpg.Connection", name: str) -> None:
    await connection.execute(f"delete from {_STATE}.copied_part where table_name = $1", name)
    await connection.execute(f"delete from {_STATE}.copied_table where table_name = $1", name)


async def _replace_parts(
    connection: "asyncpg.Connection", marts: PublishedMarts, table: CopiedTable
) -> tuple[list[Part], int]:
    """Delete and load the parts that are not as they should be; return those, and how many there are."""
    known = dict(
        await connection.fetch(
            f"select part, digest from {_STATE}.copied_part where table_name = $1", table.name
        )
    )
    parts = marts.parts(table)
    for label in sorted(known.keys() - {part.label for part in parts}):
        await _delete(connection, table, label)
    changed = [part for part in parts if known.get(part.label) != part.digest]
    for part in changed:
        if part.label in known:
            await _delete(connection, table, part.label)
        await connection.copy_to_table(
            table.name,
            schema_name=SCHEMA,
            columns=[column.name for column in table.columns],
            source=_as_csv(marts.connection, part),
            format="csv",
            timeout=_PART_SECONDS,
        )
        await connection.execute(
            f"insert into {_STATE}.copied_part values ($1, $2, $3, $4)",
            *(table.name, part.label, part.digest, part.rows),
        )
    return changed, len(parts)


async def _delete(connection: "asyncpg.Connection", table: CopiedTable, label: str) -> None:
    """Delete the rows of a part, by its label."""
    condition = Part.of_label(table, label).condition
    await connection.execute(f"delete from {_target(table)} where {condition}")
    await connection.execute(
        f"delete from {_STATE}.copied_part where table_name = $1 and part = $2", table.name, label
    )


async def _as_csv(connection: duckdb.DuckDBPyConnection, part: Part) -> AsyncIterator[bytes]:
    """Yield the rows of a part as CSV: all that is not null is quoted.

    DuckDB makes text of each value, exactly. PostgreSQL's text cannot hold the character 0: it is left out.
    """
    columns = ", ".join(
        f"replace(cast({column.quoted} as varchar), chr(0), '') as {column.quoted}"
        for column in part.table.columns
    )
    reader = connection.sql(
        f"select {columns} from {part.table.source} where {part.condition}"
    ).to_arrow_reader(_BATCH)
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    for batch in reader:
        written = io.BytesIO()
        csv.write_csv(pa.Table.from_batches([batch]), written, options)
        yield written.getvalue()


def _refused(url: str, exc: Exception) -> CopyFailed:
    state = getattr(exc, "sqlstate", None) or ""
    said = str(exc).splitlines()[0] if state[:2] in _SHOWN_CLASSES and str(exc) else ""
    why = printable(said) or f"{type(exc).__name__}{f', SQLSTATE {state}' if state else ''}"
    hint = _TRY_AGAIN
    if state == "2BP01":  # dependent objects
        why = "a view or another object there reads a column that is no longer as it was"
        hint = "Drop it, run `sms-etl publish`, and make it again. The database keeps what it had."
    return CopyFailed(f"PostgreSQL at {target_of(url)} refused the copy: {why}.", hint=hint)


def _target(table: CopiedTable) -> str:
    return f"{SCHEMA}.{quoted(table.name)}"


def _literal(text: str) -> str:
    if "\\" in text:
        return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"
