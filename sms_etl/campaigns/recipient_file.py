"""Reads the numbers of a CSV file, as spreadsheets and address books write it. Never quotes a number."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sms_etl.campaigns.recipients import Recipients, has_digits_only, number_columns, recipients_of
from sms_etl.errors import CampaignRefused

_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r'"?sep=([^" ])"?', re.IGNORECASE)
"""The first line of files for Excel; no row."""
_HOW_TO_WRITE = (
    "Give a CSV in UTF-8 with one number a line; with several columns, the first line names that of the "
    "numbers: phone, mobile, Telefon, Handy or Rufnummer. Lines that begin with # are comments."
)
_HOW_TO_SAVE = f"Save it as “CSV UTF-8” (so called in Excel). {_HOW_TO_WRITE}"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORKBOOK = b"PK\x03\x04"


@dataclass(frozen=True)
class NumberFile:
    """The rows of a file, and which of their columns are of numbers."""

    rows: list[tuple[int, list[str]]]
    """Each with the line it begins on; without the heading."""
    places: list[int]
    """Of the columns of numbers, the one that is to be read first."""
    names: list[str]
    """Their headings; empty if there is none."""

    def first_of_each(self) -> Iterator[tuple[int, str]]:
        """Yield what stands in the first column of numbers, with its line; empty where nothing does."""
        for line, fields in self.rows:
            yield line, _field(fields, self.places[0])

    def all_of_each(self) -> Iterator[tuple[int, str]]:
        """Yield what stands in all columns of numbers; of a row where nothing does, one empty text."""
        for line, fields in self.rows:
            written = [_field(fields, place) for place in self.places]
            yield from ((line, each) for each in [text for text in written if text] or [""])


def read_recipients(path: Path, country: str) -> Recipients:
    """Read the recipients of a CSV file: its only column, or the one whose heading says so.

    Args:
        path: The file; with commas, semicolons or tabs.
        country: ISO 3166-1 alpha-2; where numbers with one leading zero are of.

    Raises:
        CampaignRefused: It cannot be read, or has no column of numbers.
    """
    file = read_number_file(path)
    found = recipients_of(file.first_of_each(), country)
    return replace(found, column=next(iter(file.names), None), other_columns=tuple(file.names[1:]))


def read_number_file(path: Path) -> NumberFile:
    """Read a CSV file that has numbers in it.

    Raises:
        CampaignRefused: As `read_recipients`.
    """
    rows = list(_rows(_text_of(path), path))
    if not rows:
        raise CampaignRefused(f"{path} is empty.", hint=_HOW_TO_WRITE)
    heading = [field.strip() for field in rows[0][1]]
    places = number_columns(heading)
    if places:
        return NumberFile(rows[1:], places, [heading[place] for place in places])
    if len(heading) == 1 and has_digits_only(heading[0]):
        return NumberFile(rows, [0], [])
    raise CampaignRefused(f"{path} does not name the column of its numbers.", hint=_HOW_TO_WRITE)


def _field(fields: list[str], place: int) -> str:
    return fields[place].strip() if len(fields) > place else ""


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise CampaignRefused(
            f"{path} cannot be opened: {exc.strerror or 'not readable'}.", hint=_HOW_TO_WRITE
        ) from exc
    if content.startswith(_WORKBOOK):
        raise CampaignRefused(f"{path} is a workbook, and no CSV.", hint=_HOW_TO_SAVE)
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without its mark
        raise CampaignRefused(f"{path} is not UTF-8.", hint=_HOW_TO_SAVE)
    return text


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line it begins on; lines with `#` are comments."""
    lines = io.StringIO(text, newline="")
    named = _SEPARATOR.fullmatch(next(iter(lines), "").rstrip("\r\n"))
    skipped = 1 if named else 0
    if not named:
        lines.seek(0)
    reader = csv.reader(lines, delimiter=named[1] if named else _delimiter(text), strict=True)
    begins = skipped + 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields) and not fields[0].startswith("#"):
                yield begins, fields
            begins = skipped + reader.line_num + 1
    except csv.Error as exc:
        raise CampaignRefused(
            f"{path}:{begins}: its quotes do not match, or a field is too long.", hint=_HOW_TO_WRITE
        ) from exc


def _delimiter(text: str) -> str:
    """Return what divides the first row: what shows a heading of numbers, else what divides it most."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")

    def fits(delimiter: str) -> tuple[bool, int]:
        try:
            fields = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            return False, 0
        return bool(number_columns(fields)), len(fields)

    return max(_DELIMITERS, key=fits)
