"""A bulk is asked for, listed and cancelled at the provider, and what is open is settled by a person."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from sms_etl.campaigns.change import cancel_campaign, live_bulks, live_status, resolve_campaign
from sms_etl.campaigns.create import Outcome
from sms_etl.campaigns.listing import find_line, list_bulks, status_word
from sms_etl.campaigns.record import State
from sms_etl.errors import CampaignRefused, CampaignUnclear, NotFound
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.campaigns.conftest import SALE, Send, recorded, sent_bulks
from sms_etl_tests.campaigns.test_create import forget_the_answer, send_raw


@pytest.fixture
def later(send: Send, empty_provider: SandboxHandle) -> UUID:
    """A bulk that is scheduled for tomorrow, by the key `k`."""
    result = send(replace(SALE, key="k", scheduled_at=empty_provider.now() + timedelta(days=1)))
    assert result.bulk_id is not None
    return result.bulk_id


def test_a_bulk_is_asked_for_by_its_id_or_its_key(later: UUID, settings: Settings) -> None:
    for found in (live_status(settings, bulk_id=later), live_status(settings, key="k")):
        assert (found.status.uuid, found.as_json()["status"], found.as_json()["key"]) == (later, "new", "k")


def test_what_there_is_none_of_is_refused(settings: Settings, send: Send) -> None:
    for _ in range(2):  # without a warehouse, then with one
        with pytest.raises(CampaignRefused, match="No campaign"):
            live_status(settings, key="nothing")
        send(is_confirmed=False)
    with pytest.raises(NotFound):
        live_status(settings, bulk_id=uuid4())


def test_a_cancelled_bulk_sends_nothing_and_stays_so(
    later: UUID, settings: Settings, empty_provider: SandboxHandle, send: Send
) -> None:
    kept = cancel_campaign(settings, key="k", confirm=lambda _: False)
    assert (kept.is_cancelled_now, kept.status.is_open) == (False, True)
    done = cancel_campaign(settings, key="k", confirm=lambda _: True)
    again = cancel_campaign(settings, bulk_id=later, confirm=lambda _: True)
    assert (done.is_cancelled_now, again.is_cancelled_now) == (True, False)
    assert recorded(settings, "state, cancelled_at is not null") == [("cancelled", True)]
    empty_provider.advance(timedelta(days=2))
    assert [each for each in empty_provider.truth_sms() if each["is_sent"]] == []


def test_a_bulk_that_somebody_else_sent_can_be_cancelled_and_one_that_ended_cannot(
    later: UUID, settings: Settings, empty_provider: SandboxHandle
) -> None:
    send_raw(empty_provider)
    [other] = [bulk for bulk in sent_bulks(empty_provider) if bulk["uuid"] != str(later)]
    found = cancel_campaign(settings, bulk_id=UUID(other["uuid"]), confirm=lambda _: True)
    assert (found.is_cancelled_now, found.campaign) == (True, None)
    empty_provider.advance(timedelta(days=2))
    with pytest.raises(CampaignRefused, match="it is processed"):
        cancel_campaign(settings, key="k", confirm=lambda _: True)


def test_what_is_not_known_is_settled_by_a_person(
    later: UUID, send: Send, settings: Settings, empty_provider: SandboxHandle
) -> None:
    forget_the_answer(settings)
    for ask in (live_status, lambda s, key: cancel_campaign(s, key=key, confirm=lambda _: True)):
        with pytest.raises(CampaignUnclear, match="is not known"):
            ask(settings, key="k")
    with pytest.raises(NotFound):
        resolve_campaign(settings, "k", uuid4())
    with pytest.raises(CampaignRefused, match="No campaign"):
        resolve_campaign(settings, "unheard of", None)
    assert resolve_campaign(settings, "k", later).state is State.SENT
    with pytest.raises(CampaignRefused, match="known already"):
        resolve_campaign(settings, "k", None)
    assert recorded(settings, "bulk_id, known_by") == [(later, "person")]


def test_models_are_built_again_once_the_plan_of_a_loaded_bulk_is_known(
    later: UUID, settings: Settings
) -> None:
    forget_the_answer(settings)
    with Warehouse.of(settings).begin() as transaction:
        transaction.run(
            "insert into raw.bulk (uuid, created_at, currency, first_seen_at, last_seen_at, changed_at) "
            "values (?, now(), 'EUR', now(), now(), now())",
            [later],
        )
        transaction.run(
            "insert into ops.build_context (as_of_at, timezone, settle_days, built_at, is_current) "
            "values (now(), 'Europe/Berlin', 5, now(), true)"
        )
    resolve_campaign(settings, "k", later)
    with Warehouse.of(settings).begin() as transaction:
        assert transaction.row("select is_current from ops.build_context") == (False,)


def test_what_somebody_says_was_not_sent_is_sent_by_the_same_command(
    later: UUID, send: Send, settings: Settings, empty_provider: SandboxHandle
) -> None:
    forget_the_answer(settings)
    resolve_campaign(settings, "k", None)
    with pytest.raises(CampaignRefused, match="was not sent"):
        live_status(settings, key="k")
    asked = replace(SALE, key="k", scheduled_at=empty_provider.now() + timedelta(days=1))
    assert send(asked).outcome is Outcome.SENT
    assert len(sent_bulks(empty_provider)) == 2


def test_the_bulk_of_one_campaign_is_not_anothers(
    later: UUID, send: Send, settings: Settings, empty_provider: SandboxHandle
) -> None:
    send(replace(SALE, key="other"))
    with pytest.raises(CampaignUnclear):
        send(replace(SALE, key="lost"), then=lambda: empty_provider.set_switches(writes="not_carried_out"))
    with pytest.raises(CampaignRefused, match="campaign k"):
        resolve_campaign(settings, "lost", later)


def test_lists_show_what_was_sent_before_it_is_loaded(
    later: UUID, settings: Settings, empty_provider: SandboxHandle
) -> None:
    [line] = list_bulks(settings)
    assert (line.bulk_id, line.key, line.state, line.messages_planned, line.messages) == (
        later,
        "k",
        "sent",
        3,
        None,
    )
    assert find_line(settings, "k") == find_line(settings, str(later)[:8]) == line
    with pytest.raises(CampaignRefused, match="No bulk"):
        find_line(settings, "zz")
    live = live_bulks(settings, empty_provider.now() - timedelta(days=1))
    assert [(each.status.uuid, each.campaign and each.campaign.key) for each in live] == [(later, "k")]
    assert live_bulks(settings, empty_provider.now() + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("code", "word"), [(0, "new"), (5, "in_progress"), (15, "cancelled"), (99, "unknown"), (None, "unknown")]
)
def test_a_status_is_a_word(code: int | None, word: str) -> None:
    assert status_word(code) == word
