"""Reads phone numbers, however they are written, as one form: `+` and digits. Pure."""

import re
import unicodedata

_E164 = re.compile(r"\+[0-9]+")
_WRITTEN = re.compile(r"[+(]?[0-9 ()./+\-\u00a0\u2010-\u2015]*")
_INTERNATIONAL = re.compile(r"\(?(?:\+|00)")


class NotAPhoneNumberError(ValueError):
    """A text that no number can be read from; the message does not hold it."""

    def __init__(self) -> None:
        super().__init__("Not a phone number")


def normalised(phone: str) -> str:
    """Return a number as its hash sees it: `+` and its digits; one in E.164 stays as it is.

    Raises:
        NotAPhoneNumberError: It has no digits, or other characters than those that numbers are written with.
    """
    if _E164.fullmatch(phone):
        return phone
    written = ascii_digits(phone).strip()
    digits = "".join(character for character in written if character.isdigit())
    if not digits or not _WRITTEN.fullmatch(written):
        raise NotAPhoneNumberError
    international = _INTERNATIONAL.match(written)
    if international is None:
        return "+" + digits  # the provider writes E.164: only the plus is missing
    whole = "+" + digits.removeprefix("00")
    parsed = _parsed("+" + written[international.end() :])
    # A plan may drop more than the zero of `+49 (0)176`, which would part a number from its plain form.
    return parsed if parsed and parsed in _without_a_zero(whole) else whole


def _without_a_zero(number: str) -> set[str]:
    return {number[:place] + number[place + 1 :] for place, digit in enumerate(number) if digit == "0"}


def ascii_digits(text: str) -> str:
    """Return a text with the decimal digits of any script as ours."""
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def _parsed(written: str) -> str | None:
    """Return a number in E.164 as its country's numbering plan has it; None if there is no such plan."""
    import phonenumbers  # noqa: PLC0415 - takes 0.1 s, and next to all numbers come in E.164

    try:
        number = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
