"""Counts the parts of a text message as networks do. Pure; see GSM 03.38 and 3GPP TS 23.040.

A text within the GSM 03.38 alphabet takes 160 septets in one part and 153 a part when concatenated; any
other is sent as UCS-2 with 70 or 67 code units. A character that takes two units is never split across
parts, so parts are packed one after the other and `ceil(units / 153)` would be wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "^{}\\[~]|€\f"

_NON_GSM = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_DOUBLE_SEPTET = re.compile(f"[{re.escape(_EXTENSION)}]")
_SURROGATE_PAIR = re.compile("[\U00010000-\U0010ffff]")

GSM_SINGLE, GSM_CONCATENATED = 160, 153
UCS2_SINGLE, UCS2_CONCATENATED = 70, 67


@dataclass(frozen=True, slots=True)
class PartCount:
    """How a text is sent: its units, its parts, and what keeps it out of GSM 03.38."""

    units: int
    """Septets if `is_gsm`, else UTF-16 code units."""
    parts: int
    """At least 1: an empty text is sent as one part."""
    is_gsm: bool
    non_gsm: str
    """The distinct characters outside GSM 03.38, sorted; empty if `is_gsm`."""


def count_parts(text: str, *, is_unicode: bool | None = None) -> PartCount:
    """Count units and parts of a text.

    Args:
        text: The whole message text.
        is_unicode: How the provider sent it, where known; a GSM text may have been sent as UCS-2. A text
            that does not fit GSM 03.38 counts as UCS-2 whatever is said here.
    """
    is_gsm = not is_unicode and _NON_GSM.search(text) is None
    double, single, concatenated = (
        (_DOUBLE_SEPTET, GSM_SINGLE, GSM_CONCATENATED)
        if is_gsm
        else (_SURROGATE_PAIR, UCS2_SINGLE, UCS2_CONCATENATED)
    )
    units = len(text) + sum(1 for _ in double.finditer(text))
    return PartCount(
        units=units,
        parts=1 if units <= single else _pack(text, double, units, concatenated),
        is_gsm=is_gsm,
        non_gsm="" if is_gsm else "".join(sorted(set(_NON_GSM.findall(text)))),
    )


def _pack(text: str, double: re.Pattern[str], units: int, capacity: int) -> int:
    """Fill parts greedily; a character of two units that does not fit opens the next part."""
    if units == len(text):
        return -(-units // capacity)
    parts, used = 1, 0
    for width in _widths(text, double):
        if used + width > capacity:
            parts, used = parts + 1, 0
        used += width
    return parts


def _widths(text: str, double: re.Pattern[str]) -> Iterator[int]:
    return (2 if double.match(character) else 1 for character in text)
