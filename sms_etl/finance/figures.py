"""What a month's report shows: frozen, exact, a set of figures per currency. Pure; `reading.py` fills it.

Nothing is computed here that a mart computes; lines are only added up, as Decimal. Sums across currencies
do not exist.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

from sms_etl.finance.coverage import Comparison, Coverage
from sms_etl.finance.period import next_month, previous_month

Counted = TypeVar("Counted", "Cost", "Delivery")


@dataclass(frozen=True)
class Pair(Generic[Counted]):
    """The same days of the month and of the month before, as `Comparison` names them."""

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


@dataclass(frozen=True)
class Bulk:
    """One bulk created in the month; times are UTC."""

    bulk_id: str
    created_at: datetime
    status: str
    service: str
    cost_centre: str
    messages: int
    delivered: int
    cost: Decimal


@dataclass(frozen=True)
class Key:
    """What an API key without a cost centre sent."""

    key_id: int | None
    """None: the provider names no key."""
    messages: int
    cost: Decimal


@dataclass(frozen=True)
class Credits:
    """Messages with a negative price; they are in the cost."""

    messages: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True)
class LeftOut:
    """Rows of the month that could not be loaded, alike in all but their price; not in the figures."""

    is_message: bool
    """False: bulks, whose messages are counted by themselves."""
    is_accepted: bool
    """Somebody said that they will never be right; False: still open."""
    reason: str
    accepted_reason: str | None
    currency: str | None
    rows: int = 0
    unreadable: int = 0
    """How many have no price that can be read."""
    undated: int = 0
    """How many have no time that can be read and count here as they were quarantined in the month."""
    known: int = 0
    """How many are in the figures as they were before: an earlier state of the message could be loaded."""
    price: Decimal = Decimal(0)
    """Sum of the readable prices of those that are in no figure."""


@dataclass(frozen=True)
class CurrencyFigures:
    """All that was charged in one currency; breakdowns add up to `total` exactly."""

    currency: str
    total: Cost
    compared: Pair[Cost] | None
    days: tuple[CostDay, ...]
    countries: tuple[Line, ...]
    cost_centres: tuple[Line, ...]
    services: tuple[Line, ...]
    items: tuple[Item, ...]
    bulks: tuple[Bulk, ...]
    unassigned: tuple[Key, ...]
    """The keys of the cost centre `unassigned`."""
    credits: Credits


@dataclass(frozen=True)
class Publication:
    """How the copy that is reported on was published."""

    is_forced: bool
    """A blocking check had failed, and somebody wanted it all the same."""
    reason: str
    failed_tests: tuple[str, ...]


@dataclass(frozen=True)
class Basis:
    """What the figures rest on; times are UTC."""

    month: date
    timezone: str
    as_of_at: datetime
    built_at: datetime
    settle_days: int
    watermark_at: datetime | None
    account_id: str | None
    """None: the warehouse does not say."""
    base_url: str | None
    is_sandbox: bool
    first_day: date
    """Day of the first message that was ever loaded."""
    coverage: Coverage
    comparison: Comparison
    publication: Publication | None

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return next_month(self.month) - timedelta(days=1)

    @property
    def previous_month(self) -> date:
        """First day of the month before."""
        return previous_month(self.month)


@dataclass(frozen=True)
class Figures:
    """Everything the report shows."""

    basis: Basis
    delivery: Delivery
    compared: Pair[Delivery] | None
    days: tuple[DeliveryDay, ...]
    currencies: tuple[CurrencyFigures, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def unpriced(self) -> int:
        """Messages without a price, of every currency."""
        return sum(each.total.unpriced for each in self.currencies)

    @property
    def left_open(self) -> int:
        """Messages that could not be loaded and that nobody has accepted."""
        return sum(each.rows for each in self.left_out if each.is_message and not each.is_accepted)

    @property
    def pending(self) -> int:
        """Messages that are not final and are still asked for."""
        return self.delivery.open - self.delivery.aged_out

    @property
    def is_cost_complete(self) -> bool:
        """Whether the month was read whole, every message has a price, and none is left out unaccepted."""
        return self.basis.coverage.is_complete and not self.unpriced and not self.left_open

    @property
    def is_delivery_complete(self) -> bool:
        """Whether the month was read whole and every message is final, or is not asked for any more."""
        return self.basis.coverage.is_complete and not self.pending and not self.left_open


def sum_of(costs: Iterable[Cost]) -> Cost:
    """Add up; nothing at all is a `Cost` of zero."""
    return sum(costs, Cost())


def delivery_of(days: Iterable[DeliveryDay]) -> Delivery:
    """Add up days."""
    return sum((each.delivery for each in days), Delivery())
