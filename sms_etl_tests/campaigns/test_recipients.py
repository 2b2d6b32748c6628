"""Numbers are read as the provider reads them; what is none is named by its row and never quoted."""

import pytest

from sms_etl.campaigns.recipients import check_country, country_of, number_columns, number_of
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
        ('="0170 1234567"', "DE", "+491701234567"),
        ("'+491701234567", "DE", "+491701234567"),
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
        ("1.5E+11", "a spreadsheet shortened it"),
        ("491701234567.0", "took it for an amount"),
        ("491701234567,00", "took it for an amount"),
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


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("Name", "Telefon"), [1]),
        (("Telefon-Nr.", "Handy"), [1, 0]),
        (("number", "Rufnummer", "Mobile Phone"), [2, 1, 0]),
        (("Telefon 1", "Telefon 2"), [0, 1]),
        (("Empfänger",), [0]),
        (("Téléphone",), [0]),
        (("Telefon (mobil)", "Phone Number"), [0, 1]),
        (("Name", "phone type", "Kundennummer", ""), []),
    ],
)
def test_a_column_of_numbers_is_known_by_its_heading_mobile_ones_first(
    names: tuple[str, ...], places: list[int]
) -> None:
    assert number_columns(names) == places


@pytest.mark.parametrize(
    ("number", "country"), [("+4915555100001", "DE"), ("+14155552671", "US"), ("+88213300655", "ZZ")]
)
def test_a_number_has_a_country_or_none(number: str, country: str) -> None:
    assert country_of(number) == country


def test_a_country_is_a_code() -> None:
    assert check_country("at") == "AT"
    with pytest.raises(CampaignRefused, match="no country"):
        check_country("Germany")
