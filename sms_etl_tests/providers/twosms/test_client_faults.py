"""Holds what becomes of a deletion when something goes wrong, before it is carried out or after."""

import logging
import socket
import traceback
from datetime import timedelta
from uuid import uuid4

import pytest

from sms_etl.errors import (
    AccountNotActive,
    AnswerLost,
    BadAnswer,
    BadRequest,
    FeatureUnavailable,
    NotFound,
    NotSent,
    ProviderError,
    RequestRefused,
    Throttled,
    Unavailable,
    UnexpectedRedirect,
    Unreachable,
)
from sms_etl.providers.twosms.answers import TOKEN_PATH
from sms_etl.providers.twosms.client import may_have_acted
from sms_etl.providers.twosms.criteria import ByDestination, ByMessageIds
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.faults.proxy import Act, Fault, FaultyProxy
from sms_etl_tests.faults.repertoire import (
    answers,
    answers_after,
    cut,
    gigabyte_compressed,
    gigabyte_without_a_length,
    lost,
    never_arrived,
    redirected,
    silent,
)
from sms_etl_tests.providers.twosms.conftest import DELETION, Connect, asked_for, deleted, insert, spoil_first

XML = b'<?xml version="1.0"?><Response><ResponseData><Result>OK</Result></ResponseData></Response>'
REFUSED = b'{"Error": {"ErrorCode": 9, "ErrorReason": "Busy"}, "ResponseData": null}'
NO_FEATURE = b'{"Error": {"ErrorCode": 3, "ErrorReason": "You may not delete."}, "ResponseData": null}'

LOST = [
    Fault("no answer", lost),
    Fault("silence", silent),
    Fault("half an answer", cut),
    Fault("not carried out", never_arrived),
    Fault("500", answers_after(500)),
    Fault("504", answers_after(504)),
    Fault("408", answers_after(408)),
    Fault("204", answers_after(204)),
    Fault("empty", answers_after(200)),
    Fault("broken JSON", answers_after(200, b'{"Error": null, "Respon')),
    Fault("no data", answers_after(200, b'{"Error": null, "ResponseData": null}')),
    Fault("no counts", answers_after(200, b'{"ResponseData": {"Detail": {}}}')),
    Fault("XML", answers_after(200, XML, {"Content-Type": "application/xml"})),
    Fault("a gigabyte", gigabyte_without_a_length),
    Fault("a gigabyte, compressed", gigabyte_compressed),
]
"""Of a deletion that was carried out, or may have been."""

NOT_CARRIED_OUT = (never_arrived, gigabyte_without_a_length, gigabyte_compressed)
RETRIED = [fault for fault in LOST if fault.name != "408"]


def named(fault: Fault) -> str:
    return fault.name


@pytest.mark.parametrize("fault", RETRIED, ids=named)
async def test_a_deletion_whose_answer_is_lost_is_done_again_and_says_so(
    connect: Connect, proxy: FaultyProxy, sandbox: SandboxHandle, fault: Fault
) -> None:
    (wanted,) = insert(sandbox)
    spoil_first(proxy, DELETION, fault)
    removal = await (await connect(timeout=0.3)).delete(ByMessageIds(wanted), contents=True)
    assert (removal.attempts, removal.has_lost_answer) == (2, True)
    assert removal.deleted == int(fault.act in NOT_CARRIED_OUT)
    assert wanted in deleted(sandbox)
    assert len({asked.body for asked in asked_for(proxy, DELETION)}) == 1


@pytest.mark.parametrize("fault", LOST, ids=named)
async def test_a_deletion_without_any_answer_may_have_been_carried_out_and_can_be_done_again(
    connect: Connect, proxy: FaultyProxy, fault: Fault
) -> None:
    spoil_first(proxy, DELETION, *[fault] * 9)
    with pytest.raises(AnswerLost, match="Whether 2SMS carried out a deletion is not known") as caught:
        await (await connect(attempts=2, timeout=0.3)).delete(ByMessageIds(uuid4()), contents=True)
    assert caught.value.attempts == (1 if fault.name == "408" else 2)
    assert "again" in caught.value.hint
    assert isinstance(caught.value.__cause__, ProviderError)


async def test_recipients_are_not_told_twice_because_an_answer_was_lost(
    connect: Connect, proxy: FaultyProxy
) -> None:
    client = await connect()
    spoil_first(proxy, DELETION, Fault("429", answers(429)), Fault("lost", lost))
    with pytest.raises(AnswerLost) as caught:
        await client.delete(ByMessageIds(uuid4()), contents=True, notify_recipients=True)
    assert (caught.value.attempts, len(asked_for(proxy, DELETION))) == (2, 2)
    assert "told twice" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (answers(400), BadRequest),
        (answers(403), AccountNotActive),
        (answers(404), NotFound),
        (answers(422), BadRequest),
        (answers(429), Throttled),
        (answers(200, REFUSED), RequestRefused),
        (answers(200, NO_FEATURE), FeatureUnavailable),
        (redirected, UnexpectedRedirect),
    ],
    ids=lambda value: getattr(value, "__name__", "answer"),
)
async def test_a_deletion_that_was_refused_was_not_carried_out(
    connect: Connect, proxy: FaultyProxy, fault: Act, error: type[ProviderError]
) -> None:
    spoil_first(proxy, DELETION, *[Fault("refused", fault)] * 9)
    with pytest.raises(ProviderError) as caught:
        await (await connect(attempts=2)).delete(ByMessageIds(uuid4()), contents=True)
    assert type(caught.value) is error
    assert caught.value.hint
    assert len(asked_for(proxy, DELETION)) == (2 if error is Throttled else 1)
    assert proxy.arrived_elsewhere == []


async def test_an_account_that_is_refused_is_not_asked_again(connect: Connect, proxy: FaultyProxy) -> None:
    spoil_first(proxy, DELETION, *[Fault("403", answers(403))] * 9)
    client = await connect()
    for _ in range(2):
        with pytest.raises(AccountNotActive):
            await client.delete(ByMessageIds(uuid4()), contents=True)
    assert len(asked_for(proxy, DELETION)) == 1


async def test_too_many_requests_wait_as_long_as_is_asked_for_and_lose_nothing(
    connect: Connect, proxy: FaultyProxy, waits: list[float]
) -> None:
    spoil_first(proxy, DELETION, Fault("429", answers(429, b"", {"Retry-After": "7"})))
    removal = await (await connect()).delete(ByMessageIds(uuid4()), contents=True)
    assert (removal.attempts, removal.has_lost_answer, waits) == (2, False, [7.0])


async def test_a_token_that_ends_between_two_tries_does_not_hide_the_answer_that_was_lost(
    connect: Connect, proxy: FaultyProxy, sandbox: SandboxHandle
) -> None:
    (wanted,) = insert(sandbox)
    spoil_first(proxy, DELETION, Fault("lost", lost), Fault("401", answers(401)))
    removal = await (await connect()).delete(ByMessageIds(wanted), contents=True)
    assert (removal.attempts, removal.has_lost_answer, removal.deleted) == (3, True, 0)
    assert len(asked_for(proxy, TOKEN_PATH)) == 2


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (answers(400), AnswerLost),
        (answers(401), AnswerLost),
        (answers(200, REFUSED), AnswerLost),
        (answers(200, NO_FEATURE), FeatureUnavailable),
    ],
)
async def test_a_refusal_after_an_answer_that_was_lost_says_that_it_was_lost(
    connect: Connect, proxy: FaultyProxy, second: Act, error: type[ProviderError]
) -> None:
    """But for an account that lacks the feature: it lacked it before, too."""
    spoil_first(proxy, DELETION, Fault("lost", lost), *[Fault("second", second)] * 2)
    with pytest.raises(ProviderError) as caught:
        await (await connect()).delete(ByMessageIds(uuid4()), contents=True)
    assert type(caught.value) is error


@pytest.mark.parametrize("fault", RETRIED, ids=named)
async def test_a_token_that_does_not_come_is_asked_for_again_and_deletes_nothing_by_itself(
    connect: Connect, proxy: FaultyProxy, fault: Fault
) -> None:
    spoil_first(proxy, TOKEN_PATH, fault)
    removal = await (await connect(timeout=0.3)).delete(ByMessageIds(uuid4()), contents=True)
    assert (removal.attempts, removal.has_lost_answer) == (1, False)
    spoil_first(proxy, TOKEN_PATH, *[fault] * 9)
    with pytest.raises(ProviderError) as caught:
        await (await connect(attempts=2, timeout=0.3)).delete(ByMessageIds(uuid4()), contents=True)
    assert not isinstance(caught.value, AnswerLost)
    assert asked_for(proxy, DELETION) == []


@pytest.mark.parametrize(
    "body", [b'{"access_token": ""}', b'{"access_token": "a\\r\\nb"}', b'{"access_token": 5}']
)
async def test_a_token_that_no_header_can_carry_is_a_bad_answer(
    connect: Connect, proxy: FaultyProxy, body: bytes
) -> None:
    spoil_first(proxy, TOKEN_PATH, Fault("a token", answers(200, body)))
    with pytest.raises(BadAnswer, match="no token"):
        await (await connect(attempts=1)).check()


async def test_an_address_where_nobody_listens_is_named_and_nothing_was_sent(connect: Connect) -> None:
    with socket.socket() as listening_to_nobody:
        listening_to_nobody.bind(("127.0.0.1", 0))
        port = listening_to_nobody.getsockname()[1]
        client = await connect(url=f"http://127.0.0.1:{port}", attempts=2)
        with pytest.raises(
            NotSent, match=f"127.0.0.1:{port} cannot be reached: Connection refused"
        ) as caught:
            await client.delete(ByMessageIds(uuid4()), contents=True)
    assert "SMS_ETL_TWOSMS_BASE_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "is_open"),
    [
        (Unreachable("x"), True),
        (Unavailable("x"), True),
        (BadAnswer("x"), True),
        (BadRequest("x", status=408), True),
        (NotSent("x"), False),
        (Throttled("x"), False),
        (BadRequest("x", status=400), False),
        (UnexpectedRedirect("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_errors_leave_open_whether_a_deletion_was_carried_out(
    error: ProviderError, is_open: bool
) -> None:
    assert may_have_acted(error) is is_open


async def test_no_failure_tells_the_secret_the_token_or_the_number(
    connect: Connect, proxy: FaultyProxy, sandbox: SandboxHandle, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (None, "httpx", "aiohttp", "asyncio", "sms_etl"):
        caplog.set_level(logging.DEBUG, logger=name)
    now, number = sandbox.now(), "+491700000004"
    quoting = (
        f'{{"Error": {{"ErrorCode": {number[1:]}, "ErrorReason": "No {number} {number[1:]}"}}}}'.encode()
    )
    told = []
    for act in (lost, answers(400, quoting), answers(200, quoting), answers_after(200, quoting[:-2])):
        spoil_first(proxy, DELETION, *[Fault("quoting", act)] * 9)
        client = await connect(attempts=2)
        with pytest.raises(ProviderError) as caught:
            await client.delete(ByDestination(number, now - timedelta(days=1), now), contents=True)
        error = caught.value
        told += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error)), repr(client)]
        assert client._held is not None
        told.append(repr(client._held))
        tokens = {client._held.token.text, sandbox.twosms_client_secret}
        for text in (*told, caplog.text):
            assert not any(secret in text for secret in (*tokens, "1700000004", "0170 0"))


async def test_each_request_is_logged_and_each_retry_with_its_reason(
    connect: Connect, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    spoil_first(proxy, DELETION, Fault("500", answers(500)))
    with caplog.at_level(logging.DEBUG, logger="sms_etl"):
        await (await connect()).delete(ByMessageIds(uuid4()), contents=True)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("POST /Token of 2SMS: 200 in ")
    assert said[1].startswith(f"DELETE {DELETION} of 2SMS: 500 in ")
    assert said[2].startswith(f"2SMS answered 500 to {DELETION}. Trying again in 0.5 s")
