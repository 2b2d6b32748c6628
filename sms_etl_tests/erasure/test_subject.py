"""Holds what is taken for a person's number, and that no error or `repr` holds one."""

import re

import pytest

from sms_etl.erasure.subject import Subject, read_subject
from sms_etl.errors import NotANumber

PHONE = "+4915799887766"


@pytest.mark.parametrize(
    "written", [PHONE, "0049 157 99887766", "+49 (0)157 9988-7766", f"  {PHONE}\n", f"\ufeff{PHONE}"]
)
def test_a_number_is_read_however_it_is_written(written: str) -> None:
    assert read_subject([written], is_file=False).numbers == (PHONE,)


def test_a_file_has_a_number_a_line_and_remarks() -> None:
    lines = ["# people", "", PHONE, "0049 157 99887766", "+41 44 668 18 00"]
    assert read_subject(lines, is_file=True).numbers == (PHONE, "+41446681800")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0157 99887766", "without its country"),
        ("4915799887766", "without its country"),
        ("+49 1", "no number that can exist"),
        ("+999 123456789", "no number that can exist"),
        ("Erika 4915799887766", "is no phone number"),
        ("--phone", "is no phone number"),
    ],
)
def test_what_is_no_number_is_refused_by_its_line_and_not_quoted(line: str, says: str) -> None:
    with pytest.raises(NotANumber, match=f"Line 2 .*{says}") as caught:
        read_subject([PHONE, line], is_file=True)
    assert caught.value.exit_code == 2
    assert not re.search(r"99887766|Erika|12345678\d", str(caught.value))


def test_no_number_or_too_many_are_refused() -> None:
    with pytest.raises(NotANumber, match="No number was given"):
        read_subject(["", "# nobody"], is_file=True)
    with pytest.raises(NotANumber, match="1001 numbers are too many"):
        read_subject([f"+4915799{number:06}" for number in range(1001)], is_file=True)


def test_a_subject_shows_no_number() -> None:
    assert repr(read_subject([PHONE], is_file=False)) == "Subject()"


@pytest.mark.parametrize(
    ("text", "is_in"),
    [
        (PHONE, True),
        ("call 004915799887766!", True),
        ("4915799887766", True),
        (f"{PHONE}0", False),
        ("14915799887766", False),
        ('{"to":4915799887766}', True),
        ("nobody", False),
        (None, False),
    ],
)
def test_a_number_in_a_text_is_told_from_a_longer_one(text: str | None, is_in: bool) -> None:
    subject = Subject((PHONE,))
    assert subject.is_in(text) is is_in
    if text is not None:
        assert subject.is_in(subject.struck_out(text)) is False
        assert (subject.struck_out(text) != text) is is_in
