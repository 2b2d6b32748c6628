"""Folders and files of the data directory, and what may go wrong with them."""

import errno
import os
from pathlib import Path

from sms_etl.errors import DataDirError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def make_directory(path: Path) -> None:
    """Make a folder, with those above it.

    Raises:
        DataDirError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unusable(path, exc, "The folder {path} cannot be made") from exc


def unusable(path: Path, exc: OSError, says: str = "{path} cannot be written") -> DataDirError:
    """Return the error for a file or folder the system refused: why, and what to do.

    Args:
        path: What was to be made or written.
        exc: The refusal.
        says: What it means; `{path}` stands for the path.
    """
    return DataDirError(f"{says.format(path=path)}: {_why(path, exc)}.", hint=_what_to_do(path, exc))


def _why(path: Path, exc: OSError) -> str:
    # os.path asks without raising, where a folder above may not be looked into
    places = (path, *path.parents)
    link = next((place for place in places if os.path.islink(place)), None)  # noqa: PTH114 - as said
    if link is not None and (exc.errno == errno.ELOOP or not os.path.exists(link)):  # noqa: PTH110 - as said
        return f"{link} is a link that leads nowhere, or is not followed here"
    in_the_way = next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110 - as said
    if exc.errno in {errno.EEXIST, errno.ENOTDIR} and in_the_way and not in_the_way.is_dir():
        return f"{in_the_way} is a file"
    return exc.strerror or str(exc)


def _what_to_do(path: Path, exc: OSError) -> str:
    if exc.errno in _FULL:
        return "Free disk space; nothing that was loaded is lost."
    if exc.errno == errno.EISDIR:
        return "Move the folder away."
    elsewhere = "give SMS_ETL_DATA_DIR a folder you may write to."
    if exc.errno == errno.EROFS:
        return f"Make the file system writable, or {elsewhere}"
    owner = _other_owner(path) if exc.errno in {errno.EACCES, errno.EPERM} else None
    if owner:
        return f"It belongs to {owner}: run it as {owner}, or {elsewhere}"
    return f"G{elsewhere[1:]}"


def _other_owner(path: Path) -> str | None:
    """Return who owns a path, or what can be seen of the folders above it, if it is somebody else."""
    for place in (path, *path.parents):
        try:
            return None if place.stat().st_uid == os.geteuid() else place.owner()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (OSError, KeyError):
            break
    return None
