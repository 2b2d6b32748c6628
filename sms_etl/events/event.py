"""Reads an event as the provider sends it, and as it is kept until a sync applies it. Pure.

Of an event only what says which message was in which state at which moment is kept. `callback_data` and all
fields that are not known here are never stored: the message itself brings what is wanted of them, under the
policy of personal data.
"""

from typing import Annotated, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

DELIVERY = "sms.delivery"
"""The only kind of event that is kept; others are acknowledged and counted."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999: what a calendar knows."""
_LARGEST_CODE = 2**31 - 1

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Second = Annotated[int, msgspec.Meta(ge=1, le=_LAST_SECOND)]
_Code = Annotated[int, msgspec.Meta(ge=-_LARGEST_CODE, le=_LARGEST_CODE)]
_T = TypeVar("_T")


class NotJsonError(Exception):
    """A body is no JSON at all."""


class NotAnEventError(Exception):
    """A body is JSON, but no event; its message names the field and quotes no value."""


class KeptEvent(msgspec.Struct, frozen=True, gc=False):
    """A change of a delivery report, as it lies in a segment: a line of JSON each."""

    id: UUID
    """The provider's, the same at each attempt; made of it where it is no uuid."""
    uuid: UUID
    """Of the message."""
    at: _Second
    """When the report changed, in unix seconds by the provider's clock."""
    dlr: _Code
    status: _Code | None
    """None: the event does not say."""
    received: _Number
    """When it was received, in unix microseconds by ours."""


class _Envelope(msgspec.Struct, gc=False):
    name: _Name
    id: _Name | _Number | None = None
    created_at: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Report(msgspec.Struct, gc=False):
    id: UUID
    dlr_code: _Code
    status_code: _Code | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_SECOND = msgspec.json.Decoder(_Second)
_REPORT = msgspec.json.Decoder(_Report)
_KEPT = msgspec.json.Decoder(KeptEvent)
_ENCODER = msgspec.json.Encoder()


def read_event(body: bytes, received: int) -> KeptEvent | None:
    """Return what is kept of an event; None if it is an event of a kind that is not kept.

    Args:
        body: As it was sent.
        received: The present moment, in unix microseconds.

    Raises:
        NotJsonError: It is no JSON.
        NotAnEventError: It is JSON, and no event.
    """
    try:
        envelope = _ENVELOPE.decode(body)
        if envelope.name != DELIVERY:
            return None
        if envelope.id is None:
            raise NotAnEventError("it has no `id`")
        at = _part(_SECOND, envelope.created_at, "created_at")
        report = _part(_REPORT, envelope.data, "data")
    except msgspec.ValidationError as exc:
        raise NotAnEventError(_without_values(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonError from None
    return KeptEvent(_key(envelope.id), report.id, at, report.dlr_code, report.status_code, received)


def _key(event_id: str | int) -> UUID:
    """Return a uuid for an event's id, whatever the provider makes of it: a text could be anything."""
    try:
        return UUID(event_id) if isinstance(event_id, str) else uuid5(NAMESPACE_OID, str(event_id))
    except ValueError:
        return uuid5(NAMESPACE_OID, str(event_id))


def _part(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw, name: str) -> _T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise NotAnEventError(_without_values(exc).replace("`$", f"`$.{name}")) from None


def _without_values(exc: msgspec.ValidationError) -> str:
    """Return what is wrong and where; msgspec names types, bounds and fields of ours, and no value."""
    said = str(exc)
    return said if " - at " in said else f"{said} - at `$`"


def as_line(event: KeptEvent) -> bytes:
    """Return the line of an event, with its end."""
    return _ENCODER.encode(event) + b"\n"


def read_line(line: bytes) -> KeptEvent | None:
    """Return the event of a line; None if it is damaged."""
    try:
        return _KEPT.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
