"""What finance asks beside the sums: waste, odd bills, new prices, moved figures, accruals; each by hand."""

from datetime import date
from decimal import Decimal
from typing import Any

from sms_etl_tests.sql.warehouse_rows import Rows


def found(rows: Rows, columns: str, mart: str, order: str = "all") -> list[tuple[Any, ...]]:
    return rows.select(f"select {columns} from marts.{mart} order by {order}")


def text(units: int, parts: int, foreign: str = "{}", template: str = "t") -> dict[str, object]:
    return {
        "text_units": units,
        "text_parts": parts,
        "text_non_gsm": foreign,
        "text_template": template,
        "parts_count": parts,
        "sender_id": "ACME",
    }


def test_a_dash_that_makes_a_text_unicode_is_told_with_what_it_costs(rows: Rows) -> None:
    rows.sms("dash", is_unicode=True, price="0.30", **text(150, 3, '{"–":1}'))
    rows.sms("dash again", is_unicode=True, price="0.30", **text(161, 3, '{"–":1}'))
    rows.sms("short", is_unicode=True, price="0.10", **text(70, 1, '{"–":1}'))
    rows.build()
    columns = "kind, characters, messages, parts, extra_parts, cost_wasted, currency"
    assert found(rows, columns, "encoding_waste") == [("unicode", '{"–":1}', 2, 6, 3, Decimal("0.30"), "EUR")]


def test_unicode_without_a_character_that_needs_it_is_needless(rows: Rows) -> None:
    rows.sms("a", is_unicode=True, price="0.20", **text(100, 2))
    rows.build()
    assert found(rows, "kind, extra_parts, cost_wasted", "encoding_waste") == [
        ("needless_unicode", 1, Decimal("0.10"))
    ]


def test_a_few_characters_too_many_cost_a_part(rows: Rows) -> None:
    for units, parts in ((160, 1), (161, 2), (170, 2), (171, 2), (306, 2), (307, 3), (316, 3), (317, 3)):
        rows.sms(str(units), price=str(parts), **text(units, parts, template=str(units)))
    rows.build()
    columns = "text_template, kind, most_units_over, extra_parts, cost_wasted"
    assert found(rows, columns, "encoding_waste") == [
        ("161", "one_part_more", 1, 1, Decimal(1)),
        ("170", "one_part_more", 10, 1, Decimal(1)),
        ("307", "one_part_more", 1, 1, Decimal(1)),
        ("316", "one_part_more", 10, 1, Decimal(1)),
    ]


def test_four_kinds_of_odd_bills_are_found_and_nothing_else(rows: Rows) -> None:
    for number in range(3):
        rows.sms(f"usual {number}", price="0.10", **text(10, 1))
    rows.sms("parts", price="0.20", **{**text(10, 1), "parts_count": 2})
    rows.sms("dear", price="0.36", **text(200, 2))
    rows.sms("not sent", status_code=208, dlr_code=0, price="0.10", **text(10, 1))
    rows.sms("not sent, free", status_code=208, dlr_code=0, price="0", iso2="AT", **text(10, 1))
    rows.bulk("odd", msg_total_count=1, msg_total_cost="0.15")
    rows.sms("of the bulk", bulk_id=rows.uuid("odd"), price="0.10", **text(10, 1))
    rows.build()
    columns = "finding, uuid, expected, found, amount, currency"
    assert found(rows, columns, "billing_audit", "finding") == [
        ("billed_though_not_sent", rows.uuid("not sent"), Decimal(0), Decimal("0.1"), Decimal("0.1"), "EUR"),
        ("bulk_cost_differs", rows.uuid("odd"), Decimal("0.1"), Decimal("0.15"), Decimal("0.05"), "EUR"),
        ("parts_differ", rows.uuid("parts"), Decimal(1), Decimal(2), Decimal("0.1"), "EUR"),
        (
            "price_per_part_differs",
            rows.uuid("dear"),
            Decimal("0.1"),
            Decimal("0.18"),
            Decimal("0.16"),
            "EUR",
        ),
    ]


def test_one_price_that_is_off_by_the_smallest_step_is_found(rows: Rows) -> None:
    for number in range(9):
        rows.sms(str(number), price="0.071900")
    rows.sms("off", price="0.071901")
    rows.build()
    assert found(rows, "uuid, amount", "billing_audit") == [(rows.uuid("off"), Decimal("0.000001"))]


def test_a_new_price_is_told_with_its_effect_up_to_the_next_one_or_the_end_of_the_month(rows: Rows) -> None:
    prices = {
        "2026-01-10": "0.10",
        "2026-01-20": "0.12",
        "2026-01-25": "0.12",
        "2026-01-28": "0.11",
        "2026-02-03": "0.11",
    }
    for day, price in prices.items():
        rows.sms(day, created_at=f"{day} 12:00:00", price=str(Decimal(price) * 2), parts_count=2)
    rows.sms("free trial", created_at="2026-01-21 12:00:00", price="0.90", iso2="AT")
    rows.build()
    columns = "changed_on, last_day_before, price_before, price_after, parts_in_month, effect_in_month"
    assert found(rows, columns, "price_changes") == [
        (date(2026, 1, 20), date(2026, 1, 10), Decimal("0.1"), Decimal("0.12"), 4, Decimal("0.08")),
        (date(2026, 1, 28), date(2026, 1, 25), Decimal("0.12"), Decimal("0.11"), 2, Decimal("-0.02")),
    ]


def test_why_figures_moved_since_yesterday(rows: Rows) -> None:
    seen, later = "2026-01-10 13:00:00", "2026-01-11 08:00:00"
    rows.sms("still", first_seen_at=seen, changed_at=seen, price="0.10")
    rows.change("still", seen, price="0.10")
    rows.sms("priced", first_seen_at=seen, changed_at=later, price="0.20")
    rows.change("priced", seen, price=None)
    rows.change("priced", later, price="0.20")
    rows.sms("delivered", first_seen_at=seen, changed_at=later, price="0.30")
    rows.change("delivered", seen, price="0.30", dlr_code=4)
    rows.change("delivered", later, price="0.30", dlr_code=1)
    rows.sms("late", first_seen_at=later, changed_at=later, price="0.40")
    rows.change("late", later, price="0.40")
    rows.build()
    columns = "observed_day, business_day, kind, changes, messages, amount, currency"
    day, next_day = date(2026, 1, 10), date(2026, 1, 11)
    assert found(rows, columns, "figure_changes") == [
        (day, day, "new", 3, 3, Decimal("0.4"), "EUR"),
        (next_day, day, "new", 1, 1, Decimal("0.4"), "EUR"),
        (next_day, day, "price", 1, 1, Decimal("0.2"), "EUR"),
        (next_day, day, "status", 1, 1, Decimal("0.0"), "EUR"),
    ]
    assert rows.one("select sum(amount) from marts.figure_changes") == rows.one(
        "select sum(cost) from marts.cost_monthly"
    )


def test_what_has_no_price_yet_is_estimated_by_the_day_before(rows: Rows) -> None:
    rows.sms("known", created_at="2026-01-08", price="0.20", parts_count=2)
    rows.sms("unpriced", created_at="2026-01-10", price=None, parts_count=3)
    rows.sms("parts unknown", created_at="2026-01-10", price=None, parts_count=None)
    rows.sms("nothing to go by", created_at="2026-01-10", price=None, iso2="AT")
    rows.sms("voice", created_at="2026-01-10", price=None, service_code="text2speech")
    rows.build()
    columns = "country_code, unpriced, unpriced_parts, estimated_cost, without_estimate, currency"
    assert found(rows, columns, "accruals") == [
        ("AT", 1, 1, Decimal(0), 1, "EUR"),
        ("DE", 2, 4, Decimal("0.4"), 0, "EUR"),
    ]


def test_the_estimate_is_held_against_the_prices_that_are_known(rows: Rows) -> None:
    rows.sms("first", created_at="2026-01-08", price="0.10")
    rows.sms("dearer", created_at="2026-01-10", price="0.24", parts_count=2)
    rows.sms("dearer too", created_at="2026-01-10", price="0.12")
    rows.build()
    columns = "backtest_estimate, backtest_cost, estimated_cost, share_priced"
    assert found(rows, columns, "accruals") == [
        (Decimal("0.3"), Decimal("0.36"), Decimal(0), Decimal(1)),
    ]
