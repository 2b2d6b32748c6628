"""Reads who a campaign goes to: numbers in E.164, each once. Never quotes a number, only names its row.

A number is read as the provider reads it: `+49170…`, `0049170…` and `49170…` are the same everywhere, and
`0170…` is of the country that is named. What is no number is left out and told by its row; so is a number
that is there twice.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import phonenumbers

from sms_etl.errors import CampaignRefused
from sms_etl.pii.phone_numbers import ascii_digits

_MOBILE = """
    mobile mobilephone mobilenumber mobilephonenumber mobil mobilnr mobilnummer mobiltelefon
    mobiltelefonnummer mobilfunk mobilfunknr mobilfunknummer handy handynr handynummer
    natel natelnr natelnummer cell cellphone cellnumber cellphonenumber msisdn
    portable cellulare movil telefonmobil telmobil phonemobile
"""
_PHONE = """
    phone phonenr phoneno phonenumber telefon telefonnr telefonnummer tel telnr telno telephone
    telephonenumber telephonenr telefono rufnr rufnummer
"""
_OTHER = "number numbers nummer recipient recipients empfanger empfaenger"
_RANKS = {each: rank for rank, named in enumerate((_MOBILE, _PHONE, _OTHER)) for each in named.split()}
"""Letters of a heading, without accents: what a text message reaches first, then any telephone."""
MOST_RECIPIENTS = 1_000_000
"""A larger file is no list of recipients, or is to be sent in parts."""
_WRITTEN = re.compile(r"[+(]?[0-9 ()./+\-\u00a0\u2010-\u2015]*")
_SHORTENED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
"""`4.91702E+11`: the digits are gone."""
_AMOUNT = re.compile(r"[0-9]{7,}[.,]0+")
"""`491701234567.0`: a program took it for an amount, and its last digit is none of the number."""
_TEXT_CELL = re.compile(r"""="(.*)"|'(.*)""")
"""`="0170…"` and `'0170…`: how numbers are kept as text in a spreadsheet."""
_LEAST_DIGITS = 8
"""Of a number, calling code included, that is in no numbering plan known here; a shorter one is an error."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row without a number that can be sent to."""

    row: int
    """Line of the file, or row of the query, from 1 on."""
    reason: str


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who a campaign is meant for, before those who opted out are left out."""

    numbers: tuple[str, ...]
    """In E.164, each once, in the order they came."""
    invalid: tuple[BadRow, ...] = ()
    duplicates: int = 0
    """Rows with a number that stands in an earlier one."""
    unlikely: int = 0
    """Numbers, among `numbers`, that are in no numbering plan known here: new ones, or typing errors."""
    column: str | None = None
    """The heading they stand under; None if there is none."""
    other_columns: tuple[str, ...] = ()
    """Other headings of numbers: what stands under them was not read."""


class _NoNumberError(ValueError):
    """Says why a text is no number; never quotes it."""


def number_columns(names: Sequence[str]) -> list[int]:
    """Return which columns are of numbers by their headings, the one that is to be read first.

    A column of mobile numbers comes before one of telephones; of two alike, the first.
    """
    ranks = {place: _RANKS.get(_letters(name)) for place, name in enumerate(names)}
    found = [(rank, place) for place, rank in ranks.items() if rank is not None]
    return [place for _, place in sorted(found)]


def has_digits_only(written: str) -> bool:
    """Return whether a text is meant as a number, in whatever way, and is no heading."""
    text = _unwrapped(written)
    return bool(_WRITTEN.fullmatch(text) or _SHORTENED.fullmatch(text))


def recipients_of(rows: Iterable[tuple[int, str]], country: str) -> Recipients:
    """Return the recipients in rows of text.

    Args:
        rows: Number of the row, and what stands in it.
        country: ISO 3166-1 alpha-2; where numbers with one leading zero are of.
    """
    numbers: dict[str, bool] = {}
    invalid: list[BadRow] = []
    duplicates = 0
    for row, written in rows:
        try:
            number, is_likely = number_of(written, country)
        except _NoNumberError as exc:
            invalid.append(BadRow(row, str(exc)))
            continue
        if number in numbers:
            duplicates += 1
        numbers[number] = is_likely
    if len(numbers) > MOST_RECIPIENTS:
        raise CampaignRefused(
            f"{len(numbers):,} recipients are more than a campaign takes: {MOST_RECIPIENTS:,}.",
            hint="Send them in parts.",
        )
    return Recipients(tuple(numbers), tuple(invalid), duplicates, sum(not each for each in numbers.values()))


def number_of(written: str, country: str) -> tuple[str, bool]:
    """Return a number in E.164, and whether it is in the numbering plan of its country.

    Raises:
        ValueError: It is none; the message does not quote it.
    """
    text = _unwrapped(written)
    if not text:
        raise _NoNumberError("there is no number")
    if _AMOUNT.fullmatch(text):
        raise _NoNumberError("a program took it for an amount; export it again with the column as text")
    if not _WRITTEN.fullmatch(text):
        if _SHORTENED.fullmatch(text):
            raise _NoNumberError("a spreadsheet shortened it; export it again with the column as text")
        raise _NoNumberError("it holds other characters than those numbers are written with")
    digits = re.sub(r"[^0-9]", "", text)
    if text.lstrip("(").startswith("+"):
        found = _parsed(text, None)
    elif digits.startswith("00"):
        found = _parsed("+" + text.lstrip("( ")[2:], None)
    elif digits.startswith("0"):
        found = _parsed(text, country)
    else:
        found = _without_prefix(digits, country)
    if found is None:
        raise _NoNumberError("it is too short, too long, or of no country")
    return (
        phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.is_valid_number(found),
    )


def country_of(number: str) -> str:
    """Return the country of a number in E.164, ISO 3166-1 alpha-2; ZZ if it is of none."""
    parsed = phonenumbers.parse(number, None)
    region = phonenumbers.region_code_for_number(parsed)
    if region is None and parsed.country_code is not None:
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return region if region and re.fullmatch(r"[A-Z]{2}", region) else "ZZ"


def check_country(country: str) -> str:
    """Return a country's code in capitals.

    Raises:
        CampaignRefused: There is none of it.
    """
    code = country.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise CampaignRefused(
            f"--country: {country!r} is no country with telephone numbers.", hint="Give a code such as DE."
        )
    return code


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[^a-z]", "", plain)


def _unwrapped(written: str) -> str:
    text = ascii_digits(written).strip()
    wrapped = _TEXT_CELL.fullmatch(text)
    return (wrapped[1] or wrapped[2] or "").strip() if wrapped else text


def _without_prefix(digits: str, country: str) -> phonenumbers.PhoneNumber | None:
    """Read digits alone: a calling code and a number, as the provider does.

    Where national numbers have no leading zero (`415 555 2671` in the US), they may be meant as well. Where
    they have one, spreadsheets drop it: what would be a mobile number with it is not guessed at.
    """
    international = _parsed(f"+{digits}", None)
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if plan is not None and plan.national_prefix == "0":
        if digits[:1] != "0" and _is_mobile_without_zero(digits, country):
            # 0157 1234 5678 without its zero is a number in the US: strangers would be written to.
            raise _NoNumberError(
                "its leading zero may have been lost in a spreadsheet; write it with + and its calling code"
            )
        return international
    national = _parsed(digits, country)
    likely = [each for each in (international, national) if each and phonenumbers.is_valid_number(each)]
    if len(likely) == 2 and likely[0] != likely[1]:
        raise _NoNumberError("it can be read in two ways; write it with + and its calling code")
    return likely[0] if likely else national or international


def _is_mobile_without_zero(digits: str, country: str) -> bool:
    with_zero = _parsed(f"0{digits}", country)
    return (
        with_zero is not None
        and phonenumbers.is_valid_number(with_zero)
        and phonenumbers.number_type(with_zero) == phonenumbers.PhoneNumberType.MOBILE
    )


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    number = phonenumbers.PhoneNumber(
        country_code=number.country_code,
        national_number=number.national_number,
        italian_leading_zero=number.italian_leading_zero,
        number_of_leading_zeros=number.number_of_leading_zeros,
    )
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    is_long_enough = len(digits) > _LEAST_DIGITS or phonenumbers.is_valid_number(number)
    return number if is_long_enough else None
