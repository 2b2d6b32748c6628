"""Holds what is deleted, cancelled and sent at the sandbox, and what is then known of it."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid1

import msgspec
import pytest

from sms_etl.accounts import with_writer
from sms_etl.errors import (
    AccountNotActive,
    BadRequest,
    NoFunds,
    NotCancellable,
    NotFound,
    ProviderDiffers,
    SettingsError,
    Unauthorised,
)
from sms_etl.providers.lox24.bulk_search import SearchResult
from sms_etl.providers.lox24.bulks import BulkCode, BulkRequest
from sms_etl.providers.lox24.client import Account, RequestRecord
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import load_settings
from sms_etl_tests.providers.lox24.conftest import TOKEN, ConnectWriter

NOW = AccountParameters().now
ASKED = BulkRequest("Shop", "Your parcel arrives", ("+4915112345678", "+41791234567"))
UNSENT = {
    "created_at": NOW - 60,
    "steps": [{"at": NOW + 50, "status_code": 100, "dlr_code": 1, "is_sent": True}],
}


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(account=AccountParameters(messages=0)) as running:
        yield running


@pytest.fixture
async def writer(sandbox: SandboxHandle, connect_writer: ConnectWriter) -> Lox24Writer:
    return await connect_writer(url=sandbox.url, token=sandbox.token)


def inserted(sandbox: SandboxHandle, count: int) -> list[UUID]:
    return [UUID(uuid) for uuid in sandbox.insert(*({"created_at": NOW - 10} for _ in range(count)))]


def left(sandbox: SandboxHandle) -> set[UUID]:
    return {UUID(row["uuid"]) for row in sandbox.truth_sms()}


def writes(sandbox: SandboxHandle) -> list[str]:
    """Return the paths of the requests that were to change something."""
    return [request["path"] for request in sandbox.requests() if request["method"] != "GET"]


async def test_a_deletion_takes_its_messages_and_no_others(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    kept, *going = inserted(sandbox, 51)
    answer = await writer.delete_messages(MessageIds(going))
    assert (answer.count, answer.status, answer.attempts, answer.has_lost_answer) == (50, 200, 1, False)
    (asked,) = [request for request in sandbox.requests() if request["method"] == "POST"]
    assert answer.request_id == asked["request_id"]
    assert left(sandbox) == {kept}
    assert (await writer.delete_messages(MessageIds(going))).count == 0


async def test_messages_are_read_until_they_are_gone(sandbox: SandboxHandle, writer: Lox24Writer) -> None:
    kept, *going = inserted(sandbox, 4)
    ids = MessageIds([kept, *going])
    rows = await writer.read_messages(ids)
    assert list(rows) == list(ids)
    assert UUID(msgspec.json.decode(rows[kept])["uuid"]) == kept
    await writer.delete_messages(MessageIds(going))
    assert list(await writer.read_messages(ids)) == [kept]
    assert await writer.read_messages(MessageIds(going)) == {}
    assert await writer.read_message(kept) is not None
    assert await writer.read_message(going[0]) is None


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"page_size": 2},
        {"page_size": 2, "totals": "missing"},
        {"page_size": 2, "total_cap": 1},
        {"page_size": 2, "shuffle_ties": True, "shuffle_each_request": True},
        {"sms_uuid_filter": "ignored"},
        {"sms_uuid_filter": "rejected"},
        {"hydra_prefix": False},
    ],
    ids=str,
)
async def test_whatever_the_listing_does_a_message_is_missing_only_if_it_is_gone(
    sandbox: SandboxHandle, writer: Lox24Writer, switches: dict[str, object]
) -> None:
    uuids = inserted(sandbox, 7)
    sandbox.delete(str(uuids[0]), str(uuids[3]))
    sandbox.set_switches(**switches)
    assert set(await writer.read_messages(MessageIds(uuids))) == set(uuids) - {uuids[0], uuids[3]}


async def test_at_a_wrong_address_no_message_counts_as_deleted(
    sandbox: SandboxHandle, connect_writer: ConnectWriter
) -> None:
    ids = MessageIds(inserted(sandbox, 2))
    lost = await connect_writer(url=f"{sandbox.url}/v2", token=sandbox.token)
    with pytest.raises(NotFound):
        await lost.read_messages(ids)
    with pytest.raises(NotFound):
        await lost.delete_messages(ids)


@pytest.mark.parametrize("filtered", ["ignored", "rejected"])
@pytest.mark.parametrize("totals", ["exact", "missing"])
async def test_nothing_is_deleted_where_the_listing_does_not_obey_the_same_filter(
    sandbox: SandboxHandle, writer: Lox24Writer, filtered: str, totals: str
) -> None:
    """A provider that ignores `uuid[]` in a batch call would take every message there is."""
    uuids = inserted(sandbox, 40)
    sandbox.set_switches(sms_uuid_filter=filtered, batch_uuid_filter="ignored", totals=totals)
    for call in (writer.delete_messages, writer.cancel_messages):
        with pytest.raises(ProviderDiffers, match="uuid"):
            await call(MessageIds(uuids[:2]))
    assert left(sandbox) == set(uuids)
    assert writes(sandbox) == []


async def test_one_message_can_be_deleted_by_its_address(sandbox: SandboxHandle, writer: Lox24Writer) -> None:
    going, kept = inserted(sandbox, 2)
    sandbox.set_switches(sms_uuid_filter="ignored", batch_uuid_filter="ignored")
    assert await writer.delete_message(going)
    assert not await writer.delete_message(going)
    assert left(sandbox) == {kept}


async def test_the_filter_is_tried_once_and_not_before_each_call(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    uuids = inserted(sandbox, 6)
    await writer.delete_messages(MessageIds(uuids[:2]))
    assert [request["method"] for request in sandbox.requests()] == ["GET", "GET", "POST"]
    sandbox.forget_requests()
    await writer.delete_messages(MessageIds(uuids[2:4]))
    await writer.cancel_messages(MessageIds(uuids[4:]))
    assert [request["method"] for request in sandbox.requests()] == ["POST", "POST"]


async def test_a_cancellation_stops_what_is_not_sent(sandbox: SandboxHandle, writer: Lox24Writer) -> None:
    stopped, running = (UUID(uuid) for uuid in sandbox.insert(UNSENT, UNSENT))
    assert (await writer.cancel_messages(MessageIds([stopped]))).count == 1
    sandbox.advance(timedelta(days=1))
    codes = {UUID(row["uuid"]): row["status_code"] for row in sandbox.truth_sms()}
    assert codes == {stopped: 6000, running: 100}
    assert (await writer.cancel_messages(MessageIds([stopped, running]))).count == 0


async def test_a_bulk_is_created_followed_and_cancelled(sandbox: SandboxHandle, writer: Lox24Writer) -> None:
    sandbox.set_switches(bulk_messages_per_second=1)
    created = await writer.create_bulk(ASKED)
    assert (created.status, created.attempts, created.has_lost_answer) == (201, 1, False)
    assert (created.bulk.phones, created.bulk.text) == (ASKED.phones, ASKED.text)
    uuid = created.bulk.uuid
    sandbox.advance(timedelta(seconds=2))
    assert (await writer.bulk_status(uuid)).is_open
    for _ in range(2):  # the second time changes nothing
        assert (await writer.cancel_bulk(uuid)).status_code == BulkCode.CANCELLED
    assert await writer.delete_bulk(uuid)
    assert not await writer.delete_bulk(uuid)
    for call in (writer.read_bulk, writer.bulk_status, writer.cancel_bulk):
        with pytest.raises(NotFound, match="no such bulk"):
            await call(uuid)


async def test_a_bulk_that_was_processed_cannot_be_cancelled(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    uuid = (await writer.create_bulk(ASKED)).bulk.uuid
    sandbox.advance(timedelta(minutes=5))
    with pytest.raises(NotCancellable, match="its status is 10") as caught:
        await writer.cancel_bulk(uuid)
    assert caught.value.status == 409


async def test_a_dry_run_sends_nothing_and_tells_the_exact_cost_in_time(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    tried = await writer.dry_run(ASKED)
    sandbox.advance(timedelta(minutes=1))
    status = await writer.bulk_status(tried.bulk.uuid)
    (shown,) = sandbox.truth_bulks()
    assert (status.is_dryrun, status.msg_total_count, status.is_open) == (True, 2, False)
    assert status.msg_total_cost == Decimal(shown["msg_total_cost"]) > 0
    assert sandbox.truth()["messages"] == 0


async def test_a_bulk_that_was_created_is_found_among_others(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    sandbox.set_switches(page_size=2)
    await writer.create_bulk(ASKED)
    sandbox.advance(timedelta(hours=1))
    since = sandbox.now()

    async def found(
        phones: tuple[str, ...] | None = None, apart_from: Collection[UUID] = ()
    ) -> tuple[SearchResult, list[UUID]]:
        search = await writer.find_bulk(since, "Shop", ASKED.text, 2, phones=phones, apart_from=apart_from)
        return search.result, [status.uuid for status in search.bulks]

    assert await found() == (SearchResult.NONE, [])
    await writer.dry_run(ASKED)
    await writer.create_bulk(BulkRequest("Shop", "Something else", ASKED.phones))
    await writer.create_bulk(BulkRequest("Else", ASKED.text, ASKED.phones))
    assert await found() == (SearchResult.NONE, [])
    one = (await writer.create_bulk(ASKED)).bulk.uuid
    assert await found() == (SearchResult.FOUND, [one])
    assert await found(phones=ASKED.phones) == (SearchResult.FOUND, [one])
    assert await found(phones=("+4915112345678", "+41791234568")) == (SearchResult.SEVERAL, [one])
    assert await found(phones=("+4915112345679", "+41791234568")) == (SearchResult.NONE, [])
    assert await found(apart_from=[one]) == (SearchResult.NONE, [])
    two = (await writer.create_bulk(ASKED)).bulk.uuid
    result, uuids = await found()
    assert (result, set(uuids)) == (SearchResult.SEVERAL, {one, two})
    assert await found(apart_from=[one]) == (SearchResult.FOUND, [two])


async def test_what_the_provider_refuses_is_told_by_its_fields(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    with pytest.raises(BadRequest, match="422 to /bulks, because of service_code") as caught:
        await writer.create_bulk(BulkRequest("Shop", "Hello", ASKED.phones, service_code="pigeon"))
    assert "4915112345678" not in str(caught.value)
    sandbox.set_switches(has_funds=False)
    with pytest.raises(NoFunds):
        await writer.create_bulk(ASKED)
    assert len(writes(sandbox)) == 2
    assert sandbox.truth_bulks() == []


async def test_a_wrong_token_is_tried_once_and_stops_all_writing(
    sandbox: SandboxHandle, connect_writer: ConnectWriter
) -> None:
    client = await connect_writer(url=sandbox.url, token=TOKEN)
    for _ in range(3):
        with pytest.raises(Unauthorised):
            await client.create_bulk(ASKED)
    assert len(sandbox.requests()) == client.requests == 1


async def test_a_key_without_the_right_says_so_and_stops(sandbox: SandboxHandle, writer: Lox24Writer) -> None:
    sandbox.set_switches(are_bulks_forbidden=True)
    with pytest.raises(AccountNotActive) as caught:
        await writer.create_bulk(ASKED)
    assert "right to do this" in caught.value.hint


async def test_the_ledger_has_each_write_without_what_was_sent(
    sandbox: SandboxHandle, writer: Lox24Writer
) -> None:
    ids = MessageIds(inserted(sandbox, 1))
    await writer.delete_messages(ids)
    await writer.create_bulk(ASKED)
    *_, deleted, created = writer.take_ledger()
    assert (deleted.method, deleted.path, deleted.status) == ("POST", "/sms/ops/batch_delete", 200)
    assert (created.method, created.path, created.status) == ("POST", "/bulks", 201)
    assert not any(each in repr((deleted, created)) for each in (str(*ids), "4915112345678", "parcel"))


def test_a_synchronous_caller_waits_for_its_answer(sandbox: SandboxHandle) -> None:
    settings = load_settings(lox24_base_url=sandbox.url, lox24_token=sandbox.token)
    (uuid,) = inserted(sandbox, 1)
    ledger: list[RequestRecord] = []

    async def delete(writer: Lox24Writer) -> tuple[Account, int]:
        account = await writer.account()
        return account, (await writer.delete_messages(MessageIds([uuid]))).count

    account, count = with_writer(settings, delete, ledger=ledger)
    assert (account.is_sandbox, count) == (True, 1)
    assert ledger[-1].path == "/sms/ops/batch_delete"
    with pytest.raises(NotFound):
        with_writer(settings, lambda writer: writer.bulk_status(uuid1()), ledger=ledger)
    assert ledger[-1].status == 404


def test_without_a_token_nothing_is_asked(sandbox: SandboxHandle) -> None:
    with pytest.raises(SettingsError, match="SMS_ETL_LOX24_TOKEN"):
        with_writer(load_settings(lox24_base_url=sandbox.url), lambda writer: writer.account())
    assert sandbox.requests() == []
