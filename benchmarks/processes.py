"""Starts the page server and the programs that are measured, each in its own process; takes their measure."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

_SAMPLE_SECONDS = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Measured:
    """What a program took."""

    seconds: float
    """From its start to its end."""
    cpu_seconds: float
    """User and system, its children included."""
    peak_mb: float
    """Most resident memory (MiB), of all its processes together; 0 where there is no /proc."""
    printed: str


class MeasuredProgramError(Exception):
    """A program that was to be measured failed."""


@dataclass(frozen=True)
class Server:
    """A running page server."""

    url: str

    def tell(self, path: str, **options: float) -> dict[str, Any]:
        """Set it, let its time pass, or ask what it was asked since the last time."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        request = Request(f"{self.url}/_bench/{path}?{query}", method="POST")  # noqa: S310 - always http
        with urlopen(request) as answer:  # noqa: S310 - a server of ours, on this machine
            told: dict[str, Any] = json.load(answer)
            return told


@contextmanager
def page_server(rows: int, *, first: int = 0, later: int = 0, page_size: int = 100) -> Iterator[Server]:
    """Run a page server with so many messages from number `first` on; `later` more can come."""
    arguments = ["--rows", rows, "--first", first, "--later", later, "--page-size", page_size]
    command = [sys.executable, "-m", "benchmarks.page_server", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            line = process.stdout.readline()
            if not line:
                raise MeasuredProgramError("The page server did not start.")
            yield Server(json.loads(line)["url"])
        finally:
            process.terminate()


def measure(command: Sequence[str], environment: Mapping[str, str], *, directory: Path = _ROOT) -> Measured:
    """Run a program to its end.

    Raises:
        MeasuredProgramError: It did not end with 0; what it said on stderr is in the message.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env={**_inherited(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
    ) as process:
        said: list[bytes] = []
        printed: list[bytes] = []
        readers = [
            threading.Thread(target=lambda stream, into: into.append(stream.read()), args=pair, daemon=True)
            for pair in ((process.stdout, printed), (process.stderr, said))
        ]
        for reader in readers:
            reader.start()
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
        for reader in readers:
            reader.join()
    if process.returncode:
        raise MeasuredProgramError(f"{' '.join(command)}\n{said[0].decode(errors='replace')[-4000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, watch.most / 2**20, printed[0].decode())


def _inherited() -> dict[str, str]:
    """Return this process's environment without what would make figures differ.

    Settings of ours; and the ban on writing bytecode: without it Python compiles each library anew at every
    start, which is 2 s of ours and none of dlt's, as pip compiles what it installs.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SMS_ETL_") and name != "PYTHONDONTWRITEBYTECODE"
    }


class _Watch(threading.Thread):
    """Samples the resident memory of a process with all below it, and the peak of each.

    Not `ru_maxrss`: that counts what this process held when it forked.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._pid = pid
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            family = _family(self._pid)
            self.most = max(self.most, sum(map(_resident, family)), *map(_peak, family))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _family(pid: int) -> list[int]:
    members, unseen = [], [pid]
    while unseen:
        member = unseen.pop()
        members.append(member)
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                unseen += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return members


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    kilobytes = status.partition("VmHWM:")[2].split(maxsplit=1)[:1]
    return int(kilobytes[0]) * 1024 if kilobytes else 0


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
