"""Landed files that are loaded together, and the rows in them."""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sms_etl.sync.landing.files import Landed, WindowManifest
from sms_etl.sync.plan import Purpose
from sms_etl.sync.streams import Stream
from sms_etl.warehouse.store import Transaction

_VIEW = "batch"


@dataclass(frozen=True, slots=True)
class Batch:
    """The good rows of some landed files, one a uuid; times are UTC."""

    view: str
    """Shows them. Not a table, which would take as much memory as the load: most columns are read once."""
    stream: Stream
    files: Sequence[Landed]
    """Oldest first, all of one purpose and currency."""
    rows: int
    earliest: datetime | None
    """By `created_at`; None without rows."""
    latest: datetime | None
    reached: datetime | None
    """The latest by the stream's own time."""
    is_in_order: bool
    """Whether the files follow each other in time, as those of a span do."""

    @property
    def manifest(self) -> WindowManifest:
        """What all of its files say alike: purpose, currency, whether they move the watermark."""
        return self.files[0].manifest

    @property
    def table(self) -> str:
        """The table it is loaded into."""
        return f"raw.{self.stream.table.name}"


async def batches(landed: AsyncIterator[Landed], *, most_rows: int) -> AsyncIterator[list[Landed]]:
    """Group landed files into what can be loaded together: observed alike, and of about so many rows.

    An error of the source comes after the files before it: what is landed is to be loaded.
    """
    batch: list[Landed] = []
    error: Exception | None = None
    try:
        async for file in landed:
            if batch and (_kind(file) != _kind(batch[0]) or _rows(batch) + file.manifest.rows > most_rows):
                yield batch
                batch = []
            batch.append(file)
    except Exception as exc:  # noqa: BLE001 - it is raised below
        error = exc
    if batch:
        yield batch
    if error is not None:
        raise error


def _rows(files: Sequence[Landed]) -> int:
    return sum(file.manifest.rows for file in files)


def _kind(landed: Landed) -> tuple[Purpose, str, str, bool, bool]:
    said = landed.manifest
    return said.why_read, said.observed_by, said.currency, said.advances_watermark, said.is_pruned


def show_batch(transaction: Transaction, stream: Stream, files: Sequence[Landed], *, is_late: bool) -> Batch:
    """Return the rows of some landed files; of files that are late, without the rows that were seen since."""
    columns = ", ".join(
        f"cast(landed.{column.name} as {column.type.compile(transaction.sql.dialect)}) as {column.name}"
        for column in stream.provider_columns
    )
    paths = ", ".join(_quoted(str(file.path)) for file in files)
    good = f"""
        select {columns}, landed.seen_at from read_parquet([{paths}]) as landed
        where landed.bad_reason is null and not landed.is_gone
        """
    if is_late:
        good += f"""
            and not exists (
                select 1 from raw.{stream.table.name} as stored
                where stored.uuid = cast(landed.uuid as uuid) and stored.last_seen_at > landed.seen_at
            )
            """
    transaction.run(f"create or replace temp view {_VIEW} as {good}")
    extent = f"count(*), count(distinct uuid), min(created_at), max(created_at), max({stream.cursor})"
    count, uuids, earliest, latest, reached = transaction.row(f"select {extent} from {_VIEW}")
    if uuids < count or is_late:  # files of a run before this one: the later observation counts
        transaction.run(
            f"""
            create or replace temp table newest as {good} qualify row_number() over (
                partition by landed.uuid order by landed.file_index desc, landed.file_row_number desc
            ) = 1
            """
        )
        transaction.run(f"create or replace temp view {_VIEW} as select * from newest")
    spans = [file.manifest for file in files]
    follows = (
        earlier.until is not None and later.since is not None and earlier.until < later.since
        for earlier, later in pairwise(spans)
    )
    is_in_order = spans[0].since is not None and all(follows)
    return Batch(_VIEW, stream, files, uuids, earliest, latest, reached, is_in_order)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
