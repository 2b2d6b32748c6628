"""What a page shows of a sender: never somebody's number, whatever the policy has stored."""

import pytest

from sms_etl.pii.senders import shown_sender

MASKED = "+49*********78"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("Musterladen", "Musterladen"),
        ("70707", "70707"),  # a short code
        (f"{MASKED}~1f0c93aa", f"{MASKED}~1f0c93aa"),  # pseudonymised
        ("~1f0c93aa", "~1f0c93aa"),
        ("+4917612345678", MASKED),  # kept
        ("0049 176 12345678", MASKED),
        ("4917612345678", MASKED),
        ("0" * 31 + "f", "~00000000"),  # hashed
        ("Anna 0176 1234567", "withheld"),
        ("=2+3", "=2+3"),
        ("<b>Shop</b>", "<b>Shop</b>"),  # the page escapes it
        ("Shop\x1b[31m", "Shop\\x1b[31m"),
        ("x" * 60, "x" * 40),
        ("unknown", "unknown"),
    ],
)
def test_a_name_is_shown_and_a_number_is_masked(stored: str, shown: str) -> None:
    assert shown_sender(stored) == shown
