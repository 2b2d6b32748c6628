"""Holds what is told of characters outside GSM 03.38: classes of what may spell a name, signs themselves."""

import pytest

from sms_etl.pii.characters import _is_of_emoji, told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "{}"),
        ("ŝŝ–😀", '{"emoji":1,"latin":2,"–":1}'),
        ("№€", '{"€":1,"№":1}'),
        ("\u200b\u00a0", '{"no-break space":1,"zero width space":1}'),
        ("👩\u200d💻", '{"emoji":3}'),
    ],
)
def test_letters_are_told_by_their_script_and_signs_as_they_are(text: str, expected: str) -> None:
    assert told(text) == expected


BLOCKS = [(0x2190, 0x21FF), (0x2300, 0x23FF), (0x2460, 0x27BF), (0x2900, 0x2BFF), (0x1F000, 0x1FAFF)]


@pytest.mark.parametrize(("first", "last"), BLOCKS)
def test_a_symbol_is_an_emoji_within_the_blocks_of_pictures_alone(first: int, last: int) -> None:
    assert [_is_of_emoji(code, "So") for code in (first - 1, first, last, last + 1)] == [
        False,
        True,
        True,
        False,
    ]
    assert not _is_of_emoji(first, "Sm"), "a sign of mathematics is told as it is"
    assert not _is_of_emoji(first, "Lo")


@pytest.mark.parametrize(
    ("first", "last"), [(0x200D, 0x200D), (0x20E3, 0x20E3), (0xFE00, 0xFE0F), (0xE0020, 0xE007F)]
)
def test_what_joins_pictures_or_varies_them_is_part_of_them(first: int, last: int) -> None:
    assert [_is_of_emoji(code, "Mn") for code in (first - 1, first, last, last + 1)] == [
        False,
        True,
        True,
        False,
    ]
