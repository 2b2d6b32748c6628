"""Holds the conversions between unix seconds, moments and what the warehouse stores."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.clock import as_utc, fixed_clock, from_unix, system_clock, to_unix

LATEST = 253_402_300_799
EAST = timezone(timedelta(hours=5, minutes=30))


def test_the_systems_clock_gives_utc() -> None:
    assert system_clock().tzinfo is UTC
    assert abs(system_clock() - datetime.now(tz=UTC)) < timedelta(minutes=1)


def test_a_fixed_clock_stands_still() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    clock = fixed_clock(moment)
    assert (clock(), clock()) == (moment, moment)


def test_a_moment_is_stored_in_utc_without_a_zone() -> None:
    assert as_utc(datetime(2026, 3, 1, 5, 30, tzinfo=EAST)) == datetime(2026, 3, 1)


@given(st.integers(min_value=0, max_value=LATEST))
def test_unix_seconds_survive_the_way_there_and_back(seconds: int) -> None:
    assert to_unix(from_unix(seconds)) == seconds


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_fractions_of_a_second_are_dropped_never_rounded_up(moment: datetime) -> None:
    assert to_unix(moment) == to_unix(moment.replace(microsecond=0))


def test_a_zone_is_taken_into_account() -> None:
    assert to_unix(datetime(1970, 1, 1, 5, 30, 7, tzinfo=EAST)) == 7


@pytest.mark.parametrize("seconds", [LATEST + 1, 10**30, -(10**30)])
def test_seconds_outside_the_calendar_are_a_value_error(seconds: int) -> None:
    with pytest.raises(ValueError, match=r"out of range|calendar"):
        from_unix(seconds)
