"""Numbers are read as the provider reads them; what is none is named by its row and never quoted."""

from pathlib import Path

import pytest

from sms_etl.campaigns.recipients import (
    BadRow,
    check_country,
    country_of,
    number_of,
    read_recipients,
)
from sms_etl.errors import CampaignRefused


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+491701234567", "DE", "+491701234567"),
        ("00491701234567", "AT", "+491701234567"),
        ("491701234567", "DE", "+491701234567"),
        ("0170 123 45 67", "DE", "+491701234567"),
        ("(0170) 123-4567", "DE", "+491701234567"),
        ("+49 (0)170/1234567", "DE", "+491701234567"),
        ("0049 (0)170 1234567", "DE", "+491701234567"),
        ("0660 5555 0123", "AT", "+4366055550123"),
        ("079 555 00 01", "CH", "+41795550001"),
        ("612 345 678", "ES", "+34612345678"),
        ("٠١٧٠١٢٣٤٥٦٧", "DE", "+491701234567"),
        ("+39 06 698 12345", "DE", "+390669812345"),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str, country: str, number: str) -> None:
    assert number_of(written, country) == (number, True)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "no number"),
        ("Anna", "other characters"),
        ("0170-CALL-ME", "other characters"),
        ("12345", "too short"),
        ("+4912345", "too short"),
        ("+999170123456789", "of no country"),
        ("+49170123456789012345", "too long"),
        ("4.91702E+11", "a spreadsheet shortened it"),
        ("4,91702E11", "a spreadsheet shortened it"),
    ],
)
def test_what_is_no_number_says_why_and_is_not_quoted(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        number_of(written, "DE")
    assert not written or written not in str(raised.value)


def test_digits_that_are_a_number_in_two_countries_are_refused() -> None:
    with pytest.raises(ValueError, match="two ways"):
        number_of("6062642190", "US")


@pytest.mark.parametrize("written", ["15712345678", "16012345678", "1701234567"])
def test_a_mobile_number_that_lost_its_zero_is_no_number_of_another_country(written: str) -> None:
    with pytest.raises(ValueError, match="leading zero may have been lost"):
        number_of(written, "DE")
    assert number_of(f"0{written}", "DE") == (f"+49{written}", True)
    assert number_of("12125550123", "DE")[0] == "+12125550123"


def test_a_number_of_no_known_plan_is_kept_and_counted(tmp_path: Path) -> None:
    found = read_recipients(_file(tmp_path, "+491701234567\n+491510000001\n"), "DE")
    assert (len(found.numbers), found.unlikely) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "+491701234567\n",
        "phone\n+491701234567\n",
        "\ufeffPhone;Name\n+491701234567;Anna\n",
        'name,phone\n"Berg, Anna",+491701234567\n',
        "# our customers\nname\tphone\nAnna\t0170 1234567\n\n",
    ],
)
def test_the_column_of_numbers_is_found(tmp_path: Path, text: str) -> None:
    assert read_recipients(_file(tmp_path, text), "DE").numbers == ("+491701234567",)


def test_bad_rows_and_those_that_are_there_twice_are_left_out(tmp_path: Path) -> None:
    text = "name,phone\nA,+491701234567\nB,0170 1234567\n\nC,nothing\nD\nE,+41795550001\n"
    found = read_recipients(_file(tmp_path, text), "DE")
    assert found.numbers == ("+491701234567", "+41795550001")
    assert found.duplicates == 1
    assert found.invalid == (
        BadRow(5, "it holds other characters than those numbers are written with"),
        BadRow(6, "there is no number"),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"name,town\nAnna,Bonn\n", "does not name the column"),
        (b"+491701234567,+491701234568\n", "does not name the column"),
        (b"phone\n\xff\n", "not UTF-8"),
        (b'phone\n"+4917', "quotes do not match"),
    ],
)
def test_a_file_that_cannot_be_read_says_how_to_write_one(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "recipients.csv"
    file.write_bytes(content)
    with pytest.raises(CampaignRefused, match=says) as raised:
        read_recipients(file, "DE")
    assert "one number a line" in raised.value.hint
    assert "+4917" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CampaignRefused, match=r"nowhere\.csv cannot be opened"):
        read_recipients(tmp_path / "nowhere.csv", "DE")


@pytest.mark.parametrize(
    ("number", "country"), [("+4915555100001", "DE"), ("+14155552671", "US"), ("+88213300655", "ZZ")]
)
def test_a_number_has_a_country_or_none(number: str, country: str) -> None:
    assert country_of(number) == country


def test_a_country_is_a_code() -> None:
    assert check_country("at") == "AT"
    with pytest.raises(CampaignRefused, match="no country"):
        check_country("Germany")


def _file(folder: Path, text: str) -> Path:
    file = folder / "recipients.csv"
    file.write_text(text, encoding="utf-8")
    return file
