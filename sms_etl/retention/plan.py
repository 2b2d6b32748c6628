"""Plans what the policy would delete: counts, money, and why the rest is held back. Deletes nothing.

The plan is stored with each message and file in it, and with the state each is in: `applying.py` carries out
exactly what was shown, or refuses.
"""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import duckdb

from sms_etl.clock import as_utc
from sms_etl.errors import PolicyInvalid
from sms_etl.pii.key import find_key
from sms_etl.pii.senders import shown_sender, treated_sender
from sms_etl.pii.state import pii_of
from sms_etl.retention.facts import (
    AGAINST_DELETING,
    AGAINST_REMOVING,
    FACTS,
    STORED_STATE,
    LandedRows,
    show_facts,
)
from sms_etl.retention.policy import Policy, Rule, Target, read_policy
from sms_etl.retention.reasons import Reason
from sms_etl.settings import Settings
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.store import Transaction, writable_warehouse

VALID_FOR = timedelta(hours=24)
"""A plan that was not applied by then shows what may no longer be so."""
_SERVICES = "select distinct service_code from raw.sms where service_code <> ''"
_STORE = """
insert into ops.retention_plan (plan_id, planned_at, expires_at, policy_digest, items_digest, content)
values ($plan_id, $planned_at, $expires_at, $policy_digest, $items_digest, $content)
"""
ITEMS_DIGEST = """
select sha256(coalesce(
    string_agg(cast(to_json([target, item, rule, state]) as varchar), chr(10) order by target, item, rule), ''
))
from ops.retention_item where plan_id = $plan_id
"""
"""SHA-256 of what a plan would delete, by which rule, and of the state each is in."""
_FORGET = """
delete from ops.retention_item where plan_id in (
    select plan_id from ops.retention_plan
    where finished_at is not null or expires_at <= $now
)
"""


@dataclass(frozen=True, slots=True)
class Amount:
    """What messages cost, in one currency."""

    currency: str
    messages: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What a rule would delete, and what it would but for a reason."""

    name: str
    target: Target
    messages: int
    """That it would delete."""
    files: int
    """Landed files that it would remove; 0 at the provider."""
    held_back: dict[str, int]
    """Messages by the reason why they stay; see `reasons.py`."""
    amounts: tuple[Amount, ...]
    """What the messages cost that it would delete, by currency."""
    oldest: datetime | None
    """`created_at` of the oldest message that it would delete; UTC."""
    newest: datetime | None
    files_kept: dict[str, int] = field(default_factory=dict)
    """Landed files that stay, by reason; none at the provider."""
    never_seen: dict[str, list[str]] = field(default_factory=dict)
    """Senders and keys of the rule that no stored message has, by the condition's name."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {
            **asdict(self),
            "target": self.target.value,
            "amounts": [{**asdict(each), "cost": f"{each.cost:.6f}"} for each in self.amounts],
            "oldest": self.oldest and f"{self.oldest.isoformat()}+00:00",
            "newest": self.newest and f"{self.newest.isoformat()}+00:00",
        }


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What would be deleted."""

    plan_id: UUID
    planned_at: datetime
    expires_at: datetime
    policy_path: Path
    policy_digest: str
    items_digest: str
    rules: tuple[RulePlan, ...]

    @property
    def messages(self) -> int:
        """All that would be deleted; a message that goes from two places counts in both."""
        return sum(rule.messages for rule in self.rules)

    @property
    def held_back(self) -> dict[str, int]:
        """All that stays though a rule hits it, by reason."""
        total: dict[str, int] = {}
        for rule in self.rules:
            for reason, messages in rule.held_back.items():
                total[reason] = total.get(reason, 0) + messages
        return total

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "plan_id": str(self.plan_id),
            "planned_at": self.planned_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "policy": str(self.policy_path),
            "policy_digest": self.policy_digest,
            "items_digest": self.items_digest,
            "messages": self.messages,
            "rules": [rule.as_json() for rule in self.rules],
            "held_back": self.held_back,
        }


def make_plan(settings: Settings) -> RetentionPlan:
    """Plan what the policy would delete now, and store the plan.

    Raises:
        PolicyInvalid: The policy cannot be read.
        NoWarehouse: Nothing was loaded or built yet.
        WarehouseError: The warehouse cannot be read or written.
    """
    warehouse = writable_warehouse(settings)
    landed = LandedRows.of(settings.landing_dir)
    with warehouse.begin() as transaction:
        policy = policy_of(transaction.native, settings)
        return _Planning(transaction, settings, policy, landed).plan()


def policy_of(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Policy:
    """Read the policy; services that messages were sent by are known in it.

    Raises:
        PolicyInvalid: It cannot be read, or the file that the settings name is not there.
    """
    path = settings.retention_policy_path
    if settings.retention_policy is not None and not path.exists():
        raise PolicyInvalid(
            f"There is no file {path}, which SMS_ETL_RETENTION_POLICY names.",
            hint="Correct the setting, or write the policy; docs/retention.md has an example.",
        )
    services = {service for (service,) in connection.execute(_SERVICES).fetchall()}
    return read_policy(path, more_services=services)


class _Planning:
    def __init__(
        self, transaction: Transaction, settings: Settings, policy: Policy, landed: LandedRows
    ) -> None:
        self._transaction = transaction
        self._settings = settings
        self._policy = policy
        self._landed = landed
        self._now = settings.clock()
        self._plan_id = uuid4()

    def plan(self) -> RetentionPlan:
        self._transaction.run(_FORGET, {"now": as_utc(self._now)})
        if self._policy.rules:
            self._show_facts()
        rules = tuple(self._rule(rule) for rule in self._policy.rules)
        (items_digest,) = self._transaction.row(ITEMS_DIGEST, {"plan_id": self._plan_id})
        plan = RetentionPlan(
            plan_id=self._plan_id,
            planned_at=self._now,
            expires_at=self._now + VALID_FOR,
            policy_path=self._settings.retention_policy_path,
            policy_digest=self._policy.digest,
            items_digest=items_digest,
            rules=rules,
        )
        self._transaction.run(
            _STORE,
            {
                "plan_id": plan.plan_id,
                "planned_at": as_utc(plan.planned_at),
                "expires_at": as_utc(plan.expires_at),
                "policy_digest": plan.policy_digest,
                "items_digest": plan.items_digest,
                "content": json.dumps(plan.as_json()),
            },
        )
        return plan

    def _show_facts(self) -> None:
        youngest = min(rule.older_than for rule in self._policy.rules)
        show_facts(
            self._transaction,
            self._settings,
            self._landed,
            asked="select uuid from raw.sms where created_at < $before",
            parameters={"before": as_utc(self._now - youngest)},
            now=self._now,
            dispute_days=self._policy.dispute_days,
        )

    def _rule(self, rule: Rule) -> RulePlan:
        self._choose(rule)
        if rule.target is Target.PROVIDER:
            self._messages(rule)
        else:
            self._files(rule)
        self._transaction.run(
            """
            insert into ops.retention_item (plan_id, rule, target, item, messages, state)
            select $plan_id, $rule, $target, item, messages, state from chosen_item
            """,
            {"plan_id": self._plan_id, "rule": rule.name, "target": rule.target.value},
        )
        return self._counted(rule)

    def _choose(self, rule: Rule) -> None:
        """Make the table `matched`: messages that meet a rule's conditions, whatever speaks against it."""
        against = AGAINST_DELETING if rule.target is Target.PROVIDER else AGAINST_REMOVING
        self._transaction.run(
            f"""
            create or replace temp table matched as
            select facts.*, {against.format(require_closed="$require_closed")} as reason
            from {FACTS} as facts
            where facts.created_at < $before
                and ($service is null or list_contains($service, facts.service_code))
                and ($sender_id is null or list_contains($sender_id, facts.sender_id))
                and ($key_id is null or list_contains($key_id, facts.key_id))
                and ($delivery_status is null or list_contains($delivery_status, facts.delivery_status))
            """,
            {
                "require_closed": rule.require_closed,
                "before": as_utc(self._now - rule.older_than),
                "service": list(rule.service) if rule.service else None,
                "sender_id": self._senders(rule),
                "key_id": list(rule.key_id) if rule.key_id else None,
                "delivery_status": list(rule.delivery_status) if rule.delivery_status else None,
            },
        )

    def _senders(self, rule: Rule) -> list[str] | None:
        """Return the rule's senders as they are stored: a number is masked under `pseudonymise`."""
        if rule.sender_id is None:
            return None
        return [stored_sender(self._settings, sender) for sender in rule.sender_id]

    def _messages(self, rule: Rule) -> None:
        """Make the items of a rule at the provider; what an earlier rule hits is that one's."""
        self._transaction.run(
            """
            delete from matched where is_gone or cast(uuid as varchar) in (
                select item from ops.retention_item where plan_id = $plan_id and target = $target
            )
            """,
            {"plan_id": self._plan_id, "target": rule.target.value},
        )
        self._transaction.run(
            f"""
            create or replace temp table chosen_item as
            select cast(matched.uuid as varchar) as item, 1 as messages, {STORED_STATE} as state
            from matched inner join raw.sms as stored on matched.uuid = stored.uuid
            where matched.reason is null
            """
        )

    def _files(self, rule: Rule) -> None:
        """Make the items of a rule for landed files: those all of whose rows it hits, and that were loaded.

        Rows of it that could not be loaded must have been replayed or accepted.
        """
        self._transaction.run(
            """
            create or replace temp table every_file as
            with waiting as (
                select window_id, landed from ops.quarantine
                where replayed_at is null and accepted_at is null
            ),
            fetched as (
                select
                    landed as file,
                    bool_or(
                        window_id in (select window_id from waiting where window_id is not null)
                        or landed in (select landed from waiting where landed is not null)
                    ) as has_bad_rows
                from ops.fetch_window
                where stream = $stream
                group by landed
            )
            select
                landed.file,
                count(distinct landed.uuid) as messages,
                case
                    when bool_or(fetched.file is null) then $not_loaded
                    when bool_or(fetched.has_bad_rows) then $has_bad_rows
                    when bool_or(landed.uuid is not null and matched.uuid is null) then $holds_others
                    else min(matched.reason)
                end as reason,
                bool_and(fetched.file is not null and not fetched.has_bad_rows)
                and bool_and(landed.uuid is null or matched.uuid is not null) as is_whole
            from retention_landed as landed
            left join fetched on landed.file = fetched.file
            left join matched on landed.uuid = matched.uuid
            group by landed.file
            """,
            {
                "stream": SMS.name,
                "not_loaded": Reason.NOT_LOADED.value,
                "has_bad_rows": Reason.HAS_BAD_ROWS.value,
                "holds_others": Reason.HOLDS_OTHERS.value,
            },
        )
        self._transaction.run(
            "create or replace temp table whole_file as "
            "select file, messages, reason from every_file where is_whole"
        )
        self._transaction.run(
            """
            delete from whole_file where file in (
                select item from ops.retention_item where plan_id = $plan_id and target = $target
            )
            """,
            {"plan_id": self._plan_id, "target": rule.target.value},
        )
        sizes = self._sizes()
        self._transaction.run(
            """
            create or replace temp table chosen_item as
            select whole_file.file as item, whole_file.messages, sizes.state
            from whole_file
            inner join (
                select unnest(cast($files as varchar[])) as file, unnest(cast($states as varchar[])) as state
            ) as sizes on whole_file.file = sizes.file
            where whole_file.reason is null
            """,
            {"files": list(sizes), "states": list(sizes.values())},
        )
        # What is counted are the messages of these files: one stays if none of its files may go.
        self._transaction.run(
            """
            create or replace temp table matched as
            with of_files as (
                select
                    landed.uuid,
                    bool_or(whole_file.reason is null) as is_released,
                    min(whole_file.reason) as reason
                from retention_landed as landed
                inner join whole_file on landed.file = whole_file.file
                group by landed.uuid
            )
            select matched.* replace (
                case
                    when not of_files.is_released then coalesce(matched.reason, of_files.reason)
                end as reason
            )
            from matched inner join of_files on matched.uuid = of_files.uuid
            """
        )

    def _sizes(self) -> dict[str, str]:
        rows = self._transaction.native.execute("select file from whole_file order by file").fetchall()
        states = {name: file_state(self._settings, name) for (name,) in rows}
        return {name: state for name, state in states.items() if state is not None}

    def _counted(self, rule: Rule) -> RulePlan:
        connection = self._transaction.native
        (messages, oldest, newest) = self._transaction.row(
            "select count(*), min(created_at), max(created_at) from matched where reason is null"
        )
        amounts = connection.execute(
            "select currency, count(*), coalesce(sum(price), 0) from matched where reason is null "
            "group by currency order by currency"
        ).fetchall()
        held = connection.execute(
            "select reason, count(*) from matched where reason is not null group by reason order by reason"
        ).fetchall()
        (files,) = self._transaction.row("select count(*) from chosen_item")
        files_kept: list[tuple[Any, ...]] = []
        if rule.target is Target.LANDING:
            files_kept = connection.execute(
                "select reason, count(*) from every_file where reason is not null "
                "group by reason order by reason"
            ).fetchall()
        return RulePlan(
            name=rule.name,
            target=rule.target,
            messages=messages,
            files=files if rule.target is Target.LANDING else 0,
            held_back=dict(held),
            amounts=tuple(Amount(*row) for row in amounts),
            oldest=oldest,
            newest=newest,
            files_kept=dict(files_kept),
            never_seen=self._never_seen(rule),
        )

    def _never_seen(self, rule: Rule) -> dict[str, list[str]]:
        """Return the rule's senders and keys that occur nowhere: a misspelt one hits nothing, in silence."""
        conditions: dict[str, Sequence[object] | None] = {
            "sender_id": self._senders(rule),
            "key_id": rule.key_id,
        }
        never: dict[str, list[str]] = {}
        for name, values in conditions.items():
            if not values:
                continue
            found = self._transaction.native.execute(
                f"select distinct {name} from raw.sms where list_contains($values, {name})",
                {"values": list(values)},
            ).fetchall()
            unknown = [value for value in values if (value,) not in found]
            if unknown:
                never[name] = [shown_sender(str(value)) for value in unknown]
        return never


def stored_sender(settings: Settings, sender: str) -> str:
    """Return a sender as raw.sms has it: under `pseudonymise` a number is masked and marked by its hash.

    What is masked already is kept: reports and marts show no other form of it.
    """
    key = find_key(settings)
    if key is None:
        return sender
    return treated_sender(pii_of(settings, key), sender)


def file_state(settings: Settings, name: str) -> str | None:
    """Return the state of a landed file: SHA-256 of its name and size, for it never changes; None: gone."""
    try:
        size = (settings.landing_dir / SMS.name / name).stat().st_size
    except OSError:
        return None
    return hashlib.sha256(f"{name}:{size}".encode()).hexdigest()
