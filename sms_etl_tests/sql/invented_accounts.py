"""Accounts of half a year, invented for the test of anomalies: rows of `raw.sms`, clean or with abuse.

Clean does not mean even: there are weekdays, growth, holidays, a slow fortnight, busy days, campaigns,
incidents that text the staff at night, a sender and a country that begin in between, and small countries.
Each has a currency of its own, so that one warehouse holds many: nothing is compared across currencies.
Python's own generator draws, so that a seed means the same account everywhere.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, count

import pyarrow as pa

from sms_etl.sandbox.life.fraud import OPERATIONS, SHAPES, plant
from sms_etl.sandbox.life.lifecycle import Message
from sms_etl.sandbox.life.scenarios import DAY, HOUR
from sms_etl.sandbox.life.traffic import HOUR_WEIGHTS, PUMPED, USES
from sms_etl_tests.sql.warehouse_rows import Rows

FIRST, DAYS = date(2025, 8, 1), 184
MONTHS = (DAYS - 14) / 30
"""Of which days are judged: not the first fortnight."""
_HOLIDAYS = {date(2025, 10, 3), date(2025, 12, 24), date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1)}
_BUSY = {date(2025, 11, 28): 2.2, date(2025, 12, 1): 1.6, date(2025, 12, 22): 1.5, date(2025, 12, 23): 1.7}
_WEEKDAYS = (1.0, 1.05, 1.0, 1.0, 0.9, 0.45, 0.25)
_HOME, _NEW_MARKET, _NEW_SENDER = "DE", "PL", "Filiale"
_WEIGHTS = {_HOME: 85, "AT": 5, "CH": 5, "NL": 3.5, None: 1, "LI": 0.3, "LU": 0.3, "IS": 0.3, "US": 0.3}
_LARGE = {"AT", "CH", "NL", _NEW_MARKET}
_PRICES = {"DE": "0.0719", "AT": "0.0684", "CH": "0.0675", "NL": "0.0813", "PL": "0.0257"}
_ALARMS = OPERATIONS.sender_id
_HOUR_SUMS = list(accumulate(HOUR_WEIGHTS))
BULK_SHAPES = ("bulk_flood", "bulk_pump")
"""Abuse by bulk: one many times as large as any before, or an ordinary one with a run of numbers in it."""

Row = tuple[int, str | None, str, str, str | None, str]
"""Unix seconds, country, price, sender, bulk, the number without its last three digits."""


@dataclass(frozen=True)
class Case:
    """A planted abuse: which rows find it, on which days, in which account."""

    shape: str
    currency: str
    first_day: date
    subjects: frozenset[str]
    messages: int

    @property
    def days(self) -> frozenset[date]:
        days = SHAPES[self.shape].days if self.shape in SHAPES else 1
        return frozenset(self.first_day + timedelta(days=day) for day in range(days))


class Account:
    """One account.

    Args:
        seed: The same gives the same messages.
        currency: Its own, for several in one warehouse.
    """

    def __init__(self, seed: int, currency: str) -> None:
        self.seed, self.currency = seed, currency
        rng = self._rng = random.Random(seed)
        self._numbers = count(1)
        self._a_day = math.exp(rng.uniform(math.log(15), math.log(250)))
        self._growth = rng.uniform(-0.1, 0.15)
        self._noise = rng.uniform(0.05, 0.2)
        self._ranges = rng.randrange(200, 3000)
        self._slow_from = rng.randrange(DAYS - 14)
        self._new_market_from = rng.choice((DAYS, rng.randrange(30, 120)))
        self._new_sender_from = rng.choice((DAYS, rng.randrange(30, 150)))

    def fill(self, rows: Rows) -> None:
        """Write the account's own messages."""
        self._insert(rows, [row for day in range(DAYS) for row in self._day(day)])

    def plant(self, rows: Rows) -> list[Case]:
        """Write one abuse of each shape, a month and a half apart, some of its messages left out."""
        return [
            self._plant(rows, shape, FIRST + timedelta(days=40 + 48 * number + self._rng.randrange(10)))
            for number, shape in enumerate(self._rng.sample(sorted(SHAPES), len(SHAPES)))
        ]

    def plant_bulks(self, rows: Rows) -> list[Case]:
        """Write one abusive bulk of each shape, at least a week apart, after there were others."""
        rng = random.Random(f"bulks {self.seed}")
        return [
            self._plant_bulk(rows, shape, 120 + 30 * number + rng.randrange(20), rng)
            for number, shape in enumerate(BULK_SHAPES)
        ]

    def _plant_bulk(self, rows: Rows, shape: str, day: int, rng: random.Random) -> Case:
        bulk = f"00000000-0000-4000-8000-{next(self._numbers):012}"
        usual = int(self._a_day * rng.uniform(0.5, 4))
        if shape == "bulk_flood":
            size = int(self._a_day * rng.uniform(25, 50)) + 600
            made = [self._row(day, 3, "Musterladen", each, bulk=bulk) for each in self._countries(day, size)]
            subjects = frozenset({bulk})
        else:
            size, numbers = rng.randrange(60, 300), f"{PUMPED.number[:6]}{rng.randrange(1000)}"
            made = [self._row(day, 9, "Musterladen", each, bulk=bulk) for each in self._countries(day, usual)]
            made += [
                self._row(day, 9, "Musterladen", PUMPED.iso2, numbers=numbers, bulk=bulk) for _ in range(size)
            ]
            ((pumped,),) = rows.select(f"select left(md5('{numbers}'), 12)")
            subjects = frozenset({str(pumped)})
        self._insert(rows, made)
        return Case(shape, self.currency, FIRST + timedelta(days=day), subjects, size)

    def _plant(self, rows: Rows, shape: str, first_day: date) -> Case:
        made = plant(shape, midnight=_midnight(first_day), next_number=self._numbers.__next__, seed=self.seed)
        share = self._rng.uniform(0.75 if shape == "slow_pump" else 0.25, 1)
        kept = [message for message in made if self._rng.random() < share]
        self._insert(rows, [_row_of(message) for message in kept])
        if shape == "sender_jump":
            return Case(shape, self.currency, first_day, frozenset({_ALARMS}), len(kept))
        ((pumped,),) = rows.select(f"select left(md5('{kept[0].phone[:-3]}'), 12)")
        subjects = frozenset({str(pumped), PUMPED.iso2})
        return Case(shape, self.currency, first_day, subjects, len(kept))

    def _level(self, day: int) -> float:
        """Return how many messages of no bulk are to be expected on a day."""
        today = FIRST + timedelta(days=day)
        level = self._a_day * _WEEKDAYS[today.weekday()] * math.pow(1 + self._growth, day / 30)
        level *= _BUSY.get(today, 1) * (0.2 if today in _HOLIDAYS else 1)
        level *= 0.5 if self._slow_from <= day < self._slow_from + 14 else 1
        return level * math.exp(self._rng.gauss(0, self._noise))

    def _day(self, day: int) -> Iterator[Row]:
        rng, level = self._rng, self._level(day)
        messages = max(0, round(rng.gauss(level, math.sqrt(level))))
        hours = rng.choices(range(24), cum_weights=_HOUR_SUMS, k=messages)
        senders = {use.sender_id: use.weight for use in USES}
        senders |= {_NEW_SENDER: 20} if day >= self._new_sender_from else {}
        chosen = rng.choices(list(senders), list(senders.values()), k=messages)
        for hour, sender, country in zip(hours, chosen, self._countries(day, messages), strict=True):
            yield self._row(day, hour, sender, country)
        if rng.random() < 1 / 60:  # an incident: the staff is texted, whatever the hour
            hour = rng.randrange(24)
            for _ in range(rng.randrange(4, 45)):
                yield self._row(day, hour, _ALARMS, _HOME, numbers="staff")
        if rng.random() < 1 / 14:  # a campaign
            bulk = f"00000000-0000-4000-8000-{next(self._numbers):012}"
            for country in self._countries(day, int(self._a_day * rng.uniform(0.5, 4))):
                yield self._row(day, 9, "Musterladen", country, bulk=bulk)

    def _countries(self, day: int, messages: int) -> list[str | None]:
        # A new market grows over three months, to an eighth of the traffic.
        market = min(14.0, max(0, day - self._new_market_from) * 0.15)
        weights: dict[str | None, float] = {**_WEIGHTS, _NEW_MARKET: market}
        return self._rng.choices(list(weights), list(weights.values()), k=messages)

    def _row(
        self,
        day: int,
        hour: int,
        sender: str,
        country: str | None,
        *,
        numbers: str | None = None,
        bulk: str | None = None,
    ) -> Row:
        ranges = self._ranges if country == _HOME else 40 if country in _LARGE else 1
        created_at = _START + day * DAY + hour * HOUR + int(self._rng.random() * HOUR)
        price = _PRICES.get(country or "", "0.095")
        return (
            created_at,
            country,
            price,
            sender,
            bulk,
            numbers or f"{country}{int(self._rng.random() * ranges)}",
        )

    def _insert(self, rows: Rows, made: list[Row]) -> None:
        columns = ("created", "iso2", "price", "sender_id", "bulk", "numbers")
        table = pa.table([list(column) for column in zip(*made, strict=True)], names=columns)
        rows.connection.register("made", table)
        rows.connection.execute(_INSERT, {"currency": self.currency, "first": next(self._numbers)})
        rows.connection.unregister("made")


_INSERT = """
insert into raw.sms by name
select
    md5($currency || $first || '.' || row_number() over ())::uuid as uuid,
    make_timestamp(created * 1000000) as created_at, 100 as status_code, 1 as dlr_code, iso2,
    1 as parts_count, price::decimal(18, 6) as price, $currency as currency, 'direct' as service_code,
    sender_id, bulk::uuid as bulk_id, md5(numbers) as phone_range,
    created_at as first_seen_at, created_at as last_seen_at, created_at as changed_at
from made
"""


def _row_of(message: Message) -> Row:
    return (
        message.created_at,
        message.iso2,
        message.price,
        message.sender_id,
        None,
        message.phone[:-3],
    )


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


_START = _midnight(FIRST)
