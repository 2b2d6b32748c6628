"""What was found out about the provider where its documentation promises nothing, and how it is kept.

Pure but for reading and writing `ops.provider_fact`; `probe.py` asks the provider.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, insert, select

from sms_etl.clock import as_utc
from sms_etl.errors import ProviderDiffers
from sms_etl.sync.streams import SMS, Stream
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction

UNKNOWN = "unknown"
SMS_UUID_FILTER = "sms_uuid_filter"
BULKS_UUID_FILTER = "bulks_uuid_filter"
_LOOK_AGAIN_AFTER = timedelta(days=1)
"""A slower way costs more than the handful of requests that tell whether it is still needed."""

Totals = Literal["exact", "missing", "capped", "wrong"]


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What reading depends on; the defaults are what the documentation suggests."""

    are_bounds_inclusive: bool = True
    """Otherwise one more second is requested at both ends, and the rows outside are dropped."""
    is_order_obeyed: bool = True
    """Otherwise the first row of a page does not tell where the rows of a span begin."""
    totals: Totals = "exact"
    """`wrong`: larger than what the pages hold. All but `exact`: rows are counted by reading all pages."""
    total_cap: int | None = None
    """The largest total the provider reports; None: there is no cap."""
    sms_uuid_filter_is_obeyed: bool = True
    """Otherwise messages are requested one by one."""
    bulks_uuid_filter_is_obeyed: bool = True

    def trusted_total(self, total: int | None) -> int | None:
        """Return a total that pages can be counted on; None if there is none."""
        if total is None or self.totals == "wrong":
            return None
        return None if self.total_cap is not None and total >= self.total_cap else total

    def obeys_uuids(self, stream: Stream) -> bool:
        """Whether a listing can be filtered by a list of uuids."""
        return self.sms_uuid_filter_is_obeyed if stream.path == SMS.path else self.bulks_uuid_filter_is_obeyed


AS_DOCUMENTED = ProviderFacts()


@dataclass(frozen=True, slots=True)
class Fact:
    """One assumption that was probed: a row of `ops.provider_fact`."""

    fact: str
    value: str
    is_as_assumed: bool
    explanation: str
    """What it means for a sync."""


_EXPLANATIONS: Mapping[tuple[str, str | None], str] = {
    ("page_size", None): "Rows on a full page.",
    ("key_prefix", None): "Listings are read with the prefix `hydra:` and without it.",
    ("order", "obeyed"): "Rows come oldest first, as asked.",
    ("order", "ignored"): "Rows do not come oldest first: spans are cut evenly, not where their rows are.",
    ("bounds", "inclusive"): "`[gte]` and `[lte]` include their bounds.",
    ("bounds", "exclusive"): (
        "`[gte]` or `[lte]` leaves its bound out: a second more is asked for at both ends, "
        "and rows outside are dropped."
    ),
    ("totals", "exact"): "`hydra:totalItems` is what the pages hold.",
    ("totals", "missing"): (
        "There is no `hydra:totalItems`: pages are read until one is empty, twice, until both readings agree."
    ),
    ("totals", "capped"): (
        "`hydra:totalItems` stops at a cap: spans are cut until they hold less, and a second that holds more "
        "is read twice, until both readings agree."
    ),
    ("totals", "wrong"): (
        "`hydra:totalItems` is larger than what the pages hold: pages are read until one is empty, twice, "
        "until both readings agree."
    ),
    ("total_cap", None): "No total is larger than this.",
    ("sms_uuid_filter", "obeyed"): "`uuid[]` on /sms answers the messages asked for.",
    ("sms_uuid_filter", "ignored"): "`uuid[]` on /sms is not obeyed: open messages are asked for one by one.",
    ("sms_uuid_filter", "rejected"): "`uuid[]` on /sms is refused: open messages are asked for one by one.",
    ("bulks_uuid_filter", "obeyed"): "`uuid[]` on /bulks answers the bulks asked for.",
    (
        "bulks_uuid_filter",
        "ignored",
    ): "`uuid[]` on /bulks is not obeyed: open bulks are asked for one by one.",
    ("bulks_uuid_filter", "rejected"): "`uuid[]` on /bulks is refused: open bulks are asked for one by one.",
    ("bulks_uuid_filter", "forbidden"): "This key may not read /bulks: messages are loaded without them.",
}
_ASSUMED = {"order": "obeyed", "bounds": "inclusive", "totals": "exact"} | {
    "sms_uuid_filter": "obeyed",
    "bulks_uuid_filter": "obeyed",
}
_NOT_PROBED = "Too few rows to tell: what is documented is assumed until there are more."


def fact(name: str, value: str | int) -> Fact:
    """Return a fact with what it means for a sync."""
    found = str(value)
    if found == UNKNOWN:
        return Fact(name, found, True, _NOT_PROBED)
    explanation = _EXPLANATIONS.get((name, found)) or _EXPLANATIONS[name, None]
    return Fact(name, found, _ASSUMED.get(name, found) == found, explanation)


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """The facts a warehouse keeps, and since when."""

    facts: Sequence[Fact] = ()
    observed_at: datetime | None = None
    has_bulks: bool = False
    """A bulk was loaded; before, there may have been none to ask about."""
    values: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {each.fact: each.value for each in self.facts})

    def are_due(self, now: datetime) -> bool:
        """Whether the provider is to be probed."""
        if self.observed_at is None or self.values.get("bounds", UNKNOWN) == UNKNOWN:
            return True
        differs = any(not each.is_as_assumed for each in self.facts)
        age = as_utc(now) - self.observed_at
        return differs and not timedelta(0) <= age < _LOOK_AGAIN_AFTER

    def with_fact(self, found: Fact) -> "KnownFacts":
        """Return the same facts with one in the place of what was known of it."""
        return replace(self, facts=(*(each for each in self.facts if each.fact != found.fact), found))

    def are_due_for_bulks(self) -> bool:
        """Whether asking for bulks by uuid is to be probed."""
        value = self.values.get(BULKS_UUID_FILTER)
        return bool(self.facts) and (value is None or (value == UNKNOWN and self.has_bulks))

    def for_reading(self) -> ProviderFacts:
        """Return what reading depends on."""
        totals = self.values.get("totals", "exact")
        cap = self.values.get("total_cap")
        return ProviderFacts(
            are_bounds_inclusive=self.values.get("bounds") != "exclusive",
            is_order_obeyed=self.values.get("order") != "ignored",
            totals=totals if totals in {"missing", "capped", "wrong"} else "exact",  # type: ignore[arg-type]  # mypy does not narrow by a set
            total_cap=int(cap) if cap and cap.isdigit() else None,
            sms_uuid_filter_is_obeyed=self.values.get(SMS_UUID_FILTER, "obeyed") in _OBEYED,
            bulks_uuid_filter_is_obeyed=self.values.get(BULKS_UUID_FILTER, "obeyed") in _OBEYED,
        )


_OBEYED = {"obeyed", "forbidden", UNKNOWN}


def recall_facts(transaction: Transaction) -> KnownFacts:
    """Return what earlier runs found."""
    rows = transaction.sql.execute(select(tables.provider_fact)).all()
    return KnownFacts(
        tuple(Fact(row.fact, row.value, row.is_as_assumed, row.explanation) for row in rows),
        min((row.observed_at for row in rows), default=None),
        has_bulks=transaction.sql.scalar(select(tables.bulk.c.uuid).limit(1)) is not None,
    )


def write_facts(transaction: Transaction, facts: Iterable[Fact], now: datetime) -> None:
    """Replace the stored facts; with no facts, the next run probes again."""
    rows: list[dict[str, Any]] = [asdict(each) | {"observed_at": as_utc(now)} for each in facts]
    transaction.sql.execute(delete(tables.provider_fact))
    if rows:
        transaction.sql.execute(insert(tables.provider_fact), rows)


def differs(message: str, *, request_id: str | None = None) -> ProviderDiffers:
    """Return the error for an assumption that fails."""
    return ProviderDiffers(
        message,
        hint="Nothing of it was loaded. The next `sms-etl sync` probes the provider anew, and takes a slower "
        "way if there is one; `sms-etl doctor` shows what was found.",
        request_id=request_id,
    )
