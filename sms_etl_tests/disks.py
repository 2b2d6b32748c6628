"""A disk of a test's own, small enough to be filled: a real one, which needs root to be mounted."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A disk, by the folder it is mounted on."""

    path: Path

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.path / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Make room again."""
        (self.path / "filler").unlink()


@contextmanager
def mounted_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a disk while the block runs, or skip the test where that cannot be done."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    path.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")
    if mount is None or unmount is None or subprocess.run([mount, *options, path], check=False).returncode:
        pytest.skip("only root can mount a disk that is to be filled, and in most containers not even root")
    try:
        yield Disk(path)
    finally:
        subprocess.run([unmount, "--lazy", path], check=True)  # whatever still has a file of it open
