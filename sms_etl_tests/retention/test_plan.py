"""Holds that a plan shows what each rule would delete and why the rest stays, and changes nothing."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from sms_etl.clock import as_utc
from sms_etl.errors import NoWarehouse, PolicyInvalid
from sms_etl.retention.holds import Scope, add_hold, remove_hold
from sms_etl.retention.ledger import Action, Event, Operation, Place
from sms_etl.retention.plan import RetentionPlan, stored_sender
from sms_etl.settings import load_settings
from sms_etl_tests.retention.office import BULK, FILES, RULE, Office, states, uuids_of

NEVER_DISPUTED = "dispute_days = 0\n"


def items_of(office: Office, plan: RetentionPlan) -> set[str]:
    rows = office.ask("select item from ops.retention_item where plan_id = $1", [plan.plan_id])
    return {item for (item,) in rows}


def test_a_plan_shows_counts_money_oldest_newest_and_what_is_held_back(office: Office) -> None:
    plan = office.plan(RULE)
    [rule] = plan.rules
    assert (plan.messages, rule.messages, plan.held_back) == (12, 12, {"not_priced": 2})
    [amount] = rule.amounts
    assert (amount.currency, amount.messages, amount.cost) == ("EUR", 12, Decimal("0.894"))
    now = as_utc(office.settings.clock())
    assert (rule.oldest, rule.newest) == (now - timedelta(days=100), now - timedelta(days=95, seconds=-3))
    assert items_of(office, plan) == set(uuids_of("login", "news"))
    assert plan.as_json()["rules"][0]["amounts"] == [{"currency": "EUR", "messages": 12, "cost": "0.894000"}]


def test_a_plan_changes_nothing_but_what_is_kept_of_it(office: Office) -> None:
    with office.begin() as transaction:
        before = states(transaction)
    office.plan(RULE + FILES)
    with office.begin() as transaction:
        assert states(transaction) == before
    assert office.ask("select count(*) from ops.deletion") == [(0,)]
    assert office.provider.requests() == []
    assert len(office.files()) > 0


def test_without_rules_there_is_nothing_to_delete(office: Office) -> None:
    plan = office.plan("")
    assert (plan.messages, plan.rules, plan.held_back) == (0, (), {})


@pytest.mark.parametrize(
    ("condition", "kinds"),
    [
        ('service = ["pro"]', ("news",)),
        ('service = ["direct", "economy"]', ("login",)),
        ('sender_id = ["LOGIN"]', ("login",)),
        ("key_id = [2, 3]", ("news",)),
        ('key_id = [1]\nservice = ["pro"]', ()),
        ('delivery_status = ["delivered"]', ("login", "news")),
        ('delivery_status = ["expired"]', ()),
    ],
)
def test_a_rule_hits_what_meets_all_its_conditions(
    office: Office, condition: str, kinds: tuple[str, ...]
) -> None:
    assert items_of(office, office.plan(f"{RULE}{condition}\n")) == set(uuids_of(*kinds))


def test_a_message_counts_for_the_first_rule_that_hits_it(office: Office) -> None:
    first = RULE.replace('"old"', '"first"') + "key_id = [2]\n"
    plan = office.plan(first + RULE)
    assert [(rule.name, rule.messages) for rule in plan.rules] == [("first", 4), ("old", 8)]


def test_what_may_still_change_or_be_disputed_is_held_back(office: Office) -> None:
    young = RULE.replace("30d", "1d")
    assert office.plan(young).held_back == {"not_priced": 2, "not_settled": 3, "within_dispute_period": 5}
    assert office.plan(NEVER_DISPUTED + young).held_back == {"not_priced": 2, "not_settled": 3}


def test_a_rule_may_require_closed_months(office: Office) -> None:
    closed = RULE + "require_closed = true\n"
    assert office.plan(closed).held_back == {"month_not_closed": 12, "not_priced": 2}
    office.close_month(office.settings.clock() - timedelta(days=100))
    plan = office.plan(closed)
    assert items_of(office, plan) == set(uuids_of("login", "news"))


def test_a_closed_month_ends_the_dispute_period(office: Office) -> None:
    young = RULE.replace("30d", "10d")
    assert office.plan(young).held_back["within_dispute_period"] == 5
    office.close_month(office.settings.clock() - timedelta(days=20))
    assert "within_dispute_period" not in office.plan(young).held_back


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (Scope(uuid=UUID(uuids_of("login")[0])), 1),
        (Scope(sender_id="LOGIN"), 8),
        (Scope(key_id=2), 4),
        (Scope(bulk_id=UUID(BULK)), 4),
        (Scope(key_id=2, sender_id="LOGIN"), 0),
    ],
)
def test_what_is_on_hold_stays(office: Office, scope: Scope, held: int) -> None:
    with office.begin() as transaction:
        hold = add_hold(transaction, office.settings, scope, reason="complaint", ends_at=None)
    assert hold.messages == held
    plan = office.plan(RULE)
    assert (plan.messages, plan.held_back.get("on_hold", 0)) == (12 - held, held)
    with office.begin() as transaction:
        remove_hold(transaction, office.settings, str(hold.hold_id)[:8], reason="settled")
    assert office.plan(RULE).messages == 12


@pytest.mark.parametrize("is_hold_in_clear", [True, False])
def test_a_hold_on_a_number_holds_whatever_the_policy_was_when_it_and_the_messages_were_stored(
    office: Office, is_hold_in_clear: bool
) -> None:
    clear, masked = "+4917699999999", stored_sender_of(office, "+4917699999999")
    of_hold, of_messages = (clear, masked) if is_hold_in_clear else (masked, clear)
    office.run("update raw.sms set sender_id = $1 where key_id = 2", [of_messages])
    with office.begin() as transaction:
        scope = Scope(sender_id=of_hold)
        hold = add_hold(transaction, office.settings, scope, reason="complaint", ends_at=None)
    assert hold.messages == 4
    plan = office.plan(RULE)
    assert (plan.messages, plan.held_back["on_hold"]) == (8, 4)


def test_a_hold_on_a_span_of_time_ends_by_itself(office: Office) -> None:
    now = office.settings.clock()
    scope = Scope(since_at=as_utc(now - timedelta(days=97)), until_at=as_utc(now - timedelta(days=94)))
    with office.begin() as transaction:
        add_hold(transaction, office.settings, scope, reason="audit", ends_at=now + timedelta(days=1))
    assert office.plan(RULE).held_back["on_hold"] == 4
    assert "on_hold" not in office.at(now + timedelta(days=1)).plan().held_back


def test_what_waits_in_quarantine_stays_until_that_is_settled(office: Office) -> None:
    uuid = uuids_of("login")[0]
    office.run(
        "insert into ops.quarantine (quarantine_id, run_id, stream, quarantined_at, reason, uuid) "
        "values (uuid(), uuid(), 'sms', now(), 'price is wrong', $1)",
        [uuid.upper()],
    )
    assert office.plan(RULE).held_back["in_quarantine"] == 1
    office.run("update ops.quarantine set accepted_at = now()")
    assert "in_quarantine" not in office.plan(RULE).held_back


def test_what_lies_in_no_landed_file_stays(office: Office) -> None:
    for file in office.files():
        file.unlink()
    assert office.plan(RULE).held_back == {"not_landed": 14}


def test_a_file_that_was_removed_proves_nothing_of_messages_that_another_one_had(office: Office) -> None:
    """Windows of one run may have been fetched at the same moment."""
    office.run(
        "insert into ops.fetch_window by name select * replace ('other.parquet' as landed, "
        "until_at - interval 1 day as since_at) from ops.fetch_window where stream = 'sms'"
    )
    with office.ledger.begin() as page:
        removal = Operation(uuid4(), Action.REMOVE, Place.LANDING, "files")
        page.record(Event.CONFIRMED, removal, ["other.parquet"])
    for file in office.files():
        file.unlink()
    assert office.plan(RULE).held_back == {"not_landed": 14}


def test_a_damaged_landed_file_proves_nothing(office: Office) -> None:
    for file in office.files():
        file.chmod(0o600)
        file.write_bytes(b"PAR1 and nothing else")
    assert office.plan(RULE).messages == 0


def test_what_was_landed_and_never_loaded_proves_nothing(office: Office) -> None:
    office.run("delete from ops.fetch_window")
    assert office.plan(RULE).held_back == {"not_landed": 14}


def test_what_is_gone_already_is_in_no_plan(office: Office) -> None:
    office.run("update raw.sms set gone_at = now() where key_id = 2")
    plan = office.plan(RULE)
    assert (plan.messages, plan.held_back) == (8, {"not_priced": 2})


def test_a_rule_for_a_sender_that_is_a_number_meets_it_as_it_is_stored(office: Office) -> None:
    number = "+4917699999999"
    office.run(
        "update raw.sms set sender_id = $1 where key_id = 2",
        [stored_sender_of(office, number)],
    )
    for written in (number, stored_sender_of(office, number)):
        plan = office.plan(f'{RULE}sender_id = ["{written}"]\n')
        assert items_of(office, plan) == set(uuids_of("news"))
    assert number not in str(office.ask("select content from ops.retention_plan"))


def stored_sender_of(office: Office, number: str) -> str:
    stored = stored_sender(office.settings, number)
    assert number not in stored
    return stored


def test_landed_files_of_old_messages_are_planned_whole(office: Office) -> None:
    plan = office.plan(NEVER_DISPUTED + FILES)
    # One file holds all messages of the first sync, the young ones too: it stays.
    assert (plan.rules[0].files, plan.messages) == (0, 0)
    later = office.at(office.settings.clock() + timedelta(days=60))
    assert later.plan().held_back == {"not_settled": 22}
    office.run("update raw.sms set dlr_code = 1")
    plan = later.plan()
    assert (plan.rules[0].files, plan.messages) == (len(office.files()), 22)


def test_a_policy_that_is_named_and_not_there_is_an_error(office: Office) -> None:
    office.settings = office.settings.model_copy(
        update={"retention_policy": office.settings.data_dir / "x.toml"}
    )
    with pytest.raises(PolicyInvalid, match="no file"):
        office.plan()


def test_without_a_warehouse_there_is_nothing_to_plan(office: Office) -> None:
    empty = load_settings(data_dir=office.settings.data_dir / "elsewhere")
    with pytest.raises(NoWarehouse):
        Office(empty, office.provider).plan()
