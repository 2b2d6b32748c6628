"""The status codes of LOX24 that decide what is re-fetched. What they mean is in the seeds, which agree.

Source: LOX24's API reference. A code that is not listed here is not final: its message is re-fetched until it
ages out.
"""

import re

NEW = 0
"""Not sent yet: it may still be cancelled."""
CANCELLED_STATUS_CODES = frozenset({410, 6000})
"""Stopped before transmission, in the web account or by the API."""
SENT = 100
"""Handed to the mobile operator: the delivery report (`dlr_code`) decides."""

FINAL_STATUS_CODES = frozenset({208, 400, 410, 2000, 3000, 5000, 6000})
FINAL_DLR_CODES = frozenset({1, 8, 16})

_CURRENCY = re.compile("[A-Z]{3}")

OPEN_BULK_CODES = frozenset({0, 5})
"""New and in progress: their counts and costs still move."""


def is_currency(text: str) -> bool:
    """Whether a text has the form of an ISO 4217 code; a list of them would refuse a new one."""
    return _CURRENCY.fullmatch(text) is not None
