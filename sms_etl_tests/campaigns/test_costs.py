"""What a campaign costs comes from the account's own prices, and budgets count what others have planned."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import uuid5

import pytest
from sqlalchemy import Connection

from sms_etl.campaigns.costs import (
    Budget,
    Rule,
    cost_centre_of,
    estimate_of,
    is_unknown_where_budgets_are,
    objections,
    read_budgets,
    read_prices,
    read_rules,
)
from sms_etl.warehouse.store import Transaction
from sms_etl_tests.sql.warehouse_rows import NAMESPACE, Rows, empty_warehouse

DAY = date(2026, 1, 20)
ITSELF = uuid5(NAMESPACE, "itself")
GERMANS, SWISS = ("+4915555100001", "+4915555100002"), "+41795550001"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """One month of two senders, a budget for one of them and one for all, and campaigns on their way."""
    seeds = tmp_path_factory.mktemp("seeds")
    (seeds / "cost_centres.csv").write_text("sender_id,key_id,cost_centre\nACME,,Shop\n,8207,Sales\n")
    (seeds / "budgets.csv").write_text(
        "business_month,cost_centre,currency,amount\n2026-01-01,Shop,EUR,10\n2026-01-01,*,EUR,100\n"
        "2026-02-01,Shop,EUR,5\n2026-04-01,Shop,EUR,100\n2026-04-01,Shop,CHF,7\n"
    )
    with empty_warehouse() as rows:
        rows.window("2026-01-01", "2026-01-11 23:59:59")
        rows.sms("a", sender_id="ACME", price="4", parts_count=2, created_at="2026-01-10 12:00:00")
        rows.sms("b", sender_id="ACME", price="1.5", created_at="2026-01-11 12:00:00")
        rows.sms("c", price="0.5", iso2="CH", created_at="2026-01-11 12:00:00")
        rows.bulk("loaded")
        rows.sms("d", bulk_id=rows.uuid("loaded"), price="0", sender_id="ACME")
        shop = {"cost_centre": "Shop"}
        rows.campaign("loaded", bulk_id=rows.uuid("loaded"), cost_planned="1", **shop)
        rows.campaign("on its way", bulk_id=rows.uuid("on its way"), cost_planned="2", **shop)
        rows.campaign("not known", state="intended", cost_planned="0.5", **shop)
        rows.campaign("cancelled", state="cancelled", cost_planned="7", **shop)
        rows.campaign("refused", state="refused", cost_planned="7", **shop)
        rows.campaign("itself", state="intended", cost_planned="7", **shop)
        rows.campaign("another's", bulk_id=rows.uuid("another's"), cost_planned="3", cost_centre="Sales")
        _campaigns_in_part(rows)
        rows.build(seeds, at_once=("marts.budget_status", "marts.fct_bulk", "intermediate.int_usual_price"))
        yield rows


def _campaigns_in_part(rows: Rows) -> None:
    """Put campaigns of April, of which some messages are loaded: planned cost 1 each."""
    for name, recipients, loaded, bulk in (
        ("in progress", 10, 4, {"status_code": 5, "msg_total_count": 10}),
        ("processed", 4, 3, {"status_code": 10, "msg_total_count": 3}),
        ("processed, and not loaded whole", 4, 1, {"status_code": 10, "msg_total_count": 3}),
        ("broken off", 10, 2, {"status_code": 20, "msg_total_count": 10}),
        ("without its bulk", 4, 3, None),
    ):
        if bulk is not None:
            rows.bulk(name, **bulk)
        for number in range(loaded):
            rows.sms(f"{name} {number}", bulk_id=rows.uuid(name), price="0")
        rows.campaign(
            name,
            bulk_id=rows.uuid(name),
            recipients=recipients,
            cost_planned="1",
            cost_centre="Shop",
            business_month="2026-04-01",
        )


def _transaction(rows: Rows) -> Transaction:
    return Transaction(cast(Connection, None), rows.connection)


def test_the_newest_price_of_a_part_counts(warehouse: Rows) -> None:
    prices = read_prices(_transaction(warehouse))
    assert prices["DE", "direct", "EUR"] == (Decimal("1.5"), date(2026, 1, 11))
    estimate = estimate_of((*GERMANS, SWISS), parts=2, service="direct", currency="EUR", prices=prices)
    assert [(each.country_code, each.recipients, each.cost) for each in estimate.countries] == [
        ("CH", 1, Decimal(1)),
        ("DE", 2, Decimal(6)),
    ]
    assert estimate.cost == Decimal(7)


def test_a_country_without_a_price_makes_the_whole_unknown(warehouse: Rows) -> None:
    prices = read_prices(_transaction(warehouse))
    for service, currency in (("pro", "EUR"), ("direct", "CHF")):
        estimate = estimate_of(GERMANS, parts=1, service=service, currency=currency, prices=prices)
        assert (estimate.cost, estimate.without_price) == (None, ("DE",))


def test_a_budget_counts_what_was_spent_and_what_others_have_planned(warehouse: Rows) -> None:
    shop, everybody = sorted(
        read_budgets(_transaction(warehouse), DAY, {"Shop"}, but_not=ITSELF),
        key=lambda each: each.budget,
    )
    assert (shop.spent, shop.committed, shop.left()) == (Decimal("5.5"), Decimal("2.5"), Decimal(2))
    assert (everybody.spent, everybody.committed) == (Decimal(6), Decimal("5.5"))


def test_of_a_campaign_that_was_loaded_in_part_the_rest_is_still_committed(warehouse: Rows) -> None:
    chf, eur = read_budgets(_transaction(warehouse), date(2026, 4, 1), {"Shop"}, but_not=ITSELF)
    open_shares = Decimal("0.6") + Decimal("0.5") + Decimal("0.25")
    assert (eur.currency, eur.committed, eur.spent) == ("EUR", open_shares, Decimal(0))
    assert (chf.currency, chf.committed) == ("CHF", Decimal(0))


def test_a_budget_is_of_its_month_and_its_cost_centre(warehouse: Rows) -> None:
    transaction = _transaction(warehouse)
    [february] = read_budgets(transaction, date(2026, 2, 28), {"Shop"}, but_not=ITSELF)
    assert (february.budget, february.spent, february.committed) == (Decimal(5), Decimal(0), Decimal(0))

    def found(*cost_centres: str) -> list[str]:
        return [each.cost_centre for each in read_budgets(transaction, DAY, cost_centres, but_not=ITSELF)]

    assert (found("Sales"), found("Sales", "Shop")) == (["*"], ["*", "Shop"])


@pytest.mark.parametrize(
    ("day", "cost_centre", "is_unknown"),
    [
        (DAY, "Shpo", True),
        (DAY, "Shop", False),
        (DAY, "Sales", False),
        (DAY, "unassigned", False),
        (date(2026, 3, 1), "Shpo", False),
    ],
    ids=["misspelt", "of a budget", "of a rule alone", "what no rule names", "a month without budgets"],
)
def test_a_misspelt_cost_centre_passes_no_budget(
    warehouse: Rows, day: date, cost_centre: str, is_unknown: bool
) -> None:
    assert is_unknown_where_budgets_are(_transaction(warehouse), day, cost_centre) is is_unknown


def test_before_a_build_nothing_is_known(tmp_path: Path) -> None:
    with empty_warehouse() as rows:
        transaction = _transaction(rows)
        assert read_prices(transaction) == {}
        assert read_rules(transaction, DAY) == []
        assert read_budgets(transaction, DAY, {"Shop"}, but_not=ITSELF) == []
        assert not is_unknown_where_budgets_are(transaction, DAY, "Shop")


def test_the_strongest_rule_names_the_cost_centre(warehouse: Rows) -> None:
    rules = read_rules(_transaction(warehouse), DAY)
    assert rules == [Rule("sender", "ACME", "Shop"), Rule("key", "8207", "Sales")]
    assert cost_centre_of(rules, sender="ACME", key_id=8207, source=None) == "Shop"
    assert cost_centre_of(rules, sender="Other", key_id=8207, source=1) == "Sales"
    assert cost_centre_of(rules, sender="acme", key_id=None, source=None) == "unassigned"


def test_a_budget_that_is_passed_or_cannot_be_looked_at_objects() -> None:
    shop = Budget("Shop", "EUR", Decimal(10), Decimal(7), Decimal(1), None)
    everybody = Budget("*", "EUR", Decimal(5), Decimal(7), Decimal(0), None)
    assert objections([shop], Decimal(2), "EUR") == []
    assert objections([shop], Decimal("2.000001"), "EUR") == [
        "The budget of Shop has 2.000000 EUR left of 10.000000; the campaign costs 2.000001."
    ]
    assert objections([everybody], Decimal(0), "EUR") == [
        "The budget of all cost centres has 0.000000 EUR left of 5.000000; the campaign costs 0.000000."
    ]
    [unknown] = objections([shop], None, "EUR")
    assert "not known for all countries" in unknown
    assert objections([], None, "EUR") == []


def test_a_budget_in_another_currency_alone_objects_and_is_never_compared() -> None:
    eur = Budget("Shop", "EUR", Decimal(10), Decimal(0), Decimal(0), None)
    chf = Budget("Shop", "CHF", Decimal(1), Decimal(0), Decimal(0), None)
    assert objections([eur, chf], Decimal(5), "EUR") == []
    [said] = objections([chf], Decimal("0.1"), "EUR")
    assert said.startswith("The budget of Shop is in CHF, and the campaign is paid in EUR")
