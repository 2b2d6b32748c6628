"""Deletes messages at LOX24: only what is proven, in small batches, and each looked for afterwards.

A batch takes these steps; what stops it anywhere leaves a ledger that says how far it came:

1. The messages are read from the provider once more.
2. In one transaction each is proven: stored and landed, nothing speaks against it, and the provider has it as
   it is stored, by the hash of all its fields. What is proven is written to the ledger as intended.
3. It is deleted by its uuids. A count that is not theirs stops everything.
4. Each is read again: what is gone is confirmed, and marked in `raw.sms` as a sync would mark it.

The caller holds the sync's lock all the while.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pyarrow as pa

from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc
from sms_etl.errors import AnswerLost, DeletionStopped, ProviderError
from sms_etl.pii.policy import Pii
from sms_etl.pii.state import hold
from sms_etl.providers.lox24.listed import Rows
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.writing import BatchAnswer, Lox24Writer
from sms_etl.retention.facts import LandedRows, against, show_facts, states_as_read
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Outcome, Page, Place
from sms_etl.retention.reasons import Reason
from sms_etl.settings import Settings
from sms_etl.sync.account import BoundAccount, bound_account, check_account
from sms_etl.sync.landing.rows import read_messages
from sms_etl.sync.landing.writer import landing_schema
from sms_etl.sync.state import write_requests
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.store import Transaction

BATCH = 50
"""Most messages of one call: as many as the address may hold, and as few as may be lost sight of at once."""


@dataclass(frozen=True, slots=True)
class Release:
    """By what messages may be deleted."""

    plan_id: UUID
    """The plan or the erasure."""
    rule: str
    """The rule's name, or a word such as `erasure`."""
    against: str
    """SQL of what speaks against a message, of `facts`: see `facts.AGAINST_DELETING`."""
    dispute_days: int = 0


@dataclass
class Deleted:
    """What became of messages that were to be deleted."""

    confirmed: list[str] = field(default_factory=list)
    """Deleted, looked for, and gone."""
    skipped: dict[str, Reason] = field(default_factory=dict)
    """By uuid: why it was left."""

    def add(self, other: "Deleted") -> None:
        """Take in what became of others."""
        self.confirmed += other.confirmed
        self.skipped.update(other.skipped)


class Deleter:
    """Deletes at one account.

    Args:
        settings: Of the account and the warehouse.
        ledger: What is done is written there.
        writer: A client that is open.
        landed: The landed rows of messages.
    """

    def __init__(self, settings: Settings, ledger: Ledger, writer: Lox24Writer, landed: LandedRows) -> None:
        self._settings = settings
        self._ledger = ledger
        self._writer = writer
        self._landed = landed
        self._pii: Pii | None = None
        self._currency = ""

    async def identify(self) -> None:
        """Look up the token's account, and refuse one that is not the warehouse's; needed once.

        Raises:
            WrongAccount: It is another one.
            WrongKey: The hashes of the warehouse were made by another key.
            PolicyNotApplied: `sms-etl pii apply` is due.
            ProviderError: See its subclasses.
        """
        account = await self._writer.account()
        asked = BoundAccount(
            str(account.id), account.currency, self._settings.lox24_base_url, account.is_sandbox
        )
        with self._ledger.warehouse.begin() as transaction:
            check_account(bound_account(transaction), asked, self._ledger.warehouse.path)
            self._pii = hold(transaction, self._settings)
        self._currency = account.currency

    async def delete(self, uuids: Sequence[str], release: Release) -> Deleted:
        """Delete what is proven of some messages, batch by batch.

        Args:
            uuids: Lower-case, each once.
            release: By what they may be deleted.

        Raises:
            DeletionStopped: The provider deleted another number than it was asked for, or not all of them.
            AnswerLost: Whether a batch was deleted is not known yet; the ledger says so.
            ProviderError: The provider refused, or could not be read.
            WarehouseError: The ledger could not be written.
        """
        deleted = Deleted()
        for start in range(0, len(uuids), BATCH):
            deleted.add(await self._batch(uuids[start : start + BATCH], release))
        return deleted

    async def settle(self, outcome: Outcome) -> None:
        """Look up what became of messages whose deletion was begun, and complete the ledger.

        Raises:
            ProviderError: The provider could not be read.
        """
        left = outcome.left
        for start in range(0, len(left), BATCH):
            await self._look_for(outcome.operation, left[start : start + BATCH], "Looked up by a later run.")

    async def _batch(self, uuids: Sequence[str], release: Release) -> Deleted:
        there = await self._writer.read_messages(_ids(uuids))
        operation = Operation(uuid4(), Action.DELETE, Place.LOX24, release.rule, release.plan_id)
        with self._page(release.plan_id) as page:
            skipped, states = self._prove(page.transaction, uuids, there, release)
            proven = [uuid for uuid in uuids if uuid not in skipped]
            missing = [uuid for uuid in uuids if skipped.get(uuid) is Reason.GONE_ALREADY]
            late: list[str] = []
            if missing:
                late = self._confirm_late(page, missing, release.plan_id)
                mark_gone(page, missing)
            if proven:
                page.record(Event.INTENDED, operation, proven, proof=_digest(states, proven))
        for uuid in late:  # this plan deleted it: it counts once
            del skipped[uuid]
        if not proven:
            return Deleted(late, skipped)
        answer = await self._ask(operation, proven)
        gone, still_there = await self._look_for(operation, proven, None)
        skipped.update(dict.fromkeys(still_there, Reason.STILL_THERE))
        check_answer(answer, proven, still_there)
        return Deleted([*late, *gone], skipped)

    def _prove(
        self, transaction: Transaction, uuids: Sequence[str], there: Rows, release: Release
    ) -> tuple[dict[str, Reason], Mapping[str, str]]:
        """Return why some of the messages stay, and the states of those that are as they are stored."""
        show_facts(
            transaction,
            self._settings,
            self._landed.of_messages(uuids),
            asked="select unnest(cast($uuids as uuid[])) as uuid",
            parameters={"uuids": list(uuids)},
            now=self._settings.clock(),
            dispute_days=release.dispute_days,
        )
        said = against(uuids, transaction, release.against)
        read = self._as_landed(there)
        states = states_as_read(transaction, read, self._currency)
        for uuid in uuids:
            if UUID(uuid) not in there:
                said[uuid] = Reason.GONE_ALREADY
            elif said.get(uuid) is Reason.GONE_ALREADY:
                said[uuid] = Reason.DIFFERS  # it is there again: a sync has to see that first
            elif uuid not in said:
                stored, now_there = states.get(uuid, ("", None))
                if stored != now_there:
                    said[uuid] = Reason.DIFFERS
        return said, {uuid: stored for uuid, (stored, _) in states.items()}

    def _as_landed(self, rows: Rows) -> pa.Table:
        assert self._pii is not None  # noqa: S101 - `identify` was called
        text = b"[%b]" % b",".join(bytes(row) for row in rows.values())
        return read_messages(text, self._pii, landing_schema(SMS.layout)).good

    async def _ask(self, operation: Operation, proven: Sequence[str]) -> BatchAnswer | None:
        """Have them deleted; return the answer, None if it was lost.

        Raises:
            ProviderError: It was refused, and the ledger says so.
        """
        try:
            answer = await self._writer.delete_messages(_ids(proven))
        except AnswerLost:
            return None
        except ProviderError as exc:
            with self._page(operation.plan_id) as page:
                page.record(
                    Event.FAILED,
                    operation,
                    proven,
                    request_id=exc.request_id,
                    note=f"Refused: {type(exc).__name__}, nothing was deleted.",
                )
            raise
        note = "An earlier try's answer was lost." if answer.has_lost_answer else None
        with self._page(operation.plan_id) as page:
            page.record(
                Event.DONE, operation, proven, count=answer.count, request_id=answer.request_id, note=note
            )
        return answer

    async def _look_for(
        self, operation: Operation, uuids: Sequence[str], note: str | None
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Read messages again; write and return which are gone, and which are still there."""
        there = await self._writer.read_messages(_ids(uuids))
        still_there = [uuid for uuid in uuids if UUID(uuid) in there]
        gone = [uuid for uuid in uuids if UUID(uuid) not in there]
        with self._page(operation.plan_id) as page:
            if gone:
                page.record(Event.CONFIRMED, operation, gone, note=note)
                mark_gone(page, gone)
            if still_there:
                page.record(Event.FAILED, operation, still_there, note=note or "They are still there.")
        return gone, still_there

    def _confirm_late(self, page: Page, missing: Sequence[str], plan_id: UUID) -> list[str]:
        """Correct the ledger where it says that a message was still there; return those that are gone now."""
        corrected: list[str] = []
        for outcome in page.outcomes(plan_id):
            late = [uuid for uuid in outcome.failed if uuid in set(missing)]
            if late:
                page.record(Event.CONFIRMED, outcome.operation, late, note="They are gone after all.")
                corrected += late
        return list(dict.fromkeys(corrected))

    @contextmanager
    def _page(self, run_id: UUID | None) -> Iterator[Page]:
        with self._ledger.begin() as page:
            write_requests(page.transaction, run_id or uuid4(), self._writer.take_ledger())
            yield page


def mark_gone(page: Page, uuids: Sequence[str]) -> None:
    """Mark messages as deleted at the provider, as a sync does that asks for them; their rows stay."""
    (marked,) = page.transaction.row(
        "update raw.sms set gone_at = $now, changed_at = $now "
        "where gone_at is null and uuid in (select unnest(cast($uuids as uuid[])))",
        {"now": as_utc(page.clock()), "uuids": list(uuids)},
    )
    if marked:
        mark_stale(page.transaction)


def check_answer(answer: BatchAnswer | None, asked: Sequence[str], still_there: Sequence[str]) -> None:
    """Stop if the provider did something else than it was asked to.

    Raises:
        DeletionStopped: It did.
    """
    if answer is None and still_there:
        raise DeletionStopped(
            f"LOX24's answer was lost, and {len(still_there)} of {len(asked)} messages are not deleted.",
            hint="The ledger says which are gone. Apply the plan again: it goes on with the rest.",
        )
    hint = (
        "Nothing more is deleted. The ledger says which messages are gone (`sms-etl retention receipt`). Run "
        "`sms-etl sync --reconcile` to see whether others are missing, and ask the provider's support."
    )
    request = f" (request id {answer.request_id})" if answer is not None else ""
    if answer is not None and (
        answer.count > len(asked) or (answer.count < len(asked) and not answer.has_lost_answer)
    ):
        raise DeletionStopped(
            f"LOX24 said it deleted {answer.count} messages of {len(asked)}{request}.", hint=hint
        )
    if still_there:
        raise DeletionStopped(
            f"{len(still_there)} of {len(asked)} messages are still there after their deletion{request}.",
            hint=hint,
        )


def _ids(uuids: Sequence[str]) -> MessageIds:
    return MessageIds(tuple(UUID(uuid) for uuid in uuids))


def _digest(states: Mapping[str, str], uuids: Sequence[str]) -> str:
    """Return the proof of a batch: SHA-256 of its messages with the state of each, in order."""
    lines = [f"{uuid} {states[uuid]}" for uuid in sorted(uuids)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
