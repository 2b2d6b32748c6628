"""What each message of a random course is like and what happens to it, and what may be deleted by that.

Plain Python: none of the code's SQL says here what a rule hits, or what speaks against it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sms_etl.clock import to_unix

MESSAGES, FILES = 64, 4
"""In the account, and landed files that they lie in by turns."""
NUMBER = "+4917612345678"
SENDERS, KEYS, SERVICES = ("LOGIN", "NEWS", "SHOP"), (1, 2, 3), ("direct", "economy", "pro")
STATUSES = {1: "delivered", 8: "expired", 16: "rejected", 2: "buffered", 4: "sent"}
"""By `dlr_code`; the last two may still change."""
FINAL = frozenset({1, 8, 16})
SETTLE_DAYS = 5
AGES = (1, 4, 6, 29, 31, 59, 61, 95, 120)
OLDER_THAN = (1, 5, 30, 60, 92)
DISPUTE_DAYS = (0, 30, 60, 100)
BERLIN = ZoneInfo("Europe/Berlin")


class AtProvider(Enum):
    """What the provider does to a message by itself."""

    NOTHING = auto()
    CHANGED = auto()
    VANISHED = auto()


@dataclass
class Fate:
    """One message; `before` the plan was made, and `after` that."""

    number: int
    age: timedelta
    sender: str
    key: int
    service: str
    dlr_code: int
    is_priced: bool
    is_landed: bool
    """Its newest state lies in a landed file."""
    waits_before: bool
    waits_after: bool
    """A newer row of it waits in quarantine."""
    before: AtProvider
    after: AtProvider

    @property
    def uuid(self) -> str:
        return str(UUID(int=(0xABCDEF << 104) + self.number + 1))

    @property
    def file(self) -> int:
        return self.number % FILES

    def created_at(self, now: datetime) -> datetime:
        return now - self.age

    def month(self, now: datetime) -> datetime:
        """Return the business month, without a time zone."""
        local = self.created_at(now).astimezone(BERLIN)
        return datetime(local.year, local.month, 1)

    def at_provider(self, now: datetime) -> dict[str, Any]:
        """Return it as a sandbox takes it."""
        created = to_unix(self.created_at(now))
        return {
            "uuid": self.uuid,
            "created_at": created,
            "gateway_sent_at": created + 5,
            "phone": NUMBER,
            "sender_id": self.sender,
            "key_id": self.key,
            "service_code": self.service,
            "status_code": 100,
            "dlr_code": self.dlr_code,
            "price": "0.0745",
            "extra": None if self.is_priced else {"price": None},
        }

    def changed(self, now: datetime) -> dict[str, Any]:
        """Return it as the provider has it once it changed."""
        changes: tuple[dict[str, Any], ...] = (
            {"price": "0.9"},
            {"sender_id": "OTHER"},
            {"text_deleted_at": 1},
        )
        return {**self.at_provider(now), "extra": None, **changes[self.number % len(changes)]}

    def stored(self, now: datetime) -> dict[str, Any]:
        """Return the columns of raw.sms that are its own."""
        created = self.created_at(now).replace(tzinfo=None)
        return {
            "uuid": self.uuid,
            "created_at": created,
            "gateway_sent_at": created + timedelta(seconds=5),
            "sender_id": self.sender,
            "key_id": self.key,
            "service_code": self.service,
            "dlr_code": self.dlr_code,
            "price": Decimal("0.0745") if self.is_priced else None,
            "is_landed": self.is_landed,
        }


@dataclass(frozen=True)
class RuleGiven:
    """A rule at the provider."""

    older_than: int
    sender: str | None
    key: int | None
    service: str | None
    statuses: tuple[str, ...]
    """None are all."""
    require_closed: bool

    def hits(self, fate: Fate, *, is_closed: bool) -> bool:
        return (
            fate.age > timedelta(days=self.older_than)
            and self.sender in {None, fate.sender}
            and self.key in {None, fate.key}
            and self.service in {None, fate.service}
            and (not self.statuses or STATUSES[fate.dlr_code] in self.statuses)
            and (is_closed or not self.require_closed)
        )

    def lines(self, name: str) -> Iterator[str]:
        yield from (
            "[[rule]]",
            f'name = "{name}"',
            'target = "provider"',
            f'older_than = "{self.older_than}d"',
        )
        if self.sender:
            yield f'sender_id = ["{self.sender}"]'
        if self.key:
            yield f"key_id = [{self.key}]"
        if self.service:
            yield f'service = ["{self.service}"]'
        if self.statuses:
            yield f"delivery_status = {json.dumps(self.statuses)}"
        if self.require_closed:
            yield "require_closed = true"


@dataclass(frozen=True)
class HoldGiven:
    """A hold of what meets all that is not None."""

    uuid: str | None = None
    sender: str | None = None
    key: int | None = None
    since: timedelta | None = None
    """So long ago; and before `until`."""
    until: timedelta | None = None
    is_over: bool = False
    """It ended, or was removed."""

    def holds(self, fate: Fate) -> bool:
        return (
            not self.is_over
            and self.uuid in {None, fate.uuid}
            and self.sender in {None, fate.sender}
            and self.key in {None, fate.key}
            and (self.since is None or fate.age <= self.since)
            and (self.until is None or fate.age > self.until)
        )


@dataclass
class Course:
    """All that happens in one course but the run itself."""

    fates: list[Fate]
    rules: list[RuleGiven]
    dispute_days: int
    closed: frozenset[datetime]
    loaded: frozenset[int]
    """The landed files that were loaded."""
    before: list[HoldGiven]
    after: list[HoldGiven]
    now: datetime
    settle_days: int = field(default=SETTLE_DAYS)

    @property
    def policy(self) -> str:
        lines = [f"dispute_days = {self.dispute_days}"]
        for number, rule in enumerate(self.rules):
            lines += rule.lines(f"rule {number}")
        return "\n".join(lines) + "\n"

    def planned(self) -> set[str]:
        """Return what a plan has: what the provider did by itself is not known to it."""
        return {
            fate.uuid for fate in self.fates if self._is_released(fate, self.before) and not fate.waits_before
        }

    def released(self) -> set[str]:
        """Return what may be deleted when the plan is carried out."""
        planned = self.planned()
        return {
            fate.uuid
            for fate in self.fates
            if fate.uuid in planned
            and not fate.waits_after
            and not any(hold.holds(fate) for hold in self.after)
            and not {fate.before, fate.after} & {AtProvider.CHANGED, AtProvider.VANISHED}
        }

    def vanished(self) -> set[str]:
        return {fate.uuid for fate in self.fates if AtProvider.VANISHED in {fate.before, fate.after}}

    def _is_released(self, fate: Fate, holds: Sequence[HoldGiven]) -> bool:
        is_closed = fate.month(self.now) in self.closed
        return (
            not any(hold.holds(fate) for hold in holds)
            and fate.is_landed
            and fate.file in self.loaded
            and (fate.dlr_code in FINAL or fate.age >= timedelta(days=self.settle_days))
            and fate.is_priced
            and (is_closed or fate.age > timedelta(days=self.dispute_days))
            and any(rule.hits(fate, is_closed=is_closed) for rule in self.rules)
        )


def course_of(random: Random, now: datetime) -> Course:
    """Make a course; most messages are such that nothing speaks against deleting them."""
    fates = [_fate(random, number) for number in range(MESSAGES)]
    months = sorted({fate.month(now) for fate in fates})
    return Course(
        fates=fates,
        rules=[_rule(random) for _ in range(random.randint(1, 3))],
        dispute_days=random.choice(DISPUTE_DAYS),
        closed=frozenset(month for month in months if random.random() < 0.5),
        loaded=frozenset(file for file in range(FILES) if random.random() < 0.95),
        before=[_hold(random, fates) for _ in range(random.choice((0, 1, 1, 2)))],
        after=[_hold(random, fates) for _ in range(random.choice((0, 0, 1)))],
        now=now,
    )


def _fate(random: Random, number: int) -> Fate:
    def rarely() -> bool:
        return random.random() < 0.05

    def by_itself() -> AtProvider:
        return random.choice((AtProvider.CHANGED, AtProvider.VANISHED)) if rarely() else AtProvider.NOTHING

    return Fate(
        number=number,
        age=timedelta(days=random.choice(AGES), minutes=number),
        sender=random.choice(SENDERS),
        key=random.choice(KEYS),
        service=random.choice(SERVICES),
        dlr_code=random.choice((1, 1, 1, *STATUSES)),
        is_priced=not rarely(),
        is_landed=not rarely(),
        waits_before=rarely(),
        waits_after=rarely(),
        before=by_itself(),
        after=by_itself(),
    )


def _rule(random: Random) -> RuleGiven:
    def seldom(values: Sequence[Any]) -> Any:
        return random.choice(values) if random.random() < 0.15 else None

    statuses = tuple(STATUSES.values())
    return RuleGiven(
        older_than=random.choice(OLDER_THAN),
        sender=seldom(SENDERS),
        key=seldom(KEYS),
        service=seldom(SERVICES),
        statuses=tuple(random.sample(statuses, k=3)) if random.random() < 0.15 else (),
        require_closed=random.random() < 0.2,
    )


def _hold(random: Random, fates: Sequence[Fate]) -> HoldGiven:
    is_over = random.random() < 0.2
    kind = random.randrange(4)
    if kind == 0:
        return HoldGiven(uuid=random.choice(fates).uuid, is_over=is_over)
    if kind == 1:
        return HoldGiven(sender=random.choice(SENDERS), key=random.choice((None, *KEYS)), is_over=is_over)
    if kind == 2:
        return HoldGiven(key=random.choice(KEYS), is_over=is_over)
    late, early = sorted(random.sample(range(0, 130, 10), k=2))
    return HoldGiven(since=timedelta(days=early), until=timedelta(days=late), is_over=is_over)
