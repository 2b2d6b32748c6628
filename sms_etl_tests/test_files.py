"""What a refusal of the system means, and what to do about it."""

import errno
import os
from pathlib import Path

import pytest

from sms_etl.files import unusable


@pytest.mark.parametrize(
    ("code", "why", "what_to_do"),
    [
        (errno.EROFS, "Read-only file system", "Make the file system writable"),
        (errno.ENOSPC, "No space left on device", "Free disk space"),
        (errno.EDQUOT, "quota exceeded", "Free disk space"),
        (errno.EACCES, "Permission denied", "SMS_ETL_DATA_DIR a folder you may write to"),
        (errno.ENOENT, "No such file", "Give SMS_ETL_DATA_DIR a folder you may write to."),
    ],
)
def test_each_refusal_says_why_and_what_to_do(tmp_path: Path, code: int, why: str, what_to_do: str) -> None:
    refused = unusable(tmp_path / "data", OSError(code, os.strerror(code)))
    assert refused.message.startswith(f"{tmp_path / 'data'} cannot be written: ")
    assert why in refused.message
    assert what_to_do in refused.hint


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = unusable(tmp_path / "file" / "data", NotADirectoryError(errno.ENOTDIR, "Not a directory"))
    assert f"{tmp_path / 'file'} is a file" in refused.message


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/proc").is_dir(), reason="root can give a file away")
def test_the_owner_is_named_unless_it_is_oneself(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert "belongs" not in unusable(tmp_path, denied).hint
    os.chown(tmp_path, 65534, 65534)
    assert (
        f"It belongs to {tmp_path.owner()}: run it as {tmp_path.owner()}" in unusable(tmp_path, denied).hint
    )
