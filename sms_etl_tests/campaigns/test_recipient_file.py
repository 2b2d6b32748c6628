"""A file of numbers is read as spreadsheets write it; what is wrong in it is named by its line."""

from pathlib import Path

import pytest

from sms_etl.campaigns.recipient_file import read_number_file, read_recipients
from sms_etl.campaigns.recipients import BadRow
from sms_etl.errors import CampaignRefused


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
        "sep=;\r\nName;Telefon\r\nBerg, Anna;0170 1234567\r\n",
        '"Name, Vorname";Handy\n"Berg, Anna";0170 1234567\n',
        'Telefon\n"0170 1234567"\r\n\r\n,\r\n',
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
        (b'sep=;\nphone\n\n"+4917', ":4: its quotes do not match"),
        ("Telefon\n0170 1234567\n".encode("utf-16-le"), "not UTF-8"),
        (b"PK\x03\x04xl", "is a workbook"),
        (b"sep=;\n", "is empty"),
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


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_unicode_text_of_excel_is_read(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "recipients.txt"
    file.write_bytes("\ufeffName\tTelefon\r\nM\u00fcller\t0170 1234567\r\n".encode(mark))
    assert read_recipients(file, "DE").numbers == ("+491701234567",)


def test_of_two_columns_of_numbers_it_is_said_which_one_was_read(tmp_path: Path) -> None:
    found = read_recipients(_file(tmp_path, "Telefon;Mobil\n030 123456;0170 1234567\n"), "DE")
    assert (found.numbers, found.column, found.other_columns) == (("+491701234567",), "Mobil", ("Telefon",))
    found = read_recipients(_file(tmp_path, "+491701234567\n"), "DE")
    assert (found.column, found.other_columns) == (None, ())


def test_all_columns_of_numbers_can_be_read(tmp_path: Path) -> None:
    file = read_number_file(_file(tmp_path, "Telefon;Mobil;x\n1;2;\n;3;\n;;x\n"))
    assert list(file.all_of_each()) == [(2, "2"), (2, "1"), (3, "3"), (4, "")]


def test_lines_are_counted_as_an_editor_shows_them(tmp_path: Path) -> None:
    text = 'sep=;\nName;Telefon\n# a comment\n"two\nlines";0170 1234567\n\nAnna;4,9E+11\n'
    assert read_recipients(_file(tmp_path, text), "DE").invalid == (
        BadRow(7, "a spreadsheet shortened it; export it again with the column as text"),
    )


def test_a_number_that_was_shortened_is_named_by_its_line_though_it_is_the_first(tmp_path: Path) -> None:
    found = read_recipients(_file(tmp_path, "1.5E+11\n+491701234567\n"), "DE")
    assert ([bad.row for bad in found.invalid], len(found.numbers)) == ([1], 1)


def _file(folder: Path, text: str) -> Path:
    file = folder / "recipients.csv"
    file.write_text(text, encoding="utf-8", newline="")
    return file
