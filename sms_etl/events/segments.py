"""Files that events wait in: written by the webhook, read and removed by a sync.

A segment belongs to who writes it as long as that process holds its lock, which the system takes from a
process that is killed: a file without one is complete. What stands behind the last end of a line is a line
that was being written then. Nobody was told that it is stored, and the provider sends it again.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sms_etl.events.event import KeptEvent, read_line
from sms_etl.files import PRIVATE_FILE, make_durable

SUFFIX = ".jsonl"
MOST_BYTES = 8_000_000
"""Of a segment: about 50,000 events."""
OLDEST_SECONDS = 5.0
"""A segment is closed so long after its first event, so that the next sync finds it."""
MOST_BACKLOG = 1_000_000_000
"""Bytes of all segments, about six million events: more are refused until a sync has applied them."""


class BacklogFullError(OSError):
    """So many events wait for a sync that no more are taken."""


class SegmentWriter:
    """Appends events to a segment, and begins the next one in time. For one thread at a time.

    Args:
        folder: Where segments lie; it must be there.
        most_bytes: Of one segment.
        oldest_seconds: How long one is written to.
        most_backlog: Bytes of all segments together.
        ticks: Seconds of any monotonic clock.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int = MOST_BYTES,
        oldest_seconds: float = OLDEST_SECONDS,
        most_backlog: int = MOST_BACKLOG,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._oldest_seconds = oldest_seconds
        self._most_backlog = most_backlog
        self._ticks = ticks
        self._numbers = count()
        self._descriptor: int | None = None
        self._bytes = 0
        self._began = 0.0

    def append(self, lines: bytes) -> None:
        """Write whole lines; when it returns they are on the disk.

        Raises:
            BacklogFullError: Too many events wait.
            OSError: They could not be written. What was, is at the end of a segment that is closed.
        """
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None  # noqa: S101 - just opened
        try:
            _write_all(self._descriptor, lines)
            os.fdatasync(self._descriptor)
        except OSError:
            self.close()  # half a line may be at its end: nothing may come behind it
            raise
        self._bytes += len(lines)
        if self._bytes >= self._most_bytes:
            self.close()

    def close_if_due(self) -> None:
        """Close a segment that was begun long enough ago."""
        if self._descriptor is not None and self._ticks() - self._began >= self._oldest_seconds:
            self.close()

    def close(self) -> None:
        """Close the segment: a sync may take it. The next event begins another."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)  # and with it the lock

    def _open(self) -> None:
        if backlog(self._folder) >= self._most_backlog:
            raise BacklogFullError
        while self._descriptor is None:
            name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}{SUFFIX}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self._folder / name, flags, PRIVATE_FILE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                is_there = os.fstat(descriptor).st_nlink > 0
                if is_there:
                    make_durable(self._folder)
            except OSError:
                os.close(descriptor)
                raise
            if is_there:
                self._descriptor, self._bytes, self._began = descriptor, 0, self._ticks()
            else:
                os.close(descriptor)  # a sync took the empty file before it was locked


def _write_all(descriptor: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def backlog(folder: Path) -> int:
    """Return how many bytes of events wait in a folder; 0 if there is none."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # a sync has just removed it
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def segments_in(folder: Path) -> list[Path]:
    """Return the segments of a folder, oldest first, those that are still written to included."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink())


@dataclass(frozen=True, slots=True)
class Segment:
    """What a complete segment holds."""

    path: Path
    events: list[KeptEvent]
    damaged: list[int]
    """Numbers of lines that are no event, from 1 on."""
    is_torn: bool
    """Its last line was being written when its writer was killed."""


@contextmanager
def taken(path: Path) -> Iterator[Segment | None]:
    """Read a segment and keep its lock, so that it can be removed; None while it is written to, or gone.

    Raises:
        OSError: It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield _read(path, file.read())


def _read(path: Path, content: bytes) -> Segment:
    *lines, rest = content.split(b"\n")
    events: list[KeptEvent] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, start=1):
        event = read_line(line)
        if event is None:
            damaged.append(number)
        else:
            events.append(event)
    return Segment(path, events, damaged, bool(rest))
