"""LOX24's endpoints for bulks: list, one, status, create, dry run, cancel, delete."""

import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.life.lifecycle import (
    BULK_CANCELLED,
    BULK_IN_PROGRESS,
    BULK_NEW,
    BULK_NO_RECIPIENTS,
    BULK_PROCESSED,
    NEW,
    STARTS_AFTER_S,
    Bulk,
    BulkStep,
    Message,
    Row,
    bulk_row,
    price_literal,
    stop_message,
)
from sms_etl.sandbox.life.recipients import is_e164, recipients, to_e164
from sms_etl.sandbox.life.scenarios import Order, country_of, make_message, measured, new_uuid, price_of
from sms_etl.sandbox.life.traffic import SERVICES, VOICE_LANGS, VOICE_SERVICES
from sms_etl.sandbox.lox24.answers import collection, one, problem
from sms_etl.sandbox.lox24.filters import BULKS, read_query
from sms_etl.sandbox.storage.state import SandboxState

LONGEST_TEXT = 1785
API_KEY = 8999
"""Key of bulks that are created in this sandbox."""
_SENDER = re.compile(r"\+?[1-9][0-9]{0,14}|[A-Za-z0-9 ]{1,11}")
_ONLY_IN_FULL = ("phones", "msg_groups", "sender_id", "text")
_NO_SUCH_BULK = "There is no such bulk."


class BulksApi:
    """The endpoints, over one sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/bulks", self._list, methods=["GET"]),
            Route("/bulks", self._create, methods=["POST"]),
            Route("/bulks/dryrun", self._create, methods=["POST"]),
            Route("/bulks/{uuid}", self._one, methods=["GET"]),
            Route("/bulks/{uuid}", self._delete, methods=["DELETE"]),
            Route("/bulks/{uuid}/status", self._status, methods=["GET"]),
            Route("/bulks/{uuid}/cancel", self._cancel, methods=["PUT"]),
        ]

    def row(self, bulk: Bulk) -> Row:
        """Return a bulk as it is now, in full."""
        now = self._state.now()
        return bulk_row(bulk, now, self._state.store.bulk_cost(bulk, now))

    def _reduced(self, bulk: Bulk) -> Row:
        """Return a bulk as listings, its status and its cancelling show it: 15 fields."""
        return {name: value for name, value in self.row(bulk).items() if name not in _ONLY_IN_FULL}

    async def _list(self, request: Request) -> Response:
        state = self._state
        query = read_query(request.url.query, BULKS, state.switches)
        page = state.store.bulk_page(query, state.now(), state.switches)
        rows = [self._reduced(bulk) for bulk in page.lives]
        return collection(
            request,
            rows,
            path="/bulks",
            kind="Bulk",
            total=page.total,
            page=query.page,
            last=page.last,
            switches=state.switches,
        )

    def _find(self, request: Request) -> Bulk | None:
        return self._state.store.bulk(request.path_params["uuid"], self._state.now())

    def _show(self, request: Request, bulk: Bulk, *, status: int = 200) -> Response:
        return one(request, self.row(bulk), path=f"/bulks/{bulk.uuid}", kind="Bulk", status=status)

    async def _one(self, request: Request) -> Response:
        bulk = self._find(request)
        return self._show(request, bulk) if bulk else problem(404, _NO_SUCH_BULK)

    async def _status(self, request: Request) -> Response:
        bulk = self._find(request)
        if not bulk:
            return problem(404, _NO_SUCH_BULK)
        return one(request, self._reduced(bulk), path=f"/bulks/{bulk.uuid}/status", kind="BulkStatus")

    async def _delete(self, request: Request) -> Response:
        bulk = self._find(request)
        if not bulk:
            return problem(404, _NO_SUCH_BULK)
        self._drop_messages_to_come(bulk)
        self._state.store.delete_bulk(bulk)
        return Response(status_code=204)

    async def _cancel(self, request: Request) -> Response:
        bulk, now = self._find(request), self._state.now()
        if not bulk:
            return problem(404, _NO_SUCH_BULK)
        if bulk.status_at(now) not in {BULK_NEW, BULK_IN_PROGRESS}:
            return problem(409, "Only a bulk that is new or in progress can be cancelled.")
        self._drop_messages_to_come(bulk)
        unsent = [message for message in self._messages(bulk) if message.state_at(now).status_code == NEW]
        self._state.store.put_messages([stop_message(message, now) for message in unsent])
        kept = tuple(step for step in bulk.steps if step.at <= now)
        cancelled = msgspec.structs.replace(bulk, steps=(*kept, BulkStep(now, BULK_CANCELLED)))
        self._state.store.put_bulk(cancelled)
        return one(request, self._reduced(cancelled), path=f"/bulks/{bulk.uuid}", kind="Bulk")

    def _messages(self, bulk: Bulk) -> list[Message]:
        return [m for m in self._state.store.all_messages() if m.bulk_id == bulk.uuid]

    def _drop_messages_to_come(self, bulk: Bulk) -> None:
        now = self._state.now()
        self._state.store.delete_messages([m for m in self._messages(bulk) if m.created_at > now], now)

    async def _create(self, request: Request) -> Response:
        is_dryrun = request.url.path.endswith("/dryrun")
        try:
            asked = msgspec.json.decode(await request.body())
        except msgspec.DecodeError:
            return problem(400, "The body is not JSON.")
        asked = _with_e164(asked, self._state.switches.account_country)
        violations = violations_of(asked)
        if violations:
            detail = "; ".join(f"{path}: {text}" for path, text in violations.items())
            return problem(422, detail, violations=violations)
        if not self._state.switches.has_funds and not is_dryrun:
            return problem(402, "The balance is not sufficient.")
        bulk = self._new_bulk(asked, is_dryrun, request.client.host if request.client else "")
        self._state.store.put_bulk(bulk)
        if not is_dryrun:
            self._state.store.put_messages(self._new_messages(bulk))
        return self._show(request, bulk, status=201)

    def _new_bulk(self, asked: Row, is_dryrun: bool, ip: str) -> Bulk:
        state, now = self._state, self._state.now()
        number = state.store.next_number()
        phones = recipients(asked.get("phones"), asked.get("msg_groups"))
        service_code = asked.get("service_code") or "direct"
        delivery_at = asked.get("delivery_at") or 0
        begin = now + STARTS_AFTER_S
        done = max(begin + -(-len(phones) // state.switches.bulk_messages_per_second), delivery_at)
        steps = [BulkStep(now, BULK_NEW)]
        if not phones:
            steps.append(BulkStep(begin, BULK_NO_RECIPIENTS))
        else:
            steps += [BulkStep(begin, BULK_IN_PROGRESS), BulkStep(done + 5, BULK_PROCESSED)]
        parts = 1 if service_code in VOICE_SERVICES else measured(asked["text"], asked.get("is_unicode"))[0]
        cost = sum((Decimal(price_of(service_code, country_of(p), parts)) for p in phones), Decimal(0))
        return Bulk(
            number=number,
            uuid=new_uuid(now, number, self._rng(number)),
            created_at=now,
            text=asked["text"],
            sender_id=asked["sender_id"],
            service_code=service_code,
            ip=ip,
            steps=tuple(steps),
            msg_total_count=len(phones),
            delivery_at=delivery_at,
            phones=tuple(asked["phones"]) if asked.get("phones") else None,
            msg_groups=tuple(asked["msg_groups"]) if asked.get("msg_groups") else None,
            is_unicode=asked.get("is_unicode"),
            is_dryrun=is_dryrun,
            dry_cost=price_literal(cost),
            voice_lang=asked.get("voice_lang"),
            source=asked.get("source"),
            key_id=API_KEY,
            text_deleted_at=now if asked.get("is_text_deleted") else None,
            per_second=state.switches.bulk_messages_per_second,
        )

    def _new_messages(self, bulk: Bulk) -> list[Message]:
        state = self._state
        begin = bulk.created_at + STARTS_AFTER_S
        messages = []
        for index, phone in enumerate(recipients(bulk.phones, bulk.msg_groups)):
            number = state.store.next_number()
            order = Order(
                created_at=begin + index // bulk.per_second,
                phone=phone,
                text=bulk.text,
                sender_id=bulk.sender_id,
                service_code=bulk.service_code,
                key_id=bulk.key_id,
                ip=bulk.ip,
                delivery_at=bulk.delivery_at,
                is_unicode=bulk.is_unicode,
                voice_lang=bulk.voice_lang,
                bulk_id=bulk.uuid,
                source=bulk.source,
                is_text_deleted=bulk.text_deleted_at is not None,
            )
            messages.append(make_message(order, number, self._rng(number)))
        return messages

    def _rng(self, number: int) -> random.Random:
        return random.Random(f"{self._state.seed}:{number}")


def _with_e164(asked: Any, country: str) -> Any:  # noqa: ANN401 - JSON that nobody has looked at
    """Return a body with its phones in E.164, as far as they are numbers."""
    if not isinstance(asked, dict) or not isinstance(asked.get("phones"), list):
        return asked
    phones = [to_e164(p, country) if isinstance(p, str) else p for p in asked["phones"]]
    return {**asked, "phones": phones}


def violations_of(asked: object) -> dict[str, str]:
    """Return what is wrong with a body that asks for a bulk, by property."""
    if not isinstance(asked, dict):
        return {"": "This value should be an object."}
    found = {name: _violation(name, asked.get(name)) for name in _EXPECTED}
    if not asked.get("phones") and not asked.get("msg_groups"):
        found["phones"] = "Give phones or msg_groups."
    return {name: text for name, text in found.items() if text}


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list_of(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_right, value))


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "sender_id": (
        lambda value: isinstance(value, str) and bool(_SENDER.fullmatch(value)),
        "a number, or up to 11 letters, digits and blanks",
    ),
    "text": (
        lambda value: isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT,
        f"1 to {LONGEST_TEXT} characters",
    ),
    "phones": (_is_list_of(is_e164), "a list of phone numbers"),
    "msg_groups": (_is_list_of(_is_integer), "a list of group ids"),
    "service_code": (lambda value: value in SERVICES, f"one of {', '.join(SERVICES)}"),
    "delivery_at": (_is_integer, "unix seconds"),
    "is_unicode": (lambda value: isinstance(value, bool), "true or false"),
    "is_text_deleted": (lambda value: isinstance(value, bool), "true or false"),
    "source": (_is_integer, "an integer"),
    "voice_lang": (lambda value: value in VOICE_LANGS, f"one of {', '.join(VOICE_LANGS)}"),
}
_NEEDED = {"sender_id", "text"}


def _violation(name: str, value: object) -> str:
    is_right, expected = _EXPECTED[name]
    if value is None:
        return "This value should not be blank." if name in _NEEDED else ""
    return "" if is_right(value) else f"This value should be {expected}."
