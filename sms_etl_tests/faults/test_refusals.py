"""401 and 403 in mid-run stop everything; a block after a wrong token is told apart from load."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from sms_etl.errors import AccountNotActive, AuthBlocked, SmsEtlError, Throttled, Unauthorised
from sms_etl.sync.task import SyncResult
from sms_etl_tests.faults import evidence
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.proxy import Asked, Fault, Plan
from sms_etl_tests.faults.rehearsal import Patience, Rehearsal
from sms_etl_tests.faults.repertoire import answers

REFUSALS = [(401, Unauthorised), (403, AccountNotActive)]


def from_then_on(fault: Fault, begins: Callable[[Asked], bool]) -> Plan:
    """Answer everything with a fault from a certain request on."""
    begun: list[bool] = []

    def plan(asked: Asked) -> Fault | None:
        if begins(asked):
            begun.append(True)
        return fault if begun else None

    return plan


def the_seventh_page(asked: Asked) -> bool:
    return asked.path == "/sms" and asked.query.get("page") == "7"


def refused_in_mid_run(rehearsal: Rehearsal, status: int) -> SyncResult | SmsEtlError:
    return rehearsal.sync(from_then_on(Fault(str(status), answers(status)), the_seventh_page))


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_a_refusal_in_mid_run_ends_it_and_only_what_was_in_flight_is_refused_too(
    status: int, error: type[SmsEtlError], seed: int, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(f"{status} in mid-run")
    rehearsal.base = rehearsal.base.model_copy(update={"concurrency": 1 + seed})
    outcome = refused_in_mid_run(rehearsal, status)
    assert isinstance(outcome, error)
    assert 1 <= len(rehearsal.proxy.spoilt) <= rehearsal.base.concurrency
    assert patience.waits == []
    assert isinstance(rehearsal.sync(), SyncResult)


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_with_one_request_at_a_time_exactly_one_is_refused(
    status: int, error: type[SmsEtlError], rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(f"{status} in mid-run, one at a time")
    rehearsal.base = rehearsal.base.model_copy(update={"concurrency": 1})
    assert isinstance(refused_in_mid_run(rehearsal, status), error)
    assert len(rehearsal.proxy.spoilt) == 1
    assert rehearsal.proxy.asked[-1] == rehearsal.proxy.spoilt[0]
    assert patience.waits == []


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_a_refusal_after_windows_were_landed_keeps_them(
    status: int, error: type[SmsEtlError], rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of(f"{status} after some windows", page_size=1)

    def after_the_first_window(asked: Asked) -> bool:
        return bool(evidence.landed_windows(rehearsal.base)) and asked.path == "/sms"

    refusal = Fault(str(status), answers(status))
    outcome = rehearsal.sync(from_then_on(refusal, after_the_first_window))
    assert isinstance(outcome, error)
    [(kept,)] = evidence.ask(rehearsal.base, "select count(*) from raw.sms")
    assert 0 < kept < 180
    assert isinstance(rehearsal.sync(), SyncResult)


def test_a_429_after_a_refused_token_is_an_auth_block_and_is_not_tried_again(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("429 after 401")
    assert isinstance(refused_in_mid_run(rehearsal, 401), Unauthorised)
    blocked = Fault("429", answers(429))
    outcome = rehearsal.sync(lambda asked: blocked)
    assert isinstance(outcome, AuthBlocked)
    assert len(rehearsal.proxy.asked_in_this_run()) == 1
    assert patience.waits == []
    assert isinstance(rehearsal.sync(), SyncResult)


def test_a_429_without_a_refused_token_before_it_is_load_and_is_waited_for(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("429 without 401")
    assert isinstance(rehearsal.sync(), SyncResult)
    load = Fault("429", answers(429))
    outcome = rehearsal.sync(lambda asked: load)
    assert isinstance(outcome, Throttled)
    assert len(rehearsal.proxy.asked_in_this_run()) > 1
    assert patience.waits == sorted(patience.waits), "each wait is at least as long as the one before"


def test_the_sandbox_itself_blocks_the_address_after_wrong_tokens_and_the_run_says_so(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("wrong tokens at the sandbox")
    right = rehearsal.base
    rehearsal.base = right.model_copy(update={"lox24_token": SecretStr("sandbox:wrong-key")})
    outcomes = [rehearsal.sync() for _ in range(4)]
    assert [type(outcome) for outcome in outcomes[:3]] == [Unauthorised] * 3
    assert isinstance(outcomes[3], AuthBlocked)
    assert len(rehearsal.proxy.asked) == 4, "one request a run"
    rehearsal.base = right
    assert isinstance(rehearsal.sync(), AuthBlocked), "the right token is refused too, for ten minutes"
