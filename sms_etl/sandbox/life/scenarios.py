"""Draws what becomes of a message: when it is sent, what reports come and when, how it ends. Seeded.

About three in a hundred reports come one to four days late; on `economy` most messages stay at the operator's
acceptance for good.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from sms_etl.sandbox.life.lifecycle import NEW, SENT, STOPPED_BY_API, Message, Step, price_literal
from sms_etl.sandbox.life.traffic import COUNTRY_BY_CODE, OTHER_COUNTRY_PRICES, PRICES, VOICE_SERVICES
from sms_etl.sms_parts import count_parts

HOUR, DAY = 3_600, 86_400
DELIVERED, BUFFERED, ACCEPTED, EXPIRED, REJECTED = 1, 2, 4, 8, 16
BLOCKED, MAINTENANCE, STOPPED_ON_WEB, NO_LANDLINE = 208, 400, 410, 2000
NO_BALANCE, NO_OPERATOR = 3000, 5000

Outcome = Callable[[random.Random, int], tuple[Step, ...]]

_V1_EPOCH = 0x01B21DD213814000
"""Ticks of 100 ns from 1582-10-15, where time-based uuids begin, to 1970."""


def sent_with_reports(*reports: tuple[int, float, float]) -> Outcome:
    """Return an outcome: sent at once, then reports of a code each, some seconds after the step before."""

    def outcome(rng: random.Random, start: int) -> tuple[Step, ...]:
        at = start + rng.randint(1, 4)
        steps = [Step(at, SENT, 0, True)]
        for dlr_code, soonest, latest in reports:
            at += int(rng.uniform(soonest, latest))
            steps.append(Step(at, SENT, dlr_code, True))
        return tuple(steps)

    return outcome


def stopped_with(status_code: int) -> Outcome:
    """Return an outcome: never sent, ended by a status."""
    return lambda rng, start: (Step(start + rng.randint(0, 5), status_code, 0, False),)


_UNSENT = (
    (4, stopped_with(NO_OPERATOR)),
    (2, stopped_with(BLOCKED)),
    (1, stopped_with(NO_BALANCE)),
    (1, stopped_with(STOPPED_BY_API)),
    (1, stopped_with(STOPPED_ON_WEB)),
    (1, stopped_with(MAINTENANCE)),
)
_REPORTED = (
    (610, sent_with_reports((DELIVERED, 2, 25))),
    (265, sent_with_reports((ACCEPTED, 1, 5), (DELIVERED, 2, 60))),
    (25, sent_with_reports((BUFFERED, 5, 60), (DELIVERED, 10 * 60, 20 * HOUR))),
    (28, sent_with_reports((ACCEPTED, 1, 5), (DELIVERED, DAY, 4 * DAY))),
    (22, sent_with_reports((BUFFERED, 5, 60), (EXPIRED, 47 * HOUR, 49 * HOUR))),
    (5, sent_with_reports((EXPIRED, 3 * DAY, 4 * DAY))),
    (12, sent_with_reports((REJECTED, 2, 30))),
    (3, sent_with_reports((ACCEPTED, 1, 5))),
    (2, sent_with_reports()),
)
_ECONOMY = (
    (700, sent_with_reports((ACCEPTED, 2, 90))),
    (190, sent_with_reports((ACCEPTED, 2, 90), (DELIVERED, 10, 6 * HOUR))),
    (30, sent_with_reports((ACCEPTED, 2, 90), (DELIVERED, DAY, 4 * DAY))),
    (35, sent_with_reports((ACCEPTED, 2, 90), (EXPIRED, 40 * HOUR, 3 * DAY))),
    (15, sent_with_reports((REJECTED, 5, 600))),
)
_VOICE = (
    (850, sent_with_reports((DELIVERED, 15, 90))),
    (60, sent_with_reports((EXPIRED, 20 * 60, HOUR))),
    (60, lambda rng, start: (Step(start + rng.randint(20, 60), NO_LANDLINE, 0, False),)),
)


def _outcomes(service_code: str) -> tuple[tuple[int, Outcome], ...]:
    if service_code in VOICE_SERVICES:
        return _VOICE + _UNSENT
    return (_ECONOMY if service_code == "economy" else _REPORTED) + _UNSENT


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked to be sent, of which a message is made."""

    created_at: int
    phone: str
    text: str
    sender_id: str
    service_code: str
    key_id: int | None
    ip: str
    delivery_at: int = 0
    is_unicode: bool | None = None
    voice_lang: str | None = None
    callback_data: str | None = None
    bulk_id: str | None = None
    source: int | None = None
    is_text_deleted: bool = False
    """From the start; the characters were counted before."""


def make_message(order: Order, number: int, rng: random.Random) -> Message:
    """Make a message and draw its life."""
    start = max(order.created_at, order.delivery_at)
    outcome = _draw(rng, order.service_code)
    steps = (Step(order.created_at, NEW, 0, False), *outcome(rng, start))
    is_voice = order.service_code in VOICE_SERVICES
    parts, is_unicode = measured(order.text, order.is_unicode)
    iso2 = None if steps[-1].status_code == NO_OPERATOR else country_of(order.phone)
    was_sent = any(step.is_sent for step in steps)
    chance = rng.random()
    text_deleted_at = start if chance > 0.99 else None
    return Message(
        number=number,
        uuid=new_uuid(order.created_at, number, rng),
        created_at=order.created_at,
        text=order.text,
        sender_id=order.sender_id,
        phone=order.phone,
        price=price_of(order.service_code, iso2, 1 if is_voice else parts) if was_sent else "0",
        service_code=order.service_code,
        ip=order.ip,
        steps=steps,
        delivery_at=order.delivery_at,
        is_unicode=None if is_voice else is_unicode,
        iso2=iso2,
        parts_count=1 if is_voice else parts,
        chars_count=len(order.text),
        voice_lang=order.voice_lang,
        callback_data=order.callback_data,
        bulk_id=order.bulk_id,
        source=order.source,
        key_id=order.key_id,
        attempts_count_max=rng.randint(1, 3) if is_voice else None,
        counted_at=start + 30 if chance < 0.02 else 0,
        text_deleted_at=order.created_at if order.is_text_deleted else text_deleted_at,
    )


def country_of(phone: str) -> str | None:
    """Return the country of a number, where the sandbox's company sends to."""
    return next((COUNTRY_BY_CODE[phone[:n]] for n in (4, 3, 2) if phone[:n] in COUNTRY_BY_CODE), None)


@lru_cache(maxsize=1024)
def price_of(service_code: str, iso2: str | None, parts: int) -> str:
    """Return the JSON text of the price of a message of so many parts."""
    prices = PRICES.get(iso2 or "", OTHER_COUNTRY_PRICES)
    return price_literal(Decimal(prices[service_code]) * parts)


def new_uuid(created_at: int, number: int, rng: random.Random) -> str:
    """Return a time-based uuid; the number keeps two of the same tick apart."""
    ticks = created_at * 10_000_000 + rng.randrange(10_000_000) + _V1_EPOCH
    digits = f"{ticks:015x}"
    sequence = 0x8000 | (number & 0x3FFF)
    return f"{digits[-8:]}-{digits[-12:-8]}-1{digits[:3]}-{sequence:04x}-5e4d{number >> 14:08x}"


def _draw(rng: random.Random, service_code: str) -> Outcome:
    outcomes = _outcomes(service_code)
    return rng.choices([o for _, o in outcomes], [weight for weight, _ in outcomes])[0]


@lru_cache(maxsize=4096)
def measured(text: str, is_unicode: bool | None) -> tuple[int, bool]:
    """Return the parts of a text, and whether it is sent as UCS-2."""
    count = count_parts(text, is_unicode=is_unicode)
    return count.parts, not count.is_gsm
