"""The person who is to be erased: one number or several. No error, log or `repr` holds one. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sms_etl.errors import NotANumber
from sms_etl.pii.phone_numbers import NotAPhoneNumberError, normalised

_INTERNATIONAL = re.compile(r"\s*\(?(?:\+|00)")
_HOW = "Give it with its country, such as +49 176 12345678 or 0049 176 12345678. Nothing was changed."
MOST_NUMBERS = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """Numbers in E.164, each once, in order."""

    numbers: tuple[str, ...] = field(repr=False)

    @property
    def digits(self) -> tuple[str, ...]:
        """The numbers without their plus: how they may stand in a text, whatever is before them."""
        return tuple(number.removeprefix("+") for number in self.numbers)

    def is_number(self, text: object) -> bool:
        """Whether a text is one of the numbers, however it is written."""
        if not isinstance(text, str) or not text:
            return False
        try:
            return normalised(text) in self.numbers
        except NotAPhoneNumberError:
            return False

    @property
    def pattern(self) -> str:
        """A regular expression (RE2) of one of the numbers in a text, its digits in one piece.

        It takes the character before and the one behind with it. A longer number that holds the digits is
        another one.
        """
        return f"(?:^|[^0-9])(?:00)?(?:{'|'.join(self.digits)})(?:$|[^0-9])"

    def is_in(self, text: object) -> bool:
        """Whether one of the numbers stands in a text."""
        return isinstance(text, str) and re.search(self.pattern, text) is not None

    def struck_out(self, text: str) -> str:
        """Return a text with asterisks for the numbers."""
        numbers = re.compile(f"(?<![0-9])(?:00)?(?:{'|'.join(self.digits)})(?![0-9])")
        return numbers.sub(lambda found: "*" * len(found[0]), text)


def read_subject(lines: Iterable[str], *, is_file: bool) -> Subject:
    """Read numbers, one a line; empty lines and those that begin with `#` are left out.

    Args:
        lines: Texts.
        is_file: Whether an error names the line.

    Raises:
        NotANumber: A line is no number with its country, there is none, or there are too many.
    """
    found: dict[str, None] = {}
    for place, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            continue
        where = f"Line {place}" if is_file else "What --phone gives"
        found[_number(text, where)] = None
    if not found:
        raise NotANumber("No number was given.", hint=_HOW)
    if len(found) > MOST_NUMBERS:
        raise NotANumber(
            f"{len(found)} numbers are too many at once.", hint=f"Give at most {MOST_NUMBERS} at once."
        )
    return Subject(tuple(found))


def _number(text: str, where: str) -> str:
    import phonenumbers  # noqa: PLC0415 - takes 0.1 s

    try:
        number = normalised(text)
    except NotAPhoneNumberError:
        raise NotANumber(f"{where} is no phone number.", hint=_HOW) from None
    if not _INTERNATIONAL.match(text):
        raise NotANumber(f"{where} is a number without its country.", hint=_HOW)
    try:
        is_possible = phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        is_possible = False
    if not is_possible:
        raise NotANumber(
            f"{where} is no number that can exist: its country or its length is wrong.", hint=_HOW
        )
    return number
