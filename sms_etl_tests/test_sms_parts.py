"""Holds the count of parts to GSM 03.38, to a model that tries every packing, and to two other programs."""

from functools import cache
from itertools import accumulate

import pytest
import sms_toolkit
import smsutil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_etl.sms_parts import PartCount, count_parts

# Written down from the tables of GSM 03.38, 6.2.1, row by row; not from our code.
BASIC_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
EXTENSION_TABLE = "\f^{}\\[~]|€"

gsm_texts = st.text(alphabet=st.sampled_from(BASIC_TABLE + EXTENSION_TABLE * 4), max_size=700)
any_texts = st.text(
    alphabet=st.one_of(
        st.sampled_from("abc жß€😀👍🏽"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=400,
)


def gsm(units: int, parts: int) -> PartCount:
    return PartCount(units, parts, is_gsm=True, non_gsm="")


def ucs2(units: int, parts: int, text: str) -> PartCount:
    foreign = "".join(character for character in text if character not in BASIC_TABLE + EXTENSION_TABLE)
    return PartCount(units, parts, is_gsm=False, non_gsm=foreign)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", gsm(0, 1)),
        ("a" * 160, gsm(160, 1)),
        ("a" * 161, gsm(161, 2)),
        ("a" * 306, gsm(306, 2)),
        ("a" * 307, gsm(307, 3)),
        ("a" * 1530, gsm(1530, 10)),
        ("€" * 80, gsm(160, 1)),
        ("€" * 81, gsm(162, 2)),
        ("€" * 76 + "a" + "€" * 76 + "a", gsm(306, 2)),
        ("a" * 152 + "€" + "a" * 152, gsm(306, 3)),
        ("a" * 158 + "€", gsm(160, 1)),
        ("a" * 159 + "€", gsm(161, 2)),
        ("ж" * 70, ucs2(70, 1, "ж" * 70)),
        ("ж" * 71, ucs2(71, 2, "ж" * 71)),
        ("ж" * 134, ucs2(134, 2, "ж" * 134)),
        ("ж" * 135, ucs2(135, 3, "ж" * 135)),
        ("ж" * 670, ucs2(670, 10, "ж" * 670)),
        ("😀" * 35, ucs2(70, 1, "😀" * 35)),
        ("😀" * 36, ucs2(72, 2, "😀" * 36)),
        ("ж" * 66 + "😀" + "ж" * 66, ucs2(134, 3, "ж" * 66 + "😀" + "ж" * 66)),
        ("жа" * 3 + "b", ucs2(7, 1, "жа" * 3 + "b")),
        ("€ж", ucs2(2, 1, "€ж")),
    ],
    ids=lambda value: f"{value[:3]!r}x{len(value)}" if isinstance(value, str) else "",
)
def test_texts_are_counted_as_networks_count_them(text: str, count: PartCount) -> None:
    assert count_parts(text) == count


@pytest.mark.parametrize("character", BASIC_TABLE)
def test_a_character_of_the_basic_table_takes_one_septet(character: str) -> None:
    assert count_parts(character) == gsm(1, 1)


@pytest.mark.parametrize("character", EXTENSION_TABLE)
def test_a_character_of_the_extension_table_takes_two(character: str) -> None:
    assert count_parts(character) == gsm(2, 1)


@pytest.mark.parametrize(
    "character", ["ç", "`", "\t", "\xa0", "’", "“", "–", "…", "\x1b", "á", "ő", "\ufeff"]
)
def test_a_character_of_neither_table_makes_it_ucs2(character: str) -> None:
    assert count_parts("a" + character) == ucs2(2, 1, character)


def test_a_plain_text_sent_as_unicode_counts_code_units_and_blames_no_character() -> None:
    assert count_parts("a" * 71, is_unicode=True) == ucs2(71, 2, "")
    assert count_parts("€" * 70, is_unicode=True) == ucs2(70, 1, "")


def test_a_text_that_does_not_fit_gsm_is_ucs2_whatever_the_provider_says() -> None:
    assert count_parts("ж", is_unicode=False) == ucs2(1, 1, "ж")


def fewest_parts(widths: tuple[int, ...], capacity: int) -> int:
    """Try every way of cutting between characters; a character itself is never cut."""

    offsets = [0, *accumulate(widths)]

    @cache
    def fewest_from(start: int) -> int:
        if start == len(widths):
            return 0
        ends = (end for end in range(start + 1, len(widths) + 1) if offsets[end] - offsets[start] <= capacity)
        return 1 + min(fewest_from(end) for end in ends)

    return max(1, fewest_from(0))


@settings(max_examples=30)  # each tries every packing
@given(st.lists(st.sampled_from("a€"), min_size=161, max_size=230).map("".join))
def test_no_way_of_cutting_between_characters_needs_fewer_parts_gsm(text: str) -> None:
    widths = tuple(2 if character == "€" else 1 for character in text)
    assert count_parts(text).parts == fewest_parts(widths, 153)


@settings(max_examples=30)
@given(st.lists(st.sampled_from("ж😀"), min_size=71, max_size=180).map("".join))
def test_no_way_of_cutting_between_characters_needs_fewer_parts_ucs2(text: str) -> None:
    widths = tuple(2 if character == "😀" else 1 for character in text)
    assert count_parts(text).parts == fewest_parts(widths, 67)


@given(gsm_texts)
@example("a" * 152 + "€" + "a" * 152)
def test_sms_toolkit_counts_gsm_texts_the_same(text: str) -> None:
    """They differ only on an empty text (none; ours is one) and its `message_length` counts characters."""
    profile = sms_toolkit.profile_message(text)
    ours = count_parts(text)
    assert ours.parts == max(1, profile["num_segments"])
    assert ours.units == sum(segment["total_segment_length"] for segment in profile["segments"])


@given(any_texts)
@example("ж" * 66 + "😀" + "ж" * 66)
def test_sms_toolkit_counts_any_text_the_same(text: str) -> None:
    profile = sms_toolkit.profile_message(text)
    ours = count_parts(text)
    assert ours.parts == max(1, profile["num_segments"])
    assert ours.units == sum(segment["total_segment_length"] for segment in profile["segments"])


@given(any_texts.filter(lambda text: text != "" and "\x1b" not in text))
@example("a" * 152 + "€" + "a" * 152)
@example("ж" * 66 + "😀" + "ж" * 66)
def test_smsutil_counts_the_same(text: str) -> None:
    """They differ on the escape character, to it a letter, and on an empty text, to it UCS-2."""
    split = smsutil.split(text)
    ours = count_parts(text)
    assert ours.is_gsm == (split.encoding == "gsm0338")
    assert ours.parts == len(split.parts)
    assert ours.units == split.total_bytes // (1 if ours.is_gsm else 2)


@given(any_texts)
def test_the_characters_that_forced_ucs2_are_those_of_the_text_in_their_order(text: str) -> None:
    found = count_parts(text).non_gsm
    assert list(found) == [character for character in text if character not in BASIC_TABLE + EXTENSION_TABLE]
