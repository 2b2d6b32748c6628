"""What a report shows: frozen, exact, a set of figures per currency. Pure; `reading.py` fills it for a month.

Nothing is computed here that a mart computes; lines are only added up, as Decimal. Sums across currencies
do not exist.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sms_etl.finance.coverage import Comparison, Coverage
from sms_etl.finance.measures import Cost, CostDay, Delivery, DeliveryDay, Item, Line, Pair, sum_of
from sms_etl.finance.period import Period
from sms_etl.finance.side_lines import (
    AccrualLine,
    BudgetLine,
    ConversionLine,
    FindingLine,
    TaxLine,
    WasteLine,
)


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
    """What an API key sent that is charged to no cost centre."""

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
class Correction:
    """What changed in a month after it was closed, booked to this one."""

    closed_month: date
    uuid: str
    kind: str
    """`price`, `late`, `moved`, `currency` or `removed`."""
    messages: int
    """1: one more, -1: one less, 0: as many."""
    currency: str
    amount: Decimal
    """What the closed month would cost more; less, if negative."""
    cost_centre: str
    country_code: str
    service_code: str
    detected_at: datetime


@dataclass(frozen=True)
class CorrectionLine:
    """Corrections that are alike in all but their message."""

    closed_month: date
    kind: str
    cost_centre: str
    currency: str
    corrections: int
    messages: int
    amount: Decimal


@dataclass(frozen=True)
class Total:
    """What a month comes to in one currency, the corrections booked to it included."""

    currency: str
    messages: int
    cost: Decimal

    def as_json(self) -> dict[str, str | int]:
        """Return it as plain JSON values; money is text with six decimals."""
        return {"currency": self.currency, "messages": self.messages, "cost": f"{self.cost:.6f}"}


@dataclass(frozen=True)
class Closing:
    """How the month was closed; times are UTC."""

    closed_at: datetime
    digest: str
    """SHA-256 of its lines, corrections and totals, as 64 hex digits."""
    forced_reason: str | None = None
    """Why it was closed although something spoke against it; None: nothing did."""
    overridden_reasons: tuple[str, ...] = ()


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
    campaigns: tuple[Line, ...] | None = None
    """By bulk, and what was sent without one; None: not kept when the month was closed."""


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
    months: int = 1
    """How many months from `month` on: 1, 3 or 12."""
    asked_at: datetime | None = None
    """When the provider was last asked: what changed since is not known. None: that is not known either."""

    @property
    def period(self) -> Period:
        """The month, the quarter or the year."""
        return Period(self.month, self.months)


class MonthState(StrEnum):
    """What can be said of a month of a quarter or a year."""

    CLOSED = "closed"
    OPEN = "open"
    RUNNING = "running"
    NO_MESSAGES = "no messages"
    NOT_READ = "not read"
    BEFORE = "before the first message"
    AHEAD = "not begun"


@dataclass(frozen=True)
class MonthPart:
    """A month of a quarter or a year."""

    month: date
    state: MonthState
    figures: "Figures | None" = None
    """None: nothing was sent and nothing was booked."""
    digest: str | None = None
    """Of its report; None: it has none."""
    planned: tuple[BudgetLine, ...] = ()
    """Its budgets where it has no figures to hold them."""

    def cost_in(self, currency: str) -> Cost:
        """What its messages cost in one currency."""
        sections = self.figures.currencies if self.figures else ()
        return sum_of(each.total for each in sections if each.currency == currency)

    def correction_in(self, currency: str) -> Decimal:
        """What the corrections booked to it come to in one currency."""
        booked = self.figures.corrections if self.figures else ()
        return sum_of_amounts(each for each in booked if each.currency == currency)

    def total_in(self, currency: str) -> Decimal:
        """What it comes to in one currency, corrections included."""
        return self.cost_in(currency).cost + self.correction_in(currency)

    @property
    def budgets(self) -> tuple[BudgetLine, ...]:
        """Its budgets, with messages or without."""
        return self.figures.budgets if self.figures else self.planned

    @property
    def delivery(self) -> Delivery:
        """What became of its messages."""
        return self.figures.delivery if self.figures else Delivery()


@dataclass(frozen=True)
class Figures:
    """Everything the report shows.

    Those of a closed month are kept as text for ever: a field that is added has a default, and none is
    renamed or changes its type.
    """

    basis: Basis
    delivery: Delivery
    compared: Pair[Delivery] | None
    days: tuple[DeliveryDay, ...]
    currencies: tuple[CurrencyFigures, ...]
    left_out: tuple[LeftOut, ...]
    corrections: tuple[Correction, ...] = ()
    """What changed in closed months and is booked to this one; not in `currencies`."""
    closing: Closing | None = None
    """None: the month is open; of a quarter or a year: one of its months is."""
    waste: tuple[WasteLine, ...] | None = None
    audit: tuple[FindingLine, ...] | None = None
    accruals: tuple[AccrualLine, ...] | None = None
    """These three are None where they were not kept when the month was closed."""
    budgets: tuple[BudgetLine, ...] = ()
    conversions: tuple[ConversionLine, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    """Of these three a quarter or a year has the lines of each month: taxes are rounded by month."""
    months: tuple[MonthPart, ...] = ()
    """What a quarter or a year is the sum of; empty: this is a month."""

    @property
    def totals(self) -> tuple[Total, ...]:
        """What it comes to by currency: its messages, and the corrections booked to it."""
        messages: dict[str, int] = defaultdict(int)
        cost: dict[str, Decimal] = defaultdict(Decimal)
        for section in self.currencies:
            messages[section.currency] += section.total.messages
            cost[section.currency] += section.total.cost
        for correction in self.corrections:
            messages[correction.currency] += correction.messages
            cost[correction.currency] += correction.amount
        return tuple(Total(currency, messages[currency], cost[currency]) for currency in sorted(cost))

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


def correction_lines(corrections: Iterable[Correction]) -> tuple[CorrectionLine, ...]:
    """Add up corrections by closed month, kind, cost centre and currency, in that order."""
    alike: dict[tuple[date, str, str, str], list[Correction]] = defaultdict(list)
    for each in corrections:
        alike[each.closed_month, each.kind, each.cost_centre, each.currency].append(each)
    return tuple(
        CorrectionLine(*key, len(each), sum(one.messages for one in each), sum_of_amounts(each))
        for key, each in sorted(alike.items())
    )


def sum_of_amounts(corrections: Iterable[Correction]) -> Decimal:
    """Add up the amounts of corrections in one currency."""
    return sum((each.amount for each in corrections), Decimal(0))
