"""Every fault, at a fifth of all requests: a run ends right or says why, and the next makes it right."""

from datetime import timedelta

import pytest

from sms_etl.errors import SmsEtlError, Throttled, UnexpectedRedirect
from sms_etl.sync.task import SyncResult
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.counts import IS_FULL
from sms_etl_tests.faults.proxy import Asked, Fault, one_in_five
from sms_etl_tests.faults.rehearsal import Patience
from sms_etl_tests.faults.repertoire import BY_NAME, FAULTS

MESSAGES = 180 if IS_FULL else 45
"""Enough for several windows; in the short form, one."""
BY_THE_COMMAND = (
    ("502 with HTML", "503 with Retry-After", "connection reset", "truncated body", "200 empty")
    if IS_FULL
    else ("502 with HTML",)
)
"""One of each kind: in its own process the command waits as patiently as it does for its users."""
ALONE = FAULTS if IS_FULL else (BY_NAME["504 empty"], BY_NAME["stall"], BY_NAME["body of a gigabyte"])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_with_a_fifth_of_all_answers_spoilt_a_run_ends_right_or_says_why_and_the_next_makes_it_right(
    fault: Fault, seed: int, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(fault.name, messages=45 if "gigabyte" in fault.name else MESSAGES)
    timeout = 0.3 if fault.name == "stall" else None
    patience.set(attempts=2, timeout=timeout)  # gives up soon: most runs end in an error
    rehearsal.sync(one_in_five(fault, seed))
    patience.set(timeout=timeout)
    if IS_FULL:
        rehearsal.sync(one_in_five(fault, seed + 100))
    rehearsal.provider.advance(timedelta(days=1))
    rehearsal.sync(one_in_five(fault, seed + 200))
    assert rehearsal.tally.faults, "nothing went wrong, so nothing is shown"
    quiet = rehearsal.sync()
    assert isinstance(quiet, SyncResult), quiet
    assert rehearsal.proxy.arrived_elsewhere == []


@pytest.mark.parametrize("name", BY_THE_COMMAND)
def test_the_command_rides_out_a_fifth_of_spoilt_answers_or_says_why(
    name: str, rehearsal_of: RehearsalOf
) -> None:
    rehearsal = rehearsal_of(f"{name}, by the command", messages=60)
    rehearsal.command(one_in_five(BY_NAME[name], 1))
    if IS_FULL:
        rehearsal.provider.advance(timedelta(days=1))
        rehearsal.command(one_in_five(BY_NAME[name], 2))
    quiet = rehearsal.command()
    assert isinstance(quiet, dict)
    assert quiet["bulks_error"] is None


@pytest.mark.parametrize("fault", ALONE, ids=lambda fault: fault.name)
def test_when_nothing_but_the_fault_is_answered_the_run_ends_with_an_error_of_its_own_and_loads_nothing(
    fault: Fault, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(f"{fault.name}, always", messages=30)
    patience.set(attempts=2, timeout=0.3 if fault.name == "stall" else None)
    outcome = rehearsal.sync(lambda asked: fault)
    assert isinstance(outcome, SmsEtlError)
    assert len(rehearsal.proxy.spoilt) <= 2
    assert isinstance(rehearsal.sync(), SyncResult)


def test_a_redirect_is_not_followed_and_the_token_stays_here(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("redirect in mid-run")
    redirect = BY_NAME["redirect to another host"]
    outcome = rehearsal.sync(lambda asked: redirect if asked.query.get("page") == "5" else None)
    assert isinstance(outcome, UnexpectedRedirect)
    assert rehearsal.proxy.arrived_elsewhere == []
    assert isinstance(rehearsal.sync(), SyncResult)


@pytest.mark.parametrize(("name", "seconds"), [("503 with Retry-After", 1), ("429 with Retry-After", 2)])
def test_a_wait_the_provider_asks_for_is_kept(
    name: str, seconds: int, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(f"{name}, once", messages=30)
    rehearsal.sync(lambda asked: BY_NAME[name] if asked.path == "/sms" and not asked.times else None)
    assert patience.waits
    assert min(patience.waits) >= seconds


def test_load_that_does_not_end_is_told_as_load(rehearsal_of: RehearsalOf, patience: Patience) -> None:
    rehearsal = rehearsal_of("429 that does not end", messages=60)

    def from_page_four_on(asked: Asked) -> Fault | None:
        return BY_NAME["429 without Retry-After"] if asked.query.get("page", "1") >= "4" else None

    outcome = rehearsal.sync(from_page_four_on)
    assert isinstance(outcome, Throttled)
    assert isinstance(rehearsal.sync(), SyncResult)
