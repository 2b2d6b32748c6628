"""Talks to LOX24 over HTTP: one request in, one typed answer or one typed error out.

Retries what may be retried, keeps a ledger of every request, and lets no token, number or body into an
error. What the answers mean is not known here; see `paging.py` and `records.py`.
"""

import asyncio
import logging
import random
import time
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import httpx
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from sms_etl import __version__
from sms_etl.clock import Clock, as_utc
from sms_etl.errors import (
    AccountNotActive,
    AuthBlocked,
    BadAnswer,
    ProviderDiffers,
    ProviderError,
    Throttled,
    Unauthorised,
    Unavailable,
    Unreachable,
)
from sms_etl.providers.lox24.codes import is_currency
from sms_etl.providers.lox24.failures import UNREADABLE_ID, error_for, request_id_of, unreachable
from sms_etl.providers.lox24.limiter import Limiter
from sms_etl.providers.lox24.transport import AiohttpTransport
from sms_etl.web.loopback import is_loopback

_log = logging.getLogger(__name__)

Query = Sequence[tuple[str, str]]
Read = TypeVar("Read")
Sleep = Callable[[float], Awaitable[None]]

TOKEN_HEADER = "X-LOX24-AUTH-TOKEN"  # noqa: S105 - the header's name
SANDBOX_HEADER = "X-SMS-ETL-SANDBOX"
"""On every answer of our own sandbox, with the value 1."""
MAX_BODY_BYTES = 16 * 1024 * 1024
"""A page is some hundred kilobytes; what is larger than this is not a page, and eight may come at once."""
_ACCEPTED_ENCODING = "gzip"
_UNPACKED_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16
_CONNECT_SECONDS = 10.0
_WHOLE_ANSWER = 3
"""An answer that keeps dripping must be whole within so many times the time-out."""
_STRAINED = {429, 503}
_MAX_RETRY_AFTER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long apart a failed request is tried again."""

    attempts: int = 6
    """First try included; more rides out longer outages, and makes a wrong address fail later."""
    first_wait: float = 0.5
    """Seconds; doubled each time."""
    longest_wait: float = 30.0
    """Seconds."""


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
class Answer:
    """A successful answer."""

    body: bytes
    request_id: str | None
    headers: Mapping[str, str]


class Piecewise(Protocol):
    """Reads an answer that is too large to be held, and makes a smaller one of it."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raise ValueError if this cannot be read so."""

    def result(self) -> bytes:
        """Return the smaller answer; raise ValueError if it broke off."""


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
        recently_refused: Whether a wrong token was refused in the last ten minutes: a 429 is a block then.
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
        recently_refused: bool = False,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.ledger: list[RequestRecord] = []
        """Requests made since `take_ledger`."""
        self.requests = 0
        self.retries = 0
        self._clock = clock
        self.recently_refused = recently_refused
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
                "Accept-Encoding": _ACCEPTED_ENCODING,
                "Connection": "keep-alive",  # what HTTP/1.1 means anyway; some proxies want to hear it
                "User-Agent": f"sms_etl/{__version__}",
            }
        )
        self._timeouts = {
            "connect": min(self._limits.timeout, _CONNECT_SECONDS),
            "read": self._limits.timeout,
        }
        self._http = AiohttpTransport(self._limits.concurrency)

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._http.aclose()

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
        ledger_entry = RequestRecord(as_utc(self._clock()), "GET", path, window_id, page, None, 0, 0, None)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(self._retry.attempts),
            wait=self._wait,
            retry=retry_if_exception(_may_be_retried),
            sleep=self._sleep,
            before_sleep=_say_that_it_waits,
            reraise=True,
        ):
            with attempt:
                retry = attempt.retry_state.attempt_number - 1
                async with self._limiter.slot():
                    return read(await self._once(query, replace(ledger_entry, retry=retry), piecewise))
        raise AssertionError("the last try either returned or raised")  # pragma: no cover

    async def _once(
        self, query: Query, entry: RequestRecord, piecewise: Callable[[], Piecewise] | None
    ) -> Answer:
        if self._refused:
            raise self._refused  # another worker was refused: not one more request
        started, deadline = time.perf_counter(), self._limits.timeout * _WHOLE_ANSWER
        status, request_id = None, None
        self.requests += 1
        self.retries += entry.retry > 0
        try:
            async with (
                asyncio.timeout(deadline),
                aclosing(await self._http.handle_async_request(self._request(query, entry))) as response,
            ):
                status, request_id = response.status_code, request_id_of(response.headers)
                is_read = status == httpx.codes.OK
                body = await _bounded_body(response, entry.path, piecewise if is_read else None)
        except TimeoutError as exc:
            raise Unreachable(
                f"The answer to {entry.path} was not whole within {deadline:.0f} s.",
                hint="Run it again later; a larger SMS_ETL_LOX24_TIMEOUT waits longer.",
                status=status,
                request_id=request_id,
            ) from exc
        except httpx.TransportError as exc:
            raise unreachable(exc, self._base_url.netloc.decode(), self._timeouts) from exc
        finally:
            self.ledger.append(
                replace(
                    entry,
                    requested_at=as_utc(self._clock()),
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000),
                    request_id=None if request_id == UNREADABLE_ID else request_id,
                )
            )
            _log.debug(
                "GET %s, page %s, try %d: %s in %d ms, request id %s.",
                entry.path,
                entry.page,
                entry.retry + 1,
                status or "no answer",
                self.ledger[-1].ms,
                request_id,
            )
        if response.status_code == httpx.codes.OK:
            self._limiter.on_success(time.perf_counter() - started)
            return Answer(body, request_id, response.headers)
        error = error_for(response.status_code, entry.path, response.headers, refused=self.recently_refused)
        if isinstance(error, (Unauthorised, AccountNotActive, AuthBlocked)):
            self._refused = error
        elif response.status_code in _STRAINED:
            self._limiter.on_overload()
        raise error

    def _request(self, query: Query, entry: RequestRecord) -> httpx.Request:
        path = self._base_url.path.rstrip("/") + entry.path
        target = f"{path}?{urlencode(query)}" if query else path
        return httpx.Request(
            entry.method,
            self._base_url,
            headers=self._headers,
            # Beside the address, which httpx would take apart anew for each page at a tenth of its cost.
            extensions={"target": target.encode("ascii"), "timeout": self._timeouts},
        )

    def _wait(self, state: RetryCallState) -> float:
        """Double the wait each time, with full jitter in its upper half; obey Retry-After."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ProviderError) and error.retry_after is not None:
            return min(error.retry_after, _MAX_RETRY_AFTER_SECONDS)
        longest = min(self._retry.first_wait * 2 ** (state.attempt_number - 1), self._retry.longest_wait)
        return float(longest * (0.5 + self._jitter() / 2))


def _say_that_it_waits(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError):
        _log.warning(
            "%s Trying again in %.1f s, for the %d. time.",
            error.message,
            state.upcoming_sleep,
            state.attempt_number,
        )


def _may_be_retried(error: BaseException) -> bool:
    return isinstance(error, (Throttled, Unavailable, Unreachable, BadAnswer))


async def _bounded_body(
    response: httpx.Response, path: str, piecewise: Callable[[], Piecewise] | None
) -> bytes:
    """Take an answer's body, unpacked, and never hold more of it than a page can be long.

    Args:
        response: The answer.
        path: For the error.
        piecewise: Makes what reads an answer that is too large; None: it is refused.
    """
    body = bytearray()
    reading = None
    announced = response.headers.get("Content-Length", "")
    try:
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            reading = _begun(piecewise)
        async for piece in _unpacked(response, path):
            if reading is None:
                body += piece
                if len(body) <= MAX_BODY_BYTES:
                    continue
                reading, piece = _begun(piecewise), bytes(body)  # noqa: PLW2901 - what came so far
                body.clear()
            for start in range(0, len(piece), _PIECE_BYTES):
                reading.feed(piece[start : start + _PIECE_BYTES])
                await asyncio.sleep(0)  # for the other requests, and the deadline
        return bytes(body) if reading is None else reading.result()
    except ValueError as exc:
        raise _bad_body(
            response, f"The answer to {path} is larger than {MAX_BODY_BYTES // 1024**2} MiB."
        ) from exc


def _begun(piecewise: Callable[[], Piecewise] | None) -> Piecewise:
    if piecewise is None:
        raise ValueError("too large")
    return piecewise()


async def _unpacked(response: httpx.Response, path: str) -> AsyncIterator[bytes]:
    """Yield a body as it comes, unpacked a piece at a time: a small packed body can be a huge one."""
    encoding = response.headers.get("Content-Encoding", "identity")
    chunks: AsyncIterable[bytes] = response.stream  # type: ignore[assignment]  # of an asynchronous transport
    if encoding == "identity":
        async for chunk in chunks:
            yield chunk
        return
    if encoding != _ACCEPTED_ENCODING:
        raise _bad_body(response, f"The answer to {path} is compressed in a way that was not asked for.")
    unpacker = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        packed = chunk
        while True:
            try:
                piece = unpacker.decompress(packed, _UNPACKED_BYTES)
            except zlib.error as exc:
                raise _bad_body(response, f"The answer to {path} is not compressed as it says.") from exc
            yield piece
            packed = unpacker.unconsumed_tail
            if not packed and len(piece) < _UNPACKED_BYTES:
                break


def _bad_body(response: httpx.Response, message: str) -> BadAnswer:
    return BadAnswer(
        message,
        hint="Something on the way may change answers: check proxies and SMS_ETL_LOX24_BASE_URL.",
        status=response.status_code,
        request_id=request_id_of(response.headers),
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
