"""What a campaign will cost, by country, from the account's own prices; and whether budgets allow it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from sms_etl.campaigns.recipients import country_of
from sms_etl.models.files import project_digest
from sms_etl.warehouse.read import has_relation
from sms_etl.warehouse.store import Transaction

UNASSIGNED = "unassigned"
ALL = "*"
"""Stands in budgets.csv for all cost centres together."""
_MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class CountryCost:
    """What the messages to one country will cost."""

    country_code: str
    recipients: int
    unit_price: Decimal | None
    """Of a part, as most messages there had it on `priced_on`; None: no message shows it."""
    priced_on: date | None
    cost: Decimal | None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; amounts are text."""
        return {
            "country_code": self.country_code,
            "recipients": self.recipients,
            "unit_price": _text(self.unit_price),
            "priced_on": self.priced_on and self.priced_on.isoformat(),
            "cost": _text(self.cost),
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign will cost by the account's own prices, net of VAT."""

    countries: tuple[CountryCost, ...]

    @property
    def cost(self) -> Decimal | None:
        """The whole; None if the price of any country is unknown."""
        costs = [each.cost for each in self.countries]
        known = [each for each in costs if each is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None

    @property
    def without_price(self) -> tuple[str, ...]:
        """The countries of which no price is known."""
        return tuple(each.country_code for each in self.countries if each.cost is None)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that a campaign is charged to, in the month it is sent."""

    cost_centre: str
    currency: str
    budget: Decimal
    spent: Decimal
    """What the month has cost, what has no price yet estimated."""
    committed: Decimal
    """Planned cost of other campaigns, as far as their messages were not loaded yet."""
    as_of_day: date | None
    """First business day that `spent` does not know whole."""

    def left(self) -> Decimal:
        """Return what may still be spent; below zero if it was passed."""
        return self.budget - self.spent - self.committed

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; amounts are text."""
        return {
            "cost_centre": self.cost_centre,
            "currency": self.currency,
            "budget": _text(self.budget),
            "spent": _text(self.spent),
            "committed": _text(self.committed),
            "left": _text(self.left()),
            "as_of_day": self.as_of_day and self.as_of_day.isoformat(),
        }


Prices = Mapping[tuple[str, str, str], tuple[Decimal, date]]
"""By country, service and currency: the price of a part, and the newest day that shows it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of cost_centres.csv that may name the messages of a campaign."""

    matched_by: str
    value: str
    cost_centre: str


def read_prices(transaction: Transaction) -> Prices:
    """Return the newest usual price per part by country, service and currency; none before a build."""
    if not has_relation(transaction.native, "intermediate", "int_usual_price"):
        return {}
    rows = transaction.native.execute(sql_of("unit_prices")).fetchall()
    return {(country, service, currency): (price, day) for country, service, currency, price, day in rows}


def estimate_of(
    numbers: Iterable[str], *, parts: int, service: str, currency: str, prices: Prices
) -> Estimate:
    """Return what messages of so many parts cost.

    Args:
        numbers: In E.164.
        parts: Of each message.
        service: The provider's.
        currency: The account's.
        prices: As `read_prices`.
    """
    countries = []
    for country, count in sorted(Counter(map(country_of, numbers)).items()):
        price, day = prices.get((country, service, currency), (None, None))
        cost = None if price is None else price * parts * count
        countries.append(CountryCost(country, count, price, day, cost))
    return Estimate(tuple(countries))


def read_rules(transaction: Transaction, day: date) -> list[Rule]:
    """Return the rules that hold on a business day, the strongest first; none before the first build."""
    if not has_relation(transaction.native, "intermediate", "int_cost_centre_rule"):
        return []
    transaction.run(f"set variable campaign_day = date '{day.isoformat()}'")
    rows = transaction.native.execute(sql_of("cost_centre_rules")).fetchall()
    return [
        Rule(matched_by, str({"sender": sender, "key": key, "source": source}[matched_by]), cost_centre)
        for matched_by, sender, key, source, cost_centre in rows
    ]


def cost_centre_of(
    rules: Iterable[Rule], *, sender: str | None, key_id: int | None, source: int | None
) -> str:
    """Return the cost centre that rules charge a campaign's messages to.

    Args:
        rules: The strongest first.
        sender: As `raw.sms` has it: a number masked.
        key_id: Of the API key; None if the provider did not say.
        source: None if the provider did not say.
    """
    named = {"sender": sender, "key": key_id, "source": source}
    for rule in rules:
        value = named[rule.matched_by]
        if value is not None and rule.value == str(value):
            return rule.cost_centre
    return UNASSIGNED


def is_budget_stale(transaction: Transaction, data_dir: Path) -> bool:
    """Return whether there are budgets in files that changed since the last build, or were never built.

    Args:
        transaction: On the warehouse.
        data_dir: May hold `seeds/budgets.csv`.
    """
    if not (data_dir / "seeds" / "budgets.csv").is_file():
        return False
    rows = transaction.native.execute("select project_digest from ops.build_context").fetchall()
    return rows != [(project_digest(data_dir),)]


def read_budgets(
    transaction: Transaction, day: date, cost_centres: Collection[str], *, but_not: UUID
) -> list[Budget]:
    """Return the budgets of cost centres, and of all together, in the month of a day and in any currency.

    Args:
        transaction: On the warehouse.
        day: Business day the campaign is sent on.
        cost_centres: It may be charged to.
        but_not: The campaign itself, which is not counted as committed if it is tried again.
    """
    if not has_relation(transaction.native, "marts", "budget_status"):
        return []
    transaction.run(f"set variable campaign_day = date '{day.isoformat()}'")
    transaction.run(f"set variable campaign_id = '{but_not}'::uuid")
    rows = transaction.native.execute(sql_of("budgets")).fetchall()
    promised = [
        (who, currency, _open_cost(*planned))
        for who, currency, *planned in transaction.native.execute(sql_of("committed")).fetchall()
    ]
    found = []
    for name, currency, budget, spent, as_of_day in rows:
        if name not in {*cost_centres, ALL}:
            continue
        committed = sum(
            (amount for who, what, amount in promised if what == currency and name in {who, ALL}), Decimal(0)
        )
        found.append(Budget(name, currency, budget, spent, committed, as_of_day))
    return found


def read_as_of(transaction: Transaction) -> datetime | None:
    """Return the moment the figures of the last build are of, in UTC without a zone; None: never built."""
    rows = transaction.native.execute("select as_of_at from ops.build_context").fetchall()
    return rows[0][0] if rows else None


def _open_cost(planned: Decimal, recipients: int, expected: int, loaded: int) -> Decimal:
    """Return what a campaign is still to cost: the share of its messages that were not loaded yet."""
    cost = planned * max(expected - loaded, 0) / max(recipients, 1)
    return cost.quantize(_MILLIONTH, rounding=ROUND_HALF_UP)


def is_unknown_where_budgets_are(transaction: Transaction, day: date, cost_centre: str) -> bool:
    """Return whether nothing names a cost centre although there are budgets in the month of a day.

    A misspelt name has no budget, and would pass that of the cost centre that was meant.

    Args:
        transaction: On the warehouse.
        day: Business day the campaign is sent on.
        cost_centre: As it was asked for.
    """
    if not has_relation(transaction.native, "marts", "budget_status"):
        return False
    transaction.run(f"set variable campaign_day = date '{day.isoformat()}'")
    names = dict(transaction.native.execute(sql_of("cost_centre_names")).fetchall())
    return any(names.values()) and cost_centre not in {*names, UNASSIGNED}


def objections(
    budgets: Sequence[Budget], cost: Decimal | None, currency: str, *, is_stale: bool = False
) -> list[str]:
    """Return why budgets do not allow a campaign, as sentences; empty if they do.

    Args:
        budgets: Of the cost centres it may be charged to, and of all together, in any currency.
        cost: What it costs; None if that is not known.
        currency: Of the cost. A cost centre with budgets in others only cannot be held to any.
        is_stale: Whether the budgets are not those of the files any more.
    """
    found = ["Budgets are not known: files of seeds changed since the last build. Run `sms-etl build`."]
    found = found if is_stale else []
    comparable = {each.cost_centre for each in budgets if each.currency == currency}
    for each in budgets:
        whose = "of all cost centres" if each.cost_centre == ALL else f"of {each.cost_centre}"
        if each.currency != currency:
            if each.cost_centre not in comparable:
                found.append(
                    f"The budget {whose} is in {each.currency}, and the campaign is paid in {currency}: it "
                    f"cannot be looked at. Add one in {currency} to budgets.csv."
                )
        elif cost is None:
            found.append(
                f"The budget {whose} cannot be looked at: what the campaign costs is not known for all "
                "countries."
            )
        elif cost > each.left():
            found.append(
                f"The budget {whose} has {max(each.left(), Decimal(0)):,.6f} {each.currency} left of "
                f"{each.budget:,.6f}; the campaign costs {cost:,.6f}."
            )
    return found


def sql_of(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return files("sms_etl.campaigns").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
