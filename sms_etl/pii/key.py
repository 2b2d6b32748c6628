"""Finds the key of the hashes: SMS_ETL_PII_KEY, else the file `pii.key` of the data directory.

After `sms-etl pii rotate` the keys before it lie in `pii.retired`: a hash is made by all of them in turn
(decision 0024).

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
from collections.abc import Sequence
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import TYPE_CHECKING

from sms_etl.errors import DataDirError
from sms_etl.files import commit_file, make_directory, open_private, unusable

if TYPE_CHECKING:
    from sms_etl.settings import Settings

KEY_FILE, RETIRED_FILE = "pii.key", "pii.retired"
NEW_SUFFIX = ".new"
"""Of both files, until a rotation puts them in their place."""
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
    text = _read_private(key_path(settings))
    if text is not None and not _KEY_TEXT.fullmatch(text):  # an empty or cut one would hash without a secret
        raise _damaged(key_path(settings), "it does not hold 64 hex digits")
    return text  # itself, so that SMS_ETL_PII_KEY=<the file's text> joins


def find_retired_keys(settings: "Settings") -> tuple[bytes, ...]:
    """Return the keys that were rotated away, oldest first.

    Raises:
        DataDirError: As for `find_key`.
    """
    path = settings.data_dir / RETIRED_FILE
    text = _read_private(path)
    try:
        return tuple(bytes.fromhex(line.decode("ascii")) for line in (text or b"").splitlines())
    except ValueError:
        raise _damaged(path, "it does not hold a key a line, in hex digits") from None


def _read_private(path: Path) -> bytes | None:
    """Return what a file of its owner alone holds; None if it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise _no_plain_file(path, "a symbolic link") from exc
        raise _unreadable(path, exc) from exc
    try:
        return _read_text(path, descriptor)
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


def put_new_keys_aside(settings: "Settings", retired: Sequence[bytes]) -> bytes:
    """Write the keys that are to be retired, and a new one unless SMS_ETL_PII_KEY gives it; return that.

    Nothing uses them before `install_new_keys`.

    Raises:
        DataDirError: They cannot be written.
    """
    discard_new_keys(settings)
    aside = _aside(settings, RETIRED_FILE)
    try:
        _write_private(aside, "".join(f"{each.hex()}\n" for each in retired))
        if settings.pii_key is None:
            aside = _aside(settings, KEY_FILE)
            _write_private(aside, secrets.token_hex(LEAST_KEY_BYTES) + "\n")
    except OSError as exc:
        raise unusable(aside, exc, "The key {path} cannot be written") from exc
    return new_keys(settings)[0]


def new_keys(settings: "Settings") -> tuple[bytes, tuple[bytes, ...]]:
    """Return the key and the retired keys that a rotation has put aside, or put in their place already."""
    key = settings.pii_key.get_secret_value().encode() if settings.pii_key is not None else None
    key = key or _read_private(_aside(settings, KEY_FILE)) or find_key(settings)
    assert key is not None  # noqa: S101 - it is either aside or in its place
    aside = _read_private(_aside(settings, RETIRED_FILE))
    if aside is None:
        return key, find_retired_keys(settings)
    return key, tuple(bytes.fromhex(line.decode("ascii")) for line in aside.splitlines())


def install_new_keys(settings: "Settings") -> None:
    """Put what `put_new_keys_aside` wrote in its place; it can be done again.

    Raises:
        DataDirError: It cannot be renamed.
    """
    for name in (RETIRED_FILE, KEY_FILE):
        aside, path = _aside(settings, name), settings.data_dir / name
        try:
            if aside.exists():
                commit_file(aside, path)
        except OSError as exc:
            raise unusable(path, exc, "The key {path} cannot be written") from exc


def discard_new_keys(settings: "Settings") -> None:
    """Remove what a rotation put aside and nothing was hashed by."""
    for name in (RETIRED_FILE, KEY_FILE):
        _aside(settings, name).unlink(missing_ok=True)


def _aside(settings: "Settings", name: str) -> Path:
    return settings.data_dir / f"{name}{NEW_SUFFIX}"


def fingerprint(key: bytes, retired: Sequence[bytes] = ()) -> str:
    """Return what tells a key, and those before it, from any other and gives none away: 16 hex digits."""
    told = ""
    for each in (*retired, key):
        told = digest(each, _FINGERPRINT_OF + told.encode(), sha256).hex()[:_FINGERPRINT_DIGITS]
    return told


def _read_text(path: Path, descriptor: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _no_plain_file(path, "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DataDirError(
            f"The key {path} is open to others: its mode is {stat.S_IMODE(found.st_mode):04o}.",
            hint=f"chmod 600 {path} - and ask who may have read it: with the key, numbers can be found again "
            "from their hashes.",
        )
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read().strip()


def _damaged(path: Path, how: str) -> DataDirError:
    return DataDirError(f"The key {path} is damaged: {how}.", hint=_RESTORE)


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
        os.close(descriptor)
        _write_private(aside, secrets.token_hex(LEAST_KEY_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()


def _write_private(path: Path, text: str) -> None:
    with open_private(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
