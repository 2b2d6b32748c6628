"""Tells what of a text lies outside GSM 03.38 without telling the text. Pure.

Letters and digits would spell names and codes, so of them only the script is told; a sign (a typographic
quote, a dash, a currency) identifies nobody and is told itself. See docs/personal-data.md.
"""

import json
import unicodedata
from collections import Counter
from functools import lru_cache

_SIGNS = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc"})
_FURTHER_SIGNS = frozenset("©®°™№")
_INVISIBLE = frozenset({"Zs", "Cf"})
_CLASSES = {"N": "digit", "S": "symbol"}
_EMOJI = (
    (0x2190, 0x21FF),
    (0x2300, 0x23FF),
    (0x2460, 0x27BF),
    (0x2900, 0x2BFF),
    (0x1F000, 0x1FAFF),
)
_BESIDE_EMOJI = frozenset((0x200D, 0x20E3, *range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080)))
"""Joiner, keycap, variation selectors and tags, which make one picture of several characters."""


def told(foreign: str) -> str:
    """Return the characters outside GSM 03.38 as JSON text: signs and classes, with counts.

    Args:
        foreign: Those characters of a text, each as often as it is there.

    Returns:
        For example `{"emoji":1,"latin":2,"–":1}`; `{}` if there are none.
    """
    if not foreign:
        return "{}"
    counts = Counter(map(_told_as, foreign))
    return json.dumps(dict(sorted(counts.items())), ensure_ascii=False, separators=(",", ":"))


@lru_cache(4096)
def _told_as(character: str) -> str:
    """Return a sign as it is, the name of one that cannot be seen, or a class."""
    category = unicodedata.category(character)
    if _is_of_emoji(ord(character), category):
        return "emoji"
    if category in _INVISIBLE:
        return unicodedata.name(character, "invisible").lower()
    if category in _SIGNS or character in _FURTHER_SIGNS:
        return character
    if category[0] in "LM":
        return _script_of(character)
    return _CLASSES.get(category[0], "other")


def _is_of_emoji(code: int, category: str) -> bool:
    is_picture = category[0] == "S" and any(first <= code <= last for first, last in _EMOJI)
    return code in _BESIDE_EMOJI or (is_picture and category not in _SIGNS)


def _script_of(character: str) -> str:
    """Return the script as Unicode's name of the character begins with it: `LATIN SMALL LETTER L …`."""
    first = unicodedata.name(character, "unnamed").split(" ")[0]
    return first.split("-")[0].lower()
