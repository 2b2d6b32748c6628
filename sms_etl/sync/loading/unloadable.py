"""Quarantines landed files that cannot be loaded, as a whole, so that they block no later file.

A file that is put aside stays where it is and is no longer tried with the others. The next runs load it if
that works by then, or else ask the provider for its span anew; either closes it. What is neither (a foreign
file, of no known span) waits until it is removed, or until somebody accepts it.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc, from_unix, to_unix
from sms_etl.sync.landing.files import span_of
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import STREAMS, Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.quarantine import FILE
from sms_etl.warehouse.store import Transaction

_ROWS = tables.quarantine


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A landed file that waits in quarantine."""

    quarantine_id: UUID
    run_id: UUID
    """The run that quarantined it."""
    stream: Stream
    name: str
    span: Span | None
    """What it holds; None if that is not known, or its rows were asked for by uuid."""


def quarantine_file(
    transaction: Transaction,
    stream: Stream,
    path: Path,
    reason: str,
    *,
    span: Span | None = None,
    run_id: UUID,
    now: datetime,
) -> None:
    """Write that a landed file could not be loaded; it takes the place of older ones of its span.

    Args:
        transaction: To write in.
        stream: The file's.
        path: Where it lies.
        reason: Why; holds nothing of what is in it.
        span: What it holds, if it could be read; else its name may tell.
        run_id: The run that tried.
        now: Stamps it.
    """
    span = span or span_of(path.name)
    for older in quarantined_files(transaction):
        if older.stream is stream and _holds(span, older.span):
            close_file(transaction, older, now)
    transaction.sql.execute(
        insert(_ROWS).values(
            quarantine_id=uuid4(),
            run_id=run_id,
            stream=stream.name,
            quarantined_at=as_utc(now),
            reason=reason,
            kind=FILE,
            landed=path.name,
            since_at=None if span is None else from_unix(span.since),
            until_at=None if span is None else from_unix(span.until),
        )
    )
    mark_stale(transaction)


def names_of_quarantined_files(transaction: Transaction, stream: Stream) -> Set[str]:
    """Return the names of all files of a stream that were ever quarantined, closed ones included."""
    return set(
        transaction.sql.scalars(
            select(_ROWS.c.landed).where(_ROWS.c.kind == FILE, _ROWS.c.stream == stream.name)
        )
    )


def quarantined_files(transaction: Transaction) -> list[QuarantinedFile]:
    """Return the quarantined files that are still open, oldest first."""
    by_name = {stream.name: stream for stream in STREAMS}
    rows = transaction.sql.execute(
        select(
            _ROWS.c.quarantine_id,
            _ROWS.c.run_id,
            _ROWS.c.stream,
            _ROWS.c.landed,
            _ROWS.c.since_at,
            _ROWS.c.until_at,
        )
        .where(_ROWS.c.kind == FILE, _ROWS.c.replayed_at.is_(None), _ROWS.c.accepted_at.is_(None))
        .order_by(_ROWS.c.quarantined_at, _ROWS.c.landed)
    )
    return [
        QuarantinedFile(
            row.quarantine_id,
            row.run_id,
            by_name[row.stream],
            row.landed,
            None if row.since_at is None else Span(to_unix(row.since_at), to_unix(row.until_at)),
        )
        for row in rows
    ]


def close_file(transaction: Transaction, file: QuarantinedFile, now: datetime) -> None:
    """Write that a file was loaded after all, or its span read anew."""
    transaction.sql.execute(
        update(_ROWS).where(_ROWS.c.quarantine_id == file.quarantine_id).values(replayed_at=as_utc(now))
    )
    mark_stale(transaction)


def _holds(span: Span | None, other: Span | None) -> bool:
    return span is not None and other is not None and span.holds(other.since) and span.holds(other.until)
