"""Holds what is below the client: aiohttp under httpx, one request for each that is asked for."""

import aiohttp
import httpx
import pytest

from sms_etl.errors import Unreachable
from sms_etl.providers import transport
from sms_etl.providers.lox24.client import Answer
from sms_etl_tests.providers.lox24.conftest import Connect
from sms_etl_tests.providers.lox24.server import Provider, Reply


def whole(answer: Answer) -> Answer:
    return answer


@pytest.mark.parametrize("breaks_off", [Reply(raw=b""), Reply(is_reset=True)], ids=["closed", "reset"])
async def test_a_request_on_a_connection_that_had_gone_stale_is_sent_once(
    connect: Connect, provider: Provider, breaks_off: Reply
) -> None:
    """Aiohttp would send it again by itself, and the ledger would not know."""
    client = await connect(attempts=1)
    await client.get("/sms", (), whole)
    provider.otherwise = breaks_off
    with pytest.raises(Unreachable):
        await client.get("/sms", (), whole)
    assert len(provider.requests) == client.requests == len(client.ledger) == 2


async def test_a_query_is_sent_as_it_was_written(connect: Connect, provider: Provider) -> None:
    """With its order and its brackets, plus signs and percents; nothing is decoded on the way."""
    query = [("uuid[]", "b"), ("uuid[]", "a"), ("text", "1+1 = 200%/é"), ("page", "2")]
    await (await connect()).get("/sms", query, whole)
    assert provider.requests[0].query == query
    sent = "/sms?uuid%5B%5D=b&uuid%5B%5D=a&text=1%2B1+%3D+200%25%2F%C3%A9&page=2"
    assert provider.requests[0].target == sent


async def test_the_proxy_of_the_environment_is_used(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", provider.url)
    monkeypatch.setenv("no_proxy", "")
    await (await connect(url="http://lox24.invalid")).get("/sms", (), whole)
    assert provider.requests[0].target == "http://lox24.invalid/sms"


async def test_a_host_may_be_excepted_from_the_proxy(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", provider.url)
    monkeypatch.setenv("no_proxy", "lox24.invalid")
    with pytest.raises(Unreachable):
        await (await connect(url="http://lox24.invalid", attempts=1)).get("/sms", (), whole)
    assert provider.requests == []


async def test_a_proxy_that_speaks_no_http_is_an_error_that_says_so_without_its_address(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://user:secret@127.0.0.1:1080")
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(Unreachable, match="is not an HTTP proxy") as caught:
        await (await connect(url="http://lox24.invalid", attempts=1)).get("/sms", (), whole)
    assert "secret" not in str(caught.value)


async def test_it_says_that_it_keeps_its_connections(connect: Connect, provider: Provider) -> None:
    """Else a proxy that waits for the word holds each answer back until its own time-out."""
    await (await connect()).get("/sms", (), whole)
    assert provider.requests[0].headers["connection"] == "keep-alive"


async def test_no_cookie_is_kept(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(headers={"Set-Cookie": "session=1"})
    client = await connect()
    await client.get("/sms", (), whole)
    await client.get("/sms", (), whole)
    assert "cookie" not in provider.requests[1].headers


def test_every_error_of_aiohttp_has_a_name_in_httpx() -> None:
    """The last of the list stands for those that are not named; none falls through."""
    theirs = [
        kind
        for kind in vars(aiohttp).values()
        if isinstance(kind, type) and issubclass(kind, aiohttp.ClientError)
    ]
    assert len(theirs) > 10
    for kind in theirs:
        names = [ours for known, ours in transport._MEANINGS if issubclass(kind, known)]
        assert issubclass(names[0], httpx.TransportError)
