"""Holds: messages that must not be deleted, whatever the rules say, each with a reason and perhaps an end."""

from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sms_etl.clock import as_utc
from sms_etl.errors import NoSuchHold
from sms_etl.pii.key import find_key, find_retired_keys
from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.pii.senders import shown_sender, treated_sender
from sms_etl.retention.actor import current_actor
from sms_etl.settings import Settings
from sms_etl.warehouse.kept_rows import HOLDS, reconcile
from sms_etl.warehouse.store import Transaction

LEAST_ID = 8
"""So many characters of an id are enough, if no other begins so."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages a hold is of: those that meet each condition given; times are UTC, without zone."""

    uuid: UUID | None = None
    sender_id: str | None = None
    """As in raw.sms: under `pseudonymise` a number is masked."""
    key_id: int | None = None
    bulk_id: UUID | None = None
    since_at: datetime | None = None
    until_at: datetime | None = None
    """Exclusive."""

    @property
    def is_empty(self) -> bool:
        """Whether no condition is given: all messages would be held."""
        return all(value is None for value in astuple(self))


@dataclass(frozen=True, slots=True)
class Hold:
    """A row of `ops.hold`; times are UTC, without a time zone."""

    hold_id: UUID
    added_at: datetime
    actor: str
    reason: str
    ends_at: datetime | None
    scope: Scope
    removed_at: datetime | None = None
    removed_reason: str | None = None
    messages: int | None = None
    """How many stored messages it is of; None: not counted."""

    def is_in_force(self, now: datetime) -> bool:
        """Whether it holds anything at a moment."""
        return self.removed_at is None and (self.ends_at is None or self.ends_at > as_utc(now))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO with offset."""
        values = {**asdict(self), **asdict(self.scope)}
        del values["scope"]
        if self.scope.sender_id is not None:
            values["sender_id"] = shown_sender(self.scope.sender_id)
        return {
            name: f"{value.isoformat()}+00:00"
            if isinstance(value, datetime)
            else str(value)
            if isinstance(value, UUID)
            else value
            for name, value in values.items()
        }


def add_hold(
    transaction: Transaction, settings: Settings, scope: Scope, *, reason: str, ends_at: datetime | None
) -> Hold:
    """Add a hold, in force at once.

    Args:
        transaction: To write in.
        settings: Of the clock.
        scope: Which messages; at least one condition.
        reason: Why.
        ends_at: When it ends, with a time zone; None: when it is removed.
    """
    hold = Hold(
        uuid4(),
        as_utc(settings.clock()),
        current_actor(),
        reason,
        None if ends_at is None else as_utc(ends_at),
        scope,
    )
    transaction.run(
        "insert into ops.hold values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, null)",
        [hold.hold_id, hold.added_at, hold.actor, hold.reason, hold.ends_at, *astuple(scope)],
    )
    [counted] = read_holds(transaction, settings, hold_id=hold.hold_id)
    return counted


def show_senders(transaction: Transaction, settings: Settings, senders: str) -> None:
    """Make the temporary table `retention_sender`: senders of messages and holds, as `pseudonymise` has them.

    A number may be stored in clear in one of them and masked in the other, as the policy was when it came:
    `marked` is the same for both, so that a hold goes on whatever becomes of the policy.

    Args:
        transaction: To read and write in.
        settings: Of the key.
        senders: A query for the senders of messages, each once.
    """
    native = transaction.native
    found = native.execute(
        f"select sender_id from ({senders}) union select sender_id from ops.hold"  # noqa: S608 - our own SQL
    ).fetchall()
    names = [sender for (sender,) in found if sender is not None]
    key = find_key(settings)
    pii = None
    if key is not None:
        pii = Pii(PiiPolicy.PSEUDONYMISE, key, settings.pii_columns, find_retired_keys(settings))
    native.execute(
        "create or replace temp table retention_sender as select "
        "unnest(cast($names as varchar[])) as sender_id, unnest(cast($marked as varchar[])) as marked",
        {"names": names, "marked": [name if pii is None else treated_sender(pii, name) for name in names]},
    )


def read_holds(transaction: Transaction, settings: Settings, *, hold_id: UUID | None = None) -> list[Hold]:
    """Return all holds, or one, oldest first, with the number of stored messages each is of.

    Those that a restored backup lacks are put back first.

    Raises:
        DataDirError: The file beside the warehouse that keeps them cannot be read or written.
    """
    reconcile(transaction, HOLDS)
    show_senders(transaction, settings, "select distinct sender_id from raw.sms")
    rows = transaction.native.execute(
        """
        select
            hold.*,
            (
                select count(*) from raw.sms as sms
                where (hold.uuid is null or sms.uuid = hold.uuid)
                    and (
                        hold.sender_id is null
                        or sms.sender_id in (
                            select sender.sender_id
                            from retention_sender as sender
                            inner join retention_sender as same on sender.marked = same.marked
                            where same.sender_id = hold.sender_id
                        )
                    )
                    and (hold.key_id is null or sms.key_id = hold.key_id)
                    and (hold.bulk_id is null or sms.bulk_id = hold.bulk_id)
                    and (hold.since_at is null or sms.created_at >= hold.since_at)
                    and (hold.until_at is null or sms.created_at < hold.until_at)
            ) as messages
        from ops.hold as hold
        where $hold_id is null or hold.hold_id = $hold_id
        order by hold.added_at, hold.hold_id
        """,
        {"hold_id": hold_id},
    ).fetchall()
    return [
        Hold(
            hold_id=row[0],
            added_at=row[1],
            actor=row[2],
            reason=row[3],
            ends_at=row[4],
            scope=Scope(*row[5:11]),
            removed_at=row[11],
            removed_reason=row[12],
            messages=row[13],
        )
        for row in rows
    ]


def remove_hold(transaction: Transaction, settings: Settings, hold_id: str, *, reason: str) -> Hold:
    """Remove a hold; its row stays, with the reason.

    Args:
        transaction: To write in.
        settings: Of the clock.
        hold_id: Its id, or the first characters of it.
        reason: Why.

    Raises:
        NoSuchHold: No hold in force has it, or several have.
    """
    wanted = hold_id.strip().lower()
    now = settings.clock()
    found = [
        hold
        for hold in read_holds(transaction, settings)
        if hold.is_in_force(now) and str(hold.hold_id).startswith(wanted) and len(wanted) >= LEAST_ID
    ]
    if len(found) != 1:
        which = "No hold" if not found else "More than one hold"
        raise NoSuchHold(
            f"{which} in force has that id.",
            hint=f"`sms-etl retention hold list` shows them; give at least {LEAST_ID} characters of the id.",
        )
    transaction.run(
        "update ops.hold set removed_at = $now, removed_reason = $reason where hold_id = $hold_id",
        {"now": as_utc(now), "reason": reason, "hold_id": found[0].hold_id},
    )
    [removed] = read_holds(transaction, settings, hold_id=found[0].hold_id)
    return removed
