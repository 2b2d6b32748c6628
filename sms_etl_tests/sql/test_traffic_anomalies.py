"""Which traffic is told as an anomaly, what it costs beyond the usual, and how the score adds up: by hand."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from sms_etl.models.checks import run_tests
from sms_etl.models.runner import build
from sms_etl.models.selection import selected
from sms_etl_tests.sql.warehouse_rows import Rows, package_project

MONDAY = date(2026, 1, 5)
"""The first day of every account here. The day judged is mostly the Monday four weeks later."""
JUDGED = MONDAY + timedelta(days=28)
RANGE = "0123456789abcdef0123456789abcdef"

SEND = """
insert into raw.sms by name
with days as (select unnest($days::date[]) as day, unnest($counts::bigint[]) as messages),

sent as (
    select days.day + to_hours($hour::integer) + to_seconds(numbers.number) as created_at
    from days, lateral (select unnest(range(days.messages)) as number) as numbers
)

select
    gen_random_uuid() as uuid, created_at, 100 as status_code, $dlr_code as dlr_code, $iso2 as iso2,
    1 as parts_count, $price::decimal(18, 6) as price, $currency as currency, 'direct' as service_code,
    $sender_id as sender_id, $bulk_id as bulk_id, $phone_range as phone_range,
    created_at as first_seen_at, created_at as last_seen_at, created_at as changed_at
from sent
"""
PLAIN: dict[str, object] = {
    "dlr_code": 1,
    "iso2": "AT",
    "price": "0.10",
    "currency": "EUR",
    "sender_id": "Shop",
    "bulk_id": None,
    "phone_range": None,
    "hour": 12,
}
Days = Callable[[int], int]


def send(rows: Rows, day: date, messages: int, **fields: object) -> None:
    """Send messages within an hour, 12 of UTC unless said otherwise."""
    _send(rows, {day: messages}, **fields)


def steady(rows: Rows, messages: int | Days, *, days: int = 28, **fields: object) -> None:
    """Send so many each day from the first Monday on; the number may depend on the day's."""
    many = messages if callable(messages) else lambda _: messages
    _send(rows, {MONDAY + timedelta(days=day): many(day) for day in range(days)}, **fields)


def _send(rows: Rows, days: dict[date, int], **fields: object) -> None:
    values = {**PLAIN, **fields, "days": [*days], "counts": [*days.values()]}
    rows.connection.execute(SEND, values)


@pytest.fixture
def account(rows: Rows) -> Rows:
    """A warehouse of which every day was read."""
    rows.window("1970-01-01", "2026-03-01")
    rows.context(as_of_at="2026-02-28 12:00:00")
    return rows


def anomalies(rows: Rows, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    build(
        rows.connection, package_project(), select=selected(package_project(), ["+marts.traffic_anomalies"])
    )
    return rows.select(f"select {columns} from marts.traffic_anomalies where {where} order by all")


kinds = partial(anomalies, columns="business_day, kind, subject, messages")


def test_a_country_far_above_its_usual_day_is_told_with_its_money_and_its_score(account: Rows) -> None:
    steady(account, 10)
    steady(account, 30, iso2="DE", sender_id="Bank", days=29)
    send(account, JUDGED, 70)
    send(account, JUDGED, 5, price=None)
    figures = "messages, usual_messages, median_deviation, limit_messages, messages_beyond, baseline_days"
    money = "cost, usual_cost, cost_at_risk, share_priced"
    points = "points_size, points_new, points_share, score"
    (row,) = anomalies(account, f"{figures}, {money}, {points}", "kind = 'country'")
    # The usual is 10. Of 15 x 0, 2 x 10 and 50 the largest is allowed beyond it; there are 65.
    assert row[:6] == (75, 10, 0, 60, 65, 28)
    assert row[6:10] == (Decimal("7.000000"), 1, Decimal("6.000000"), Decimal("0.933333"))
    # 20 x 65 / 50; it had messages every day; 65 of the day's 105.
    assert row[10:] == (26, 0, Decimal("12.380960"), Decimal("38.380960"))


@pytest.mark.parametrize(("messages", "is_told"), [(59, False), (60, True)])
def test_a_row_is_told_from_its_limit_on(account: Rows, messages: int, is_told: bool) -> None:
    steady(account, 10)
    send(account, JUDGED, messages)
    assert bool(kinds(account, where="kind = 'country'")) is is_told
    assert bool(kinds(account, where="kind = 'sender' and subject = 'Shop'")) is is_told


@pytest.mark.parametrize(("messages", "is_told"), [(299, False), (300, True)])
def test_growth_and_busy_days_below_three_times_the_usual_are_nothing(
    account: Rows, messages: int, is_told: bool
) -> None:
    steady(account, 100)
    send(account, JUDGED, messages)
    assert bool(kinds(account, where="kind = 'country'")) is is_told


def test_a_day_is_compared_with_its_own_weekday(account: Rows) -> None:
    steady(account, lambda day: 200 if day % 7 == 0 else 5, days=30)
    send(account, MONDAY + timedelta(days=30), 205)
    assert anomalies(account, "business_day, usual_messages", "kind = 'country'") == [(date(2026, 2, 4), 5)]


def test_two_holidays_among_the_four_weekdays_do_not_lower_what_is_usual(account: Rows) -> None:
    steady(account, lambda day: 0 if day in {14, 21} else 40)
    send(account, JUDGED, 90)
    assert kinds(account) == []


def test_one_day_of_fraud_does_not_raise_what_is_usual(account: Rows) -> None:
    steady(account, lambda day: 500 if day == 21 else 10)
    send(account, JUDGED, 60)
    assert anomalies(account, "business_day, usual_messages", "kind = 'country'") == [
        (MONDAY + timedelta(days=21), 10),
        (JUDGED, 10),
    ]


@pytest.mark.parametrize(("messages", "is_told"), [(159, False), (160, True)])
def test_an_irregular_country_is_allowed_ten_of_its_deviations(
    account: Rows, messages: int, is_told: bool
) -> None:
    # 10 x 0, 9 x 10 and 9 x 20: the median is 10, and 19 of 28 days differ by 10 from it.
    # The Mondays had 0, 10, 20 and 0: the third by size is 10. So 10 + 15 x 10.
    steady(account, 1, iso2="DE")
    steady(account, lambda day: day % 3 * 10)
    send(account, JUDGED, messages)
    assert anomalies(account, "usual_messages, median_deviation", "kind = 'country'") == [(10, 10)] * is_told


@pytest.mark.parametrize(("messages", "is_told"), [(29, False), (30, True)])
def test_many_numbers_of_one_range_are_told(account: Rows, messages: int, is_told: bool) -> None:
    steady(account, 40)
    send(account, JUDGED, messages, iso2="AZ", price="0.2875", phone_range=RANGE)
    columns = "kind, subject, country_code, usual_messages, cost_at_risk, points_new"
    found = anomalies(account, columns, "kind != 'country'")
    assert found == [("number_range", RANGE[:12], "AZ", 0, Decimal("8.625000"), 20)] * is_told


def test_the_messages_of_a_range_are_found_in_fct_sms(account: Rows) -> None:
    steady(account, 40)
    send(account, JUDGED, 33, phone_range=RANGE)
    anomalies(account, "1")
    joined = """
        select count(*), sum(sms.price) from marts.fct_sms as sms
        inner join marts.traffic_anomalies as found
            on found.kind = 'number_range' and sms.phone_range = found.subject
            and sms.business_day = found.business_day and sms.currency = found.currency
        where sms.bulk_id is null
    """
    assert account.select(joined) == [(33, Decimal("3.300000"))]


def test_messages_without_a_number_are_no_range(account: Rows) -> None:
    steady(account, 400)
    send(account, JUDGED, 500, phone_range=None)
    assert kinds(account) == []


def test_a_range_that_the_company_uses_every_day_is_not_told(account: Rows) -> None:
    steady(account, 45, days=29, phone_range=RANGE)
    send(account, JUDGED, 45, phone_range=RANGE)
    assert kinds(account) == []


def test_a_slow_pump_is_told_as_soon_as_seven_days_make_fifty(account: Rows) -> None:
    steady(account, 40, days=40)
    for day in range(28, 36):
        send(account, MONDAY + timedelta(days=day), 9, iso2="AZ", price="0.20", phone_range=RANGE)
    columns = "business_day, kind, days, messages, usual_messages, cost_at_risk, baseline_days, points_new"
    where = "kind like 'number_range%'"
    # Six days of nine are 54, seven are 63. On the eighth day the first is part of what went before.
    assert anomalies(account, columns, where) == [
        (date(2026, 2, 7), "number_range_slow", 7, 54, 0, Decimal("10.800000"), 21, 20),
        (date(2026, 2, 8), "number_range_slow", 7, 63, 0, Decimal("12.600000"), 21, 20),
        (date(2026, 2, 9), "number_range_slow", 7, 63, 9, Decimal("10.800000"), 21, Decimal("19.047620")),
    ]


def test_a_range_that_falls_below_the_daily_limit_is_compared_with_its_whole_weeks(account: Rows) -> None:
    steady(account, 40, phone_range=RANGE)
    for day in range(28, 36):
        send(account, MONDAY + timedelta(days=day), 25, phone_range=RANGE)
    assert kinds(account) == []


def test_thirteen_days_are_no_baseline_and_fourteen_are(account: Rows) -> None:
    steady(account, 10, days=13)
    for day in (13, 14):
        send(account, MONDAY + timedelta(days=day), 500, phone_range=RANGE)
    found = anomalies(account, "distinct business_day, baseline_days")
    assert found == [(MONDAY + timedelta(days=14), 14)]


def test_a_new_sender_is_not_judged_before_it_has_a_usual_day(account: Rows) -> None:
    steady(account, 300, days=50, sender_id="Bank")
    for day in range(30, 50):
        send(account, MONDAY + timedelta(days=day), 60 if day < 49 else 200, sender_id="Filiale")
    found = anomalies(account, "business_day, usual_messages", "kind = 'sender' and subject = 'Filiale'")
    assert found == [(MONDAY + timedelta(days=49), 60)]


def test_a_campaign_is_planned_and_no_anomaly(account: Rows) -> None:
    steady(account, 10)
    send(account, JUDGED, 5000, bulk_id=account.uuid("bulk"), phone_range=RANGE, hour=3)
    assert kinds(account) == []


def bulks(rows: Rows, currency: str, *sizes: int, **fields: object) -> None:
    """Send a bulk every three weeks, the last of them on the day judged: in a currency of its own."""
    for number, size in enumerate(reversed(sizes)):
        day, bulk_id = JUDGED - number * timedelta(days=21), rows.uuid(f"{currency} {number}")
        send(rows, day, size, currency=currency, bulk_id=bulk_id, **fields)


def test_a_bulk_is_told_from_five_times_the_largest_before_and_five_hundred_more_on(account: Rows) -> None:
    bulks(account, "AAA", 100, 150, 120, 749)
    bulks(account, "BBB", 100, 150, 120, 750)
    bulks(account, "CCC", 10, 10, 10, 509)
    bulks(account, "DDD", 10, 10, 10, 510)
    bulks(account, "EEE", 10, 10, 5000)  # the third, for the one before is older than 92 days
    send(account, JUDGED - timedelta(days=93), 10, currency="EEE", bulk_id=account.uuid("old"))
    columns = (
        "currency, business_day, subject, messages, usual_messages, limit_messages, cost_at_risk, points_size"
    )
    assert anomalies(account, columns) == [
        ("BBB", JUDGED, str(account.uuid("BBB 0")), 750, 150, 750, Decimal(60), 20),
        ("DDD", JUDGED, str(account.uuid("DDD 0")), 510, 10, 510, Decimal(50), 20),
    ]


def within_a_bulk(rows: Rows, currency: str, numbers: int, *, others: int, of_each: int) -> None:
    """Send the last of four bulks to a run of numbers, and to others; beside one other in another country."""
    bulks(rows, currency, 400, 400, 400, of_each, phone_range="f" * 32)
    last = {"currency": currency, "bulk_id": rows.uuid(f"{currency} 0")}
    for number in range(others - 1):
        send(rows, JUDGED, of_each, phone_range=f"{number:02}".ljust(32, "0"), **last)
    send(rows, JUDGED, numbers, phone_range=RANGE, iso2="AZ" if others == 1 else "AT", **last)


def test_a_run_of_numbers_within_a_bulk_is_told_where_it_stands_out(account: Rows) -> None:
    # In a new country from 30 on; else from three times the largest range of the country on; and where a bulk
    # goes to more than ten ranges, from ten times the mean of the others on.
    within_a_bulk(account, "AAA", 29, others=1, of_each=400)
    within_a_bulk(account, "BBB", 30, others=1, of_each=400)
    within_a_bulk(account, "CCC", 1199, others=3, of_each=40)
    within_a_bulk(account, "DDD", 1200, others=3, of_each=40)
    within_a_bulk(account, "EEE", 1499, others=11, of_each=150)
    within_a_bulk(account, "FFF", 1500, others=11, of_each=150)
    columns = "currency, subject, country_code, messages, usual_messages, limit_messages"
    assert anomalies(account, columns, "kind = 'bulk_number_range'") == [
        ("BBB", RANGE[:12], "AZ", 30, 0, 30),
        ("DDD", RANGE[:12], "AT", 1200, 400, 1200),
        ("FFF", RANGE[:12], "AT", 1500, 400, 1500),
    ]


def test_currencies_are_judged_apart(account: Rows) -> None:
    steady(account, 10)
    steady(account, 100, currency="CHF", price="0.50")
    send(account, JUDGED, 70)
    send(account, JUDGED, 290, currency="CHF", price="0.50")
    assert anomalies(account, "currency, messages, cost", "kind = 'country'") == [("EUR", 70, 7)]


def test_messages_without_a_price_are_told_and_cost_nothing(account: Rows) -> None:
    steady(account, 10, price=None)
    send(account, JUDGED, 70, price=None)
    assert anomalies(account, "cost, usual_cost, cost_at_risk, share_priced", "kind = 'country'") == [
        (0, 0, 0, 0)
    ]


def test_cost_below_the_usual_puts_nothing_at_risk(account: Rows) -> None:
    steady(account, 10, price="1.00")
    send(account, JUDGED, 70, price="0.01")
    assert anomalies(account, "cost, usual_cost, cost_at_risk", "kind = 'country'") == [
        (Decimal("0.700000"), 10, 0)
    ]


def test_messages_without_a_country_are_a_country_of_their_own(account: Rows) -> None:
    steady(account, 40)
    send(account, JUDGED, 60, iso2=None, dlr_code=0)
    columns = "subject, country_code, delivered, delivery_rate, accepted_delivery_rate, share_settled"
    assert anomalies(account, columns, "kind = 'country'") == [("ZZ", "ZZ", 0, None, 0, 0)]


def test_days_that_were_not_read_are_not_days_without_messages(rows: Rows) -> None:
    rows.context(as_of_at="2026-02-28 12:00:00")
    rows.window("2026-01-04 23:00:00", "2026-01-16 22:59:59")  # twelve days in Berlin
    rows.window("2026-01-31 23:00:00", "2026-02-28 12:00:00")  # one day before the day judged
    steady(rows, 300, days=12)
    steady_day = MONDAY + timedelta(days=27)
    send(rows, steady_day, 300)
    send(rows, JUDGED, 2000)
    assert kinds(rows) == []
    rows.window("2026-01-16 23:00:00", "2026-01-17 22:30:00")  # and a fourteenth, less half an hour
    assert anomalies(rows, "distinct baseline_days", "kind = 'country'") == [(14,)]


def in_office_hours(rows: Rows, days: int, **fields: object) -> None:
    """Send four an hour from 8 to 20 in Berlin, and one at night every other day."""
    for hour in range(7, 19):
        steady(rows, 4, days=days, hour=hour, **fields)
    steady(rows, lambda day: 1 - day % 2, days=days, hour=2, **fields)


def test_a_burst_in_hours_in_which_the_sender_is_quiet_is_told(account: Rows) -> None:
    in_office_hours(account, 44)
    send(account, MONDAY + timedelta(days=42), 30, hour=2)
    columns = "business_day, kind, subject, messages, usual_messages, limit_messages, cost_at_risk"
    # The hours are known from the fifteenth day on. Of Mondays the nights had 0, 1, 0 and 1: 1 is usual.
    night = (31, 1, 31, Decimal("3.000000"))
    assert anomalies(account, columns) == [
        (date(2026, 2, 16), "account_off_hours", "account", *night),
        (date(2026, 2, 16), "sender_off_hours", "Shop", *night),
    ]


def test_the_same_burst_by_day_is_not_off_hours(account: Rows) -> None:
    in_office_hours(account, 44)
    send(account, MONDAY + timedelta(days=42), 30, hour=10)
    assert kinds(account) == []


def test_a_new_sender_at_night_is_told_by_the_hours_of_the_account(account: Rows) -> None:
    in_office_hours(account, 44)
    send(account, MONDAY + timedelta(days=42), 45, hour=2, sender_id="Stranger")
    assert kinds(account) == [(date(2026, 2, 16), "account_off_hours", "account", 46)]


def test_one_night_of_fraud_does_not_make_the_night_a_usual_hour(account: Rows) -> None:
    in_office_hours(account, 60)
    for day in (42, 55):
        send(account, MONDAY + timedelta(days=day), 400, hour=2)
    found = kinds(account, where="kind = 'sender_off_hours'")
    assert [day for day, *_ in found] == [date(2026, 2, 16), date(2026, 3, 1)]


def test_a_sender_of_a_few_messages_a_day_has_no_usual_hours(account: Rows) -> None:
    steady(account, 20, days=50, hour=12)
    send(account, MONDAY + timedelta(days=45), 40, hour=2)
    assert kinds(account) == []


@pytest.mark.parametrize(
    ("as_of_at", "is_warned"), [("2026-02-08 22:00:00", True), ("2026-02-08 23:00:00", False)]
)
def test_anomalies_of_the_last_seven_days_are_a_warning(
    account: Rows, as_of_at: str, is_warned: bool
) -> None:
    steady(account, 10)
    send(account, JUDGED, 70)
    account.context(as_of_at=as_of_at)
    anomalies(account, "1")
    assert failing(account) == ({"recent_anomalies"} if is_warned else set())


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        ("messages = messages + 1", "anomalies_lie_beyond_their_limit"),
        ("limit_messages = messages + 1", "anomalies_lie_beyond_their_limit"),
        ("score = score + 0.000001", "scores_add_up"),
        ("points_size = 19, score = score - points_size + 19", "scores_add_up"),
        ("cost_at_risk = cost + 0.000001", "cost_at_risk_is_part_of_cost"),
        ("kind = 'other'", "kind_accepted_values"),
        ("country_code = 'Q1'", "country_code_relationships"),
        ("baseline_days = 13", "baseline_days_at_least"),
    ],
)
def test_wrong_rows_are_found(account: Rows, damage: str, test: str) -> None:
    steady(account, 10)
    send(account, JUDGED, 70)
    assert anomalies(account, "1", "kind = 'country'") == [(1,)]
    assert failing(account) == set()
    account.connection.execute(f"update marts.traffic_anomalies set {damage} where kind = 'country'")
    assert test in failing(account)


def failing(rows: Rows) -> set[str]:
    tests = run_tests(rows.connection, package_project(), select=["marts.traffic_anomalies"])
    return {test.test for test in tests if not test.is_passed}
