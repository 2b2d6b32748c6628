"""The SQLite file a sandbox's state lives in: lives, deletions and the clock. A restart goes on from it.

Each change is committed at once. One sandbox at a time has the file open.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from sms_etl.errors import SettingsError
from sms_etl.files import private
from sms_etl.sandbox.life.lifecycle import Bulk, Message

_APPLICATION_ID, _VERSION = 0x534D5342, 1
_SCHEMA = f"""
    create table message (number integer primary key, life blob not null, is_deleted integer not null);
    create table bulk (number integer primary key, life blob not null, is_deleted integer not null);
    create table setting (name text primary key, value text not null);
    pragma application_id = {_APPLICATION_ID};
    pragma user_version = {_VERSION};
"""
_encode = msgspec.msgpack.encode
_decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_bulk = msgspec.msgpack.Decoder(Bulk).decode


class StateFile:
    """An open state file.

    Args:
        path: Where it lies; made if it is not there.

    Raises:
        SettingsError: The file is something else, or another sandbox has it open.
    """

    def __init__(self, path: Path) -> None:
        try:
            with private():
                path.parent.mkdir(parents=True, exist_ok=True)
                # The server may run in another thread than the one that opened the file, but never in two.
                self._sqlite = sqlite3.connect(path, check_same_thread=False, timeout=0.2)
        except (OSError, sqlite3.OperationalError) as exc:
            raise SettingsError(f"{path} cannot be opened: {exc}", hint="Choose another state file.") from exc
        try:
            with private():
                self.is_new = self._prepare()
        except sqlite3.DatabaseError as exc:
            self._sqlite.close()
            raise SettingsError(
                f"{path} cannot be used: {exc}",
                hint="Stop the sandbox that uses it, or choose another state file.",
            ) from exc

    def _prepare(self) -> bool:
        self._sqlite.execute("pragma locking_mode = exclusive")
        self._sqlite.execute("pragma journal_mode = wal")
        self._sqlite.execute("pragma synchronous = normal")
        is_empty = self._sqlite.execute("select count(*) from sqlite_master").fetchone() == (0,)
        if is_empty:
            self._sqlite.executescript(_SCHEMA)
        found = [self._sqlite.execute(f"pragma {name}").fetchone()[0] for name in _IDENTITY]
        if found != [_APPLICATION_ID, _VERSION]:
            raise sqlite3.DatabaseError("it is not the state of a sandbox of this version")
        is_new = self.setting("now") is None
        if is_new:  # a run that was killed while it made the account may have left a part of it
            self._sqlite.executescript("delete from message; delete from bulk;")
        return is_new

    def setting(self, name: str) -> str | None:
        """Return a value kept under a name, or None."""
        row = self._sqlite.execute("select value from setting where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def put_setting(self, name: str, value: str) -> None:
        """Keep a value under a name."""
        with self._sqlite:
            self._sqlite.execute("insert or replace into setting values (?, ?)", (name, value))

    def messages(self, *, is_deleted: bool) -> list[Message]:
        """Return the messages that are, or are not, deleted."""
        return [_decode_message(life) for (life,) in self._lives("message", is_deleted)]

    def bulks(self, *, is_deleted: bool) -> list[Bulk]:
        """Return the bulks that are, or are not, deleted."""
        return [_decode_bulk(life) for (life,) in self._lives("bulk", is_deleted)]

    def _lives(self, table: str, is_deleted: bool) -> Iterable[tuple[bytes]]:
        return self._sqlite.execute(_SELECT[table], (is_deleted,))

    def put(self, lives: Iterable[Message | Bulk]) -> None:
        """Keep new lives, or changed ones in place of the old."""
        rows: dict[str, list[tuple[Any, ...]]] = {"message": [], "bulk": []}
        for life in lives:
            rows[_table(life)].append((life.number, _encode(life)))
        with self._sqlite:
            for table, values in rows.items():
                self._sqlite.executemany(_PUT[table], values)

    def mark_deleted(self, lives: Iterable[Message | Bulk]) -> None:
        """Remember that these were deleted."""
        with self._sqlite:
            for life in lives:
                self._sqlite.execute(_DELETE[_table(life)], (life.number,))

    def close(self) -> None:
        """Close the file."""
        self._sqlite.close()


def _table(life: Message | Bulk) -> str:
    return "message" if isinstance(life, Message) else "bulk"


_IDENTITY = ("application_id", "user_version")
_SELECT = {
    "message": "select life from message where is_deleted = ? order by number",
    "bulk": "select life from bulk where is_deleted = ? order by number",
}
_PUT = {
    "message": "insert or replace into message values (?, ?, 0)",
    "bulk": "insert or replace into bulk values (?, ?, 0)",
}
_DELETE = {
    "message": "update message set is_deleted = 1 where number = ?",
    "bulk": "update bulk set is_deleted = 1 where number = ?",
}
