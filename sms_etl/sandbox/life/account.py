"""Makes a realistic account: one company's messages and bulks over some months. Seeded, deterministic."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from sms_etl.sandbox.life.lifecycle import (
    BULK_CANCELLED,
    BULK_IN_PROGRESS,
    BULK_NEW,
    BULK_NO_RECIPIENTS,
    BULK_PROCESSED,
    STARTS_AFTER_S,
    Bulk,
    BulkStep,
    Message,
    stop_message,
)
from sms_etl.sandbox.life.scenarios import DAY, HOUR, Order, make_message, new_uuid, price_of
from sms_etl.sandbox.life.traffic import (
    ADDRESSES,
    CAMPAIGN_SENDER,
    CAMPAIGN_SERVICES,
    CAMPAIGN_TEXTS,
    COUNTRIES,
    HOUR_WEIGHTS,
    MARKETING_KEY,
    NAMES,
    USES,
    VOICE_SERVICES,
    WEEKDAY_WEIGHTS,
    Country,
    Use,
)


@dataclass(frozen=True, slots=True)
class AccountParameters:
    """What account is made; the same parameters give the same account."""

    seed: int = 1
    messages: int = 52_000
    """Created by `end`; exactly so many."""
    days: int = 90
    days_after: int = 7
    """Traffic goes on for so long after `end`, as the clock is moved; 0: nothing new comes."""
    end: datetime = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    """Where the clock starts."""

    @property
    def now(self) -> int:
        """Unix seconds of `end`."""
        return int(self.end.timestamp())


@dataclass(frozen=True, slots=True)
class Account:
    """An account's lives."""

    messages: list[Message]
    bulks: list[Bulk]


@dataclass(frozen=True, slots=True)
class _Campaign:
    """A bulk to be made: its share of all messages, when, how it runs."""

    share: float
    days_ago: int
    hour: int
    per_second: int = 50
    is_dryrun: bool = False
    is_cancelled: bool = False
    """After half of its time."""
    scheduled_days: int = 0


_AT_ONCE = 1_000_000
_CAMPAIGNS = (
    _Campaign(0.055, 84, 10, per_second=_AT_ONCE),
    _Campaign(0.012, 81, 9),
    _Campaign(0.004, 77, 14),
    _Campaign(0.006, 73, 11),
    _Campaign(0.018, 70, 10),
    _Campaign(0.003, 66, 15),
    _Campaign(0.048, 63, 9, per_second=_AT_ONCE),
    _Campaign(0.01, 63, 9, is_dryrun=True),
    _Campaign(0.007, 59, 13),
    _Campaign(0.002, 55, 8),
    _Campaign(0.011, 52, 10),
    _Campaign(0.02, 48, 12, per_second=5, is_cancelled=True),
    _Campaign(0.005, 45, 16),
    _Campaign(0.062, 41, 10, per_second=_AT_ONCE),
    _Campaign(0.009, 38, 11),
    _Campaign(0.003, 34, 9),
    _Campaign(0.0, 31, 14),
    _Campaign(0.008, 27, 10),
    _Campaign(0.013, 24, 13, scheduled_days=2),
    _Campaign(0.004, 20, 15),
    _Campaign(0.006, 17, 9),
    _Campaign(0.04, 13, 10, per_second=_AT_ONCE),
    _Campaign(0.005, 9, 11),
    _Campaign(0.007, 5, 10),
    _Campaign(0.006, 1, 9, scheduled_days=3),
)


def make_account(parameters: AccountParameters) -> Account:
    """Make the account; about 3 s for 60,000 messages."""
    if not parameters.messages:
        return Account([], [])
    rng = random.Random(parameters.seed)
    bulks: list[Bulk] = []
    orders: list[Order] = []
    cancelled: dict[str, int] = {}
    for number, campaign in enumerate(_CAMPAIGNS, start=1):
        created_at = _campaign_start(campaign, parameters)
        size = int(campaign.share * parameters.messages)
        if created_at is None or (campaign.share and not size):
            continue
        bulk = _make_bulk(campaign, number, created_at, size, rng)
        bulks.append(bulk)
        made = list(_bulk_orders(bulk, campaign, rng))
        if campaign.is_cancelled:
            cancelled[bulk.uuid] = bulk.steps[-1].at
            made = [order for order in made if order.created_at <= bulk.steps[-1].at]
        orders.extend(made)
    orders.extend(_single_orders(parameters, orders, rng))
    orders.sort(key=lambda order: order.created_at)
    numbered = enumerate(orders, start=len(_CAMPAIGNS) + 1)
    messages = [make_message(order, number, rng) for number, order in numbered]
    return Account([_stopped(message, cancelled.get(message.bulk_id or "")) for message in messages], bulks)


def _stopped(message: Message, at: int | None) -> Message:
    return message if at is None else stop_message(message, at)


def _campaign_start(campaign: _Campaign, parameters: AccountParameters) -> int | None:
    """Return when a campaign starts: at its hour on the working day nearest to its share of the period."""
    day = parameters.end - timedelta(days=campaign.days_ago * parameters.days / 90)
    day -= timedelta(days=max(0, day.weekday() - 4))
    start = int(day.replace(hour=campaign.hour, minute=0, second=0, microsecond=0).timestamp())
    # Its messages count among those created by `end`, so it must have run by then.
    return start if start < parameters.now - HOUR else None


def _make_bulk(campaign: _Campaign, number: int, created_at: int, size: int, rng: random.Random) -> Bulk:
    delivery_at = created_at + campaign.scheduled_days * DAY if campaign.scheduled_days else 0
    text = rng.choice(CAMPAIGN_TEXTS)
    service_code = _weighted(CAMPAIGN_SERVICES, rng)
    seconds = -(-size // campaign.per_second)
    begin = created_at + STARTS_AFTER_S
    steps = [BulkStep(created_at, BULK_NEW)]
    if size == 0:
        steps.append(BulkStep(begin, BULK_NO_RECIPIENTS))
    elif campaign.is_cancelled:
        steps += [
            BulkStep(begin, BULK_IN_PROGRESS),
            BulkStep(begin + seconds // 2, BULK_CANCELLED),
        ]
    else:
        done = max(begin + seconds, delivery_at) + 5
        steps += [BulkStep(begin, BULK_IN_PROGRESS), BulkStep(done, BULK_PROCESSED)]
    phones = tuple(_phone(country, rng) for country in _countries(size, rng))
    return Bulk(
        number=number,
        uuid=new_uuid(created_at, number, rng),
        created_at=created_at,
        text=text,
        sender_id=CAMPAIGN_SENDER,
        service_code=service_code,
        ip=ADDRESSES[-1],
        steps=tuple(steps),
        msg_total_count=size,
        delivery_at=delivery_at,
        phones=phones,
        is_unicode=None,
        is_dryrun=campaign.is_dryrun,
        dry_cost=price_of(service_code, "DE", size) if campaign.is_dryrun else "0",
        source=1,
        key_id=MARKETING_KEY,
        per_second=campaign.per_second,
    )


def _bulk_orders(bulk: Bulk, campaign: _Campaign, rng: random.Random) -> Iterator[Order]:
    if bulk.is_dryrun:
        return
    for index, phone in enumerate(bulk.phones or ()):
        yield Order(
            created_at=bulk.created_at + STARTS_AFTER_S + index // campaign.per_second,
            phone=phone,
            text=bulk.text,
            sender_id=bulk.sender_id,
            service_code=bulk.service_code,
            key_id=bulk.key_id,
            ip=bulk.ip,
            delivery_at=bulk.delivery_at,
            bulk_id=bulk.uuid,
            source=bulk.source,
        )


def _single_orders(
    parameters: AccountParameters, bulk_orders: list[Order], rng: random.Random
) -> Iterator[Order]:
    before = parameters.messages - len(bulk_orders)
    after = before * parameters.days_after // max(1, parameters.days)
    for moment in _moments(parameters.now - parameters.days * DAY, parameters.days, before, rng):
        yield _single_order(min(moment, parameters.now), rng)
    for moment in _moments(parameters.now, parameters.days_after, after, rng):
        yield _single_order(moment + 1, rng)


def _moments(start: int, days: int, count: int, rng: random.Random) -> list[int]:
    """Draw moments after the profile of weekdays and hours."""
    if not days or count <= 0:
        return []
    hours = [start + hour * HOUR for hour in range(days * 24)]
    when = [datetime.fromtimestamp(hour, tz=UTC) for hour in hours]
    weights = list(accumulate(WEEKDAY_WEIGHTS[w.weekday()] * HOUR_WEIGHTS[w.hour] for w in when))
    return [hour + rng.randrange(HOUR) for hour in rng.choices(hours, cum_weights=weights, k=count)]


def _single_order(created_at: int, rng: random.Random) -> Order:
    use = rng.choices(USES, [use.weight for use in USES])[0]
    country = _countries(1, rng)[0]
    service_code = _weighted(use.services, rng)
    reference = f"{rng.randrange(100_000, 1_000_000)}"
    is_scheduled = rng.random() < use.scheduled_share
    is_voice = service_code in VOICE_SERVICES
    return Order(
        created_at=created_at,
        phone=_phone(country, rng),
        text=_text(use, country, reference, rng),
        sender_id=use.sender_id,
        service_code=service_code,
        key_id=use.key_id,
        ip=rng.choice(ADDRESSES),
        delivery_at=created_at + rng.randrange(HOUR, 6 * DAY) if is_scheduled else 0,
        voice_lang=("DE" if country.is_german else "EN") if is_voice else None,
        callback_data=f"order-{reference}" if use.has_reference else None,
        source=use.source,
    )


def _text(use: Use, country: Country, reference: str, rng: random.Random) -> str:
    return rng.choice(use.german if country.is_german else use.english).format(
        code=f"{rng.randrange(1_000_000):06}",
        order=reference,
        name=rng.choice(NAMES),
        day=f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.",
        hour=rng.randint(8, 16),
        amount=f"{rng.randrange(500, 20_000) / 100:.2f}".replace(".", ","),
    )


_COUNTRY_WEIGHTS = list(accumulate(country.weight for country in COUNTRIES))


def _countries(count: int, rng: random.Random) -> list[Country]:
    return rng.choices(COUNTRIES, cum_weights=_COUNTRY_WEIGHTS, k=count)


def _phone(country: Country, rng: random.Random) -> str:
    head, digits = country.number.rstrip("x"), country.number.count("x")
    return f"{head}{rng.randrange(10**digits):0{digits}}"


def _weighted(weights: dict[str, int], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
