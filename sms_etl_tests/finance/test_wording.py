"""Numbers are written so that nobody reads more, or less, into them than they say."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sms_etl.finance import wording
from sms_etl.finance.figures import Cost, Figures, read_figures
from sms_etl.finance.report import first_of_month
from sms_etl_tests.finance.account import AFTERWARDS, OPEN, Message, at, write_warehouse

NOON = at("2026-01-15 11:00")


def figures_of(path: Path, *messages: Message, watermark_at: datetime = AFTERWARDS) -> Figures:
    write_warehouse(path, messages, watermark_at=watermark_at)
    with duckdb.connect(str(path), read_only=True) as connection:
        return read_figures(connection, first_of_month("2026-01"))


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
    assert wording.money(amount, places) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [("117.630600", "117.6306"), ("5.000000", "5.00"), ("0.000001", "0.000001"), ("1000.100000", "1,000.10")],
)
def test_an_exact_amount_shows_all_it_has_and_at_least_cents(amount: str, written: str) -> None:
    assert wording.exact(Decimal(amount)) == written


@pytest.mark.parametrize(
    ("ratio", "written"),
    [("0.999999", "99.99 %"), ("1", "100.00 %"), ("0.97315", "97.31 %"), ("0", "0.00 %")],
)
def test_a_share_is_rounded_down_so_that_a_hundred_per_cent_means_all(ratio: str, written: str) -> None:
    assert wording.share(Decimal(ratio)) == written


@pytest.mark.parametrize(
    ("now", "before", "text", "direction"),
    [(110, 100, "+10.0 %", "up"), (90, 100, "−10.0 %", "down"), (100, 100, "unchanged", "level")],
)
def test_a_change_is_said_in_per_cent(now: int, before: int, text: str, direction: str) -> None:
    assert wording.change(now, before) == (text, direction)


def test_nothing_is_compared_with_nothing() -> None:
    assert wording.change(5, 0) is None
    assert wording.change_in_points(Decimal(1), None) is None
    assert wording.share(None) == "–"
    assert wording.local_time(None, "Europe/Berlin") == "–"
    assert wording.share_of(Cost(), Cost()) is None


def test_times_are_shown_on_the_clock_of_the_reports_time_zone() -> None:
    assert wording.local_time(at("2026-07-05 22:30"), "Europe/Berlin") == "6 July 2026, 00:30"


def test_a_settled_month_says_that_it_stands(warehouse_path: Path) -> None:
    figures = figures_of(warehouse_path, Message(NOON), Message(NOON))
    assert wording.cautions(figures) == []
    assert wording.standing(figures) == "All 2 messages are settled and priced."


def test_an_unsettled_month_says_what_may_still_change(warehouse_path: Path) -> None:
    recent, early = at("2026-01-19"), at("2026-01-02")
    figures = figures_of(
        warehouse_path,
        Message(NOON, price=None),
        Message(early, status=OPEN),
        Message(recent, status=OPEN),
        Message(recent, status=OPEN),
        watermark_at=at("2026-01-20 12:00"),
    )
    assert wording.cautions(figures) == [
        "The month is not complete: messages are included up to 20 January 2026, 13:00.",
        "3 messages are not final; figures may still change. "
        "1 of them had no final report within 5 days and may never get one.",
        "1 message has no price yet and is not in the cost.",
    ]


def test_open_messages_past_their_days_are_said_to_be_all_of_them(warehouse_path: Path) -> None:
    (sentence,) = wording.cautions(figures_of(warehouse_path, Message(NOON, status=OPEN)))
    assert sentence.startswith("1 message is not final; figures may still change. All of them had no final")
