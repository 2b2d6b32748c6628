"""One sync at a time: the lock of a data directory."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from sms_etl.errors import AlreadyRunning
from sms_etl.files import PRIVATE_FILE, keep_private, make_directory, unusable
from sms_etl.settings import Settings

_LOCK_FILE = "sync.lock"


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Lock the data directory against other syncs and against what must not run beside one.

    Raises:
        AlreadyRunning: One is at work.
    """
    make_directory(settings.data_dir)
    path = settings.data_dir / _LOCK_FILE
    keep_private(settings)
    lock = FileLock(path, mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=0)
    except OSError as exc:
        if not isinstance(exc, Timeout):
            raise unusable(path, exc) from exc
        if not path.exists():  # the lock waits for a folder to come that takes no file
            raise unusable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from exc
        raise AlreadyRunning(
            f"Another sync works on {settings.data_dir}.",
            hint="Wait until it is done; `sms-etl status` shows the last one.",
        ) from exc
    try:
        yield
    finally:
        lock.release()
