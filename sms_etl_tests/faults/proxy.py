"""A reverse proxy on this machine that stands before the sandbox and goes wrong where it is told to.

Real sockets, one thread with an event loop of its own. Whether a request is spoilt depends on the seed, the
request and how often it was asked, not on the order in which concurrent requests happen to arrive.
"""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    run: int
    """Which run made it: how often `begin` was called before."""
    target: str
    times: int
    """How often it was asked before, in any run."""
    head: str
    body: bytes = b""

    @property
    def method(self) -> str:
        return self.head.partition(" ")[0]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """What was asked; of a repeated name the last value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(slots=True)
class Exchange:
    """What a fault has to go wrong with."""

    asked: Asked
    writer: asyncio.StreamWriter
    upstream: Callable[[], Awaitable[tuple[bytes, bytes]]]
    """Asks the sandbox and gives head and body of its answer."""
    elsewhere: str
    """Address of another host."""
    client_left: Callable[[], Awaitable[None]]
    """Waits until the client or the test has had enough."""
    rng: random.Random

    async def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bool:
        """Answer, and say that the connection can be kept."""
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.writer.write("\r\n".join(lines).encode() + HEAD_END + body)
        await self.writer.drain()
        return True


Act = Callable[[Exchange], Awaitable[bool]]
"""Answers an exchange in its own way; gives whether the connection is kept."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong."""

    name: str
    act: Act


Plan = Callable[[Asked], Fault | None]


def nothing(_: Asked) -> None:
    """Plan no fault."""


def one_in_five(fault: Fault, seed: int) -> Plan:
    """Spoil a fifth of all requests, the same ones for the same seed."""

    def plan(asked: Asked) -> Fault | None:
        return fault if _rng(f"{fault.name} {seed}", asked).random() < 0.2 else None

    return plan


@dataclass
class FaultyProxy:
    """The proxy; use `running_proxy`."""

    upstream: str
    url: str = ""
    elsewhere: str = ""
    plan: Plan = nothing
    before: Callable[[Asked], None] | None = None
    """Called, outside the event loop, before a request goes on to the sandbox."""
    keeps_connections: bool = True
    asked: list[Asked] = field(default_factory=list)
    spoilt: list[Asked] = field(default_factory=list)
    arrived_elsewhere: list[str] = field(default_factory=list)
    """Heads of the requests that came to the other host."""
    run: int = 0

    def begin(self, plan: Plan = nothing) -> None:
        """Begin a run, with a plan of its own."""
        self.run += 1
        self.plan = plan

    def asked_in_this_run(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.run == self.run]

    async def _serve(self, is_up: threading.Event, over: asyncio.Event) -> None:
        self._over = over
        self._times: Counter[str] = Counter()
        self._talks: set[asyncio.Task[None]] = set()
        front = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        other = await asyncio.start_server(self._other_host, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"
        self.elsewhere = f"http://localhost:{other.sockets[0].getsockname()[1]}"
        is_up.set()
        await over.wait()
        front.close()
        other.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.sleep(0.01)  # closed transports let go of their sockets in the next turn of the loop

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _other_host(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.arrived_elsewhere.append((await reader.readuntil(HEAD_END)).decode("latin-1"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            self.arrived_elsewhere.append("a connection without a request")
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            is_kept = True
            while is_kept:
                first = await reader.readexactly(1)
                if not first.isalpha():  # TLS, where none is spoken
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0" + HEAD_END)
                    return
                head = (first + await reader.readuntil(HEAD_END)).decode("latin-1")
                is_kept = await self._answer(head, reader, writer) and self.keeps_connections
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed, or was killed
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        target = head.split(" ", 2)[1]
        length = re.search(r"(?i)\r\ncontent-length: ([0-9]+)", head)
        sent = await reader.readexactly(int(length[1])) if length else b""
        asked = Asked(self.run, target, self._times[target], head, sent)
        self._times[target] += 1
        self.asked.append(asked)
        fault = self.plan(asked)

        async def upstream() -> tuple[bytes, bytes]:
            if self.before:
                await asyncio.to_thread(self.before, asked)
            return await self._ask_upstream(head, sent)

        async def client_left() -> None:
            over, left = asyncio.create_task(self._over.wait()), asyncio.create_task(reader.read())
            _, waiting = await asyncio.wait((over, left), return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

        if fault:
            self.spoilt.append(asked)
            rng = _rng(fault.name, asked)
            return await fault.act(Exchange(asked, writer, upstream, self.elsewhere, client_left, rng))
        answer_head, body = await upstream()
        writer.write(answer_head + body)
        await writer.drain()
        return True

    async def _ask_upstream(self, head: str, sent: bytes) -> tuple[bytes, bytes]:
        address = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            others = re.sub(r"(?i)\r\nconnection: [^\r]*", "", head)  # not every client sends one
            ours = others.removesuffix("\r\n").encode("latin-1") + b"Connection: close" + HEAD_END
            writer.write(ours + sent)
            answer = await reader.read()  # to the end: the sandbox closes after it
        finally:
            writer.close()
        answer_head, _, body = answer.partition(HEAD_END)
        kept = "keep-alive" if self.keeps_connections else "close"
        answer_head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"\r\nConnection: " + kept.encode(), answer_head)
        return answer_head + HEAD_END, body


def _rng(seed: str, asked: Asked) -> random.Random:
    return random.Random(f"{seed} {asked.target} {asked.times}")


@contextmanager
def running_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Serve a proxy in a thread while the block runs.

    Args:
        upstream: Address of the sandbox.
    """
    proxy = FaultyProxy(upstream)
    is_up = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    def serve() -> None:
        try:
            loop.run_until_complete(proxy._serve(is_up, over))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert is_up.wait(30), "the proxy does not start"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
