"""Carries out a stricter policy on what is stored already: warehouse, landed files, published copy, backup.

Every step can be run again, and an open row of `ops.pii_receipt` refuses all that writes or publishes until
the last one is done. What is blanked in a DuckDB file stays in its free blocks, so the file is written anew.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sms_etl.build import build_and_check
from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc
from sms_etl.errors import WarehouseLocked
from sms_etl.files import commit_file, open_private, unusable
from sms_etl.pii.key import find_key, fingerprint
from sms_etl.pii.policy import CODE_COLUMNS, DEFAULT_TREATMENTS, Pii, PiiPolicy
from sms_etl.pii.redaction import is_shape, shapes_of
from sms_etl.pii.state import HeldPii, check_key, held_pii, is_unapplied, write_pii
from sms_etl.providers.lox24.bad_rows import describe_bad_row
from sms_etl.sync.landing.files import STAGED_SUFFIX, remove_unfinished
from sms_etl.sync.lock import only_one
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.copying import forget, rewrite
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

if TYPE_CHECKING:
    from sms_etl.settings import Settings

BLANKED = ("phone", "text")
"""Columns of messages that only `keep` fills; what is derived of them is there under either policy."""
_WHY_FORCED = "the personal data of the copy before had to go (sms-etl pii apply)"
_TRIES = 5

_REDACTED = """
update ops.quarantine as kept set raw = redacted.raw, uuid = redacted.uuid, price = redacted.price
from (
    select
        unnest(cast($ids as uuid[])) as id,
        unnest(cast($raws as varchar[])) as raw,
        unnest(cast($uuids as varchar[])) as uuid,
        unnest(cast($prices as varchar[])) as price
) as redacted
where kept.quarantine_id = redacted.id
"""


@dataclass(frozen=True)
class AppliedPolicy:
    """What was done; of a run that completes an interrupted one, the counts of both."""

    is_changed: bool
    """False: the warehouse was under the policy of the settings already."""
    policy: PiiPolicy
    receipt_id: UUID | None = None
    messages: int = 0
    """Rows whose number or text was blanked."""
    quarantined: int = 0
    """Rows in quarantine that were redacted."""
    files: int = 0
    """Landed files that were written again."""
    files_unreadable: tuple[str, ...] = ()
    """Files in the landing folder that cannot be read, and may hold anything."""
    published: Path | None = None
    """The published copy, if there was one to replace."""
    backup: Path | None = None
    """The backup in the data directory, if there was one to replace."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            **asdict(self),
            "receipt_id": self.receipt_id and str(self.receipt_id),
            "files_unreadable": list(self.files_unreadable),
            "published": self.published and str(self.published),
            "backup": self.backup and str(self.backup),
        }


def apply_policy(settings: "Settings", *, tell: Callable[[str], None] = lambda _step: None) -> AppliedPolicy:
    """Bring what is stored under the policy of the settings, if that is stricter; complete what was begun.

    Args:
        settings: Whose data directory, and the policy.
        tell: Is told each step.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        AlreadyRunning: A sync is at work.
        WarehouseLocked: Another program has the warehouse open. What was done is kept: run it again.
        WrongKey: The key is not the warehouse's.
        ModelError: The models cannot be built; run it again once they can.
        DataDirError: A file cannot be written.
    """
    with only_one(settings):
        warehouse = writable_warehouse(settings)
        tell("blanking the warehouse")
        with warehouse.begin() as transaction:
            held = held_pii(transaction.native, settings)
            if settings.pii is PiiPolicy.KEEP:
                _abandon(transaction, settings)
            if held is None or not is_unapplied(held, settings):
                return AppliedPolicy(is_changed=False, policy=settings.pii)
            pii = _blank(transaction, held, settings)
        tell("landed files")
        unreadable = _rewrite_landing(warehouse, settings, pii)
        tell("building models")
        build_and_check(settings, is_applying_policy=True)
        tell("writing the warehouse anew")
        _rewrite_warehouse(warehouse)
        tell("published copy and backup")
        published, backup = _replace_copies(settings)
        with warehouse.begin() as transaction:
            return _finish(transaction, settings, unreadable, published, backup)


def _blank(transaction: Transaction, held: HeldPii, settings: "Settings") -> Pii:
    """Blank rows and begin the receipt, in one transaction: what is half done refuses every other command."""
    key = find_key(settings)
    check_key(held, key, settings)
    assert key is not None  # noqa: S101 - checked
    pii = Pii(settings.pii, key, settings.pii_columns)
    now = as_utc(settings.clock())
    transaction.run(
        """
        insert into ops.pii_receipt (receipt_id, kind, started_at, messages, quarantined, files)
        select $id, 'policy', $now, 0, 0, 0
        where not exists (select 1 from ops.pii_receipt where finished_at is null)
        """,
        {"id": uuid4(), "now": now},
    )
    _treat(transaction, pii)
    (messages,) = transaction.row(
        f"update raw.sms set {', '.join(f'{name} = null' for name in BLANKED)} "  # noqa: S608 - our own names
        f"where {' or '.join(f'{name} is not null' for name in BLANKED)}"
    )
    _add_to_receipt(transaction, messages=messages, quarantined=_redact_quarantine(transaction, pii))
    write_pii(transaction, HeldPii(settings.pii, fingerprint(key)), settings.clock())
    mark_stale(transaction)
    return pii


def _treat(transaction: Transaction, pii: Pii) -> None:
    """Treat the columns that `keep` left as they came, in rows whose number, text or address tell so."""
    is_in_clear = "(phone is not null or text is not null or (ip is not null and not contains(ip, '/')))"
    for column in (*CODE_COLUMNS, *DEFAULT_TREATMENTS):
        _replace_values(transaction, "raw.sms", column, is_in_clear, partial(pii.treated, column))
    _replace_values(transaction, "raw.sms", "extra", is_in_clear, _shapes)
    is_in_clear = "(ip is not null and not contains(ip, '/'))"
    for column in (*CODE_COLUMNS, "ip"):
        _replace_values(transaction, "raw.bulk", column, is_in_clear, partial(pii.treated, column))
    _replace_values(transaction, "raw.bulk", "extra", "true", _shapes)


def _replace_values(
    transaction: Transaction, table: str, column: str, where: str, by: Callable[[str], str | None]
) -> None:
    """Replace each distinct value of a column, as text, by what a function makes of it."""
    found = transaction.native.execute(
        f"select distinct cast({column} as varchar) from {table} where {where} and {column} is not null"  # noqa: S608 - our own names
    ).fetchall()
    changed = [(old, new) for (old,) in found if (new := by(old)) != old]
    if not changed:
        return
    olds, news = (list(values) for values in zip(*changed, strict=True))
    transaction.run(
        f"""
        update {table} set {column} = changed.new
        from (
            select unnest(cast($olds as varchar[])) as old, unnest(cast($news as varchar[])) as new
        ) as changed
        where cast({table.partition(".")[2]}.{column} as varchar) = changed.old and {where}
        """,  # noqa: S608 - as above
        {"olds": olds, "news": news},
    )


def _shapes(extra: str) -> str:
    """Return what is kept of unknown fields; what was shapes before stays."""
    fields = msgspec.json.decode(extra.encode(), type=dict[str, msgspec.Raw])
    if all(is_shape(value) for value in fields.values()):
        return extra
    return msgspec.json.encode(shapes_of(fields)).decode()


def _redact_quarantine(transaction: Transaction, pii: Pii) -> int:
    """Redact what waits, or waited, as if it were read now: it is met again by what is kept of it."""
    rows = transaction.native.execute(
        "select quarantine_id, reason, uuid, price, raw from ops.quarantine where raw is not null"
    ).fetchall()
    found = [(id_, *_redacted(raw, reason, uuid, price, pii)) for id_, reason, uuid, price, raw in rows]
    changed = [new for new, old in zip(found, rows, strict=True) if new[1:] != (old[4], old[2], old[3])]
    if changed:
        ids, raws, uuids, prices = (list(column) for column in zip(*changed, strict=True))
        transaction.run(_REDACTED, {"ids": ids, "raws": raws, "uuids": uuids, "prices": prices})
    return len(changed)


def _redacted(
    raw: str, reason: str, uuid: str | None, price: str | None, pii: Pii
) -> tuple[str | None, str | None, str | None]:
    """Return raw, uuid and price of a bad row as the policy has them; never more than was kept."""
    bad = describe_bad_row(raw.encode(), reason, pii)
    return bad.raw, bad.uuid if uuid is not None else None, bad.price if price is not None else None


def _rewrite_landing(warehouse: Warehouse, settings: "Settings", pii: Pii) -> tuple[str, ...]:
    """Write landed files anew that hold what is not to be kept; return the names of unreadable ones."""
    remove_unfinished(settings.landing_dir)
    unreadable: list[str] = []
    files = 0
    for path in sorted(settings.landing_dir.glob("*/*.parquet")):
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException):
            unreadable.append(str(path.relative_to(settings.landing_dir)))
            continue
        blanked = _blanked_table(table, pii)
        if not blanked.equals(table):
            _put_in_place(path, blanked)
            files += 1
    if files:
        with warehouse.begin() as transaction:
            _add_to_receipt(transaction, files=files)
    return tuple(unreadable)


def _blanked_table(table: pa.Table, pii: Pii) -> pa.Table:
    table = _treated_table(table, pii)
    for name in BLANKED:
        if name in table.column_names:
            table = _with(table, name, pa.nulls(len(table), table.schema.field(name).type))
    if "bad_raw" not in table.column_names or table["bad_raw"].null_count == len(table):
        return table
    names = ("bad_raw", "bad_reason", "bad_uuid", "bad_price")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    redacted = [
        (raw, uuid, price) if raw is None else _redacted(raw, reason, uuid, price, pii)
        for raw, reason, uuid, price in rows
    ]
    for place, name in enumerate(("bad_raw", "bad_uuid", "bad_price")):
        table = _with(table, name, pa.array([row[place] for row in redacted], pa.string()))
    return table


def _treated_table(table: pa.Table, pii: Pii) -> pa.Table:
    """Treat the columns of the rows that `keep` left as they came; see `_treat`."""
    names = set(table.column_names)
    if "ip" not in names:
        return table
    is_in_clear = pc.and_(pc.is_valid(table["ip"]), pc.invert(pc.match_substring(table["ip"], "/")))
    is_in_clear = pc.fill_null(is_in_clear, False)
    for name in BLANKED:
        if name in names:
            is_in_clear = pc.or_(is_in_clear, pc.is_valid(table[name]))
    where = is_in_clear.to_pylist()
    functions = {name: partial(pii.treated, name) for name in (*CODE_COLUMNS, *DEFAULT_TREATMENTS)}
    for name, function in (functions | {"extra": _shapes}).items():
        if name in names:
            values = zip(table[name].to_pylist(), where, strict=True)
            treated = [function(value) if value and here else value for value, here in values]
            table = _with(table, name, pa.array(treated, pa.string()))
    return table


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(name), values)


def _put_in_place(path: Path, table: pa.Table) -> None:
    aside = path.with_suffix(STAGED_SUFFIX)
    try:
        with open_private(aside) as file:
            pq.write_table(table, file, compression="zstd")
        commit_file(aside, path)
    except OSError as exc:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise unusable(path, exc, "The landing file {path} cannot be written") from exc


def _rewrite_warehouse(warehouse: Warehouse) -> None:
    """Put a file in the place of the warehouse's that has its rows, and nothing of what was once in it.

    It is only read meanwhile: a connection that may write would clear away the new file's write-ahead log.
    """
    log = warehouse.path.with_name(f"{warehouse.path.name}.wal")
    aside = warehouse.path.with_name(f"{warehouse.path.name}.new")
    for _ in range(_TRIES):
        with warehouse.exclusive() as native:
            native.execute("checkpoint").fetchall()
        with warehouse.only_reading() as native:
            if log.exists():  # somebody has written since
                continue
            _write_anew(native, warehouse.path, aside)
        shutil.rmtree(f"{warehouse.path}.tmp", ignore_errors=True)  # what a query that was killed had spilt
        return
    raise WarehouseLocked(
        f"The warehouse {warehouse.path} is written all the time by another program.",
        hint="End it, and run `sms-etl pii apply` again.",
    )


def _write_anew(native: duckdb.DuckDBPyConnection, path: Path, aside: Path) -> None:
    try:
        forget(aside)
        rewrite(native, aside)
        commit_file(aside, path)
    except OSError as exc:
        raise unusable(path, exc) from exc
    finally:
        forget(aside)


def _replace_copies(settings: "Settings") -> tuple[Path | None, Path | None]:
    """Replace the published copy and the backup of the data directory, where there is one."""
    published = backup = None
    if settings.published_path.exists():
        published = publish(settings, forced_reason=_WHY_FORCED, is_applying_policy=True).path
    if settings.backup_path.exists():
        backup = back_up(settings).path
    for left in (*settings.published_path.parent.glob("*.tmp*"), *settings.backup_path.parent.glob("*.tmp*")):
        left.unlink(missing_ok=True)  # of a run that was killed
    return published, backup


def _add_to_receipt(transaction: Transaction, **counts: int) -> None:
    added = ", ".join(f"{name} = {name} + {int(count)}" for name, count in counts.items())
    transaction.run(f"update ops.pii_receipt set {added} where finished_at is null")  # noqa: S608 - our own names


def _abandon(transaction: Transaction, settings: "Settings") -> None:
    """Close what was begun and is not wanted any more."""
    transaction.run(
        "update ops.pii_receipt set finished_at = $now, reason = 'not completed: SMS_ETL_PII=keep' "
        "where finished_at is null",
        {"now": as_utc(settings.clock())},
    )


def _finish(
    transaction: Transaction,
    settings: "Settings",
    unreadable: tuple[str, ...],
    published: Path | None,
    backup: Path | None,
) -> AppliedPolicy:
    receipt_id, messages, quarantined, files = transaction.row(
        "select receipt_id, messages, quarantined, files from ops.pii_receipt where finished_at is null"
    )
    transaction.run(
        "update ops.pii_receipt set finished_at = $now where finished_at is null",
        {"now": as_utc(settings.clock())},
    )
    return AppliedPolicy(
        is_changed=True,
        policy=settings.pii,
        receipt_id=receipt_id,
        messages=messages,
        quarantined=quarantined,
        files=files,
        files_unreadable=unreadable,
        published=published,
        backup=backup,
    )
