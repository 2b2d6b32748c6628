"""Sends `sms.delivery` events: one on each change of a delivery report, up to four attempts until a 2xx.

Nothing is sent by itself unless the clock is live; a control call sends what is due.
"""

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import msgspec

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.lifecycle import Message
from sms_etl.sandbox.lox24.answers import json_bytes

ATTEMPTS = 4
API_VERSION = "2022-05-25"
_NAMESPACE = uuid.UUID("5e4d0000-0000-5000-8000-000000000001")
_TIMEOUT_S = 5


class Event(msgspec.Struct, kw_only=True):
    """A change of a delivery report that is not answered with a 2xx yet."""

    uuid: str
    at: int
    dlr_code: int
    status_code: int
    key_id: int | None
    callback_data: str | None
    attempts: int = 0


class _Kept(msgspec.Struct):
    looked_until: int
    pending: list[Event]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one round of sending came to."""

    attempts: int
    delivered: int
    given_up: int
    waiting: int


class Webhooks:
    """The events of one account.

    Args:
        url: Where they go; none are made without one.
        looked_until: Changes up to this moment are not sent any more.
        pending: Events that were not answered with a 2xx yet.
    """

    def __init__(self, url: str | None, looked_until: int, pending: Iterable[Event] = ()) -> None:
        self.url = url
        self._looked_until = looked_until
        self._pending = list(pending)
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    def from_text(cls, text: str | None, *, url: str | None, now: int) -> "Webhooks":
        """Read what `as_text` gave, or begin at `now`."""
        kept = msgspec.json.decode(text, type=_Kept) if text and url else _Kept(now, [])
        return cls(url, kept.looked_until, kept.pending)

    def as_text(self) -> str:
        """Return all that is to be kept over a restart."""
        return msgspec.json.encode(_Kept(self._looked_until, self._pending)).decode()

    def send_to(self, url: str | None, now: int) -> None:
        """Send events of changes after `now` to this address, or to none."""
        self.url, self._looked_until, self._pending = url, now, []

    async def deliver(self, messages: Iterable[Message], now: int, switches: SandboxSwitches) -> Delivery:
        """Make every attempt that is due by now, oldest event first.

        Args:
            messages: All lives.
            now: The sandbox's moment, in unix seconds.
            switches: When the second to fourth attempt are due, and how an event counts its attempts.
        """
        if self.url is None:
            return Delivery(0, 0, 0, 0)
        async with self._one_at_a_time, httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            self._collect(messages, now)
            attempts = delivered = 0
            waits = (0, *switches.webhook_retry_seconds)
            for event in self._pending.copy():
                while event.attempts < ATTEMPTS and event.at + waits[event.attempts] <= now:
                    event.attempts += 1
                    attempts += 1
                    if await self._attempt(client, self.url, _body(event, switches)):
                        self._pending.remove(event)
                        delivered += 1
                        break
            given_up = [event for event in self._pending if event.attempts == ATTEMPTS]
            self._pending = [event for event in self._pending if event.attempts < ATTEMPTS]
        return Delivery(attempts, delivered, len(given_up), len(self._pending))

    def _collect(self, messages: Iterable[Message], now: int) -> None:
        found = [
            Event(
                uuid=message.uuid,
                at=step.at,
                dlr_code=step.dlr_code,
                status_code=step.status_code,
                key_id=message.key_id,
                callback_data=message.callback_data,
            )
            for message in messages
            for before, step in pairwise(message.steps)
            if self._looked_until < step.at <= now and step.dlr_code != before.dlr_code
        ]
        self._pending += sorted(found, key=lambda event: event.at)
        self._looked_until = now

    @staticmethod
    async def _attempt(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> bool:
        try:
            response = await client.post(
                url, content=json_bytes(body), headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError:
            return False
        return response.is_success


def _body(event: Event, switches: SandboxSwitches) -> dict[str, Any]:
    event_id = uuid.uuid5(_NAMESPACE, f"{event.uuid} {event.at} {event.dlr_code}")
    return {
        "id": str(event_id),
        "api_version": API_VERSION,
        "name": "sms.delivery",
        "created_at": event.at,
        switches.event_attempts_name: ATTEMPTS,
        "attempt_number": event.attempts,
        "notification_task_id": str(uuid.uuid5(event_id, "task")),
        "data": {
            "id": event.uuid,
            "key_id": event.key_id,
            "dlr_code": event.dlr_code,
            "status_code": event.status_code,
            "callback_data": event.callback_data,
        },
    }
