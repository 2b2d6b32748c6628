"""What is taken from a stored message so that it is nobody's any more, in the warehouse and in landed files.

Figures stay: times, states, prices, parts, country, key. So does what the counts of a text tell (its units,
parts and signs outside GSM 03.38), from which no word can be read back.
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sms_etl.erasure.subject import Subject
from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.pii.rewriting import with_column, write_redacted
from sms_etl.providers.lox24.bad_rows import BadRow, describe_bad_row
from sms_etl.providers.lox24.records import UNREADABLE
from sms_etl.warehouse.store import Transaction

ERASED = (
    "phone",
    "phone_hash",
    "phone_masked",
    "phone_range",
    "text",
    "text_template",
    "callback_data",
    "ip",
    "extra",
)
"""Columns of the person's own messages that become null; `sender_id` too, if it is the person's number."""


class _Row(msgspec.Struct):
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Blanked:
    """What was blanked in the warehouse."""

    messages: int
    """The person's own."""
    others: int
    """Messages of others that named the number, as their sender or in what only `keep` stores."""
    quarantined: int

    @property
    def is_any(self) -> bool:
        """Whether anything was."""
        return bool(self.messages or self.others or self.quarantined)


class Eraser:
    """Knows what in stored rows is of the person.

    Args:
        subject: The person.
        pii: Of the warehouse.
    """

    def __init__(self, subject: Subject, pii: Pii) -> None:
        self.subject = subject
        self.hashes = tuple(pii.hash_of(number) for number in subject.numbers)
        self._hidden = Pii(PiiPolicy.PSEUDONYMISE, pii.key, pii.treatments, pii.retired)
        written = [f"{start}{digits}" for digits in subject.digits for start in ("+", "00", "")]
        self._hashed = {pii.hash_of(text) for text in written}
        self._marked = {self._hidden.treated("sender_id", text) for text in written} - {None, ""}

    def is_sender(self, value: str | None) -> bool:
        """Whether a stored sender is the person's number, as it is, masked or hashed."""
        return value in self._marked or value in self._hashed or self.subject.is_number(value)

    def is_callback(self, value: str | None) -> bool:
        """Whether stored callback data is the person's number or names it."""
        return value in self._hashed or self.subject.is_in(value)

    def redacted(self, raw: str | None, reason: str) -> BadRow | None:
        """Return what stays of a row that could not be loaded; None: it does not name the person."""
        if raw is None or not self._is_named_in(raw):
            return None
        return describe_bad_row(raw.encode(), reason, self._hidden)

    def _is_named_in(self, raw: str) -> bool:
        if self.subject.is_in(raw):
            return True
        try:
            return self.subject.is_number(msgspec.json.decode(raw, type=_Row).phone)
        except UNREADABLE:
            return False

    # The warehouse

    def blank(self, transaction: Transaction, uuids: Collection[str], *, but_not: Collection[str]) -> Blanked:
        """Blank rows of the warehouse.

        Args:
            transaction: To write in.
            uuids: The person's own messages that go.
            but_not: Those that stay whole.
        """
        (messages,) = transaction.row(
            f"""
            update raw.sms set {", ".join(f"{name} = null" for name in ERASED)}
            where uuid in (select unnest(cast($uuids as uuid[])))
            """,
            {"uuids": list(uuids)},
        )
        others = self._blank_in_others(transaction, but_not)
        return Blanked(int(messages), others, self._redact_quarantine(transaction, but_not))

    def count_others(self, transaction: Transaction, *, but_not: Collection[str]) -> int:
        """Count the messages of others that name the number."""
        (count,) = transaction.row(
            f"select count(*) from raw.sms where {self._named(transaction)}", self._named_by(but_not)
        )
        return int(count)

    def count_quarantined(self, transaction: Transaction, *, but_not: Collection[str]) -> int:
        """Count the rows in quarantine that name the person and would be redacted."""
        return len(self._in_quarantine(transaction, but_not))

    def _named(self, transaction: Transaction) -> str:
        """Return the condition of messages that name the number and are not the person's own."""
        transaction.run("set variable erasure_pattern = cast($1 as varchar)", [self.subject.pattern])
        transaction.run("set variable erasure_senders = cast($1 as varchar[])", [self._senders(transaction)])
        transaction.run("set variable erasure_hashed = cast($1 as varchar[])", [sorted(self._hashed)])
        return f"""
            uuid not in (select unnest(cast($but_not as uuid[])))
            and (phone_hash is null or not list_contains(cast($hashes as varchar[]), phone_hash))
            and (
                coalesce(list_contains(getvariable('erasure_senders'), sender_id), false)
                or {_CALLS_BACK} or {_names_it("text")} or {_names_it("extra")}
            )
        """

    def _named_by(self, but_not: Collection[str]) -> dict[str, object]:
        return {"but_not": list(but_not), "hashes": list(self.hashes)}

    def _senders(self, transaction: Transaction) -> list[str]:
        """Return the senders, as they are stored, that are the person's number."""
        rows = transaction.native.execute(
            "select distinct sender_id from raw.sms where sender_id is not null"
        ).fetchall()
        return [sender for (sender,) in rows if self.is_sender(sender)]

    def _blank_in_others(self, transaction: Transaction, but_not: Collection[str]) -> int:
        condition, values = self._named(transaction), self._named_by(but_not)
        changed = transaction.native.execute(
            f"select cast(uuid as varchar), text from raw.sms where {condition} and {_names_it('text')}",
            values,
        ).fetchall()
        (count,) = transaction.row(
            f"""
            update raw.sms set
                sender_id = case
                    when list_contains(getvariable('erasure_senders'), sender_id) then null else sender_id
                end,
                callback_data = case when {_CALLS_BACK} then null else callback_data end,
                extra = case when {_names_it("extra")} then null else extra end
            where {condition}
            """,
            values,
        )
        if changed:
            uuids, texts = (list(column) for column in zip(*changed, strict=True))
            transaction.run(
                """
                update raw.sms set text = changed.text
                from (
                    select unnest(cast($uuids as uuid[])) as uuid, unnest(cast($texts as varchar[])) as text
                ) as changed
                where raw.sms.uuid = changed.uuid
                """,
                {"uuids": uuids, "texts": [self.subject.struck_out(text) for text in texts]},
            )
        # Also of the person's own that go: they are blanked by now but for their sender.
        transaction.run(
            """
            update raw.sms set sender_id = null
            where phone_hash is null and list_contains(getvariable('erasure_senders'), sender_id)
            """
        )
        transaction.run(f"update raw.bulk set extra = null where {_names_it('extra')}")
        return int(count)

    def _in_quarantine(self, transaction: Transaction, but_not: Collection[str]) -> list[tuple[UUID, BadRow]]:
        rows = transaction.native.execute(
            "select quarantine_id, reason, uuid, raw from ops.quarantine where raw is not null"
        ).fetchall()
        stay = set(but_not)
        found = [(id_, self.redacted(raw, reason)) for id_, reason, uuid, raw in rows if uuid not in stay]
        return [(id_, bad) for id_, bad in found if bad is not None]

    def _redact_quarantine(self, transaction: Transaction, but_not: Collection[str]) -> int:
        found = self._in_quarantine(transaction, but_not)
        write_redacted(transaction, [(id_, bad.raw, bad.uuid, bad.price) for id_, bad in found])
        return len(found)

    # Landed files

    def blanked_table(
        self, table: pa.Table, *, uuids: Collection[str] = (), but_not: Collection[str] = ()
    ) -> pa.Table:
        """Return the rows of a landed file without what is of the person.

        Args:
            table: Of messages or bulks.
            uuids: The person's own messages that go, whether or not their number is there to be seen.
            but_not: Those that stay whole.
        """
        names = set(table.column_names)
        if not len(table):
            return table
        stays = _is_one_of(table, "uuid", but_not)
        may_change = pc.invert(stays)
        is_own = pc.or_(_is_one_of(table, "phone_hash", self.hashes), _is_one_of(table, "uuid", uuids))
        is_own = pc.and_(is_own, may_change)
        for name in ERASED:
            if name in names:
                table = _nulled(table, name, is_own)
        for name, is_meant in (
            ("sender_id", self.is_sender),
            ("callback_data", self.is_callback),
            ("extra", self.subject.is_in),
        ):
            if name in names:
                meant = [value for value in pc.unique(table[name]).to_pylist() if is_meant(value)]
                table = _nulled(table, name, pc.and_(_is_one_of(table, name, meant), may_change))
        if "text" in names and table["text"].null_count < len(table):
            texts = zip(table["text"].to_pylist(), may_change.to_pylist(), strict=True)
            kept = [self.subject.struck_out(text) if text and may else text for text, may in texts]
            table = with_column(table, "text", kept)
        return self._redacted_table(table, but_not)

    def _redacted_table(self, table: pa.Table, but_not: Collection[str]) -> pa.Table:
        if "bad_raw" not in table.column_names or table["bad_raw"].null_count == len(table):
            return table
        columns = {name: table[name].to_pylist() for name in ("bad_raw", "bad_uuid", "bad_price")}
        stay = set(but_not)
        for place, reason in enumerate(table["bad_reason"].to_pylist()):
            if columns["bad_uuid"][place] in stay:
                continue
            bad = self.redacted(columns["bad_raw"][place], reason or "")
            if bad is not None:
                for name, value in (("bad_raw", bad.raw), ("bad_uuid", bad.uuid), ("bad_price", bad.price)):
                    columns[name][place] = value
        for name, values in columns.items():
            table = with_column(table, name, values)
        return table


def _names_it(column: str) -> str:
    """Return the condition that one of the numbers stands in a column."""
    return f"coalesce(regexp_matches(cast({column} as varchar), getvariable('erasure_pattern')), false)"


_CALLS_BACK = f"""(
    coalesce(list_contains(getvariable('erasure_hashed'), callback_data), false)
    or {_names_it("callback_data")}
)"""
"""The condition that callback data are one of the numbers, or name one; as `Eraser.is_callback`."""


def _is_one_of(table: pa.Table, name: str, values: Collection[str]) -> pa.Array:
    if name not in table.column_names or not values:
        return pa.array([False] * len(table))
    return pc.is_in(table[name].combine_chunks(), value_set=pa.array(list(values), pa.string()))


def _nulled(table: pa.Table, name: str, where: pa.Array) -> pa.Table:
    if not pc.any(where).as_py():
        return table
    nothing = pa.nulls(len(table), table.schema.field(name).type)
    return with_column(table, name, pc.if_else(where, nothing, table[name].combine_chunks()))
