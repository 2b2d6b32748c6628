"""A stand-in for LOX24 whose rows and pages are raw bytes, so that they can be as bad as bytes can be.

Each row has a truth, as documented, by which it is filtered, sorted and found. While the stand-in is poisoned
it shows other bytes in the place of some rows, and other answers in the place of some pages; once it is
healed it shows the truth. Real sockets, one thread with an event loop of its own.
"""

import asyncio
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sms_etl_tests.providers.lox24.server import Reply

TOKEN = "4711:a-key-of-the-stand-in"
MOST_REQUESTS = 6_000
"""A client that asks for more in one run is refused, so that no test runs for ever."""
_LD_JSON = {"Content-Type": "application/ld+json; charset=utf-8"}
_BOUNDS = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}
_PARTIAL = {"text", "sender_id", "phone", "ip"}
_encode = msgspec.json.Encoder(decimal_format="number").encode

Row = dict[str, Any]


def written(row: Mapping[str, Any]) -> bytes:
    """Write a row as the provider does; a Decimal becomes a number of the same digits."""
    return _encode(row)


@dataclass
class Planted:
    """A row of the provider: what is true, and what is shown while it is poisoned."""

    truth: Row
    shown: tuple[bytes, ...] | None = None
    """Instead of the row, in its place of the listing; None: the row itself."""

    def rows(self, *, is_poisoned: bool) -> tuple[bytes, ...]:
        return self.shown if is_poisoned and self.shown is not None else (written(self.truth),)


@dataclass(frozen=True)
class Listing:
    """One page of a listing, as it would be answered."""

    path: str
    query: Sequence[tuple[str, str]]
    number: int
    planted: Sequence[Planted]
    """What the rows belong to, one for one."""
    rows: Sequence[bytes]
    total: int
    has_next: bool

    def body(self, *, rows: Sequence[bytes] | None = None, total: bytes | None = None) -> bytes:
        """Write it as hydra, with other rows or another total; an empty total is left out."""
        here = f"{self.path}?page={self.number}"
        next_page = f',"hydra:next":"{self.path}?page={self.number + 1}"' if self.has_next else ""
        counted = b"%d" % self.total if total is None else total
        return b'{"@context":"/contexts/x","@type":"hydra:Collection","hydra:member":[%b],%b%b}' % (
            b",".join(self.rows if rows is None else rows),
            b'"hydra:totalItems":%b,' % counted if counted else b"",
            f'"hydra:view":{{"@id":"{here}","@type":"hydra:PartialCollectionView"{next_page}}}'.encode(),
        )

    def reply(
        self, body: bytes | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Answer a body with other headers; `content_type` stands for `Content-Type`."""
        changed = {name.replace("_", "-").title(): value for name, value in (headers or {}).items()}
        return Reply(status, self.body() if body is None else body, {**_LD_JSON, **changed})


Spoil = Callable[[Listing], Reply | None]
"""Answers a page otherwise; None: this page is as it is."""


@dataclass
class StandIn:
    """The provider; use `running_stand_in`."""

    messages: list[Planted] = field(default_factory=list)
    bulks: list[Planted] = field(default_factory=list)
    page_size: int = 10
    is_poisoned: bool = False
    spoil: Spoil | None = None
    replies: dict[str, Reply] = field(default_factory=dict)
    """By path: what is answered while it is poisoned, whatever is asked."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer while it is poisoned."""
    requests: list[str] = field(default_factory=list)
    """Targets, in the order they came, since the last `begin`."""
    url: str = ""

    def begin(self, *, is_poisoned: bool) -> None:
        """Begin a run."""
        self.is_poisoned = is_poisoned
        self.requests.clear()

    def truth(self) -> list[Row]:
        """Return the messages as they are, and as the provider shows them once it is healed."""
        return [planted.truth for planted in self.messages]

    def answer(self, target: str) -> Reply:
        """Answer a request."""
        self.requests.append(target)
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if len(self.requests) > MOST_REQUESTS:
            return Reply(401)
        if self.is_poisoned and parts.path in self.replies:
            return self.replies[parts.path]
        if parts.path == "/me":
            return Reply(200, b'{"id":4711,"currency":"EUR"}', _LD_JSON)
        for path, planted in (("/sms", self.messages), ("/bulks", self.bulks)):
            if parts.path == path:
                return self._listing(path, planted, query)
            if parts.path.startswith(f"{path}/"):
                return self._single(planted, parts.path.removeprefix(f"{path}/"))
        return Reply(404)

    def _listing(self, path: str, planted: Sequence[Planted], query: Sequence[tuple[str, str]]) -> Reply:
        found = _ordered([each for each in planted if _matches(each.truth, query)], query)
        rows = [(each, row) for each in found for row in each.rows(is_poisoned=self.is_poisoned)]
        number = int(dict(query).get("page", "1"))
        end = number * self.page_size
        page = rows[end - self.page_size : end]
        listing = Listing(
            path,
            query,
            number,
            [each for each, _ in page],
            [row for _, row in page],
            len(rows),
            has_next=end < len(rows),
        )
        spoilt = self.spoil(listing) if self.is_poisoned and self.spoil else None
        return spoilt or listing.reply()

    def _single(self, planted: Sequence[Planted], uuid: str) -> Reply:
        for each in planted:
            if each.truth["uuid"] == uuid:
                return Reply(200, each.rows(is_poisoned=self.is_poisoned)[0], _LD_JSON)
        return Reply(404, b'{"title":"Not Found"}', _LD_JSON)


def _ordered(found: list[Planted], query: Sequence[tuple[str, str]]) -> list[Planted]:
    for name, value in query:
        if name.startswith("_order["):
            key = name.removeprefix("_order[").removesuffix("]")
            return sorted(found, key=lambda each: each.truth[key] or 0, reverse=value == "desc")
    return found


def _matches(truth: Row, query: Sequence[tuple[str, str]]) -> bool:
    lists: dict[str, set[str]] = {}
    for name, value in query:
        if name.endswith("[]"):
            lists.setdefault(name.removesuffix("[]"), set()).add(value)
    return all(_as_text(truth.get(_field(name))) in values for name, values in lists.items()) and all(
        _is_met(truth, name, value) for name, value in query if not name.endswith("[]")
    )


def _field(name: str) -> str:
    return "bulk_id" if name == "bulk" else name


def _is_met(truth: Row, name: str, value: str) -> bool:
    if name == "page" or name.startswith("_order["):
        return True
    key, _, form = name.partition("[")
    has = truth.get(_field(key))
    if form:
        return has is not None and _BOUNDS[form.removesuffix("]")](has, int(value))
    if key in _PARTIAL:
        return value.lower() in str(has).lower()
    return _as_text(has) == value or (isinstance(has, bool) and value == str(int(has)))


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _head(reply: Reply, more: Mapping[str, str]) -> bytes:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers, **more}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _talk(stand_in: StandIn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            reply = stand_in.answer(head.split(" ", 2)[1])
            more = stand_in.headers if stand_in.is_poisoned else {}
            writer.write(_head(reply, more) + reply.body)
            await writer.drain()
            if reply.headers.get("Connection") == "close":
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has closed
    finally:
        writer.close()


async def _serve(stand_in: StandIn, is_up: threading.Event, over: asyncio.Event) -> None:
    talks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_talk(stand_in, reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    stand_in.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    is_up.set()
    await over.wait()
    server.close()
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    await asyncio.sleep(0.01)  # closed transports let go of their sockets in the next turn of the loop


@contextmanager
def running_stand_in(
    messages: Sequence[Planted], bulks: Sequence[Planted] = (), *, page_size: int = 10
) -> Iterator[StandIn]:
    """Serve a stand-in in a thread while the block runs."""
    stand_in = StandIn(list(messages), list(bulks), page_size)
    is_up, over, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    def serve() -> None:
        try:
            loop.run_until_complete(_serve(stand_in, is_up, over))
        finally:
            loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert is_up.wait(30), "the stand-in does not start"
    try:
        yield stand_in
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
