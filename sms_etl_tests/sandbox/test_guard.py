"""Credentials, the auth block, lengths, rates, request ids, the log of requests."""

import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from sms_etl.sandbox.control.guard import Guard
from sms_etl.sandbox.server import SandboxHandle

WRONG = {"X-LOX24-AUTH-TOKEN": "sandbox:wrong"}


def test_every_answer_carries_its_own_request_id(lox24: httpx.Client) -> None:
    answers = [lox24.get("/sms"), lox24.get("/nowhere"), lox24.get("/me", headers=WRONG), lox24.post("/me")]
    assert [answer.status_code for answer in answers] == [200, 404, 401, 405]
    assert len({answer.headers["X-LOX24-REQUEST-ID"] for answer in answers}) == 4


@pytest.mark.parametrize("token", ["", "sandbox:wrong", "sandbox"])
def test_a_wrong_or_missing_token_is_answered_with_401(sandbox: SandboxHandle, token: str) -> None:
    response = httpx.get(f"{sandbox.url}/me", headers={"X-LOX24-AUTH-TOKEN": token}, trust_env=False)
    assert response.status_code == 401
    assert response.json()["title"] == "Unauthorized"


def test_the_fourth_wrong_try_within_a_minute_blocks_the_address_for_ten(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    assert [lox24.get("/me", headers=WRONG).status_code for _ in range(4)] == [401, 401, 401, 429]
    blocked = lox24.get("/me")
    assert blocked.status_code == 429
    assert "retry-after" not in blocked.headers
    sandbox.advance(timedelta(seconds=599))
    assert lox24.get("/me").status_code == 429
    sandbox.advance(timedelta(seconds=1))
    assert lox24.get("/me").status_code == 200


def test_wrong_tries_a_minute_apart_do_not_block(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    for _ in range(5):
        assert lox24.get("/me", headers=WRONG).status_code == 401
        sandbox.advance(timedelta(seconds=30))


def test_one_address_does_not_block_another() -> None:
    guard = Guard()
    for _ in range(4):
        guard.note_wrong_try("192.0.2.1", 0)
    assert guard.is_blocked("192.0.2.1", 599)
    assert not guard.is_blocked("192.0.2.2", 599)


def test_an_account_that_is_not_activated_is_answered_with_403(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    sandbox.set_switches(is_activated=False)
    assert lox24.get("/sms").status_code == 403


def test_an_address_that_is_too_long_is_answered_with_414(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    sandbox.set_switches(longest_url=40)
    assert lox24.get(f"/sms?text={'a' * 30}").status_code == 200
    assert lox24.get(f"/sms?text={'a' * 31}").status_code == 414


@pytest.mark.parametrize(("wait", "header"), [(0, None), (7, "7")])
def test_too_many_requests_in_a_second_are_answered_with_429(
    sandbox: SandboxHandle, lox24: httpx.Client, wait: int, header: str | None
) -> None:
    sandbox.set_switches(requests_per_second=2, rate_limit_retry_after=wait)
    answers = [lox24.get("/me") for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers.get("retry-after") for answer in refused} == {header}


def test_a_rate_limit_lets_requests_through_again_after_a_second() -> None:
    guard = Guard()
    assert [guard.is_too_fast(2, at) for at in (0.0, 0.5, 0.9, 1.0, 1.4)] == [False, False, True, False, True]


def test_latency_is_added_to_each_request(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(latency_ms=50)
    began = time.perf_counter()
    lox24.get("/me")
    assert time.perf_counter() - began >= 0.05


def test_the_log_holds_every_provider_request_and_no_control_call(
    sandbox: SandboxHandle, lox24: httpx.Client, listed: Callable[[str], list[str]]
) -> None:
    listed("created_at[gte]=5")
    answer = lox24.get("/me", headers=WRONG)
    first, second = sandbox.requests()
    assert (first["method"], first["path"], first["status"]) == ("GET", "/sms", 200)
    assert first["query"] in {"created_at[gte]=5", "created_at%5Bgte%5D=5"}
    assert second["request_id"] == answer.headers["X-LOX24-REQUEST-ID"]
    sandbox.forget_requests()
    assert sandbox.requests() == []
