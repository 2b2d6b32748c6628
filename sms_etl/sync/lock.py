"""One sync at a time: the locks of a data directory and of its warehouse.

Two data directories may name the same warehouse, so both are locked: the directory, and the file beside the
warehouse that tells of it.
"""

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from sms_etl.clock import system_clock
from sms_etl.errors import AlreadyRunning
from sms_etl.files import PRIVATE_FILE, keep_private, make_directory, open_private, unusable
from sms_etl.settings import Settings
from sms_etl.warehouse.file import path_of

_log = logging.getLogger(__name__)

_LOCK_FILE, _WAREHOUSE_LOCK = "sync.lock", ".lock"
_CAMPAIGNS_LOCK_FILE, _WAREHOUSE_CAMPAIGNS_LOCK = "campaigns.lock", ".campaigns.lock"
_HOLDER = ".holder"
"""Ends the name of the file beside a lock that says who holds it."""
_POLL_SECONDS = 0.2


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Lock the data directory and the warehouse against other syncs and against what must not run beside one.

    Raises:
        AlreadyRunning: One is at work, and was so for SMS_ETL_LOCK_WAIT.
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
        AlreadyRunning: One is at work, and was so for SMS_ETL_LOCK_WAIT.
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
        busy = _Busy(message.format(path=settings.data_dir), hint, settings.lock_wait)
        locks.enter_context(_lock(settings.data_dir / name, busy))
        make_directory(warehouse.parent)
        busy = _Busy(message.format(path=warehouse), hint, settings.lock_wait)
        locks.enter_context(_lock(warehouse.with_name(f"{warehouse.name}{beside}"), busy))
        yield


@dataclass(frozen=True)
class _Busy:
    """What is said where somebody else is at work, and how long to wait for it."""

    message: str
    hint: str
    wait: timedelta


@contextmanager
def _lock(path: Path, busy: _Busy) -> Iterator[None]:
    lock = FileLock(path, mode=PRIVATE_FILE)
    holder = path.with_name(f"{path.name}{_HOLDER}")
    try:
        if not _is_taken(lock, path, timedelta(0)):
            _log.info("%s Waiting for at most %d s.", busy.message, busy.wait.total_seconds())
            if not _is_taken(lock, path, busy.wait):
                raise AlreadyRunning(f"{busy.message}{_named(holder)}", hint=busy.hint)
    except OSError as exc:
        raise unusable(path, exc) from exc
    try:
        with suppress(OSError), open_private(holder) as file:  # it only helps people
            file.write(f"process {os.getpid()} since {system_clock():%Y-%m-%d %H:%M} UTC".encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _is_taken(lock: FileLock, path: Path, wait: timedelta) -> bool:
    try:
        lock.acquire(timeout=wait.total_seconds(), poll_interval=_POLL_SECONDS)
    except Timeout:
        if not path.exists():  # the lock waits for a folder to come that takes no file
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        return False
    return True


def _named(holder: Path) -> str:
    """Say who holds a lock, as it wrote it down; nothing if it did not."""
    with suppress(OSError, UnicodeDecodeError):
        written = holder.read_text()
        if re.fullmatch(r"process \d+ since [-0-9: ]+ UTC", written):
            return f" It is {written}."
    return ""
