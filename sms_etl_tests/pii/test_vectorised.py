"""Holds that whole columns of numbers and texts give what each of them gives by itself."""

import re
import sys

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_etl.pii.phone_numbers import NotAPhoneNumberError
from sms_etl.pii.policy import ALPHABETS_END, CODE_COLUMNS, DEFAULT_TREATMENTS, Pii, PiiPolicy
from sms_etl.pii.vectorised import NO_WORDS, phone_columns, text_columns, treated_column
from sms_etl.sms_parts import GSM_CHARACTERS

HIDDEN = Pii(PiiPolicy.PSEUDONYMISE, b"a key")
KEPT = Pii(PiiPolicy.KEEP, b"a key")
policies = pytest.mark.parametrize("pii", [HIDDEN, KEPT], ids=list(PiiPolicy))

BEHIND_THE_ALPHABETS = [chr(code) for first, last in NO_WORDS for code in range(first, last + 1)]
ALPHABETS = [chr(code) for code in range(ALPHABETS_END)]

numbers = st.one_of(
    st.none(), st.from_regex(r"\+[1-9][0-9]{0,14}", fullmatch=True), st.text("+0123456789 ²٣x", max_size=12)
)
words = st.text("aB1ßÀжИ_- '€^📦ﬁⅧ²٣世\u0301\u00aaǅ\n\x00", max_size=30)
long_texts = st.text("a€^ж😀", min_size=60, max_size=340)
texts = st.one_of(st.none(), words, long_texts, st.text(max_size=30))
flags = st.sampled_from([None, True, False])


def assert_texts_alike(rows: list[tuple[str | None, bool | None, bool | None]], pii: Pii) -> None:
    strings, unicode_flags, deleted_flags = ([row[place] for row in rows] for place in range(3))
    found = text_columns(
        pa.array(strings, pa.string()),
        pa.array(unicode_flags, pa.bool_()),
        pa.array(deleted_flags, pa.bool_()),
        pii,
    )
    expected = [
        pii.text_fields(text, is_unicode=is_unicode, is_deleted=is_deleted)
        for text, is_unicode, is_deleted in rows
    ]
    for name in HIDDEN.text_fields("a", is_unicode=None, is_deleted=None):
        assert found[name].to_pylist() == [fields[name] for fields in expected], name


@policies
@settings(deadline=None)  # the first array pyarrow makes imports pandas
@given(phones=st.lists(numbers, max_size=12))
@example(phones=["", None, "+", "+1", "+123", "+12345678", "+1234567", "00491761234567", "+49²"])
def test_a_column_of_numbers_gives_what_each_of_them_gives(pii: Pii, phones: list[str | None]) -> None:
    found = phone_columns(pa.array(phones, pa.string()), pii)
    for place, phone in enumerate(phones):
        given = {name: column[place].as_py() for name, column in found.items()}
        try:
            assert given == pii.phone_fields(phone), phone
        except NotAPhoneNumberError:
            assert {given[name] for name in given if name != "phone"} == {None}, phone


@policies
@settings(deadline=None)  # the first array pyarrow makes imports pandas
@given(values=st.lists(st.one_of(st.none(), st.text(max_size=20), st.ip_addresses().map(str)), max_size=12))
@pytest.mark.parametrize("column", [*DEFAULT_TREATMENTS, *CODE_COLUMNS])
def test_a_column_that_is_treated_gives_what_each_value_gives(
    column: str, pii: Pii, values: list[str | None]
) -> None:
    found = treated_column(column, pa.array(values, pa.string()), pii)
    assert found.to_pylist() == [pii.treated(column, value) for value in values]


@policies
@settings(deadline=None)  # the first array pyarrow makes imports pandas
@given(rows=st.lists(st.tuples(texts, flags, flags), max_size=12))
@example(rows=[("a" * 152 + "€" + "a" * 152, flag, None) for flag in (None, True, False)])
@example(rows=[("ж" * 66 + "😀" + "ж" * 66, False, None), ("", None, None), ("", None, True)])
def test_a_column_of_texts_gives_what_each_of_them_gives(
    pii: Pii, rows: list[tuple[str | None, bool | None, bool | None]]
) -> None:
    assert_texts_alike(rows, pii)


@pytest.mark.parametrize("around", ["a{}b", "{}a", "aB{}c", "1{}a", "{}"])
def test_every_character_of_the_alphabets_and_signs_blanks_the_same_words(around: str) -> None:
    assert_texts_alike(
        [(around.format(sign), None, None) for sign in ALPHABETS + BEHIND_THE_ALPHABETS], HIDDEN
    )


def test_the_ranges_of_signs_hold_neither_letters_nor_digits() -> None:
    assert [sign for sign in BEHIND_THE_ALPHABETS if not re.fullmatch(r"[\W_]", sign)] == []


def test_every_character_of_gsm_lies_in_those_ranges() -> None:
    """So the characters outside GSM tell whether RE2 may read a text."""
    of_gsm = re.findall(f"[{GSM_CHARACTERS}]", "".join(map(chr, range(sys.maxunicode + 1))))
    assert len(of_gsm) == 127 + 10
    assert set(of_gsm) <= set(ALPHABETS + BEHIND_THE_ALPHABETS)
