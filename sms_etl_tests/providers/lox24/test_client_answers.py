"""Holds what every answer of the provider becomes, over a real connection."""

import asyncio
import gzip
from uuid import UUID

import pytest

from sms_etl import __version__, errors
from sms_etl.errors import (
    AccountNotActive,
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NoFunds,
    NotFound,
    ProviderDiffers,
    ProviderError,
    Throttled,
    Unauthorised,
    Unavailable,
    UnexpectedRedirect,
)
from sms_etl.providers.lox24 import bodies
from sms_etl.providers.lox24.client import Account, Answer, Lox24Client, RequestRecord
from sms_etl_tests.providers.lox24.conftest import NOW, TOKEN, Connect
from sms_etl_tests.providers.lox24.server import Provider, Reply, id_of

WINDOW = UUID("7d7a1f6e-0f5b-11f0-9cd2-0242ac120002")
SINGLED_OUT = {401: Unauthorised, 402: NoFunds, 403: AccountNotActive, 404: NotFound, 429: Throttled}
STOPPING = {401, 403}


def whole(answer: Answer) -> Answer:
    return answer


async def ask(client: Lox24Client, path: str = "/sms") -> Answer:
    return await client.get(path, (), whole)


async def refusal(client: Lox24Client) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await ask(client)
    return caught.value


def expected_class(status: int) -> type[ProviderError]:
    if status in SINGLED_OUT:
        return SINGLED_OUT[status]
    return {3: UnexpectedRedirect, 4: BadRequest, 5: Unavailable}[status // 100]


async def test_every_status_from_300_to_599_has_its_class(connect: Connect, provider: Provider) -> None:
    client = await connect(attempts=1)
    found = {}
    for status in range(300, 600):
        provider.replies.append(Reply(status, b"", headers={"X-LOX24-REQUEST-ID": id_of(status)}))
        error = await refusal(await connect(attempts=1) if status in STOPPING else client)
        assert (error.status, error.request_id) == (status, id_of(status))
        assert str(status) in error.message
        assert f"request id {id_of(status)}" in error.message
        assert error.hint
        found[status] = type(error)
    assert found == {status: expected_class(status) for status in range(300, 600)}


async def test_every_class_of_provider_error_but_five_comes_from_an_answer(
    connect: Connect, provider: Provider
) -> None:
    """Two have tests of their own, RequestRefused is of 2SMS, and the others are told by several answers."""
    client = await connect(attempts=1)
    provider.otherwise = Reply(204, b"")
    found = {type(await refusal(client)), AuthBlocked} | {
        expected_class(status) for status in range(300, 600)
    }
    assert found == set(ProviderError.__subclasses__()) - {
        errors.AnswerLost,
        errors.RequestRefused,
        errors.Unreachable,
        errors.ProviderDiffers,
        errors.FormatChanged,
    }


@pytest.mark.parametrize("status", [201, 202, 204, 206, 226])
async def test_a_success_without_the_content_asked_for_is_a_bad_answer(
    connect: Connect, provider: Provider, status: int
) -> None:
    provider.otherwise = Reply(status, b"")
    assert type(await refusal(await connect(attempts=1))) is BadAnswer


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorised), (403, AccountNotActive)])
async def test_a_refused_token_is_sent_once_and_never_again(
    connect: Connect, provider: Provider, waits: list[float], status: int, error: type[ProviderError]
) -> None:
    provider.otherwise = Reply(status)
    client = await connect()
    first = await refusal(client)
    later = await asyncio.gather(*(ask(client) for _ in range(5)), return_exceptions=True)
    assert type(first) is error
    assert later == [first] * 5
    assert len(provider.requests) == client.requests == len(client.ledger) == 1
    assert (client.retries, waits) == (0, [])


async def test_workers_that_wait_for_their_turn_send_nothing_after_a_refusal(
    connect: Connect, provider: Provider
) -> None:
    provider.otherwise = Reply(401, seconds=0.05)
    client = await connect(concurrency=2)
    answers = await asyncio.gather(*(ask(client) for _ in range(10)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthorised}
    assert len(provider.requests) == 2  # those already in flight


async def test_a_429_soon_after_a_wrong_token_is_a_block_and_stops_everything(
    connect: Connect, provider: Provider
) -> None:
    provider.otherwise = Reply(429)
    client = await connect()
    client.recently_refused = True
    assert type(await refusal(client)) is AuthBlocked
    assert type(await refusal(client)) is AuthBlocked
    assert len(provider.requests) == 1


async def test_a_redirect_is_not_followed_and_the_token_stays_here(
    connect: Connect, provider: Provider
) -> None:
    async with Provider().running() as elsewhere:
        for location in (f"{elsewhere.url}/sms", "//[", "ftp://elsewhere", ""):
            provider.replies.append(Reply(302, headers={"Location": location}))
            error = await refusal(await connect())
            assert type(error) is UnexpectedRedirect
            assert "SMS_ETL_LOX24_BASE_URL" in error.hint
        assert elsewhere.requests == []
    assert len(provider.requests) == 4  # one a client: not tried again


async def test_a_request_carries_token_format_and_program(connect: Connect, provider: Provider) -> None:
    await ask(await connect())
    sent = provider.requests[0]
    assert sent.method == "GET"
    assert sent.headers["x-lox24-auth-token"] == TOKEN
    assert sent.headers["accept"] == "application/ld+json"
    assert sent.headers["user-agent"] == f"sms_etl/{__version__}"


async def test_a_query_arrives_as_it_was_given_in_its_order(connect: Connect, provider: Provider) -> None:
    query = [("uuid[]", "b"), ("uuid[]", "a"), ("created_at[gte]", "1"), ("text", "a&b=ü +"), ("e", "")]
    await (await connect()).get("/sms", query, whole)
    assert provider.requests[0].query == query


async def test_an_answer_gives_its_body_its_headers_and_its_request_id(
    connect: Connect, provider: Provider
) -> None:
    provider.otherwise = Reply(body=b'{"a": 1}', headers={"X-LOX24-REQUEST-ID": id_of("abc"), "X-Other": "b"})
    answer = await ask(await connect())
    assert (answer.body, answer.request_id, answer.headers["x-other"]) == (b'{"a": 1}', id_of("abc"), "b")


async def test_a_compressed_answer_is_unpacked(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(body=gzip.compress(b"[1]"), headers={"Content-Encoding": "gzip"})
    assert (await ask(await connect())).body == b"[1]"


async def test_an_answer_that_is_not_compressed_as_it_says_is_a_bad_answer(
    connect: Connect, provider: Provider
) -> None:
    provider.otherwise = Reply(headers={"Content-Encoding": "gzip", "X-LOX24-REQUEST-ID": id_of("abc")})
    error = await refusal(await connect(attempts=1))
    assert type(error) is BadAnswer
    assert (error.status, error.request_id) == (200, id_of("abc"))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_above_the_bound_is_cut(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1024**2)
    body = b"a" * 3 * 1024**2
    packed = gzip.compress(body) if encoding == "gzip" else body
    provider.otherwise = Reply(body=packed, headers={"Content-Encoding": encoding})
    error = await refusal(await connect(attempts=1))
    assert type(error) is BadAnswer
    assert "larger than 1 MiB" in error.message


async def test_an_answer_of_just_the_bound_is_not(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 100)
    provider.otherwise = Reply(body=b"a" * 100)
    assert (await ask(await connect())).body == b"a" * 100


async def test_an_answer_that_is_compressed_in_another_way_is_a_bad_answer(
    connect: Connect, provider: Provider
) -> None:
    provider.otherwise = Reply(body=gzip.compress(b"[1]"), headers={"Content-Encoding": "br"})
    error = await refusal(await connect(attempts=1))
    assert type(error) is BadAnswer
    assert "was not asked for" in error.message


class Joined:
    """Reads an answer that is too large by putting its pieces together again."""

    def __init__(self) -> None:
        self.whole = b""

    def feed(self, piece: bytes) -> None:
        self.whole += piece

    def result(self) -> bytes:
        return self.whole


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_above_the_bound_is_read_whole_where_it_may_be_read_in_pieces(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1000)
    body = bytes(range(256)) * 1024
    packed = gzip.compress(body) if encoding == "gzip" else body
    provider.otherwise = Reply(body=packed, headers={"Content-Encoding": encoding})
    client = await connect()
    assert (await client.get("/sms", (), whole, piecewise=Joined)).body == body


async def test_no_more_requests_are_in_flight_than_allowed(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(seconds=0.02)
    client = await connect(concurrency=3)
    await asyncio.gather(*(ask(client) for _ in range(12)))
    assert provider.most_at_once == 3


async def test_the_ledger_has_one_entry_a_request_without_its_query(
    connect: Connect, provider: Provider
) -> None:
    provider.replies.extend([Reply(503, headers={"X-LOX24-REQUEST-ID": id_of("first")}), Reply(seconds=0.03)])
    client = await connect()
    await client.get("/sms", [("phone", "4917612345678"), ("page", "7")], whole, window_id=WINDOW, page=7)
    naive_now = NOW.replace(tzinfo=None)
    first, second = client.ledger
    assert first == RequestRecord(naive_now, "GET", "/sms", WINDOW, 7, 503, 0, first.ms, id_of("first"))
    assert second == RequestRecord(naive_now, "GET", "/sms", WINDOW, 7, 200, 1, second.ms, None)
    assert 30 <= second.ms < 5000
    assert "4917612345678" not in repr(client.ledger)


async def test_me_says_whose_token_it_is(connect: Connect, provider: Provider) -> None:
    provider.otherwise = Reply(body=b'{"id": 4711, "currency": "CHF", "balance_amount": 1.5}')
    assert await (await connect()).account() == Account(4711, "CHF")
    assert provider.requests[0].target == "/me"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"<html>", b"\xff", b"[" * 100_000])
async def test_an_account_that_cannot_be_read_is_a_bad_answer(
    connect: Connect, provider: Provider, body: bytes
) -> None:
    provider.otherwise = Reply(body=body, headers={"X-LOX24-REQUEST-ID": id_of("abc")})
    with pytest.raises(BadAnswer, match="abc"):
        await (await connect(attempts=1)).account()


@pytest.mark.parametrize("currency", ["EUR/CHF", "eur", "XY", "", "E" * 40, "EUR\\n", "\\u20ac", "[red]"])
async def test_a_currency_that_is_no_iso_code_is_refused_and_not_quoted(
    connect: Connect, provider: Provider, currency: str
) -> None:
    provider.otherwise = Reply(body=b'{"id": 1, "currency": "%b"}' % currency.encode())
    with pytest.raises(ProviderDiffers, match="currency") as refused:
        await (await connect(attempts=1)).account()
    assert not currency or currency not in str(refused.value)


async def test_a_path_below_the_base_address_is_kept(connect: Connect, provider: Provider) -> None:
    await ask(await connect(url=f"{provider.url}/behind/a/proxy"), "/me")
    assert provider.requests[0].target == "/behind/a/proxy/me"


@pytest.mark.parametrize(
    "given",
    ["+4917612345678", "x" * 31, "x" * 33, "ab cd".ljust(32, "0"), "\x1b[31m".ljust(32, "0"), "", "é" * 32],
)
async def test_a_request_id_that_is_none_is_stored_as_null_and_told_as_unreadable(
    connect: Connect, provider: Provider, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    caplog.set_level("DEBUG", logger="sms_etl")
    provider.otherwise = Reply(404, headers={"X-LOX24-REQUEST-ID": given})
    client = await connect()
    error = await refusal(client)
    assert "(request id unreadable)" in str(error)
    assert [entry.request_id for entry in client.ledger] == [None]
    assert not given or given not in f"{error} {error.request_id} {caplog.text}"
