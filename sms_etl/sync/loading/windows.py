"""The log of windows: which landed files were loaded, in `ops.fetch_window`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.landing.files import Landed
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction


def not_loaded(transaction: Transaction, landed: Sequence[Landed]) -> list[Landed]:
    """Return those of some landed files that no run has loaded yet."""
    known = select(tables.fetch_window.c.window_id).where(
        tables.fetch_window.c.window_id.in_([file.manifest.window_id for file in landed])
    )
    loaded = set(transaction.sql.scalars(known))
    return [file for file in landed if file.manifest.window_id not in loaded]


def log_windows(transaction: Transaction, files: Sequence[Landed], now: datetime) -> None:
    """Write a row for each window that was loaded."""
    transaction.sql.execute(insert(tables.fetch_window), [_window_row(file, now) for file in files])


def _window_row(file: Landed, now: datetime) -> dict[str, object]:
    manifest = file.manifest
    return {
        "window_id": manifest.window_id,
        "run_id": manifest.run_id,
        "stream": manifest.stream,
        "observed_by": manifest.observed_by,
        "since_at": None if manifest.since is None else from_unix(manifest.since),
        "until_at": None if manifest.until is None else from_unix(manifest.until),
        "rows": manifest.rows,
        "rows_quarantined": manifest.rows_bad,
        "pages": manifest.pages,
        "attempts": manifest.attempts,
        "landed": file.path.name,
        "fetched_at": as_utc(manifest.fetched_at),
        "loaded_at": as_utc(now),
        "purpose": manifest.why_read.value,
    }
