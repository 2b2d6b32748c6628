"""Reads a message that a test wants in the account, with a life of its own if it likes."""

import random
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from sms_etl.sandbox.life.lifecycle import Message, Step, price_literal
from sms_etl.sandbox.life.scenarios import measured, new_uuid
from sms_etl.sandbox.lox24.answers import json_bytes

_CODES = {"status_code": 0, "dlr_code": 0}
_LIFE = {"gateway_sent_at", "steps", "extra", "price", "is_sent", "is_text_deleted", *_CODES}


def message_from(fields: Mapping[str, Any], number: int, now: int) -> Message:
    """Make a message.

    Args:
        fields: Fields of the SMS object, each with a default. Its life is either `steps`, objects of `at`,
            `status_code`, `dlr_code` and `is_sent`, or one step that shows the codes given from the start.
            `counted_at` and `text_deleted_at` are when parts become known and the text goes; `extra` is an
            object laid over the row as shown, for rows that are not as documented.
        number: Its hidden number.
        now: The default of `created_at`.

    Raises:
        msgspec.ValidationError: A value is of the wrong type, or a field is unknown.
        ValueError: A price is not a number.
    """
    created_at = int(fields.get("created_at", now))
    text = fields.get("text", "Hello! This is a test SMS message.")
    parts, is_unicode = measured(text, None)
    defaults = {
        "number": number,
        "uuid": new_uuid(created_at, number, random.Random(number)),
        "created_at": created_at,
        "text": text,
        "sender_id": "Test",
        "phone": "+14155550100",
        "service_code": "direct",
        "ip": "192.0.2.1",
        "iso2": "US",
        "is_unicode": is_unicode,
        "parts_count": parts,
        "chars_count": len(text),
    }
    known = {name: value for name, value in fields.items() if name not in _LIFE}
    unknown = set(known) - set(Message.__struct_fields__)
    if unknown:
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}; lay it over by `extra`")
    life: dict[str, object] = {
        "steps": _steps(fields, created_at),
        "price": _price(fields.get("price", "0.056")),
        "extra": json_bytes(fields["extra"]).decode() if fields.get("extra") else None,
    }
    if fields.get("is_text_deleted"):
        life["text_deleted_at"] = created_at
    return msgspec.convert({**defaults, **known, **life}, Message)


def _price(given: object) -> str:
    try:
        return price_literal(Decimal(str(given)))
    except InvalidOperation as exc:
        raise ValueError(f"price: {given!r} is not a number") from exc


def _steps(fields: Mapping[str, Any], created_at: int) -> list[list[Any]]:
    names = Step.__struct_fields__
    if "steps" in fields:
        steps = [[step[name] for name in names] for step in fields["steps"]]
        return steps if steps and steps[0][0] <= created_at else [[created_at, 0, 0, False], *steps]
    codes = {name: fields.get(name, default) for name, default in _CODES.items()}
    sent_at = int(fields.get("gateway_sent_at", 0))
    is_sent = bool(fields.get("is_sent", sent_at > 0))
    return [[sent_at or created_at, codes["status_code"], codes["dlr_code"], is_sent]]
