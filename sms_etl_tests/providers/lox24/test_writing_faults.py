"""Holds what is known, and what is there, after a write that went wrong on its way or on the way back."""

import json
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.errors import (
    AnswerLost,
    BadRequest,
    NotCancellable,
    NotSent,
    ProviderError,
    Throttled,
    Unauthorised,
    UnexpectedRedirect,
)
from sms_etl.providers.lox24.bulk_search import SearchResult
from sms_etl.providers.lox24.bulks import BulkCode, BulkRequest
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.faults import repertoire
from sms_etl_tests.faults.proxy import Act, Asked, Fault, FaultyProxy, running_proxy
from sms_etl_tests.providers.lox24.conftest import NOW, TOKEN, ConnectWriter
from sms_etl_tests.providers.lox24.server import Provider, Reply, id_of

BEGUN = AccountParameters().now
ASKED = BulkRequest("Shop", "Your parcel arrives", ("+4915112345678", "+41791234567"))
UNSENT = {
    "created_at": BEGUN - 60,
    "steps": [{"at": BEGUN + 5000, "status_code": 100, "dlr_code": 1, "is_sent": True}],
}
ACTED: dict[str, Act] = {
    "no answer": repertoire.lost,
    "half an answer": repertoire.cut,
    "silence": repertoire.silent,
    "500 after all": repertoire.carried_out_500,
}
DID_NOT_ACT: dict[str, Act] = {
    "never arrived": repertoire.never_arrived,
    "500": repertoire.answers(500),
    "503": repertoire.answers(503, headers={"Retry-After": "1"}),
    "502 with HTML": repertoire.answers(502, b"<html>"),
    "200 of something else": repertoire.answers(200, b"<html>"),
    "200 empty": repertoire.answers(200),
    "408": repertoire.answers(408),
}
UNKNOWN = {**ACTED, **DID_NOT_ACT}
"""After these nobody can know whether the write was carried out."""
SOME = ("no answer", "half an answer", "silence", "500 after all", "never arrived", "200 of something else")


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(account=AccountParameters(messages=0)) as running:
        yield running


@pytest.fixture
def proxy(sandbox: SandboxHandle) -> Iterator[FaultyProxy]:
    with running_proxy(sandbox.url) as running:
        yield running


@pytest.fixture
async def writer(sandbox: SandboxHandle, proxy: FaultyProxy, connect_writer: ConnectWriter) -> Lox24Writer:
    return await connect_writer(url=proxy.url, token=sandbox.token, timeout=0.3)


def first_write(act: Act) -> Callable[[Asked], Fault | None]:
    """Spoil the first request that is to change something, and no other."""
    fault = Fault("spoilt", act)
    spoilt: list[Asked] = []

    def plan(asked: Asked) -> Fault | None:
        if asked.method == "GET" or spoilt:
            return None
        spoilt.append(asked)
        return fault

    return plan


def written(proxy: FaultyProxy) -> int:
    return sum(asked.method != "GET" for asked in proxy.asked)


def statuses(sandbox: SandboxHandle) -> list[int]:
    return [row["status_code"] for row in sandbox.truth_sms()]


@pytest.mark.parametrize("fault", SOME)
async def test_a_deletion_is_repeated_and_says_that_its_count_is_not_all(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer, fault: str
) -> None:
    kept, *going = (UUID(uuid) for uuid in sandbox.insert({}, {}, {}))
    proxy.begin(first_write(UNKNOWN[fault]))
    answer = await writer.delete_messages(MessageIds(going))
    assert (answer.attempts, answer.has_lost_answer) == (2, True)
    assert answer.count == (0 if fault in ACTED else 2)
    assert [row["uuid"] for row in sandbox.truth_sms()] == [str(kept)]
    assert await writer.read_messages(MessageIds(going)) == {}


@pytest.mark.parametrize("fault", ["no answer", "500"])
async def test_a_cancellation_is_repeated_and_says_that_its_count_is_not_all(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer, fault: str
) -> None:
    ids = MessageIds([UUID(uuid) for uuid in sandbox.insert(UNSENT, UNSENT)])
    proxy.begin(first_write(UNKNOWN[fault]))
    answer = await writer.cancel_messages(ids)
    assert (answer.attempts, answer.has_lost_answer) == (2, True)
    assert answer.count == (0 if fault in ACTED else 2)
    assert statuses(sandbox) == [6000, 6000]


@pytest.mark.parametrize("fault", UNKNOWN)
async def test_a_bulk_is_never_created_twice_and_can_be_looked_for(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer, fault: str
) -> None:
    since = sandbox.now()
    proxy.begin(first_write(UNKNOWN[fault]))
    with pytest.raises(AnswerLost, match="POST /bulks is not known") as caught:
        await writer.create_bulk(ASKED)
    assert (caught.value.attempts, written(proxy)) == (1, 1)
    assert "looked for" in caught.value.hint
    search = await writer.find_bulk(since, ASKED.sender_id, ASKED.text, 2, phones=ASKED.phones)
    assert search.result is (SearchResult.FOUND if fault in ACTED else SearchResult.NONE)
    if search.result is SearchResult.NONE:
        await writer.create_bulk(ASKED)
    sandbox.advance(timedelta(hours=1))
    assert [row["phone"] for row in sandbox.truth_sms()] == list(ASKED.phones)


async def test_a_dry_run_is_repeated_as_it_sends_nothing(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer
) -> None:
    proxy.begin(first_write(repertoire.lost))
    assert (await writer.dry_run(ASKED)).attempts == 2
    sandbox.advance(timedelta(hours=1))
    assert sandbox.truth_sms() == []


@pytest.mark.parametrize("fault", SOME)
async def test_cancelling_a_bulk_whose_answer_was_lost_ends_in_a_cancelled_bulk(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer, fault: str
) -> None:
    """The second try is refused, since the first has cancelled it."""
    uuid = (await writer.create_bulk(ASKED)).bulk.uuid
    proxy.begin(first_write(UNKNOWN[fault]))
    assert (await writer.cancel_bulk(uuid)).status_code == BulkCode.CANCELLED
    sandbox.advance(timedelta(hours=1))
    assert sandbox.truth_sms() == []


@pytest.mark.parametrize("fault", ["no answer", "never arrived", "200 of something else"])
async def test_deleting_a_bulk_or_a_message_whose_answer_was_lost_ends_without_it(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer, fault: str
) -> None:
    uuid = (await writer.create_bulk(ASKED)).bulk.uuid
    (message,) = (UUID(each) for each in sandbox.insert({}))
    proxy.begin(first_write(UNKNOWN[fault]))
    assert await writer.delete_bulk(uuid)
    proxy.begin(first_write(UNKNOWN[fault]))
    assert await writer.delete_message(message)
    assert (sandbox.truth_bulks(), sandbox.truth_sms()) == ([], [])


@pytest.mark.parametrize(("headers", "wait"), [({}, 0.5), ({"Retry-After": "2"}, 2.0)])
async def test_what_was_refused_for_load_is_sent_again(
    sandbox: SandboxHandle,
    proxy: FaultyProxy,
    writer: Lox24Writer,
    waits: list[float],
    headers: dict[str, str],
    wait: float,
) -> None:
    (uuid,) = (UUID(each) for each in sandbox.insert({}))
    too_many = repertoire.answers(429, headers=headers)
    proxy.begin(first_write(too_many))
    created = await writer.create_bulk(ASKED)
    proxy.begin(first_write(too_many))
    deleted = await writer.delete_messages(MessageIds([uuid]))
    for answer in (created, deleted):
        assert (answer.attempts, answer.has_lost_answer) == (2, False)
    assert (len(sandbox.truth_bulks()), deleted.count) == (1, 1)
    assert all(wait / 2 <= waited <= wait for waited in waits)


async def test_what_never_left_is_sent_again_once_the_provider_is_up() -> None:
    with socket.socket() as listening_to_nobody:
        listening_to_nobody.bind(("127.0.0.1", 0))
        port = listening_to_nobody.getsockname()[1]
    with ExitStack() as stack:

        async def start(_seconds: float) -> None:
            started.append(
                stack.enter_context(running_sandbox(port=port, account=AccountParameters(messages=0)))
            )

        started: list[SandboxHandle] = []
        async with Lox24Writer(
            f"http://127.0.0.1:{port}", SandboxHandle.token, fixed_clock(NOW), sleep=start
        ) as writer:
            answer = await writer.create_bulk(ASKED)
        assert (answer.attempts, answer.has_lost_answer) == (2, False)
        assert len(started[0].truth_bulks()) == 1


@pytest.mark.parametrize("address", ["http://lox24.invalid", "http://127.0.0.1:1", "tls"])
async def test_what_never_left_is_no_lost_answer(
    connect_writer: ConnectWriter, provider: Provider, address: str
) -> None:
    url = provider.url.replace("http", "https") if address == "tls" else address
    client = await connect_writer(url=url, attempts=3, timeout=0.2)
    with pytest.raises(NotSent):
        await client.create_bulk(ASKED)
    assert client.requests == 3


async def delete_one(writer: Lox24Writer, sandbox: SandboxHandle) -> Any:
    (uuid,) = sandbox.insert({})
    return await writer.delete_message(UUID(uuid))


Call = Callable[[Lox24Writer, SandboxHandle], Awaitable[Any]]


async def delete(writer: Lox24Writer, sandbox: SandboxHandle) -> Any:
    return await writer.delete_messages(MessageIds([UUID(uuid) for uuid in sandbox.insert({}, {})]))


async def create(writer: Lox24Writer, sandbox: SandboxHandle) -> Any:
    return await writer.create_bulk(ASKED)


@pytest.mark.parametrize(("call", "tries"), [(delete, 6), (delete_one, 6), (create, 1)])
@pytest.mark.parametrize("writes", ["answer_lost", "not_carried_out"])
async def test_an_outage_that_lasts_leaves_open_whether_it_was_done(
    sandbox: SandboxHandle, connect_writer: ConnectWriter, call: Call, tries: int, writes: str
) -> None:
    writer = await connect_writer(url=sandbox.url, token=sandbox.token)
    sandbox.set_switches(writes=writes)
    with pytest.raises(AnswerLost) as caught:
        await call(writer, sandbox)
    assert (caught.value.attempts, caught.value.status) == (tries, 504 if writes == "answer_lost" else 500)
    assert caught.value.message.count("request id") == 1
    assert isinstance(caught.value.__cause__, ProviderError)
    assert "nothing is lost" not in str(caught.value)


async def test_a_wrong_token_after_a_lost_answer_is_told_and_so_is_that_it_may_be_done(
    connect_writer: ConnectWriter, provider: Provider
) -> None:
    client = await connect_writer()
    provider.replies.extend([Reply(500), Reply(401, headers={"X-LOX24-REQUEST-ID": id_of("second")})])
    with pytest.raises(AnswerLost, match="answered 401") as caught:
        await client.dry_run(ASKED)
    assert (caught.value.attempts, caught.value.request_id) == (2, id_of("second"))
    assert "SMS_ETL_LOX24_TOKEN" in caught.value.hint
    with pytest.raises(Unauthorised):
        await client.dry_run(ASKED)
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, UnexpectedRedirect), (307, UnexpectedRedirect), (422, BadRequest), (409, BadRequest)],
)
async def test_a_refusal_is_no_lost_answer_and_is_not_repeated(
    connect_writer: ConnectWriter, provider: Provider, status: int, kind: type[ProviderError]
) -> None:
    provider.otherwise = Reply(status, headers={"Location": f"{provider.url}/elsewhere"})
    with pytest.raises(kind):
        await (await connect_writer()).create_bulk(ASKED)
    assert len(provider.requests) == 1


async def test_load_that_lasts_is_no_lost_answer(connect_writer: ConnectWriter, provider: Provider) -> None:
    provider.otherwise = Reply(429)
    with pytest.raises(Throttled):
        await (await connect_writer(attempts=3)).create_bulk(ASKED)
    assert len(provider.requests) == 3


async def test_a_bulk_that_cannot_be_cancelled_after_a_lost_answer_says_so(
    sandbox: SandboxHandle, proxy: FaultyProxy, writer: Lox24Writer
) -> None:
    uuid = (await writer.create_bulk(ASKED)).bulk.uuid
    sandbox.advance(timedelta(hours=1))
    proxy.begin(first_write(repertoire.never_arrived))
    with pytest.raises(NotCancellable, match="its status is 10"):
        await writer.cancel_bulk(uuid)


async def test_a_cancelling_that_stays_without_an_answer_is_open_while_the_bulk_is(
    sandbox: SandboxHandle, connect_writer: ConnectWriter
) -> None:
    writer = await connect_writer(url=sandbox.url, token=sandbox.token)
    uuid = (await writer.create_bulk(ASKED)).bulk.uuid
    sandbox.set_switches(writes="not_carried_out")
    with pytest.raises(AnswerLost):
        await writer.cancel_bulk(uuid)
    sandbox.set_switches(writes="answer_lost")
    assert (await writer.cancel_bulk(uuid)).status_code == BulkCode.CANCELLED


async def test_each_write_has_a_connection_of_its_own_and_says_what_it_sends(
    connect_writer: ConnectWriter, provider: Provider
) -> None:
    """On a kept connection that has gone stale, nobody knows whether a write arrived."""
    provider.otherwise = Reply(429)
    with pytest.raises(Throttled):
        await (await connect_writer(attempts=1)).create_bulk(ASKED)
    (request,) = provider.requests
    assert (request.method, request.target) == ("POST", "/bulks")
    assert request.headers["connection"] == "close"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == json.loads(ASKED.body())


@pytest.mark.parametrize(
    "failure",
    [
        *(Reply(status, ASKED.body()) for status in (200, 204, 302, 400, 401, 403, 404, 422, 429, 500)),
        Reply(422, b'{"violations": [{"propertyPath": "+4915112345678", "message": "Your parcel"}]}'),
        Reply(raw=b"HTTP/1.1 2 Your parcel arrives +4915112345678\r\n\r\n"),
        Reply(is_reset=True),
    ],
    ids=repr,
)
async def test_no_failure_of_a_write_tells_the_token_the_recipients_or_the_text(
    connect_writer: ConnectWriter, provider: Provider, caplog: pytest.LogCaptureFixture, failure: Reply
) -> None:
    for name in (None, "httpx", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    provider.otherwise = failure
    client = await connect_writer(attempts=2)
    with pytest.raises(ProviderError) as caught:
        await client.create_bulk(ASKED)
    error = caught.value
    shown = [str(error), repr(error), repr(vars(error)), repr(client.ledger), caplog.text]
    for text in [*shown, "".join(traceback.format_exception(error))]:
        assert TOKEN.partition(":")[2] not in text
    for text in shown:
        assert not any(personal in text for personal in ("parcel", "15112345678"))
