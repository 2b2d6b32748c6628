"""Holds credentials, the block after bad tries, and request ids against the documentation."""

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from sms_etl_tests.sandbox.contract.fields import REQUEST_ID
from sms_etl_tests.sandbox.contract.talk import (
    JSON,
    REQUEST_ID_HEADER,
    TOKEN_HEADER,
    UNKNOWN_UUID,
    Handle,
    ask,
    is_problem,
)

PATHS = ["/sms", "/bulks", "/me", f"/sms/{UNKNOWN_UUID}", f"/bulks/{UNKNOWN_UUID}"]


@pytest.fixture
def stranger(fresh: Handle) -> Iterator[httpx.Client]:
    """Return a client with a key of the right shape that no account has."""
    client_id = fresh.token.partition(":")[0]
    headers = {TOKEN_HEADER: f"{client_id}:not-the-key", "Accept": JSON}
    with httpx.Client(base_url=fresh.url, headers=headers) as client:
        yield client


def statuses(client: httpx.Client, times: int) -> list[int]:
    return [client.get("/me").status_code for _ in range(times)]


def test_a_wrong_key_is_401(stranger: httpx.Client) -> None:
    response = stranger.get("/sms")
    assert response.status_code == 401
    assert is_problem(response)


@pytest.mark.parametrize("path", PATHS)
def test_no_key_is_401_everywhere(fresh: Handle, path: str) -> None:
    assert httpx.get(fresh.url + path, headers={"Accept": JSON}).status_code == 401


def test_a_wrong_key_changes_nothing(
    fresh: Handle, fresh_provider: httpx.Client, stranger: httpx.Client
) -> None:
    before = ask(fresh_provider, "/sms", accept=JSON).text
    assert stranger.post("/sms/ops/batch_delete", params={"dlr_code": "1"}).status_code == 401
    assert ask(fresh_provider, "/sms", accept=JSON).text == before


def test_three_wrong_tries_block_nobody(fresh_provider: httpx.Client, stranger: httpx.Client) -> None:
    assert statuses(stranger, 3) == [401, 401, 401]
    assert statuses(fresh_provider, 1) == [200]


def test_a_fourth_wrong_try_within_a_minute_blocks_the_right_key_too_for_ten_minutes(
    fresh: Handle, fresh_provider: httpx.Client, stranger: httpx.Client
) -> None:
    assert statuses(stranger, 3) == [401, 401, 401]
    assert statuses(stranger, 1)[0] in {401, 429}
    assert statuses(fresh_provider, 2) == [429, 429]
    assert statuses(stranger, 1) == [429]
    blocked = ask(fresh_provider, "/sms", accept=JSON)
    assert blocked.status_code == 429
    assert is_problem(blocked)
    fresh.advance(timedelta(minutes=9, seconds=30))
    assert statuses(fresh_provider, 1) == [429]
    fresh.advance(timedelta(seconds=31))
    assert statuses(fresh_provider, 1) == [200]


def test_wrong_tries_spread_over_minutes_block_nobody(
    fresh: Handle, fresh_provider: httpx.Client, stranger: httpx.Client
) -> None:
    for _ in range(3):
        assert statuses(stranger, 2) == [401, 401]
        fresh.advance(timedelta(seconds=61))
    assert statuses(fresh_provider, 1) == [200]


def test_every_answer_has_a_request_id_of_its_own(
    fresh: Handle, fresh_provider: httpx.Client, stranger: httpx.Client
) -> None:
    answers = [
        ask(fresh_provider, "/sms"),
        ask(fresh_provider, "/me"),
        ask(fresh_provider, "/bulks"),
        ask(fresh_provider, f"/sms/{UNKNOWN_UUID}"),
        ask(fresh_provider, "/sms", [("page", "0")]),
        ask(fresh_provider, "/no/such/path"),
        ask(fresh_provider, "/sms", method="PATCH"),
        ask(fresh_provider, f"/sms/{UNKNOWN_UUID}", method="DELETE"),
        ask(fresh_provider, "/bulks", method="POST"),
        ask(fresh_provider, "/sms/ops/batch_cancel", [("uuid", UNKNOWN_UUID)], method="POST"),
        *[stranger.get("/sms") for _ in range(4)],
        ask(fresh_provider, "/sms"),
    ]
    assert {a.status_code for a in answers} >= {200, 401, 404, 429}
    assert all(a.status_code < 500 for a in answers)
    ids = [a.headers.get(REQUEST_ID_HEADER) for a in answers]
    assert all(ids), [(a.request.url.path, a.status_code) for a, i in zip(answers, ids, strict=True) if not i]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(REQUEST_ID, request_id) for request_id in ids)
