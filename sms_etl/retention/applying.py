"""Carries out a plan of retention exactly as it was shown, or refuses; completes what was begun before.

The order of the steps, and nothing else: `deleting.py` and `removing.py` do it, `ledger.py` keeps it. The
sync's lock is held all the while, so that no sync pages through what is being deleted.
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb

from sms_etl.accounts import writer_of
from sms_etl.clock import as_utc
from sms_etl.errors import NoSuchPlan, PlanRefused, SmsEtlError
from sms_etl.retention.cancelling import Canceller
from sms_etl.retention.deleting import BATCH, Deleter, Release
from sms_etl.retention.facts import AGAINST_DELETING, AGAINST_REMOVING, STORED_STATE, LandedRows
from sms_etl.retention.ledger import Action, Ledger, Outcome, Place, Verification
from sms_etl.retention.plan import ITEMS_DIGEST, file_state, policy_of
from sms_etl.retention.policy import Policy, Rule, Target
from sms_etl.retention.reasons import EXPECTED, Reason
from sms_etl.retention.removing import Remover
from sms_etl.settings import Settings
from sms_etl.sync.lock import only_one
from sms_etl.sync.state import recently_refused
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

Told = Callable[[int, int], None]
"""Is told how many more messages and files are done, and of how many."""
_SKIPPED = "skipped"
"""In what is stored of a plan, once it is finished: what it left, by reason."""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it is stored; times are UTC, without a time zone."""

    plan_id: UUID
    planned_at: datetime
    expires_at: datetime
    policy_digest: str
    items_digest: str
    content: dict[str, Any]
    """What was shown."""
    begun_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Applied:
    """What a plan has deleted, in all its runs together."""

    plan_id: UUID
    deleted: int
    """Messages whose deletion was carried out."""
    confirmed: int
    """Those of them that were looked for afterwards, and are gone."""
    files: int = 0
    """Landed files that are gone."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Messages and files that were left when it was finished, by reason; see `reasons.py`."""
    is_already_applied: bool = False
    """It was applied before, and nothing was done now."""

    @property
    def needs_attention(self) -> bool:
        """Whether something was left that should not have been."""
        return any(Reason(reason) not in EXPECTED for reason in self.skipped)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "plan_id": str(self.plan_id),
            "deleted": self.deleted,
            "confirmed": self.confirmed,
            "files": self.files,
            "skipped": self.skipped,
            "is_already_applied": self.is_already_applied,
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the ledger is whole, and what of it has no end."""

    chain: Verification
    settled: int
    """Operations whose end was looked up now."""
    unfinished: int
    """Operations whose end is still not known."""
    why_unfinished: str | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong or not known."""
        return not self.chain.is_whole or self.unfinished > 0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "is_whole": self.chain.is_whole,
            "rows": self.chain.rows,
            "head": self.chain.head,
            "broken_at": self.chain.broken_at,
            "problem": self.chain.problem,
            "accepted": list(self.chain.accepted),
            "settled": self.settled,
            "unfinished": self.unfinished,
            "why_unfinished": self.why_unfinished,
        }


def stored_plan(connection: duckdb.DuckDBPyConnection, plan_id: UUID) -> StoredPlan:
    """Return a plan as it was shown.

    Raises:
        NoSuchPlan: There is none with this id.
    """
    found = connection.execute(
        "select plan_id, planned_at, expires_at, policy_digest, items_digest, content, begun_at, finished_at "
        "from ops.retention_plan where plan_id = $plan_id",
        {"plan_id": plan_id},
    ).fetchall()
    if not found:
        raise NoSuchPlan(
            f"There is no plan {plan_id}.", hint="`sms-etl retention plan` makes one, and prints its id."
        )
    (row,) = found
    return StoredPlan(
        plan_id=row[0],
        planned_at=row[1],
        expires_at=row[2],
        policy_digest=row[3],
        items_digest=row[4],
        content=json.loads(row[5]),
        begun_at=row[6],
        finished_at=row[7],
    )


def plan_to_apply(settings: Settings, plan_id: UUID) -> StoredPlan:
    """Return a plan as it was shown, to ask whether it is to be applied.

    Raises:
        NoSuchPlan: There is none with this id.
        NoWarehouse: Nothing was loaded yet.
    """
    with writable_warehouse(settings).begin() as transaction:
        return stored_plan(transaction.native, plan_id)


def apply_plan(settings: Settings, plan_id: UUID, *, told: Told | None = None) -> Applied:
    """Carry out a plan, exactly as it was shown.

    Args:
        settings: With a token, if the plan deletes at the provider.
        plan_id: Of the plan.
        told: Is told how far it is.

    Raises:
        NoSuchPlan: There is none with this id.
        PlanRefused: It expired, or what it was made of has changed since.
        LedgerBroken: The ledger is not whole.
        AlreadyRunning: A sync, or another deletion, is at work.
        DeletionStopped: The provider did not do what it was asked to do.
        SettingsError: There is no token.
        ProviderError: The provider refused, or could not be read. Apply it again.
        WarehouseError: The warehouse could not be written. Apply it again.
    """
    warehouse = writable_warehouse(settings)
    with only_one(settings):
        return asyncio.run(_Applying(settings, warehouse, plan_id, told).apply())


def verify_ledger(settings: Settings) -> Verified:
    """Say whether the ledger is whole, and look up the end of what was begun and stopped half-way.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        AlreadyRunning: A deletion was begun and may be running; so is a sync.
    """
    warehouse = writable_warehouse(settings)
    ledger = Ledger(warehouse, settings.clock)
    chain = ledger.verify()
    open_ones = ledger.unfinished() if chain.is_whole else []
    if not open_ones:
        return Verified(chain, 0, 0)
    with only_one(settings):
        open_ones = ledger.unfinished()  # a run may have ended meanwhile
        why = asyncio.run(_settle_alone(settings, ledger, open_ones))
        left = ledger.unfinished()
        if why is None and left:
            why = "An erasure was interrupted; `sms-etl erase` completes it."
        return Verified(ledger.verify(), len(open_ones) - len(left), len(left), why)


def accept_ledger(settings: Settings, reason: str) -> Verification:
    """Record that somebody accepts what is wrong with the ledger; deletions go on then.

    Raises:
        NoWarehouse: Nothing was loaded yet.
        AlreadyRunning: A sync, or a deletion, is at work.
    """
    warehouse = writable_warehouse(settings)
    with only_one(settings):
        return Ledger(warehouse, settings.clock).accept(reason)


async def _settle_alone(settings: Settings, ledger: Ledger, outcomes: Sequence[Outcome]) -> str | None:
    """Settle what can be settled; return why something could not, as a sentence."""
    try:
        await settle(settings, ledger, outcomes)
    except SmsEtlError as exc:
        return exc.message
    return None


async def settle(settings: Settings, ledger: Ledger, outcomes: Sequence[Outcome]) -> None:
    """Look up what became of operations that were begun, and complete the ledger.

    Operations elsewhere than at LOX24 and in the landing folder are left to those who began them.

    Raises:
        SettingsError: There is no token.
        ProviderError: The provider could not be read.
    """
    landed = LandedRows.of(settings.landing_dir)
    remover = Remover(settings, ledger, landed)
    for outcome in outcomes:
        if outcome.operation.place is Place.LANDING and outcome.operation.action is Action.REMOVE:
            remover.settle(outcome)
    at_lox24 = [
        outcome
        for outcome in outcomes
        if outcome.operation.place is Place.LOX24
        and outcome.operation.action in {Action.DELETE, Action.CANCEL}
    ]
    if not at_lox24:
        return
    async with writer_of(settings) as writer:
        writer.recently_refused = _recently_refused(ledger.warehouse, settings)
        deleter = Deleter(settings, ledger, writer, landed)
        canceller = Canceller(settings, ledger, writer)
        await deleter.identify()
        for outcome in at_lox24:
            by: Canceller | Deleter = canceller if outcome.operation.action is Action.CANCEL else deleter
            await by.settle(outcome)


def _recently_refused(warehouse: Warehouse, settings: Settings) -> bool:
    with warehouse.begin() as transaction:
        return recently_refused(transaction, as_utc(settings.clock()))


class _Applying:
    def __init__(self, settings: Settings, warehouse: Warehouse, plan_id: UUID, told: Told | None) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._ledger = Ledger(warehouse, settings.clock)
        self._plan_id = plan_id
        self._told = told
        self._of = 0
        self._skipped: dict[str, int] = {}

    async def apply(self) -> Applied:
        self._ledger.require_whole()
        await settle(self._settings, self._ledger, self._ledger.unfinished())
        with self._warehouse.begin() as transaction:
            plan = stored_plan(transaction.native, self._plan_id)
            if plan.finished_at is not None:
                self._skipped = plan.content.get(_SKIPPED, {})
                return self._counted(transaction, is_already_applied=True)
            policy = policy_of(transaction.native, self._settings)
            self._refuse_if_changed(transaction, plan, policy)
            left = {target: self._left(transaction, target) for target in Target}
            self._refuse_if_items_changed(transaction)
            transaction.run(
                "update ops.retention_plan set begun_at = coalesce(begun_at, $now) where plan_id = $plan_id",
                {"now": as_utc(self._settings.clock()), "plan_id": self._plan_id},
            )
        self._of = sum(len(items) for of_rule in left.values() for items in of_rule.values())
        landed = LandedRows.of(self._settings.landing_dir)
        await self._at_provider(left[Target.PROVIDER], policy, landed)
        self._in_landing(left[Target.LANDING], policy, landed)
        with self._warehouse.begin() as transaction:
            transaction.run(
                "update ops.retention_plan set finished_at = $now, content = $content "
                "where plan_id = $plan_id",
                {
                    "now": as_utc(self._settings.clock()),
                    "content": json.dumps({**plan.content, _SKIPPED: self._skipped}),
                    "plan_id": self._plan_id,
                },
            )
            return self._counted(transaction)

    async def _at_provider(self, left: dict[str, list[str]], policy: Policy, landed: LandedRows) -> None:
        if not left:
            return
        async with writer_of(self._settings) as writer:
            writer.recently_refused = _recently_refused(self._warehouse, self._settings)
            deleter = Deleter(self._settings, self._ledger, writer, landed)
            await deleter.identify()
            for rule in policy.rules:
                release = Release(
                    self._plan_id, rule.name, _against(AGAINST_DELETING, rule), policy.dispute_days
                )
                uuids = left.get(rule.name, [])
                for start in range(0, len(uuids), BATCH):
                    batch = uuids[start : start + BATCH]
                    deleted = await deleter.delete(batch, release)
                    self._skip(deleted.skipped)
                    self._tell(len(batch))

    def _in_landing(self, left: dict[str, list[str]], policy: Policy, landed: LandedRows) -> None:
        remover = Remover(self._settings, self._ledger, landed)
        for rule in policy.rules:
            files = left.get(rule.name, [])
            _, skipped = remover.remove(
                files,
                plan_id=self._plan_id,
                rule=rule.name,
                against=_against(AGAINST_REMOVING, rule),
                dispute_days=policy.dispute_days,
            )
            self._skip(skipped)
            self._tell(len(files))

    def _skip(self, skipped: dict[str, Reason]) -> None:
        for reason in skipped.values():
            self._skipped[reason.value] = self._skipped.get(reason.value, 0) + 1

    def _tell(self, done: int) -> None:
        if self._told is not None:
            self._told(done, self._of)

    def _left(self, transaction: Transaction, target: Target) -> dict[str, list[str]]:
        """Return what of the plan is not done, by rule."""
        place = Place.LOX24 if target is Target.PROVIDER else Place.LANDING
        rows = transaction.native.execute(
            """
            select rule, item from ops.retention_item
            where plan_id = $plan_id and target = $target and item not in (
                select unnest(from_json(what, '["varchar"]')) from ops.deletion
                where plan_id = $plan_id and place = $place and event = 'confirmed'
            )
            order by rule, item
            """,
            {"plan_id": self._plan_id, "target": target.value, "place": place.value},
        ).fetchall()
        left: dict[str, list[str]] = {}
        for rule, item in rows:
            left.setdefault(rule, []).append(item)
        return left

    def _refuse_if_changed(self, transaction: Transaction, plan: StoredPlan, policy: Policy) -> None:
        now = as_utc(self._settings.clock())
        if now < plan.planned_at:
            made = plan.planned_at.replace(tzinfo=UTC).isoformat(timespec="minutes")
            raise _refused(
                f"The plan {plan.plan_id} was made at {made}, which has not come yet: its messages may be "
                "too young now. Check this machine's clock and SMS_ETL_NOW."
            )
        if now >= plan.expires_at:
            expired = plan.expires_at.replace(tzinfo=UTC).isoformat(timespec="minutes")
            raise _refused(f"The plan {plan.plan_id} expired at {expired}.")
        if policy.digest != plan.policy_digest:
            raise _refused(f"The policy was changed since the plan {plan.plan_id} was made.")
        (digest,) = transaction.row(ITEMS_DIGEST, {"plan_id": plan.plan_id})
        if digest != plan.items_digest:
            raise _refused(f"The stored plan {plan.plan_id} is not the one that was shown.")

    def _refuse_if_items_changed(self, transaction: Transaction) -> None:
        """Refuse a plan of which messages that are not done yet are no longer as they were planned.

        One that is gone at the provider meanwhile is no reason: it is left, as an earlier run may have found.
        """
        (changed,) = transaction.row(
            f"""
            select count(*) from ops.retention_item as item
            left join raw.sms as stored on stored.uuid = try_cast(item.item as uuid)
            where item.plan_id = $plan_id and item.target = $target
                and (stored.uuid is null or {STORED_STATE} != item.state)
                and item.item not in (
                    select unnest(from_json(what, '["varchar"]')) from ops.deletion
                    where plan_id = $plan_id and place = 'lox24' and event = 'confirmed'
                )
            """,
            {"plan_id": self._plan_id, "target": Target.PROVIDER.value},
        )
        files = transaction.native.execute(
            "select item, state from ops.retention_item where plan_id = $plan_id and target = $target",
            {"plan_id": self._plan_id, "target": Target.LANDING.value},
        ).fetchall()
        states = ((file_state(self._settings, name), state) for name, state in files)
        changed += sum(found is not None and found != state for found, state in states)
        if changed:
            one = changed == 1
            raise _refused(
                f"{changed} {'message or file' if one else 'messages or files'} of the plan {self._plan_id} "
                f"{'has' if one else 'have'} changed since it was made."
            )

    def _counted(self, transaction: Transaction, *, is_already_applied: bool = False) -> Applied:
        """Count what the ledger says of this plan, whichever run did it."""

        def counted(place: Place) -> int:
            (count,) = transaction.row(
                """
                select count(distinct what) from (
                    select unnest(from_json(what, '["varchar"]')) as what from ops.deletion
                    where plan_id = $plan_id and place = $place and event = 'confirmed'
                )
                """,
                {"plan_id": self._plan_id, "place": place.value},
            )
            return int(count)

        confirmed = counted(Place.LOX24)
        return Applied(
            self._plan_id,
            deleted=confirmed,
            confirmed=confirmed,
            files=counted(Place.LANDING),
            skipped=self._skipped,
            is_already_applied=is_already_applied,
        )


def _against(case: str, rule: Rule) -> str:
    return case.format(require_closed="true" if rule.require_closed else "false")


def _refused(message: str) -> PlanRefused:
    return PlanRefused(message, hint="Nothing was deleted. `sms-etl retention plan` makes a new one.")
