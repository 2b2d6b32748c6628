"""Makes of a value that may be personal what may be kept: its type and length, a mask, or a keyed hash. Pure.

Which column is treated how: `pii/policy.py`. For a data-protection officer: docs/personal-data.md.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import msgspec

_SHAPE_TYPES = {"string", "array", "object", "boolean", "null", "number", "unreadable", "names", "unread"}
_MOST_LENGTH = 10**8
"""No answer is as long; a number of more digits may be somebody's."""
WITHHELD = "[withheld]"
"""Stands for the names of fields that are not printed, in `extra` and in quarantine."""
_MOST_NAMES = 100
_NAME = re.compile(r"@?[a-z][a-z_]{0,38}(?:[0-9]{0,2}|_[0-9]{1,2})")
_CODE = re.compile(r"[A-Za-z](?:[A-Za-z_.-]|[0-9]{1,4}(?![0-9])){0,31}")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-zÄÖÜäöüß])(?!.*[0-9]{5})[0-9A-Za-zÄÖÜäöüß &_.+-]{1,11}")
SHORT_CODE = re.compile(r"\+?[0-9]{1,6}")
_KINDS = {b'"': "string", b"[": "array", b"{": "object", b"t": "boolean", b"f": "boolean", b"n": "null"}


def shape_of(value: bytes | msgspec.Raw) -> dict[str, Any]:
    """Return the type and the length of a JSON value: characters of a string, bytes of anything else."""
    text = bytes(value)
    kind = _KINDS.get(text[:1], "number" if text[:1].strip(b"-0123456789") == b"" and text else "unreadable")
    if kind == "string":
        return {"type": kind, "length": len(text.decode(errors="replace")) - 2}
    return {"type": kind, "length": len(text)}


def is_plain_name(name: str) -> bool:
    """Whether a field's name is one as the provider writes them, and neither a number nor an address."""
    return _NAME.fullmatch(name) is not None


def is_shape(value: bytes | msgspec.Raw) -> bool:
    """Whether a JSON value is what `shape_of` or `shapes_of` made, and not what a provider sent."""
    try:
        read = msgspec.json.decode(value, type=_Shape)
    except msgspec.DecodeError:
        return False
    return read.type in _SHAPE_TYPES and 0 <= read.length < _MOST_LENGTH


class _Shape(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    length: int


def shapes_of(fields: Mapping[str, bytes | msgspec.Raw]) -> dict[str, Any]:
    """Return each field's shape by its name; names that may be personal, or are too many, are counted."""
    told = [name for name in fields if is_plain_name(name)][:_MOST_NAMES]
    shapes = {name: shape_of(fields[name]) for name in told}
    if len(told) < len(fields):
        shapes[WITHHELD] = {"type": "names", "length": len(fields) - len(told)}
    return shapes


def is_code(text: str) -> bool:
    """Whether a text is a code such as `text2speech` or `de-DE`: no number, no address, no sentence."""
    return _CODE.fullmatch(text) is not None


def is_sender_name(text: str) -> bool:
    """Whether a sender is a name or a short code, which many people know, and not somebody's number."""
    return _SENDER_NAME.fullmatch(text) is not None or SHORT_CODE.fullmatch(text) is not None


def network_of(address: str) -> str | None:
    """Return the network of an IP address, /24 or /48; None if it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    bits = {4: 24, 6: 48}[parsed.version]
    return str(ipaddress.ip_network((parsed, bits), strict=False))
