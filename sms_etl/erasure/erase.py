"""Carries out an erasure that was planned: at the providers, in the warehouse, in files, in copies.

In this order, so that whatever stops it, the next run finds what is left and completes it:

1. What LOX24 still has is deleted there, proven message by message (`retention/deleting.py`), and at 2SMS.
2. The person's messages that are gone there are blanked, in one transaction. What stays there
   stays here too: a sync would bring it back.
3. The landed files, the models, the warehouse's file, the published copy and the backup are written anew.
4. The data directory is searched for the number.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sms_etl.build import build_and_check
from sms_etl.build_state import mark_stale
from sms_etl.clock import as_utc
from sms_etl.erasure.blanking import Blanked
from sms_etl.erasure.plan import approved, forget_other_plans, look, search_elsewhere
from sms_etl.erasure.providers import (
    RULE,
    TwoSmsDeletion,
    delete_at_lox24,
    delete_at_twosms,
)
from sms_etl.erasure.searching import Searched
from sms_etl.erasure.subject import Subject
from sms_etl.erasure.survey import Survey, survey
from sms_etl.pii.rewriting import (
    ReplacedCopies,
    RewrittenFiles,
    replace_copies,
    rewrite_landing,
    rewrite_warehouse,
)
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Place
from sms_etl.retention.reasons import Reason
from sms_etl.retention.receipt import write_receipt
from sms_etl.settings import Settings
from sms_etl.sync.lock import only_one
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

COMMAND = "sms-etl erase"
_WHY_FORCED = "the personal data of the copy before had to go (sms-etl erase)"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, and what stays."""

    erasure_id: UUID
    blanked: Blanked
    deleted_at_lox24: int
    """Confirmed gone, in all runs of this erasure."""
    lox24_error: str | None
    """What ended the deletion there early."""
    is_local: bool
    twosms: TwoSmsDeletion
    landed: RewrittenFiles
    copies: ReplacedCopies
    held_back: dict[str, int]
    """Messages that stay, by reason."""
    bulks: int
    """Bulks at LOX24 that the messages were sent with; each keeps the numbers it was sent to."""
    elsewhere: Searched
    receipt: Path | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether anything of the person is known to be left, or may be."""
        return bool(
            self.held_back
            or self.lox24_error
            or self.twosms.errors
            or self.landed.unreadable
            or self.elsewhere.holding
            or self.elsewhere.unsearched
            or self.copies.errors
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "erasure_id": str(self.erasure_id),
            "messages": self.blanked.messages,
            "others": self.blanked.others,
            "quarantined": self.blanked.quarantined,
            "files": self.landed.files,
            "providers": {
                "lox24": {
                    "state": "failed" if self.lox24_error else ("not_asked" if self.is_local else "done"),
                    "deleted": self.deleted_at_lox24,
                    "bulks": self.bulks,
                    "errors": [self.lox24_error] if self.lox24_error else [],
                },
                "twosms": self.twosms.as_json(),
            },
            "held_back": self.held_back,
            "elsewhere": list(self.elsewhere.holding),
            "unsearched": list(self.elsewhere.unsearched),
            "files_unreadable": list(self.landed.unreadable),
            "published": self.copies.published and str(self.copies.published),
            "backup": self.copies.backup and str(self.copies.backup),
            "copies_errors": list(self.copies.errors),
            "receipt": self.receipt and str(self.receipt),
            "applied": True,
        }


def erase(
    settings: Settings,
    subject: Subject,
    erasure_id: UUID | None = None,
    *,
    is_local: bool = False,
    tell: Callable[[str], None] = lambda _step: None,
) -> Erasure:
    """Erase a person as it was planned; complete what was begun.

    Args:
        settings: Of the account and the data directory.
        subject: The person.
        erasure_id: The plan; None: any that showed what there is now.
        is_local: Ask no provider; as planned.
        tell: Is told each step.

    Raises:
        NoSuchPlan: It was not planned.
        PlanRefused: What there is has changed since.
        AlreadyRunning: A sync is at work.
        LedgerBroken: The ledger of deletions is not whole.
        SettingsError, ProviderError, WarehouseError: As `plan_erasure`; nothing was erased.
        ModelError, WarehouseLocked, DataDirError: It was interrupted: run it again to complete it.
    """
    with only_one(settings):
        warehouse = writable_warehouse(settings)
        ledger = Ledger(warehouse, settings.clock)
        ledger.require_whole()
        tell("looking for messages")
        found, pii = look(settings, warehouse, subject, is_local=is_local)
        with warehouse.begin() as transaction:
            plan = approved(transaction, settings, found, pii, erasure_id)
            transaction.run(
                "update ops.erasure set started_at = coalesce(started_at, $now) where erasure_id = $id",
                {"id": plan.erasure_id, "now": as_utc(settings.clock())},
            )
            forget_other_plans(transaction, pii, subject, plan.erasure_id)
        tell("deleting at the providers")
        asked = _ask_providers(settings, ledger, found, plan.erasure_id)
        tell("blanking the warehouse")
        left, blanked = _blank(settings, ledger, found, asked, plan.erasure_id)
        landed, copies = RewrittenFiles(0, left.unreadable), ReplacedCopies(None, None)
        if plan.is_begun or blanked.is_any or left.files:
            landed, copies = _write_anew(settings, ledger, left, plan.erasure_id, tell)
        tell("searching the data directory")
        result = Erasure(
            erasure_id=plan.erasure_id,
            blanked=blanked,
            deleted_at_lox24=_confirmed(ledger, plan.erasure_id),
            lox24_error=asked.error,
            is_local=is_local,
            twosms=asked.twosms,
            landed=landed,
            copies=copies,
            held_back=left.held_back,
            bulks=len(found.at_lox24.bulks) if found.at_lox24 else 0,
            elsewhere=search_elsewhere(settings, left, is_done=True),
        )
        return _finish(settings, warehouse, ledger, result)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the providers made of it."""

    skipped: Mapping[str, Reason]
    """Messages that LOX24 may still have, or has no more, by uuid."""
    error: str | None
    """What ended the deletion at LOX24 early."""
    twosms: TwoSmsDeletion


def _ask_providers(settings: Settings, ledger: Ledger, found: Survey, erasure_id: UUID) -> _Asked:
    """Have the messages deleted. What goes wrong is told, and what was deleted can be blanked here."""
    if found.at_lox24 is None:
        return _Asked({}, None, TwoSmsDeletion("not_asked"))
    skipped: Mapping[str, Reason] = {}
    error = None
    if found.deletable:
        deleted, failure = delete_at_lox24(settings, ledger, sorted(found.deletable), erasure_id)
        skipped, error = deleted.skipped, failure.message if failure else None
    return _Asked(skipped, error, delete_at_twosms(settings, ledger, found.eraser.subject, erasure_id))


def _blank(
    settings: Settings, ledger: Ledger, found: Survey, asked: _Asked, erasure_id: UUID
) -> tuple[Survey, Blanked]:
    """Blank what is gone at the provider; return what there is now, and what was blanked.

    What LOX24 was to delete and has not is among those that stay.
    """
    with ledger.begin() as page:
        there = found.at_lox24
        if there is not None:
            there = replace(there, uuids=there.uuids - _gone(page.transaction, found.deletable))
        now = survey(page.transaction, settings, found.eraser.subject, there)
        left = {uuid: asked.skipped.get(uuid, Reason.STILL_THERE) for uuid in now.deletable}
        stays = {**now.stays, **left}
        blanked = now.eraser.blank(page.transaction, now.erased, but_not=stays)
        if blanked.is_any:
            mark_stale(page.transaction)
        if now.erased:
            operation = Operation(uuid4(), Action.BLANK, Place.WAREHOUSE, RULE, erasure_id)
            for event in (Event.INTENDED, Event.CONFIRMED):
                page.record(event, operation, sorted(now.erased))
    return replace(now, deletable=frozenset(), stays=stays), blanked


def _gone(transaction: Transaction, uuids: Collection[str]) -> set[str]:
    rows = transaction.native.execute(
        """
        select cast(uuid as varchar) from raw.sms
        where gone_at is not null and uuid in (select unnest(cast($uuids as uuid[])))
        """,
        {"uuids": sorted(uuids)},
    ).fetchall()
    return {uuid for (uuid,) in rows}


def _write_anew(
    settings: Settings, ledger: Ledger, left: Survey, erasure_id: UUID, tell: Callable[[str], None]
) -> tuple[RewrittenFiles, ReplacedCopies]:
    """Write files anew without what is erased, and build the models whole: what is blanked is no change."""
    tell("landed files")
    change = partial(left.eraser.blanked_table, uuids=left.erased, but_not=left.stays)
    landed = rewrite_landing(settings, change)
    if landed.files:
        operation = Operation(uuid4(), Action.BLANK, Place.LANDING, RULE, erasure_id)
        with ledger.begin() as page:
            for event in (Event.INTENDED, Event.CONFIRMED):
                page.record(event, operation, left.files)
    tell("building models")
    build_and_check(settings, is_full=True)
    tell("writing the warehouse anew")
    rewrite_warehouse(ledger.warehouse, COMMAND)
    tell("published copy and backup")
    return landed, replace_copies(settings, _WHY_FORCED)


def _confirmed(ledger: Ledger, erasure_id: UUID) -> int:
    outcomes = ledger.outcomes(plan_id=erasure_id)
    return sum(len(each.confirmed) for each in outcomes if each.operation.place is Place.LOX24)


def _finish(settings: Settings, warehouse: Warehouse, ledger: Ledger, result: Erasure) -> Erasure:
    """Close the record and write the receipt; who it was is known to nobody any more."""
    with warehouse.begin() as transaction:
        transaction.run(
            """
            update ops.erasure set finished_at = $now, subject = null, state = null, result = $result
            where erasure_id = $id
            """,
            {
                "id": result.erasure_id,
                "now": as_utc(settings.clock()),
                "result": json.dumps(result.as_json()),
            },
        )
    if not ledger.rows(plan_id=result.erasure_id):
        return result  # nothing was found
    return replace(result, receipt=write_receipt(settings, plan_id=result.erasure_id).path)
