"""A provider that costs next to nothing: `GET /sms` pages cut from one buffer of rows that are already JSON.

It answers what a sync asks for (provider's reference: `GET /me`, `/sms`, `/sms/{uuid}`, `/bulks`) and
refuses any other filter with 400, so that nothing is measured that was not asked for. It keeps no token and
no access log. `/_bench/...` is for the benchmark: what time brings, how it answers, what it was asked.

    python -m benchmarks.page_server --rows 1000000 --page-size 100 --latency-ms 0 --port 8030
"""

import argparse
import asyncio
import json
import signal
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

from benchmarks.traffic import EncodedRows, encoded_rows, may_be_open

STEP = 5_000
"""So many of the newest messages can await their report at the start."""
Buffers = Sequence[bytes | memoryview]
_HTTP = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nX-LOX24-REQUEST-ID: %x\r\nContent-Length: %d\r\n\r\n"
_ORDERS = {"_order[created_at]", "_order[processed_at]"}


class _RefusedError(Exception):
    """The provider does not know this, or this server does not."""


@dataclass
class PageServer:
    """What it shows, and how.

    Args:
        rows: All messages there will ever be.
        visible: So many of them exist by now.
        page_size: Rows a page.
        latency: Seconds before each answer.
    """

    rows: EncodedRows
    visible: int
    page_size: int = 100
    latency: float = 0.0
    is_opening: bool = False
    """Whether two in five of the newest messages still await their report; advance() brings it."""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by kind: me, page, uuids, single, bulks, refused."""

    def __post_init__(self) -> None:
        self._text = memoryview(self.rows.text)
        self._bounds_of: dict[tuple[int, int], tuple[int, int]] = {}
        self._held: dict[int, int] = {}
        self._open_newest(STEP)

    def answer(self, method: str, path: str, query: str) -> tuple[int, Buffers]:
        """Answer one request: status and body."""
        try:
            if path.startswith("/_bench/"):
                return 200, [json.dumps(self._bench(path, dict(parse_qsl(query)))).encode()]
            if method != "GET":
                raise _RefusedError(method)
            return self._provider(path, query)
        except (_RefusedError, ValueError) as exc:
            self.asked["refused"] += 1
            return 400, [json.dumps({"title": "Bad Request", "detail": str(exc)}).encode()]

    def _provider(self, path: str, query: str) -> tuple[int, Buffers]:
        if path == "/sms":
            return 200, self._listing(query)
        if path.startswith("/sms/"):
            self.asked["single"] += 1
            index = self._index(path[5:])
            return (
                (404, [b'{"title":"Not Found"}']) if index is None else (200, [self._slice(index, index + 1)])
            )
        if path == "/me":
            self.asked["me"] += 1
            return 200, [b'{"id":4711,"currency":"EUR","balance_amount":1000,"services":["direct"]}']
        if path == "/bulks":
            self.asked["bulks"] += 1
            return 200, _hydra(path, query, [], 0, 1, 1)
        raise _RefusedError(path)

    def _listing(self, query: str) -> Buffers:
        since, until, page = 0, 2**62, 1
        uuids: list[str] = []
        for name, value in parse_qsl(query, keep_blank_values=True):
            match name:
                case "created_at[gte]":
                    since = max(since, int(value))
                case "created_at[gt]":
                    since = max(since, int(value) + 1)
                case "created_at[lte]":
                    until = min(until, int(value))
                case "created_at[lt]":
                    until = min(until, int(value) - 1)
                case "page":
                    page = int(value)
                case "uuid[]" | "uuid":
                    uuids.append(value)
                case _ if name in _ORDERS and value == "asc":
                    pass
                case _:
                    raise _RefusedError(f"{name}={value}")
        if uuids:
            self.asked["uuids"] += 1
            return self._by_uuid(query, uuids, since, until, page)
        self.asked["page"] += 1
        low, high = self._bounds(since, until)
        start = min(low + (page - 1) * self.page_size, high)
        end = min(start + self.page_size, high)
        last = max(1, -(-(high - low) // self.page_size))
        return _hydra("/sms", query, [self._slice(start, end)], high - low, page, last)

    def _by_uuid(self, query: str, uuids: Sequence[str], since: int, until: int, page: int) -> Buffers:
        found = {self._index(uuid) for uuid in uuids}
        times = self.rows.created_at
        indices = sorted(index for index in found if index is not None and since <= times[index] <= until)
        shown = indices[(page - 1) * self.page_size : page * self.page_size]
        members: list[bytes | memoryview] = []
        for index in shown:
            members += [self._slice(index, index + 1), b","]
        last = max(1, -(-len(indices) // self.page_size))
        return _hydra("/sms", query, members[:-1], len(indices), page, last)

    def _bounds(self, since: int, until: int) -> tuple[int, int]:
        """Find a window's rows; remembered, as each of its pages asks for it."""
        found = self._bounds_of.get((since, until))
        if found is None:
            times = self.rows.created_at
            low = bisect_left(times, since, 0, self.visible)
            found = low, max(low, bisect_right(times, until, 0, self.visible))
            self._bounds_of[since, until] = found
        return found

    def _index(self, uuid: str) -> int | None:
        index = self.rows.index_of(uuid.lower())
        return index if index is not None and index < self.visible else None

    def _slice(self, start: int, end: int) -> memoryview:
        """Return rows as they lie in the buffer, without the comma behind the last one."""
        offsets = self.rows.offsets
        return self._text[offsets[start] : max(offsets[start], offsets[end] - 1)]

    def _bench(self, path: str, options: Mapping[str, str]) -> dict[str, Any]:
        match path:
            case "/_bench/advance":
                self.advance(int(options["new"]), is_reporting=not int(options.get("keep", 0)))
            case "/_bench/hold":
                self.hold_report(self.visible - 1 - int(options["back"]))
            case "/_bench/set":
                self._set(options)
            case "/_bench/asked":
                pass
            case _:
                raise _RefusedError(path)
        asked = dict(self.asked)
        self.asked.clear()
        newest = self.rows.created_at[self.visible - 1] if self.visible else 0
        oldest = self.rows.created_at[0]
        return {
            "asked": asked,
            "visible": self.visible,
            "oldest": oldest,
            "newest": newest,
            "open": len(self._held),
        }

    def _set(self, options: Mapping[str, str]) -> None:
        self.page_size = int(options.get("page_size", self.page_size))
        self.latency = float(options.get("latency_ms", self.latency * 1000)) / 1000
        if "visible" in options:
            self.visible = min(int(options["visible"]), len(self.rows))
            self._bounds_of.clear()
        if "open" in options:
            self.is_opening = bool(int(options["open"]))
            self._open_newest(STEP)

    def advance(self, new: int, *, is_reporting: bool = True) -> None:
        """Let time pass: so many new messages are there, and every report that was awaited (unless kept)."""
        if is_reporting:
            for place, digit in self._held.items():
                self.rows.text[place] = digit
            self._held.clear()
        self._bounds_of.clear()
        self.visible = min(self.visible + new, len(self.rows))
        self._open_newest(new)

    def hold_report(self, index: int) -> None:
        """Show a message without its report until advance() brings it; its code has one digit."""
        text = self.rows.text
        place = text.index(b'"dlr_code":', self.rows.offsets[index]) + len(b'"dlr_code":')
        self._held.setdefault(place, text[place])
        text[place] = ord("0")

    def _open_newest(self, count: int) -> None:
        if self.is_opening:
            for index in range(max(0, self.visible - count), self.visible):
                if may_be_open(index + self.rows.first):
                    self.hold_report(index)


def _hydra(path: str, query: str, members: Buffers, total: int, page: int, last: int) -> Buffers:
    filters = "".join(f"{part}&" for part in query.split("&") if part and not part.startswith("page="))
    address = f"{path}?{filters}page="
    view: dict[str, str] = {
        "@id": f"{address}{page}",
        "hydra:first": f"{address}1",
        "hydra:last": f"{address}{last}",
    }
    if page > 1:
        view["hydra:previous"] = f"{address}{page - 1}"
    if page < last:
        view["hydra:next"] = f"{address}{page + 1}"
    head = f'{{"@context":"/contexts{path}","@id":"{path}","@type":"hydra:Collection","hydra:member":['
    tail = f'],"hydra:totalItems":{total},"hydra:view":{json.dumps(view)}}}'
    return [head.encode(), *members, tail.encode()]


class _Connection(asyncio.Protocol):
    """One keep-alive connection; a request is a request line and headers, as a body is never needed."""

    def __init__(self, server: PageServer) -> None:
        self._server = server
        self._received = b""
        self._number = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            line = self._received[: self._received.index(b"\r\n")].decode("latin-1")
            self._received = self._received[end + 4 :]
            method, target, _ = line.split(" ", 2)
            path, _, query = target.partition("?")
            delay = 0.0 if path.startswith("/_bench/") else self._server.latency
            status, body = self._server.answer(method, path, query)
            if delay:
                asyncio.get_running_loop().call_later(delay, self._write, status, body)
            else:
                self._write(status, body)

    def _write(self, status: int, body: Buffers) -> None:
        self._number += 1
        if self._transport is None or self._transport.is_closing():
            return
        reason = {200: b"200 OK", 404: b"404 Not Found"}.get(status, b"400 Bad Request")
        head = _HTTP % (
            reason,
            b"application/ld+json",
            id(self) + self._number,
            sum(len(part) for part in body),
        )
        self._transport.writelines([head, *body])


async def serve(server: PageServer, *, port: int = 0) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0 takes a free one."""
    return await asyncio.get_running_loop().create_server(lambda: _Connection(server), "127.0.0.1", port)


async def _run(options: argparse.Namespace) -> None:
    rows = encoded_rows(options.first, options.rows + options.later)
    server = PageServer(rows, options.rows, options.page_size, options.latency_ms / 1000)
    listening = await serve(server, port=options.port)
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    print(json.dumps({"url": url, "newest": rows.created_at[options.rows - 1]}), flush=True)
    await stopped.wait()
    listening.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first message")
    parser.add_argument("--later", type=int, default=0, help="messages that /_bench/advance can bring")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    try:
        import uvloop  # noqa: PLC0415 - comes with uvicorn; without it a page costs more
    except ImportError:
        asyncio.run(_run(options))
    else:
        uvloop.run(_run(options))


if __name__ == "__main__":
    main()
