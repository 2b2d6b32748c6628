"""Sets aside rows that are right in themselves but not where they stand. Pure.

A stranger lies outside the time its window was read for, or was asked for by uuid and claims to be of a far
future. A copy has the uuid of another row of its window. A window without either is found out by a glance at
two columns; only one with them is read again, row by row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sms_etl.clock import as_utc, from_unix
from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.records import BadRowError, Fields
from sms_etl.sync.landing.files import Layout, WindowManifest
from sms_etl.sync.landing.rows import ReadRows, read_rows

_FAR = timedelta(days=366)
"""Rows requested by uuid may be of any time, but (a wrong clock aside) not of the future."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Which times the rows of a window may have, both ends included."""

    cursor: str
    earliest: datetime | None
    latest: datetime
    reason: str

    @classmethod
    def of(cls, layout: Layout, manifest: WindowManifest) -> "_Bounds":
        if manifest.since is None or manifest.until is None:
            latest = as_utc(manifest.fetched_at) + _FAR
            return cls("created_at", None, latest, "In the far future - at `$.created_at`")
        reason = f"Outside the time that was asked for - at `$.{layout.cursor}`"
        return cls(layout.cursor, from_unix(manifest.since), from_unix(manifest.until), reason)

    def hold(self, moment: object) -> bool:
        if not isinstance(moment, datetime):
            return True
        return (self.earliest is None or self.earliest <= moment) and moment <= self.latest


def without_misplaced(
    read: ReadRows, rows: bytes, layout: Layout, manifest: WindowManifest, pii: Pii, schema: pa.Schema
) -> ReadRows:
    """Return what was read of a window, with strangers and copies among the bad rows.

    Args:
        read: All rows of the window.
        rows: The same as the provider sent them, a JSON array.
        layout: Of the stream's files.
        manifest: Of the window.
        pii: The policy the table is under.
        schema: Of the table.
    """
    bounds = _Bounds.of(layout, manifest)
    if _is_in_place(read.good, bounds):
        return read
    seen: set[object] = set()

    def read_in_place(raw: msgspec.Raw, pii: Pii) -> Fields:
        fields = layout.read(raw, pii)
        if not bounds.hold(fields[bounds.cursor]):
            raise BadRowError(bounds.reason)
        if fields["uuid"] in seen:
            raise BadRowError("Another row of the same listing has the same value - at `$.uuid`")
        seen.add(fields["uuid"])
        return fields

    return read_rows(read_in_place, rows, pii, schema)


def _is_in_place(good: pa.Table, bounds: _Bounds) -> bool:
    if not good.num_rows:
        return True
    if pc.count_distinct(good["uuid"]).as_py() < good.num_rows:
        return False
    extent = pc.min_max(good[bounds.cursor]).as_py()
    return bounds.hold(extent["min"]) and bounds.hold(extent["max"])
