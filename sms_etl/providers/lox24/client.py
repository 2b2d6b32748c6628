"""Talks to LOX24 over HTTP: one request in, one typed answer or one typed error out.

Retries what may be retried, keeps a ledger of every request, and lets no token, number or body into an
error. What the answers mean is not known here; see `paging.py` and `records.py`.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import httpx
import msgspec

from sms_etl import __version__
from sms_etl.clock import Clock, as_utc
from sms_etl.errors import (
    AccountNotActive,
    AuthBlocked,
    BadAnswer,
    ProviderDiffers,
    ProviderError,
    Unauthorised,
    Unreachable,
)
from sms_etl.providers.lox24.bodies import ACCEPTED_ENCODING, Piecewise, bounded_body
from sms_etl.providers.lox24.codes import is_currency
from sms_etl.providers.lox24.failures import (
    UNREADABLE_ID,
    error_for,
    refused_fields,
    request_id_of,
    unreachable,
)
from sms_etl.providers.lox24.limiter import Limiter
from sms_etl.providers.lox24.message_ids import MessageIds, assert_chooses, is_batch
from sms_etl.providers.retrying import RetryPolicy, Sleep, may_be_retried, tries
from sms_etl.providers.transport import AiohttpTransport
from sms_etl.web.loopback import is_loopback

_log = logging.getLogger(__name__)

Query = Sequence[tuple[str, str]]
Read = TypeVar("Read")

TOKEN_HEADER = "X-LOX24-AUTH-TOKEN"  # noqa: S105 - the header's name
SANDBOX_HEADER = "X-SMS-ETL-SANDBOX"
"""On every answer of our own sandbox, with the value 1."""
_READS = "GET"
_OK = frozenset({httpx.codes.OK})
_CONNECT_SECONDS = 10.0
_WHOLE_ANSWER = 3
"""An answer that keeps dripping must be whole within so many times the time-out."""
_STRAINED = {429, 503}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked of the provider at once, and how long it is waited for."""

    concurrency: int = 8
    """Most requests in flight; fewer while the provider strains."""
    per_second: int | None = None
    """Most requests begun within a second."""
    timeout: float = 60.0
    """Seconds without a byte after which an answer counts as lost."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, as the ledger `ops.request` keeps it: never a header, token, query or body."""

    requested_at: datetime
    method: str
    path: str
    window_id: UUID | None
    page: int | None
    status: int | None
    retry: int
    ms: int
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, in one try or several."""

    path: str
    query: Query = ()
    window_id: UUID | None = None
    page: int | None = None
    method: str = _READS
    body: bytes | None = None
    """JSON."""
    accepts: frozenset[int] = _OK
    """The statuses of a successful answer."""
    ids: MessageIds | None = None
    """The messages that a batch call is meant for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    body: bytes
    request_id: str | None
    headers: Mapping[str, str]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is (`GET /me`)."""

    id: int | str
    currency: str
    """EUR or CHF: the currency of every price; prices are net of VAT."""
    is_sandbox: bool = False
    """Whether a sandbox serves it; told by a header, never by the body."""


class _Me(msgspec.Struct):
    id: int | str
    currency: str


class Lox24Client:
    """An HTTP client for one account; use as an async context manager.

    Args:
        base_url: Address of the API, without a path.
        token: `<client_id>:<key>`.
        clock: Stamps the ledger.
        limits: How much is asked at once, and how long an answer is waited for.
        retry: How often to try again.
        sleep: Waits between tries.
        jitter: Gives a number in [0, 1) that spreads the waits.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        clock: Clock,
        *,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.ledger: list[RequestRecord] = []
        """Requests made since `take_ledger`."""
        self.requests = 0
        self.retries = 0
        self._clock = clock
        self.recently_refused = False
        """Whether a wrong token was refused in the last ten minutes: a 429 is a block then."""
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._jitter = jitter
        self._limits = limits or Limits()
        self._limiter = Limiter(
            self._limits.concurrency, per_second=self._limits.per_second, now=time.monotonic, sleep=sleep
        )
        self._refused: ProviderError | None = None
        self._base_url = httpx.URL(base_url)
        self._headers = httpx.Headers(
            {
                "Host": self._base_url.netloc.decode(),
                TOKEN_HEADER: token,
                "Accept": "application/ld+json",
                "Accept-Encoding": ACCEPTED_ENCODING,
                "Connection": "keep-alive",  # what HTTP/1.1 means anyway; some proxies want to hear it
                "User-Agent": f"sms_etl/{__version__}",
            }
        )
        self._timeouts = {
            "connect": min(self._limits.timeout, _CONNECT_SECONDS),
            "read": self._limits.timeout,
        }
        self._writing_headers = httpx.Headers(self._headers)
        self._writing_headers.update({"Connection": "close", "Content-Type": "application/json"})
        self._http = AiohttpTransport(self._limits.concurrency)
        # A kept connection may have gone stale, and whether a write on it arrived would not be known.
        self._unkept = AiohttpTransport(self._limits.concurrency, is_kept=False)

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._http.aclose()
        await self._unkept.aclose()

    def take_ledger(self) -> list[RequestRecord]:
        """Return the requests made since this was last asked."""
        entries, self.ledger = self.ledger, []
        return entries

    async def account(self) -> Account:
        """Ask whose token it is, and whether a sandbox on this machine answers.

        Raises:
            ProviderError: See its subclasses.
        """
        account = await self.get("/me", (), read_account)
        is_sandbox = account.is_sandbox and is_loopback(str(self._base_url))
        return replace(account, is_sandbox=is_sandbox)

    async def get(
        self,
        path: str,
        query: Query,
        read: Callable[[Answer], Read],
        *,
        window_id: UUID | None = None,
        page: int | None = None,
        piecewise: Callable[[], Piecewise] | None = None,
    ) -> Read:
        """Get a path and read its answer, trying again where that can help.

        Args:
            path: Below the base URL.
            query: Pairs in the order sent.
            read: Turns the answer into what it means; raises `BadAnswer` for what it does not know, which
                is tried again like an outage.
            window_id: For the ledger.
            page: For the ledger.
            piecewise: Makes what reads an answer that is too large, as it comes; None: it is a bad answer.

        Raises:
            ProviderError: The last try's error; see its subclasses.
        """
        request = Request(path, query, window_id, page)

        async def once(retry: int) -> Read:
            return read(await self._once(request, retry, piecewise))

        return await self._tried(once, may_be_retried)

    async def _tried(
        self, once: Callable[[int], Awaitable[Read]], is_worth_a_try: Callable[[BaseException], bool]
    ) -> Read:
        """Make a request until it succeeds or fails for good.

        Args:
            once: Makes it once; takes the number of the try, from 0.
            is_worth_a_try: Whether an error is worth another one.
        """
        async for attempt in tries(self._retry, is_worth_a_try, sleep=self._sleep, jitter=self._jitter):
            with attempt:
                retry = attempt.retry_state.attempt_number - 1
                async with self._limiter.slot():
                    return await once(retry)
        raise AssertionError("the last try returned or raised")  # pragma: no cover - mypy cannot know it

    async def _once(
        self, request: Request, retry: int, piecewise: Callable[[], Piecewise] | None = None
    ) -> Answer:
        if self._refused:
            raise self._refused  # another worker was refused: not one more request
        sent = self._as_sent(request)
        http = self._http if request.method == _READS else self._unkept
        started, deadline = time.perf_counter(), self._limits.timeout * _WHOLE_ANSWER
        status, request_id = None, None
        self.requests += 1
        self.retries += retry > 0
        try:
            async with (
                asyncio.timeout(deadline),
                aclosing(await http.handle_async_request(sent)) as response,
            ):
                status, request_id = response.status_code, request_id_of(response.headers)
                is_read = status in request.accepts
                body = await bounded_body(response, request.path, piecewise if is_read else None)
        except TimeoutError as exc:
            raise Unreachable(
                f"The answer to {request.path} was not whole within {deadline:.0f} s.",
                hint="Run it again later; a larger SMS_ETL_LOX24_TIMEOUT waits longer.",
                status=status,
                request_id=request_id,
            ) from exc
        except httpx.TransportError as exc:
            raise unreachable(exc, self._base_url.netloc.decode(), self._timeouts) from exc
        finally:
            record = RequestRecord(
                requested_at=as_utc(self._clock()),
                method=request.method,
                path=request.path,
                window_id=request.window_id,
                page=request.page,
                status=status,
                retry=retry,
                ms=round((time.perf_counter() - started) * 1000),
                request_id=None if request_id == UNREADABLE_ID else request_id,
            )
            self.ledger.append(record)
            _log.debug(
                "%s %s, page %s, try %d: %s in %d ms, request id %s.",
                record.method,
                record.path,
                record.page,
                retry + 1,
                status or "no answer",
                record.ms,
                request_id,
            )
        if response.status_code in request.accepts:
            self._limiter.on_success(time.perf_counter() - started)
            return Answer(body, request_id, response.headers, response.status_code)
        error = error_for(
            response.status_code,
            request.path,
            response.headers,
            refused=self.recently_refused,
            fields=refused_fields(body),
        )
        if isinstance(error, (Unauthorised, AccountNotActive, AuthBlocked)):
            self._refused = error
        elif response.status_code in _STRAINED:
            self._limiter.on_overload()
        raise error

    def _as_sent(self, request: Request) -> httpx.Request:
        path = self._base_url.path.rstrip("/") + request.path
        target = f"{path}?{urlencode(request.query)}" if request.query else path
        if is_batch(request.path):
            assert_chooses(request.ids, target)
        return httpx.Request(
            request.method,
            self._base_url,
            headers=self._headers if request.method == _READS else self._writing_headers,
            content=request.body,
            # Beside the address, which httpx would take apart anew for each page at a tenth of its cost.
            extensions={"target": target.encode("ascii"), "timeout": self._timeouts},
        )


def read_account(answer: Answer) -> Account:
    """Read the answer to `GET /me`.

    Raises:
        BadAnswer: It is something else.
        ProviderDiffers: Its amounts are in no currency: they could be added to nothing and shown nowhere.
    """
    try:
        me = msgspec.json.decode(answer.body, type=_Me)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadAnswer(
            "The answer to /me is not an account.",
            hint="Check SMS_ETL_LOX24_BASE_URL.",
            request_id=answer.request_id,
        ) from exc
    if not is_currency(me.currency):
        raise ProviderDiffers(
            "LOX24 names as the account's currency what is no ISO 4217 code such as EUR.",
            hint="Nothing was read. Ask the provider's support about `currency` in the answer to GET /me.",
            request_id=answer.request_id,
        )
    return Account(me.id, me.currency, is_sandbox=answer.headers.get(SANDBOX_HEADER) == "1")
