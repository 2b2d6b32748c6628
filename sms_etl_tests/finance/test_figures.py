"""The figures are the marts' own, exact, and never added across currencies."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from sms_etl.errors import NoDataForPeriod, NotAPeriod, NoWarehouse, ReportError
from sms_etl.finance.coverage import Stretch
from sms_etl.finance.figures import Credits, Figures, Key, Publication
from sms_etl.finance.measures import Cost, Pair
from sms_etl.finance.reading import read_figures
from sms_etl_tests.finance.account import (
    DELIVERED,
    EXPIRED,
    FROM_THE_FIRST,
    OPEN,
    BadRow,
    Message,
    Published,
    at,
    write_warehouse,
)

JANUARY = date(2026, 1, 1)
NOON = at("2026-01-15 11:00")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def figures_of(path: Path, month: date = JANUARY) -> Figures:
    with duckdb.connect(str(path), read_only=True) as connection:
        return read_figures(connection, month, now=NOW)


def test_the_cost_is_the_sum_of_the_prices_to_the_last_decimal(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY, now=NOW).currencies
    prices = marts.execute(
        "select price from marts.fct_sms where business_month = date '2026-01-01' and price is not null"
    ).fetchall()
    exact = sum(price for (price,) in prices)
    assert isinstance(section.total.cost, Decimal)
    assert section.total.cost == exact


def test_every_breakdown_adds_up_to_the_total(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY, now=NOW).currencies
    for lines in (section.days, section.countries, section.cost_centres, section.services, section.items):
        assert sum((line.cost for line in lines), Cost()) == section.total


def test_delivery_is_counted_as_the_messages_say(marts: duckdb.DuckDBPyConnection) -> None:
    delivery = read_figures(marts, JANUARY, now=NOW).delivery
    counted = marts.execute(
        "select count(*), count(*) filter (where delivery_status = 'delivered'),"
        " count(*) filter (where not is_final), count(*) filter (where is_aged_out)"
        " from marts.fct_sms where business_month = date '2026-01-01'"
    ).fetchone()
    assert counted == (delivery.messages, delivery.delivered, delivery.open, delivery.aged_out)
    assert delivery.delivery_rate == Decimal(delivery.delivered) / (delivery.messages - delivery.open)


def test_two_whole_months_are_compared_whole(marts: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(marts, JANUARY, now=NOW)
    december = read_figures(marts, date(2025, 12, 1), now=NOW)
    assert figures.basis.comparison.is_whole
    assert figures.compared == Pair(figures.delivery, december.delivery)
    (section,) = figures.currencies
    assert section.compared == Pair(section.total, december.currencies[0].total)
    assert december.compared is None
    assert december.currencies[0].compared is None


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
    ("until_at", "is_complete"), [(at("2026-01-31 22:59:58"), False), (at("2026-01-31 22:59:59"), True)]
)
def test_a_month_is_covered_once_its_last_second_was_read(
    warehouse_path: Path, until_at: datetime, is_complete: bool
) -> None:
    write_warehouse(warehouse_path, [Message(NOON)], windows=[(FROM_THE_FIRST, until_at)])
    assert figures_of(warehouse_path).basis.coverage.is_complete is is_complete


def test_a_sync_that_saw_no_newer_message_covers_until_it_read(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON)], watermark_at=at("2026-01-20 12:00"))
    covered = figures_of(warehouse_path).basis.coverage
    assert covered.read == (Stretch(at("2025-12-31 23:00"), at("2026-01-20 12:00:01")),)


def test_messages_without_a_price_count_but_do_not_cheapen_the_average(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path, [Message(NOON, price="0.20", parts=2), Message(NOON, price=None, parts=5)]
    )
    (section,) = figures_of(warehouse_path).currencies
    assert (section.total.messages, section.total.unpriced, section.total.parts) == (2, 1, 7)
    assert section.total.average_price_per_part == Decimal("0.10")


def test_the_cost_of_undelivered_messages_leaves_out_what_is_still_open(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path,
        [
            Message(NOON, price="0.01", status=DELIVERED),
            Message(NOON, price="0.02", status=EXPIRED),
            Message(NOON, price="0.04", status=OPEN),
        ],
    )
    assert figures_of(warehouse_path).currencies[0].total.cost_undelivered == Decimal("0.02")


def test_without_a_final_or_priced_message_there_is_no_rate_and_no_average(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON, price=None, status=OPEN)])
    figures = figures_of(warehouse_path)
    assert figures.delivery.delivery_rate is None
    assert figures.delivery.share_settled == 0
    assert figures.currencies[0].total.average_price_per_part is None


def test_a_dry_run_is_no_bulk_of_the_month(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY, now=NOW).currencies
    assert len(section.bulks) == 3
    assert all(bulk.messages > 0 and bulk.cost > 0 for bulk in section.bulks)


def test_a_month_without_messages_names_those_that_have_some(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(
        NoDataForPeriod, match="2024-05 is loaded: the first message is from 2025-12-01"
    ) as caught:
        read_figures(marts, date(2024, 5, 1), now=NOW)
    assert caught.value.hint == "There are messages in: 2025-12, 2026-01."


def test_a_month_that_was_read_only_in_part_is_not_called_empty(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NoDataForPeriod, match="2026-02 is loaded: only a part of the month was read"):
        read_figures(marts, date(2026, 2, 1), now=NOW)


def test_a_quiet_month_that_was_read_is_told_from_one_that_was_not(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(at("2025-11-15"))])
    with pytest.raises(NoDataForPeriod, match="the whole month was read, and none was created"):
        figures_of(warehouse_path)
    with pytest.raises(NoDataForPeriod, match="2026-03 is loaded: the month was not read yet"):
        figures_of(warehouse_path, date(2026, 3, 1))


def test_a_month_that_has_not_begun_is_wrong_usage(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotAPeriod, match="2026-04 has not begun") as caught:
        read_figures(marts, date(2026, 4, 1), now=NOW)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "The running month is 2026-03."


def test_of_many_months_the_first_and_the_last_are_named(warehouse_path: Path) -> None:
    every_month = [Message(at(f"{year}-{month:02}-15")) for year in (2024, 2025) for month in range(1, 13)]
    write_warehouse(warehouse_path, every_month)
    with pytest.raises(NoDataForPeriod) as caught:
        figures_of(warehouse_path)
    assert caught.value.hint == "There are messages in 24 months, from 2024-01 to 2025-12."


def test_voice_is_in_the_cost_but_not_in_the_price_per_part(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path,
        [Message(NOON, price="0.20", parts=2), Message(NOON, price="0.90", service="text2speech")],
    )
    (section,) = figures_of(warehouse_path).currencies
    assert (section.total.cost, section.total.cost_voice) == (Decimal("1.10"), Decimal("0.90"))
    assert section.total.average_price_per_part == Decimal("0.10")


def test_unassigned_names_its_keys_and_they_add_up_to_it(marts: duckdb.DuckDBPyConnection) -> None:
    (section,) = read_figures(marts, JANUARY, now=NOW).currencies
    (line,) = (line for line in section.cost_centres if line.label == "unassigned")
    assert [key.key_id for key in section.unassigned] == [9]
    assert sum(key.cost for key in section.unassigned) == line.cost.cost
    assert sum(key.messages for key in section.unassigned) == line.cost.messages


def test_a_message_without_a_key_is_unassigned_too(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON, price="0.10", key_id=None)])
    assert figures_of(warehouse_path).currencies[0].unassigned == (Key(None, 1, Decimal("0.10")),)


def test_negative_prices_are_counted_and_stay_in_the_cost(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON, price="0.50"), Message(NOON, price="-0.20")])
    (section,) = figures_of(warehouse_path).currencies
    assert section.total.cost == Decimal("0.30")
    assert section.credits == Credits(1, Decimal("-0.20"))


def left_out_of(path: Path, *bad_rows: BadRow, messages: Sequence[Message] = (Message(NOON),)) -> Any:
    write_warehouse(path, messages, bad_rows=bad_rows)
    return figures_of(path).left_out


def test_rows_in_quarantine_are_of_the_month_they_were_created_in(warehouse_path: Path) -> None:
    in_january, in_february = at("2026-01-31 22:59:59"), at("2026-01-31 23:00")
    (left,) = left_out_of(
        warehouse_path, BadRow(created_at=in_january, price="0.10"), BadRow(created_at=in_february)
    )
    assert (left.rows, left.price, left.undated) == (1, Decimal("0.10"), 0)


def test_a_row_without_a_time_counts_in_the_month_it_was_quarantined_in(warehouse_path: Path) -> None:
    (left,) = left_out_of(
        warehouse_path, BadRow(quarantined_at=at("2026-01-20")), BadRow(quarantined_at=at("2026-03-20"))
    )
    assert (left.rows, left.undated) == (1, 1)


def test_prices_in_quarantine_are_added_exactly_and_what_is_no_price_is_counted(warehouse_path: Path) -> None:
    prices = (
        "0.21000000000000002",
        "999999999999.9",
        '"0.1"',
        "abc",
        "1e999999999",
        "NaN",
        None,
        "0.1",
        "-1",
    )
    (left,) = left_out_of(warehouse_path, *(BadRow(price=price) for price in prices))
    assert left.price == Decimal("999999999999.31000000000000002")
    assert (left.rows, left.unreadable) == (9, 4)


def test_open_and_accepted_rows_are_apart_and_loaded_ones_are_gone(warehouse_path: Path) -> None:
    opened, accepted = left_out_of(
        warehouse_path,
        BadRow(accepted_reason="never sent"),
        BadRow(),
        BadRow(replayed_at=at("2026-01-21")),
    )
    assert (opened.is_accepted, opened.rows) == (False, 1)
    assert (accepted.is_accepted, accepted.accepted_reason, accepted.rows) == (True, "never sent", 1)


def test_a_message_quarantined_twice_counts_once_and_open_if_any_row_is(warehouse_path: Path) -> None:
    uuid = str(UUID(int=99))
    (left,) = left_out_of(
        warehouse_path,
        BadRow(uuid=uuid, accepted_reason="wrong", quarantined_at=at("2026-01-21")),
        BadRow(uuid=uuid.upper(), price="0.30"),
        BadRow(uuid=uuid, price="0.40", quarantined_at=at("2026-01-19")),
    )
    assert (left.is_accepted, left.rows, left.price) == (False, 1, Decimal("0.30"))


def test_a_message_whose_earlier_state_is_loaded_is_not_left_out_of_the_sum_twice(
    warehouse_path: Path,
) -> None:
    (left,) = left_out_of(warehouse_path, BadRow(uuid=str(UUID(int=1)), price="0.30"))
    assert (left.rows, left.known, left.price) == (1, 1, 0)


def test_open_rows_keep_cost_and_delivery_from_being_complete_and_accepted_ones_do_not(
    warehouse_path: Path,
) -> None:
    write_warehouse(warehouse_path, [Message(NOON)], bad_rows=[BadRow(accepted_reason="never sent")])
    figures = figures_of(warehouse_path)
    assert (figures.is_cost_complete, figures.is_delivery_complete) == (True, True)
    write_warehouse(warehouse_path.with_name("open"), [Message(NOON)], bad_rows=[BadRow()])
    figures = figures_of(warehouse_path.with_name("open"))
    assert (figures.is_cost_complete, figures.is_delivery_complete) == (False, False)


@pytest.mark.parametrize(
    ("message", "cost", "delivery"),
    [
        (Message(NOON), True, True),
        (Message(NOON, price=None), False, True),
        (Message(NOON, status=OPEN), True, True),
        (Message(at("2026-01-31 12:00"), status=OPEN), True, False),
    ],
    ids=["final and priced", "without a price", "aged out", "not final"],
)
def test_cost_and_delivery_are_complete_apart(
    warehouse_path: Path, message: Message, cost: bool, delivery: bool
) -> None:
    write_warehouse(warehouse_path, [message], watermark_at=at("2026-02-02"))
    figures = figures_of(warehouse_path)
    assert (figures.is_cost_complete, figures.is_delivery_complete) == (cost, delivery)


def test_the_newest_publication_counts(warehouse_path: Path) -> None:
    write_warehouse(
        warehouse_path, [Message(NOON)], publications=[Published("board meeting"), Published(None)]
    )
    assert figures_of(warehouse_path).basis.publication == Publication(False, "", ())
    path = warehouse_path.with_name("forced")
    write_warehouse(
        path, [Message(NOON)], publications=[Published(None), Published("board meeting", ("a.b",))]
    )
    assert figures_of(path).basis.publication == Publication(True, "board meeting", ("a.b",))


def test_an_account_without_any_message_is_told_to_sync(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [])
    with pytest.raises(NoDataForPeriod, match="sms-etl sync"):
        figures_of(warehouse_path)


def test_a_file_without_marts_is_told_to_build() -> None:
    with duckdb.connect() as connection, pytest.raises(NoWarehouse, match="sms-etl build"):
        read_figures(connection, JANUARY, now=NOW)


def test_a_warehouse_that_was_never_built_is_told_to_build(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [])
    with duckdb.connect(str(warehouse_path)) as connection:
        connection.execute("delete from ops.build_context")
        with pytest.raises(NoWarehouse, match="sms-etl build"):
            read_figures(connection, JANUARY, now=NOW)


@pytest.mark.parametrize("mart", ["cost_daily", "delivery_daily"])
def test_marts_that_contradict_each_other_are_not_printed(warehouse_path: Path, mart: str) -> None:
    write_warehouse(warehouse_path, [Message(NOON), Message(NOON)])
    with duckdb.connect(str(warehouse_path)) as connection:
        connection.execute(f"update marts.{mart} set messages = messages + 1")
        with pytest.raises(ReportError, match="contradict"):
            read_figures(connection, JANUARY, now=NOW)
