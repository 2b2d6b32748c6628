"""Holds, whatever course things take, that nothing is gone at the provider that was not proven and released.

Policies, holds, closed months, messages that change or vanish at the provider, kills and lost answers come
together at random; plain Python, and none of the code's SQL, says what may be gone.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from sms_etl.errors import PlanRefused, SmsEtlError
from sms_etl.retention import applying
from sms_etl.retention.holds import Scope, add_hold
from sms_etl_tests.attacks.form import IS_FULL
from sms_etl_tests.retention.axe import Axe, Killed, watched
from sms_etl_tests.retention.office import KINDS, Office, messages_at, opened, uuids_of

EVERY = uuids_of(*KINDS)
KIND_OF = {uuid: kind for kind in KINDS for uuid in uuids_of(kind)}
AGES = ("1d", "30d", "92d", "97d")
SENDERS = {"login": "LOGIN", "news": "NEWS"}

rules = st.fixed_dictionaries(
    {
        "older_than": st.sampled_from(AGES),
        "sender_id": st.sampled_from([None, "LOGIN", "NEWS"]),
        "require_closed": st.booleans(),
    }
)
PolicyGiven = tuple[Sequence[dict[str, Any]], int]
policies = st.tuples(st.lists(rules, min_size=1, max_size=2), st.sampled_from([0, 96, 99]))


def text_of(policy: PolicyGiven) -> str:
    """Write a policy as somebody would."""
    given, dispute_days = policy
    lines = [f"dispute_days = {dispute_days}"]
    for number, each in enumerate(given):
        lines += ["[[rule]]", f'name = "rule {number}"', 'target = "provider"']
        lines.append(f'older_than = "{each["older_than"]}"')
        if each["sender_id"]:
            lines.append(f'sender_id = ["{each["sender_id"]}"]')
        if each["require_closed"]:
            lines.append("require_closed = true")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Happening:
    """What happens to the messages at one moment, before the plan or after it."""

    held: frozenset[str]
    """Uuids, or senders."""
    waiting: frozenset[str]
    differing: frozenset[str]
    vanished: frozenset[str]


few = st.frozensets(st.sampled_from(uuids_of("login", "news", "recent")), max_size=3)
happenings = st.builds(
    Happening,
    held=st.frozensets(st.sampled_from([*SENDERS.values(), *uuids_of("login", "news")]), max_size=1),
    waiting=few,
    differing=few,
    vanished=few,
)


class Course:
    """One course of things, on a copy of the account."""

    def __init__(self, office: Office, policy: PolicyGiven, closed: frozenset[str]) -> None:
        self.office = office
        self.rules, self.dispute_days = policy
        self.held: set[str] = set()
        self.spoilt: set[str] = set()
        self.vanished: set[str] = set()
        months = {kind: self.month_of(kind) for kind in KINDS}
        self.closed = {kind for kind in KINDS if months[kind] in {months[each] for each in closed}}
        for month in {months[kind] for kind in closed}:
            office.close_month(month)
        office.policy(text_of(policy))

    def month_of(self, kind: str) -> datetime:
        moment = self.office.provider.now() - timedelta(days=KINDS[kind][1])
        return moment.replace(day=1)

    def happen(self, what: Happening) -> None:
        """Let something happen in the warehouse and at the provider."""
        office = self.office
        with office.begin() as transaction:
            for each in what.held:
                scope = Scope(sender_id=each) if each in SENDERS.values() else Scope(uuid=UUID(each))
                add_hold(transaction, office.settings, scope, reason="any", ends_at=None)
            transaction.run(
                "insert into ops.quarantine (quarantine_id, run_id, stream, quarantined_at, reason, uuid) "
                "select uuid(), uuid(), 'sms', now(), 'any', unnest(cast($1 as varchar[]))",
                [sorted(what.waiting)],
            )
        changed = what.differing & office.at_provider()
        messages = [each for each in messages_at(office.provider.now()) if each["uuid"] in changed]
        office.provider.insert(*({**each, "price": "0.9"} for each in messages))
        office.provider.delete(*what.vanished)
        self.held |= what.held
        self.spoilt |= what.waiting | changed
        self.vanished |= what.vanished

    def released(self) -> set[str]:
        """Return what the policy and all else release now."""
        return {uuid for uuid in EVERY if self.is_released(uuid)} - self.spoilt - self.vanished

    def is_released(self, uuid: str) -> bool:
        kind = KIND_OF[uuid]
        is_closed, age = kind in self.closed, KINDS[kind][1]
        if kind in {"open", "unpriced"} or {uuid, SENDERS.get(kind)} & self.held:
            return False
        if not is_closed and age < self.dispute_days:
            return False
        return any(
            age > int(each["older_than"][:-1])
            and each["sender_id"] in {None, SENDERS.get(kind)}
            and (is_closed or not each["require_closed"])
            for each in self.rules
        )

    def gone(self) -> set[str]:
        """Return what is gone at the provider, but what vanished there by itself."""
        return set(EVERY) - self.office.at_provider() - self.vanished

    def check_requests(self) -> None:
        """Hold every request that changes something to naming its messages."""
        for request in self.office.provider.requests():
            assert request["method"] in {"GET", "POST"}
            if request["method"] == "POST":
                pairs = parse_qsl(request["query"], keep_blank_values=True)
                assert request["path"] == "/sms/ops/batch_delete"
                assert 1 <= len(pairs) <= 50
                assert all(name == "uuid[]" and value in EVERY for name, value in pairs)


@pytest.mark.parametrize("part", range(20 if IS_FULL else 1))
def test_nothing_is_ever_deleted_that_was_not_proven_and_released(
    prepared_office: Office, tmp_path: Path, part: int
) -> None:
    places = count()

    @seed(part)
    @settings(
        max_examples=10,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # to shrink a failure takes minutes
    )
    @given(
        policy=policies,
        closed=st.frozensets(st.sampled_from(list(KINDS)), max_size=2),
        before=happenings,
        after=happenings,
        axe=st.builds(Axe, st.integers(0, 14), is_after=st.booleans()),
        writes=st.sampled_from(["answered", "answered", "answer_lost", "not_carried_out"]),
        batch=st.sampled_from([3, 50]),
    )
    def any_course(
        policy: PolicyGiven,
        closed: frozenset[str],
        before: Happening,
        after: Happening,
        axe: Axe,
        writes: str,
        batch: int,
    ) -> None:
        folder = tmp_path / str(next(places))
        course = Course(opened(prepared_office, folder), policy, closed)
        office = course.office
        course.happen(before)
        office.provider.forget_requests()
        plan = office.plan()
        # What the provider changed or deleted meanwhile is known to it alone: the proof shows it later.
        assert plan.messages == len(course.released() | released_but_at_provider(course, before))
        course.happen(after)
        office.provider.set_switches(writes=writes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(applying, "BATCH", batch)
            watched(patch, axe)
            with suppress(SmsEtlError, Killed):
                office.apply(plan)
        assert course.gone() <= course.released()
        office.provider.set_switches(writes="answered")

        assert not applying.verify_ledger(office.settings).needs_attention
        told = {uuid for outcome in office.ledger.outcomes() for uuid in outcome.confirmed}
        assert course.gone() <= told <= course.gone() | course.vanished
        with suppress(PlanRefused):
            applied = office.apply(plan)
            assert course.gone() == course.released()
            assert course.gone() <= office.gone() <= course.gone() | course.vanished
            assert applied.confirmed >= len(course.gone())
        course.check_requests()
        shutil.rmtree(folder)

    any_course()


def released_but_at_provider(course: Course, before: Happening) -> set[str]:
    """Return what a plan has, for all that is in the warehouse, although the provider has it otherwise."""
    return {
        uuid for uuid in (before.differing | before.vanished) - before.waiting if course.is_released(uuid)
    }
