"""Finds processes by what stands in their environment, whoever started them, in whatever group."""

import time
from pathlib import Path


def running_with(mark: str) -> list[str]:
    """Return the command lines of the processes that have `mark` in their environment, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile
            continue
    return found


def sizes_of_crash_dumps(mark: str) -> set[str]:
    """Return how large crash dumps may be of the processes that have `mark` in their environment."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                limits = (process / "limits").read_text()
                found |= {
                    line.split("  ", 1)[1].strip() for line in limits.splitlines() if "core file" in line
                }
        except OSError:  # it ended meanwhile
            continue
    return found


def none_left(mark: str, *, within: float) -> list[str]:
    """Wait until no process has `mark` in its environment; return those that still run."""
    until = time.monotonic() + within
    while (left := running_with(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return left
