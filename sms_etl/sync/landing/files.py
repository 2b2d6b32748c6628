"""Landed files: one a window, immutable, each with a manifest. writer.py writes, loading/load.py loads them.

What is landed is never asked for again; after a kill the next run loads it before it plans anything. A file
that cannot be read is told apart here (`find_landed`): loading/unloadable.py quarantines it.
"""

import re
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

import msgspec

from sms_etl.errors import DataDirError
from sms_etl.files import unusable
from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.codes import is_currency
from sms_etl.providers.lox24.records import Fields
from sms_etl.sync.plan import Purpose, Span

if TYPE_CHECKING:
    import pyarrow as pa

    from sms_etl.sync.streams import Stream

METADATA_KEY = b"sms_etl"
STAGED_SUFFIX = ".tmp"
_LAST_SECOND = 253_402_300_799  # of the year 9999
_NAME = re.compile(r"\d{8}T\d{12}-(?:(?P<since>\d+)_(?P<until>\d+)-|uuids-)?[0-9a-f-]{36}\.parquet")


Kind = Literal["text", "integer", "boolean", "instant", "money"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the landed files of a stream hold; the writer process need not import the tables."""

    stream: str
    columns: tuple[tuple[str, Kind], ...]
    read: Callable[[msgspec.Raw, Pii], Fields]
    """Reads one row."""
    cursor: str = "created_at"
    """The time that windows are cut by."""


class WindowManifest(msgspec.Struct, frozen=True):
    """The metadata of a landed file: which window it holds, and how that was read."""

    window_id: UUID
    run_id: UUID
    stream: str
    observed_by: str
    since: int | None
    """First second of the window, unix; None if the rows were requested by uuid."""
    until: int | None
    """Last second of the window, inclusive."""
    advances_watermark: bool
    """False for backfills behind the watermark and for rows requested by uuid."""
    currency: str
    fetched_at: datetime
    pages: int
    attempts: int
    rows: int = 0
    rows_bad: int = 0
    purpose: Purpose | None = None
    """None in files of versions that did not write it; see `why_read`."""
    is_pruned: bool = False
    """Whether the gone rows are all that was stored in a span in which the provider has nothing any more."""
    prices_rounded: int = 0
    """Prices with binary noise, taken as the amount with six decimals beside them."""

    @property
    def why_read(self) -> Purpose:
        """The purpose; where an older version left it out, one that does not teach too much lateness."""
        if self.purpose is not None:
            return self.purpose
        if self.observed_by != "poll":
            return Purpose(self.observed_by)
        return Purpose.REPLAY if self.since is None else Purpose.BACKFILL


@dataclass(frozen=True, slots=True)
class Landed:
    """A landed file."""

    path: Path
    manifest: WindowManifest

    def without_watermark(self) -> "Landed":
        """Return it as one whose rows do not move the watermark."""
        return Landed(self.path, msgspec.structs.replace(self.manifest, advances_watermark=False))


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is whole but not in its place yet: until it is, nothing is landed."""

    path: Path
    landed: Landed
    """What it becomes."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why rows of it are bad, and how many."""

    def discard(self) -> None:
        """Remove it: the window is to be read again."""
        self.path.unlink(missing_ok=True)

    def commit(self) -> Landed:
        """Rename it.

        Raises:
            DataDirError: It cannot be renamed.
        """
        try:
            self.path.replace(self.landed.path)
        except OSError as exc:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            raise not_written(self.landed.path, exc) from exc
        return self.landed


def new_window_id() -> UUID:
    """Return a window its name."""
    return uuid4()


def name_of(manifest: WindowManifest) -> str:
    """Return a file's name: when and which span was read, in case its metadata becomes unreadable."""
    what = "uuids" if manifest.since is None else f"{manifest.since:010d}_{manifest.until:010d}"
    return f"{manifest.fetched_at:%Y%m%dT%H%M%S%f}-{what}-{manifest.window_id}.parquet"


def span_of(name: str) -> Span | None:
    """Return the span in a file's name; None if there is none."""
    told = _NAME.fullmatch(name)
    if told is None or told["since"] is None:
        return None
    since, until = int(told["since"]), int(told["until"])
    return Span(since, until) if since <= until <= _LAST_SECOND else None


class UnreadableFileError(ValueError):
    """Why a landed file cannot be loaded; the text holds nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that has a landed file's place and is none, or is none any more."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """What lies in the landing folder of a stream, oldest first."""

    whole: list[Landed]
    unreadable: list[Unreadable]


def find_landed(folder: Path, stream: "Stream", *, but_not: Set[str]) -> FoundFiles:
    """Return the landed files of a stream, without those of the given names.

    Where the span of an unreadable one is not known, those behind it do not move the watermark: the next
    window that is read going forward begins before it.
    """
    found = FoundFiles([], [])
    is_gap = False
    for path in sorted((folder / stream.name).glob("*.parquet")):
        if path.name in but_not:
            continue
        try:
            landed = read_landed(path, stream)
        except UnreadableFileError as exc:
            found.unreadable.append(Unreadable(path, str(exc)))
            is_gap |= span_of(path.name) is None
        else:
            found.whole.append(landed.without_watermark() if is_gap else landed)
    return found


def read_landed(path: Path, stream: "Stream") -> Landed:
    """Read a landed file to its end, and return its manifest.

    Raises:
        UnreadableFileError: It is damaged, foreign, or no file.
    """
    import pyarrow as pa  # noqa: PLC0415 - 50 MB, wanted only after a run that was killed
    import pyarrow.parquet as pq  # noqa: PLC0415 - a part of pyarrow

    if path.is_symlink() or not path.is_file():
        raise UnreadableFileError("A landed file is a link, a folder or another thing that is no file")
    if _NAME.fullmatch(path.name) is None:
        raise UnreadableFileError("A file in the landing folder has no landed file's name")
    try:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            manifest = _manifest_of(parquet.schema_arrow, stream)
            for _ in parquet.iter_batches():  # decompresses it all
                pass
    except PermissionError as exc:
        raise UnreadableFileError("A landed file may not be read: permission denied") from exc
    except (OSError, pa.ArrowException) as exc:
        raise UnreadableFileError("A landed file is damaged, empty or no Parquet file") from exc
    return Landed(path, manifest)


def _manifest_of(schema: "pa.Schema", stream: "Stream") -> WindowManifest:
    from sms_etl.sync.landing.writer import OPTIONAL_COLUMNS, SEEN_AT, landing_schema  # noqa: PLC0415 - imports pyarrow

    for column in (*landing_schema(stream.layout), SEEN_AT):
        place = schema.get_field_index(column.name)
        if place < 0 and column.name not in OPTIONAL_COLUMNS:
            raise UnreadableFileError(f"A landed file lacks the column {column.name}")
        if place >= 0 and schema.field(place).type != column.type:
            raise UnreadableFileError(f"A landed file has another type in the column {column.name}")
    try:
        manifest = msgspec.json.decode((schema.metadata or {})[METADATA_KEY], type=WindowManifest)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UnreadableFileError("A landed file does not say which window it holds") from exc
    if manifest.stream != stream.name:
        raise UnreadableFileError("A landed file lies in the folder of another stream")
    if not is_currency(manifest.currency):
        raise UnreadableFileError("A landed file names no currency")
    if not _is_span(manifest.since, manifest.until):
        raise UnreadableFileError("A landed file says a span of time that is none")
    return manifest


def _is_span(since: int | None, until: int | None) -> bool:
    if since is None or until is None:
        return since is until
    return 0 <= since <= until <= _LAST_SECOND


def remove_unfinished(folder: Path) -> None:
    """Remove what runs that were killed left aside; no other sync may be at work."""
    for aside in folder.glob(f"*/*{STAGED_SUFFIX}"):
        if not aside.is_dir():
            aside.unlink(missing_ok=True)


def not_written(path: Path, exc: OSError) -> DataDirError:
    """Return the error for a landing file."""
    return unusable(path, exc, "The landing file {path} cannot be written")
