"""A calendar of its own for programs, moved by hand: see clock.c."""

import shutil
import struct
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("clock.c")


class MovedClock:
    """The calendar of every program that is started with `environment`.

    Args:
        directory: Where its files go.
        start: Its moment now.
    """

    def __init__(self, directory: Path, start: datetime) -> None:
        self._file, library = directory / "clock", directory / "clock.so"
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("a C compiler makes the library that moves the clock (Debian's package is gcc)")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "REHEARSAL_CLOCK": str(self._file)}
        self.move_to(start)

    def now(self) -> datetime:
        """Return its moment, which goes on with the real time."""
        return datetime.now(tz=UTC) + timedelta(seconds=self._moved_by())

    def move_to(self, moment: datetime) -> None:
        """Let it be this moment now."""
        seconds = round(moment.timestamp() - time.time())
        with self._file.open("r+b") as file:  # in place: programs have it mapped
            file.write(struct.pack("=q", seconds))

    def _moved_by(self) -> int:
        (seconds,) = struct.unpack("=q", self._file.read_bytes())
        return int(seconds)
