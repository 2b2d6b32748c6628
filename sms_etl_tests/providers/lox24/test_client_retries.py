"""Holds what is tried again, how often and how long apart."""

import asyncio
import logging
import socket
from collections.abc import Callable
from itertools import pairwise

import pytest

from sms_etl.errors import BadAnswer, BadRequest, ProviderError, Throttled, Unavailable, Unreachable
from sms_etl.providers.lox24 import client as client_module
from sms_etl.providers.lox24.client import Answer, Lox24Client
from sms_etl.providers.lox24.paging import read_page
from sms_etl_tests.providers.lox24.conftest import Connect
from sms_etl_tests.providers.lox24.server import Provider, Reply, id_of

LISTING = b'{"hydra:member": [], "hydra:totalItems": 0}'


def whole(answer: Answer) -> Answer:
    return answer


async def ask(client: Lox24Client) -> Answer:
    return await client.get("/sms", (), whole)


async def unreachable(client: Lox24Client) -> str:
    with pytest.raises(Unreachable) as caught:
        await ask(client)
    error = caught.value
    assert (error.status, error.request_id) == (None, None)
    assert "SMS_ETL_LOX24_BASE_URL" in error.hint
    return error.message


async def test_each_request_is_told_at_debug_and_each_retry_with_its_reason(
    connect: Connect, provider: Provider, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    provider.replies.append(Reply(503))
    client = await connect()
    with caplog.at_level(logging.DEBUG, logger="sms_etl"):
        await ask(client)
    first, retry, second = caplog.records
    assert first.getMessage().startswith("GET /sms, page None, try 1: 503 in ")
    assert retry.getMessage().startswith("LOX24 answered 503 to /sms.")
    assert "Trying again in" in retry.getMessage()
    assert retry.levelno == logging.WARNING
    assert second.getMessage().startswith("GET /sms, page None, try 2: 200 in ")


@pytest.mark.parametrize(
    "failure",
    [
        Reply(500),
        Reply(502),
        Reply(503),
        Reply(599),
        Reply(429),
        Reply(204, b""),
        Reply(is_reset=True),
        Reply(raw=b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
        Reply(headers={"Content-Encoding": "gzip"}),
    ],
    ids=repr,
)
async def test_what_may_pass_is_tried_again(
    connect: Connect, provider: Provider, waits: list[float], failure: Reply
) -> None:
    provider.replies.extend([failure, failure])
    client = await connect()
    assert (await ask(client)).body == b"{}"
    assert (client.requests, client.retries, len(waits)) == (3, 2, 2)
    assert [entry.retry for entry in client.ledger] == [0, 1, 2]


@pytest.mark.parametrize("status", [301, 307, 400, 402, 404, 408, 409, 422, 499])
async def test_what_will_not_pass_is_tried_once(
    connect: Connect, provider: Provider, waits: list[float], status: int
) -> None:
    provider.otherwise = Reply(status)
    client = await connect()
    with pytest.raises(ProviderError):
        await ask(client)
    assert (len(provider.requests), client.retries, waits) == (1, 0, [])


async def test_an_outage_that_lasts_is_raised_with_the_request_id_of_the_last_try(
    connect: Connect, provider: Provider
) -> None:
    provider.replies.extend(Reply(503, headers={"X-LOX24-REQUEST-ID": id_of(f"try{n}")}) for n in range(1, 7))
    client = await connect()
    with pytest.raises(Unavailable, match=f"request id {id_of('try6')}"):
        await ask(client)
    assert (client.requests, client.retries) == (6, 5)
    assert [entry.request_id for entry in client.ledger] == [id_of(f"try{n}") for n in range(1, 7)]


async def test_a_client_works_on_after_an_outage(connect: Connect, provider: Provider) -> None:
    provider.replies.append(Reply(503))
    client = await connect(attempts=1)
    with pytest.raises(Unavailable):
        await ask(client)
    assert (await ask(client)).body == b"{}"


@pytest.mark.parametrize(("status", "at_once"), [(429, 4), (503, 4), (500, 8)])
async def test_a_provider_that_strains_is_asked_half_as_much_at_once(
    connect: Connect, provider: Provider, status: int, at_once: int
) -> None:
    client = await connect(attempts=1, concurrency=8)
    provider.replies.append(Reply(status))
    with pytest.raises(ProviderError):
        await ask(client)
    provider.otherwise = Reply(seconds=0.1)
    await asyncio.gather(*(ask(client) for _ in range(8)))
    assert provider.most_at_once == at_once


async def test_a_provider_that_answers_well_again_is_asked_as_much_as_before(
    connect: Connect, provider: Provider
) -> None:
    client = await connect(attempts=1, concurrency=4)
    provider.replies.append(Reply(503))
    with pytest.raises(ProviderError):
        await ask(client)
    for _ in range(20):
        await ask(client)
    provider.otherwise = Reply(seconds=0.1)
    await asyncio.gather(*(ask(client) for _ in range(8)))
    assert provider.most_at_once == 4


async def test_a_provider_that_answers_much_slower_than_it_did_is_asked_half_as_much_at_once(
    connect: Connect, provider: Provider
) -> None:
    client = await connect(attempts=1, concurrency=4)
    for _ in range(5):
        await ask(client)
    provider.replies.append(Reply(seconds=0.6))
    await ask(client)
    provider.otherwise = Reply(seconds=0.1)
    await asyncio.gather(*(ask(client) for _ in range(4)))
    assert provider.most_at_once == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("0", 0.0), ("600", 600.0), ("86400", 600.0)])
async def test_retry_after_is_obeyed_up_to_ten_minutes(
    connect: Connect, provider: Provider, waits: list[float], status: int, said: str, seconds: float
) -> None:
    provider.replies.append(Reply(status, headers={"Retry-After": said}))
    await ask(await connect())
    assert waits == [seconds]


async def test_the_seconds_asked_for_are_part_of_the_error(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(429, headers={"Retry-After": "7"})
    with pytest.raises(Throttled) as caught:
        await ask(await connect(attempts=1))
    assert caught.value.retry_after == 7.0
    assert "SMS_ETL_CONCURRENCY" in caught.value.hint
    assert "ten minutes" in caught.value.hint


@pytest.mark.parametrize("said", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "²"])
async def test_a_retry_after_that_is_no_number_of_seconds_falls_back_to_our_own_waits(
    connect: Connect, provider: Provider, waits: list[float], said: str
) -> None:
    provider.replies.append(Reply(429, headers={"Retry-After": said}))
    await ask(await connect())
    assert waits == [0.5]


async def test_without_retry_after_the_waits_double_up_to_a_bound(
    connect: Connect, provider: Provider, waits: list[float]
) -> None:
    provider.otherwise = Reply(429)
    with pytest.raises(Throttled):
        await ask(await connect(attempts=9))
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("jitter", "share"), [(lambda: 0.0, 0.5), (lambda: 0.5, 0.75), (lambda: 1.0, 1.0)])
async def test_jitter_spreads_the_waits_over_their_upper_half(
    connect: Connect, provider: Provider, waits: list[float], jitter: Callable[[], float], share: float
) -> None:
    provider.otherwise = Reply(503)
    with pytest.raises(Unavailable):
        await ask(await connect(attempts=4, jitter=jitter))
    assert waits == [0.5 * share, 1 * share, 2 * share]
    assert all(later > earlier for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"<html>",
        b"\xff\xfe",
        b'{"hydra:totalItems": 0}',
        b'{"hydra:member": {}, "hydra:totalItems": 0}',
        b'{"hydra:member": [{"price": NaN}, "hydra:totalItems": 1}',
    ],
)
async def test_a_page_that_cannot_be_read_is_asked_for_again_and_then_a_bad_answer(
    connect: Connect, provider: Provider, body: bytes
) -> None:
    client = await connect(attempts=2)
    provider.replies.extend([Reply(body=body), Reply(body=LISTING)])
    assert (await client.get("/sms", (), read_page)).total == 0
    provider.otherwise = Reply(body=body, headers={"X-LOX24-REQUEST-ID": id_of("abc")})
    with pytest.raises(BadAnswer, match="hydra:member") as caught:
        await client.get("/sms", (), read_page)
    assert (caught.value.status, caught.value.request_id) == (200, id_of("abc"))
    assert (client.requests, client.retries) == (4, 2)


async def test_an_error_that_is_not_the_providers_is_not_tried_again(
    connect: Connect, provider: Provider
) -> None:
    def broken(_answer: Answer) -> None:
        raise LookupError("a mistake of ours")

    with pytest.raises(LookupError):
        await (await connect()).get("/sms", (), broken)
    assert len(provider.requests) == 1


async def test_a_wrong_request_says_so(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(422, b'{"detail": "phone: not a number"}')
    with pytest.raises(BadRequest, match="422 to /sms") as caught:
        await ask(await connect())
    assert "not a number" not in str(caught.value)


async def test_a_refused_connection_names_the_address_and_the_reason(connect: Connect) -> None:
    with socket.socket() as listening_to_nobody:
        listening_to_nobody.bind(("127.0.0.1", 0))
        port = listening_to_nobody.getsockname()[1]
        client = await connect(url=f"http://127.0.0.1:{port}", attempts=2)
        said = await unreachable(client)
    assert said == f"127.0.0.1:{port} cannot be reached: Connection refused."
    assert [entry.status for entry in client.ledger] == [None, None]
    assert client.retries == 1


async def test_a_host_that_does_not_exist_is_named(connect: Connect) -> None:
    client = await connect(url="http://lox24.invalid", attempts=1)
    assert (await unreachable(client)).startswith("lox24.invalid cannot be reached: ")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(is_reset=True), "Connection reset by peer"),
        (Reply(raw=b""), "Server disconnected without sending a response"),
        (Reply(raw=b"HTTP/1.1 2 secret\r\n\r\n"), "not HTTP"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), "Peer closed connection"),
    ],
    ids=repr,
)
async def test_a_connection_that_breaks_off_says_how(
    connect: Connect, provider: Provider, reply: Reply, said: str
) -> None:
    provider.otherwise = reply
    message = await unreachable(await connect(attempts=1))
    assert said in message
    assert "secret" not in message
    assert not message.endswith("..")


@pytest.mark.parametrize(
    ("scheme", "timeout", "said"),
    [("http", 0.05, "no answer within 0.05 seconds"), ("https", 5, "no connection within 0.04 seconds")],
)
async def test_silence_is_waited_for_only_so_long(
    connect: Connect,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    timeout: float,
    said: str,
) -> None:
    monkeypatch.setattr(client_module, "_CONNECT_SECONDS", 0.04)
    provider.otherwise = Reply(is_silent=True)
    client = await connect(url=provider.url.replace("http", scheme), attempts=1, timeout=timeout)
    assert said in await unreachable(client)


async def test_an_address_that_speaks_no_tls_says_so(connect: Connect) -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await connect(url=f"https://127.0.0.1:{port}", attempts=1)
        assert "SSL" in await unreachable(client)
