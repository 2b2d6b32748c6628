"""A campaign is sent once, whatever is repeated, lost or refused; its record holds no number and no text."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from filelock import FileLock

from sms_etl import accounts
from sms_etl.campaigns.create import Outcome, create_campaign
from sms_etl.campaigns.lost import SHOWN_LATE
from sms_etl.campaigns.opt_outs import add_opt_outs
from sms_etl.campaigns.recipients import Recipients
from sms_etl.cli.status import read_status
from sms_etl.errors import (
    AlreadyRunning,
    CampaignRefused,
    CampaignUnclear,
    NoFunds,
    ProviderError,
    SettingsError,
    WarehouseLocked,
    WrongAccount,
)
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.campaigns.conftest import NUMBERS, SALE, Send, Waits, recorded, sent_bulks
from sms_etl_tests.conftest import SettingsAt


def test_a_dry_run_sends_and_records_nothing(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    result = send(is_confirmed=False)
    assert (result.outcome, result.bulk_id, result.campaign) == (Outcome.DRY_RUN, None, None)
    assert [bulk["is_dryrun"] for bulk in empty_provider.truth_bulks()] == [True]
    assert recorded(settings, "key") == []


def test_a_campaign_is_sent_and_recorded_without_numbers_or_text(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    result = send(replace(SALE, sender="+4915555999999"))
    [bulk] = sent_bulks(empty_provider)
    assert (result.outcome, str(result.bulk_id)) == (Outcome.SENT, bulk["uuid"])
    assert (bulk["phones"], bulk["text"]) == (list(NUMBERS), "Sale!")
    assert recorded(settings, "state, cast(bulk_id as varchar), recipients, parts, known_by") == [
        ("sent", bulk["uuid"], 3, 3, "answer")
    ]
    with Warehouse.of(settings).begin() as transaction:
        asked = transaction.native.execute("select method, path, status from ops.request").fetchall()
    assert {("POST", "/bulks/dryrun", 201), ("POST", "/bulks", 201)} <= set(asked)
    kept = (settings.data_dir / "warehouse.duckdb").read_bytes()
    assert not [secret for secret in (*NUMBERS, "4915555999999", "Sale!") if secret.encode() in kept]
    assert not [number for number in NUMBERS if number in str(result.as_json())]


def test_a_repeated_command_sends_nothing(send: Send, empty_provider: SandboxHandle) -> None:
    first = send()
    shuffled = replace(SALE, recipients=Recipients(tuple(reversed(NUMBERS)), duplicates=4))
    again = send(shuffled)
    assert (again.outcome, again.bulk_id) == (Outcome.SENT_BEFORE, first.bulk_id)
    assert len(sent_bulks(empty_provider)) == 1


def test_another_key_sends_the_same_on_purpose(send: Send, empty_provider: SandboxHandle) -> None:
    send(replace(SALE, key="monday"))
    assert send(replace(SALE, key="tuesday")).outcome is Outcome.SENT
    assert send(replace(SALE, key="monday")).outcome is Outcome.SENT_BEFORE
    assert len(sent_bulks(empty_provider)) == 2


def test_a_key_belongs_to_one_campaign(send: Send, empty_provider: SandboxHandle) -> None:
    send(replace(SALE, key="k"))
    for other in (
        replace(SALE, text="Sale?"),
        replace(SALE, sender="ACME2"),
        replace(SALE, service="pro"),
        replace(SALE, recipients=Recipients(NUMBERS[:2])),
        replace(SALE, scheduled_at=empty_provider.now() + timedelta(days=1)),
    ):
        with pytest.raises(CampaignRefused, match="another campaign"):
            send(replace(other, key="k"))


def test_a_dry_run_whose_answer_was_lost_says_that_nothing_was_sent(
    send: Send,
    empty_provider: SandboxHandle,
    settings: Settings,
    waits: Waits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = settings.lox24_token
    assert token is not None
    impatient = Lox24Writer(settings.lox24_base_url, token.get_secret_value(), settings.clock, sleep=waits)
    monkeypatch.setattr(accounts, "writer_of", lambda _: impatient)
    empty_provider.set_switches(writes="not_carried_out")
    with pytest.raises(ProviderError, match=r"nothing was sent\. LOX24 answered 500 .*\(request id \w+\)\n"):
        send()
    assert recorded(settings, "state") == []


def test_a_bulk_whose_answer_was_lost_is_found(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    result = send(then=lambda: empty_provider.set_switches(writes="answer_lost"))
    assert result.outcome is Outcome.SENT
    assert recorded(settings, "state, known_by, attempts") == [("sent", "search", 1)]
    assert [bulk["uuid"] for bulk in sent_bulks(empty_provider)] == [str(result.bulk_id)]


def test_what_was_not_carried_out_is_sent_by_the_same_command_later(
    send: Send, empty_provider: SandboxHandle, settings: Settings, waits: Waits
) -> None:
    with pytest.raises(CampaignUnclear, match="does not list the bulk") as raised:
        send(then=lambda: empty_provider.set_switches(writes="not_carried_out"))
    status = read_status(settings)
    assert status.needs_attention
    assert [f"campaign {key}" in status.warnings[0] for key in status.campaigns_unclear] == [True]
    assert "the same command again" in raised.value.hint
    assert "bulks resolve --key" in raised.value.hint
    assert recorded(settings, "state, bulk_id") == [("intended", None)]
    empty_provider.set_switches(writes="answered")
    waits.seconds.clear()
    assert send().outcome is Outcome.SENT
    assert SHOWN_LATE.total_seconds() in waits.seconds
    assert recorded(settings, "state, known_by, attempts") == [("sent", "answer", 2)]
    assert len(sent_bulks(empty_provider)) == 1


def test_a_bulk_that_shows_only_later_is_not_sent_again(
    send: Send, empty_provider: SandboxHandle, settings: Settings, waits: Waits
) -> None:
    with pytest.raises(CampaignUnclear):
        send(then=lambda: empty_provider.set_switches(writes="not_carried_out"))

    def arrive() -> None:
        empty_provider.set_switches(writes="answered")
        send_raw(empty_provider)

    waits.meanwhile = arrive
    assert send().outcome is Outcome.SENT_BEFORE
    assert len(sent_bulks(empty_provider)) == 1
    assert recorded(settings, "known_by") == [("search",)]


def test_a_lost_campaign_is_found_though_its_time_has_passed_and_somebody_opted_out(
    send: Send, empty_provider: SandboxHandle, settings: Settings, settings_at: SettingsAt
) -> None:
    later = replace(SALE, scheduled_at=empty_provider.now() + timedelta(hours=1))

    send(later)
    forget_the_answer(settings)
    file = settings.data_dir / "stop.csv"
    file.write_text(NUMBERS[0])
    add_opt_outs(settings, file, "DE", Warehouse.of(settings))
    empty_provider.advance(timedelta(hours=2))
    after = settings_at(empty_provider)
    result = create_campaign(after, later, confirm=lambda _: True)
    assert result.outcome is Outcome.SENT_BEFORE
    assert len(sent_bulks(empty_provider)) == 1


def test_what_was_not_sent_in_time_is_unclear_no_longer(
    send: Send, empty_provider: SandboxHandle, settings: Settings, settings_at: SettingsAt, waits: Waits
) -> None:
    later = replace(SALE, scheduled_at=empty_provider.now() + timedelta(hours=1))
    with pytest.raises(CampaignUnclear):
        send(later, then=lambda: empty_provider.set_switches(writes="not_carried_out"))
    empty_provider.set_switches(writes="answered")
    empty_provider.advance(timedelta(hours=2))
    with pytest.raises(CampaignRefused, match="has passed"):
        create_campaign(settings_at(empty_provider), later, confirm=lambda _: True, sleep=waits)
    assert recorded(settings, "state, known_by") == [("refused", "search")]
    assert read_status(settings).campaigns_unclear == ()


def test_a_clock_that_was_put_back_waits_no_longer_than_a_bulk_may_show_late(
    send: Send, empty_provider: SandboxHandle, settings: Settings, waits: Waits
) -> None:
    with pytest.raises(CampaignUnclear):
        send(then=lambda: empty_provider.set_switches(writes="not_carried_out"))
    empty_provider.set_switches(writes="answered")
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("update ops.campaign set asked_at = asked_at + interval 1 day")
    waits.seconds.clear()
    assert send().outcome is Outcome.SENT
    assert max(waits.seconds) == SHOWN_LATE.total_seconds()


def test_two_bulks_that_may_be_it_stop_with_what_to_do(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    send()
    send_raw(empty_provider)
    forget_the_answer(settings)
    with pytest.raises(CampaignUnclear, match="may be it") as raised:
        send()
    assert all(bulk["uuid"] in raised.value.message for bulk in sent_bulks(empty_provider))
    assert "--bulk ID" in raised.value.hint
    assert not [number for number in NUMBERS if number in str(raised.value)]
    assert len(sent_bulks(empty_provider)) == 2


def test_a_bulk_of_another_campaign_with_the_same_text_is_not_taken_for_it(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    send(replace(SALE, key="monday"))
    lost = send(replace(SALE, key="tuesday"), then=lambda: empty_provider.set_switches(writes="answer_lost"))
    assert lost.outcome is Outcome.SENT
    assert len(set(recorded(settings, "bulk_id"))) == 2


def test_a_refusal_of_the_provider_may_be_tried_again(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    empty_provider.set_switches(has_funds=False)
    with pytest.raises(NoFunds):
        send()
    assert recorded(settings, "state") == [("refused",)]
    empty_provider.set_switches(has_funds=True)
    assert send().outcome is Outcome.SENT
    assert recorded(settings, "state, attempts") == [("sent", 2)]


def test_a_provider_that_cannot_be_searched_leaves_it_open_and_says_so(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    send()
    forget_the_answer(settings)
    empty_provider.set_switches(are_bulks_forbidden=True)
    with pytest.raises(CampaignUnclear, match="is not known"):
        send()
    empty_provider.set_switches(are_bulks_forbidden=False)
    assert send().outcome is Outcome.SENT_BEFORE


def test_what_was_sent_and_not_written_down_is_found_the_next_time(
    send: Send, empty_provider: SandboxHandle, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, calls = Warehouse.begin, []

    def locked_after_the_call(self: Warehouse):  # type: ignore[no-untyped-def]  # as begin is
        calls.append(len(sent_bulks(empty_provider)))
        if calls[-1]:
            raise WarehouseLocked("Another program has it open.")
        return begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "begin", locked_after_the_call)
        with pytest.raises(CampaignUnclear, match="was sent as bulk"):
            send()
    assert recorded(settings, "state") == [("intended",)]
    assert send().outcome is Outcome.SENT_BEFORE
    assert len(sent_bulks(empty_provider)) == 1


def test_the_past_is_refused(send: Send, empty_provider: SandboxHandle, settings: Settings) -> None:
    with pytest.raises(CampaignRefused, match="has passed"):
        send(replace(SALE, scheduled_at=empty_provider.now() - timedelta(seconds=1)))
    assert empty_provider.truth_bulks() == []


def test_a_campaign_is_scheduled(send: Send, empty_provider: SandboxHandle) -> None:
    at = empty_provider.now() + timedelta(days=3)
    send(replace(SALE, scheduled_at=at))
    assert [bulk["delivery_at"] for bulk in sent_bulks(empty_provider)] == [at.timestamp()]


def test_nobody_who_opted_out_is_written_to(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    file = settings.data_dir.parent / "stop.csv"
    file.write_text("015555 100001\n0041 79 555 00 01\n")
    add_opt_outs(settings, file, "DE", Warehouse.of(settings))
    result = send()
    assert result.plan is not None
    assert (result.plan.recipients, result.plan.opted_out) == (1, 2)
    assert [bulk["phones"] for bulk in sent_bulks(empty_provider)] == [[NUMBERS[1]]]
    with pytest.raises(CampaignRefused, match=r"Nobody is left.* opted out: 1"):
        send(replace(SALE, recipients=Recipients(NUMBERS[:1])))


def test_without_prices_the_cost_is_that_of_the_dry_run_once_it_is_done(
    send: Send, empty_provider: SandboxHandle, waits: Waits
) -> None:
    waits.meanwhile = lambda: empty_provider.control("POST", "clock", {"advance_seconds": 60})
    plan = send(is_confirmed=False).plan
    assert plan is not None
    assert (plan.cost, plan.estimate.cost) == (Decimal("0.2113"), None)
    assert plan.as_json()["dryrun"]["cost_by"] == "provider"


def test_a_cost_that_nobody_knows_is_no_zero(send: Send) -> None:
    plan = send(is_confirmed=False).plan
    assert plan is not None
    assert plan.as_json()["dryrun"]["cost"] is None
    assert plan.estimate.without_price == ("CH", "DE")


def test_one_campaign_is_sent_at_a_time(send: Send, settings: Settings) -> None:
    settings.data_dir.mkdir()
    with FileLock(settings.data_dir / "campaigns.lock"), pytest.raises(AlreadyRunning, match="campaigns"):
        send()


def test_another_account_than_the_warehouses_sends_nothing(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    send(replace(SALE, key="monday"))
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("update ops.account set account_id = '1'")
    with pytest.raises(WrongAccount):
        send(replace(SALE, key="tuesday"))
    assert len(sent_bulks(empty_provider)) == 1


def test_without_a_token_nothing_is_sent(settings: Settings) -> None:
    nobody = settings.model_copy(update={"lox24_token": None})
    with pytest.raises(SettingsError, match="TOKEN"):
        create_campaign(nobody, SALE, confirm=lambda _: True)


def forget_the_answer(settings: Settings) -> None:
    """Leave the record as a kill between the call and its answer leaves it."""
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("update ops.campaign set state = 'intended', bulk_id = null, known_at = null")
    (settings.data_dir / "warehouse.duckdb.campaigns").unlink()  # it keeps what was known of it


def send_raw(provider: SandboxHandle) -> None:
    """Send the same campaign by other means."""
    body = {"sender_id": "ACME", "text": "Sale!", "phones": NUMBERS, "service_code": "direct"}
    headers = {"X-LOX24-AUTH-TOKEN": provider.token}
    httpx.post(f"{provider.url}/bulks", json=body, headers=headers).raise_for_status()
