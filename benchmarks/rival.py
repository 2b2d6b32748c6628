"""dlt, in an environment of its own that is made here; it never enters the project's."""

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ours import CONCURRENCY
from benchmarks.processes import Measured, MeasuredProgramError, Server, measure

WAYS = ("rest_api", "parallel")
"""One page after the other, as dlt's declarative source does; or eight deferred pages at a time."""
_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": str(CONCURRENCY),
    "DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
    # Two normalising workers instead of its one were slower by a third, on two cores.
}
_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "rival-requirements.txt"


@dataclass(frozen=True)
class Dlt:
    """An environment with dlt in it."""

    python: Path

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions of what is pinned."""
        pins = [line for line in _REQUIREMENTS.read_text().splitlines() if "==" in line]
        return dict(pin.replace("[duckdb]", "").split("==") for pin in pins)

    def load(self, way: str, server: Server, rows: int) -> Measured:
        """Let it load all that the server shows; `seconds` are those of its pipeline, its imports excepted.

        Raises:
            MeasuredProgramError: It failed, or has not as many rows as the server.
        """
        with tempfile.TemporaryDirectory() as directory:
            environment = {**_SETTINGS, "DLT_DATA_DIR": directory}
            command = [self.python, _HERE / "dlt_pipeline.py", way, server.url, directory]
            measured = measure([str(part) for part in command], environment, directory=Path(directory))
        said = json.loads(measured.printed.splitlines()[-1])
        if said["rows"] != rows:
            raise MeasuredProgramError(f"dlt ({way}) has {said['rows']} rows of {rows}.")
        return Measured(said["seconds"], measured.cpu_seconds, measured.peak_mb, measured.printed)


def install(directory: Path) -> Dlt:
    """Make the environment, unless it is there with the same pins.

    Raises:
        MeasuredProgramError: The packages cannot be installed.
    """
    pins = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    marker = directory / "installed"
    found = Dlt(directory / "bin" / "python")
    if marker.exists() and marker.read_text() == pins:
        return found
    print("Installing dlt in", directory, file=sys.stderr)
    venv.create(directory, with_pip=True, clear=True)
    command = [str(found.python), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as exc:
        raise MeasuredProgramError(f"dlt cannot be installed: {exc.stderr[-1000:]}") from exc
    marker.write_text(pins)
    return found
