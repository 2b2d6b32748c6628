"""The ledger of deletions, `ops.deletion`: append-only, each row sealed by the hash of the one before.

A batch is written as intended, and committed, before anything is asked of anybody, and its outcome after it:
whatever stops a run, the next one sees what was begun. The newest row's hash is also kept in a file beside
the warehouse: before the commit as what is coming, after it as what is there. So rows that are missing at the
end are noticed, and rows that somebody else appended too. No row holds a number, a text or a token.

    ledger = Ledger(warehouse, clock)
    operation = Operation(uuid4(), Action.DELETE, Place.LOX24, rule="old", plan_id=plan_id)
    with ledger.begin() as page:
        page.record(Event.INTENDED, operation, uuids)
    ...
    with ledger.begin() as page:
        page.transaction.run("update ...")
        page.record(Event.CONFIRMED, operation, uuids)
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import duckdb
import msgspec

from sms_etl.clock import Clock, as_utc
from sms_etl.errors import LedgerBroken
from sms_etl.files import commit_file, open_private, unusable
from sms_etl.retention.actor import current_actor
from sms_etl.warehouse.store import Transaction, Warehouse

FIRST_HASH = "0" * 64
"""What the first row has as the hash of the one before it."""
ACCEPTING = "accept"
"""The rule of rows by which somebody accepts a broken chain."""


class Event(StrEnum):
    """What a row tells."""

    INTENDED = "intended"
    """Written before the call."""
    DONE = "done"
    """The provider answered. Whether it did it is not known yet."""
    CONFIRMED = "confirmed"
    """Looked for afterwards, and gone."""
    FAILED = "failed"
    """Refused, or looked for afterwards and still there."""
    ACCEPTED = "accepted"
    """Somebody accepted that the rows before are not whole."""


class Action(StrEnum):
    """What is done to it."""

    DELETE = "delete"
    CANCEL = "cancel"
    REMOVE = "remove"
    BLANK = "blank"
    ACCEPT = "accept"


class Place(StrEnum):
    """Where."""

    LOX24 = "lox24"
    TWOSMS = "twosms"
    LANDING = "landing"
    WAREHOUSE = "warehouse"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, or one batch of files."""

    operation_id: UUID
    action: Action
    place: Place
    rule: str
    """What released it: a rule's name, or a word such as `erasure`."""
    plan_id: UUID | None = None
    """The plan or erasure it carries out."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger, in the order of its columns; times are UTC, without a time zone."""

    sequence: int
    recorded_at: datetime
    event: str
    operation_id: UUID
    plan_id: UUID | None
    action: str
    place: str
    rule: str
    what: tuple[str, ...]
    proof_digest: str | None
    actor: str
    answer_count: int | None
    request_id: str | None
    note: str | None
    previous_hash: str
    hash: str

    def seal(self) -> str:
        """Return the hash that this row should have: of all of its columns but `hash`."""
        values = [None if value is None else _text(value) for value in astuple(self)[:-1]]
        return hashlib.sha256(json.dumps(values, ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """An operation as the ledger tells it."""

    operation: Operation
    intended: tuple[str, ...]
    confirmed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_answered: bool = False
    """Whether the provider's answer is in the ledger."""
    proof_digest: str | None = None

    @property
    def left(self) -> tuple[str, ...]:
        """What was begun and whose end is not known."""
        settled = {*self.confirmed, *self.failed}
        return tuple(each for each in self.intended if each not in settled)


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the ledger is whole."""

    rows: int
    head: str
    """The newest row's hash."""
    broken_at: int | None = None
    """The first row that is not as it was written, or that is missing; None: none."""
    problem: str | None = None
    """What is wrong, as a sentence."""
    accepted: tuple[int, ...] = ()
    """Rows by which somebody accepted that those before are not whole."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.problem is None


class _Head(msgspec.Struct, frozen=True):
    """What the file beside the warehouse holds."""

    sequence: int
    hash: str
    next_sequence: int | None = None
    """Of the newest row that is being committed; None: none is."""
    next_hash: str | None = None

    def is_at(self, sequence: int, hash_: str) -> bool:
        """Whether the ledger may end with a row: the newest one, or the one that was being committed."""
        return (sequence, hash_) in {(self.sequence, self.hash), (self.next_sequence, self.next_hash)}


@dataclass(slots=True)
class Page:
    """A transaction in which rows are written."""

    transaction: Transaction
    clock: Clock
    actor: str
    first: Row | None = None
    """The oldest row that was written in it."""
    last: Row | None = None
    """The newest one."""

    def outcomes(self, plan_id: UUID | None) -> "list[Outcome]":
        """Return the operations of a plan, or all, oldest first."""
        return outcomes_of(read_rows(self.transaction.native, plan_id=plan_id))

    def record(
        self,
        event: Event,
        operation: Operation,
        what: Iterable[str],
        *,
        proof: str | None = None,
        count: int | None = None,
        request_id: str | None = None,
        note: str | None = None,
    ) -> Row:
        """Write one row.

        Args:
            event: What happened.
            operation: Of which call or batch.
            what: Uuids of messages, or names of files.
            proof: SHA-256 of the state in which they were proven equal.
            count: How many the provider said it acted on.
            request_id: Of its answer.
            note: What else there is to say; never a value of a message.
        """
        last = self.transaction.native.execute(
            "select sequence, hash from ops.deletion order by sequence desc limit 1"
        ).fetchall()
        sequence, previous = last[0] if last else (0, FIRST_HASH)
        unsealed = Row(
            sequence=sequence + 1,
            recorded_at=as_utc(self.clock()),
            event=event.value,
            operation_id=operation.operation_id,
            plan_id=operation.plan_id,
            action=operation.action.value,
            place=operation.place.value,
            rule=operation.rule,
            what=tuple(what),
            proof_digest=proof,
            actor=self.actor,
            answer_count=count,
            request_id=request_id,
            note=note,
            previous_hash=previous,
            hash="",
        )
        row = replace(unsealed, hash=unsealed.seal())
        values = [_stored(value) for value in astuple(row)]
        marks = ", ".join("?" for _ in values)
        self.transaction.run(f"insert into ops.deletion values ({marks})", values)  # noqa: S608 - marks only
        self.first = self.first or row
        self.last = row
        return row


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one warehouse.

    Args:
        warehouse: Whose `ops.deletion` it is.
        clock: Stamps the rows.
        actor: Who deletes; the user of the system unless given.
    """

    warehouse: Warehouse
    clock: Clock
    actor: str = field(default_factory=current_actor)

    @property
    def head_path(self) -> Path:
        """The file that holds the newest row's hash."""
        return self.warehouse.path.with_name(f"{self.warehouse.path.name}.ledger")

    @contextmanager
    def begin(self) -> "Iterator[Page]":
        """Open the warehouse for one transaction in which rows can be written, beside whatever else.

        Raises:
            WarehouseError: It cannot be opened or written; nothing is written then.
            DataDirError: The file beside the warehouse cannot be written; nor is anything else, unless the
                rows were committed just before, which the file says already.
        """
        coming: _Head | None = None
        with self.warehouse.begin() as transaction:
            page = Page(transaction, self.clock, self.actor)
            yield page
            coming = self._coming(page)
            if coming is not None:
                self._keep_head(coming)
        if coming is not None and page.last is not None:
            self._keep_head(_Head(page.last.sequence, page.last.hash))

    def _coming(self, page: Page) -> _Head | None:
        """Return what the file says while rows are committed; None if none are, or the ledger is not whole.

        A ledger whose end is not the one in the file is left so: a new row must not make it look whole.
        """
        if page.first is None or page.last is None:
            return None
        before = (page.first.sequence - 1, page.first.previous_hash)
        head = self._read_head()
        is_new = head is None and before == (0, FIRST_HASH)
        is_sound = isinstance(head, _Head) and head.is_at(*before)
        if not is_new and not is_sound and page.last.event != Event.ACCEPTED:
            return None
        return _Head(*before, page.last.sequence, page.last.hash)

    def _keep_head(self, head: _Head) -> None:
        """Keep in the file beside the warehouse where the ledger ends."""
        aside = self.head_path.with_name(f"{self.head_path.name}.tmp")
        try:
            with open_private(aside) as file:
                file.write(msgspec.json.encode(head))
            commit_file(aside, self.head_path)
        except OSError as exc:
            raise unusable(self.head_path, exc) from exc

    def rows(
        self, *, plan_id: UUID | None = None, operation_id: UUID | None = None, place: Place | None = None
    ) -> list[Row]:
        """Return the rows of a plan, an operation or a place, or all, oldest first."""
        with self.warehouse.begin() as transaction:
            return read_rows(transaction.native, plan_id=plan_id, operation_id=operation_id, place=place)

    def outcomes(self, *, plan_id: UUID | None = None) -> list[Outcome]:
        """Return the operations of a plan, or all, oldest first."""
        return outcomes_of(self.rows(plan_id=plan_id))

    def unfinished(self) -> list[Outcome]:
        """Return the operations that were begun and whose end is not known, oldest first."""
        return [outcome for outcome in self.outcomes() if outcome.left]

    def verify(self) -> Verification:
        """Say whether each row is as it was written, and none is missing."""
        with self.warehouse.begin() as transaction:
            rows = read_rows(transaction.native)
        return verified(rows, self._read_head())

    def require_whole(self) -> Verification:
        """Refuse to delete anything while the ledger is not whole.

        Raises:
            LedgerBroken: It is not.
        """
        found = self.verify()
        if not found.is_whole:
            raise LedgerBroken(
                f"The ledger of deletions (ops.deletion) is not whole: {found.problem}",
                hint="Nothing was deleted. Restore the newest backup of the warehouse; if the rows are lost "
                'for good, `sms-etl retention verify --accept "why"` records that and goes on.',
            )
        return found

    def accept(self, reason: str) -> Verification:
        """Record that somebody accepts what is wrong with the ledger; what is written later is sound again.

        Args:
            reason: Why, in the words of whoever accepts it.
        """
        found = self.verify()
        if not found.is_whole:
            operation = Operation(uuid4(), Action.ACCEPT, Place.WAREHOUSE, ACCEPTING)
            with self.begin() as page:
                proof = _digest_of(read_rows(page.transaction.native))
                note = f"{found.problem} Accepted: {reason}"
                page.record(Event.ACCEPTED, operation, (), proof=proof, note=note)
        return self.verify()

    def _read_head(self) -> _Head | str | None:
        """Return what the file beside the warehouse holds; None: there is none; a text: it cannot be read."""
        try:
            return msgspec.json.decode(self.head_path.read_bytes(), type=_Head)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return f"{self.head_path.name} beside the warehouse cannot be read."


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    *,
    plan_id: UUID | None = None,
    operation_id: UUID | None = None,
    place: Place | None = None,
) -> list[Row]:
    """Return rows of the ledger, oldest first."""
    found = connection.execute(
        """
        select * from ops.deletion
        where ($plan_id is null or plan_id = $plan_id)
            and ($operation_id is null or operation_id = $operation_id)
            and ($place is null or place = $place)
        order by sequence
        """,
        {"plan_id": plan_id, "operation_id": operation_id, "place": place and place.value},
    ).fetchall()
    names = [each.name for each in fields(Row)]
    return [_row(dict(zip(names, values, strict=True))) for values in found]


def _row(values: dict[str, Any]) -> Row:
    return Row(**{**values, "what": _listed(values["what"])})


def outcomes_of(rows: Sequence[Row]) -> list[Outcome]:
    """Return what rows tell of each operation, oldest first; rows of one operation tell of it together."""
    of_operation: dict[UUID, list[Row]] = {}
    for row in rows:
        if row.action != Action.ACCEPT:
            of_operation.setdefault(row.operation_id, []).append(row)
    return [_outcome(each) for each in of_operation.values()]


def _outcome(rows: Sequence[Row]) -> Outcome:
    def of(event: Event) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for row in rows if row.event == event for each in row.what))

    first = rows[0]
    operation = Operation(
        first.operation_id, Action(first.action), Place(first.place), first.rule, first.plan_id
    )
    confirmed = of(Event.CONFIRMED)
    return Outcome(
        operation,
        of(Event.INTENDED),
        confirmed,
        tuple(each for each in of(Event.FAILED) if each not in set(confirmed)),
        any(row.event == Event.DONE for row in rows),
        first.proof_digest,
    )


def verified(rows: Sequence[Row], head: _Head | str | None) -> Verification:
    """Say whether rows, oldest first, are whole, and end where the file beside the warehouse says. Pure."""
    accepted = tuple(row.sequence for row in rows if row.event == Event.ACCEPTED)
    last = rows[-1].hash if rows else FIRST_HASH
    broken_at, problem = _broken(rows, since=accepted[-1] if accepted else 0)
    if problem is None and accepted:
        problem = _not_as_accepted(rows, accepted[-1])
    if problem is None:
        broken_at, problem = _cut_off(rows, head)
    return Verification(len(rows), last, broken_at, problem, accepted)


def _broken(rows: Sequence[Row], *, since: int) -> tuple[int | None, str | None]:
    """Return the first row that is not as it was written; what was accepted before `since` is known."""
    expected, previous = 1, FIRST_HASH
    for row in rows:
        if row.sequence >= since:
            is_anchor = since and row.sequence == since  # its own seal holds, whatever lies before it
            if row.sequence != expected and not is_anchor:
                return expected, f"row {expected} is missing."
            if (row.previous_hash != previous and not is_anchor) or row.seal() != row.hash:
                return row.sequence, f"row {row.sequence} is not as it was written."
        expected, previous = row.sequence + 1, row.hash
    return None, None


def _not_as_accepted(rows: Sequence[Row], sequence: int) -> str | None:
    """Return what is wrong with the rows before the one that accepted them as they were."""
    place = next(place for place, row in enumerate(rows) if row.sequence == sequence)
    proof = rows[place].proof_digest
    if proof is None or proof == _digest_of(rows[:place]):
        return None
    return f"the rows before row {sequence} are not as they were accepted by it."


def _digest_of(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of rows as they are, whether or not their hashes hold."""
    lines = [f"{row.seal()} {row.hash}" for row in rows]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _cut_off(rows: Sequence[Row], head: _Head | str | None) -> tuple[int | None, str | None]:
    """Return what is wrong with the end, whose rows hold: rows are missing there, or too many.

    Rows that were being committed when a run was killed are there, or not.
    """
    last = (rows[-1].sequence, rows[-1].hash) if rows else (0, FIRST_HASH)
    if isinstance(head, str):
        return None, head
    if head is None:
        return None, "the file that keeps its newest hash beside the warehouse is gone." if rows else None
    if head.is_at(*last):
        return None, None
    if last[0] < head.sequence:
        return last[0] + 1, f"rows {last[0] + 1} to {head.sequence} are missing at its end."
    at_head = next((row for row in rows if row.sequence == head.sequence), None)
    if head.sequence and (at_head is None or at_head.hash != head.hash):
        return head.sequence, f"row {head.sequence} is not the one that was kept beside the warehouse."
    appended = head.sequence + 1
    return (
        appended,
        f"row {appended} was appended by somebody else: the file beside the warehouse has no such.",
    )


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return list(value) if isinstance(value, tuple) else str(value)


def _stored(value: object) -> object:
    return json.dumps(list(value)) if isinstance(value, tuple) else value


def _listed(text: str) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError:
        return (text,)  # somebody changed it; its row is not as it was written
