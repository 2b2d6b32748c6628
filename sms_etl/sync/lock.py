"""One sync at a time: the locks of a data directory and of its warehouse.

Two data directories may name the same warehouse, so both are locked: the directory, and the file beside the
warehouse that tells of it.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sms_etl.errors import AlreadyRunning
from sms_etl.files import PRIVATE_FILE, keep_private, make_directory, unusable
from sms_etl.settings import Settings
from sms_etl.warehouse.file import path_of

_LOCK_FILE, _WAREHOUSE_LOCK = "sync.lock", ".lock"
_CAMPAIGNS_LOCK_FILE, _WAREHOUSE_CAMPAIGNS_LOCK = "campaigns.lock", ".campaigns.lock"


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Lock the data directory and the warehouse against other syncs and against what must not run beside one.

    Raises:
        AlreadyRunning: One is at work.
    """
    with _locked(
        settings,
        _LOCK_FILE,
        _WAREHOUSE_LOCK,
        "Another sync works on {path}.",
        "Wait until it is done; `sms-etl status` shows the last one.",
    ):
        yield


@contextmanager
def only_one_campaign(settings: Settings) -> Iterator[None]:
    """Lock them against other commands that send campaigns; a sync may run beside it.

    Raises:
        AlreadyRunning: One is at work.
    """
    with _locked(
        settings,
        _CAMPAIGNS_LOCK_FILE,
        _WAREHOUSE_CAMPAIGNS_LOCK,
        "Another command sends or changes campaigns on {path}.",
        "Wait until it is done, and run this again. Nothing was sent.",
    ):
        yield


@contextmanager
def _locked(settings: Settings, name: str, beside: str, message: str, hint: str) -> Iterator[None]:
    make_directory(settings.data_dir)
    keep_private(settings)
    warehouse = path_of(settings.warehouse_url).resolve()  # a link to it is the same warehouse
    with ExitStack() as locks:
        busy = AlreadyRunning(message.format(path=settings.data_dir), hint=hint)
        locks.enter_context(_lock(settings.data_dir / name, busy))
        make_directory(warehouse.parent)
        busy = AlreadyRunning(message.format(path=warehouse), hint=hint)
        locks.enter_context(_lock(warehouse.with_name(f"{warehouse.name}{beside}"), busy))
        yield


@contextmanager
def _lock(path: Path, busy: AlreadyRunning) -> Iterator[None]:
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
