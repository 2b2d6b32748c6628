"""The figures of small accounts, computed by hand, and of accounts that lack what others have."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sms_etl.errors import NoWarehouse
from sms_etl.finance.coverage import Stretch
from sms_etl.finance.measures import Delivery
from sms_etl.overview.attention import findings
from sms_etl.overview.figures import CostDay, Overview
from sms_etl.overview.page import render_page
from sms_etl.overview.reading import read_overview
from sms_etl_tests.overview.account import (
    COUNTRIES,
    DAY,
    DELIVERED,
    EXPIRED,
    HOUR,
    MINUTE,
    NOW,
    OPEN,
    WRITTEN_AT,
    Account,
    Sms,
    at,
    hourly,
)
from sms_etl_tests.overview.conftest import Read

TODAY, YESTERDAY = date(2026, 3, 12), date(2026, 3, 11)
SMALL = (
    Sms(at("2026-02-12 22:59"), price="9.99"),  # 12 February in Berlin: the day before the 28
    Sms(at("2026-02-12 23:00"), price="0.10"),  # 13 February: the first of them
    Sms(at("2026-03-11 09:00"), price="0.0745"),
    Sms(at("2026-03-11 09:01"), EXPIRED, price="0.0745", iso2="AT"),
    Sms(at("2026-03-11 09:02"), price="0.0619", currency="CHF"),
    Sms(at("2026-03-11 09:03"), OPEN, timedelta(0), price=None),
    Sms(at("2026-03-01 09:00"), OPEN, timedelta(0), price=None),  # aged out
    Sms(at("2026-03-12 15:39"), OPEN, timedelta(0)),
    Sms(at("2026-03-12 14:00"), OPEN, timedelta(0), price="0.20"),
    Sms(at("2026-03-12 15:00"), OPEN, timedelta(0), scheduled_at=at("2026-03-13 08:00"), price=None),
)


@pytest.fixture
def small(read: Read) -> Overview:
    return read(Account(SMALL, runs=hourly(NOW - DAY * 40)))


def test_twenty_eight_business_days_are_shown_and_today_is_the_last(small: Overview) -> None:
    days = [each.day for each in small.days]
    assert (len(days), days[0], days[-1]) == (28, date(2026, 2, 13), TODAY)
    assert small.delivery == Delivery(messages=9, parts=9, delivered=3, expired=1, open=5, aged_out=1)
    assert small.days[-2].delivery == Delivery(messages=4, parts=4, delivered=2, expired=1, open=1)


def test_costs_are_exact_and_never_added_across_currencies(small: Overview) -> None:
    assert [(each.currency, each.total, each.unpriced) for each in small.costs] == [
        ("CHF", Decimal("0.0619"), 0),
        ("EUR", Decimal("0.5235"), 3),  # 0.10 + 2 × 0.0745 + 0.20 + 0.0745 of the one a minute old
    ]
    assert small.costs[1].days[-2] == CostDay(YESTERDAY, messages=3, unpriced=1, cost=Decimal("0.149"))


def test_open_messages_are_counted_by_how_long_ago_they_were_due(small: Overview) -> None:
    (place,) = [each for each in small.places if each.country == "Germany"]
    assert (place.ahead, place.within_hour, place.within_day, place.stuck) == (1, 1, 1, 1)
    assert (place.oldest_due_at, place.statuses) == (at("2026-03-11 09:03"), (("sent", 1),))
    assert (small.open, small.stuck) == (4, 1)
    assert (place.earlier, place.earlier_aged_out) == (3, 1)  # 1 March, and two of 12 February
    assert place.watched == 3  # of 11 March: that in CHF, too


def test_a_message_without_a_price_needs_attention_once_it_is_no_longer_asked_for(small: Overview) -> None:
    assert [(each.currency, each.messages, each.first_day) for each in small.unpriced] == [
        ("EUR", 1, date(2026, 3, 1))
    ]


@pytest.mark.parametrize(("number", "is_unusual"), [(31, False), (32, True)])
def test_what_is_stuck_is_unusual_beyond_twice_the_share_that_never_became_final(
    read: Read, number: int, is_unusual: bool
) -> None:
    """Of 100 earlier messages 20 never did, so of 50 twice ten may be stuck, and ten and 2 % more."""
    earlier = [Sms(NOW - DAY * 12 + MINUTE * n, OPEN if n < 20 else DELIVERED) for n in range(100)]
    late = [Sms(NOW - DAY * 2 + MINUTE * n, OPEN if n < number else DELIVERED) for n in range(50)]
    (place,) = read(Account((*earlier, *late))).places
    assert (place.stuck, place.is_unusual) == (number, is_unusual)


def test_an_empty_account_is_drawn_and_needs_no_attention(read: Read) -> None:
    empty = read(Account())
    page = render_page(empty)
    assert findings(empty) == ()
    assert "No message was created on these days" in page
    assert "No month was closed yet." in page
    assert "nothing left its range" not in page


def test_an_account_that_was_never_read_says_so_first(read: Read) -> None:
    assert findings(read(Account(asked_at=None)))[0].title == "Nothing was read yet"


def test_an_account_of_one_day_is_drawn_and_compared_with_nothing(read: Read) -> None:
    young = read(Account([Sms(NOW - HOUR * 2 + MINUTE * number) for number in range(60)], runs=hourly(NOW)))
    assert (young.delivery.messages, young.ranges.departures, young.rates) == (60, (), ())
    assert "Nothing can be compared yet" in render_page(young)
    assert findings(young) == ()


def test_a_single_message_is_told_in_the_singular(read: Read) -> None:
    page = render_page(read(Account([Sms(NOW - HOUR)])))
    assert ": 1 delivered of 1</title>" in page
    assert "1 messages" not in page


def test_a_gap_is_what_lies_between_two_spans_that_were_read(troubled: Overview) -> None:
    assert troubled.gaps == (Stretch(at("2026-03-01 11:00"), at("2026-03-02 05:00")),)
    partial = [each.day for each in troubled.days if not each.is_whole]
    assert partial == [date(2026, 3, 1), date(2026, 3, 2), TODAY]


def test_what_lies_before_the_first_span_is_no_gap(read: Read) -> None:
    started = read(Account([Sms(NOW - DAY)], windows=[(NOW - DAY * 3, NOW)]))
    assert started.gaps == ()
    assert not started.days[0].is_whole


def test_a_gap_that_began_before_the_shown_days_is_told_from_their_first_moment(read: Read) -> None:
    windows = [(NOW - DAY * 60, NOW - DAY * 50), (NOW - DAY * 2, NOW)]
    found = read(Account([Sms(NOW - DAY * 55), Sms(NOW - DAY)], windows=windows))
    assert found.gaps == (Stretch(at("2026-02-12 23:00"), NOW - DAY * 2),)


def test_forty_countries_are_compared_and_the_new_ones_are_told(troubled: Overview) -> None:
    assert troubled.ranges.countries == len({*COUNTRIES, "NG", None}) == 42
    (nigeria,) = [each for each in troubled.ranges.departures if each.code == "NG" and not each.currency]
    assert (int(nigeria.value), int(nigeria.high), nigeria.day) == (90, 20, YESTERDAY)
    (cost,) = [each for each in troubled.ranges.departures if each.currency]
    assert (cost.code, cost.currency, cost.value) == ("NG", "EUR", Decimal("27.9"))  # 90 × 0.31


def test_delivery_that_fell_is_seen_at_the_same_age(troubled: Overview) -> None:
    assert [each.age_hours for each in troubled.comparisons if each.has_dropped] == [24]


def test_hourly_syncs_watch_every_whole_day(calm: Overview) -> None:
    whole = [each for each in calm.rates if each.age_hours == 1 and each.day >= calm.basis.days[0]]
    assert len(whole) == 27
    assert all(len(each.days) in {1, 7} for each in calm.comparisons)


def test_anomalies_are_shown_without_what_may_be_personal(read: Read) -> None:
    anomalies = """
        insert into marts.traffic_anomalies by name
        select
            date '2026-03-11' as business_day, kind, subject, country_code, 'EUR' as currency,
            210 as messages, 6 as usual_messages, 56.9 as cost_at_risk, score
        from (
            values
                ('sender', '+4917612345678', null, 78.2),
                ('number_range', '9fc6e0a5722b', 'AZ', 98.1),
                ('account_off_hours', 'account', null, 60.0)
        ) as told (kind, subject, country_code, score)
    """
    found = read(Account([Sms(NOW - DAY)], extra_sql=[anomalies]))

    told = [(each.kind, each.sender_id, each.country_name) for each in found.anomalies]
    assert told == [
        ("number_range", None, "Azerbaijan"),
        ("sender", "+49*********78", None),
        ("account_off_hours", None, None),
    ]
    page = render_page(found)
    assert "56.90 EUR" in page
    assert "9fc6e0a5722b" not in page


def test_an_account_without_anomalies_says_so(calm: Overview) -> None:
    assert calm.anomalies == ()
    assert "None. They can be detected from the fifteenth day of an account on." in render_page(calm)


def test_a_warehouse_without_marts_says_what_to_run(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as connection, pytest.raises(NoWarehouse) as raised:
        read_overview(connection, now=WRITTEN_AT)
    assert "sms-etl build" in raised.value.hint


@pytest.mark.parametrize(
    ("timezone", "today", "messages"),
    [
        ("Europe/Berlin", TODAY, 9),
        ("UTC", TODAY, 8),  # that of 12 February at 23:00 is of the day before
        ("America/New_York", TODAY, 8),
        ("Asia/Tokyo", date(2026, 3, 13), 8),  # it is past midnight there
    ],
)
def test_days_are_those_of_the_business_time_zone(
    read: Read, timezone: str, today: date, messages: int
) -> None:
    found = read(Account(SMALL, timezone=timezone))
    assert (found.days[-1].day, found.delivery.messages) == (today, messages)
