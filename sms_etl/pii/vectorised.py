"""Does for whole columns what `policy.py` does for one row: to the same bit, and mostly outside the GIL.

What a text or a number gives is worked out once for each distinct one. RE2 reads the plain ones; those with
characters on which it and Python might differ go through `pii/policy.py` one by one. Pure.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from sms_etl.pii.characters import told
from sms_etl.pii.phone_numbers import NotAPhoneNumberError, normalised
from sms_etl.pii.policy import ALPHABETS_END, CAPITALS, RANGE_DIGITS, Pii, blanked, masked
from sms_etl.sms_parts import GSM7, GSM_CHARACTERS, UCS2, Encoding, pack

Columns = Mapping[str, pa.Array]

_E164 = r"^\+[0-9]+$"
_FIRST_DIGITS, _LAST_DIGITS, _SHORT = 3, 2, 9
"""As `masked` shows them; the plus counts."""

NO_WORDS = (
    (0x2000, 0x206F),  # general punctuation
    (0x20A0, 0x20CF),  # currency signs
    (0x2190, 0x245F),  # arrows, mathematical and technical signs
    (0x2500, 0x2775),  # boxes, shapes, weather and the like
    (0x2794, 0x2BFF),  # dingbats, arrows
    (0xFE00, 0xFE0F),  # variation selectors, behind an emoji
    (0x1F300, 0x1FAFF),  # emoji
)
"""First and last of the ranges behind the alphabets that hold neither letters nor digits."""


def phone_columns(phones: pa.Array, pii: Pii) -> Columns:
    """Return `phone_hash`, `phone_masked`, `phone_range` and `phone` of a column of numbers.

    Of what is given and no number the first three are null.
    """
    coded = phones.dictionary_encode()
    distinct = coded.dictionary
    is_given = pc.not_equal(distinct, "")
    numbers = _replaced(distinct, pc.invert(pc.match_substring_regex(distinct, _E164)), _number_or_none)
    ranges = pc.utf8_slice_codeunits(numbers, 0, -RANGE_DIGITS).dictionary_encode()
    of_distinct = {
        "phone_hash": _hashed(numbers, pii),
        "phone_masked": _masked(numbers),
        "phone_range": _hashed(ranges.dictionary, pii).take(ranges.indices),
        "phone": distinct if pii.is_kept else _nulls(distinct),
    }
    return {
        name: pc.if_else(is_given, column, None).take(coded.indices) for name, column in of_distinct.items()
    }


def text_columns(texts: pa.Array, is_unicode: pa.Array, is_deleted: pa.Array, pii: Pii) -> Columns:
    """Return `text` and its features, all null once the provider has deleted the text.

    Args:
        texts: Of the messages.
        is_unicode: Whether the provider sent it as Unicode; null: not known.
        is_deleted: Whether the provider has deleted it; null: it has not.
        pii: The policy.
    """
    coded = pc.if_else(pc.fill_null(is_deleted, False), None, texts).dictionary_encode()
    distinct, places = coded.dictionary, coded.indices
    fits_gsm = pc.match_substring_regex(distinct, f"^[{GSM_CHARACTERS}]*$")
    foreign = pc.if_else(fits_gsm, "", distinct)  # to match takes a third of what to replace takes
    foreign = pc.replace_substring_regex(foreign, f"[{GSM_CHARACTERS}]+", "")
    gsm_units, gsm_parts = _units_and_parts(distinct, GSM7, distinct, fits_gsm)
    ucs2_units, ucs2_parts = _units_and_parts(distinct, UCS2, foreign, pc.invert(fits_gsm))
    is_gsm = pc.and_(fits_gsm.take(places), pc.invert(pc.fill_null(is_unicode, False)))
    return {
        "text_units": pc.if_else(is_gsm, gsm_units.take(places), ucs2_units.take(places)),
        "text_parts": pc.if_else(is_gsm, gsm_parts.take(places), ucs2_parts.take(places)),
        "text_non_gsm": _of_each_distinct(foreign, told).take(places),
        "text_template": _of_each_distinct(_blanked(distinct, foreign), pii.hash_of).take(places),
        "text": texts if pii.is_kept else _nulls(texts),
    }


def _units_and_parts(
    texts: pa.Array, encoding: Encoding, may_be_double: pa.Array, matters: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """Count units and parts in one encoding.

    Args:
        texts: The texts.
        encoding: How they are sent.
        may_be_double: The characters of each text among which those of two units are.
        matters: Where the parts must be right even if a character of two units might be cut.
    """
    doubles = pc.count_substring_regex(may_be_double, encoding.double.pattern)
    units = pc.cast(pc.add(pc.utf8_length(texts), doubles), pa.int64())
    if_single = pc.divide(pc.add(units, encoding.concatenated - 1), encoding.concatenated)
    parts = pc.if_else(pc.less_equal(units, encoding.single), 1, if_single)
    is_packed = pc.and_(pc.and_(pc.greater(units, encoding.single), pc.greater(doubles, 0)), matters)
    to_pack = zip(texts.filter(is_packed).to_pylist(), units.filter(is_packed).to_pylist(), strict=True)
    packed = [pack(text, encoding, count) for text, count in to_pack]
    return units, pc.replace_with_mask(parts, is_packed, pa.array(packed, pa.int64()))


def _masked(numbers: pa.Array) -> pa.Array:
    lengths = pc.utf8_length(numbers)
    is_short = pc.less(lengths, _SHORT)
    hidden = pc.if_else(is_short, 0, pc.subtract(lengths, _FIRST_DIGITS + _LAST_DIGITS))
    long_ones = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(numbers, 0, _FIRST_DIGITS),
        pc.binary_repeat("*", hidden),
        pc.utf8_slice_codeunits(numbers, -_LAST_DIGITS),
        "",
    )
    return _replaced(long_ones, is_short, masked, numbers)


def _blanked(texts: pa.Array, foreign: pa.Array) -> pa.Array:
    """Return the templates; `foreign`: each text's characters outside GSM 03.38, which is all plain."""
    is_plain = pc.match_substring_regex(foreign, _PLAIN)
    templates = pc.replace_substring_regex(texts, _VARIABLE_WORDS, "")
    return _replaced(templates, pc.invert(is_plain), blanked, texts)


def treated_column(column: str, values: pa.Array, pii: Pii) -> pa.Array:
    """Return what is stored of a column that may be personal."""
    if pii.is_kept:
        return values
    return _of_each_distinct(values, partial(pii.treated, column))


def _number_or_none(phone: str) -> str | None:
    try:
        return normalised(phone)
    except NotAPhoneNumberError:
        return None


def _replaced(
    values: pa.Array, where: pa.Array, by: Callable[[str], str | None], of: pa.Array | None = None
) -> pa.Array:
    """Replace some of the values by what a function makes of them, or of their fellows in `of`."""
    picked = (values if of is None else of).filter(where).to_pylist()
    return pc.replace_with_mask(values, where, pa.array([by(value) for value in picked], pa.string()))


def _of_each_distinct(values: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    coded = values.dictionary_encode()
    made = [function(value) for value in coded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(coded.indices)


def _hashed(values: pa.Array, pii: Pii) -> pa.Array:
    hashes = [None if value is None else pii.hash_of(value) for value in values.to_pylist()]
    return pa.array(hashes, pa.string())


def _nulls(values: pa.Array) -> pa.Array:
    return pa.nulls(len(values), pa.string())


def _class_of(is_member: Callable[[str], object]) -> str:
    """Write the characters of the alphabets that are members as ranges of a class of a regular expression."""
    members = [code for code in range(ALPHABETS_END) if is_member(chr(code))]
    starts = [code for code in members if code - 1 not in set(members)]
    ends = [code for code in members if code + 1 not in set(members)]
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in zip(starts, ends, strict=True))


_LETTERS = _class_of(partial(re.fullmatch, r"[^\W\d_]"))
_DIGITS = _class_of(partial(re.fullmatch, r"\d"))
_VARIABLE_WORDS = f"[{_DIGITS}]+|[{_LETTERS}]*[{CAPITALS}][{_LETTERS}]*"
"""As in `policy.py`; RE2 knows no look-behind, and needs none where a match begins as far left as it can."""
_PLAIN = (
    rf"^[\x{{0}}-\x{{{ALPHABETS_END - 1:x}}}"
    + "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in NO_WORDS)
    + "]*$"
)
