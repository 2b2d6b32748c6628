"""Reads form-encoded bodies of 2SMS, whose fields are named as in JSON. Pure.

A list is written as .NET reads one: `MessageIDs=a&MessageIDs=b`, `MessageIDs[]=a` or `MessageIDs[0]=a`.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from sms_etl.sandbox.twosms.xml import VALUES

_LIST = re.compile(r"MessageIDs(?:\[[0-9]*\])?")
_WORDS = {name: {word.lower(): value for word, value in words.items()} for name, words in VALUES.items()}
"""Read without regard to case: forms of browsers say `True`."""


def read_form(body: bytes) -> dict[str, Any]:
    """Return the criteria in a body as its JSON would hold them; an empty field is null.

    Raises:
        ValueError: The body is no form, or a field is there twice.
    """
    criteria: dict[str, Any] = {}
    for name, text in parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body.strip())):
        if _LIST.fullmatch(name):
            criteria.setdefault("MessageIDs", []).append(text)
        elif name in criteria:
            raise ValueError(f"{name} is there twice")
        else:
            criteria[name] = _WORDS.get(name, {}).get(text.lower(), text or None)
    return criteria
