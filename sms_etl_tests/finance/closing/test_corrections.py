"""What changed in closed months is booked once, to the last digit, to a month that is open."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_etl_tests.finance.closing.small import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    Sent,
    Small,
    small_warehouse,
)

A, B = Sent("a", price="0.05"), Sent("b", price="0.07")
CENT = Decimal("0.010000")


@pytest.fixture
def closed(small: Small) -> Small:
    """January is closed with two messages."""
    small.show(A, B)
    small.close(JANUARY)
    return small


def test_while_no_month_is_closed_nothing_is_booked(small: Small) -> None:
    small.show(A)
    assert small.book() == 0


def test_a_month_that_stays_as_it_was_closed_gives_no_correction(closed: Small) -> None:
    assert closed.book() == 0


def test_a_price_that_changed_is_booked_to_the_next_open_month(closed: Small) -> None:
    closed.show(Sent("a", price="0.06"), B)
    assert closed.book() == 1
    assert closed.corrections() == [(JANUARY, FEBRUARY, "price", 0, "EUR", CENT)]


def test_a_change_is_booked_only_once(closed: Small) -> None:
    closed.show(Sent("a", price="0.06"), B)
    closed.book()
    assert closed.book() == 0


def test_a_change_there_and_back_gives_two_corrections_that_cancel(closed: Small) -> None:
    closed.show(Sent("a", price="0.06"), B)
    closed.book()
    closed.show(A, B)
    closed.book()
    assert [row[-1] for row in closed.corrections()] == [-CENT, CENT]


def test_a_message_that_came_late_is_booked_with_its_price(closed: Small) -> None:
    closed.show(A, B, Sent("late", price="0.01"))
    closed.book()
    assert closed.corrections() == [(JANUARY, FEBRUARY, "late", 1, "EUR", CENT)]


def test_a_message_that_moved_to_an_open_month_is_taken_off(closed: Small) -> None:
    closed.show(A, Sent("b", FEBRUARY, price="0.07"))
    closed.book()
    assert closed.corrections() == [(JANUARY, FEBRUARY, "moved", -1, "EUR", Decimal("-0.070000"))]


def test_a_message_that_moved_between_closed_months_changes_both(closed: Small) -> None:
    closed.show(A, B, Sent("c", FEBRUARY))
    closed.close(FEBRUARY)
    closed.show(A, Sent("b", FEBRUARY, price="0.07"), Sent("c", FEBRUARY))
    closed.book()
    assert closed.corrections() == [
        (JANUARY, MARCH, "moved", -1, "EUR", Decimal("-0.070000")),
        (FEBRUARY, MARCH, "moved", 1, "EUR", Decimal("0.070000")),
    ]


def test_a_message_that_is_no_longer_in_the_warehouse_is_taken_off(closed: Small) -> None:
    closed.show(A)
    closed.book()
    assert closed.corrections() == [(JANUARY, FEBRUARY, "removed", -1, "EUR", Decimal("-0.070000"))]


def test_another_currency_takes_off_the_one_and_adds_the_other(closed: Small) -> None:
    closed.show(A, Sent("b", price="0.07", currency="CHF"))
    closed.book()
    assert closed.corrections() == [
        (JANUARY, FEBRUARY, "currency", -1, "EUR", Decimal("-0.070000")),
        (JANUARY, FEBRUARY, "currency", 1, "CHF", Decimal("0.070000")),
    ]


def test_a_price_that_comes_after_the_closing_is_booked_in_full(small: Small) -> None:
    small.show(Sent("a", price=None))
    small.close(JANUARY)
    small.show(Sent("a", price="0.01"))
    small.book()
    assert small.corrections() == [(JANUARY, FEBRUARY, "price", 0, "EUR", CENT)]


def test_another_cost_centre_does_not_reopen_a_closed_month(closed: Small) -> None:
    closed.show(Sent("a", price="0.05", cost_centre="Marketing"), B)
    assert closed.book() == 0


def test_a_correction_stands_under_the_cost_centre_as_closed(closed: Small) -> None:
    closed.show(Sent("a", price="0.06", cost_centre="Marketing"), B)
    closed.book()
    assert closed.select("select cost_centre from finance.correction") == [("Sales",)]


def test_a_month_between_that_is_open_takes_the_corrections(closed: Small) -> None:
    closed.close(MARCH)
    closed.show(Sent("a", price="0.06"), B, Sent("late", MARCH, price="0.01"))
    closed.book()
    assert [row[:2] for row in closed.corrections()] == [(JANUARY, FEBRUARY), (MARCH, APRIL)]


sent = st.builds(
    Sent,
    name=st.sampled_from("abcdef"),
    month=st.sampled_from((JANUARY, FEBRUARY, MARCH)),
    price=st.sampled_from((None, "0", "0.000001", "0.05", "999999999999.999999")),
    currency=st.sampled_from(("EUR", "CHF")),
    cost_centre=st.sampled_from(("Sales", "Marketing")),
)
states = st.lists(st.lists(sent, max_size=6, unique_by=lambda each: each.name), min_size=2, max_size=5)


@settings(max_examples=30, derandomize=True)
@given(states, st.integers(0, 3))
def test_what_was_closed_and_its_corrections_are_always_what_the_messages_say(
    seen: Sequence[Sequence[Sent]], february_is_closed_after: int
) -> None:
    with small_warehouse() as warehouse:
        warehouse.show(*seen[0])
        warehouse.close(JANUARY)
        for place, messages in enumerate(seen[1:]):
            warehouse.show(*messages)
            warehouse.book()
            if place == february_is_closed_after:
                warehouse.close(FEBRUARY)
            assert warehouse.book() == 0
            assert booked_of(warehouse) == present_of(warehouse)


def booked_of(warehouse: Small) -> list[tuple[object, ...]]:
    """Return what was closed with its corrections: by message, without those that came to nothing."""
    return warehouse.select(
        """
        select month, uuid, currency, sum(messages) as messages, sum(amount) as amount
        from (
            select month, uuid, currency, 1 as messages, coalesce(price, 0) as amount from finance.closed_line
            union all
            select closed_month, uuid, currency, messages, amount from finance.correction
        )
        group by all having messages != 0 or amount != 0 order by all
        """
    )


def present_of(warehouse: Small) -> list[tuple[object, ...]]:
    """Return what the messages of closed months say now."""
    return warehouse.select(
        """
        select business_month, uuid, currency, count(*), sum(coalesce(price, 0)) from marts.fct_sms
        where business_month in (select month from finance.closed_period) group by all order by all
        """
    )
