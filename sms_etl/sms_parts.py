"""Counts the parts of a text message as networks do. Pure; see GSM 03.38 and 3GPP TS 23.040.

A text within the GSM 03.38 alphabet takes 160 septets in one part and 153 a part when concatenated; any
other is sent as UCS-2 with 70 or 67 code units. A character that takes two units is never split across
parts, so parts are packed one after the other and `ceil(units / 153)` would be wrong.
"""

import re
from dataclasses import dataclass

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "^{}\\[~]|€\f"

GSM_CHARACTERS = re.escape(_BASIC + _EXTENSION)
"""For a class of a regular expression; `re` and RE2 read it alike."""
_NON_GSM = re.compile(f"[^{GSM_CHARACTERS}]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How many units fit into a part, and which characters take two of them."""

    double: re.Pattern[str]
    single: int
    """Units of a text that is one part."""
    concatenated: int
    """Units of each part of a longer text."""


GSM7 = Encoding(re.compile(f"[{re.escape(_EXTENSION)}]"), 160, 153)
UCS2 = Encoding(re.compile("[\U00010000-\U0010ffff]"), 70, 67)


@dataclass(frozen=True, slots=True)
class PartCount:
    """How a text is sent: its units, its parts, and what keeps it out of GSM 03.38."""

    units: int
    """Septets if `is_gsm`, else UTF-16 code units."""
    parts: int
    """At least 1: an empty text is sent as one part."""
    is_gsm: bool
    non_gsm: str
    """The characters outside GSM 03.38, each as often as it is there; empty if `is_gsm`."""


def count_parts(text: str, *, is_unicode: bool | None = None) -> PartCount:
    """Count units and parts of a text.

    Args:
        text: The whole message text.
        is_unicode: How the provider sent it, where known; a GSM text may have been sent as UCS-2. A text
            that does not fit GSM 03.38 counts as UCS-2 whatever is said here.
    """
    is_gsm = not is_unicode and _NON_GSM.search(text) is None
    encoding = GSM7 if is_gsm else UCS2
    units = len(text) + len(encoding.double.findall(text))
    return PartCount(
        units=units,
        parts=1 if units <= encoding.single else pack(text, encoding, units),
        is_gsm=is_gsm,
        non_gsm="" if is_gsm else foreign_characters(text),
    )


def foreign_characters(text: str) -> str:
    """Return the characters outside GSM 03.38, in their order."""
    return "".join(_NON_GSM.findall(text))


def pack(text: str, encoding: Encoding, units: int) -> int:
    """Return the parts of a text that does not fit into one; `units` are the text's.

    Parts are filled greedily; a character of two units that does not fit opens the next part.
    """
    doubles = {match.start() + before for before, match in enumerate(encoding.double.finditer(text))}
    parts, end = 1, encoding.concatenated
    while end < units:
        if end - 1 in doubles:
            end -= 1
        parts, end = parts + 1, end + encoding.concatenated
    return parts
