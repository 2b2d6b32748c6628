"""Who a bulk goes to: its numbers in E.164, and the groups of the account. Pure.

The provider reads numbers by the country of the account: in a German one `+49170…`, `0049170…`, `49170…` and
`0170…` are the same. Digits alone count as a calling code and a number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

_E164 = re.compile(r"\+[1-9][0-9]{2,14}")
_CALLING_CODES = {"DE": "49", "AT": "43", "CH": "41"}

GROUPS: Mapping[int, tuple[str, ...]] = {
    7116: tuple(f"+4915555{number:06}" for number in range(100_001, 100_026)),
    7117: tuple(f"+417955500{number:02}" for number in range(1, 13)),
    7118: (),
}
"""The groups of every account: customers in Germany, customers in Switzerland, and one that is empty."""


def to_e164(number: str, country: str) -> str:
    """Return a number in E.164; what is no number stays as it is.

    Args:
        number: As the caller wrote it.
        country: Of the account, ISO 3166: a number with one leading zero is of there.
    """
    if number.startswith("+"):
        full = number
    elif number.startswith("00"):
        full = f"+{number[2:]}"
    elif number.startswith("0"):
        full = f"+{_CALLING_CODES[country]}{number[1:]}"
    else:
        full = f"+{number}"
    return full if is_e164(full) else number


def is_e164(number: object) -> bool:
    """Say whether a value is a number in E.164."""
    return isinstance(number, str) and _E164.fullmatch(number) is not None


def recipients(phones: Sequence[str] | None, groups: Iterable[int] | None) -> list[str]:
    """Return the numbers a bulk goes to, doubles included; a group that is not there has none."""
    in_groups = [phone for group in groups or () for phone in GROUPS.get(group, ())]
    return [*(phones or ()), *in_groups]
