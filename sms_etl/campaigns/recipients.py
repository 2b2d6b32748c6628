"""Reads who a campaign goes to: numbers in E.164, each once. Never quotes a number, only names its row.

A number is read as the provider reads it: `+49170…`, `0049170…` and `49170…` are the same everywhere, and
`0170…` is of the country that is named. What is no number is left out and told by its row; so is a number
that is there twice.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import phonenumbers

from sms_etl.errors import CampaignRefused
from sms_etl.pii.phone_numbers import ascii_digits

COLUMNS = ("phone", "phone_number", "number", "mobile", "msisdn", "recipient")
"""Headings a column of numbers may have; the first of these that is there is read."""
MOST_RECIPIENTS = 1_000_000
"""A larger file is no list of recipients, or is to be sent in parts."""
_WRITTEN = re.compile(r"[+(]?[0-9 ()./+\-\u00a0\u2010-\u2015]*")
_SHORTENED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
"""`4.91702E+11`: the digits are gone."""
_LEAST_DIGITS = 8
"""Of a number, calling code included, that is in no numbering plan known here; a shorter one is an error."""
_DELIMITERS = ",;\t"


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


class _NoNumberError(ValueError):
    """Says why a text is no number; never quotes it."""


def read_recipients(path: Path, country: str) -> Recipients:
    """Read the recipients of a CSV file: one column of them, or one with a heading of `COLUMNS`.

    Args:
        path: The file; in UTF-8, with commas, semicolons or tabs.
        country: ISO 3166-1 alpha-2; where numbers with one leading zero are of.

    Raises:
        CampaignRefused: It cannot be read, or has no column of numbers.
    """
    return recipients_of(numbers_in(path), country)


def numbers_in(path: Path) -> list[tuple[int, str]]:
    """Return what stands in a CSV file's column of numbers, with its lines.

    Raises:
        CampaignRefused: As `read_recipients`.
    """
    rows = list(_rows(_text_of(path), path))
    if not rows:
        raise CampaignRefused(f"{path} is empty.", hint=_HOW_TO_WRITE)
    place, has_heading = _column(rows[0][1], path)
    return [
        (line, fields[place].strip() if len(fields) > place else "") for line, fields in rows[has_heading:]
    ]


def recipients_of(rows: Iterable[tuple[int, str]], country: str) -> Recipients:
    """Return the recipients in rows of text.

    Args:
        rows: Number of the row, and what stands in it.
        country: As in `read_recipients`.
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
    text = ascii_digits(written).strip()
    if not text:
        raise _NoNumberError("there is no number")
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


_HOW_TO_WRITE = (
    "Give a CSV in UTF-8 with one number a line; with several columns, the first line names that of the "
    f"numbers: {', '.join(COLUMNS)}."
)


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise CampaignRefused(
            f"{path} cannot be opened: {exc.strerror or 'not readable'}.", hint=_HOW_TO_WRITE
        ) from exc
    except UnicodeDecodeError as exc:
        raise CampaignRefused(
            f"{path} is not UTF-8.", hint=f"Save it as “CSV UTF-8” (so called in Excel). {_HOW_TO_WRITE}"
        ) from exc


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line it begins on; lines with `#` are comments."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields) and not fields[0].startswith("#"):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as exc:
        raise CampaignRefused(
            f"{path}:{begins}: its quotes do not match, or a field is too long.", hint=_HOW_TO_WRITE
        ) from exc


def _column(first: list[str], path: Path) -> tuple[int, bool]:
    """Return the place of the numbers, and whether the first row is a heading."""
    names = [field.strip().lower() for field in first]
    for name in COLUMNS:
        if name in names:
            return names.index(name), True
    if len(names) == 1 and not re.search(r"[a-z]", names[0]):
        return 0, False
    raise CampaignRefused(f"{path} does not name the column of its numbers.", hint=_HOW_TO_WRITE)
