"""The figures of fct_bulk, delivery_daily, cost_daily and cost_monthly, and the tests that guard them."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows


def dicts(rows: Rows, sql: str) -> list[dict[str, Any]]:
    names = [row[0] for row in rows.select(f"describe {sql}")]
    return [dict(zip(names, row, strict=True)) for row in rows.select(sql)]


def test_delivery_counts_every_status_once(rows: Rows) -> None:
    codes = [(100, 1), (100, 1), (208, 0), (100, 8), (100, 16), (410, 0), (0, 0), (100, 4), (777, 0)]
    for index, (status_code, dlr_code) in enumerate(codes):
        rows.sms(str(index), status_code=status_code, dlr_code=dlr_code, parts_count=2)
    rows.build()
    (day,) = dicts(rows, "select * from marts.delivery_daily")
    counts = {name: day[name] for name in ("messages", "parts", "delivered", "failed", "expired", "rejected")}
    assert counts == {"messages": 9, "parts": 18, "delivered": 2, "failed": 1, "expired": 1, "rejected": 1}
    assert (day["cancelled"], day["open"], day["aged_out"]) == (1, 3, 0)
    assert day["delivery_rate"] == Decimal("0.333333")  # 2 of 6 final ones
    assert day["share_settled"] == Decimal("0.666667")  # 6 of 9


def test_a_day_with_nothing_settled_has_no_delivery_rate(rows: Rows) -> None:
    rows.sms(dlr_code=0)
    rows.build()
    found = rows.select("select delivery_rate, share_settled, open from marts.delivery_daily")
    assert found == [(None, Decimal("0.000000"), 1)]


def test_rates_are_rounded_half_up_to_a_millionth(rows: Rows) -> None:
    for index in range(64):
        rows.sms(str(index), dlr_code=1 if index < 5 else 8)
    rows.build()
    exact = (Decimal(5) / 64).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert rows.one("select delivery_rate from marts.delivery_daily") == exact == Decimal("0.078125")


def test_days_countries_and_services_are_apart(rows: Rows) -> None:
    rows.sms("a", created_at="2026-01-31 22:59:59")
    rows.sms("b", created_at="2026-01-31 23:00:00")
    rows.sms("c", created_at="2026-01-31 23:00:00", iso2=None)
    rows.sms("d", created_at="2026-01-31 23:00:00", service_code="pro")
    rows.build()
    assert rows.select(
        "select business_day, country_code, service_code, messages from marts.delivery_daily order by all"
    ) == [
        (date(2026, 1, 31), "DE", "direct", 1),
        (date(2026, 2, 1), "DE", "direct", 1),
        (date(2026, 2, 1), "DE", "pro", 1),
        (date(2026, 2, 1), "ZZ", "direct", 1),
    ]


def test_two_currencies_are_never_added(rows: Rows) -> None:
    rows.sms("a", price="0.10", currency="EUR")
    rows.sms("b", price="0.20", currency="CHF")
    rows.build()
    for table in ("cost_daily", "cost_monthly"):
        found = rows.select(f"select currency, cost from marts.{table} order by currency")
        assert found == [("CHF", Decimal("0.200000")), ("EUR", Decimal("0.100000"))]


def test_costs_are_the_sum_of_the_prices_to_the_last_digit(rows: Rows) -> None:
    prices = ["0.1", "0.2", "0.000001", "123456789.123456", "0.0561"]
    for index, price in enumerate(prices):
        rows.sms(str(index), price=price, created_at=f"2026-01-{index + 10} 12:00:00")
    rows.build()
    expected = sum(Decimal(price) for price in prices)
    assert rows.one("select sum(cost) from marts.cost_daily") == expected
    assert rows.one("select cost from marts.cost_monthly") == expected
    assert rows.one("select count(*) from marts.cost_daily") == len(prices)


def test_undelivered_costs_are_those_of_final_messages_not_delivered(rows: Rows) -> None:
    cases = [(100, 1), (208, 0), (100, 8), (100, 16), (410, 0), (100, 4), (0, 0), (777, 1)]
    for index, (status_code, dlr_code) in enumerate(cases):
        rows.sms(str(index), status_code=status_code, dlr_code=dlr_code, price=str(10**index))
    rows.build()
    assert rows.select("select cost, cost_undelivered from marts.cost_monthly") == [(11111111, 11110)]


def test_messages_without_a_price_are_counted_and_left_out_of_the_average(rows: Rows) -> None:
    rows.sms("a", price="0.20", parts_count=3)
    rows.sms("b", price=None, parts_count=7)
    rows.build()
    for table in ("cost_daily", "cost_monthly"):
        (row,) = dicts(rows, f"select * from marts.{table}")
        assert (row["messages"], row["parts"], row["unpriced"], row["priced_parts"]) == (2, 10, 1, 3)
        assert (row["cost"], row["average_price_per_part"]) == (Decimal("0.200000"), Decimal("0.066667"))


def test_voice_costs_but_is_not_averaged_into_the_price_per_part(rows: Rows) -> None:
    rows.sms("a", price="0.20", parts_count=2)
    rows.sms("b", price="0.90", parts_count=1, service_code="text2speech")
    rows.sms("c", price="0.50", parts_count=1, service_code="call", voice_lang="DE")
    rows.build()
    for table in ("cost_daily", "cost_monthly"):
        found = rows.select(
            f"select service_code, cost, cost_voice, priced_parts, average_price_per_part "
            f"from marts.{table} order by service_code"
        )
        assert found == [
            ("call", Decimal("0.5"), Decimal("0.5"), 0, None),
            ("direct", Decimal("0.2"), 0, 2, Decimal("0.1")),
            ("text2speech", Decimal("0.9"), Decimal("0.9"), 0, None),
        ]
    assert rows.select("select is_voice, unit_price from marts.fct_sms where is_voice") == [(True, None)] * 2


def test_without_a_price_there_is_no_average_and_no_cost(rows: Rows) -> None:
    rows.sms(price=None)
    rows.build()
    assert rows.select("select cost, cost_undelivered, average_price_per_part from marts.cost_daily") == [
        (0, 0, None)
    ]


def test_a_month_is_the_sum_of_its_days_and_its_average_not_that_of_the_days(rows: Rows) -> None:
    rows.sms("a", created_at="2026-01-10", price="0.10", parts_count=1)
    rows.sms("b", created_at="2026-01-11", price="0.80", parts_count=4)
    rows.build()
    found = rows.select("select business_month, cost, average_price_per_part from marts.cost_monthly")
    assert found == [(date(2026, 1, 1), Decimal("0.900000"), Decimal("0.180000"))]


def test_a_bulk_shows_its_messages_beside_the_providers_totals(rows: Rows) -> None:
    bulk_id = rows.uuid("bulk")
    rows.bulk(msg_total_count=3, msg_total_cost="0.30", key_id=8207, is_unicode=True)
    rows.sms("a", bulk_id=bulk_id, price="0.10")
    rows.sms("b", bulk_id=bulk_id, price="0.10", dlr_code=8, parts_count=2)
    rows.sms("elsewhere")
    rows.build()
    (bulk,) = dicts(rows, "select * from marts.fct_bulk")
    assert (bulk["bulk_status"], bulk["is_final"], bulk["encoding"]) == ("processed", True, "ucs2")
    assert (bulk["messages"], bulk["parts"], bulk["delivered"], bulk["expired"]) == (2, 3, 1, 1)
    assert (bulk["messages_difference"], bulk["cost_difference"]) == (-1, Decimal("-0.100000"))
    assert rows.failing() == {
        "marts.fct_bulk.bulk_totals_agree": 1,
        "marts.fct_sms.final_messages_have_a_time": 3,
    }


def test_a_dry_run_costs_nothing(rows: Rows) -> None:
    rows.bulk(is_dryrun=True, msg_total_count=5, msg_total_cost="0.50")
    rows.build()
    found = rows.select("select messages, cost, cost_reported, cost_difference from marts.fct_bulk")
    assert found == [(0, 0, Decimal("0.500000"), None)]
    assert rows.failing() == {}


def test_a_bulk_does_not_add_messages_of_another_currency(rows: Rows) -> None:
    rows.bulk(msg_total_count=2, msg_total_cost="0.10")
    rows.sms("a", bulk_id=rows.uuid("bulk"), price="0.10")
    rows.sms("b", bulk_id=rows.uuid("bulk"), price="0.20", currency="CHF")
    rows.build()
    assert rows.select("select currency, messages, cost from marts.fct_bulk") == [
        ("EUR", 1, Decimal("0.100000"))
    ]
    assert rows.failing()["marts.fct_bulk.bulks_have_one_currency"] == 1


@pytest.mark.parametrize(
    ("status_code", "word"), [(0, "new"), (15, "cancelled"), (201, "no_recipients"), (9, "unknown")]
)
def test_a_bulks_status_is_a_word(rows: Rows, status_code: int | None, word: str) -> None:
    rows.bulk(status_code=status_code)
    rows.build()
    assert rows.one("select bulk_status from marts.fct_bulk") == word


def test_building_again_gives_the_same_rows(rows: Rows) -> None:
    for index in range(20):
        rows.sms(str(index), price=f"0.0{index}", dlr_code=(0, 1, 8)[index % 3], iso2=("DE", None)[index % 2])
    tables = (
        "dim_country",
        "dim_status",
        "fct_sms",
        "delivery_daily",
        "cost_daily",
        "cost_monthly",
        "coverage_daily",
    )
    rows.build()
    first = {table: rows.select(f"select * from marts.{table} order by all") for table in tables}
    rows.build()
    assert {table: rows.select(f"select * from marts.{table} order by all") for table in tables} == first


def test_an_empty_warehouse_builds_and_passes(rows: Rows) -> None:
    rows.build()
    assert rows.one("select count(*) from marts.fct_sms") == 0
    assert rows.failing() == {}


def test_good_rows_pass_every_test(rows: Rows) -> None:
    rows.bulk(msg_total_count=1, msg_total_cost="0.056")
    rows.sms(bulk_id=rows.uuid("bulk"), text_parts=1)
    rows.change("a", "2026-01-10 12:00:00", price="0.0560")
    rows.build()
    assert rows.failing() == {}


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        ("insert into marts.fct_sms select * from marts.fct_sms", "marts.fct_sms.grain_unique"),
        (
            "insert into marts.fct_sms select * from marts.fct_sms",
            "marts.cost_monthly.cost_counts_every_message",
        ),
        ("delete from marts.fct_sms", "marts.fct_sms.every_raw_message_is_in_fct_sms"),
        ("update marts.fct_sms set price = price + 0.000001", "marts.cost_monthly.money_reconciles"),
        ("update marts.cost_daily set cost = cost + 0.000001", "marts.cost_monthly.money_reconciles"),
        ("update marts.cost_monthly set currency = 'CHF'", "marts.cost_monthly.money_reconciles"),
        ("delete from marts.cost_monthly", "marts.cost_monthly.money_reconciles"),
        (
            "update marts.cost_daily set cost_undelivered = cost + 1",
            "marts.cost_daily.cost_undelivered_is_part_of_cost",
        ),
        ("update marts.delivery_daily set open = 1", "marts.delivery_daily.delivery_counts_add_up"),
        (
            "update marts.delivery_daily set messages = 9",
            "marts.delivery_daily.delivery_counts_every_message",
        ),
        (
            "update marts.delivery_daily set delivery_rate = 1.1",
            "marts.delivery_daily.rates_lie_between_zero_and_one",
        ),
        ("update marts.fct_sms set country_code = 'Q1'", "marts.fct_sms.country_code_relationships"),
        (
            "update marts.fct_sms set delivery_status = 'lost'",
            "marts.fct_sms.delivery_status_accepted_values",
        ),
        ("update marts.fct_sms set currency = null", "marts.fct_sms.currency_not_null"),
        ("alter table marts.cost_daily alter cost type double", "marts.fct_sms.money_is_decimal"),
        (
            "insert into ops.build_context select * from ops.build_context",
            "marts.fct_sms.build_context_has_one_row",
        ),
        ("update marts.fct_bulk set is_dryrun = true", "marts.fct_bulk.dry_runs_send_nothing"),
        ("update raw.sms set text_parts = 2", "staging.stg_sms.parts_billed_as_counted"),
        ("update marts.fct_sms set parts = 0", "marts.fct_sms.priced_messages_have_parts"),
        ("update marts.fct_sms set settled_at = null", "marts.fct_sms.final_messages_have_a_time"),
        ("delete from raw.bulk", "marts.fct_sms.bulk_id_relationships"),
        (
            "update marts.coverage_monthly set missing_seconds = 0, is_complete = true",
            "marts.coverage_monthly.coverage_adds_up",
        ),
        (
            "insert into intermediate.int_coverage "
            "values ('2026-01-05', '2026-01-09'), ('2026-01-09', '2026-01-10')",
            "intermediate.int_coverage.coverage_spans_lie_apart",
        ),
        ("delete from marts.coverage_monthly", "marts.coverage_monthly.months_with_messages_have_coverage"),
    ],
)
def test_damage_is_found(rows: Rows, damage: str, test: str) -> None:
    rows.bulk(msg_total_count=1, msg_total_cost="0.056")
    rows.sms(bulk_id=rows.uuid("bulk"), text_parts=1)
    rows.change("a", "2026-01-10 12:00:00", price="0.0560")
    rows.build()
    rows.build_rest()
    rows.connection.execute(damage)
    assert rows.failing()[test] > 0


@pytest.mark.parametrize(
    ("fields", "test"),
    [
        ({"status_code": 777}, "marts.dim_status.unknown_codes"),
        ({"status_code": 777}, "marts.fct_sms.unknown_messages"),
        ({"iso2": "Q1"}, "marts.dim_country.unlisted_countries"),
    ],
)
def test_what_is_not_documented_is_counted(rows: Rows, fields: dict[str, object], test: str) -> None:
    rows.sms(**fields)
    rows.build()
    assert rows.failing()[test] == 1
