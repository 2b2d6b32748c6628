"""What a page shows of a sender: a name as it is, somebody's number never, whatever is stored. Pure."""

import re

from sms_etl.pii.phone_numbers import NotAPhoneNumberError, normalised
from sms_etl.pii.policy import Pii, masked
from sms_etl.pii.redaction import is_sender_name
from sms_etl.plain_text import printable

_MASKED = re.compile(r"\+?[0-9]{0,2}\*+[0-9]{0,2}~[0-9a-f]{8}|~[0-9a-f]{8}")
"""As `pseudonymise` stores what is no name; see docs/personal-data.md."""
_HASH = re.compile(r"[0-9a-f]{32}")
_MOST_DIGITS, _MOST_CHARACTERS = 4, 40
WITHHELD = "withheld"


def treated_sender(pii: Pii, sender: str) -> str:
    """Return a sender as the policy stores it; one that was stored under `pseudonymise` stays as it is.

    Never empty: of what is not stored at all a mark of its hash is returned.
    """
    if _MASKED.fullmatch(sender) or _HASH.fullmatch(sender):
        return sender
    return pii.treated("sender_id", sender) or f"~{pii.hash_of(sender)[:8]}"


def shown_sender(sender: str) -> str:
    """Return a name as it is, a masked number as it is stored, and any other number masked."""
    if is_sender_name(sender) or _MASKED.fullmatch(sender):
        return sender
    if _HASH.fullmatch(sender):
        return f"~{sender[:8]}"
    try:
        return masked(normalised(sender))
    except NotAPhoneNumberError:
        pass
    if sum(character.isdigit() for character in sender) > _MOST_DIGITS:
        return WITHHELD
    return printable(sender[:_MOST_CHARACTERS])
