"""What a campaign would reach, cost and take from budgets: what somebody decides by before it is sent."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sms_etl.campaigns.costs import Budget, Estimate, objections
from sms_etl.campaigns.message import Preview
from sms_etl.campaigns.recipients import Recipients
from sms_etl.campaigns.record import plain

MOST_ROWS_NAMED = 100


@dataclass(frozen=True)
class Asked:
    """A campaign as it was asked for; sender, text and time are checked."""

    sender: str = field(repr=False)
    text: str = field(repr=False)
    recipients: Recipients = field(repr=False)
    audience: str | None = field(default=None, repr=False)
    """The query that gave the recipients; None: a file did."""
    scheduled_at: datetime | None = None
    """With a time zone; None: at once."""
    service: str = "direct"
    key: str | None = None
    """What makes a repeated command the same campaign; None: all of it does."""
    cost_centre: str | None = None
    """Whose budget is looked at beside that of the one the rules say; None: of that one alone."""
    over_budget_reason: str | None = None
    """Why it is to be sent though a budget does not allow it."""


@dataclass(frozen=True)
class Plan:
    """What a campaign would come to; its JSON holds counts and amounts, and no number."""

    recipients: int
    """Numbers it would be sent to."""
    asked: Recipients = field(repr=False)
    opted_out: int
    preview: Preview
    estimate: Estimate
    """By the account's own prices."""
    provider_cost: Decimal | None
    """What the provider's dry run says; None if it says nothing."""
    currency: str
    cost_centre: str
    cost_centre_of_rules: str
    """Whom the rules of cost_centres.csv charge, whatever was asked for."""
    business_month: date
    budgets: tuple[Budget, ...]
    """Of both cost centres and of all together, in any currency."""
    budgets_as_of: datetime | None = None
    """The moment of the figures they were looked at by, in UTC without a zone; None: there are none yet."""
    is_budget_stale: bool = False
    """The files of budgets changed since the last build."""
    is_cost_centre_unknown: bool = False
    """It was asked for, and no budget, rule or message names it."""

    @property
    def parts(self) -> int:
        """Parts of all messages: what is charged."""
        return self.preview.parts * self.recipients

    @property
    def cost(self) -> Decimal | None:
        """What the provider says, else what is estimated; None if neither is known."""
        return self.estimate.cost if self.provider_cost is None else self.provider_cost

    @property
    def objections(self) -> list[str]:
        """Why budgets do not allow it, as sentences."""
        found = objections(self.budgets, self.cost, self.currency, is_stale=self.is_budget_stale)
        if self.is_cost_centre_unknown and not self.is_budget_stale:
            found.insert(
                0, f"No budget, rule or message names the cost centre {self.cost_centre}: is it misspelt?"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; amounts are text."""
        invalid = self.asked.invalid
        return {
            "dryrun": {
                "recipients": self.recipients,
                "invalid": len(invalid),
                "duplicates": self.asked.duplicates,
                "opted_out": self.opted_out,
                "unlikely": self.asked.unlikely,
                "column": self.asked.column,
                "other_columns": list(self.asked.other_columns),
                "parts": self.parts,
                "cost": _text(self.cost),
                "currency": self.currency,
                "cost_by": self._cost_by(),
                "cost_estimated": _text(self.estimate.cost),
                "without_price": list(self.estimate.without_price),
            },
            "preview": self.preview.as_json(),
            "countries": [each.as_json() for each in self.estimate.countries],
            "invalid_rows": [{"row": bad.row, "reason": bad.reason} for bad in invalid[:MOST_ROWS_NAMED]],
            "cost_centre": self.cost_centre,
            "cost_centre_of_rules": self.cost_centre_of_rules,
            "budgets_as_of": plain(self.budgets_as_of),
            "budgets": [each.as_json() for each in self.budgets],
            "objections": self.objections,
        }

    def _cost_by(self) -> str | None:
        if self.provider_cost is not None:
            return "provider"
        return None if self.cost is None else "prices"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
