"""Carries out a stricter policy on what is stored already: warehouse, landed files, published copy, backup.

Every step can be run again, and an open row of `ops.pii_receipt` refuses all that writes or publishes until
the last one is done. What is blanked in a DuckDB file stays in its free blocks, so the file is written anew.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sms_etl.build import build_and_check
from sms_etl.build_state import mark_stale
from sms_etl.pii.key import find_key, fingerprint
from sms_etl.pii.policy import CODE_COLUMNS, DEFAULT_TREATMENTS, Pii, PiiPolicy
from sms_etl.pii.receipts import Kind, add_to_receipt, begin_receipt, finish_receipt
from sms_etl.pii.redaction import is_shape, shapes_of
from sms_etl.pii.rewriting import (
    ReplacedCopies,
    RewrittenFiles,
    replace_copies,
    replace_values,
    rewrite_landing,
    rewrite_warehouse,
    with_column,
    write_redacted,
)
from sms_etl.pii.senders import treated_sender
from sms_etl.pii.state import HeldPii, check_key, held_pii, is_unapplied, pii_of, refuse_rotating, write_pii
from sms_etl.providers.lox24.bad_rows import describe_bad_row
from sms_etl.sync.lock import only_one
from sms_etl.warehouse.kept_rows import HOLDS, keep, reconcile
from sms_etl.warehouse.store import Transaction, writable_warehouse

if TYPE_CHECKING:
    from sms_etl.settings import Settings

BLANKED = ("phone", "text")
"""Columns of messages that only `keep` fills; what is derived of them is there under either policy."""
_WHY_FORCED = "the personal data of the copy before had to go (sms-etl pii apply)"


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
    copies_errors: tuple[str, ...] = ()
    """Copies in Parquet or PostgreSQL that could not be replaced."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            **asdict(self),
            "receipt_id": self.receipt_id and str(self.receipt_id),
            "files_unreadable": list(self.files_unreadable),
            "copies_errors": list(self.copies_errors),
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
            if held is not None:
                refuse_rotating(held)
            if settings.pii is PiiPolicy.KEEP:
                reason = "not completed: SMS_ETL_PII=keep"
                finish_receipt(transaction, Kind.POLICY, settings.clock(), reason)
            if held is None or not is_unapplied(held, settings):
                return AppliedPolicy(is_changed=False, policy=settings.pii)
            pii = _blank(transaction, held, settings)
        tell("landed files")
        landed = rewrite_landing(settings, partial(_blanked_table, pii=pii))
        with warehouse.begin() as transaction:
            add_to_receipt(transaction, Kind.POLICY, files=landed.files)
        tell("building models")
        build_and_check(settings, is_applying_policy=True)
        tell("writing the warehouse anew")
        rewrite_warehouse(warehouse, "sms-etl pii apply")
        tell("published copy and backup")
        copies = replace_copies(settings, _WHY_FORCED)
        with warehouse.begin() as transaction:
            return _finish(transaction, settings, landed, copies)


def _blank(transaction: Transaction, held: HeldPii, settings: "Settings") -> Pii:
    """Blank rows and begin the receipt, in one transaction: what is half done refuses every other command."""
    key = find_key(settings)
    check_key(held, key, settings)
    assert key is not None  # noqa: S101 - checked
    pii = pii_of(settings, key)
    begin_receipt(transaction, Kind.POLICY, settings.clock())
    _treat(transaction, pii)
    (messages,) = transaction.row(
        f"update raw.sms set {', '.join(f'{name} = null' for name in BLANKED)} "  # noqa: S608 - our own names
        f"where {' or '.join(f'{name} is not null' for name in BLANKED)}"
    )
    quarantined = _redact_quarantine(transaction, pii)
    add_to_receipt(transaction, Kind.POLICY, messages=messages, quarantined=quarantined)
    write_pii(transaction, HeldPii(settings.pii, fingerprint(key, pii.retired)), settings.clock())
    mark_stale(transaction)
    return pii


def _treat(transaction: Transaction, pii: Pii) -> None:
    """Treat the columns that `keep` left as they came, in rows whose number, text or address tell so."""
    is_in_clear = "(phone is not null or text is not null or (ip is not null and not contains(ip, '/')))"
    for column in (*CODE_COLUMNS, *DEFAULT_TREATMENTS):
        replace_values(transaction, "raw.sms", column, is_in_clear, partial(pii.treated, column))
    replace_values(transaction, "raw.sms", "extra", is_in_clear, _shapes)
    is_in_clear = "(ip is not null and not contains(ip, '/'))"
    for column in (*CODE_COLUMNS, "ip"):
        replace_values(transaction, "raw.bulk", column, is_in_clear, partial(pii.treated, column))
    replace_values(transaction, "raw.bulk", "extra", "true", _shapes)
    reconcile(transaction, HOLDS)
    replace_values(transaction, "ops.hold", "sender_id", "true", partial(treated_sender, pii))
    keep(transaction, HOLDS)


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
    write_redacted(transaction, changed)
    return len(changed)


def _redacted(
    raw: str, reason: str, uuid: str | None, price: str | None, pii: Pii
) -> tuple[str | None, str | None, str | None]:
    """Return raw, uuid and price of a bad row as the policy has them; never more than was kept."""
    bad = describe_bad_row(raw.encode(), reason, pii)
    return bad.raw, bad.uuid if uuid is not None else None, bad.price if price is not None else None


def _blanked_table(table: pa.Table, pii: Pii) -> pa.Table:
    table = _treated_table(table, pii)
    for name in BLANKED:
        if name in table.column_names:
            table = with_column(table, name, pa.nulls(len(table), table.schema.field(name).type))
    if "bad_raw" not in table.column_names or table["bad_raw"].null_count == len(table):
        return table
    names = ("bad_raw", "bad_reason", "bad_uuid", "bad_price")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    redacted = [
        (raw, uuid, price) if raw is None else _redacted(raw, reason, uuid, price, pii)
        for raw, reason, uuid, price in rows
    ]
    for place, name in enumerate(("bad_raw", "bad_uuid", "bad_price")):
        table = with_column(table, name, pa.array([row[place] for row in redacted], pa.string()))
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
            table = with_column(table, name, pa.array(treated, pa.string()))
    return table


def _finish(
    transaction: Transaction, settings: "Settings", landed: RewrittenFiles, copies: ReplacedCopies
) -> AppliedPolicy:
    found = finish_receipt(transaction, Kind.POLICY, settings.clock())
    assert found is not None  # noqa: S101 - it was begun with the first step
    receipt_id, messages, quarantined, files = found
    return AppliedPolicy(
        is_changed=True,
        policy=settings.pii,
        receipt_id=receipt_id,
        messages=messages,
        quarantined=quarantined,
        files=files,
        files_unreadable=landed.unreadable,
        published=copies.published,
        backup=copies.backup,
        copies_errors=copies.errors,
    )
