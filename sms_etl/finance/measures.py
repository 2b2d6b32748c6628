"""What is counted and what it cost: the two measures of every line of a report, and their sums. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Generic, TypeVar

Counted = TypeVar("Counted", "Cost", "Delivery")


@dataclass(frozen=True)
class Pair(Generic[Counted]):
    """The same days, or months, of the period and of the one before, as `Comparison` names them."""

    now: Counted
    before: Counted


@dataclass(frozen=True)
class Delivery:
    """What became of some messages; counts of messages, but for `parts`."""

    messages: int = 0
    parts: int = 0
    delivered: int = 0
    expired: int = 0
    rejected: int = 0
    failed: int = 0
    cancelled: int = 0
    open: int = 0
    aged_out: int = 0
    """The part of `open` that is not asked for any more."""

    def __add__(self, other: "Delivery") -> "Delivery":
        return Delivery(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def settled(self) -> int:
        """How many are final."""
        return self.messages - self.open

    @property
    def delivery_rate(self) -> Decimal | None:
        """Delivered of the final ones, 0 to 1; None while none is final."""
        return Decimal(self.delivered) / self.settled if self.settled else None

    @property
    def accepted_delivery_rate(self) -> Decimal | None:
        """Delivered of all that the provider accepted, open ones too, 0 to 1; None where there is none."""
        return Decimal(self.delivered) / self.messages if self.messages else None

    @property
    def share_settled(self) -> Decimal:
        """Final of all, 0 to 1."""
        return Decimal(self.settled) / self.messages if self.messages else Decimal(1)


@dataclass(frozen=True)
class Cost:
    """What some messages cost, in one currency, net of VAT."""

    messages: int = 0
    parts: int = 0
    unpriced: int = 0
    priced_parts: int = 0
    """Parts of the text messages that have a price; voice is charged by the call."""
    cost: Decimal = Decimal(0)
    cost_undelivered: Decimal = Decimal(0)
    """The part of `cost` of messages that are final and were not delivered."""
    cost_voice: Decimal = Decimal(0)
    """The part of `cost` for voice, which is in no price per part."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def average_price_per_part(self) -> Decimal | None:
        """Cost per part of the text messages that have a price; None where none has."""
        return (self.cost - self.cost_voice) / self.priced_parts if self.priced_parts else None


@dataclass(frozen=True)
class Item:
    """The finest line: cost centre, country and service."""

    cost_centre: str
    country_code: str
    country: str
    service: str
    cost: Cost


@dataclass(frozen=True)
class Line:
    """One line of a breakdown."""

    label: str
    cost: Cost


@dataclass(frozen=True)
class CostDay:
    """One business day's cost."""

    day: date
    cost: Cost


@dataclass(frozen=True)
class DeliveryDay:
    """What became of one business day's messages."""

    day: date
    delivery: Delivery


def sum_of(costs: Iterable[Cost]) -> Cost:
    """Add up; nothing at all is a `Cost` of zero."""
    return sum(costs, Cost())


def lines_by(items: Iterable[Item], label: Callable[[Item], str]) -> tuple[Line, ...]:
    """Add up by label, dearest first."""
    return added_up((label(each), each.cost) for each in items)


def added_up(costs: Iterable[tuple[str, Cost]]) -> tuple[Line, ...]:
    """Add up costs that have the same label, dearest first."""
    sums: dict[str, Cost] = defaultdict(Cost)
    for label, cost in costs:
        sums[label] += cost
    return tuple(
        Line(name, cost) for name, cost in sorted(sums.items(), key=lambda pair: (-pair[1].cost, pair[0]))
    )


def delivery_of(days: Iterable[DeliveryDay]) -> Delivery:
    """Add up days."""
    return sum((each.delivery for each in days), Delivery())
