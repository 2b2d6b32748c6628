"""Writes a message as a provider might that changed its format: what a client must notice. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.lifecycle import Message, Row, message_row

_TIMES = ("created_at", "delivery_at", "gateway_sent_at")
_BINARY_NOISE = Decimal("0.00000000000000002")


def written(message: Message, now: int, switches: SandboxSwitches) -> Row:
    """Return a message at a moment, in the format that the switches name."""
    row = message_row(message, now, switches)
    every = switches.price_noise_every
    if every and message.number % every == 0:
        row["price"] = _with_noise(row["price"])
    match switches.row_format:
        case "iso_times":
            return {**row, **{name: datetime.fromtimestamp(row[name], tz=UTC).isoformat() for name in _TIMES}}
        case "text_numbers":
            return {**row, "price": bytes(row["price"]).decode()}
        case "text_integers":
            return {name: str(value) if _is_integer(value) else value for name, value in row.items()}
        case "int_booleans":
            return {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}
        case _:
            return row


def _with_noise(price: msgspec.Raw) -> msgspec.Raw:
    """Add what a binary number adds to a price: far less than a millionth."""
    text = bytes(price).decode()
    if text == "null":
        return price
    return msgspec.Raw(format(Decimal(text) + _BINARY_NOISE, "f").encode())


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, (bool, msgspec.Raw))
