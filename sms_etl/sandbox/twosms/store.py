"""The messages of a 2SMS account, as far as its one documented call can touch them."""

import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sms_etl.sandbox.life.scenarios import DAY

_MADE = 60


class TwoSmsMessage(msgspec.Struct, forbid_unknown_fields=True):
    """One message; only an advanced one can be expired or read up to a limit."""

    id: str
    destination: str
    sent_at: int
    is_advanced: bool
    is_expired: bool = False
    is_read_out: bool = False
    is_deleted: bool = False


def message_of(fields: Mapping[str, Any], now: int) -> TwoSmsMessage:
    """Make a message that a test wants in the account.

    Args:
        fields: Fields of `TwoSmsMessage`; all but `destination` have a default.
        now: The default of `sent_at`.

    Raises:
        msgspec.ValidationError: A value is of the wrong type, or a field is unknown.
    """
    defaults = {"id": str(uuid.uuid4()), "sent_at": now, "is_advanced": True}
    return msgspec.convert({**defaults, **fields}, TwoSmsMessage)


@dataclass(frozen=True, slots=True)
class Removal:
    """What one call changed."""

    expired: int
    deleted: int


class TwoSmsStore:
    """The messages of one account."""

    def __init__(self, messages: Iterable[TwoSmsMessage]) -> None:
        self._messages = list(messages)

    @classmethod
    def made(cls, now: int) -> "TwoSmsStore":
        """Make an account whose messages were sent in the last thirty days."""
        rng = random.Random(now)
        return cls(
            TwoSmsMessage(
                id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                destination=f"+1415555{100 + index % 100:04}",
                sent_at=now - rng.randrange(30 * DAY),
                is_advanced=index % 3 == 0,
                is_expired=index % 6 == 0,
                is_read_out=index % 9 == 0,
            )
            for index in range(_MADE)
        )

    @classmethod
    def from_text(cls, text: str) -> "TwoSmsStore":
        """Read what `as_text` gave."""
        return cls(msgspec.json.decode(text, type=list[TwoSmsMessage]))

    def as_text(self) -> str:
        """Return all messages as JSON."""
        return msgspec.json.encode(self._messages).decode()

    def messages(self) -> list[TwoSmsMessage]:
        """Return all messages, deleted ones too."""
        return self._messages

    def put(self, messages: Iterable[TwoSmsMessage]) -> None:
        """Add messages."""
        self._messages += messages

    def remove(self, chosen: Iterable[TwoSmsMessage], *, with_contents: bool) -> Removal:
        """Expire the advanced ones among the messages; with `with_contents`, delete the contents of all."""
        expired = deleted = 0
        for message in chosen:
            if message.is_advanced and not message.is_expired:
                message.is_expired = True
                expired += 1
            if with_contents and not message.is_deleted:
                message.is_deleted = True
                deleted += 1
        return Removal(expired, deleted)
