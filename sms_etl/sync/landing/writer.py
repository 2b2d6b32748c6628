"""Writes one immutable Parquet file a window, under the PII policy; the file alone is enough to load it.

Written aside, synced and renamed: a file that is there is whole. Where the files lie: landing/files.py.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sms_etl.clock import as_utc
from sms_etl.files import make_directory, open_private
from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.bad_rows import BadRow
from sms_etl.providers.lox24.records import Fields, read_sms
from sms_etl.sync.landing.files import (
    METADATA_KEY,
    STAGED_SUFFIX,
    Kind,
    Landed,
    Layout,
    StagedFile,
    WindowManifest,
    name_of,
    not_written,
)
from sms_etl.sync.landing.misplaced import without_misplaced
from sms_etl.sync.landing.rows import ReadRows, read_messages, read_rows


def write_staged(
    folder: Path,
    layout: Layout,
    manifest: WindowManifest,
    rows: bytes,
    gone: Sequence[str],
    pii: Pii,
) -> StagedFile:
    """Read the rows of a window and write its file aside.

    Args:
        folder: The landing folder; the stream has one below it.
        layout: Of the stream's files.
        manifest: What is known of the window; the counts are filled in here.
        rows: A JSON array of the rows as the provider sent them.
        gone: Uuids the provider says are deleted.
        pii: The policy the file is under.

    Raises:
        DataDirError: The file cannot be written.
    """
    read = _read(layout, rows, pii)
    read = without_misplaced(read, rows, layout, manifest, pii, landing_schema(layout))
    manifest = msgspec.structs.replace(
        manifest, rows=read.good.num_rows, rows_bad=len(read.bad), prices_rounded=read.rounded
    )
    table = pa.concat_tables([read.good, _outcomes(read.bad, gone, read.good.schema)])
    table = table.append_column(
        SEEN_AT, pa.repeat(pa.scalar(as_utc(manifest.fetched_at), SEEN_AT.type), len(table))
    )
    path = folder / layout.stream / name_of(manifest)
    metadata = {METADATA_KEY: msgspec.json.encode(manifest)}
    aside = _staged(path, table.replace_schema_metadata(metadata))
    return StagedFile(aside, Landed(path, manifest), Counter(row.reason for row in read.bad))


def _read(layout: Layout, rows: bytes, pii: Pii) -> ReadRows:
    """Read messages, of which there are millions, in columns, and other streams row by row."""
    if layout.read is read_sms:
        return read_messages(rows, pii, landing_schema(layout))
    return read_rows(layout.read, rows, pii, landing_schema(layout))


def landing_schema(layout: Layout) -> pa.Schema:
    """Return the schema of a landed file: the provider's columns, and those of bad and gone rows."""
    columns = [pa.field(name, _TYPES[kind]) for name, kind in layout.columns]
    return pa.schema([*columns, *_OUTCOME_COLUMNS])


_TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("us"),
    "money": pa.decimal128(18, 6),
}
_OUTCOME_COLUMNS = (
    pa.field("is_gone", pa.bool_(), nullable=False),
    pa.field("bad_reason", pa.string()),
    pa.field("bad_uuid", pa.string()),
    pa.field("bad_price", pa.string()),
    pa.field("bad_raw", pa.string()),
    pa.field("bad_created_at", pa.timestamp("us")),
)

OPTIONAL_COLUMNS = frozenset({"bad_created_at"})
"""What files of earlier versions lack."""

SEEN_AT = pa.field("seen_at", pa.timestamp("us"), nullable=False)
"""When the provider showed the row; one value a file, but a column is what the load can read."""


def _outcomes(bad: Sequence[BadRow], gone: Sequence[str], schema: pa.Schema) -> pa.Table:
    rows = [*(_gone_columns(uuid) for uuid in gone), *(_bad_columns(row) for row in bad)]
    return pa.Table.from_pylist(rows, schema=schema) if rows else schema.empty_table()


def _gone_columns(uuid: str) -> Fields:
    return {"uuid": uuid, "is_gone": True}


def _bad_columns(row: BadRow) -> Fields:
    return {
        "is_gone": False,
        "bad_reason": row.reason,
        "bad_uuid": row.uuid,
        "bad_price": row.price,
        "bad_raw": row.raw,
        "bad_created_at": row.created_at,
    }


def _staged(path: Path, table: pa.Table) -> Path:
    make_directory(path.parent)
    aside = path.with_suffix(STAGED_SUFFIX)
    try:
        with open_private(aside) as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise not_written(path, exc) from exc
    return aside
