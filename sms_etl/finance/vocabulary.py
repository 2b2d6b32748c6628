"""What the words of a report mean, and what its codes are called. Pure."""

import re
from decimal import Decimal

from sms_etl.finance import locales
from sms_etl.finance.figures import MonthState

DEFINITIONS = (
    ("Delivered", "The handset confirmed the message."),
    ("Expired", "The operator could not deliver it in time."),
    ("Rejected", "The operator refused it."),
    ("Failed", "It was never handed to an operator."),
    ("Cancelled", "It was stopped before it was sent."),
    ("Open", "Not final yet. Aged out: no final report came, and it is no longer re-fetched."),
    ("Undelivered", "Final and not delivered: expired, rejected, failed and cancelled together."),
    ("Delivery rate", "Delivered messages as a share of final ones, rounded down like every share."),
    (
        "Accepted delivery rate",
        "Delivered messages as a share of all that the provider accepted, open ones too.",
    ),
    ("Settled", "Final messages as a share of all messages."),
    (
        "Price per part",
        "Cost of text messages divided by their parts. Voice is charged by the call and left out.",
    ),
    ("Cost complete", "All was read, every message has a price, and none waits in quarantine."),
    ("Delivery complete", "All was read, every message is final or aged out, and none waits in quarantine."),
    ("Campaign", "A bulk, by its identifier; messages sent one by one have none."),
    ("Waste", "Parts that would not have been needed, at their price per part."),
    ("Accrual", "What messages without a price will cost, estimated from the usual price; not in the cost."),
    ("Digest", "Stands for the figures: with any other figure it would be another."),
)
"""Every word that could be read in two ways, in the order of the tables."""
MONTH_STATES = {
    MonthState.CLOSED: "closed, the figures no longer change",
    MonthState.OPEN: "open, the figures may still change",
    MonthState.RUNNING: "running",
    MonthState.NO_MESSAGES: "read whole, without a message",
    MonthState.NOT_READ: "not read whole, without a message",
    MonthState.BEFORE: "before the account's first message",
    MonthState.AHEAD: "not begun",
}
"""What can be said of a month of a quarter or a year."""
CORRECTION_KINDS = {
    "price": "its price changed",
    "late": "it came after the month was closed",
    "moved": "it changed to or from another month",
    "currency": "its currency changed",
    "removed": "it is no longer in the warehouse",
}
"""What a kind of correction says of a message."""
FINDINGS = {
    "parts_differ": "billed for other parts than the text has",
    "price_per_part_differs": "another price per part than most of its day, country and service",
    "billed_though_not_sent": "billed although it failed or was cancelled",
    "bulk_cost_differs": "the provider's total of a bulk is not the sum of its messages",
}
"""What a finding of the billing audit says of a message or bulk."""
WASTE_KINDS = {
    "unicode": "characters outside the GSM alphabet",
    "needless_unicode": "sent as Unicode without such a character",
    "one_part_more": "at most ten characters too long for one part less",
}
"""Why messages had more parts than they needed."""
BUDGET_STATES = {
    "within": "within",
    "at_risk": "at risk: the forecast is above the budget",
    "passed": "passed",
    "not_begun": "not begun",
}
"""How a budget stands."""


def finding(name: str) -> str:
    """Return what a finding of the billing audit says."""
    return FINDINGS.get(name, name)


def waste_kind(kind: str) -> str:
    """Return why messages had more parts than they needed."""
    return WASTE_KINDS.get(kind, kind)


def budget_state(status: str) -> str:
    """Return how a budget stands."""
    return BUDGET_STATES.get(status, status)


def cost_centre_name(name: str) -> str:
    """Return how a cost centre of a budget is called."""
    return "all cost centres" if name == "*" else name


def tax_name(tax: str) -> str:
    """Return how a tax is called, `VAT 19 %` of `VAT 0.190000`."""
    label, _, rate = tax.rpartition(" ")
    if not re.fullmatch(r"\d+\.\d+", rate, flags=re.ASCII):
        return tax  # it has no rate
    per_cent = locales.number(f"{(Decimal(rate) * 100).normalize():f} %")
    return f"{label} {per_cent}".strip()


def correction_kind(kind: str) -> str:
    """Return what a kind of correction says of a message."""
    return CORRECTION_KINDS.get(kind, kind)
