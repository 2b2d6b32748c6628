"""Writes one immutable Parquet file a window, under the PII policy; the file alone is enough to load it.

Written aside, synced and renamed: a file that is there is whole. What is landed is never asked for again;
after a kill the next run loads it before it plans anything.
"""

import os
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Boolean, DateTime, Double, Integer, Numeric
from sqlalchemy.types import TypeEngine

from sms_etl.errors import DataDirError
from sms_etl.pii import Pii
from sms_etl.providers.lox24.records import BadRow, Fields, read_sms
from sms_etl.sync.columns import ReadRows, read_messages, read_rows
from sms_etl.sync.streams import Stream
from sms_etl.warehouse.store import make_directory

_METADATA_KEY = b"sms_etl"


class WindowFacts(msgspec.Struct, frozen=True):
    """What a landed file says of itself, beside its rows."""

    window_id: UUID
    run_id: UUID
    stream: str
    observed_by: str
    since: int | None
    """First second of the window, unix; None if the rows were asked for by uuid."""
    until: int | None
    """Last second of the window, inclusive."""
    advances_watermark: bool
    """False for backfills and for what was asked for by uuid."""
    currency: str
    fetched_at: datetime
    pages: int
    attempts: int
    rows: int = 0
    rows_bad: int = 0


@dataclass(frozen=True, slots=True)
class Landed:
    """A landed file."""

    path: Path
    facts: WindowFacts


def new_window_id() -> UUID:
    """Give a window its name."""
    return uuid4()


def land(
    folder: Path,
    stream: Stream,
    facts: WindowFacts,
    rows: Iterable[msgspec.Raw],
    gone: Sequence[str],
    pii: Pii,
) -> Landed:
    """Read the rows of a window and write its file.

    Args:
        folder: The landing folder; the stream has one below it.
        stream: Which table the rows are for.
        facts: What is known of the window; the counts are filled in here.
        rows: The rows as the provider sent them.
        gone: Uuids the provider says are deleted.
        pii: The policy the file is under.

    Raises:
        DataDirError: The file cannot be written.
    """
    read = _read(stream, list(rows), pii)
    facts = msgspec.structs.replace(facts, rows=read.good.num_rows, rows_bad=len(read.bad))
    table = pa.concat_tables([read.good, _outcomes(read.bad, gone, read.good.schema)])
    path = folder / stream.name / f"{facts.fetched_at:%Y%m%dT%H%M%S%f}-{facts.window_id}.parquet"
    metadata = {_METADATA_KEY: msgspec.json.encode(facts)}
    _write(path, table.replace_schema_metadata(metadata))
    return Landed(path, facts)


def landed_files(folder: Path, stream: Stream, *, but_not: Set[str]) -> list[Landed]:
    """Give the landed files of a stream, oldest first, without those of the given names."""
    paths = sorted((folder / stream.name).glob("*.parquet"))
    return [Landed(path, _facts_of(path)) for path in paths if path.name not in but_not]


def _facts_of(path: Path) -> WindowFacts:
    return msgspec.json.decode(pq.read_schema(path).metadata[_METADATA_KEY], type=WindowFacts)


def _read(stream: Stream, rows: Sequence[msgspec.Raw], pii: Pii) -> ReadRows:
    """Read messages, of which there are millions, in columns, and other streams row by row."""
    if stream.read is read_sms:
        return read_messages(rows, pii, landing_schema(stream))
    return read_rows(stream.read, rows, pii, landing_schema(stream))


def landing_schema(stream: Stream) -> pa.Schema:
    """Give the columns of a landed file: the provider's, and what tells a bad or a gone row."""
    columns = [
        pa.field(column.name, _arrow_type(column.type))
        for column in stream.table.columns
        if column.name not in WAREHOUSE_COLUMNS
    ]
    return pa.schema([*columns, *_OUTCOME_COLUMNS])


WAREHOUSE_COLUMNS = frozenset({"currency", "first_seen_at", "last_seen_at", "changed_at", "gone_at"})
"""Columns of `raw.*` that the load fills in."""

_OUTCOME_COLUMNS = (
    pa.field("is_gone", pa.bool_(), nullable=False),
    pa.field("bad_reason", pa.string()),
    pa.field("bad_uuid", pa.string()),
    pa.field("bad_price", pa.string()),
    pa.field("bad_raw", pa.string()),
)


def _arrow_type(column_type: TypeEngine[object]) -> pa.DataType:
    match column_type:
        case Numeric() if not isinstance(column_type, Double):
            return pa.decimal128(18, 6)
        case DateTime():
            return pa.timestamp("us")
        case Boolean():
            return pa.bool_()
        case Integer():
            return pa.int64()
        case _:
            return pa.string()


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
    }


def _write(path: Path, table: pa.Table) -> None:
    make_directory(path.parent)
    aside = path.with_suffix(".tmp")
    try:
        with aside.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as exc:
        aside.unlink(missing_ok=True)
        raise DataDirError(
            f"The landing file {path} cannot be written: {exc.strerror}.",
            hint="Free disk space, or give SMS_ETL_DATA_DIR a folder you may write to.",
        ) from exc
