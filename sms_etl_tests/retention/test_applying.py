"""Holds that a plan is carried out exactly as it was shown, each message proven, or refused with words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from sms_etl.errors import (
    AlreadyRunning,
    DeletionStopped,
    LedgerBroken,
    NoSuchPlan,
    PlanRefused,
    ProviderDiffers,
    SettingsError,
    SmsEtlError,
    Unauthorised,
    WrongAccount,
)
from sms_etl.providers.lox24.writing import BatchAnswer
from sms_etl.retention import applying
from sms_etl.retention.deleting import check_answer
from sms_etl.retention.holds import Scope, add_hold
from sms_etl.retention.ledger import Event
from sms_etl.sync.engine import run_sync
from sms_etl.sync.lock import only_one
from sms_etl.sync.task import Task
from sms_etl_tests.retention.axe import Axe, Killed, watched
from sms_etl_tests.retention.office import FILES, RULE, Office, messages_at, states, uuids_of

OLD = set(uuids_of("login", "news"))


def posts(office: Office) -> list[dict[str, Any]]:
    return [request for request in office.provider.requests() if request["method"] == "POST"]


def change(office: Office, uuid: str, **fields: Any) -> None:
    """Let the provider show a message otherwise."""
    [message] = [each for each in messages_at(office.provider.now()) if each["uuid"] == uuid]
    office.provider.insert({**message, **fields})


def test_what_was_planned_is_deleted_confirmed_and_marked_and_nothing_else(office: Office) -> None:
    others = office.at_provider() - OLD
    with office.begin() as transaction:
        before = states(transaction)
    plan = office.plan(RULE)
    applied = office.apply(plan)
    assert (applied.deleted, applied.confirmed, applied.skipped) == (12, 12, {})
    assert office.at_provider() == others
    assert office.gone() == OLD
    with office.begin() as transaction:
        assert states(transaction) == before
    [post] = posts(office)
    assert post["path"] == "/sms/ops/batch_delete"
    assert [(row.event, row.answer_count, set(row.what)) for row in office.ledger.rows()] == [
        (Event.INTENDED, None, OLD),
        (Event.DONE, 12, OLD),
        (Event.CONFIRMED, None, OLD),
    ]
    assert office.ledger.rows()[1].request_id == post["request_id"]
    assert len(office.ledger.rows()[0].proof_digest or "") == 64
    assert office.ledger.verify().is_whole
    asked = office.ask(
        "select method, count(*) from ops.request where run_id = $1 group by all", [plan.plan_id]
    )
    assert dict(asked)["POST"] == 1


def test_a_sync_afterwards_finds_nothing_changed(office: Office) -> None:
    office.apply(office.plan(RULE))
    result = run_sync(office.settings, Task(reconcile_days=200))
    assert (result.rows_gone, result.rows_new, result.rows_changed, result.differences) == (0, 0, 0, 0)


def test_a_plan_that_was_applied_is_not_applied_again(office: Office) -> None:
    plan = office.plan(RULE)
    office.apply(plan)
    office.provider.forget_requests()
    again = office.apply(plan)
    assert (again.is_already_applied, again.deleted, again.confirmed) == (True, 12, 12)
    assert office.provider.requests() == []


def test_an_empty_plan_needs_no_token(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"lox24_token": None})
    assert office.apply(office.plan("")).deleted == 0
    with pytest.raises(SettingsError):
        office.apply(office.plan(RULE))


def later(office: Office) -> Office:
    return office.at(office.settings.clock() + timedelta(hours=24))


def earlier(office: Office) -> Office:
    return office.at(office.settings.clock() - timedelta(seconds=1))


def with_another_policy(office: Office) -> Office:
    office.policy(RULE.replace("30d", "31d"))
    return office


def with_another_price(office: Office) -> Office:
    office.run("update raw.sms set price = price + 0.000001 where uuid = $1", [uuids_of("login")[0]])
    return office


def by_another_rule(office: Office) -> Office:
    office.run("update ops.retention_item set rule = 'new' where item = $1", [uuids_of("login")[0]])
    return office


def without_a_row(office: Office) -> Office:
    office.run("delete from raw.sms where uuid = $1", [uuids_of("login")[0]])
    return office


def with_one_more_item(office: Office) -> Office:
    office.run(
        "insert into ops.retention_item select plan_id, rule, target, $1, messages, state "
        "from ops.retention_item limit 1",
        [uuids_of("recent")[0]],
    )
    return office


@pytest.mark.parametrize(
    ("becomes", "says"),
    [
        (later, "expired"),
        (earlier, "which has not come yet"),
        (with_another_policy, "policy was changed"),
        (with_another_price, "1 message or file of the plan"),
        (without_a_row, "1 message or file of the plan"),
        (with_one_more_item, "not the one that was shown"),
        (by_another_rule, "not the one that was shown"),
    ],
)
def test_a_plan_that_is_no_longer_true_is_refused(
    office: Office, becomes: Callable[[Office], Office], says: str
) -> None:
    plan = office.plan(RULE)
    with pytest.raises(PlanRefused, match=says):
        becomes(office).apply(plan)
    assert posts(office) == []
    assert office.ledger.rows() == []


def test_a_plan_that_is_none_is_refused(office: Office) -> None:
    plan = replace(office.plan(RULE), plan_id=uuid4())
    with pytest.raises(NoSuchPlan):
        office.apply(plan)


def test_what_is_on_hold_since_the_plan_is_left(office: Office) -> None:
    plan = office.plan(RULE)
    held = UUID(uuids_of("login")[0])
    with office.begin() as transaction:
        add_hold(transaction, office.settings, Scope(uuid=held), reason="complaint", ends_at=None)
    applied = office.apply(plan)
    assert (applied.deleted, applied.skipped, applied.needs_attention) == (11, {"on_hold": 1}, False)
    assert str(held) in office.at_provider()
    again = office.apply(plan)
    assert (again.is_already_applied, again.skipped) == (True, {"on_hold": 1})


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "0.0746"},
        {"dlr_code": 8},
        {"phone": "+4917612345679"},
        {"text": "Another text"},
        {"extra": {"new_field": "x"}},
        {"extra": {"created_at": "never"}},
        {"sender_id": "OTHER"},
    ],
)
def test_what_the_provider_has_otherwise_is_left(office: Office, fields: dict[str, Any]) -> None:
    plan = office.plan(RULE)
    changed = uuids_of("login")[3]
    change(office, changed, **fields)
    applied = office.apply(plan)
    assert (applied.deleted, applied.skipped) == (11, {"differs_at_provider": 1})
    assert applied.needs_attention
    assert changed in office.at_provider()
    assert changed not in office.gone()


def test_what_somebody_else_deleted_is_marked_and_not_claimed(office: Office) -> None:
    plan = office.plan(RULE)
    first = uuids_of("login")[0]
    office.provider.delete(first)
    applied = office.apply(plan)
    assert (applied.deleted, applied.skipped, applied.needs_attention) == (11, {"gone_already": 1}, False)
    assert office.gone() == OLD
    assert all(first not in row.what for row in office.ledger.rows())


def test_a_message_whose_text_the_provider_deleted_is_still_the_one_that_is_stored(office: Office) -> None:
    uuid = uuids_of("login")[0]
    change(office, uuid, text_deleted_at=1)
    now = office.settings.clock()
    run_sync(office.settings, Task(since=now - timedelta(days=101), until=now - timedelta(days=99)))
    assert office.ask("select text_units is null, is_text_deleted from raw.sms where uuid = $1", [uuid]) == [
        (False, True)
    ]
    assert office.apply(office.plan(RULE)).deleted == 12


def test_no_sync_may_be_at_work(office: Office) -> None:
    plan = office.plan(RULE)
    at_once = office.settings.model_copy(update={"lock_wait": timedelta(0)})
    with only_one(office.settings), pytest.raises(AlreadyRunning):
        applying.apply_plan(at_once, plan.plan_id)
    assert office.apply(plan).deleted == 12


def test_nothing_is_deleted_while_the_ledger_is_not_whole(office: Office) -> None:
    office.apply(office.plan(RULE + "key_id = [2]\n"))
    plan = office.plan(RULE)
    office.run("delete from ops.deletion where sequence = 2")
    with pytest.raises(LedgerBroken, match="row 2 is missing"):
        office.apply(plan)
    applying.accept_ledger(office.settings, "restored a backup")
    assert office.apply(plan).deleted == 8


def test_another_account_is_refused(office: Office) -> None:
    plan = office.plan(RULE)
    office.run("update ops.account set account_id = '1'")
    with pytest.raises(WrongAccount):
        office.apply(plan)
    assert posts(office) == []


def test_a_wrong_token_is_asked_once_and_stops_everything(office: Office) -> None:
    plan = office.plan(RULE)
    right = office.settings
    office.settings = right.model_copy(update={"lox24_token": SecretStr("4711:wrong")})
    with pytest.raises(Unauthorised):
        office.apply(plan)
    assert len(office.provider.requests()) == 1
    office.settings = right
    assert office.apply(plan).deleted == 12


def test_a_listing_that_does_not_obey_its_filter_stops_before_anything_is_deleted(office: Office) -> None:
    plan = office.plan(RULE)
    office.provider.set_switches(sms_uuid_filter="ignored")
    before = office.at_provider()
    with pytest.raises(ProviderDiffers):
        office.apply(plan)
    assert (office.at_provider(), posts(office)) == (before, [])
    [outcome] = office.ledger.outcomes()
    assert (set(outcome.failed), outcome.left) == (OLD, ())
    office.provider.set_switches(sms_uuid_filter="obeyed")
    assert office.apply(plan).deleted == 12


def test_a_provider_that_deletes_another_number_is_stopped_after_the_first_batch(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "BATCH", 5)
    plan = office.plan(RULE)
    office.provider.set_switches(batch_uuid_filter="ignored")
    with pytest.raises(DeletionStopped, match="deleted 22 messages of 5"):
        office.apply(plan)
    assert len(posts(office)) == 1
    [outcome] = office.ledger.outcomes()
    assert (set(outcome.confirmed), outcome.left) == (set(uuids_of("login")[:5]), ())


def test_too_many_deletions_stop_everything_though_an_earlier_answer_was_lost() -> None:
    """Fewer may have been deleted by the try whose answer was lost; more are others."""
    asked = uuids_of("login")
    answer = BatchAnswer(200, "id", attempts=2, has_lost_answer=True, count=len(asked) + 1)
    with pytest.raises(DeletionStopped, match="deleted 9 messages of 8"):
        check_answer(answer, asked, still_there=())
    check_answer(replace(answer, count=0), asked, still_there=())


def test_a_lost_answer_is_looked_up_at_once(office: Office) -> None:
    plan = office.plan(RULE)
    office.provider.set_switches(writes="answer_lost")
    applied = office.apply(plan)
    assert (applied.deleted, office.gone()) == (12, OLD)
    assert [row.event for row in office.ledger.rows()] == [Event.INTENDED, Event.CONFIRMED]


def test_a_deletion_that_was_not_carried_out_can_be_applied_again(office: Office) -> None:
    plan = office.plan(RULE)
    office.provider.set_switches(writes="not_carried_out")
    with pytest.raises(DeletionStopped, match="12 of 12 messages are not deleted"):
        office.apply(plan)
    assert (office.gone(), office.ledger.unfinished()) == (set(), [])
    office.provider.set_switches(writes="answered")
    assert office.apply(plan).deleted == 12


def test_landed_files_are_removed_with_the_ledger_and_a_sync_goes_on_without_them(office: Office) -> None:
    office.run("update raw.sms set dlr_code = 1 where dlr_code = 2")
    much_later = office.at(office.settings.clock() + timedelta(days=100))
    names = [file.name for file in much_later.files()]
    plan = much_later.plan(FILES)
    applied = much_later.apply(plan)
    assert (applied.files, applied.deleted, much_later.files()) == (len(names), 0, [])
    assert [(row.event, list(row.what)) for row in much_later.ledger.rows()] == [
        (Event.INTENDED, names),
        (Event.CONFIRMED, names),
    ]
    # Their messages are still proven: they were loaded, and the ledger says where the file went.
    assert much_later.plan(RULE).held_back == {"not_priced": 2}
    assert run_sync(office.settings).stopped_reason == "done"


def test_a_landed_file_with_a_message_on_hold_since_the_plan_stays(office: Office) -> None:
    office.run("update raw.sms set dlr_code = 1 where dlr_code = 2")
    much_later = office.at(office.settings.clock() + timedelta(days=100))
    plan = much_later.plan(FILES)
    assert plan.rules[0].files == 1
    with office.begin() as transaction:
        add_hold(transaction, office.settings, Scope(key_id=2), reason="complaint", ends_at=None)
    applied = much_later.apply(plan)
    assert (applied.files, applied.skipped, len(much_later.files())) == (0, {"on_hold": 1}, 1)
    assert much_later.plan().held_back == {"on_hold": 22}


STEPS_OF_A_BATCH = 6
"""Read, intend, delete, done, read, confirm."""


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS_OF_A_BATCH + 2))
def test_after_a_kill_at_any_step_the_next_run_tells_the_truth_and_ends_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, at: int, is_after: bool
) -> None:
    monkeypatch.setattr(applying, "BATCH", 8)
    plan = office.plan(RULE)
    others = office.at_provider() - OLD
    with monkeypatch.context() as patch:
        watched(patch, Axe(at, is_after=is_after))
        with pytest.raises(Killed):
            office.apply(plan)
    if at % 2:
        verified = applying.verify_ledger(office.settings)
        assert (verified.unfinished, verified.needs_attention) == (0, False)
        told = {uuid for outcome in office.ledger.outcomes() for uuid in outcome.confirmed}
        assert told == OLD - office.at_provider() == office.gone()
    applied = office.apply(plan)
    assert (applied.deleted, applied.confirmed, applied.skipped) == (12, 12, {})
    assert (office.at_provider(), office.gone()) == (others, OLD)
    assert office.ledger.verify().is_whole
    assert office.ledger.unfinished() == []


def test_a_run_takes_as_many_steps_as_the_kills_assume(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "BATCH", 8)
    plan = office.plan(RULE)
    axe = Axe(0, is_after=False)
    watched(monkeypatch, axe)
    office.apply(plan)
    assert axe.steps == 2 * STEPS_OF_A_BATCH


def test_what_was_begun_and_cannot_be_looked_up_is_said_to_be_unknown(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = office.plan(RULE)
    with monkeypatch.context() as patch:
        watched(patch, Axe(4, is_after=False))
        with pytest.raises(Killed):
            office.apply(plan)
    without = office.settings.model_copy(update={"lox24_token": None})
    verified = applying.verify_ledger(without)
    assert (verified.unfinished, verified.needs_attention, bool(verified.why_unfinished)) == (1, True, True)
    # The plan is of no use any more, and still the ledger is completed first.
    with pytest.raises(PlanRefused, match="expired"):
        later(office).apply(plan)
    assert office.ledger.unfinished() == []
    assert office.gone() == OLD


def test_a_message_that_is_gone_later_than_looked_for_is_confirmed_late(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = office.plan(RULE)
    office.provider.set_switches(writes="not_carried_out")
    with pytest.raises(DeletionStopped):
        office.apply(plan)
    office.provider.set_switches(writes="answered")
    late = uuids_of("login")[0]
    office.provider.delete(late)
    applied = office.apply(plan)
    assert (applied.deleted, applied.skipped) == (12, {})
    first = office.ledger.outcomes()[0]
    assert first.confirmed == (late,)


def test_each_error_says_what_to_do(office: Office) -> None:
    plan = office.plan(RULE)
    with pytest.raises(SmsEtlError) as caught:
        later(office).apply(plan)
    assert "retention plan" in caught.value.hint


def test_only_the_file_goes_whose_messages_are_all_old_and_whose_bad_rows_are_settled(office: Office) -> None:
    now = office.settings.clock()
    change_of_price = {"created_at": int((now - timedelta(days=96)).timestamp()), "extra": {"price": "x"}}
    office.provider.insert(change_of_price)
    [first] = office.files()
    run_sync(office.settings, Task(since=now - timedelta(days=101), until=now - timedelta(days=94)))
    assert len(office.files()) == 2
    assert office.plan(FILES).rules[0].files == 0
    office.run("update ops.quarantine set accepted_at = now(), accepted_reason = 'known'")
    plan = office.plan()
    assert (plan.rules[0].files, plan.messages) == (1, 12)
    assert office.apply(plan).files == 1
    assert office.files() == [first]
    assert office.plan(RULE).messages == 12
