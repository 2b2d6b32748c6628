"""Keeps rows in a file beside the warehouse too, so that restoring an older backup loses none of them.

A hold that is lost lets messages be deleted, and a campaign that is lost is sent twice. So each change of
these tables is also written to `<warehouse>.holds` or `<warehouse>.campaigns`, and whoever reads the tables
puts back first what the file has and the warehouse has not, or has in an older state.

    reconcile(transaction, HOLDS)      # before the rows are read
    keep(transaction, HOLDS)           # after they were changed
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sms_etl.errors import DataDirError
from sms_etl.files import commit_file, open_private, unusable
from sms_etl.warehouse.store import Transaction

_log = logging.getLogger(__name__)

_Row = Mapping[str, str | None]
_PATH = "select path from duckdb_databases() where database_name = current_database()"


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table whose rows are kept in a file beside the warehouse, too."""

    table: str
    key: str
    """The column that names a row."""
    moments: tuple[str, ...]
    """When a row was written and changed: of two states of one row the later one counts."""
    suffix: str
    """What the file's name adds to the warehouse's."""
    what: str
    """What the rows are, for people."""


HOLDS = KeptTable("ops.hold", "hold_id", ("added_at", "removed_at"), ".holds", "holds")
CAMPAIGNS = KeptTable(
    "ops.campaign", "campaign_id", ("asked_at", "known_at", "cancelled_at"), ".campaigns", "campaigns"
)
KEPT_TABLES = (HOLDS, CAMPAIGNS)


class _File(msgspec.Struct, frozen=True):
    rows: list[dict[str, str | None]]
    """By column, as text."""


def reconcile(transaction: Transaction, kept: KeptTable) -> int:
    """Put back what the file has and the warehouse lacks, and let both say the same.

    Returns:
        How many rows were put back.

    Raises:
        DataDirError: The file cannot be read or written.
    """
    path = _path_of(transaction, kept)
    if path is None:
        return 0
    types = _types_of(transaction, kept)
    there = {str(row[kept.key]): row for row in _rows_of(transaction, kept, types)}
    lacking = [
        row
        for row in _read(path, kept)
        if (known := there.get(str(row[kept.key]))) is None or _moment(row, kept) > _moment(known, kept)
    ]
    for row in lacking:
        _write_row(transaction, kept, types, row)
    if lacking:
        _log.warning(
            "An older backup was restored: it lacked %d of the %s, which were put back.",
            len(lacking),
            kept.what,
        )
    keep(transaction, kept)
    return len(lacking)


def keep(transaction: Transaction, kept: KeptTable) -> None:
    """Write the rows of the table to the file; what only the file has stays in it.

    Raises:
        DataDirError: The file cannot be read or written.
    """
    path = _path_of(transaction, kept)
    if path is None:
        return
    rows = _rows_of(transaction, kept, _types_of(transaction, kept))
    known = {row[kept.key] for row in rows}
    before = _read(path, kept)
    after = [*rows, *(row for row in before if row[kept.key] not in known)]
    if sorted(before, key=lambda row: str(row[kept.key])) == sorted(
        after, key=lambda row: str(row[kept.key])
    ):
        return
    aside = path.with_name(f"{path.name}.tmp")
    try:
        with open_private(aside) as file:
            file.write(msgspec.json.encode(_File([dict(row) for row in after])))
        commit_file(aside, path)
    except OSError as exc:
        raise unusable(path, exc) from exc


def _path_of(transaction: Transaction, kept: KeptTable) -> Path | None:
    """Return the file; None where the database has none of its own, being in memory."""
    (path,) = transaction.row(_PATH)
    return None if path is None else Path(f"{path}{kept.suffix}")


def _read(path: Path, kept: KeptTable) -> Sequence[_Row]:
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=_File).rows
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise unusable(path, exc, "The file {path} cannot be read") from exc
    except (msgspec.DecodeError, UnicodeDecodeError):
        rows = [{}]
    if not all(row.get(kept.key) for row in rows):
        raise DataDirError(
            f"The file {path} is damaged: it keeps the {kept.what}, should an older backup be restored.",
            hint="Restore it from a backup. If the warehouse itself was not restored, it has them all: "
            "remove the file, and it is written anew.",
        )
    return rows


def _types_of(transaction: Transaction, kept: KeptTable) -> dict[str, str]:
    columns = transaction.native.execute(f"select name, type from pragma_table_info('{kept.table}')")
    return dict(columns.fetchall())


def _rows_of(transaction: Transaction, kept: KeptTable, types: Mapping[str, str]) -> list[_Row]:
    texts = ", ".join(f"cast({name} as varchar)" for name in types)
    found = transaction.native.execute(f"select {texts} from {kept.table} order by {kept.key}").fetchall()
    return [dict(zip(types, row, strict=True)) for row in found]


def _write_row(transaction: Transaction, kept: KeptTable, types: Mapping[str, str], row: _Row) -> None:
    names = [name for name in types if name in row]
    values = ", ".join(f"cast(? as {types[name]})" for name in names)
    transaction.run(f"delete from {kept.table} where {kept.key} = cast(? as uuid)", [row[kept.key]])
    transaction.run(
        f"insert into {kept.table} ({', '.join(names)}) values ({values})", [row[name] for name in names]
    )


def _moment(row: _Row, kept: KeptTable) -> tuple[str, int]:
    """Return what orders the states of a row: its latest moment, and how many it has."""
    moments = [row.get(name) or "" for name in kept.moments]
    return max(moments), sum(map(bool, moments))
