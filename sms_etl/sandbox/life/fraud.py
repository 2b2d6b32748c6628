"""Plants abuse in an account, to try detection on: `plant` makes the messages of one shape. Seeded.

The shapes are those an operator meets: codes requested for many adjacent numbers of an expensive country, at
night or a few a day, and a key that somebody else sends with. They come beside the account's own traffic.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sms_etl.sandbox.life.lifecycle import Message
from sms_etl.sandbox.life.scenarios import DAY, HOUR, Order, make_message
from sms_etl.sandbox.life.traffic import ADDRESSES, COUNTRIES, PUMPED, USES, Use

LOGIN, OPERATIONS = USES[0], USES[3]
_ADJACENT = 1000
"""Numbers of a range: those that differ in their last three digits."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an abuse looks like."""

    days: int
    """Over how many it goes."""
    orders: Callable[[int, random.Random], Iterator[Order]]
    """Makes its orders, of the midnight (unix seconds, UTC) it begins after."""


def plant(shape: str, *, midnight: int, next_number: Callable[[], int], seed: int) -> list[Message]:
    """Make the messages of an abuse.

    Args:
        shape: A name in `SHAPES`.
        midnight: Unix seconds in UTC; the first message comes after it.
        next_number: Returns a hidden number that was never given.
        seed: The same gives the same messages.
    """
    rng = random.Random(f"{shape} {seed}")
    orders = sorted(SHAPES[shape].orders(midnight, rng), key=lambda order: order.created_at)
    return [make_message(order, next_number(), rng) for order in orders]


def _night_pump(midnight: int, rng: random.Random) -> Iterator[Order]:
    """Codes for one range of numbers, between one and four at night."""
    numbers = _adjacent_numbers(rng)
    for _ in range(rng.randint(150, 400)):
        yield _order(LOGIN, midnight + rng.randrange(HOUR, 4 * HOUR), next(numbers), rng)


def _sender_jump(midnight: int, rng: random.Random) -> Iterator[Order]:
    """A stolen key: many times what its sender sends, to numbers everywhere, in working hours."""
    weights = [country.weight for country in COUNTRIES]
    for _ in range(rng.randint(400, 600)):
        (country,) = rng.choices(COUNTRIES, weights)
        head, digits = country.number.rstrip("x"), country.number.count("x")
        phone = f"{head}{rng.randrange(10**digits):0{digits}}"
        yield _order(OPERATIONS, midnight + rng.randrange(8 * HOUR, 16 * HOUR), phone, rng)


def _slow_pump(midnight: int, rng: random.Random) -> Iterator[Order]:
    """A dozen codes or two a day for one range of numbers: too few to stand out on any day."""
    numbers = _adjacent_numbers(rng)
    for day in range(SHAPES["slow_pump"].days):
        for _ in range(rng.randint(12, 22)):
            at = midnight + day * DAY + rng.randrange(7 * HOUR, 20 * HOUR)
            yield _order(LOGIN, at, next(numbers), rng)


SHAPES: Mapping[str, Shape] = {
    "night_pump": Shape(1, _night_pump),
    "sender_jump": Shape(1, _sender_jump),
    "slow_pump": Shape(10, _slow_pump),
}


def _adjacent_numbers(rng: random.Random) -> Iterator[str]:
    """Yield the numbers of one range in turn, without end."""
    fixed = PUMPED.number.count("x") - 3
    head = f"{PUMPED.number.rstrip('x')}{rng.randrange(10**fixed):0{fixed}}"
    number = rng.randrange(_ADJACENT)
    while True:
        yield f"{head}{number:03}"
        number = (number + 1) % _ADJACENT


def _order(use: Use, created_at: int, phone: str, rng: random.Random) -> Order:
    return Order(
        created_at=created_at,
        phone=phone,
        text=rng.choice(use.english).format(
            code=f"{rng.randrange(1_000_000):06}", order="100000", name="Alex Smith", amount="5,00"
        ),
        sender_id=use.sender_id,
        service_code="direct",
        key_id=use.key_id,
        ip=rng.choice(ADDRESSES),
        source=use.source,
    )
