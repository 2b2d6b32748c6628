"""The limiter: more while all goes well, half under strain, never above the bounds."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.providers.lox24.limiter import Limiter


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def most_at_once(limiter: Limiter, requests: int) -> int:
    now = most = 0

    async def request() -> None:
        nonlocal now, most
        async with limiter.slot():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(request() for _ in range(requests)))
    return most


async def test_no_more_requests_are_in_flight_than_allowed(clock: Clock) -> None:
    assert await most_at_once(Limiter(3, now=clock.now), 20) == 3


async def test_strain_halves_what_is_allowed_and_success_wins_it_back(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    limiter.on_overload()
    assert await most_at_once(limiter, 20) == 4
    for _ in range(40):
        limiter.on_success(0.01)
    assert await most_at_once(limiter, 20) == 8


async def test_requests_that_strain_together_count_once(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    limiter.on_success(0.1)
    for _ in range(5):
        limiter.on_overload()
    assert limiter.allowed == 4
    clock.seconds += 1
    limiter.on_overload()
    assert limiter.allowed == 2


async def test_an_answer_that_takes_much_longer_than_usual_is_strain(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    for _ in range(30):
        limiter.on_success(0.1)
    clock.seconds += 10
    limiter.on_success(2.0)
    assert limiter.allowed == 4


async def test_quick_answers_are_never_strain_however_much_they_vary(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    limiter.on_success(0.001)
    limiter.on_success(0.25)
    assert limiter.allowed == 8


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=200))
def test_what_is_allowed_stays_within_its_bounds(answers: list[float | None]) -> None:
    clock = Clock()
    limiter = Limiter(8, now=clock.now)
    for seconds in answers:
        clock.seconds += 1
        if seconds is None:
            limiter.on_overload()
        else:
            limiter.on_success(seconds)
        assert 1 <= limiter.allowed <= 8


async def test_no_more_requests_begin_in_a_second_than_the_ceiling(clock: Clock) -> None:
    limiter = Limiter(8, per_second=5, now=clock.now, sleep=clock.sleep)
    await most_at_once(limiter, 20)
    assert clock.seconds >= 3


async def test_a_request_that_is_given_up_while_it_waits_leaves_its_place(clock: Clock) -> None:
    limiter = Limiter(1, now=clock.now)
    async with limiter.slot():
        waiting = asyncio.create_task(most_at_once(limiter, 1))
        await asyncio.sleep(0)  # it begins its request,
        await asyncio.sleep(0)  # which waits
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await most_at_once(limiter, 2) == 1


async def test_strain_that_lasts_leaves_one_request_at_a_time(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    for _ in range(5):
        clock.seconds += 1
        limiter.on_overload()
    assert limiter.allowed == 1


async def test_what_is_usual_follows_answers_that_become_slower(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    for seconds in (0.1, *[0.3] * 60):
        limiter.on_success(seconds)
    clock.seconds += 10
    limiter.on_success(1.0)
    assert limiter.allowed == 8, "ten times the first answer, but not four times the latest"


async def test_the_ceiling_of_a_second_is_reached_and_not_passed(clock: Clock) -> None:
    limiter = Limiter(8, per_second=5, now=clock.now, sleep=clock.sleep)
    await most_at_once(limiter, 5)
    assert clock.seconds == 0
    await most_at_once(limiter, 1)
    assert clock.seconds == 1


async def test_a_request_that_is_given_up_as_its_turn_comes_hands_it_on(clock: Clock) -> None:
    limiter = Limiter(1, now=clock.now)
    async with limiter.slot():
        first, second = (asyncio.create_task(most_at_once(limiter, 1)) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.wait_for(second, 1) == 1
    await asyncio.gather(first, return_exceptions=True)
    assert await most_at_once(limiter, 3) == 1, "its place was given back once"


async def test_what_is_allowed_grows_by_one_for_each_round_of_requests(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    limiter.on_overload()
    for _ in range(4):
        limiter.on_success(0.01)
    assert limiter.allowed == pytest.approx(5, abs=0.1)


async def test_one_slow_answer_does_not_become_the_usual_one(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    for seconds in (0.1, 2.0, 2.0):
        clock.seconds += 10
        limiter.on_success(seconds)
    assert limiter.allowed == 2


async def test_strain_before_the_first_answer_counts_once_a_moment(clock: Clock) -> None:
    limiter = Limiter(8, now=clock.now)
    limiter.on_overload()
    limiter.on_overload()
    assert limiter.allowed == 4
    clock.seconds += 0.5
    limiter.on_overload()
    assert limiter.allowed == 2


async def test_a_place_is_free_again_a_second_after_the_oldest_request(clock: Clock) -> None:
    limiter = Limiter(8, per_second=3, now=clock.now, sleep=clock.sleep)
    for _ in range(3):
        await most_at_once(limiter, 1)
        clock.seconds += 0.25
    await most_at_once(limiter, 1)
    assert clock.seconds == 1
