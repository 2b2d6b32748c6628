"""Holds that a token, a query or a body comes out nowhere: no error, no log, no print-out."""

import logging
import traceback

import pytest

from sms_etl.errors import ProviderError
from sms_etl.providers.lox24.client import Answer
from sms_etl.providers.lox24.paging import read_page
from sms_etl_tests.providers.lox24.conftest import TOKEN, Connect
from sms_etl_tests.providers.lox24.server import Provider, Reply

KEY = TOKEN.partition(":")[2]
BODY = b'{"text": "your pin is 1234", "phone": "+4917612345678"}'
PERSONAL = ("your pin", "4917612345678")

FAILURES = [
    *(Reply(status, BODY) for status in (204, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503)),
    Reply(200, BODY),
    Reply(200, BODY, headers={"Content-Encoding": "gzip"}),
    Reply(is_reset=True),
    Reply(raw=b""),
    Reply(raw=b"HTTP/1.1 2 your pin is 1234\r\n\r\n"),
]


def whole(answer: Answer) -> Answer:
    return answer


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Log at DEBUG, the libraries below us included."""
    for name in (None, "httpx", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_no_failure_tells_the_token_or_the_body(
    connect: Connect, provider: Provider, caplog: pytest.LogCaptureFixture, failure: Reply
) -> None:
    provider.otherwise = failure
    client = await connect(attempts=2)
    with pytest.raises(ProviderError) as caught:
        await client.get("/sms", (), read_page)
    error = caught.value
    shown = [str(error), repr(error), repr(error.args), repr(vars(error)), repr(client), repr(client.ledger)]
    for text in [*shown, "".join(traceback.format_exception(error)), caplog.text]:
        assert KEY not in text
    for text in shown:
        assert not any(personal in text for personal in PERSONAL)


async def test_the_libraries_below_log_no_request_header_at_debug(
    connect: Connect, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    await (await connect()).get("/sms", (), whole)
    assert "x-lox24-auth-token" not in caplog.text.lower()
    assert KEY not in caplog.text


async def test_a_token_that_no_header_can_carry_is_not_quoted(
    connect: Connect, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings refuse such a token; the client does not rely on it."""
    monkeypatch.setattr("sms_etl_tests.providers.lox24.conftest.TOKEN", f"{TOKEN}\nX-Other: a")
    client = await connect(attempts=1)
    with pytest.raises(ProviderError) as caught:
        await client.get("/sms", (), whole)
    assert KEY not in str(caught.value)
    assert provider.requests == []
