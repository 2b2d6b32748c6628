"""Control calls under `/_sandbox/`: move the clock, ask for the truth, change how the sandbox behaves.

No credentials: they are answered on the loopback address only, and to no page of another site (`SameOrigin`).
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.control.guard import CONTROL_PATH
from sms_etl.sandbox.control.switches import switches_from
from sms_etl.sandbox.life.insertion import message_from
from sms_etl.sandbox.life.lifecycle import Message, Row, message_row, price_at
from sms_etl.sandbox.lox24.answers import ND_JSON, answer, json_lines, problem
from sms_etl.sandbox.lox24.bulks import BulksApi
from sms_etl.sandbox.lox24.filters import Query
from sms_etl.sandbox.storage.state import ACCOUNT_ID, SandboxState
from sms_etl.sandbox.twosms.store import message_of
from sms_etl.web.loopback import is_loopback, is_loopback_host

_ALL_OLDEST_FIRST = Query((), (("created_at", False),), 1)
Call = Callable[[Any], Awaitable[Any] | Any]


class ControlApi:
    """The control calls, over one sandbox's state."""

    def __init__(self, state: SandboxState, bulks: BulksApi) -> None:
        self._state = state
        self._bulks = bulks

    def routes(self) -> list[Route]:
        """Return the routes; each answers JSON, and 422 with what is wrong."""
        calls: Mapping[tuple[str, str], Call] = {
            ("GET", "clock"): lambda _: {"now": self._state.now()},
            ("POST", "clock"): self._move_clock,
            ("GET", "truth"): lambda _: self._truth(),
            ("GET", "truth/sms"): lambda _: self._truth_messages(),
            ("GET", "truth/bulks"): lambda _: self._truth_bulks(),
            ("GET", "truth/twosms"): lambda _: self._state.twosms.messages(),
            ("POST", "twosms/messages"): self._insert_twosms,
            ("GET", "requests"): lambda _: [asdict(request) for request in self._state.requests],
            ("DELETE", "requests"): lambda _: self._state.requests.clear(),
            ("GET", "switches"): lambda _: asdict(self._state.switches),
            ("POST", "switches"): self._set_switches,
            ("POST", "webhooks"): self._set_webhook,
            ("POST", "webhooks/deliver"): lambda _: self.deliver_webhooks(),
            ("POST", "messages"): self._insert,
            ("POST", "messages/delete"): self._delete,
        }
        return [
            Route(f"{CONTROL_PATH}/{path}", _endpoint(call), methods=[method])
            for (method, path), call in calls.items()
        ]

    def _move_clock(self, body: Mapping[str, Any]) -> Row:
        if set(body) == {"advance_seconds"}:
            self._state.move_clock(self._state.now() + int(body["advance_seconds"]))
        elif set(body) == {"now"}:
            self._state.move_clock(int(body["now"]))
        else:
            raise ValueError('give {"advance_seconds": n} or {"now": unix seconds}')
        return {"now": self._state.now()}

    def _messages(self) -> list[Message]:
        state = self._state
        return list(state.store.matching_messages(_ALL_OLDEST_FIRST, state.now(), state.switches))

    def _truth(self) -> Row:
        messages, now = self._messages(), self._state.now()
        prices = [price_at(message, now, self._state.switches) for message in messages]
        total = sum((Decimal(price) for price in prices if price != "null"), Decimal(0))
        return {
            "now": now,
            "account_id": ACCOUNT_ID,
            "currency": self._state.switches.currency,
            "messages": len(messages),
            "price_sum": format(total, "f"),
            "bulks": len(self._truth_bulks()),
        }

    def _truth_messages(self) -> list[Row]:
        now, switches = self._state.now(), self._state.switches
        return [message_row(message, now, switches) for message in self._messages()]

    def _truth_bulks(self) -> list[Row]:
        now = self._state.now()
        found = self._state.store.matching_bulks(_ALL_OLDEST_FIRST, now, self._state.switches)
        return [self._bulks.row(bulk) for bulk in found]

    def _set_switches(self, body: Mapping[str, Any]) -> Row:
        self._state.set_switches(switches_from(dict(body), base=self._state.switches))
        return asdict(self._state.switches)

    def _set_webhook(self, body: Mapping[str, Any]) -> Row:
        url = body["url"]
        if url is not None and not (str(url).startswith(("http://", "https://")) and is_loopback(str(url))):
            raise ValueError("url: give an http address of this machine, or null")
        self._state.webhooks.send_to(url, self._state.now())
        return {"url": url}

    async def deliver_webhooks(self) -> Row:
        """Send the events that are due, and say what came of it."""
        state = self._state
        delivery = await state.webhooks.deliver(state.store.all_messages(), state.now(), state.switches)
        state.keep()
        return asdict(delivery)

    def _insert(self, body: list[Row] | Row) -> list[str]:
        given = body if isinstance(body, list) else [body]
        store, now = self._state.store, self._state.now()
        messages = [message_from(fields, store.next_number(), now) for fields in given]
        store.put_messages(messages)
        return [message.uuid for message in messages]

    def _insert_twosms(self, body: list[Row] | Row) -> list[str]:
        given = body if isinstance(body, list) else [body]
        messages = [message_of(fields, self._state.now()) for fields in given]
        self._state.twosms.put(messages)
        self._state.keep()
        return [message.id for message in messages]

    def _delete(self, body: Mapping[str, Any]) -> Row:
        uuids = set(body["uuids"])
        going = [message for message in self._state.store.all_messages() if message.uuid in uuids]
        self._state.store.delete_messages(going, self._state.now())
        return {"deleted": len(going)}


def _endpoint(call: Call) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not request.client or not is_loopback_host(request.client.host):
            return problem(403, "Control calls are answered on the loopback address only.")
        try:
            body = json.loads(await request.body() or b"{}", parse_float=Decimal)
            result = call(body)
            result = await result if isinstance(result, Awaitable) else result
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as exc:
            return problem(422, f"{type(exc).__name__}: {exc}")
        if isinstance(result, list) and ND_JSON in request.headers.get("accept", ""):
            return Response(json_lines(result), media_type=ND_JSON)
        return answer(result)

    return endpoint
