"""Plans an erasure: what there is of a person, in numbers. Changes nothing but the record of the plan.

The record, a row of `ops.erasure`, names nobody: it keeps a keyed hash of what was found, so that `erase.py`
carries out what was shown, or refuses.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sms_etl.clock import as_utc
from sms_etl.erasure.providers import search_lox24
from sms_etl.erasure.searching import Searched, Wanted, search_files
from sms_etl.erasure.subject import Subject
from sms_etl.erasure.survey import Survey, survey
from sms_etl.errors import NoSuchPlan, PlanRefused
from sms_etl.pii.policy import Pii
from sms_etl.pii.state import stored_pii
from sms_etl.retention.actor import current_actor
from sms_etl.retention.ledger import Ledger
from sms_etl.settings import Settings, no_token
from sms_etl.sync.lock import only_one
from sms_etl.warehouse.store import Transaction, Warehouse, writable_warehouse

VALID_FOR = timedelta(hours=24)
"""A plan that was not carried out by then shows what may no longer be so."""
OPT_OUTS = Path("seeds", "opt_outs.csv")
"""Keeps, by hashes, who must not be written to: without it an erased person would be written to again."""
_LOCAL_HINT = "Or erase only what is stored here: `--local`."


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What would be erased."""

    erasure_id: UUID
    expires_at: datetime
    survey: Survey
    elsewhere: Searched
    """Other files of the data directory that hold the number or its hash."""
    is_interrupted: bool
    """An erasure of this person was begun and not completed: to apply this plan completes it."""
    has_twosms: bool
    """Whether 2SMS would be asked."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        found = self.survey
        return {
            "erasure_id": str(self.erasure_id),
            "messages": found.messages,
            "others": found.others,
            "quarantined": found.quarantined,
            "files": len(found.files),
            "providers": {
                "lox24": {
                    "state": "not_asked" if found.at_lox24 is None else "planned",
                    "messages": len(found.at_lox24.uuids) if found.at_lox24 else 0,
                    "to_delete": len(found.deletable),
                    "bulks": len(found.at_lox24.bulks) if found.at_lox24 else 0,
                },
                "twosms": {"state": "planned" if self.has_twosms else "not_configured"},
            },
            "held_back": found.held_back,
            "elsewhere": list(self.elsewhere.holding),
            "unsearched": list(self.elsewhere.unsearched),
            "files_unreadable": list(found.unreadable),
            "is_interrupted": self.is_interrupted,
            "expires_at": self.expires_at.isoformat(),
            "applied": False,
        }


def plan_erasure(settings: Settings, subject: Subject, *, is_local: bool = False) -> ErasurePlan:
    """Find what there is of a person, and store the plan.

    Args:
        settings: Of the account and the data directory.
        subject: The person.
        is_local: Ask no provider; what is stored here goes even if they still have it.

    Raises:
        AlreadyRunning: A sync is at work.
        NoWarehouse: Nothing was loaded or built yet.
        SettingsError: There is no token, or the key is not that of the hashes; see the subclasses.
        ProviderError: LOX24 could not be read.
        WarehouseError: The warehouse cannot be used.
    """
    with only_one(settings):
        warehouse = writable_warehouse(settings)
        found, pii = look(settings, warehouse, subject, is_local=is_local)
        with warehouse.begin() as transaction:
            begun = _begun(transaction, pii, subject)
            erasure_id = begun or uuid4()
            plan = ErasurePlan(
                erasure_id=erasure_id,
                expires_at=settings.clock() + VALID_FOR,
                survey=found,
                elsewhere=search_elsewhere(settings, found, is_done=False),
                is_interrupted=begun is not None,
                has_twosms=settings.twosms_client_id is not None and not is_local,
            )
            _store(transaction, settings, plan, pii)
    return plan


def look(settings: Settings, warehouse: Warehouse, subject: Subject, *, is_local: bool) -> tuple[Survey, Pii]:
    """Look at LOX24, unless it is not to be asked, and at what is stored; return it with the key."""
    with warehouse.begin() as transaction:
        pii = stored_pii(transaction.native, settings)
    at_lox24 = None
    if not is_local:
        if settings.lox24_token is None:
            refused = no_token()
            refused.hint = f"{refused.hint} {_LOCAL_HINT}"
            raise refused
        at_lox24 = search_lox24(settings, Ledger(warehouse, settings.clock), subject)
    with warehouse.begin() as transaction:
        return survey(transaction, settings, subject, at_lox24), pii


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that may be carried out."""

    erasure_id: UUID
    is_begun: bool
    """It was begun before, and interrupted."""


def approved(
    transaction: Transaction, settings: Settings, found: Survey, pii: Pii, erasure_id: UUID | None
) -> Approved:
    """Return the plan that a survey is carried out by: the one that is named, or one that showed the same.

    Raises:
        NoSuchPlan: There is none: what would be erased was not shown to anybody yet.
        PlanRefused: The one that is named expired, was carried out, or showed something else.
    """
    rows = transaction.native.execute(
        """
        select erasure_id, state, expires_at, finished_at is not null, started_at is not null
        from ops.erasure
        where $id is null or erasure_id = $id
        order by planned_at desc
        """,
        {"id": erasure_id},
    ).fetchall()
    now = as_utc(settings.clock())
    for id_, state, expires_at, is_finished, is_begun in rows:
        if not is_finished and expires_at > now and state == pii.hash_of(f"{id_}|{found.as_text()}"):
            return Approved(UUID(str(id_)), is_begun)
    if erasure_id is None:
        raise NoSuchPlan(
            "Nothing was erased: what would be erased now was not planned before.",
            hint="Run the same command without --apply, look at its numbers, and apply it within 24 hours.",
        )
    if not rows:
        raise NoSuchPlan(
            f"There is no erasure {erasure_id}.", hint="`sms-etl erase` without --apply plans one."
        )
    _, _, expires_at, is_finished, _ = rows[0]
    if is_finished:
        raise PlanRefused("This erasure was carried out already.", hint="Plan a new one to look for more.")
    if expires_at <= now:
        raise PlanRefused(
            f"The plan expired on {expires_at.replace(tzinfo=UTC).isoformat()}.", hint="Plan it again."
        )
    raise PlanRefused(
        "What there is has changed since it was planned, or another number was. Nothing was erased.",
        hint="Plan it again, and look at its numbers.",
    )


def search_elsewhere(settings: Settings, found: Survey, *, is_done: bool) -> Searched:
    """Search the data directory for the numbers and their hashes.

    Args:
        settings: Of the data directory.
        found: Whose numbers.
        is_done: Search what was written anew too, unless messages stay in it.
    """
    rewritten = [
        settings.landing_dir,
        Warehouse.of(settings).path,
        Warehouse.of(settings).path.with_name(f"{Warehouse.of(settings).path.name}.wal"),
        settings.published_path.parent,
        settings.backup_path,
    ]
    is_all = is_done and not found.stays
    opt_outs = settings.data_dir / OPT_OUTS
    wanted = Wanted(found.eraser.subject.digits, found.eraser.hashes)
    return search_files(settings.data_dir, wanted, but_not=[opt_outs] if is_all else [opt_outs, *rewritten])


def _begun(transaction: Transaction, pii: Pii, subject: Subject) -> UUID | None:
    """Return the erasure of this person that was begun and not completed."""
    rows = transaction.native.execute(
        "select erasure_id, subject from ops.erasure where started_at is not null and finished_at is null"
    ).fetchall()
    return next((UUID(str(id_)) for id_, told in rows if told == subject_of(pii, id_, subject)), None)


def forget_other_plans(transaction: Transaction, pii: Pii, subject: Subject, erasure_id: UUID) -> None:
    """Remove what else was planned for a person: it tells of the number, too."""
    rows = transaction.native.execute(
        "select erasure_id, subject from ops.erasure where started_at is null and erasure_id <> $id",
        {"id": erasure_id},
    ).fetchall()
    others = [id_ for id_, told in rows if told == subject_of(pii, id_, subject)]
    if others:
        transaction.run(
            "delete from ops.erasure where erasure_id in (select unnest(cast($ids as uuid[])))",
            {"ids": others},
        )


def subject_of(pii: Pii, erasure_id: UUID, subject: Subject) -> str:
    """Return what tells whether an erasure is of a person, to whoever has the key and the number."""
    return pii.hash_of(f"{erasure_id}|{','.join(sorted(subject.numbers))}")


def _store(transaction: Transaction, settings: Settings, plan: ErasurePlan, pii: Pii) -> None:
    now = as_utc(settings.clock())
    transaction.run(
        "delete from ops.erasure where (started_at is null and expires_at <= $now) or erasure_id = $id "
        "and started_at is null",
        {"now": now, "id": plan.erasure_id},
    )
    values = {
        "id": plan.erasure_id,
        "now": now,
        "expires_at": as_utc(plan.expires_at),
        "state": pii.hash_of(f"{plan.erasure_id}|{plan.survey.as_text()}"),
    }
    if plan.is_interrupted:
        transaction.run(
            "update ops.erasure set planned_at = $now, expires_at = $expires_at, state = $state "
            "where erasure_id = $id",
            values,
        )
        return
    transaction.run(
        """
        insert into ops.erasure (erasure_id, planned_at, expires_at, state, actor, subject, result)
        values ($id, $now, $expires_at, $state, $actor, $subject, $result)
        """,
        {
            **values,
            "actor": current_actor(),
            "subject": subject_of(pii, plan.erasure_id, plan.survey.eraser.subject),
            "result": json.dumps({"messages": plan.survey.messages, "files": len(plan.survey.files)}),
        },
    )
