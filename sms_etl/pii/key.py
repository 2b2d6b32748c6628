"""Finds the key of the hashes: SMS_ETL_PII_KEY, else the file `pii.key` of the data directory.

A key that is lost or exchanged lets no hash join any more, in silence. So a file that is not plainly a key
of its owner alone is refused, and the warehouse keeps a fingerprint of its key (`pii/state.py`).
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import tempfile
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import TYPE_CHECKING

from sms_etl.errors import DataDirError
from sms_etl.files import make_directory, unusable

if TYPE_CHECKING:
    from sms_etl.settings import Settings

KEY_FILE = "pii.key"
LEAST_KEY_BYTES = 32
"""As long as the hash itself (RFC 2104): a shorter key can be found by trying, and with it every number."""
HOW_TO_MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_hex(32))'"
_KEY_TEXT = re.compile(rb"[0-9a-f]{64}")
_FINGERPRINT_OF = b"sms_etl: fingerprint of the key"
_FINGERPRINT_DIGITS = 16
_RESTORE = (
    "Restore it from a backup, or set SMS_ETL_PII_KEY to the key; with another one no hash joins. "
    "If it is lost for good, remove it and see `sms-etl pii accept-key --help`."
)


def key_path(settings: "Settings") -> Path:
    """Return where the key's file lies, whether or not there is one."""
    return settings.data_dir / KEY_FILE


def find_key(settings: "Settings") -> bytes | None:
    """Return the key, or None if none is given and its file is not there.

    Raises:
        DataDirError: The file is damaged, not readable, readable by others, or no plain file.
    """
    if settings.pii_key is not None:
        return settings.pii_key.get_secret_value().encode()
    path = key_path(settings)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise _no_plain_file(path, "a symbolic link") from exc
        raise _unreadable(path, exc) from exc
    try:
        return _read_key(path, descriptor)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    finally:
        os.close(descriptor)


def find_or_make_key(settings: "Settings") -> bytes:
    """Return the key; its file is made at first use.

    Raises:
        DataDirError: The file cannot be written, or as for `find_key`.
    """
    key = find_key(settings)
    if key is not None:
        return key
    path = key_path(settings)
    make_directory(path.parent)
    try:
        _write_key(path)
    except OSError as exc:
        raise unusable(path, exc, "The key {path} cannot be written") from exc
    made = find_key(settings)
    assert made is not None  # noqa: S101 - it was written, by this program or by one beside it
    return made


def fingerprint(key: bytes) -> str:
    """Return what tells this key from any other and does not give it away: 16 hex digits."""
    return digest(key, _FINGERPRINT_OF, sha256).hex()[:_FINGERPRINT_DIGITS]


def _read_key(path: Path, descriptor: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _no_plain_file(path, "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DataDirError(
            f"The key {path} is open to others: its mode is {stat.S_IMODE(found.st_mode):04o}.",
            hint=f"chmod 600 {path} - and ask who may have read it: with the key, numbers can be found again "
            "from their hashes.",
        )
    text = os.read(descriptor, 1024).strip()
    if not _KEY_TEXT.fullmatch(text):  # an empty or cut one would hash without a secret
        raise DataDirError(f"The key {path} is damaged: it does not hold 64 hex digits.", hint=_RESTORE)
    return text  # itself, so that SMS_ETL_PII_KEY=<the file's text> joins


def _no_plain_file(path: Path, what: str) -> DataDirError:
    return DataDirError(
        f"The key {path} is {what}.",
        hint="Put the key itself there, in a file of mode 600, or set SMS_ETL_PII_KEY to the key.",
    )


def _unreadable(path: Path, exc: OSError) -> DataDirError:
    refused = unusable(path, exc, "The key {path} cannot be read")
    return DataDirError(refused.message, hint=f"{refused.hint} {_RESTORE}")


def _write_key(path: Path) -> None:
    """Write a new key, whole or not at all; of two programs that do it at once, one wins."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # made with mode 0600
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(LEAST_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
