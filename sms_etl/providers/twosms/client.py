"""Talks to 2SMS over HTTP: expires and deletes messages, and nothing else.

A token is asked for when one is needed, kept in memory, renewed before it ends and once after a 401. Wrong
credentials are tried once: after that every call fails without a request. No credential, number or body comes
into an error or a log.

    async def erase(client: TwoSmsClient) -> Removal:
        return await client.delete(ByDestination(number, start, finish), contents=True)

`delete` is the only way to the endpoint, and takes `ByMessageIds` or `ByDestination` only; see `criteria.py`
for why. A deletion may be tried again, since a second one changes nothing; then its counts may be too low,
and `Removal.has_lost_answer` says so.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import httpx

from sms_etl import __version__
from sms_etl.errors import (
    AccountNotActive,
    AnswerLost,
    BadAnswer,
    FeatureUnavailable,
    NotSent,
    ProviderError,
    Unauthorised,
    Unavailable,
    Unreachable,
)
from sms_etl.providers.failures import unreachable_at
from sms_etl.providers.retrying import RetryPolicy, Sleep, may_be_retried, tries
from sms_etl.providers.transport import AiohttpTransport
from sms_etl.providers.twosms.answers import (
    MESSAGES_PATH,
    TOKEN_PATH,
    Removal,
    Token,
    error_for,
    read_removal,
    read_token,
)
from sms_etl.providers.twosms.criteria import Criteria, assert_chooses, body_of

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""An answer is some hundred bytes."""
RENEWED_BEFORE = 300.0
"""Seconds before its end in which a token is not used any more; of a short one the last half."""
_MOST_AT_ONCE = 4
"""Requests; the provider documents no limit."""
_CONNECT_SECONDS = 10.0
_WHOLE_ANSWER = 3
"""An answer that keeps dripping must be whole within so many times the time-out."""


@dataclass(slots=True)
class _Held:
    """The token that is in use."""

    token: Token
    until: float
    """On the client's monotonic clock."""


@dataclass(slots=True)
class _Deletion:
    """One deletion, over all its tries."""

    criteria: Criteria
    body: bytes = field(repr=False)
    contents: bool
    attempts: int = 0
    lost: int = 0
    """Tries that may have been carried out, their answers being lost."""


class TwoSmsClient:
    """A client for one account; use as an async context manager.

    Args:
        base_url: Address of the API.
        client_id: Of the account.
        client_secret: Of the account.
        timeout: Seconds without a byte after which an answer counts as lost.
        retry: How often to try again.
        sleep: Waits between tries.
        jitter: Gives a number in [0, 1) that spreads the waits.
        monotonic: Seconds, for the token's end.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests = 0
        """Requests made, those for tokens included."""
        self._base_url = httpx.URL(base_url)
        self._form = urlencode(
            {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        ).encode()
        self._timeouts = {"connect": min(timeout, _CONNECT_SECONDS), "read": timeout}
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._jitter = jitter
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._asking = asyncio.Lock()
        self._refused: ProviderError | None = None
        # A kept connection may have gone stale, and whether a deletion on it arrived would not be known.
        self._http = AiohttpTransport(_MOST_AT_ONCE, is_kept=False)
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Ask for a token, unless there is one: are the credentials right? Nothing is deleted.

        Raises:
            ProviderError: See its subclasses; `Unauthorised` if they are wrong.
        """
        async for attempt in tries(self._retry, may_be_retried, sleep=self._sleep, jitter=self._jitter):
            with attempt:
                await self._token()

    async def delete(
        self,
        criteria: Criteria,
        *,
        contents: bool,
        notify_recipients: bool = False,
        reason: str | None = None,
    ) -> Removal:
        """Expire advanced messages and, with `contents`, delete the contents of advanced and standard ones.

        Args:
            criteria: Which messages.
            contents: Whether contents are deleted for good, a feature of the account; if not, advanced
                messages expire and standard ones stay as they are.
            notify_recipients: Whether 2SMS tells the recipients. Then a deletion that may have been carried
                out is not tried again: they might be told twice.
            reason: Kept by 2SMS; it must not name anybody.

        Raises:
            TypeError, ValueError: What is asked for is not a deletion of certain messages; nothing was sent.
            RequestRefused: 2SMS answered with an error; `FeatureUnavailable` if the account cannot delete.
            AnswerLost: A try may have been carried out, and none was answered; the same again does no harm.
            ProviderError: No try was carried out; the last one's error.
        """
        body = body_of(criteria, contents=contents, notify_recipients=notify_recipients, reason=reason)
        deletion = _Deletion(criteria, body, contents)

        def is_worth_a_try(error: BaseException) -> bool:
            return may_be_retried(error) and not (notify_recipients and deletion.lost)

        try:
            async for attempt in tries(self._retry, is_worth_a_try, sleep=self._sleep, jitter=self._jitter):
                with attempt:
                    removal = await self._delete_once(deletion)
        except ProviderError as exc:
            # Who lacks the feature lacked it at the first try as well.
            if not deletion.lost or isinstance(exc, FeatureUnavailable):
                raise
            raise AnswerLost(
                f"Whether 2SMS carried out a deletion is not known. {exc.message}",
                hint="Do it again: what is done already changes nothing."
                + (" Recipients may be told twice." if notify_recipients else ""),
                status=exc.status,
                attempts=deletion.attempts,
            ) from exc
        return replace(removal, attempts=deletion.attempts, has_lost_answer=deletion.lost > 0)

    async def _delete_once(self, deletion: _Deletion) -> Removal:
        """Ask once; and, if the token is refused, once more with a new one."""
        token = await self._token()
        try:
            return await self._ask_to_delete(deletion, token)
        except Unauthorised:
            self._forget(token)
        try:
            return await self._ask_to_delete(deletion, await self._token())
        except Unauthorised as exc:
            self._refused = exc
            raise

    async def _ask_to_delete(self, deletion: _Deletion, token: Token) -> Removal:
        assert_chooses(deletion.criteria, deletion.body)
        deletion.attempts += 1
        try:
            answered = await self._once(
                "DELETE",
                MESSAGES_PATH,
                deletion.body,
                {"Content-Type": "application/json", "Authorization": f"Bearer {token.text}"},
            )
            return read_removal(answered, contents=deletion.contents)
        except ProviderError as exc:
            deletion.lost += may_have_acted(exc)
            raise

    async def _token(self) -> Token:
        """Return the token in use, or a new one; of several callers one asks."""
        async with self._asking:
            if self._held is None or self._monotonic() >= self._held.until:
                token = read_token(
                    await self._once(
                        "POST", TOKEN_PATH, self._form, {"Content-Type": "application/x-www-form-urlencoded"}
                    )
                )
                usable = token.life - min(RENEWED_BEFORE, token.life / 2)
                self._held = _Held(token, self._monotonic() + usable)
            return self._held.token

    def _forget(self, token: Token) -> None:
        if self._held is not None and self._held.token is token:
            self._held = None

    async def _once(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Make one request, and return the body of a 200."""
        async with self._places:
            if self._refused:
                raise self._refused  # not one more request
            return await self._answered(method, path, self._as_sent(method, path, body, headers))

    async def _answered(self, method: str, path: str, request: httpx.Request) -> bytes:
        started, deadline, status = time.perf_counter(), self._timeouts["read"] * _WHOLE_ANSWER, None
        self.requests += 1
        try:
            async with (
                asyncio.timeout(deadline),
                aclosing(await self._http.handle_async_request(request)) as response,
            ):
                status = response.status_code
                answered = await _bounded(response, path)
        except TimeoutError as exc:
            raise Unreachable(
                f"2SMS's answer to {path} was not whole within {deadline:.0f} s.",
                hint="Run it again later.",
                status=status,
            ) from exc
        except httpx.TransportError as exc:
            host = self._base_url.netloc.decode()
            raise unreachable_at(host, exc, self._timeouts, setting="SMS_ETL_TWOSMS_BASE_URL") from exc
        finally:
            ms = round((time.perf_counter() - started) * 1000)
            _log.debug("%s %s of 2SMS: %s in %d ms.", method, path, status or "no answer", ms)
        if status == httpx.codes.OK:
            return answered
        error = error_for(status, path, response.headers)
        if isinstance(error, AccountNotActive) or (isinstance(error, Unauthorised) and path == TOKEN_PATH):
            self._refused = error
        raise error

    def _as_sent(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> httpx.Request:
        target = self._base_url.path.rstrip("/") + path
        return httpx.Request(
            method,
            self._base_url,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Connection": "close",
                "User-Agent": f"sms_etl/{__version__}",
                **headers,
            },
            content=body,
            extensions={"target": target.encode("ascii"), "timeout": self._timeouts},
        )


def may_have_acted(error: ProviderError) -> bool:
    """Return whether a deletion may have been carried out though it failed with an error."""
    is_open = isinstance(error, (Unreachable, Unavailable, BadAnswer)) and not isinstance(error, NotSent)
    return is_open or error.status == httpx.codes.REQUEST_TIMEOUT


async def _bounded(response: httpx.Response, path: str) -> bytes:
    body = bytearray()
    chunks: AsyncIterable[bytes] = response.stream  # type: ignore[assignment]  # of an asynchronous transport
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadAnswer(
                f"2SMS's answer to {path} is larger than {MAX_BODY_BYTES // 1024**2} MiB.",
                hint="Something on the way may change answers: check proxies and SMS_ETL_TWOSMS_BASE_URL.",
                status=response.status_code,
            )
    return bytes(body)
