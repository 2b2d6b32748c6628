"""What stands before the providers' endpoints: request ids, lengths, rates, credentials, auth block, log."""

import asyncio
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sms_etl.sandbox.lox24.answers import problem
from sms_etl.web.same_origin import SameOrigin

if TYPE_CHECKING:
    from sms_etl.sandbox.storage.state import SandboxState

AUTH_HEADER, REQUEST_ID_HEADER = "X-LOX24-AUTH-TOKEN", "X-LOX24-REQUEST-ID"
SANDBOX_HEADER = "X-SMS-ETL-SANDBOX"
"""On every answer: what is loaded from here is never taken for a real account's."""
CONTROL_PATH = "/_sandbox"
_BULKS_PATH = "/bulks"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_TWOSMS_PATHS = ("/Token", "/api/v1/")
_WRONG_TRIES, _TRIES_WITHIN_S, _BLOCKED_FOR_S = 3, 60, 600


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request to a provider's endpoint; the query as it stood in the address."""

    method: str
    path: str
    query: str
    status: int
    request_id: str


@dataclass(slots=True)
class Guard:
    """Who tried wrong credentials when, on the sandbox's clock, and who asked how often, in real time."""

    wrong_tries: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    blocked_until: dict[str, int] = field(default_factory=dict)
    recent: deque[float] = field(default_factory=deque)

    def is_blocked(self, ip: str, now: int) -> bool:
        """Say whether every request of an address is refused."""
        return self.blocked_until.get(ip, now) > now

    def note_wrong_try(self, ip: str, now: int) -> None:
        """Note a request with wrong credentials; one more than three within a minute blocks for ten."""
        tries = self.wrong_tries[ip]
        tries.append(now)
        while tries[0] <= now - _TRIES_WITHIN_S:
            tries.popleft()
        if len(tries) > _WRONG_TRIES:
            self.blocked_until[ip] = now + _BLOCKED_FOR_S
            tries.clear()

    def is_too_fast(self, limit: int, real_time: float) -> bool:
        """Say whether a request exceeds the limit within a second; one that does not is counted."""
        while self.recent and self.recent[0] <= real_time - 1:
            self.recent.popleft()
        if len(self.recent) >= limit:
            return True
        self.recent.append(real_time)
        return False


async def _unsent(_message: Message) -> None:
    """Take what the client never gets."""


class GuardMiddleware:
    """Lets a request through to the endpoints, or answers it.

    Args:
        app: The endpoints.
        state: The sandbox.
    """

    def __init__(self, app: ASGIApp, state: "SandboxState") -> None:
        self._app = app
        self._control = SameOrigin(app)
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PATH):
            await self._control(scope, receive, send)
            return
        request_id = uuid.uuid4().hex

        async def send_and_log(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                headers[SANDBOX_HEADER] = "1"
                self._log(scope, message["status"], request_id)
            await send(message)

        if self._state.switches.latency_ms:
            await asyncio.sleep(self._state.switches.latency_ms / 1000)
        refusal = self._refusal(scope) or await self._spoilt(scope, receive)
        await (refusal or self._app)(scope, receive, send_and_log)

    async def _spoilt(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer to a request that changes something, where it is not to have its own."""
        writes = self._state.switches.writes
        if writes == "answered" or scope["method"] in _READS or scope["path"].startswith(_TWOSMS_PATHS):
            return None
        if writes == "answer_lost":
            await self._app(scope, receive, _unsent)
            return problem(HTTPStatus.GATEWAY_TIMEOUT, "The answer came too late.")
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "It was not carried out.")

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not get through."""
        state, switches = self._state, self._state.switches
        if len(scope["raw_path"]) + 1 + len(scope["query_string"]) > switches.longest_url:
            return problem(HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long.")
        is_twosms = scope["path"].startswith(_TWOSMS_PATHS)
        ip = scope["client"][0] if scope["client"] else ""
        if not is_twosms and state.guard.is_blocked(ip, state.now()):
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests.")
        if switches.requests_per_second and state.guard.is_too_fast(
            switches.requests_per_second, state.monotonic()
        ):
            wait = switches.rate_limit_retry_after
            headers = {"Retry-After": str(wait)} if wait else None
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests.", headers=headers)
        return None if is_twosms else self._wrong_credentials(scope, ip)

    def _wrong_credentials(self, scope: Scope, ip: str) -> Response | None:
        state = self._state
        header = AUTH_HEADER.lower().encode()
        token = next((value for name, value in scope["headers"] if name == header), b"")
        if token == state.token.encode():
            if state.switches.is_activated:
                return self._forbidden(scope)
            return problem(HTTPStatus.FORBIDDEN, "The account is not activated.")
        state.guard.note_wrong_try(ip, state.now())
        if state.guard.is_blocked(ip, state.now()):
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests.")
        return problem(HTTPStatus.UNAUTHORIZED, "The key is wrong or inactive.")

    def _forbidden(self, scope: Scope) -> Response | None:
        if scope["path"].startswith(_BULKS_PATH) and self._state.switches.are_bulks_forbidden:
            return problem(HTTPStatus.FORBIDDEN, "The key may not do this.")
        return None

    def _log(self, scope: Scope, status: int, request_id: str) -> None:
        query = scope["query_string"].decode("latin-1")
        self._state.requests.append(LoggedRequest(scope["method"], scope["path"], query, status, request_id))
