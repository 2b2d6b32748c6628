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
_CAMPAIGNS_LOCK_FILE = "campaigns.lock"


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Lock the data directory against other syncs and against what must not run beside one.

    Raises:
        AlreadyRunning: One is at work.
    """
    busy = AlreadyRunning(
        f"Another sync works on {settings.data_dir}.",
        hint="Wait until it is done; `sms-etl status` shows the last one.",
    )
    with _locked(settings, _LOCK_FILE, busy):
        yield


@contextmanager
def only_one_campaign(settings: Settings) -> Iterator[None]:
    """Lock the data directory against other commands that send campaigns; a sync may run beside it.

    Raises:
        AlreadyRunning: One is at work.
    """
    busy = AlreadyRunning(
        f"Another command sends or changes campaigns on {settings.data_dir}.",
        hint="Wait until it is done, and run this again. Nothing was sent.",
    )
    with _locked(settings, _CAMPAIGNS_LOCK_FILE, busy):
        yield


@contextmanager
def _locked(settings: Settings, name: str, busy: AlreadyRunning) -> Iterator[None]:
    make_directory(settings.data_dir)
    path = settings.data_dir / name
    keep_private(settings)
    lock = FileLock(path, mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=0)
    except OSError as exc:
        if not isinstance(exc, Timeout):
            raise unusable(path, exc) from exc
        if not path.exists():  # the lock waits for a folder to come that takes no file
            raise unusable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from exc
        raise busy from exc
    try:
        yield
    finally:
        lock.release()
