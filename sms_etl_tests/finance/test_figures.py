"""The figures are the marts' own, exact, and never added across currencies."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sms_etl.errors import NoDataForPeriod, NoWarehouse, ReportError
from sms_etl.finance.figures import Cost, Figures, read_figures
from sms_etl_tests.finance.account import DELIVERED, EXPIRED, OPEN, Message, at, write_warehouse

JANUARY = date(2026, 1, 1)
NOON = at("2026-01-15 11:00")


def figures_of(path: Path, month: date = JANUARY) -> Figures:
    with duckdb.connect(str(path), read_only=True) as connection:
        return read_figures(connection, month)


def test_the_cost_is_the_sum_of_the_prices_to_the_last_decimal(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY).currencies
    prices = marts.execute(
        "select price from marts.fct_sms where business_month = date '2026-01-01' and price is not null"
    ).fetchall()
    exact = sum(price for (price,) in prices)
    assert isinstance(section.total.cost, Decimal)
    assert section.total.cost == exact


def test_every_breakdown_adds_up_to_the_total(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY).currencies
    for lines in (section.days, section.countries, section.cost_centres, section.services, section.items):
        assert sum((line.cost for line in lines), Cost()) == section.total


def test_delivery_is_counted_as_the_messages_say(marts: duckdb.DuckDBPyConnection) -> None:
    delivery = read_figures(marts, JANUARY).delivery
    counted = marts.execute(
        "select count(*), count(*) filter (where delivery_status = 'delivered'),"
        " count(*) filter (where not is_final), count(*) filter (where is_aged_out)"
        " from marts.fct_sms where business_month = date '2026-01-01'"
    ).fetchone()
    assert counted == (delivery.messages, delivery.delivered, delivery.open, delivery.aged_out)
    assert delivery.delivery_rate == Decimal(delivery.delivered) / (delivery.messages - delivery.open)


def test_the_month_before_is_read_for_comparison(marts: duckdb.DuckDBPyConnection) -> None:
    figures, december = read_figures(marts, JANUARY), read_figures(marts, date(2025, 12, 1))
    assert figures.previous == december.delivery
    assert figures.currencies[0].previous == december.currencies[0].total
    assert december.previous is None
    assert december.currencies[0].previous is None


def test_two_currencies_are_two_sections(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path,
        [
            Message(NOON, price="0.10"),
            Message(NOON, price="0.20"),
            Message(NOON, price="0.30", currency="CHF"),
        ],
    )
    figures = figures_of(warehouse_path)
    assert {each.currency: each.total.cost for each in figures.currencies} == {
        "CHF": Decimal("0.30"),
        "EUR": Decimal("0.30"),
    }
    assert figures.delivery.messages == 3


def test_a_month_begins_at_midnight_of_the_time_zone(warehouse_path: Path) -> None:
    first_second, second_before = at("2025-12-31 23:00"), at("2025-12-31 22:59:59")
    write_warehouse(warehouse_path, [Message(first_second), Message(second_before)])
    figures = figures_of(warehouse_path)
    assert [each.day for each in figures.days] == [JANUARY]
    assert figures.delivery.messages == 1


@pytest.mark.parametrize(
    ("watermark_at", "is_complete"),
    [(at("2026-01-31 22:59:58"), False), (at("2026-01-31 22:59:59"), True)],
)
def test_a_month_is_complete_once_its_last_second_was_read(
    warehouse_path: Path, watermark_at: datetime, is_complete: bool
) -> None:
    write_warehouse(warehouse_path, [Message(NOON)], watermark_at=watermark_at)
    assert figures_of(warehouse_path).basis.is_complete is is_complete


def test_messages_without_a_price_count_but_do_not_cheapen_the_average(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path, [Message(NOON, price="0.20", parts=2), Message(NOON, price=None, parts=5)]
    )
    (section,) = figures_of(warehouse_path).currencies
    assert (section.total.messages, section.total.unpriced, section.total.parts) == (2, 1, 7)
    assert section.total.average_price_per_part == Decimal("0.10")


def test_the_cost_of_failed_messages_leaves_out_what_is_still_open(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path,
        [
            Message(NOON, price="0.01", status=DELIVERED),
            Message(NOON, price="0.02", status=EXPIRED),
            Message(NOON, price="0.04", status=OPEN),
        ],
    )
    assert figures_of(warehouse_path).currencies[0].total.cost_failed == Decimal("0.02")


def test_without_a_final_or_priced_message_there_is_no_rate_and_no_average(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON, price=None, status=OPEN)])
    figures = figures_of(warehouse_path)
    assert figures.delivery.delivery_rate is None
    assert figures.delivery.share_settled == 0
    assert figures.currencies[0].total.average_price_per_part is None


def test_a_dry_run_is_no_bulk_of_the_month(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY).currencies
    assert len(section.bulks) == 3
    assert all(bulk.messages > 0 and bulk.cost > 0 for bulk in section.bulks)


def test_a_month_without_messages_names_those_that_have_some(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NoDataForPeriod, match="2024-05") as caught:
        read_figures(marts, date(2024, 5, 1))
    assert caught.value.hint == "There are messages in: 2025-12, 2026-01."


def test_the_month_after_the_last_message_has_no_data_either(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NoDataForPeriod, match="2026-02"):
        read_figures(marts, date(2026, 2, 1))


def test_an_account_without_any_message_is_told_to_sync(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [])
    with pytest.raises(NoDataForPeriod, match="sms-etl sync"):
        figures_of(warehouse_path)


def test_a_file_without_marts_is_told_to_build() -> None:
    with duckdb.connect() as connection, pytest.raises(NoWarehouse, match="sms-etl build"):
        read_figures(connection, JANUARY)


def test_a_warehouse_that_was_never_built_is_told_to_build(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [])
    with duckdb.connect(str(warehouse_path)) as connection:
        connection.execute("delete from ops.build_context")
        with pytest.raises(NoWarehouse, match="sms-etl build"):
            read_figures(connection, JANUARY)


@pytest.mark.parametrize("mart", ["cost_daily", "delivery_daily"])
def test_marts_that_contradict_each_other_are_not_printed(warehouse_path: Path, mart: str) -> None:
    write_warehouse(warehouse_path, [Message(NOON), Message(NOON)])
    with duckdb.connect(str(warehouse_path)) as connection:
        connection.execute(f"update marts.{mart} set messages = messages + 1")
        with pytest.raises(ReportError, match="contradict"):
            read_figures(connection, JANUARY)
