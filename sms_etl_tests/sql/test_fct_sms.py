"""marts.fct_sms and its dimensions, with a few rows each."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows

CONTRACT = (
    "uuid",
    "created_at",
    "scheduled_at",
    "sent_at",
    "delivered_at",
    "settled_at",
    "status_code",
    "dlr_code",
    "delivery_status",
    "is_final",
    "is_aged_out",
    "country_code",
    "country_name",
    "service_code",
    "sender_id",
    "key_id",
    "cost_centre",
    "bulk_id",
    "source",
    "encoding",
    "chars",
    "parts",
    "price",
    "currency",
    "unit_price",
    "is_gone",
)


def test_its_columns_are_those_of_the_contract(rows: Rows) -> None:
    rows.build()
    columns = [row[0] for row in rows.select("describe marts.fct_sms")]
    assert columns[: len(CONTRACT)] == list(CONTRACT)


@pytest.mark.parametrize(
    ("status_code", "dlr_code", "delivery_status", "is_final"),
    [
        (0, 0, "queued", False),
        (100, 0, "sent", False),
        (100, 4, "sent", False),
        (100, 1, "delivered", True),
        (100, 2, "buffered", False),
        (100, 8, "expired", True),
        (100, 16, "rejected", True),
        (208, 0, "failed", True),
        (400, 0, "failed", True),
        (2000, 0, "failed", True),
        (3000, 0, "failed", True),
        (5000, 0, "failed", True),
        (410, 0, "cancelled", True),
        (6000, 0, "cancelled", True),
        (100, 99, "unknown", False),
        (777, 0, "unknown", False),
        (777, 1, "unknown", False),  # under an unknown status a delivery report decides nothing
        (0, 1, "queued", False),  # nor before the operator has the message
        (208, 1, "failed", True),
        (208, 99, "failed", True),
        (208, None, "failed", True),
        (100, None, "sent", False),
        (None, 1, "unknown", False),
        (None, None, "unknown", False),
    ],
)
def test_the_two_codes_become_one_word(
    rows: Rows, status_code: int | None, dlr_code: int | None, delivery_status: str, is_final: bool
) -> None:
    rows.sms(status_code=status_code, dlr_code=dlr_code)
    rows.build()
    found = rows.select("select status_code, dlr_code, delivery_status, is_final from marts.fct_sms")
    assert found == [(status_code, dlr_code, delivery_status, is_final)]


@pytest.mark.parametrize(
    ("delivery_at", "delivery_status"),
    [("2026-01-12 00:00:01", "scheduled"), ("2026-01-12 00:00:00", "queued"), (None, "queued")],
)
def test_a_queued_message_with_its_time_ahead_is_scheduled(
    rows: Rows, delivery_at: str | None, delivery_status: str
) -> None:
    rows.context(as_of_at="2026-01-12 00:00:00")
    rows.sms(status_code=0, dlr_code=0, delivery_at=delivery_at)
    rows.build()
    assert rows.one("select delivery_status from marts.fct_sms") == delivery_status


def test_only_a_queued_message_can_be_scheduled(rows: Rows) -> None:
    rows.sms(status_code=410, delivery_at="2027-01-01")
    rows.build()
    assert rows.one("select delivery_status from marts.fct_sms") == "cancelled"


@pytest.mark.parametrize(
    ("created_at", "delivery_at", "dlr_code", "is_aged_out"),
    [
        ("2026-01-07 00:00:00", None, 4, False),
        ("2026-01-06 23:59:59", None, 4, True),
        ("2026-01-06 23:59:59", None, 1, False),  # final: nothing is asked for any more
        ("2026-01-01 00:00:00", "2026-01-07 00:00:00", 4, False),
        ("2026-01-01 00:00:00", "2026-01-06 23:59:59", 4, True),
        ("2026-01-11 00:00:00", "2026-01-01 00:00:00", 4, False),
        ("2026-01-01 00:00:00", None, 99, True),
    ],
)
def test_age_counts_from_creation_or_the_scheduled_time(
    rows: Rows, created_at: str, delivery_at: str | None, dlr_code: int | None, is_aged_out: bool
) -> None:
    rows.context(as_of_at="2026-01-12 00:00:00", settle_days=5)
    rows.sms(created_at=created_at, delivery_at=delivery_at, dlr_code=dlr_code)
    rows.build()
    assert rows.one("select is_aged_out from marts.fct_sms") is is_aged_out


def test_settled_is_when_it_was_first_seen_final(rows: Rows) -> None:
    rows.sms()
    rows.change("a", "2026-01-10 12:00:00", dlr_code=0)
    rows.change("a", "2026-01-10 13:00:00", dlr_code=1, observed_by="settle")
    rows.change("a", "2026-01-10 14:00:00", dlr_code=1, price="0.07")
    rows.build()
    assert rows.one("select cast(settled_at as varchar) from marts.fct_sms") == "2026-01-10 13:00:00"


def test_settled_begins_anew_after_a_message_was_open_again(rows: Rows) -> None:
    rows.sms()
    for hour, dlr_code in ((12, 8), (13, 2), (14, 1), (15, 1)):
        rows.change("a", f"2026-01-10 {hour}:00:00", dlr_code=dlr_code)
    rows.build()
    assert rows.one("select cast(settled_at as varchar) from marts.fct_sms") == "2026-01-10 14:00:00"


def test_open_and_final_seen_at_one_moment_is_settled_then(rows: Rows) -> None:
    rows.sms()
    rows.change("a", "2026-01-10 13:00:00", dlr_code=4)
    rows.change("a", "2026-01-10 13:00:00", dlr_code=1, observed_by="webhook")
    rows.build()
    assert rows.one("select cast(settled_at as varchar) from marts.fct_sms") == "2026-01-10 13:00:00"


def test_what_saw_it_final_first_is_what_settled_it(rows: Rows) -> None:
    rows.sms()
    rows.change("a", "2026-01-10 12:00:00", dlr_code=0)
    rows.change("a", "2026-01-10 13:00:00", dlr_code=1, observed_by="webhook")
    rows.change("a", "2026-01-10 14:00:00", dlr_code=1, price="0.07", observed_by="settle")
    rows.sms("open", dlr_code=2)
    rows.change("open", "2026-01-10 12:00:00", dlr_code=1)
    rows.build()
    found = rows.select("select is_final, settled_by from marts.fct_sms order by is_final")
    assert found == [(False, None), (True, "webhook")]


@pytest.mark.parametrize(("dlr_code", "expected"), [(1, "2026-01-10 12:00:40"), (8, None)])
def test_delivered_is_when_an_event_says_so_and_only_of_what_is_delivered(
    rows: Rows, dlr_code: int, expected: str | None
) -> None:
    rows.sms(dlr_code=dlr_code, gateway_sent_at="2026-01-10 12:00:10", delivered_at="2026-01-10 12:00:40")
    rows.build()
    assert rows.one("select cast(delivered_at as varchar) from marts.fct_sms") == expected
    timed = rows.select("select delivered_timed, delivery_seconds_p50 from marts.delivery_latency")
    assert timed == [(1, 30) if expected else (0, None)]


def test_an_open_message_is_not_settled_whatever_was_seen(rows: Rows) -> None:
    rows.sms(dlr_code=2)
    rows.change("a", "2026-01-10 12:00:00", dlr_code=1)
    rows.build()
    assert rows.one("select settled_at from marts.fct_sms") is None


@pytest.mark.parametrize(
    ("created_at", "timezone", "day", "month"),
    [
        ("2026-01-31 22:59:59", "Europe/Berlin", date(2026, 1, 31), date(2026, 1, 1)),
        ("2026-01-31 23:00:00", "Europe/Berlin", date(2026, 2, 1), date(2026, 2, 1)),
        # 29 March 2026 has 23 hours in Berlin: it ends at 22:00 UTC.
        ("2026-03-28 22:59:59", "Europe/Berlin", date(2026, 3, 28), date(2026, 3, 1)),
        ("2026-03-28 23:00:00", "Europe/Berlin", date(2026, 3, 29), date(2026, 3, 1)),
        ("2026-03-29 21:59:59", "Europe/Berlin", date(2026, 3, 29), date(2026, 3, 1)),
        ("2026-03-29 22:00:00", "Europe/Berlin", date(2026, 3, 30), date(2026, 3, 1)),
        # 25 October 2026 has 25: it begins at 22:00 UTC and ends at 23:00.
        ("2026-10-24 22:00:00", "Europe/Berlin", date(2026, 10, 25), date(2026, 10, 1)),
        ("2026-10-25 22:59:59", "Europe/Berlin", date(2026, 10, 25), date(2026, 10, 1)),
        ("2026-10-25 23:00:00", "Europe/Berlin", date(2026, 10, 26), date(2026, 10, 1)),
        ("2026-01-01 04:59:59", "America/New_York", date(2025, 12, 31), date(2025, 12, 1)),
        ("2026-01-31 23:00:00", "UTC", date(2026, 1, 31), date(2026, 1, 1)),
    ],
)
def test_a_business_day_is_that_of_the_time_zone(
    rows: Rows, created_at: str, timezone: str, day: date, month: date
) -> None:
    rows.context(timezone=timezone)
    rows.sms(created_at=created_at)
    rows.build()
    assert rows.select("select business_day, business_month from marts.fct_sms") == [(day, month)]


def test_the_session_time_zone_changes_nothing(rows: Rows) -> None:
    rows.connection.execute("set timezone = 'Pacific/Auckland'")
    rows.sms(created_at="2026-01-31 22:59:59")
    rows.build()
    assert rows.one("select business_day from marts.fct_sms") == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("price", "parts", "unit_price"),
    [
        ("0.0560", 1, "0.056000"),
        ("0.1", 3, "0.033333"),
        ("0.2", 3, "0.066667"),
        ("0.000001", 2, "0.000001"),  # half of the last digit goes up
        ("0.000001", 3, "0.000000"),
        ("123456789012.123456", 7, "17636684144.589065"),
        ("0", 2, "0.000000"),
        (None, 2, None),
        ("0.1", None, None),
        ("0.1", 0, None),
    ],
)
def test_the_price_per_part_is_exact_and_rounded_half_up(
    rows: Rows, price: str | None, parts: int | None, unit_price: str | None
) -> None:
    rows.sms(price=price, parts_count=parts)
    rows.build()
    found = rows.one("select unit_price from marts.fct_sms")
    assert (None if found is None else str(found)) == unit_price


@pytest.mark.parametrize(("is_unicode", "encoding"), [(True, "ucs2"), (False, "gsm7"), (None, None)])
def test_the_encoding_is_named_if_it_is_known(
    rows: Rows, is_unicode: bool | None, encoding: str | None
) -> None:
    rows.sms(is_unicode=is_unicode)
    rows.build()
    assert rows.one("select encoding from marts.fct_sms") == encoding


@pytest.mark.parametrize(
    ("iso2", "code", "name"),
    [
        ("CH", "CH", "Switzerland"),
        ("ch", "CH", "Switzerland"),
        (None, "ZZ", "Unknown"),
        ("", "ZZ", "Unknown"),
        ("Q1", "Q1", "Unknown (Q1)"),
    ],
)
def test_every_message_has_a_country(rows: Rows, iso2: str | None, code: str, name: str) -> None:
    rows.sms(iso2=iso2)
    rows.build()
    assert rows.select("select country_code, country_name from marts.fct_sms") == [(code, name)]


def test_keys_without_a_cost_centre_are_unassigned(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "cost_centres.csv").write_text("key_id,cost_centre,description\n8207,marketing,\n")
    for name, key_id in (("a", 8207), ("b", 1), ("c", None)):
        rows.sms(name, key_id=key_id)
    rows.build(seeds=tmp_path)
    found = rows.select("select key_id, cost_centre from marts.fct_sms order by key_id nulls last")
    assert found == [(1, "unassigned"), (8207, "marketing"), (None, "unassigned")]


def test_a_message_deleted_at_the_provider_stays(rows: Rows) -> None:
    rows.sms(gone_at="2026-01-11")
    rows.build()
    assert rows.select("select is_gone, price from marts.fct_sms") == [(True, Decimal("0.056000"))]
    assert rows.one("select cost from marts.cost_daily") == Decimal("0.056000")


def test_what_the_provider_leaves_out_loses_no_message(rows: Rows) -> None:
    rows.sms(
        **dict.fromkeys(
            (
                "status_code",
                "dlr_code",
                "is_unicode",
                "iso2",
                "parts_count",
                "chars_count",
                "price",
                "key_id",
            ),
        ),
        service_code=None,
    )
    rows.build()
    assert rows.select("select service_code, has_price, is_final from marts.fct_sms") == [
        ("unknown", False, False)
    ]
    assert {name: count for name, count in rows.failing().items() if "unknown" not in name} == {}


def test_dim_status_holds_every_documented_pair_and_those_seen(rows: Rows) -> None:
    rows.sms(status_code=777, dlr_code=1)
    rows.change("a", "2026-01-10", status_code=100, dlr_code=99)
    rows.build()
    assert rows.one("select count(*) from marts.dim_status where is_known") == 9 * 6
    assert rows.select(
        "select status_code, dlr_code, status_meaning, dlr_meaning from marts.dim_status "
        "where not is_known order by status_code"
    ) == [
        (100, 99, "handed to the mobile operator", "unknown"),
        (777, 1, "unknown", "delivered"),
    ]


def test_dim_country_knows_calling_codes(rows: Rows) -> None:
    rows.build()
    found = dict(rows.select("select country_code, calling_code from marts.dim_country"))
    assert (found["DE"], found["CH"], found["US"], found["ZZ"]) == ("49", "41", "1", None)
