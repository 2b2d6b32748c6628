"""The status codes of LOX24 that decide what is asked again. What they mean to people is in the seeds.

Source: LOX24's API reference. A code that is not listed here is not final: it is asked again until it
ages out.
"""

import re

SENT = 100
"""Handed to the mobile operator: the delivery report (`dlr_code`) decides."""

FINAL_STATUS_CODES = frozenset({208, 400, 410, 2000, 3000, 5000, 6000})
FINAL_DLR_CODES = frozenset({1, 8, 16})

_CURRENCY = re.compile("[A-Z]{3}")

OPEN_BULK_CODES = frozenset({0, 5})
"""New and in progress: their counts and costs still move."""


def is_final(status_code: int | None, dlr_code: int | None) -> bool:
    """Whether a message's status can no longer change."""
    return status_code in FINAL_STATUS_CODES or (status_code == SENT and dlr_code in FINAL_DLR_CODES)


def is_currency(text: str) -> bool:
    """Whether a text has the form of an ISO 4217 code; a list of them would refuse a new one."""
    return _CURRENCY.fullmatch(text) is not None
