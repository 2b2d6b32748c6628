"""Holds that an erased person is nowhere any more, that figures stay, and that what stops it is completed."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.erasure import erase as carrying_out
from sms_etl.erasure.erase import erase
from sms_etl.erasure.plan import plan_erasure
from sms_etl.errors import AlreadyRunning, NoSuchPlan, PlanRefused, SettingsError, Unavailable
from sms_etl.pii.key import find_key
from sms_etl.pii.rotate import rotate
from sms_etl.pii.state import pii_of
from sms_etl.pipeline import build_close_publish
from sms_etl.retention.deleting import Deleted
from sms_etl.retention.holds import Scope, add_hold, remove_hold
from sms_etl.retention.ledger import Ledger
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.lock import only_one
from sms_etl.sync.task import Task
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.erasure.conftest import OTHER, Copy, Person, places_of, settled
from sms_etl_tests.postgres import Database
from sms_etl_tests.provider_truth import ask

FIGURES = """
select 'raw', currency, count(*), sum(price), sum(parts_count), count(iso2) from raw.sms group by all
union all
select 'daily', currency, sum(messages), sum(cost), sum(parts), count(distinct country_code)
from marts.cost_daily group by all
order by all
"""
CLOSED = "select * from finance.closed_line order by all"


def at_provider(provider: SandboxHandle, phone: str) -> int:
    return sum(message["phone"] == phone for message in provider.truth_sms())


def own(settings: Settings, person: Person, columns: str) -> list[tuple[Any, ...]]:
    wanted = ", ".join(f"'{uuid}'" for uuid in person.uuids)
    return ask(settings, f"select {columns} from raw.sms where uuid in ({wanted}) order by uuid")


@pytest.mark.parametrize("policy", ["pseudonymise", "keep"])
def test_an_erased_person_is_in_no_byte_of_the_data_directory_and_does_not_come_back(
    copy: Copy, provider: SandboxHandle, person: Person, policy: str
) -> None:
    settings = copy(policy)
    provider.insert_twosms({"destination": person.phone}, {"destination": OTHER})
    places = " ".join(places_of(settings, person))
    for place in (
        *("warehouse.duckdb, raw.sms", "landing/sms", "published/warehouse.duckdb, marts.fct_sms", "backup/"),
        "published/parquet/marts.fct_sms/",
    ):
        assert place in places, "what is looked for can be found"
    figures = ask(settings, FIGURES)
    plan = plan_erasure(settings, person.subject).as_json()
    assert (plan["messages"], plan["files"], plan["applied"]) == (3, 1, False)
    assert plan["providers"]["lox24"] == {"state": "planned", "messages": 3, "to_delete": 3, "bulks": 0}
    assert at_provider(provider, person.phone) == 3, "a plan deletes nothing"

    result = erase(settings, person.subject)
    assert places_of(settings, person) == set()
    told = result.as_json()
    assert (told["erasure_id"], told["messages"], told["files"]) == (plan["erasure_id"], 3, 1)
    assert told["providers"]["lox24"] == {"state": "done", "deleted": 3, "bulks": 0, "errors": []}
    assert (told["providers"]["twosms"]["state"], told["providers"]["twosms"]["deleted"]) == ("done", 1)
    assert (result.needs_attention, told["held_back"], told["elsewhere"]) == (False, {}, [])
    assert (at_provider(provider, person.phone), at_provider(provider, f"{person.phone}0")) == (0, 1)
    assert ask(settings, FIGURES) == figures
    assert read_status(settings).failed_tests == (), "the models take what is blanked"
    waste = "select count(*), sum(messages) >= 3 from marts.encoding_waste where text_template = 'erased'"
    assert ask(settings, waste) == [(2, True)], "by sender"
    assert own(
        settings, person, "price > 0, iso2 is not null, gone_at is not null, phone_masked, sender_id is null"
    ) == [(True, True, True, None, is_own_sender) for is_own_sender in sorted_senders(settings, person)]
    assert Ledger(Warehouse.of(settings), settings.clock).verify().is_whole
    assert result.receipt is not None
    assert str(result.erasure_id) in result.receipt.read_text()

    run_sync(settings, Task(reconcile_days=10))
    run_sync(settings, Task(since=settings.clock() - timedelta(days=6), until=settings.clock()))
    assert policy == "keep" or places_of(settings, person) == set(), "texts of others are read as they are"
    assert own(settings, person, "phone_hash, text, callback_data") == [(None, None, None)] * 3
    assert not plan_erasure(settings, person.subject).survey.messages


def sorted_senders(settings: Settings, person: Person) -> list[bool]:
    """Return for each message, by uuid, whether it was sent from the person's number."""
    return [uuid == person.uuids[0] for uuid in sorted(person.uuids)]


def test_a_held_message_stays_whole_and_is_listed_until_the_hold_is_removed_and_closed_months_stay(
    copy: Copy, person: Person
) -> None:
    settings = copy(now=copy().clock() + timedelta(days=4))
    build_close_publish(settings, date(2026, 1, 1), forced_reason="a test")
    closed = ask(settings, CLOSED)
    assert closed
    warehouse = Warehouse.of(settings)
    with warehouse.begin() as transaction:
        hold = add_hold(
            transaction, settings, Scope(uuid=UUID(person.uuids[1])), reason="dispute", ends_at=None
        )
    assert plan_erasure(settings, person.subject).survey.held_back == {"on_hold": 1}
    result = erase(settings, person.subject)
    assert (result.blanked.messages, result.held_back, result.needs_attention) == (2, {"on_hold": 1}, True)
    assert [phone_hash is not None for (phone_hash,) in own(settings, person, "phone_hash")].count(True) == 1
    with warehouse.begin() as transaction:
        remove_hold(transaction, settings, str(hold.hold_id), reason="settled")
    plan_erasure(settings, person.subject)
    assert erase(settings, person.subject).blanked.messages == 1
    places = {place.partition(", ")[2] for place in places_of(settings, person)}
    assert places == {"finance.closed_period"}, "a sender in figures that were closed, masked as it was then"
    assert ask(settings, CLOSED) == closed
    assert ask(settings, "select count(*) from finance.correction") == [(0,)]


@pytest.mark.parametrize("step", ["_blank", "rewrite_landing", "_finish"])
def test_killed_at_any_point_the_next_plan_shows_what_is_left_and_applying_it_completes_it(
    copy: Copy, person: Person, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    settings = copy("keep")

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    plan_erasure(settings, person.subject)
    with monkeypatch.context() as patched:
        patched.setattr(carrying_out, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erase(settings, person.subject)
    assert run_sync(settings).stopped_reason == "done", "nothing else is stopped by it"
    plan = plan_erasure(settings, person.subject)
    assert plan.is_interrupted
    result = erase(settings, person.subject, plan.erasure_id)
    assert (result.erasure_id, result.deleted_at_lox24) == (plan.erasure_id, 3)
    assert places_of(settings, person) == set()
    assert ask(settings, "select count(*) from ops.erasure where subject is not null") == [(0,)]
    assert Ledger(Warehouse.of(settings), settings.clock).unfinished() == []


def test_only_what_was_planned_is_applied_and_only_while_it_is_still_so(
    copy: Copy, provider: SandboxHandle, person: Person
) -> None:
    settings = copy()
    with pytest.raises(NoSuchPlan, match="not planned before") as caught:
        erase(settings, person.subject)
    assert "without --apply" in caught.value.hint
    with pytest.raises(NoSuchPlan, match="There is no erasure"):
        erase(settings, person.subject, uuid4())
    plan = plan_erasure(settings, person.subject)
    with pytest.raises(PlanRefused, match="another number was"):
        erase(settings, Person(OTHER, ()).subject, plan.erasure_id)
    later = settings.model_copy(update={"now": settings.clock() + timedelta(hours=25)})
    with pytest.raises(PlanRefused, match="expired"):
        erase(later, person.subject, plan.erasure_id)
    [late] = provider.insert(settled(provider, phone=person.phone, text=person.text))
    with pytest.raises(PlanRefused, match="has changed"):
        erase(settings, person.subject, plan.erasure_id)
    assert at_provider(provider, person.phone) == 4

    again = plan_erasure(settings, person.subject)
    assert ask(settings, "select count(*) from ops.erasure") == [(2,)]
    assert again.survey.stays == {late: "not_stored"}, "what is not stored is not deleted"
    result = erase(settings, person.subject, again.erasure_id)
    assert (result.held_back, result.needs_attention) == ({"not_stored": 1}, True)
    assert ask(settings, "select subject, state from ops.erasure") == [(None, None)], (
        "the first plan is forgotten"
    )
    assert at_provider(provider, person.phone) == 1
    with pytest.raises(PlanRefused, match="carried out already"):
        erase(settings, person.subject, again.erasure_id)
    run_sync(settings, Task(since=settings.clock() - timedelta(days=6), until=settings.clock()))
    plan_erasure(settings, person.subject)
    assert erase(settings, person.subject).blanked.messages == 1
    assert places_of(settings, person) == set()


def test_what_lox24_does_not_delete_stays_here_too_and_goes_with_the_next_try(
    copy: Copy, provider: SandboxHandle, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copy()
    plan_erasure(settings, person.subject)
    with monkeypatch.context() as patched:
        patched.setattr(
            carrying_out,
            "delete_at_lox24",
            lambda *_: (Deleted(), Unavailable("LOX24 is out of order.")),
        )
        result = erase(settings, person.subject)
    assert (result.lox24_error, result.blanked.messages) == ("LOX24 is out of order.", 0)
    assert result.held_back == {"still_there": 3}
    assert own(settings, person, "phone_hash is null") == [(False,)] * 3
    provider.set_switches(twosms_may_delete=False)
    try:
        plan_erasure(settings, person.subject)
        result = erase(settings, person.subject)
    finally:
        provider.set_switches(twosms_may_delete=True)
    assert (result.blanked.messages, result.twosms.state, result.needs_attention) == (3, "failed", True)
    assert person.phone not in str(result.as_json())
    assert places_of(settings, person) == set()


def test_after_a_new_key_the_person_is_found_and_without_the_providers_what_is_stored_goes(
    copy: Copy, provider: SandboxHandle, person: Person
) -> None:
    settings = copy()
    with pytest.raises(SettingsError, match="SMS_ETL_LOX24_TOKEN") as caught:
        plan_erasure(settings.model_copy(update={"lox24_token": None}), person.subject)
    assert "`--local`" in caught.value.hint
    rotate(settings)
    provider.forget_requests()
    plan = plan_erasure(settings, person.subject, is_local=True)
    result = erase(settings, person.subject, plan.erasure_id, is_local=True)
    assert (result.blanked.messages, result.as_json()["providers"]["lox24"]["state"]) == (3, "not_asked")
    assert provider.requests() == []
    assert places_of(settings, person) == set()
    assert own(settings, person, "gone_at") == [(None,)] * 3, "the provider still has them"


def test_rows_in_quarantine_go_once_the_provider_has_them_no_more(
    copy: Copy, provider: SandboxHandle, person: Person
) -> None:
    settings = copy("keep")
    bad = {
        "created_at": to_unix(provider.now()),
        "phone": f"0049{person.phone[3:]}",
        "extra": {"price": "free"},
    }
    [uuid] = provider.insert({**bad, "text": person.text})
    run_sync(settings)
    plan = plan_erasure(settings, person.subject)
    assert plan.survey.stays == {uuid: "in_quarantine"}
    erase(settings, person.subject)
    assert places_of(settings, person), "a sync would bring it back"
    provider.delete(uuid)
    assert plan_erasure(settings, person.subject).survey.quarantined == 1
    assert erase(settings, person.subject).blanked.quarantined == 1
    assert places_of(settings, person) == set()
    assert ask(settings, f"select raw is not null, price from ops.quarantine where uuid = '{uuid}'") == [
        (True, None)
    ]


def test_a_copy_in_postgresql_is_brought_up_to_date_and_while_it_is_not_the_erasure_needs_attention(
    copy: Copy, person: Person, database: Database
) -> None:
    settings = copy(publish_to=database.url)
    pii = pii_of(settings, find_key(settings) or b"")
    holding = f"select count(*) from marts.fct_sms where sender_id like '%{pii.hash_of(person.phone)[:8]}%'"
    publish(settings)
    assert database.rows(holding) == [(1,)]
    plan_erasure(settings, person.subject)
    database.server.stop()
    try:
        result = erase(settings, person.subject)
    finally:
        database.server.start()
    assert (result.blanked.messages, len(result.copies.errors), result.needs_attention) == (3, 1, True)
    assert places_of(settings, person) == set()
    assert database.rows(holding) == [(1,)]
    publish(settings)
    assert database.rows(holding) == [(0,)]


def test_nothing_is_planned_beside_a_sync(copy: Copy) -> None:
    settings = copy()
    with only_one(settings), pytest.raises(AlreadyRunning):
        plan_erasure(settings, Person(OTHER, ()).subject)
