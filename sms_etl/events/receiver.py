"""Answers the provider's webhook: 2xx once an event is on the disk, and clear words for what is none.

A plain ASGI application: at five thousand events a second routing would cost as much as the rest. It never
logs a path, a header or a body, and counts what it answered.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from sms_etl.events.event import KeptEvent, NotAnEventError, NotJsonError, as_line, read_event
from sms_etl.events.together import NotStoredError, TogetherWriter
from sms_etl.web.admission import Network, is_within

_log = logging.getLogger(__name__)

PATH = "/lox24/"
"""The secret follows."""
MOST_BODY = 64 * 1024
"""Bytes of a body; an event has some four hundred."""
SECONDS_FOR_A_BODY = 10
RETRY_AFTER_SECONDS = 60
_TIDY_EVERY_SECONDS = 1.0
_COUNTS_EVERY_SECONDS = 60.0

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]


@dataclass
class Counts:
    """What was answered, by kind."""

    stored: int = 0
    ignored: int = 0
    """Events of a kind that is not kept."""
    refused: Counter[int] = field(default_factory=Counter)
    """By status."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        refused = {str(status): count for status, count in sorted(self.refused.items())}
        return {"stored": self.stored, "ignored": self.ignored, "refused": refused}

    def said(self) -> str:
        """Return it as a sentence."""
        refused = ", ".join(f"{count} with {status}" for status, count in sorted(self.refused.items()))
        return f"{self.stored} events stored, {self.ignored} ignored, refused: {refused or 'none'}."


@dataclass(frozen=True)
class Guard:
    """Who may send events."""

    secret: str
    allowed: Sequence[Network] = ()
    """Whence they may come; empty: from anywhere."""
    address_header: str | None = None
    """The header in which a proxy names the sender; None: whoever connects is the sender."""

    @property
    def path(self) -> bytes:
        """The only path there is."""
        return f"{PATH}{self.secret}".encode()

    def lets_in(self, scope: Scope) -> bool:
        """Return whether the sender's address may send events."""
        return not self.allowed or is_within(self._address(scope), self.allowed)

    def _address(self, scope: Scope) -> str | None:
        if self.address_header is None:
            client = scope.get("client")
            return client[0] if client else None
        name = self.address_header.lower().encode()
        values = [value for header, value in scope["headers"] if header == name]
        # A proxy adds the address it saw at the end; what stands before it is the sender's own word.
        return values[-1].decode("latin-1").rpartition(",")[2] if values else None


class Receiver:
    """The application.

    Args:
        guard: Who may send events.
        writer: Stores lines.
        close: Is called when all that was taken is stored.
        now: Gives the present moment in unix microseconds.
    """

    def __init__(
        self, guard: Guard, writer: TogetherWriter, close: Callable[[], None], now: Callable[[], int]
    ) -> None:
        self._guard = guard
        self._path = guard.path
        self._writer = writer
        self._close = close
        self._now = now
        self.counts = Counts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        status, headers, body = await self._answer(scope, receive)
        if status >= HTTPStatus.BAD_REQUEST:
            self.counts.refused[status] += 1
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        refused = self._refused(scope)
        if refused is not None:
            return refused
        body = await _body(scope, receive)
        event = self._event_in(body) if isinstance(body, bytes) else body
        if isinstance(event, KeptEvent):
            return await self._store(event)
        if event is None:
            self.counts.ignored += 1
            return _IGNORED
        return event

    def _refused(self, scope: Scope) -> Answer | None:
        # In constant time: how long it takes must not tell how much of the secret was right.
        if not compare_digest(scope["raw_path"], self._path):
            return _NOT_FOUND
        if not self._guard.lets_in(scope):
            return _FORBIDDEN
        return None if scope["method"] == "POST" else _NOT_ALLOWED

    def _event_in(self, body: bytes) -> KeptEvent | Answer | None:
        """Return the event, None for one that is not kept, or the refusal of what is none."""
        try:
            return read_event(body, self._now())
        except NotJsonError:
            return _NOT_JSON
        except NotAnEventError as exc:
            return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"This is no event: {exc}.")

    async def _store(self, event: KeptEvent) -> Answer:
        try:
            await self._writer.store(as_line(event))
        except NotStoredError as exc:
            _log.warning("Events cannot be stored: %s.", _why(exc))
            return _UNAVAILABLE
        self.counts.stored += 1
        return _STORED

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin and end with the server: what was taken is written before it is said to have ended."""
        await receive()
        self._writer.start(_TIDY_EVERY_SECONDS)
        telling = asyncio.get_running_loop().create_task(self._tell())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        telling.cancel()
        await self._writer.stop()
        self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tell(self) -> None:
        said = self.counts.said()
        while True:
            await asyncio.sleep(_COUNTS_EVERY_SECONDS)
            if said != (said := self.counts.said()):
                _log.info("Since the start: %s", said)


async def _body(scope: Scope, receive: Receive) -> bytes | Answer:
    """Return the body, or the refusal of one that is too long or does not come."""
    for name, value in scope["headers"]:
        if name == b"content-length" and len(value) < 20 and value.isdigit() and int(value) > MOST_BODY:
            return _TOO_LARGE
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body if len(body) <= MOST_BODY else _TOO_LARGE
    chunks = [body]
    size = len(body)
    try:
        async with asyncio.timeout(SECONDS_FOR_A_BODY):
            while message.get("more_body", False):
                message = await receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > MOST_BODY:
                    return _TOO_LARGE
    except TimeoutError:
        return _TOO_SLOW
    return b"".join(chunks)


_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


def _answer_of(status: HTTPStatus, values: Mapping[str, str], headers: Headers | None = None) -> Answer:
    body = msgspec.json.encode(values) + b"\n"
    length = (b"content-length", str(len(body)).encode())
    return status, [(b"content-type", b"application/json"), _NO_SNIFFING, length, *(headers or [])], body


def _refusal(status: HTTPStatus, says: str, headers: Headers | None = None) -> Answer:
    return _answer_of(status, {"error": says}, headers)


def _why(exc: NotStoredError) -> str:
    cause = exc.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__ if cause is not None else str(exc)


_CLOSING: Headers = [(b"connection", b"close")]
"""What else is sent of a body that is refused is not read."""
_STORED = _answer_of(HTTPStatus.OK, {"status": "stored"})
_IGNORED = _answer_of(HTTPStatus.OK, {"status": "ignored"})
_NOT_FOUND = _refusal(HTTPStatus.NOT_FOUND, "There is nothing here.")
_FORBIDDEN = _refusal(HTTPStatus.FORBIDDEN, "Events are not taken from this address: SMS_ETL_WEBHOOK_ALLOW.")
_NOT_ALLOWED = _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Events are sent here by POST.", [(b"allow", b"POST")])
_NOT_JSON = _refusal(HTTPStatus.BAD_REQUEST, "The body is no JSON object of an event.")
_TOO_LARGE = _refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"An event has at most {MOST_BODY} bytes.", _CLOSING
)
_TOO_SLOW = _refusal(HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time.", _CLOSING)
_UNAVAILABLE = _refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The event was not stored. Send it again later.",
    [(b"retry-after", str(RETRY_AFTER_SECONDS).encode())],
)
