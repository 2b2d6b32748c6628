"""Gives everything that is stored a new key: each stored hash is hashed again by it, and joins as before.

A number cannot be read from its hash, so the hash of the old key stays a step of the new one, and the old key
is kept for that, as retired (decision 0024). Who has the old key alone can no longer find a number. Every
step can be run again; until the last one is done, an open receipt refuses whatever reads or writes by a key.
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from sms_etl.build import build_and_check
from sms_etl.build_state import mark_stale
from sms_etl.errors import WrongKey
from sms_etl.files import unusable, write_private
from sms_etl.pii.key import (
    HOW_TO_MAKE_ONE,
    discard_new_keys,
    find_key,
    find_retired_keys,
    fingerprint,
    install_new_keys,
    new_keys,
    put_new_keys_aside,
)
from sms_etl.pii.policy import CODE_COLUMNS, Treatment, rehashing
from sms_etl.pii.receipts import Kind, add_to_receipt, begin_receipt, finish_receipt
from sms_etl.pii.rewriting import (
    replace_copies,
    replace_values,
    rewrite_landing,
    rewrite_warehouse,
    with_column,
)
from sms_etl.pii.state import HeldPii, check_key, held_pii, refuse_unapplied, write_pii
from sms_etl.settings import Settings
from sms_etl.sync.lock import only_one
from sms_etl.warehouse.kept_rows import KEPT_TABLES, keep, reconcile
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

COMMAND = "sms-etl pii rotate"
HASHED = ("phone_hash", "phone_range", "text_template")
"""Columns of messages that hold nothing but keyed hashes, under either policy."""
_MARKED = (*CODE_COLUMNS, "sender_id", "callback_data", "ip")
"""Columns that may hold a hash, or a mask that ends in the digits of one, as the policy has it."""
_IS_HASHED = r"(?:\+?[0-9]{0,2}\*+[0-9]{0,2})?~[0-9a-f]{8}|[0-9a-f]{32}"
_ELSEWHERE = (
    *(("ops.hold", "sender_id"), ("ops.erasure", "subject"), ("ops.erasure", "state")),
    *(("ops.campaign", "sender_id"), ("ops.campaign", "digest"), ("ops.campaign", "recipients_digest")),
)
"""Columns of other tables that hold a hash, or a sender as `raw.sms` has it."""
_NAMED_BY_DIGEST = "select campaign_id from ops.campaign where length(key) >= 8 and starts_with(digest, key)"
"""Campaigns whose key nobody has chosen: it is the beginning of their digest, by which they are met again."""
_OPT_OUTS, _MADE_BY = "opt_outs.csv", "key_fingerprint"
"""Among the seeds of the data directory: numbers that must not be written to, by their hashes."""
_IN_CLEAR = "(phone is not null or text is not null or (ip is not null and not contains(ip, '/')))"
_FILE_KEY = b"sms_etl_key"
"""In the metadata of a landed file: the fingerprint of the key that a rotation hashed it by."""
_AT_ONCE = 200_000
"""Distinct values that are hashed together: each takes some hundred bytes."""
_WHY_FORCED = "the key of the hashes was changed (sms-etl pii rotate)"


@dataclass(frozen=True)
class Rotation:
    """What was done; of a run that completes an interrupted one, the counts of both."""

    receipt_id: UUID
    key_fingerprint: str
    """Of the new key, after the retired ones."""
    retired: int
    """Keys that are kept to make hashes with."""
    messages: int
    """Messages whose hashes were hashed again."""
    files: int
    """Landed files that were written again."""
    files_unreadable: tuple[str, ...]
    published: Path | None
    backup: Path | None
    copies_errors: tuple[str, ...] = ()
    """Copies in Parquet or PostgreSQL that could not be replaced."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            **asdict(self),
            "receipt_id": str(self.receipt_id),
            "files_unreadable": list(self.files_unreadable),
            "copies_errors": list(self.copies_errors),
            "published": self.published and str(self.published),
            "backup": self.backup and str(self.backup),
        }


def rotate(
    settings: Settings, old_key: bytes | None = None, *, tell: Callable[[str], None] = lambda _step: None
) -> Rotation:
    """Make a new key and hash by it what is stored; complete what was begun.

    Args:
        settings: Whose data directory. If SMS_ETL_PII_KEY is set, it is the new key already.
        old_key: The key until now, if SMS_ETL_PII_KEY is set.
        tell: Is told each step.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        AlreadyRunning: A sync is at work.
        WrongKey: The key until now is not the warehouse's, or not given.
        PolicyNotApplied: `sms-etl pii apply` was not carried out, or not completed.
        WarehouseLocked: Another program has the warehouse open. What was done is kept: run it again.
        ModelError: The models cannot be built; run it again once they can.
        DataDirError: A file cannot be written.
    """
    with only_one(settings):
        warehouse = writable_warehouse(settings)
        tell("hashing the warehouse again")
        _hash_again(warehouse, settings, old_key)
        install_new_keys(settings)
        key, retired = new_keys(settings)
        told = fingerprint(key, retired)
        tell("landed files")
        _rehash_opt_outs(settings.data_dir / "seeds" / _OPT_OUTS, key, retired)
        landed = rewrite_landing(settings, partial(_rehashed_table, key=key, told=told))
        with warehouse.begin() as transaction:
            add_to_receipt(transaction, Kind.ROTATION, files=landed.files)
        tell("building models")
        build_and_check(settings, is_applying_policy=True)
        tell("writing the warehouse anew")
        rewrite_warehouse(warehouse, COMMAND)
        tell("published copy and backup")
        copies = replace_copies(settings, _WHY_FORCED)
        with warehouse.begin() as transaction:
            found = finish_receipt(transaction, Kind.ROTATION, settings.clock())
    assert found is not None  # noqa: S101 - it was begun with the first step
    receipt_id, messages, _, files = found
    return Rotation(
        receipt_id=receipt_id,
        key_fingerprint=told,
        retired=len(retired),
        messages=messages,
        files=files,
        files_unreadable=landed.unreadable,
        published=copies.published,
        backup=copies.backup,
        copies_errors=copies.errors,
    )


def _hash_again(warehouse: Warehouse, settings: Settings, old_key: bytes | None) -> None:
    """Hash the warehouse's hashes again and begin the receipt, in one transaction, unless it was begun."""
    with warehouse.begin() as transaction:
        held = held_pii(transaction.native, settings)
        if held is not None and held.is_rotating:
            return
        old = _old_key(settings, old_key)
        retired = find_retired_keys(settings)
        if held is not None:
            refuse_unapplied(held, settings)
            told = fingerprint(old, retired)
            if held.key_fingerprint not in {None, told}:
                _refuse_old_key(held, settings, old_key)
        key = put_new_keys_aside(settings, (*retired, old))
        begin_receipt(transaction, Kind.ROTATION, settings.clock())
        add_to_receipt(transaction, Kind.ROTATION, messages=_rehash(transaction, settings, key))
        policy = settings.pii if held is None else held.policy
        write_pii(transaction, HeldPii(policy, fingerprint(key, (*retired, old))), settings.clock())
        mark_stale(transaction)


def _old_key(settings: Settings, given: bytes | None) -> bytes:
    """Return the key until now.

    Raises:
        WrongKey: It is not given, or is the new one too.
    """
    if settings.pii_key is None:
        key = find_key(settings)
        if key is None:
            raise WrongKey("There is no key yet to be replaced.", hint="The first `sms-etl sync` makes one.")
        return key
    if given is None or given == find_key(settings):
        raise WrongKey(
            "SMS_ETL_PII_KEY is set: it must be the new key, and the key until now be given beside it.",
            hint=f"Make a new one ({HOW_TO_MAKE_ONE}), set SMS_ETL_PII_KEY to it, and run "
            f"`{COMMAND} --old-key FILE`, where the file holds the key until now. Nothing was changed.",
        )
    return given


def _refuse_old_key(held: HeldPii, settings: Settings, given: bytes | None) -> None:
    discard_new_keys(settings)
    if given is None:
        check_key(held, find_key(settings), settings)
    raise WrongKey(
        f"What is given as the key until now did not make the warehouse's hashes, whose key has the "
        f"fingerprint {held.key_fingerprint}.",
        hint="Give the key that SMS_ETL_PII_KEY was set to until now. Nothing was changed.",
    )


def _rehash(transaction: Transaction, settings: Settings, key: bytes) -> int:
    """Hash again what the warehouse holds; return how many messages it concerns."""
    for kept in KEPT_TABLES:
        reconcile(transaction, kept)
    by = rehashing(key)
    for column in HASHED:
        for part in _parts(transaction, "raw.sms", column):
            replace_values(transaction, "raw.sms", column, part, by)
    for column in _marked(settings):
        pattern = f"regexp_full_match({column}, '{_IS_HASHED}')"
        replace_values(transaction, "raw.sms", column, f"not {_IN_CLEAR} and {pattern}", by)
        if column in {*CODE_COLUMNS, "ip"}:
            replace_values(transaction, "raw.bulk", column, pattern, by)
    named = [id_ for (id_,) in transaction.native.execute(_NAMED_BY_DIGEST).fetchall()]
    for table, column in _ELSEWHERE:
        replace_values(transaction, table, column, f"regexp_full_match({column}, '{_IS_HASHED}')", by)
    transaction.run(
        "update ops.campaign set key = left(digest, length(key)) "
        "where campaign_id in (select unnest(cast($named as uuid[])))",
        {"named": named},
    )
    for kept in KEPT_TABLES:
        keep(transaction, kept)
    (count,) = transaction.row("select count(*) from raw.sms where phone_hash is not null")
    return int(count)


def _marked(settings: Settings) -> tuple[str, ...]:
    """Return the columns that may hold hashes; what is kept as it comes may look like one and is none."""
    return tuple(name for name in _MARKED if settings.pii_columns.get(name) is not Treatment.KEEP)


def _parts(transaction: Transaction, table: str, column: str) -> Iterator[str]:
    """Return conditions that divide the rows so that the distinct values of each part fit into memory.

    By uuid: the new values would be met again in a later part if they were divided themselves.
    """
    (count,) = transaction.row(f"select approx_count_distinct({column}) from {table}")
    parts = max(1, -(-int(count) // _AT_ONCE))
    yield from (f"{column} is not null and hash(uuid) % {parts} = {part}" for part in range(parts))


def _rehash_opt_outs(path: Path, key: bytes, retired: Sequence[bytes]) -> None:
    """Hash again the hashes of those who opted out; each line says by which key it is done.

    Lines that are no hash, or of another key, stay for whoever reads the file to complain about.

    Raises:
        DataDirError: The file cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        return  # nor is it read by a campaign, which says so
    except OSError as exc:
        raise unusable(path, exc, "The file {path} cannot be read") from exc
    before, now = fingerprint(retired[-1], retired[:-1]), fingerprint(key, retired)
    text = _rehashed_lines(text, rehashing(key), before=before, now=now)
    write_private(path, text.encode())


def _rehashed_lines(text: str, by: Callable[[str], str], *, before: str, now: str) -> str:
    lines: list[str] = []
    head: list[str] = []
    delimiter = ","
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            lines.append(line)
            continue
        if not head:
            delimiter = ";" if ";" in line else ","
            head = [name.strip().lower() for name in line.split(delimiter)]
            if "phone_hash" not in head:
                return text
            head += [] if _MADE_BY in head else [_MADE_BY]
            lines.append(delimiter.join(head))
            continue
        fields = next(csv.reader([line], delimiter=delimiter))
        fields += [""] * (len(head) - len(fields))
        hashed, made_by = head.index("phone_hash"), head.index(_MADE_BY)
        found = fields[hashed].strip().lower()
        if re.fullmatch("[0-9a-f]{32}", found) and fields[made_by].strip() in {"", before}:
            fields[hashed], fields[made_by] = by(found), now
        written = io.StringIO(newline="")
        csv.writer(written, delimiter=delimiter, lineterminator="").writerow(fields)
        lines.append(written.getvalue())
    return "\n".join(lines) + "\n"


def _rehashed_table(table: pa.Table, *, key: bytes, told: str) -> pa.Table:
    """Return a landed file's rows hashed again; one that was is returned as it is."""
    metadata = table.schema.metadata or {}
    if metadata.get(_FILE_KEY) == told.encode():
        return table
    by = rehashing(key)
    names = set(table.column_names)
    for name in HASHED:
        if name in names:
            table = with_column(table, name, _replaced(table[name], by))
    is_clear = _is_clear(table)
    for name in _MARKED:
        if name in names:
            is_hashed = pc.match_substring_regex(table[name], f"^(?:{_IS_HASHED})$")
            where = pc.fill_null(pc.and_(is_hashed, pc.invert(is_clear)), False)
            hashed = _replaced(pc.if_else(where, table[name], None), by)
            table = with_column(table, name, pc.if_else(where, hashed, table[name]))
    return table.replace_schema_metadata({**metadata, _FILE_KEY: told.encode()})


def _is_clear(table: pa.Table) -> pa.ChunkedArray | pa.Array:
    is_clear = pa.array([False] * len(table))
    names = set(table.column_names)
    if "ip" in names:
        has_address = pc.and_(pc.is_valid(table["ip"]), pc.invert(pc.match_substring(table["ip"], "/")))
        is_clear = pc.fill_null(has_address, False)
    for name in ("phone", "text"):
        if name in names:
            is_clear = pc.or_(is_clear, pc.is_valid(table[name]))
    return is_clear


def _replaced(values: pa.ChunkedArray, by: Callable[[str], str]) -> pa.Array:
    """Replace each distinct value of a column."""
    coded = values.combine_chunks().dictionary_encode()
    made = [None if value is None else by(value) for value in coded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(coded.indices)
