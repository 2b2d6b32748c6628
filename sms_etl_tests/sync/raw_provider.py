"""A provider on this machine whose rows are bytes: what it stores a row under and what it answers may differ.

It knows `GET /me`, `GET /sms` by time, by uuid and by page, `GET /sms/{uuid}`, and an account without bulks.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sms_etl_tests.providers.lox24.rows import ROW
from sms_etl_tests.providers.lox24.server import Provider, Reply, Request

BEGINNING = 1_767_225_600
"""Of the account: the second of its first row."""
_ACCOUNT = b'{"id": 4711, "currency": "EUR"}'
_KNOWN = {"created_at", "uuid", "page", "_order"}


def uuid_of(number: int) -> str:
    """Return the uuid of the n-th row."""
    return f"00000000-0000-4000-8000-{number:012d}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as the provider finds it, and as it answers it."""

    second: int
    uuid: str
    body: bytes

    def answering(self, body: bytes) -> "Stored":
        """Return the same row, answered otherwise."""
        return Stored(self.second, self.uuid, body)


def row(number: int, second: int | None = None, **literals: str) -> Stored:
    """Return a good row; of some fields the JSON is given."""
    at = BEGINNING + number if second is None else second
    fields = {name: json.dumps(value) for name, value in ROW.items()}
    fields |= {"uuid": f'"{uuid_of(number)}"', "created_at": str(at), "price": "0.056", "status_code": "100"}
    fields |= {"dlr_code": "1", "is_sent": "true"} | literals
    body = ",".join(f'"{name}":{literal}' for name, literal in fields.items())
    return Stored(at, uuid_of(number), b"{%b}" % body.encode(errors="surrogateescape"))


@dataclass
class RawProvider(Provider):
    """The server; use `running_raw_provider`."""

    rows: Sequence[Stored] = ()
    page_size: int = 10
    shown_total: Callable[[int], str] = field(default=str)
    """Writes a total."""
    added: Callable[[Sequence[Stored], Sequence[tuple[str, str]]], Sequence[bytes]] = field(
        default=lambda _page, _query: ()
    )
    """Answers rows beside those of a page."""
    listed: Callable[[Sequence[Stored]], Sequence[Stored]] = field(default=lambda found: found)
    """Changes what is listed, before it is cut into pages."""
    is_time_obeyed: bool = True
    last_page: int | None = None
    """Is answered for every page behind it."""

    is_stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.replies.append(self._reply(request))
        return await super()._answer(request, writer)

    def _reply(self, request: Request) -> Reply:
        path = urlsplit(request.target).path
        if path == "/me":
            return Reply(body=_ACCOUNT)
        if path == "/bulks":
            return Reply(body=b'{"hydra:member":[],"hydra:totalItems":0}')
        if path != "/sms":
            alone = [each.body for each in self.rows if path == f"/sms/{each.uuid}"]
            return Reply(body=alone[0]) if alone else Reply(404)
        if {name.partition("[")[0] for name, _ in request.query} - _KNOWN:
            return Reply(400)
        return Reply(body=self._listing(request.query))

    def _listing(self, query: Sequence[tuple[str, str]]) -> bytes:
        asked = dict(query)
        uuids = {value for name, value in query if name == "uuid[]"}
        since, until = int(asked.get("created_at[gte]", 0)), int(asked.get("created_at[lte]", 2**62))
        found = sorted(
            (
                each
                for each in self.rows
                if (since <= each.second <= until or not self.is_time_obeyed)
                and (not uuids or each.uuid in uuids)
            ),
            key=lambda each: each.second,
        )
        found = list(self.listed(found))
        if asked.get("_order[created_at]") == "desc":
            found.reverse()
        number = min(int(asked["page"]), self.last_page or 2**62)
        page = found[(number - 1) * self.page_size : number * self.page_size]
        members = b",".join([*(each.body for each in page), *self.added(page, query)])
        return b'{"hydra:member":[%b],"hydra:totalItems":%b}' % (
            members,
            self.shown_total(len(found)).encode(),
        )


@contextmanager
def running_raw_provider() -> Iterator[RawProvider]:
    """Serve a provider in a thread while the block runs."""
    provider = RawProvider()
    loop = asyncio.new_event_loop()
    is_up = threading.Event()

    async def serve() -> None:
        async with provider.running():
            is_up.set()
            await provider.is_stopped.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert is_up.wait(30), "the provider does not start"
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(provider.is_stopped.set)
        thread.join(30)
        loop.close()
