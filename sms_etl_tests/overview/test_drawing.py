"""Charts as SVG that needs no script: where their bars and points are."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest

from sms_etl.overview.drawing import Column, Line, Piece, Point, columns, lines

FIRST = date(2026, 2, 27)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]


def bars(drawn: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(
        r'<rect class="bar" x="([\d.]+)%" y="([\d.]+)" width="([\d.]+)%" height="([\d.]+)"', drawn
    )
    return [(float(x), float(y), float(width), float(height)) for x, y, width, height in found]


def column(day: date, *values: int, note: str = "") -> Column:
    return Column(day, tuple(Piece(Decimal(each), "#111", f"{each} <b>") for each in values), note)


def drawn(*days: Column) -> str:
    return str(
        columns(days, says="Messages", unit="messages", label=lambda tick: f"{tick:.0f}", is_counted=True)
    )


def test_bars_are_as_high_as_their_share_of_the_highest_tick_and_stand_on_each_other() -> None:
    found = bars(drawn(column(DAYS[0], 50, 25), column(DAYS[1], 100)))
    assert [(y, height) for _, y, _, height in found] == [(74, 66), (41, 33), (8, 132)]
    assert [(x, width) for x, _, width, _ in found] == [(6.5, 37), (6.5, 37), (56.5, 37)]


def test_a_day_without_messages_has_its_place_and_no_bar() -> None:
    assert [x for x, *_ in bars(drawn(column(DAYS[0], 1), column(DAYS[1], 0), column(DAYS[2], 1)))] == [
        4.33,
        71,
    ]


def test_a_day_that_is_not_whole_is_hatched_and_says_why() -> None:
    page = drawn(column(DAYS[0], 1, note="not read whole"), column(DAYS[1], 1))
    assert page.count('class="gap"') == 1
    assert "<title>Fri 27 Feb: not read whole</title>" in page


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (7, ["0", "2", "4", "6", "8"]),
        (1000, ["0", "250", "500", "750", "1000"]),
        (1001, ["0", "500", "1000", "1500"]),
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (0, ["0", "1"]),
    ],
)
def test_the_axis_has_round_numbers_up_to_the_highest_bar(highest: int, ticks: list[str]) -> None:
    axis = drawn(column(DAYS[0], highest)).partition('class="plot"')[0]
    assert re.findall(r">([\d.]+)</text>", axis) == ticks


def test_the_axis_of_amounts_goes_below_one() -> None:
    page = str(columns([column(DAYS[0], 1)], says="Cost", unit="EUR", label=lambda tick: f"{tick:f}"))
    axis = page.partition('class="plot"')[0]
    assert re.findall(r">([\d.]+)</text>", axis) == ["0.00", "0.25", "0.50", "0.75", "1.00"]


def test_what_a_pointer_shows_is_escaped() -> None:
    assert "<title>5 &lt;b&gt;</title>" in drawn(column(DAYS[0], 5))


def test_a_line_stops_where_a_day_is_missing() -> None:
    points = tuple(Point(day, Decimal("0.5"), "half") for day in (DAYS[0], DAYS[1], DAYS[3]))
    page = str(lines(DAYS, [Line("within 1 h", "#111", points)], says="Rates", unit="share"))
    assert re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)"', page) == [
        ("12.50", "74.00"),
        ("37.50", "74.00"),
        ("87.50", "74.00"),
    ]
    assert re.findall(r'<line x1="([\d.]+)%" y1="[\d.]+" x2="([\d.]+)%"', page) == [("12.50", "37.50")]


def test_who_does_not_see_a_chart_is_told_what_it_shows() -> None:
    page = drawn(column(DAYS[0], 5))
    assert re.search(r'role="img" aria-label="Messages"', page)
    assert page.count('aria-hidden="true"') == 3


def test_months_are_named_at_their_first_day_and_mondays_for_narrow_screens() -> None:
    page = drawn(*(column(day, 1) for day in DAYS))
    assert re.findall(r">([A-Z][a-z]{2})</text>", page) == ["Feb", "Mar"]
    assert re.findall(r'class="week"[^>]*>([^<]+)<', page) == ["2 Mar"]
