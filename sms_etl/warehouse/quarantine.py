"""Shows what waits in quarantine, and closes rows that will never be right.

What is shown of a row is what tells it apart and its price: never a number, a text or anything it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sms_etl.clock import as_utc
from sms_etl.errors import NotInQuarantine
from sms_etl.warehouse.read import has_relation

if TYPE_CHECKING:
    import duckdb

OPEN = "replayed_at is null and accepted_at is null"
"""A condition on `ops.quarantine`: the row waits for somebody."""

ROW, FILE = "row", "file"
"""What waits: a row of the provider, or a landed file as a whole."""

_SHOWN = """
    quarantine_id,
    kind,
    stream,
    reason,
    landed,
    since_at,
    until_at,
    cast(try_cast(uuid as uuid) as varchar) as uuid,
    created_at,
    price,
    currency,
    quarantined_at,
    replayed_at,
    accepted_at,
    accepted_reason
"""


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that could not be loaded, or a landed file; times are UTC."""

    quarantine_id: UUID
    kind: str
    """`row` or `file`."""
    stream: str
    reason: str
    landed: str | None
    """Of a file: its name below the stream's landing folder."""
    since_at: datetime | None
    """Of a file: the first second it holds; None if that is not known."""
    until_at: datetime | None
    uuid: str | None
    """None if it is not readable."""
    created_at: datetime | None
    """None if it is not readable."""
    price: str | None
    """As the provider wrote it; None if it is nothing like an amount."""
    currency: str | None
    quarantined_at: datetime
    replayed_at: datetime | None
    accepted_at: datetime | None
    accepted_reason: str | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody."""
        return self.replayed_at is None and self.accepted_at is None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO 8601 with their offset."""
        return {name: _plain(value) for name, value in vars(self).items()}


def count_open(connection: "duckdb.DuckDBPyConnection") -> int:
    """Count the rows that wait for somebody."""
    [(count,)] = connection.execute(f"select count(*) from {_of(connection)} where {OPEN}").fetchall()  # noqa: S608 - a constant
    return int(count)


def count_open_files(connection: "duckdb.DuckDBPyConnection") -> int:
    """Count the landed files among them."""
    [(count,)] = connection.execute(
        f"select count(*) from {_of(connection)} where {OPEN} and kind = '{FILE}'"  # noqa: S608 - constants
    ).fetchall()
    return int(count)


def _of(connection: "duckdb.DuckDBPyConnection") -> str:
    """Return what to read: a published copy may have the mart alone, which is the same without `raw`."""
    return "ops.quarantine" if has_relation(connection, "ops", "quarantine") else "marts.quarantined_rows"


def quarantined_rows(
    connection: "duckdb.DuckDBPyConnection", *, is_open_only: bool = True
) -> list[QuarantinedRow]:
    """Return the rows that wait for somebody, or all there ever were, oldest first."""
    where = OPEN if is_open_only else "true"
    rows = connection.execute(
        f"""
        select {_SHOWN} from {_of(connection)} where {where}
        order by quarantined_at, created_at, quarantine_id
        """  # noqa: S608 - constants
    ).fetchall()
    return [QuarantinedRow(*row) for row in rows]


def accept(
    connection: "duckdb.DuckDBPyConnection",
    ids: Sequence[str],
    *,
    reason: str,
    now: datetime,
    is_with_alike: bool = False,
) -> list[QuarantinedRow]:
    """Close open rows that will never be right, for a reason that is kept and reported; return them.

    Args:
        connection: To the warehouse, in a transaction.
        ids: Of rows, or how each begins if that tells it from all others.
        reason: Why, in a sentence.
        now: Stamps them.
        is_with_alike: Close also what is bad for the same reason in the same stream.

    Raises:
        NotInQuarantine: No open row has an id, or several have; none is closed then.
    """
    waiting = quarantined_rows(connection)
    named = [_named(id_, waiting) for id_ in ids]
    kinds = {(row.stream, row.reason) for row in named}
    chosen = [row for row in waiting if row in named or (is_with_alike and (row.stream, row.reason) in kinds)]
    connection.execute(
        """
        update ops.quarantine set accepted_at = $now, accepted_reason = $reason
        where list_contains($ids, quarantine_id)
        """,
        {"now": as_utc(now), "reason": reason, "ids": [row.quarantine_id for row in chosen]},
    ).fetchall()
    return chosen


def _named(id_: str, rows: Sequence[QuarantinedRow]) -> QuarantinedRow:
    wanted = id_.strip().lower()
    found = [row for row in rows if wanted and str(row.quarantine_id).startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotInQuarantine(
            f"{len(found)} rows begin with {id_}.", hint="Give more of the id. Nothing was changed."
        )
    raise NotInQuarantine(
        f"No open row in quarantine has the id {id_!r}.",
        hint="`sms-etl quarantine list` shows those that are open, `--all` also those that are closed. "
        "Nothing was changed.",
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat()}+00:00"
    return str(value) if isinstance(value, UUID) else value
