"""A small HTTP/1.1 server on this machine that answers as a test tells it to, byte by byte if need be."""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import parse_qsl, urlsplit


def id_of(name: object) -> str:
    """Return a request id as the provider gives them: 32 letters and digits, beginning with a name."""
    return str(name).ljust(32, "0")


@dataclass(frozen=True)
class Reply:
    """What is answered to one request."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent instead of all that, and the connection closed."""
    is_reset: bool = False
    """Break the connection off instead."""
    is_silent: bool = False
    """Answer nothing, and keep the connection."""
    seconds: float = 0
    """Wait before the answer."""


@dataclass(frozen=True)
class Request:
    """What a client sent; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


class Provider:
    """The server: answers `replies` one after the other, and `otherwise` when they are used up."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.otherwise = Reply()
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.url = ""
        self._at_once = 0
        self._over = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Provider"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self._over.set()
            server.close()
            await asyncio.gather(*self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._connections.add(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = _request(await reader.readuntil(b"\r\n\r\n"))
                if length := int(request.headers.get("content-length", 0)):
                    request = replace(request, body=await reader.readexactly(length))
                if not await self._answer(request, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(request)
        reply = self.replies.popleft() if self.replies else self.otherwise
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(reply.seconds)
        self._at_once -= 1
        if reply.is_silent:
            await self._over.wait()
            return False
        if reply.is_reset:
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            return False
        writer.write(_head(reply) + reply.body if reply.raw is None else reply.raw)
        await writer.drain()
        return reply.raw is None


def _head(reply: Reply) -> bytes:
    known = HTTPStatus.__members__.values()
    phrase = next((status.phrase for status in known if status == reply.status), "Unheard Of")
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _request(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Request(method, target, {name.lower(): value for name, value in headers.items()})
