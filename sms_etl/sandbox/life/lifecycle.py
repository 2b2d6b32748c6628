"""Messages and bulks as the sandbox holds them: all they will ever go through, known beforehand.

What the API shows is a pure function of a life and a moment; nothing is ever updated because time passes.
"""

import functools
import json
from decimal import Decimal
from typing import Any

import msgspec

from sms_etl.sandbox.control.switches import SandboxSwitches

Row = dict[str, Any]

NEW, SENT, STOPPED_BY_API = 0, 100, 6000
BULK_NEW, BULK_IN_PROGRESS, BULK_PROCESSED, BULK_CANCELLED, BULK_NO_RECIPIENTS = 0, 5, 10, 15, 201
ATTEMPTS_KNOWN_FROM = 1_764_547_200
"""2025-12-01: older messages have no `attempts_count_max` at all."""
STARTS_AFTER_S = 2
"""How long after its creation a bulk begins to make messages."""
_LATE_PRICE_CHANGE = Decimal("0.001")


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From `at` (unix seconds) on, the message shows these codes."""

    at: int
    status_code: int
    dlr_code: int
    is_sent: bool


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One message and its life.

    `number` is the hidden key that breaks ties; `steps` are in order of time; `price` is the JSON text of
    the whole message's price; `counted_at` is when `parts_count` becomes known; `extra` is JSON text of an
    object that is laid over the shown row, for rows that are not as documented.
    """

    number: int
    uuid: str
    created_at: int
    text: str
    sender_id: str
    phone: str
    price: str
    service_code: str
    ip: str
    steps: tuple[Step, ...]
    delivery_at: int = 0
    is_unicode: bool | None = False
    iso2: str | None = None
    parts_count: int | None = None
    chars_count: int | None = None
    voice_lang: str | None = None
    callback_data: str | None = None
    bulk_id: str | None = None
    source: int | None = None
    key_id: int | None = None
    attempts_count_max: int | None = None
    counted_at: int = 0
    text_deleted_at: int | None = None
    extra: str | None = None

    def state_at(self, now: int) -> Step:
        """Return the codes shown at a moment."""
        shown = self.steps[0]
        for step in self.steps:
            if step.at > now:
                break
            shown = step
        return shown

    def sent_at(self, now: int) -> int:
        """Return `gateway_sent_at` as shown at a moment: 0 until sent."""
        for step in self.steps:
            if step.is_sent:
                return step.at if step.at <= now else 0
        return 0

    def text_at(self, now: int) -> str:
        """Return the text as shown at a moment: empty once deleted."""
        return "" if self.is_text_deleted_at(now) else self.text

    def is_text_deleted_at(self, now: int) -> bool:
        """Say whether the text is deleted at a moment."""
        return self.text_deleted_at is not None and self.text_deleted_at <= now

    def parts_at(self, now: int) -> int | None:
        """Return `parts_count` as shown at a moment."""
        return self.parts_count if self.counted_at <= now else None


class BulkStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From `at` (unix seconds) on, the bulk has this status."""

    at: int
    status_code: int


class Bulk(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One bulk and its life; its messages are lives of their own.

    `msg_total_count` is how many it makes if nothing stops it, `per_second` how fast; `dry_cost` is the JSON
    text of what a dry run would have cost.
    """

    number: int
    uuid: str
    created_at: int
    text: str
    sender_id: str
    service_code: str
    ip: str
    steps: tuple[BulkStep, ...]
    msg_total_count: int
    delivery_at: int = 0
    phones: tuple[str, ...] | None = None
    msg_groups: tuple[int, ...] | None = None
    is_unicode: bool | None = False
    is_dryrun: bool = False
    dry_cost: str = "0"
    voice_lang: str | None = None
    source: int | None = None
    key_id: int | None = None
    text_deleted_at: int | None = None
    per_second: int = 1_000_000

    def status_at(self, now: int) -> int:
        """Return the status at a moment."""
        return next((step.status_code for step in reversed(self.steps) if step.at <= now), BULK_NEW)

    def processed_at(self, now: int) -> int | None:
        """Return the moment of the last change, or None while it is new."""
        return next((step.at for step in reversed(self.steps[1:]) if step.at <= now), None)

    def count_at(self, now: int) -> int:
        """Return how many messages it has made by a moment, deleted ones too; a dry run counts at its end."""
        if self.is_dryrun:
            return self.msg_total_count if self.status_at(now) == BULK_PROCESSED else 0
        is_stopped = self.steps[-1].status_code == BULK_CANCELLED
        until = min(now, self.steps[-1].at) if is_stopped else now
        seconds = until - (self.created_at + STARTS_AFTER_S) + 1
        return min(self.msg_total_count, max(0, seconds) * self.per_second)

    def text_at(self, now: int) -> str:
        """Return the text as shown at a moment: empty once deleted."""
        return "" if self.is_text_deleted_at(now) else self.text

    def is_text_deleted_at(self, now: int) -> bool:
        """Say whether the text is deleted at a moment."""
        return self.text_deleted_at is not None and self.text_deleted_at <= now


def stop_message(message: Message, at: int) -> Message:
    """Return the message as it is when stopped before transmission; one past that stays as it is."""
    if message.state_at(at).status_code != NEW:
        return message
    kept = tuple(step for step in message.steps if step.at <= at)
    return msgspec.structs.replace(message, steps=(*kept, Step(at, STOPPED_BY_API, 0, False)))


def price_literal(price: Decimal) -> str:
    """Return the JSON text of a price as the provider writes it: no trailing zeros, no exponent."""
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@functools.lru_cache(maxsize=4096)
def json_number(literal: str) -> msgspec.Raw:
    """Return a price text as it is to stand in JSON; it never passes through a float."""
    return msgspec.Raw(literal.encode())


def price_at(message: Message, now: int, switches: SandboxSwitches) -> str:
    """Return the price shown at a moment, as JSON text."""
    sent_at = message.sent_at(now)
    if switches.price_null_until_sent and not sent_at and message.state_at(now).status_code == NEW:
        return "null"
    changes = switches.late_price_every and message.number % switches.late_price_every == 0
    if changes and sent_at and sent_at + switches.late_price_after_seconds <= now:
        return price_literal(Decimal(message.price) + _LATE_PRICE_CHANGE)
    return message.price


def message_row(message: Message, now: int, switches: SandboxSwitches) -> Row:
    """Return a message as `GET /sms` shows it at a moment; its price is ready-made JSON text."""
    state = message.state_at(now)
    row: Row = {
        "uuid": message.uuid,
        "text": message.text_at(now),
        "sender_id": message.sender_id,
        "phone": message.phone,
        "delivery_at": message.delivery_at,
        "status_code": state.status_code,
        "dlr_code": state.dlr_code,
        "gateway_sent_at": message.sent_at(now),
        "created_at": message.created_at,
        "is_sent": state.is_sent,
        "is_text_deleted": message.is_text_deleted_at(now),
        "is_unicode": message.is_unicode,
        "iso2": message.iso2,
        "parts_count": message.parts_at(now),
        "chars_count": message.chars_count,
        "price": json_number(price_at(message, now, switches)),
        "service_code": message.service_code,
        "voice_lang": message.voice_lang,
        "callback_data": message.callback_data,
        "bulk_id": message.bulk_id,
        "source": message.source,
        "key_id": message.key_id,
        "ip": message.ip,
        "requests": f"/sms/{message.uuid}/requests",
        "clicks": f"/sms/{message.uuid}/clicks",
    }
    if message.created_at >= ATTEMPTS_KNOWN_FROM:
        row["attempts_count_max"] = message.attempts_count_max
    if message.extra:
        row.update(json.loads(message.extra, parse_float=Decimal))
    return row


def bulk_row(bulk: Bulk, now: int, cost: Decimal) -> Row:
    """Return a bulk as `GET /bulks/{id}` shows it at a moment.

    Args:
        bulk: The bulk.
        now: The moment, in unix seconds.
        cost: Of its messages sent so far; a dry run shows its own.
    """
    done = bulk.status_at(now) == BULK_PROCESSED
    shown_cost = (bulk.dry_cost if done else "0") if bulk.is_dryrun else price_literal(cost)
    return {
        "uuid": bulk.uuid,
        "ip": bulk.ip,
        "service_code": bulk.service_code,
        "sender_id": bulk.sender_id,
        "text": bulk.text_at(now),
        "phones": bulk.phones,
        "msg_groups": bulk.msg_groups,
        "status_code": bulk.status_at(now),
        "created_at": bulk.created_at,
        "delivery_at": bulk.delivery_at,
        "processed_at": bulk.processed_at(now),
        "msg_total_count": bulk.count_at(now),
        "msg_total_cost": json_number(shown_cost),
        "is_unicode": bulk.is_unicode,
        "is_dryrun": bulk.is_dryrun,
        "is_text_deleted": bulk.is_text_deleted_at(now),
        "key_id": bulk.key_id,
        "source": bulk.source,
        "voice_lang": bulk.voice_lang,
    }
