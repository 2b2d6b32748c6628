"""Cancels messages at LOX24 that are not sent yet: shown before, looked for afterwards, all in the ledger.

Only what the provider shows as new is asked for, in batches of at most fifty uuids. Nothing is deleted: a
cancelled message stays in the provider's list, and the next sync shows what became of it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec

from sms_etl.accounts import with_writer
from sms_etl.clock import as_utc
from sms_etl.errors import AnswerLost, DeletionStopped, ProviderError
from sms_etl.providers.lox24.client import RequestRecord
from sms_etl.providers.lox24.codes import CANCELLED_STATUS_CODES, NEW
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.records import UNREADABLE
from sms_etl.providers.lox24.writing import BatchAnswer, Lox24Writer
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Outcome, Place
from sms_etl.settings import Settings
from sms_etl.sync.account import BoundAccount, bound_account, check_account
from sms_etl.sync.lock import only_one
from sms_etl.sync.state import recently_refused, write_requests
from sms_etl.warehouse.store import writable_warehouse

Made = TypeVar("Made")

BATCH = 50
RULE = "cancelled on request"
"""What the ledger names as the rule."""


class Standing(StrEnum):
    """How a message stands at the provider."""

    WAITING = "waiting"
    """It is not sent yet, and can be cancelled."""
    CANCELLED = "cancelled"
    SENT = "sent"
    """It is past that: sent, refused or failed."""
    NOT_THERE = "not_there"
    """The account has no such message."""
    UNREADABLE = "unreadable"
    """Its state cannot be read, so that it is left alone."""


STANDING_WORDS = {
    Standing.WAITING: "not cancelled: the provider still shows them as new",
    Standing.CANCELLED: "cancelled before",
    Standing.SENT: "sent already, or past sending for another reason",
    Standing.NOT_THERE: "not in this account",
    Standing.UNREADABLE: "left alone: their state cannot be read",
}


@dataclass(frozen=True)
class Standings:
    """How messages stand at the provider now."""

    waiting: tuple[str, ...]
    """Those that can be cancelled; lower-case uuids."""
    others: dict[str, int] = field(default_factory=dict)
    """How many cannot be, by how they stand."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"waiting": len(self.waiting), "others": self.others}


@dataclass(frozen=True)
class Cancelled:
    """What became of messages that were to be cancelled."""

    plan_id: UUID
    """Under which the ledger has them: `sms-etl retention receipt --plan` shows it."""
    cancelled: int
    """Looked for afterwards: the provider shows them as stopped before they were sent."""
    others: dict[str, int]
    """How many were not cancelled by this command, by how they stand now."""

    @property
    def needs_attention(self) -> bool:
        """Whether one was not cancelled that somebody meant to be: it is sent, unknown, or still waits."""
        return any(Standing(name) is not Standing.CANCELLED for name in self.others)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"plan_id": str(self.plan_id), "cancelled": self.cancelled, "others": self.others}


class Canceller:
    """Cancels at one account.

    Args:
        settings: Of the account and the warehouse.
        ledger: What is done is written there.
        writer: A client that is open.
    """

    def __init__(self, settings: Settings, ledger: Ledger, writer: Lox24Writer) -> None:
        self._settings = settings
        self._ledger = ledger
        self._writer = writer

    async def identify(self) -> None:
        """Look up the token's account, and refuse one that is not the warehouse's.

        Raises:
            WrongAccount: It is another one.
            ProviderError: See its subclasses.
        """
        account = await self._writer.account()
        asked = BoundAccount(
            str(account.id), account.currency, self._settings.lox24_base_url, account.is_sandbox
        )
        with self._ledger.warehouse.begin() as transaction:
            check_account(bound_account(transaction), asked, self._ledger.warehouse.path)

    async def standings(self, uuids: Sequence[str]) -> dict[str, Standing]:
        """Ask how messages stand, at most fifty at once.

        Raises:
            ProviderError: The provider could not be read.
        """
        found: dict[str, Standing] = {}
        for start in range(0, len(uuids), BATCH):
            batch = uuids[start : start + BATCH]
            there = await self._writer.read_messages(_ids(batch))
            found |= {uuid: _standing(there.get(UUID(uuid))) for uuid in batch}
        return found

    async def cancel(self, uuids: Sequence[str], plan_id: UUID) -> tuple[int, dict[str, Standing]]:
        """Cancel those of at most fifty messages that are not sent yet.

        Returns:
            How many were cancelled, and how the others stand now.

        Raises:
            DeletionStopped: The provider says that it cancelled more than it was asked to.
            ProviderError: It refused, or could not be read.
            WarehouseError: The ledger could not be written.
        """
        before = await self.standings(uuids)
        waiting = [uuid for uuid in uuids if before[uuid] is Standing.WAITING]
        if not waiting:
            return 0, before
        operation = Operation(uuid4(), Action.CANCEL, Place.LOX24, RULE, plan_id)
        with self._ledger.begin() as page:
            page.record(Event.INTENDED, operation, waiting)
        answer = await self._ask(operation, waiting)
        after = await self._look_for(operation, waiting, None)
        if answer is not None and answer.count > len(waiting):
            raise DeletionStopped(
                f"LOX24 said it cancelled {answer.count} messages of {len(waiting)} "
                f"(request id {answer.request_id}).",
                hint="Nothing more is cancelled. Run `sms-etl sync --reconcile`, look for messages that were "
                "cancelled, and ask the provider's support.",
            )
        cancelled = [uuid for uuid in waiting if after[uuid] is Standing.CANCELLED]
        others = {uuid: after.get(uuid, before[uuid]) for uuid in uuids if uuid not in set(cancelled)}
        return len(cancelled), others

    async def settle(self, outcome: Outcome) -> None:
        """Look up what became of messages whose cancellation was begun, and complete the ledger.

        Raises:
            ProviderError: The provider could not be read.
        """
        left = outcome.left
        for start in range(0, len(left), BATCH):
            await self._look_for(outcome.operation, left[start : start + BATCH], "Looked up by a later run.")

    async def _ask(self, operation: Operation, waiting: Sequence[str]) -> BatchAnswer | None:
        """Have them cancelled; return the answer, None if it was lost."""
        try:
            answer = await self._writer.cancel_messages(_ids(waiting))
        except AnswerLost:
            return None
        except ProviderError as exc:
            with self._ledger.begin() as page:
                note = f"Refused: {type(exc).__name__}, nothing was cancelled."
                page.record(Event.FAILED, operation, waiting, request_id=exc.request_id, note=note)
            raise
        with self._ledger.begin() as page:
            page.record(Event.DONE, operation, waiting, count=answer.count, request_id=answer.request_id)
        return answer

    async def _look_for(
        self, operation: Operation, uuids: Sequence[str], note: str | None
    ) -> dict[str, Standing]:
        """Read messages again; write which are cancelled and which are not, and return how they stand."""
        found = await self.standings(uuids)
        cancelled = [uuid for uuid in uuids if found[uuid] is Standing.CANCELLED]
        others = [uuid for uuid in uuids if found[uuid] is not Standing.CANCELLED]
        with self._ledger.begin() as page:
            if cancelled:
                page.record(Event.CONFIRMED, operation, cancelled, note=note)
            if others:
                page.record(Event.FAILED, operation, others, note=note or "They are not cancelled.")
        return found


def look_at(settings: Settings, uuids: Sequence[UUID]) -> Standings:
    """Ask the provider how messages stand: what would be cancelled. Changes nothing.

    Raises:
        NoWarehouse: Nothing was loaded yet, so that there is no ledger.
        SettingsError: There is no token.
        WrongAccount: It is of another account than the warehouse's.
        ProviderError: The provider could not be read.
    """
    wanted = [str(uuid) for uuid in dict.fromkeys(uuids)]

    async def look(canceller: Canceller) -> Standings:
        found = await canceller.standings(wanted)
        waiting = tuple(uuid for uuid in wanted if found[uuid] is Standing.WAITING)
        return Standings(waiting, _counted(found, but_not=Standing.WAITING))

    return _with_canceller(settings, look)


def cancel_messages(settings: Settings, uuids: Sequence[UUID]) -> Cancelled:
    """Cancel messages that are not sent yet.

    Raises:
        AlreadyRunning: A sync, or a deletion, is at work.
        LedgerBroken: The ledger is not whole.
        DeletionStopped: The provider cancelled more than it was asked to.
        As `look_at`, otherwise. What was cancelled before an error is in the ledger: run it again.
    """
    wanted = [str(uuid) for uuid in dict.fromkeys(uuids)]
    plan_id = uuid4()

    async def cancel(canceller: Canceller) -> Cancelled:
        cancelled, others = 0, Counter[str]()
        for start in range(0, len(wanted), BATCH):
            count, left = await canceller.cancel(wanted[start : start + BATCH], plan_id)
            cancelled += count
            others.update(standing.value for standing in left.values())
        return Cancelled(plan_id, cancelled, dict(others))

    with only_one(settings):
        Ledger(writable_warehouse(settings), settings.clock).require_whole()
        return _with_canceller(settings, cancel)


def _with_canceller(settings: Settings, work: Callable[[Canceller], Awaitable[Made]]) -> Made:
    """Do some work with a client of the warehouse's account, and write down what was asked."""
    ledger = Ledger(writable_warehouse(settings), settings.clock)
    with ledger.warehouse.begin() as transaction:
        is_refused = recently_refused(transaction, as_utc(settings.clock()))

    async def identified(writer: Lox24Writer) -> Made:
        canceller = Canceller(settings, ledger, writer)
        await canceller.identify()
        return await work(canceller)

    requests: list[RequestRecord] = []
    try:
        return with_writer(settings, identified, recently_refused=is_refused, ledger=requests)
    finally:
        if requests:
            with ledger.warehouse.begin() as transaction:
                write_requests(transaction, uuid4(), requests)


class _Message(msgspec.Struct):
    status_code: int


def _standing(row: msgspec.Raw | None) -> Standing:
    """Return how a message stands."""
    if row is None:
        return Standing.NOT_THERE
    try:
        code = msgspec.json.decode(row, type=_Message, strict=False).status_code
    except UNREADABLE:
        return Standing.UNREADABLE
    if code == NEW:
        return Standing.WAITING
    return Standing.CANCELLED if code in CANCELLED_STATUS_CODES else Standing.SENT


def _counted(standings: Mapping[str, Standing], *, but_not: Standing) -> dict[str, int]:
    return dict(Counter(each.value for each in standings.values() if each is not but_not))


def _ids(uuids: Sequence[str]) -> MessageIds:
    return MessageIds(tuple(UUID(uuid) for uuid in uuids))
