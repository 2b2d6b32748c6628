"""What the overview shows: frozen, exact, times in UTC. Pure; `reading.py` fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sms_etl.finance.coverage import Stretch
from sms_etl.finance.figures import Publication
from sms_etl.finance.measures import Delivery
from sms_etl.overview.cohorts import Comparison, WatchedRate
from sms_etl.overview.ranges import Departure
from sms_etl.overview.wording import counted
from sms_etl.warehouse.later_build import LaterFailure

SHOWN_DAYS = 28
COMPARED_WEEKS = 4
SLOW_SHARE, SLOW_MESSAGES = Decimal("0.02"), 10


@dataclass(frozen=True)
class Basis:
    """What the figures rest on."""

    timezone: str
    as_of_at: datetime
    """The moment the models were built for."""
    built_at: datetime
    settle_days: int
    watermark_at: datetime | None
    """All messages up to here were read; None: nothing was."""
    asked_at: datetime | None
    """When the provider was asked for the newest message."""
    account_id: str | None
    base_url: str | None
    is_sandbox: bool
    first_day: date | None
    """Day of the first message that was ever loaded; None: there is none."""
    published_at: datetime | None
    publication: Publication | None
    written_at: datetime
    """When the page was written."""

    @property
    def today(self) -> date:
        """The business day of the build."""
        return self.as_of_at.replace(tzinfo=UTC).astimezone(ZoneInfo(self.timezone)).date()

    @property
    def days(self) -> tuple[date, ...]:
        """The days that are shown, the oldest first."""
        return tuple(self.today - timedelta(days=ago) for ago in reversed(range(SHOWN_DAYS)))


@dataclass(frozen=True)
class Day:
    """One business day."""

    day: date
    delivery: Delivery
    is_whole: bool
    """It was read from its first to its last moment; a running day: up to the last sync."""


@dataclass(frozen=True)
class CostDay:
    """What one business day cost, in one currency, net of VAT."""

    day: date
    messages: int = 0
    unpriced: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True)
class CurrencyCost:
    """What the shown days cost in one currency; a day without messages costs nothing."""

    currency: str
    days: tuple[CostDay, ...]

    @property
    def total(self) -> Decimal:
        """Of all days."""
        return sum((each.cost for each in self.days), Decimal(0))

    @property
    def unpriced(self) -> int:
        """Messages without a price, of all days."""
        return sum(each.unpriced for each in self.days)


@dataclass(frozen=True)
class Place:
    """Messages of one country and service that are not final, by how long ago they were due."""

    country: str
    service: str
    statuses: tuple[tuple[str, int], ...]
    """Of the stuck ones: status and messages, the most first."""
    ahead: int
    """Scheduled for later."""
    within_hour: int
    within_day: int
    stuck: int
    """Due more than a day ago and still re-fetched."""
    oldest_due_at: datetime | None
    """Of the stuck ones."""
    watched: int
    """All messages that were due when the stuck ones were."""
    earlier: int
    """Messages of the 28 days before those."""
    earlier_aged_out: int
    """How many of them never had a final report."""

    @property
    def is_unusual(self) -> bool:
        """Whether more are stuck than twice the share that never became final before, and some that are slow.

        Reports that come after more than a day are usual for one message in a hundred or fewer.
        """
        usual = 2 * (self.share_never_final or Decimal(0)) + SLOW_SHARE
        return self.stuck > usual * self.watched + SLOW_MESSAGES

    @property
    def share_never_final(self) -> Decimal | None:
        """How many of the earlier messages never had a final report, 0 to 1."""
        return Decimal(self.earlier_aged_out) / self.earlier if self.earlier else None


@dataclass(frozen=True)
class Syncs:
    """The syncs of the last seven days, as far as this copy knows them."""

    number: int
    failed: int
    last_started_at: datetime | None
    last_error: str | None
    """What kind of error ended the last one; None: it was done."""
    is_without_bulks: bool
    """The last one could not read bulks."""
    bulks_differing: int
    """Bulks that do not add up to their messages, by the last sync that compared them."""


@dataclass(frozen=True)
class FailedCheck:
    """A check of the last build that found rows."""

    model: str
    test: str
    is_blocking: bool
    failures: int
    kept_rows: int
    """How many of the rows are in `ops.failed_test_rows`."""

    @property
    def named(self) -> str:
        """How the build calls it, as `warehouse.publication.failed_checks` does."""
        return f"{self.model}: {self.test} ({self.failures} rows)"


@dataclass(frozen=True)
class Checks:
    """The checks of the last build."""

    number: int
    tested_at: datetime | None
    failed: tuple[FailedCheck, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    """By `named`: what a check says, with its name behind it."""

    def description(self, check: FailedCheck) -> str:
        """Return what a check says, without its name; where that is not known, nothing."""
        return self.words.get(check.named, "").rpartition(f" ({check.model}: {check.test},")[0]

    def said(self, check: FailedCheck) -> str:
        """Return what a check says; where that is not known, its name."""
        return (
            self.words.get(check.named) or f"{check.model}: {check.test} ({counted(check.failures, 'row')})"
        )

    @property
    def blocking(self) -> tuple[FailedCheck, ...]:
        """Those that keep a build from being published."""
        return tuple(each for each in self.failed if each.is_blocking)

    @property
    def warnings(self) -> tuple[FailedCheck, ...]:
        """The others."""
        return tuple(each for each in self.failed if not each.is_blocking)


@dataclass(frozen=True)
class Quarantined:
    """Rows or landed files that wait for one reason."""

    stream: str
    is_file: bool
    reason: str
    waiting: int
    since_at: datetime


@dataclass(frozen=True)
class Unpriced:
    """Messages of one currency without a price that are no longer re-fetched."""

    currency: str
    messages: int
    first_day: date
    last_day: date


@dataclass(frozen=True)
class ClosedMonth:
    """A month that finance has closed, and what changed in it since."""

    month: date
    closed_at: datetime
    is_forced: bool
    corrections: int
    amounts: tuple[tuple[str, Decimal], ...]
    """By currency: what the corrections come to."""


@dataclass(frozen=True)
class Anomaly:
    """A row of marts.traffic_anomalies: more messages than is usual; whom they went to is not told."""

    business_day: date
    kind: str
    sender_id: str | None
    """None: it is about no sender."""
    country_name: str | None
    """None: it is about no country."""
    messages: int
    usual_messages: int
    currency: str
    cost_at_risk: Decimal
    """In `currency`."""
    score: Decimal
    """20 to 100: what to look at first."""


@dataclass(frozen=True)
class Ranges:
    """What was compared with its own weeks before, and what left its range."""

    day: date | None
    """The newest day that was read whole; None: nothing could be compared."""
    weeks: tuple[date, ...]
    """The same weekdays before it that it is compared with."""
    countries: int
    senders: int
    departures: tuple[Departure, ...]


@dataclass(frozen=True)
class Overview:
    """Everything the page shows."""

    basis: Basis
    days: tuple[Day, ...]
    gaps: tuple[Stretch, ...]
    """What of the shown days was not read."""
    costs: tuple[CurrencyCost, ...]
    rates: tuple[WatchedRate, ...]
    comparisons: tuple[Comparison, ...]
    ranges: Ranges
    places: tuple[Place, ...]
    unpriced: tuple[Unpriced, ...]
    syncs: Syncs
    checks: Checks
    quarantine: tuple[Quarantined, ...]
    closed: tuple[ClosedMonth, ...]
    unclosed: tuple[date, ...]
    """Months with messages after the newest closed one, in order; none where no month was ever closed."""
    anomalies: tuple[Anomaly, ...]
    """The newest of the shown days, at most ten."""
    later: LaterFailure | None = None
    """How a build failed after these figures were published; None: none did."""
    unclear: tuple[str, ...] = ()
    """Keys of campaigns of which it is not known whether they were sent, when the page was written."""

    @property
    def delivery(self) -> Delivery:
        """Of all shown days."""
        return sum((each.delivery for each in self.days), Delivery())

    @property
    def open(self) -> int:
        """Messages that are not final and may still become so."""
        return sum(each.ahead + each.within_hour + each.within_day + each.stuck for each in self.places)

    @property
    def stuck(self) -> int:
        """Of the open ones, those due more than a day ago."""
        return sum(each.stuck for each in self.places)

    @property
    def quarantine_open(self) -> int:
        """Rows and landed files that wait in quarantine."""
        return sum(each.waiting for each in self.quarantine)
