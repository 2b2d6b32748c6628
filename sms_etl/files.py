"""Folders and files of the data directory: whose they are, and what may go wrong with them.

Folders are made with mode 0700 and files with 0600, whatever the umask; the published copy may be shared.
Whatever writes there goes through `make_directory`, `open_private`, `write_private` or `private`.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from sms_etl.errors import DataDirError

if TYPE_CHECKING:
    from sms_etl.settings import Settings

PRIVATE_UMASK = 0o077
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


class Sharing(StrEnum):
    """Who may read the published copy."""

    NOBODY = "nobody"
    """Its owner alone."""
    GROUP = "group"
    """Its group, too."""
    EVERYBODY = "everybody"
    """Every user of the machine."""


_DATA_FOLDER = {Sharing.NOBODY: 0o700, Sharing.GROUP: 0o710, Sharing.EVERYBODY: 0o711}
"""To read the copy, others must pass through the data directory; they may enter it and not list it."""
_PUBLISHED_FOLDER = {Sharing.NOBODY: 0o700, Sharing.GROUP: 0o750, Sharing.EVERYBODY: 0o755}
_PUBLISHED_FILE = {Sharing.NOBODY: 0o400, Sharing.GROUP: 0o440, Sharing.EVERYBODY: 0o444}
_OURS = {
    *("landing", "published", "backup", "reports", "seeds", "dagster", "demo", "events"),
    *("README.md", ".gitignore"),
    *("warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.duckdb.tmp", "warehouse.duckdb.new"),
    *("pii.key", "pii.retired", "pii.key.new", "pii.retired.new", "sync.lock", "campaigns.lock"),
    *("copies.lock", "retention.toml", "warehouse.duckdb.ledger", "warehouse.duckdb.holds"),
    *("warehouse.duckdb.campaigns", "warehouse.duckdb.lock", "warehouse.duckdb.campaigns.lock"),
    *("alerts.json", "alerts.lock", "copies.json"),
    *("sync.lock.holder", "campaigns.lock.holder"),
    *("warehouse.duckdb.lock.holder", "warehouse.duckdb.campaigns.lock.holder"),
    *("sandbox.sqlite", "sandbox.sqlite-wal", "sandbox.sqlite-shm"),
}
_PRIVATE_FOLDERS = ("landing", "landing/*", "backup", "reports", "seeds", "dagster", "events")
_PRIVATE_FILES = (
    *("warehouse.duckdb*", "sync.lock*", "campaigns.lock*", "copies.*", "alerts.lock", "alerts.json"),
    "sandbox.sqlite*",
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def make_directory(path: Path) -> None:
    """Make a folder for its owner alone, with those above it; one that is there stays as it is.

    Raises:
        DataDirError: It cannot be made.
    """
    try:
        with private():
            path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unusable(path, exc, "The folder {path} cannot be made") from exc


@contextmanager
def private() -> Iterator[None]:
    """Let all files and folders that are made within the block, by whatever library, be their owner's alone.

    The umask is the process's: it is set while any thread is within such a block.
    """
    _UMASK.tighten()
    try:
        yield
    finally:
        _UMASK.loosen()


class _Umask:
    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = 0

    def tighten(self) -> None:
        with self._lock:
            if not self._users:
                self._before = os.umask(PRIVATE_UMASK)
            self._users += 1

    def loosen(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                os.umask(self._before)


_UMASK = _Umask()


def open_private(path: Path) -> BinaryIO:
    """Open a new file for writing, for its owner alone; what was there of this name is removed first.

    So a link is not followed, and a file that somebody else made and may read is not written to.

    Raises:
        OSError: It cannot be written.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
    return os.fdopen(descriptor, "wb")


def make_durable(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk.

    Raises:
        OSError: It cannot.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def commit_file(staged: Path, path: Path) -> None:
    """Put a file that was written aside in its place; after a crash it is there whole, or the old one is.

    Raises:
        OSError: It cannot be synced or renamed.
    """
    make_durable(staged)
    staged.replace(path)
    with suppress(OSError):  # it is in its place; without this a crash may bring the old one back
        make_durable(path.parent)


def write_private(path: Path, content: bytes, says: str = "{path} cannot be written") -> None:
    """Write a file for its owner alone, whole or not at all; its folder is made if it is not there.

    Args:
        path: The file; one that is there stays until the new one is whole.
        content: Of the file.
        says: The error, as in `unusable`.

    Raises:
        DataDirError: It cannot be written.
    """
    make_directory(path.parent)
    aside = path.with_name(f".{path.name}.part")
    try:
        with open_private(aside) as file:
            file.write(content)
        commit_file(aside, path)
    except OSError as exc:
        raise unusable(path, exc, says) from exc


def keep_private(settings: "Settings") -> None:
    """Take from others what earlier versions let them read, and share the published copy as the settings say.

    The data directory itself is left alone if it holds anything that is not ours: `doctor` says so then. What
    is another user's stays as it is.
    """
    data = settings.data_dir
    folders = [folder for pattern in _PRIVATE_FOLDERS for folder in data.glob(pattern) if folder.is_dir()]
    for folder in folders:
        _set_mode(folder, PRIVATE_FOLDER)
    for file in (file for pattern in _PRIVATE_FILES for file in data.glob(pattern)):
        if file.is_file():
            _set_mode(file, PRIVATE_FILE)
    if is_only_ours(data):
        _set_mode(data, data_folder_mode(settings.share_published))
    share(settings)


def make_private(path: Path) -> None:
    """Let nobody but its owner read a file that is there."""
    _set_mode(path, PRIVATE_FILE)


def share(settings: "Settings") -> None:
    """Let those read the published copy whom the settings name."""
    folder, file = _PUBLISHED_FOLDER[settings.share_published], _PUBLISHED_FILE[settings.share_published]
    _set_mode(settings.published_path.parent, folder)
    _set_mode(settings.published_path, file)
    if not settings.parquet_path.is_symlink():
        for path in (settings.parquet_path, *settings.parquet_path.rglob("*")):
            _set_mode(path, folder if path.is_dir() else file)


def data_folder_mode(sharing: Sharing) -> int:
    """Return the mode of a data directory whose published copy is shared so."""
    return _DATA_FOLDER[sharing]


def published_file_mode(sharing: Sharing) -> int:
    """Return the mode of a published copy that is shared so."""
    return _PUBLISHED_FILE[sharing]


def is_only_ours(data_dir: Path) -> bool:
    """Return whether a data directory holds nothing but what is ours: it may be closed to others then."""
    try:
        return all(entry.name in _OURS for entry in data_dir.iterdir())
    except OSError:
        return False


def closed_to(path: Path, sharing: Sharing) -> Path | None:
    """Return the folder on the way to a path that those it is shared with may not enter; None if they may.

    A group may also be let in as anybody is.
    """
    bits = stat.S_IXOTH if sharing is Sharing.EVERYBODY else stat.S_IXOTH | stat.S_IXGRP
    folders = [folder for folder in reversed(path.parents) if folder.exists()]
    return next((folder for folder in folders if not mode_of(folder) & bits), None)


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def _set_mode(path: Path, mode: int) -> None:
    with suppress(OSError):  # not there, or another user's
        if path.is_symlink():
            return
        found = mode_of(path)
        wanted = mode & (found | 0o077)  # what its owner made read-only stays so
        if found & 0o777 != wanted:
            path.chmod(wanted | (found & stat.S_ISGID))  # whose group its files get is the owner's choice


def unusable(path: Path, exc: OSError, says: str = "{path} cannot be written") -> DataDirError:
    """Return the error for a file or folder the system refused: why, and what to do.

    Args:
        path: What was to be made or written.
        exc: The refusal.
        says: What it means; `{path}` stands for the path.
    """
    return DataDirError(f"{says.format(path=path)}: {_why(path, exc)}.", hint=_what_to_do(path, exc))


def is_full(cause: BaseException | None) -> bool:
    """Return whether an error came from a disk without room."""
    return isinstance(cause, OSError) and cause.errno in _FULL


def _why(path: Path, exc: OSError) -> str:
    # os.path asks without raising, where a folder above may not be looked into
    places = (path, *path.parents)
    link = next((place for place in places if os.path.islink(place)), None)  # noqa: PTH114 - Path.is_symlink may raise
    if link is not None and (exc.errno == errno.ELOOP or not os.path.exists(link)):  # noqa: PTH110 - Path.exists may raise
        return f"{link} is a link that leads nowhere, or is not followed here"
    in_the_way = next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110 - Path.exists may raise
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
