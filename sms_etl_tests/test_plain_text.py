"""Rows as text: nothing is broken, nothing is obeyed, nothing is missing."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from sms_etl.plain_text import for_spreadsheet, lines_of, printable

WIDE = ("business_day", "cost_centre", "country_name", "messages", "average_price_per_part")
ROW = (date(2026, 1, 31), "Marketing and sales", "Bosnia and Herzegovina", 1234567, Decimal("0.056000"))


def test_what_fits_stands_side_by_side_with_numbers_to_the_right() -> None:
    lines = list(lines_of(("word", "n"), [("a", 7), ("bcd", 1000)], 80))
    assert lines == ["word |    n", "-----+-----", "a    |    7", "bcd  | 1000"]


def test_what_does_not_fit_is_turned_a_line_for_each_value() -> None:
    lines = list(lines_of(WIDE, [ROW, ROW], 60))
    assert lines[0].startswith("-[ 1 ]-")
    assert lines[1:6] == [
        "business_day           | 2026-01-31",
        "cost_centre            | Marketing and sales",
        "country_name           | Bosnia and Herzegovina",
        "messages               | 1234567",
        "average_price_per_part | 0.056000",
    ]
    assert lines[6].startswith("-[ 2 ]-")


@pytest.mark.parametrize("width", [10, 40, 80, 81, 82, 100, 300])
def test_at_no_width_a_name_or_a_value_is_broken(width: int) -> None:
    text = "\n".join(lines_of(WIDE, [ROW], width))
    assert all(name in text for name in WIDE)
    assert all(value in text for value in ("2026-01-31", "Bosnia and Herzegovina", "1234567", "0.056000"))


def test_a_table_is_never_wider_than_the_terminal() -> None:
    rows = [(f"word {number}", number) for number in range(5)]
    exact = max(map(len, lines_of(("word", "n"), rows, 80)))
    assert max(map(len, lines_of(("word", "n"), rows, exact))) == exact
    assert next(lines_of(("word", "n"), rows, exact - 1)).startswith("-[ 1 ]")


def test_characters_that_take_two_cells_are_counted_so() -> None:
    assert list(lines_of(("w", "n"), [("日本", 1), ("abcd", 2)], 80))[2:] == ["日本 | 1", "abcd | 2"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        (True, "true"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal("1E+3"), "1000"),
        (datetime.fromisoformat("2026-01-31 08:00:00"), "2026-01-31 08:00:00"),
        ([1, None, "a"], "[1, NULL, a]"),
        ({"a": Decimal("1.50")}, "{a: 1.50}"),
        ("[red]x[/]", "[red]x[/]"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\tand more", "two\\nlines\\tand more"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (["\x07"], "[\\x07]"),
    ],
)
def test_a_value_is_shown_as_it_is_and_never_obeyed(value: object, shown: str) -> None:
    assert list(lines_of(("x",), [(value,)], 80))[2] == shown


def test_a_name_of_a_column_is_not_obeyed_either() -> None:
    assert next(lines_of(("[red]\x1b[0m",), [(1,)], 80)).strip() == "[red]\\x1b[0m"


def test_letters_of_all_scripts_stay() -> None:
    assert printable("Grüße, 日本 🎉 'x'") == "Grüße, 日本 🎉 'x'"


def test_without_rows_the_names_are_shown() -> None:
    assert list(lines_of(("word", "n"), [], 80)) == ["word | n", "-----+--"]
    assert list(lines_of(WIDE, [], 20)) == []


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+4915112345678", "'+4915112345678"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'\t'=1+1"),
        ("\r=1+1", "'\r'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("a;=1+1", "a;'=1+1"),  # the end of a cell to a German Excel
        ("a\n=1+1", "a\n'=1+1"),
        ("1+1=2", "1+1=2"),
        ("order-1", "order-1"),
        ("", ""),
        (-1, -1),
        (-1.5, -1.5),
        (Decimal("-0.000001"), "-0.000001"),
        (Decimal("0E-7"), "0.0000000"),
        (True, True),
        (None, None),
        (["=1"], "['=1']"),
    ],
)
def test_no_text_of_a_csv_is_a_formula_and_numbers_stay_numbers(value: object, cell: object) -> None:
    assert for_spreadsheet(value) == cell
