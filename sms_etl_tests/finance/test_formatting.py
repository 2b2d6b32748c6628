"""Numbers are written so that nobody reads more, or less, into them than they say."""

from decimal import Decimal

import pytest

from sms_etl.finance import formatting, wording
from sms_etl.finance.measures import Cost
from sms_etl_tests.finance.account import at


@pytest.mark.parametrize(
    ("amount", "places", "written"),
    [
        (Decimal("1234567.891"), 2, "1,234,567.89"),
        (Decimal("0.0745"), 4, "0.0745"),
        (Decimal("0.125"), 2, "0.12"),
        (Decimal("-3.5"), 2, "-3.50"),
        (None, 2, "–"),
    ],
)
def test_money_has_thousands_separators_and_the_decimals_asked_for(
    amount: Decimal | None, places: int, written: str
) -> None:
    assert formatting.money(amount, places) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [("117.630600", "117.6306"), ("5.000000", "5.00"), ("0.000001", "0.000001"), ("1000.100000", "1,000.10")],
)
def test_an_exact_amount_shows_all_it_has_and_at_least_cents(amount: str, written: str) -> None:
    assert formatting.exact(Decimal(amount)) == written


@pytest.mark.parametrize(
    ("ratio", "written"),
    [("0.999999", "99.99 %"), ("1", "100.00 %"), ("0.97315", "97.31 %"), ("0", "0.00 %")],
)
def test_a_share_is_rounded_down_so_that_a_hundred_per_cent_means_all(ratio: str, written: str) -> None:
    assert formatting.share(Decimal(ratio)) == written


@pytest.mark.parametrize(
    ("now", "before", "text", "direction"),
    [(110, 100, "+10.0 %", "up"), (90, 100, "−10.0 %", "down"), (100, 100, "unchanged", "level")],
)
def test_a_change_is_said_in_per_cent(now: int, before: int, text: str, direction: str) -> None:
    assert formatting.change(now, before) == (text, direction)


def test_a_correction_shows_its_sign() -> None:
    amounts = (Decimal("1234.5"), Decimal("-0.02"), Decimal(0))
    assert [formatting.signed(each) for each in amounts] == ["+1,234.50", "−0.02", "0.00"]
    assert [formatting.signed_count(each) for each in (1234, -3, 0)] == ["+1,234", "−3", "0"]


def test_nothing_is_compared_with_nothing() -> None:
    assert formatting.change(5, 0) is None
    assert formatting.change_in_points(Decimal(1), None) is None
    assert formatting.share(None) == "–"
    assert formatting.local_time(None, "Europe/Berlin") == "–"
    assert wording.share_of(Cost(), Cost()) is None


def test_times_are_shown_on_the_clock_of_the_reports_time_zone() -> None:
    assert formatting.local_time(at("2026-07-05 22:30"), "Europe/Berlin") == "6 July 2026, 00:30"
