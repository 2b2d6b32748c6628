"""How far budgets are used and whether they will hold: every figure by hand."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sms_etl.errors import ModelError
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl_tests.finance.closing.small import NOW
from sms_etl_tests.sql.warehouse_rows import Rows

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
HEADER = "business_month,cost_centre,currency,amount\n"
MODELS = ["marts.budget_status", "marts.budget_backtest"]
Status = Callable[..., list[tuple[Any, ...]]]


def spend(rows: Rows, day: str, price: str | None, name: str = "", **fields: object) -> None:
    """Put in one message at noon in Berlin."""
    rows.sms(f"{day} {name}", created_at=f"{day} 11:00:00", price=price, **fields)


def every_day(rows: Rows, first: date, last: date, price: Callable[[date], str], **fields: object) -> None:
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        spend(rows, str(day), price(day), str(sorted(fields.items())), **fields)


@pytest.fixture
def status(rows: Rows, seeds: Path) -> Status:
    """Build with budgets as of a moment; key 1 is A, key 2 is B. Return some columns of budget_status."""
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre\n1,A\n2,B\n")
    (seeds / "budgets.csv").write_text(HEADER)

    def found(columns: str, budgets: str = "", as_of: str = "2026-02-16 11:00", **kept: str) -> list[Any]:
        rows.context(as_of)
        (seeds / "budgets.csv").write_text(HEADER + budgets)
        rows.build(seeds, MODELS)
        where = kept.get("where", "true")
        return rows.select(f"select {columns} from marts.budget_status where {where} order by all")

    return found


def test_a_forecast_takes_each_weekday_as_it_was_on_average_in_eight_weeks(
    rows: Rows, status: Status
) -> None:
    # Monday 2026-02-16 is the day; the eight weeks before it begin on Monday 2025-12-22. A Monday costs 8, or
    # 10 in the last of the eight weeks; other days cost 1; before, each day cost 100.
    last_monday = date(2026, 2, 9)
    every_day(rows, date(2025, 12, 1), date(2025, 12, 21), lambda _: "100", key_id=1)
    every_day(
        rows,
        date(2025, 12, 22),
        date(2026, 2, 15),
        lambda day: "10" if day == last_monday else "8" if day.weekday() == 0 else "1",
        key_id=1,
    )
    columns = (
        "spent, weeks, forecast, forecast_low, forecast_high, run_rate, days_known, days_in_month, status"
    )
    # Known: 1 to 15 February, with Mondays 2 (8) and 9 (10): 13 + 18 = 31. Left: 13 days, 16 to 28, with
    # Mondays 16 and 23: 11 days at 1, two Mondays at (7 × 8 + 10) / 8 = 8.25, so 27.5; cheapest week 27,
    # dearest 31.
    assert status(columns, "2026-02-01,A,EUR,58.49\n", where="business_month = '2026-02-01'") == [
        (
            Decimal(31),
            8,
            Decimal("58.5"),
            Decimal(58),
            Decimal(62),
            Decimal("2.066667"),
            15,
            28,
            "at_risk",
        )
    ]


def test_the_mean_is_rounded_once_half_up(rows: Rows, status: Status) -> None:
    # Three whole weeks, in which Monday 9 February alone costs anything; 16 and 23 February are Mondays.
    every_day(rows, date(2026, 1, 26), date(2026, 2, 15), lambda _: "0", key_id=1)
    rows.connection.execute("update raw.sms set price = 0.000001 where created_at::date = '2026-02-09'")
    # The weeks come to 0.000002, 0 and 0: a third of it is 0.00000066…
    assert status("weeks, forecast", where="business_month = '2026-02-01'") == [(3, Decimal("0.000002"))]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("1.999999", "passed"), ("2", "at_risk"), ("4.999999", "at_risk"), ("5", "within"), ("0", "passed")],
)
def test_the_status_changes_at_the_amount_to_the_last_digit(
    rows: Rows, status: Status, amount: str, expected: str
) -> None:
    # A week at 1 on each Monday, and today's 1 already spent: 2 by now, and three Mondays more.
    every_day(
        rows, date(2026, 3, 2), date(2026, 3, 8), lambda day: "1" if day.weekday() == 0 else "0", key_id=1
    )
    spend(rows, "2026-03-09", "1", key_id=1)
    assert status("status, spent, forecast", f"2026-03-01,A,EUR,{amount}\n", "2026-03-09 12:00") == [
        (expected, Decimal(2), Decimal(5))
    ]


def test_a_month_comes_to_no_less_than_what_is_spent_today_already(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 2, 16), date(2026, 2, 27), lambda _: "0", key_id=1)
    spend(rows, "2026-02-28", "7", key_id=1)
    columns = "spent, forecast_low, forecast, forecast_high, run_rate"
    assert status(columns, as_of="2026-02-28 12:00") == [
        (Decimal(7), Decimal(7), Decimal(7), Decimal(7), Decimal(0))
    ]


def test_the_share_is_of_the_budget_and_a_budget_of_nothing_has_none(rows: Rows, status: Status) -> None:
    spend(rows, "2026-01-10", "2", key_id=1)
    spend(rows, "2026-01-10", "2000000", key_id=2)
    budgets = "2026-01-01,A,EUR,3\n2026-01-01,B,EUR,0.000001\n2026-01-01,*,EUR,0\n"
    assert status("cost_centre, share_used, status", budgets, "2026-01-12") == [
        ("*", None, "passed"),
        ("A", Decimal("0.666667"), "within"),
        ("B", Decimal("2000000000000"), "passed"),
    ]


def test_a_budget_of_millions_has_its_share(rows: Rows, status: Status) -> None:
    spend(rows, "2026-01-10", "500000", key_id=1)
    budgets = "2026-01-01,A,EUR,1000000\n2026-01-01,B,EUR,999999999999\n"
    assert status("cost_centre, share_used", budgets, "2026-01-12") == [
        ("A", Decimal("0.5")),
        ("B", Decimal(0)),
    ]


def test_without_a_whole_week_there_is_no_forecast(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 2, 10), date(2026, 2, 15), lambda _: "1", key_id=1)
    columns = "weeks, forecast, spent, status, run_rate"
    assert status(columns, "2026-02-01,A,EUR,7\n") == [(0, None, Decimal(6), "within", Decimal("0.4"))]
    assert status(columns, "2026-02-01,A,EUR,5\n")[0][3] == "passed"


def test_weeks_count_from_the_first_message_of_the_cost_centre_not_of_the_account(
    rows: Rows, status: Status
) -> None:
    every_day(rows, date(2026, 1, 1), date(2026, 2, 15), lambda _: "1", key_id=1)
    every_day(rows, date(2026, 2, 9), date(2026, 2, 15), lambda _: "1", key_id=2)
    found = status(
        "cost_centre, weeks, forecast", "2026-02-01,*,EUR,60\n", where="business_month = '2026-02-01'"
    )
    # Together: 15 and 7 known; 13 days at 1, and at 1 in one of six weeks: 13 / 6 = 2.1666…
    assert found == [
        ("*", 6, Decimal("37.166667")),
        ("A", 6, Decimal(28)),
        ("B", 1, Decimal(20)),
    ]


def test_days_that_were_not_read_yet_are_forecast_and_not_taken_for_empty(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 1, 20), date(2026, 2, 4), lambda _: "1", key_id=1)
    rows.window("2026-01-01", "2026-02-04 22:59:59")
    # Read up to midnight in Berlin before 5 February; built on the 16th.
    columns = "as_of_day, days_known, forecast"
    assert status(columns, where="business_month = '2026-02-01'") == [(date(2026, 2, 5), 4, Decimal(28))]


def test_a_day_that_was_missed_is_forecast_and_is_in_no_rate(rows: Rows, status: Status) -> None:
    # One a day; of Wednesday 11 February and Saturday 24 January in Berlin all was missed but a message at
    # noon of the Wednesday.
    every_day(rows, date(2026, 1, 19), date(2026, 1, 23), lambda _: "1", key_id=1)
    every_day(rows, date(2026, 1, 25), date(2026, 2, 15), lambda _: "1", key_id=1)
    rows.window("2026-01-01", "2026-01-23 22:59:59")
    rows.window("2026-01-24 23:00:00", "2026-02-10 22:59:59")
    rows.window("2026-02-11 22:59:59", "2026-02-16 10:59:59")
    columns = "spent, days_known, run_rate, weeks, forecast_low, forecast, forecast_high"
    # Two of the four weeks were read whole. Left: 13 days from the 16th on, and the 11th.
    assert status(columns, where="business_month = '2026-02-01'") == [
        (Decimal(15), 14, Decimal(1), 2, Decimal(28), Decimal(28), Decimal(28))
    ]
    assert status("spent, days_known", where="business_month = '2026-01-01'") == [(Decimal(12), 30)]


def test_a_day_that_was_read_in_part_is_in_no_rate_of_a_month_that_is_over(
    rows: Rows, status: Status
) -> None:
    # One a day in February, and on the 11th, which was missed but for a moment, 90 and two without a price.
    every_day(rows, date(2026, 2, 1), date(2026, 2, 28), lambda _: "1", key_id=1)
    spend(rows, "2026-02-11", "90", "dear", key_id=1)
    for name in ("first", "second"):
        spend(rows, "2026-02-11", None, name, key_id=1)
    spend(rows, "2026-02-12", None, "third", key_id=1)
    rows.window("2026-01-01", "2026-02-10 22:59:59")
    rows.window("2026-02-11 22:59:59", "2026-03-10 22:59:59")
    columns = "cost_centre, spent, estimated_cost, days_known, run_rate"
    # 27 days, each at 1, and the estimate of one message of the 12th.
    found = status(columns, "2026-02-01,*,EUR,500\n", "2026-03-10", where="business_month = '2026-02-01'")
    assert found == [
        ("*", Decimal(118), Decimal(3), 27, Decimal("1.037037")),
        ("A", Decimal(118), Decimal(3), 27, Decimal("1.037037")),
    ]


def test_a_month_that_is_over_is_what_it_came_to(rows: Rows, status: Status) -> None:
    spend(rows, "2026-01-10", "3.1", key_id=1)
    columns = "spent, forecast_low, forecast, forecast_high, weeks, status, is_over, run_rate"
    three = Decimal("3.1")
    assert status(columns, "2026-01-01,A,EUR,3.1\n") == [
        (three, three, three, three, None, "within", True, Decimal("0.1"))
    ]


def test_a_month_that_has_not_begun_is_not_forecast(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 2, 1), date(2026, 2, 15), lambda _: "1", key_id=1)
    columns = "budget, spent, forecast, run_rate, days_known, share_used, status, is_over"
    assert status(columns, "2026-03-01,A,EUR,3\n", where="business_month = '2026-03-01'") == [
        (Decimal(3), Decimal(0), None, None, 0, Decimal(0), "not_begun", False)
    ]


def test_a_budget_of_who_never_spent_anything_is_not_used(rows: Rows, status: Status) -> None:
    spend(rows, "2026-02-02", "1", key_id=1)
    columns = "budget_line, spent, forecast, share_used, status"
    assert status(columns, "2026-02-01,B,EUR,3\n", where="cost_centre = 'B'") == [
        (2, Decimal(0), Decimal(0), Decimal(0), "within")
    ]


def test_an_empty_account_shows_its_budgets(status: Status) -> None:
    columns = "cost_centre, spent, forecast, status, share_priced"
    assert status(columns, "2026-02-01,A,EUR,3\n2026-02-01,*,EUR,3\n") == [
        ("*", Decimal(0), Decimal(0), "within", None),
        ("A", Decimal(0), Decimal(0), "within", None),
    ]


def test_without_budgets_and_messages_there_are_no_rows(status: Status) -> None:
    assert status("*") == []


def test_spend_without_a_budget_and_in_another_currency_has_rows_of_its_own(
    rows: Rows, status: Status
) -> None:
    spend(rows, "2026-01-10", "2", key_id=1)
    spend(rows, "2026-01-11", "5", key_id=1, currency="CHF")
    spend(rows, "2026-01-12", "1", key_id=None)
    columns = "cost_centre, currency, budget, spent, status"
    assert status(columns, "2026-01-01,A,USD,3\n2026-01-01,A,CHF,4\n") == [
        ("A", "CHF", Decimal(4), Decimal(5), "passed"),
        ("A", "EUR", None, Decimal(2), "no_budget"),
        ("A", "USD", Decimal(3), Decimal(0), "within"),
        ("unassigned", "EUR", None, Decimal(1), "no_budget"),
    ]


def test_a_budget_of_all_cost_centres_is_a_row_of_its_own_per_currency(rows: Rows, status: Status) -> None:
    spend(rows, "2026-01-10", "2", key_id=1)
    spend(rows, "2026-01-10", "3", key_id=2)
    spend(rows, "2026-01-10", "9", "chf", key_id=2, currency="CHF")
    found = status("cost_centre, is_total, spent, currency", "2026-01-01,*,EUR,4\n")
    assert found == [
        ("*", True, Decimal(5), "EUR"),
        ("A", False, Decimal(2), "EUR"),
        ("B", False, Decimal(3), "EUR"),
        ("B", False, Decimal(9), "CHF"),
    ]


def test_messages_without_a_price_are_estimated_as_in_the_accruals(rows: Rows, status: Status) -> None:
    spend(rows, "2026-01-09", "0.20", key_id=1, parts_count=2)
    spend(rows, "2026-01-10", None, "a", key_id=1, parts_count=3)
    spend(rows, "2026-01-10", None, "b", key_id=2, parts_count=None)
    spend(rows, "2026-01-10", None, "voice", key_id=2, service_code="text2speech")
    spend(rows, "2026-01-10", None, "nothing to go by", key_id=2, iso2="AT")
    columns = "cost_centre, spent, unpriced, estimated_cost, without_estimate, forecast, status, share_priced"
    assert status(columns, "2026-01-01,A,EUR,0.49\n2026-01-01,B,EUR,0.1\n") == [
        ("A", Decimal("0.2"), 1, Decimal("0.3"), 0, Decimal("0.5"), "at_risk", Decimal("0.5")),
        ("B", Decimal(0), 3, Decimal("0.1"), 2, Decimal("0.1"), "within", Decimal(0)),
    ]


def test_the_test_names_the_budgets_that_do_not_hold_and_no_others(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 2, 1), date(2026, 2, 15), lambda _: "1", key_id=1)
    spend(rows, "2026-02-03", "5", key_id=2)
    spend(rows, "2026-01-03", "5", key_id=2)
    test = "marts.budget_status.budgets_that_do_not_hold"
    budgets = "2026-01-01,B,EUR,1\n2026-02-01,A,EUR,{}\n2026-02-01,B,EUR,4\n"
    status("*", budgets.format("27.999999"))
    assert rows.failing(["marts.budget_status"]) == {test: 2}
    kept = rows.failed_rows("marts.budget_status", "budgets_that_do_not_hold")
    assert [(row["cost_centre"], row["budget_line"], row["currency"]) for row in kept] == [
        ("A", "3", "EUR"),
        ("B", "4", "EUR"),
    ]
    status("*", budgets.format("28"))
    assert rows.failing(["marts.budget_status"]) == {test: 1}


def test_a_budget_of_a_misspelt_cost_centre_is_told_with_its_line(rows: Rows, status: Status) -> None:
    spend(rows, "2026-02-03", "5", key_id=None)
    status("*", "2026-02-01,a,EUR,9\n2026-02-01,*,EUR,90\n2026-02-01,unassigned,EUR,90\n2026-02-01,B,EUR,9\n")
    assert rows.failing(["marts.budget_status"]) == {"marts.budget_status.budgets_name_known_cost_centres": 1}
    (row,) = rows.failed_rows("marts.budget_status", "budgets_name_known_cost_centres")
    assert row == {"line": "2", "cost_centre": "a"}


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ("2026-02-15,A,EUR,9\n", r"budgets\.csv:2: A month is written as its first day"),
        ("2026-02,A,EUR,9\n", r"budgets\.csv:2: business_month is '2026-02', but must be a date such as"),
        ("2026-02-01,A,eur,9\n", r"budgets\.csv:2: A currency is three capital letters"),
        ("2026-02-01,A,EUR,9 €\n", r"budgets\.csv:2: amount is '9 €', but must be a number such as 12\.50"),
        ("2026-02-01,A,EUR,-1\n", r"budgets\.csv:2: amount is less than 0"),
        ("2026-02-01,A,EUR,\n", r"budgets\.csv:2: amount is empty"),
        ("2026-02-01,,EUR,1\n", r"budgets\.csv:2: business_month, cost_centre, currency must not be empty"),
        ("2026-02-01,A,EUR,1\n2026-02-01,A,EUR,2\n", r"budgets\.csv:3: .* is there already, on line 2"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(status: Status, budgets: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        status("*", budgets)
    assert status("*") == []


def test_a_forecast_is_held_against_what_the_month_came_to(rows: Rows, status: Status) -> None:
    # Four weeks at 1 a day, then January at 1 up to the 20th and 2 from the 21st on.
    every_day(rows, date(2025, 12, 4), date(2026, 1, 20), lambda _: "1", key_id=1)
    every_day(rows, date(2026, 1, 21), date(2026, 1, 31), lambda _: "2", key_id=1)
    status("*")
    amounts = "known_cost, forecast, forecast_low, forecast_high, came_to, forecast_error"
    found = rows.select(
        f"select days_known, weeks, {amounts}, is_in_range from marts.budget_backtest "
        "where business_month = '2026-01-01' and cost_centre = 'A' order by days_known"
    )
    # On the 11th 38 days lie behind: 5 weeks. On the 21st 48: 6 weeks. Both expect 31, and 42 came.
    thirty_one, came = Decimal(31), Decimal(42)
    assert found == [
        (10, 5, Decimal(10), thirty_one, thirty_one, thirty_one, came, Decimal(-11), False),
        (20, 6, Decimal(20), thirty_one, thirty_one, thirty_one, came, Decimal(-11), False),
    ]


def test_a_backtest_knows_nothing_of_what_came_later(rows: Rows, status: Status) -> None:
    every_day(rows, date(2026, 1, 1), date(2026, 1, 10), lambda _: "1", key_id=1)
    every_day(rows, date(2026, 1, 11), date(2026, 1, 31), lambda _: "9", key_id=1)
    status("*")
    found = rows.select(
        "select days_known, weeks, forecast, is_in_range, is_complete from marts.budget_backtest "
        "where business_month = '2026-01-01' and cost_centre = 'A' order by days_known"
    )
    # After the 20th: 10 + 90 known. Two weeks: one at 9 a day, and one with 7 to 10 January, Wednesday to
    # Saturday, at 1. Of the 11 days left, from Wednesday 21, those four weekdays come twice: 8 days
    # at 1 and 3 at 9 are 35; the other week gives 99, the mean is 67.
    assert found == [(10, 1, Decimal(31), False, False), (20, 2, Decimal(167), True, False)]


def close(rows: Rows, month: date) -> None:
    """Close a month as it is built now."""
    rows.connection.execute(
        "insert into finance.closed_line by name select business_month as month, uuid, created_at, "
        "business_day, currency, price, parts, cost_centre, country_code, service_code, delivery_status "
        "from marts.fct_sms where business_month = $1",
        [month],
    )
    rows.connection.execute(
        "insert into finance.closed_period values ($1, '2026-02-10', 'Europe/Berlin', 'd', 1, '[]', '{}', "
        "'f', false, null, '[]', null, '[]', '1')",
        [month],
    )


def booked(rows: Rows) -> list[tuple[Any, ...]]:
    columns = "booked_month, business_day, entry, cost_centre, messages, cost"
    return rows.select(f"select {columns} from marts.cost_booked order by all")


def test_a_closed_month_keeps_the_cost_centres_it_was_closed_with(
    rows: Rows, seeds: Path, status: Status
) -> None:
    day = date(2026, 1, 10)
    spend(rows, "2026-01-10", "2", key_id=1)
    spend(rows, "2026-02-10", "3", key_id=1)
    status("*")
    before = booked(rows)
    close(rows, JANUARY)
    assert booked(rows) == before  # nothing is built anew between a closing and the publication after it
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre\n1,C\n")
    status("*")
    assert book_corrections(rows.connection, NOW) == 0
    assert booked(rows) == [
        (JANUARY, day, "message", "A", 1, Decimal(2)),
        (FEBRUARY, date(2026, 2, 10), "message", "C", 1, Decimal(3)),
    ]
    assert rows.select("select cost_centre from marts.cost_daily order by business_day") == [
        ("C",),
        ("C",),
    ]
    assert status("cost_centre, spent, status", "2026-01-01,A,EUR,2\n2026-01-01,C,EUR,2\n") == [
        ("A", Decimal(2), "within"),
        ("C", Decimal(0), "within"),
        ("C", Decimal(3), "no_budget"),
    ]
    assert rows.failing(["marts.cost_booked"]) == {}


def test_a_correction_is_spent_in_the_month_it_is_booked_to_under_its_old_cost_centre(
    rows: Rows, seeds: Path, status: Status
) -> None:
    day = date(2026, 1, 10)
    spend(rows, "2026-01-10", "2", key_id=1)
    spend(rows, "2026-02-10", "1", key_id=1)
    status("*")
    close(rows, JANUARY)
    rows.connection.execute("update raw.sms set price = 0.5 where price = 2")
    spend(rows, "2026-01-31", "0.25", "late", key_id=2)
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre\n1,C\n2,B\n")
    status("*")
    assert book_corrections(rows.connection, NOW) == 2
    assert booked(rows) == [
        (JANUARY, day, "message", "A", 1, Decimal(2)),
        (FEBRUARY, day, "correction", "A", 0, Decimal("-1.5")),
        (FEBRUARY, date(2026, 1, 31), "correction", "B", 1, Decimal("0.25")),
        (FEBRUARY, date(2026, 2, 10), "message", "C", 1, Decimal(1)),
    ]
    budgets = "2026-02-01,*,EUR,1\n2026-02-01,A,EUR,1\n"
    columns = "cost_centre, messages, cost, corrections, spent, share_used, status"
    assert status(columns, budgets, where="business_month = '2026-02-01'") == [
        ("*", 1, Decimal(1), Decimal("-1.25"), Decimal("-0.25"), Decimal(0), "within"),
        ("A", 0, Decimal(0), Decimal("-1.5"), Decimal("-1.5"), Decimal(0), "within"),
        ("B", 0, Decimal(0), Decimal("0.25"), Decimal("0.25"), None, "no_budget"),
        ("C", 1, Decimal(1), Decimal(0), Decimal(1), None, "no_budget"),
    ]
    total, billed = "select sum(cost) from marts.cost_booked", "select sum(price) from raw.sms"
    assert rows.one(total) == rows.one(billed) == Decimal("1.75")
    assert rows.failing(["marts.cost_booked"]) == {}
