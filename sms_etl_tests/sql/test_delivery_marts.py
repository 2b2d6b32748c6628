"""What analysts ask of delivery: by the hour, why not, how far, how fast, at the same age; each by hand."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows


def found(rows: Rows, columns: str, mart: str, order: str = "all") -> list[tuple[Any, ...]]:
    return rows.select(f"select {columns} from marts.{mart} order by {order}")


def test_a_message_counts_in_the_hour_of_the_business_time_zone(rows: Rows) -> None:
    rows.sms("a", created_at="2026-01-10 22:59:59")
    rows.sms("b", created_at="2026-01-10 23:00:00")
    rows.sms("c", created_at="2026-07-10 22:00:00")
    rows.build()
    assert found(rows, "business_day, business_hour, messages", "delivery_hourly") == [
        (date(2026, 1, 10), 23, 1),
        (date(2026, 1, 11), 0, 1),
        (date(2026, 7, 11), 0, 1),
    ]
    assert found(rows, "created_at_local::varchar", "fct_sms") == [
        ("2026-01-10 23:59:59",),
        ("2026-01-11 00:00:00",),
        ("2026-07-11 00:00:00",),
    ]


def test_two_rates_stand_beside_each_other(rows: Rows) -> None:
    """Of an economy service most messages never become final: one rate hides them, the other counts them."""
    for number in range(100):
        rows.sms(str(number), dlr_code=1 if number < 22 else 8 if number < 28 else 4, service_code="economy")
    rows.build()
    rates = [(Decimal("0.785714"), Decimal("0.220000"))]
    for mart in ("delivery_daily", "delivery_hourly", "delivery_funnel", "sender_health", "country_overview"):
        assert found(rows, "delivery_rate, accepted_delivery_rate", mart) == rates, mart


def test_a_rate_of_several_rows_is_that_of_their_sums(rows: Rows) -> None:
    rows.sms("a", iso2="DE")
    for number in range(9):
        rows.sms(str(number), iso2="AT", dlr_code=8)
    rows.build()
    summed = "sum(delivered) * 1000000 // sum(settled), avg(delivery_rate)::decimal(3, 2)"
    assert found(rows, summed, "delivery_hourly") == [(100_000, Decimal("0.50"))]


def test_failures_are_told_by_both_codes_with_their_cost_in_each_currency(rows: Rows) -> None:
    rows.sms("delivered", price="0.50")
    rows.sms("blocked", status_code=208, dlr_code=None, price="0.10")
    rows.sms("rejected", dlr_code=16, price="0.20", parts_count=2)
    rows.sms("rejected too", dlr_code=16, price=None)
    rows.sms("in francs", dlr_code=16, price="0.40", currency="CHF")
    rows.sms("open", dlr_code=4)
    rows.build()
    columns = (
        "status_code, dlr_code, delivery_status, currency, messages, parts, unpriced, cost, share_of_settled"
    )
    assert found(rows, columns, "failure_reasons") == [
        (100, 16, "rejected", "CHF", 1, 1, 0, Decimal("0.4"), Decimal("1.0")),
        (100, 16, "rejected", "EUR", 2, 3, 1, Decimal("0.2"), Decimal("0.5")),
        (208, 0, "failed", "EUR", 1, 1, 0, Decimal("0.1"), Decimal("0.25")),
    ]


def test_each_step_of_the_funnel_is_a_part_of_the_one_before(rows: Rows) -> None:
    codes = [
        (0, 0),
        (410, 0),
        (208, 0),
        (100, 0),
        (100, 2),
        (100, 4),
        (100, 8),
        (100, 16),
        (100, 1),
        (100, 1),
    ]
    for number, (status_code, dlr_code) in enumerate(codes):
        rows.sms(str(number), status_code=status_code, dlr_code=dlr_code)
    rows.build()
    assert found(rows, "accepted, sent, reported, delivered", "delivery_funnel") == [(10, 7, 6, 2)]
    columns = "sent_rate, reported_rate, reported_delivery_rate"
    assert found(rows, columns, "delivery_funnel") == [
        (Decimal("0.7"), Decimal("0.857143"), Decimal("0.333333"))
    ]


def test_a_scheduled_message_takes_its_time_from_when_it_was_due(rows: Rows) -> None:
    rows.sms("at once", created_at="2026-01-10 12:00:00", gateway_sent_at="2026-01-10 12:00:04")
    rows.sms(
        "scheduled",
        created_at="2026-01-10 12:00:00",
        delivery_at="2026-01-10 18:00:00",
        gateway_sent_at="2026-01-10 18:00:40",
    )
    rows.sms("before its time", created_at="2026-01-10 12:00:00", gateway_sent_at="2026-01-10 11:59:59")
    rows.sms("not yet", status_code=0, dlr_code=0)
    rows.build()
    columns = "messages, handed_over, handover_seconds_p50, handover_seconds_p99"
    assert found(rows, columns, "delivery_latency") == [(4, 3, 4, 40)]
    shares = "share_handed_over_within_10s, share_handed_over_within_60s, share_delivered_within_10s"
    assert found(rows, shares, "delivery_latency") == [(Decimal("0.666667"), Decimal(1), None)]


def test_what_syncs_observed_is_kept_apart_from_what_was_measured(rows: Rows) -> None:
    rows.sms("a", gateway_sent_at="2026-01-10 12:00:05")
    rows.change("a", "2026-01-10 13:00:05")
    rows.build()
    columns = "handover_seconds_p50, delivery_seconds_p50, observed_settlement_seconds_p50"
    assert found(rows, columns, "delivery_latency") == [(5, None, 3600)]


def test_a_day_is_held_against_another_at_the_same_age(rows: Rows) -> None:
    rows.context(as_of_at="2026-01-11 12:00:00")
    rows.sms("last day", created_at="2026-01-10 11:00:00")
    rows.change("last day", "2026-01-10 11:30:00")
    rows.sms("last day, late", created_at="2026-01-10 11:00:00")
    rows.change("last day, late", "2026-01-10 18:00:00")
    rows.sms("today", created_at="2026-01-11 10:00:00")
    rows.change("today", "2026-01-11 10:30:00")
    rows.sms("a minute ago", created_at="2026-01-11 11:59:00", dlr_code=0)
    rows.build()
    columns = "business_day, age_hours, messages, delivered, accepted_delivery_rate, is_complete"
    assert found(rows, columns, "delivery_cohort", "business_day, age_hours") == [
        (date(2026, 1, 10), 1, 2, 1, Decimal("0.5"), True),
        (date(2026, 1, 10), 6, 2, 1, Decimal("0.5"), True),
        (date(2026, 1, 10), 24, 2, 2, Decimal("1.0"), True),
        (date(2026, 1, 11), 1, 1, 1, Decimal("1.0"), False),
    ]


def test_a_sender_is_shown_with_all_that_became_of_its_messages(rows: Rows) -> None:
    codes = [(100, 1), (100, 8), (100, 16), (208, 0), (410, 0), (100, 4)]
    for number, (status_code, dlr_code) in enumerate(codes):
        rows.sms(
            str(number), sender_id="ACME", status_code=status_code, dlr_code=dlr_code, price=f"0.{number + 1}"
        )
    rows.sms("abroad", sender_id="ACME", iso2="AT", price=None)
    rows.sms("unsigned", sender_id=None, price="1")
    rows.build()
    counts = "sender_id, messages, countries, delivered, expired, rejected, failed, cancelled, open, unpriced"
    assert found(rows, counts, "sender_health") == [
        ("ACME", 7, 2, 2, 1, 1, 1, 1, 1, 1),
        ("unknown", 1, 1, 1, 0, 0, 0, 0, 0, 0),
    ]
    money = "sender_id, cost, cost_undelivered, cost_per_delivered, share_settled, share_priced"
    assert found(rows, money, "sender_health") == [
        ("ACME", Decimal("2.1"), Decimal("1.4"), Decimal("1.05"), Decimal("0.857143"), Decimal("0.857143")),
        ("unknown", Decimal(1), Decimal(0), Decimal(1), Decimal(1), Decimal(1)),
    ]


def test_a_bulk_is_finished_with_its_last_message(rows: Rows) -> None:
    rows.bulk("done", delivery_at="2026-01-10 15:00:00", msg_total_count=2, msg_total_cost="0.30")
    rows.sms("a", bulk_id=rows.uuid("done"), price="0.10", gateway_sent_at="2026-01-10 15:00:10")
    rows.sms("b", bulk_id=rows.uuid("done"), price="0.10", gateway_sent_at="2026-01-10 15:02:00", dlr_code=4)
    rows.bulk("going on", msg_total_count=5, msg_total_cost="0.50")
    rows.sms("c", bulk_id=rows.uuid("going on"), gateway_sent_at="2026-01-10 12:00:10")
    rows.sms("d", bulk_id=rows.uuid("going on"), status_code=0, dlr_code=0)
    rows.bulk("trial", is_dryrun=True)
    rows.build()
    columns = (
        "messages_planned, messages, sent, delivered, delivery_rate, cost_planned, cost, cost_difference, "
        "cost_per_delivered, seconds_to_finish"
    )
    done, going_on = (
        (2, 2, 2, 1, Decimal(1), Decimal("0.3"), Decimal("0.2"), Decimal("-0.1"), Decimal("0.2"), 120),
        (5, 2, 1, 1, Decimal(1), Decimal("0.5"), Decimal("0.112"), Decimal("-0.388"), Decimal("0.112"), None),
    )
    assert found(rows, columns, "bulk_performance", "messages_planned") == [done, going_on]


def test_a_bulk_that_was_sent_from_here_is_held_against_its_plan(rows: Rows) -> None:
    rows.bulk("here", msg_total_count=2, msg_total_cost="0.30")
    rows.sms("a", bulk_id=rows.uuid("here"), price="0.10")
    rows.sms("b", bulk_id=rows.uuid("here"), price="0.20")
    rows.bulk("unpriced", msg_total_count=1, msg_total_cost="0.40")
    rows.bulk("elsewhere", msg_total_count=1, msg_total_cost="0.50")
    rows.campaign("k", bulk_id=rows.uuid("here"), recipients=3, cost_planned="0.42")
    rows.campaign("u", bulk_id=rows.uuid("unpriced"), recipients=1, cost_planned=None)
    rows.campaign("not known", bulk_id=None, state="intended")
    rows.build()
    columns = "messages_planned, messages_difference, cost_planned, cost_difference, planned_by"
    assert found(rows, columns, "bulk_performance", "cost_planned") == [
        (1, -1, Decimal("0.4"), Decimal("-0.4"), "campaign"),
        (3, -1, Decimal("0.42"), Decimal("-0.12"), "campaign"),
        (1, -1, Decimal("0.5"), Decimal("-0.5"), "provider"),
    ]
    assert found(rows, "campaign_key, messages_planned, cost_planned", "fct_bulk", "campaign_key") == [
        ("k", 3, Decimal("0.42")),
        ("u", 1, None),
        (None, None, None),
    ]
    audited = "select uuid from marts.billing_audit where finding = 'bulk_cost_differs' order by uuid"
    assert {uuid for (uuid,) in rows.select(audited)} == {rows.uuid("unpriced"), rows.uuid("elsewhere")}


def test_a_country_is_shown_beside_its_own_28_days_before(rows: Rows) -> None:
    for day in range(1, 31):
        rows.sms(
            f"{day}", created_at=f"2026-01-{day:02} 12:00:00", price="0.28", dlr_code=1 if day % 2 else 8
        )
    for number in range(10):
        rows.sms(f"more {number}", created_at="2026-01-30 12:00:00", price="0.28")
    rows.sms("another country", created_at="2026-01-29 12:00:00", iso2="AT", price="9")
    rows.build()
    columns = (
        "business_day, messages, cost, baseline_days, baseline_messages_per_day, baseline_delivery_rate, "
        "baseline_cost_per_day"
    )
    shown = rows.select(
        f"select {columns} from marts.country_overview where country_code = 'DE' "
        "and day(business_day) in (1, 3, 30) order by all"
    )
    assert shown == [
        (date(2026, 1, 1), 1, Decimal("0.28"), 0, None, None, None),
        (date(2026, 1, 3), 1, Decimal("0.28"), 2, Decimal(1), Decimal("0.5"), Decimal("0.28")),
        (date(2026, 1, 30), 11, Decimal("3.08"), 28, Decimal(1), Decimal("0.5"), Decimal("0.28")),
    ]


@pytest.mark.parametrize(
    ("mart", "times"),
    [
        ("delivery_hourly", 1),
        ("delivery_funnel", 1),
        ("delivery_latency", 1),
        ("delivery_cohort", 4),
        ("sender_health", 1),
        ("country_overview", 1),
    ],
)
def test_every_message_is_in_each_mart_that_counts_all_of_them(rows: Rows, mart: str, times: int) -> None:
    rows.context(as_of_at="2026-01-13")
    for number in range(40):
        rows.sms(
            str(number),
            created_at=f"2026-01-{number % 9 + 1:02} {number % 24:02}:00:00",
            iso2=("DE", "AT", None)[number % 3],
            service_code=("direct", "economy", None)[number % 4 % 3],
            currency=("EUR", "CHF")[number % 2],
            dlr_code=(1, 8, 4, 0)[number % 4],
        )
    rows.build()
    counted = "accepted" if mart == "delivery_funnel" else "messages"
    assert rows.one(f"select sum({counted}) from marts.{mart}") == 40 * times
    assert rows.failing() == {"marts.fct_sms.final_messages_have_a_time": 20}
