"""Landed files: one a window, immutable, and what each says of itself; land.py writes and load.py loads them.

What is landed is never asked for again; after a kill the next run loads it before it plans anything.
"""

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
from sms_etl.pii import Pii
from sms_etl.providers.lox24.records import Fields
from sms_etl.sync.plan import Purpose

if TYPE_CHECKING:
    from sms_etl.sync.streams import Stream

METADATA_KEY = b"sms_etl"
ASIDE = ".tmp"


Kind = Literal["text", "integer", "boolean", "instant", "money"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the landed files of a stream hold; the process that writes them is spared the tables."""

    stream: str
    columns: tuple[tuple[str, Kind], ...]
    read: Callable[[msgspec.Raw, Pii], Fields]
    """Reads one row."""
    cursor: str = "created_at"
    """The time that windows are cut by."""


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
    facts: WindowFacts


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that is whole but not in its place yet: until it is, nothing is landed."""

    path: Path
    landed: Landed
    """What it becomes."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why rows of it are bad, and how many."""

    def discard(self) -> None:
        """Remove it: the window is to be read again."""
        self.path.unlink(missing_ok=True)

    def put_in_place(self) -> Landed:
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
    """Give a window its name."""
    return uuid4()


def landed_files(folder: Path, stream: "Stream", *, but_not: Set[str]) -> list[Landed]:
    """Give the landed files of a stream, oldest first, without those of the given names."""
    paths = sorted((folder / stream.name).glob("*.parquet"))
    return [Landed(path, _facts_of(path)) for path in paths if path.name not in but_not]


def remove_unfinished(folder: Path) -> None:
    """Remove what runs that were killed left aside; no other sync may be at work."""
    for aside in folder.glob(f"*/*{ASIDE}"):
        aside.unlink(missing_ok=True)


def _facts_of(path: Path) -> WindowFacts:
    import pyarrow.parquet as pq  # noqa: PLC0415 - 50 MB, wanted only after a run that was killed

    return msgspec.json.decode(pq.read_schema(path).metadata[METADATA_KEY], type=WindowFacts)


def not_written(path: Path, exc: OSError) -> DataDirError:
    """Give the error for a landing file."""
    return unusable(path, exc, "The landing file {path} cannot be written")
