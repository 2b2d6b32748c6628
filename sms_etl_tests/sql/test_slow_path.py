"""Marts recomputed in Python, message by message, of many messages: equal to the last digit.

What a code means, what a rate is and how an hour is told are written here anew, not read from the models.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows, empty_warehouse

MESSAGES = 200_000 if os.environ.get("SMS_ETL_TEST_SLOW_PATH") == "full" else 20_000
AS_OF = datetime(2026, 4, 20, 9, 0)
BERLIN = ZoneInfo("Europe/Berlin")
MILLIONTH = Decimal("0.000001")

# Of two months, through the night the clock goes forward in. Every choice is a hash of the number.
FILL = """
insert into raw.sms (
    uuid, created_at, delivery_at, gateway_sent_at, status_code, dlr_code, is_unicode, iso2, parts_count,
    chars_count, price, currency, service_code, sender_id, key_id, first_seen_at, last_seen_at, changed_at
)
select
    md5(i::varchar)::uuid,
    created_at,
    case when h % 17 = 0 then created_at + to_hours((h // 100 % 30)::integer) end,
    case when h % 9 > 0 then created_at + to_seconds((h // 7 % 300)::integer) end,
    case h // 11 % 20 when 0 then 208 when 1 then 410 when 2 then 0 when 3 then 777 else 100 end,
    [null, 0, 1, 1, 1, 1, 1, 2, 4, 8, 16, 99][1 + (h // 13 % 12)::integer],
    h % 5 = 0,
    ['DE', 'DE', 'AT', 'CH', null][1 + (h // 17 % 5)::integer],
    nullif(h // 19 % 5, 0),
    h // 23 % 300,
    case when h // 29 % 11 > 0 then (h // 31 % 7 * 0.013 + 0.000001 * (h // 37 % 3))::decimal(18, 6) end,
    ['EUR', 'EUR', 'CHF'][1 + (h // 41 % 3)::integer],
    ['direct', 'economy', 'text2speech', null][1 + (h // 43 % 4)::integer],
    ['ACME', 'Bank', null][1 + (h // 47 % 3)::integer],
    8207,
    created_at, created_at, created_at
from (
    select
        i,
        hash(i) % 1000000007 as h,
        timestamp '2026-02-20' + to_seconds((hash(i) // 3 % 5000000)::integer) as created_at
    from range($messages) as numbers (i)
)
"""
LOG = """
insert into raw.sms_change (uuid, observed_at, observed_by, status_code, dlr_code, price, currency)
select
    uuid, created_at + to_minutes((hash(uuid) % 6000)::integer), 'poll', status_code, dlr_code, price,
    currency
from raw.sms
"""


@dataclass(frozen=True)
class Message:
    """A row of `raw.sms`, with what follows from it by hand."""

    uuid: str
    created_at: datetime
    scheduled_at: datetime | None
    sent_at: datetime | None
    observed_at: datetime
    status_code: int
    dlr_code: int | None
    country: str
    parts: int | None
    price: Decimal | None
    currency: str
    service: str
    sender: str

    @property
    def local(self) -> datetime:
        return self.created_at.replace(tzinfo=UTC).astimezone(BERLIN)

    @property
    def due_at(self) -> datetime:
        return max(self.created_at, self.scheduled_at or self.created_at)

    @property
    def status(self) -> str:
        if self.status_code == 100:
            reports = {0: "sent", 1: "delivered", 2: "buffered", 4: "sent", 8: "expired", 16: "rejected"}
            return reports.get(self.dlr_code or 0, "unknown")
        if self.status_code == 0:
            return "scheduled" if self.scheduled_at and self.scheduled_at > AS_OF else "queued"
        return {208: "failed", 410: "cancelled"}.get(self.status_code, "unknown")

    @property
    def is_final(self) -> bool:
        return self.status in {"delivered", "expired", "rejected", "failed", "cancelled"}


@pytest.fixture(scope="module")
def rows() -> Iterator[Rows]:
    with empty_warehouse() as found:
        found.context(as_of_at=str(AS_OF))
        found.connection.execute(FILL, {"messages": MESSAGES})
        found.connection.execute(LOG)
        found.build()
        yield found


@pytest.fixture(scope="module")
def messages(rows: Rows) -> list[Message]:
    read = """
        select
            uuid::varchar, created_at, delivery_at, sms.gateway_sent_at, observed_at, sms.status_code,
            sms.dlr_code, coalesce(iso2, 'ZZ'), parts_count, sms.price, sms.currency,
            coalesce(service_code, 'unknown'),
            coalesce(sender_id, 'unknown')
        from raw.sms inner join raw.sms_change using (uuid)
    """
    return [Message(*row) for row in rows.select(read)]


def rate(part: int, whole: int) -> Decimal | None:
    return rounded(Fraction(part, whole)) if whole else None


def rounded(value: Fraction) -> Decimal:
    """Round half up to a millionth."""
    return (Decimal((value * 10**6 * 2 + 1).__floor__() // 2) * MILLIONTH).quantize(MILLIONTH, ROUND_HALF_UP)


Groups = Mapping[tuple[Any, ...], list[Message]]


def by(messages: Iterable[Message], key: Callable[[Message], tuple[Any, ...]]) -> Groups:
    groups: dict[tuple[Any, ...], list[Message]] = defaultdict(list)
    for message in messages:
        groups[key(message)].append(message)
    return groups


def count(messages: Iterable[Message], *statuses: str) -> int:
    return sum(message.status in statuses for message in messages)


def cost(messages: Iterable[Message]) -> Decimal:
    return sum((message.price for message in messages if message.price is not None), Decimal(0))


def shares(group: list[Message]) -> tuple[Decimal | None, ...]:
    final, priced = sum(each.is_final for each in group), sum(each.price is not None for each in group)
    delivered = count(group, "delivered")
    return (
        rate(delivered, final),
        rate(delivered, len(group)),
        rate(final, len(group)),
        rate(priced, len(group)),
    )


RATES = "delivery_rate, accepted_delivery_rate, share_settled, share_priced"


def shown(rows: Rows, columns: str, mart: str) -> list[tuple[Any, ...]]:
    return sorted(rows.select(f"select {columns} from marts.{mart}"), key=str)


def test_every_hour(rows: Rows, messages: list[Message]) -> None:
    groups = by(messages, lambda each: (each.local.date(), each.local.hour, each.country, each.service))
    expected = [
        (*key, len(group), sum(each.parts or 0 for each in group), *shares(group))
        for key, group in groups.items()
    ]
    columns = f"business_day, business_hour, country_code, service_code, messages, parts, {RATES}"
    assert shown(rows, columns, "delivery_hourly") == sorted(expected, key=str)
    assert {hour for day, hour, *_ in groups if str(day) == "2026-03-29"} <= {0, 1, *range(3, 24)}


def test_every_day(rows: Rows, messages: list[Message]) -> None:
    groups = by(messages, lambda each: (each.local.date(), each.country, each.service))
    statuses = ("delivered", "failed", "expired", "rejected", "cancelled")
    expected = [
        (*key, len(group), *(count(group, status) for status in statuses), *shares(group))
        for key, group in groups.items()
    ]
    columns = f"business_day, country_code, service_code, messages, {', '.join(statuses)}, {RATES}"
    assert shown(rows, columns, "delivery_daily") == sorted(expected, key=str)


def test_every_funnel(rows: Rows, messages: list[Message]) -> None:
    def steps(group: list[Message]) -> tuple[int, int, int, int]:
        handed_over = [
            each for each in group if each.status in {"sent", "buffered", "delivered", "expired", "rejected"}
        ]
        reported = [each for each in handed_over if each.dlr_code]
        return len(group), len(handed_over), len(reported), count(reported, "delivered")

    groups = by(messages, lambda each: (each.local.date(), each.country, each.service))
    expected = [(*key, *steps(group)) for key, group in groups.items()]
    columns = "business_day, country_code, service_code, accepted, sent, reported, delivered"
    assert shown(rows, columns, "delivery_funnel") == sorted(expected, key=str)


def test_every_reason_with_its_cost(rows: Rows, messages: list[Message]) -> None:
    lost = [each for each in messages if each.is_final and each.status != "delivered"]
    groups = by(
        lost,
        lambda each: (
            each.local.date(),
            each.status_code,
            each.dlr_code or 0,
            each.country,
            each.service,
            each.currency,
        ),
    )
    expected = [(*key, len(group), cost(group)) for key, group in groups.items()]
    columns = "business_day, status_code, dlr_code, country_code, service_code, currency, messages, cost"
    assert shown(rows, columns, "failure_reasons") == sorted(expected, key=str)


def test_every_charge_of_focus_with_its_day_in_utc(rows: Rows, messages: list[Message]) -> None:
    def midnight(day: date) -> datetime:
        return datetime.combine(day, time(), BERLIN).astimezone(UTC).replace(tzinfo=None)

    groups = by(
        [each for each in messages if each.price is not None],
        lambda each: (
            each.local.date(),
            each.currency,
            each.country,
            each.service,
            each.price,
            each.parts or 0,
        ),
    )
    expected = [
        (*key, len(group), cost(group), midnight(key[0]), midnight(key[0] + timedelta(days=1)))
        for key, group in groups.items()
    ]
    columns = (
        "business_day, billing_currency, country_code, service_code, message_price, message_parts, messages, "
        "billed_cost, charge_period_start, charge_period_end"
    )
    assert shown(rows, columns, "focus_cost_and_usage") == sorted(expected, key=str)


def test_every_sender(rows: Rows, messages: list[Message]) -> None:
    def per_delivered(group: list[Message]) -> Decimal | None:
        delivered = count(group, "delivered")
        return rounded(Fraction(cost(group)) / delivered) if delivered else None

    groups = by(messages, lambda each: (each.local.date(), each.sender, each.currency))
    expected = [
        (*key, len(group), cost(group), per_delivered(group), *shares(group)) for key, group in groups.items()
    ]
    columns = f"business_day, sender_id, currency, messages, cost, cost_per_delivered, {RATES}"
    assert shown(rows, columns, "sender_health") == sorted(expected, key=str)


def test_every_country_and_its_baseline(rows: Rows, messages: list[Message]) -> None:
    groups = by(messages, lambda each: (each.local.date(), each.country, each.currency))
    first = min(day for day, _, _ in groups)
    expected = []
    for (day, country, currency), group in groups.items():
        days = min(28, (day - first).days)
        before = [
            each
            for back in range(1, 29)
            for each in groups.get((day - timedelta(days=back), country, currency), [])
        ]
        baseline = (
            (rounded(Fraction(len(before), days)), rounded(Fraction(cost(before)) / days))
            if days
            else (None, None)
        )
        expected.append((day, country, currency, len(group), cost(group), days, *baseline))
    columns = (
        "business_day, country_code, currency, messages, cost, baseline_days, baseline_messages_per_day, "
        "baseline_cost_per_day"
    )
    assert shown(rows, columns, "country_overview") == sorted(expected, key=str)


def test_every_age(rows: Rows, messages: list[Message]) -> None:
    expected = []
    for age in (1, 6, 24, 72):
        old = [each for each in messages if each.due_at + timedelta(hours=age) <= AS_OF]
        for key, group in by(old, lambda each: (each.local.date(), each.country, each.service)).items():
            in_time = [each for each in group if each.observed_at <= each.due_at + timedelta(hours=age)]
            expected.append((*key, age, len(group), count(in_time, "delivered")))
    columns = "business_day, country_code, service_code, age_hours, messages, delivered"
    assert shown(rows, columns, "delivery_cohort") == sorted(expected, key=str)


def test_every_hand_over(rows: Rows, messages: list[Message]) -> None:
    def percentile(seconds: list[int], share: Fraction) -> int | None:
        """The smallest that at least this share of them does not exceed."""
        return sorted(seconds)[max(-(-len(seconds) * share // 1), 1) - 1] if seconds else None

    expected = []
    for key, group in by(messages, lambda each: (each.local.date(), each.country, each.service)).items():
        seconds = [
            max(int((each.sent_at - each.due_at).total_seconds()), 0) for each in group if each.sent_at
        ]
        percentiles = (percentile(seconds, Fraction(share, 100)) for share in (50, 90, 95, 99))
        expected.append((*key, len(seconds), *percentiles))
    columns = (
        "business_day, country_code, service_code, handed_over, handover_seconds_p50, handover_seconds_p90, "
        "handover_seconds_p95, handover_seconds_p99"
    )
    assert shown(rows, columns, "delivery_latency") == sorted(expected, key=str)


def test_every_price_that_is_not_the_usual_one(rows: Rows, messages: list[Message]) -> None:
    def unit_price(each: Message) -> Decimal:
        assert each.price is not None
        assert each.parts
        return rounded(Fraction(each.price) / each.parts)

    priced = [each for each in messages if each.price and each.parts and each.service != "text2speech"]
    expected = []
    groups = by(priced, lambda each: (each.local.date(), each.country, each.service, each.currency))
    for group in groups.values():
        prices = Counter(unit_price(each) for each in group if unit_price(each) > 0)
        usual = min(prices, key=lambda price: (-prices[price], price))
        for each in group:
            if 0 < unit_price(each) != usual:
                assert each.price is not None
                assert each.parts is not None
                expected.append((each.uuid, usual, unit_price(each), each.price - usual * each.parts))
    columns = "uuid::varchar, expected, found, amount"
    found = rows.select(f"select {columns} from marts.billing_audit where finding = 'price_per_part_differs'")
    assert sorted(found, key=str) == sorted(expected, key=str)
