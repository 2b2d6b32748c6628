"""Which incidents were told, and by which way: a file in the data directory, for this user only."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sms_etl.alerts.incident import Open
from sms_etl.errors import DataDirError
from sms_etl.files import write_private
from sms_etl.settings import Settings

_FILE = "alerts.json"
_ROOM = 4096
"""The file is at least this long, with spaces at its end: on a full disk it can still be written over in
place, and what is wrong is not told anew each minute."""


@dataclass
class Told:
    """Of each open incident, by its key, the ways it was told by."""

    ways: dict[str, set[str]] = field(default_factory=dict)

    def forget_what_is_over(self, now: Open) -> None:
        """Forget incidents that are over, so that the same one is told again when it comes back."""
        is_open = {incident.key for incident in now.incidents}
        for key in [*self.ways]:
            if key.partition("/")[0] in now.sources and key not in is_open:
                del self.ways[key]

    def is_told(self, key: str, way: str) -> bool:
        """Return whether it was told by this way."""
        return way in self.ways.get(key, ())

    def note(self, key: str, way: str) -> None:
        """Note that it was."""
        self.ways.setdefault(key, set()).add(way)


def read_told(settings: Settings) -> Told:
    """Read what was told; what cannot be read was not: to tell twice is better than never."""
    with suppress(OSError, ValueError):
        found = json.loads(_path(settings).read_text())
        if isinstance(found, Mapping):
            return Told(
                {str(key): set(map(str, ways)) for key, ways in found.items() if isinstance(ways, list)}
            )
    return Told()


def write_told(settings: Settings, told: Told) -> None:
    """Keep what was told.

    Raises:
        DataDirError: The data directory cannot be written.
    """
    ways = {key: sorted(ways) for key, ways in sorted(told.ways.items())}
    content = json.dumps(ways, indent=1).encode().ljust(_ROOM)
    try:
        write_private(_path(settings), content)
    except DataDirError:
        if not _is_written_over(_path(settings), content):
            raise


def _is_written_over(path: Path, content: bytes) -> bool:
    """Write in place, which takes no more room than there is; return whether that could be done."""
    try:
        with path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size < len(content):
                return False
            file.write(content)
            file.truncate()
    except OSError:
        return False
    return True


def _path(settings: Settings) -> Path:
    return settings.data_dir / _FILE
