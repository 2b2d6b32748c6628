"""Holds `GET /me`, and the two documented calls of 2SMS, against the documentation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sms_etl.sandbox.twosms.api import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from sms_etl_tests.sandbox.contract.fields import (
    ACCOUNT,
    LD_SINGLE,
    TWOSMS_ANSWER,
    TWOSMS_DATA,
    TWOSMS_DETAIL,
    TWOSMS_ERROR,
    deviations,
)
from sms_etl_tests.sandbox.contract.talk import JSON, LD_JSON, Handle, answer, decoded

MESSAGES = "/api/v1/sms/messages"


@pytest.mark.parametrize("accept", [JSON, LD_JSON])
def test_me_has_the_documented_fields(provider: httpx.Client, accept: str) -> None:
    account = answer(provider, "/me", accept=accept)
    assert not deviations(account, ACCOUNT, *([LD_SINGLE] if accept == LD_JSON else []))


def token(handle: Handle, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": SANDBOX_CLIENT_ID,
        "client_secret": SANDBOX_CLIENT_SECRET,
    }
    return httpx.post(f"{handle.url}/Token", data={**form, **changes})


def bearer(handle: Handle) -> str:
    response = token(handle)
    assert response.status_code == 200, response.text
    return str(decoded(response)["access_token"])


@pytest.fixture
def twosms(fresh: Handle) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {bearer(fresh)}"}
    with httpx.Client(base_url=fresh.url, headers=headers) as client:
        yield client


def expire(client: httpx.Client, **criteria: Any) -> httpx.Response:
    return client.request("DELETE", MESSAGES, json=criteria)


def is_refused(response: httpx.Response) -> bool:
    """An error may come with HTTP 200, in `Error`."""
    return response.status_code == 401 or decoded(response)["Error"] is not None


def test_twosms_gives_a_token_for_its_credentials(fresh: Handle) -> None:
    assert bearer(fresh)


@pytest.mark.parametrize(
    "wrong", [{"client_secret": "wrong"}, {"client_id": "wrong"}, {"grant_type": "password"}], ids=str
)
def test_twosms_gives_no_token_for_anything_else(fresh: Handle, wrong: dict[str, str]) -> None:
    response = token(fresh, **wrong)
    assert response.status_code in {400, 401}
    assert "access_token" not in response.text


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "wrong"])
def test_twosms_refuses_who_has_no_token(fresh: Handle, header: dict[str, str]) -> None:
    with httpx.Client(base_url=fresh.url, headers=header) as client:
        assert is_refused(expire(client, MessageIDs=[]))


def test_a_twosms_token_is_good_for_eight_hours(fresh: Handle, twosms: httpx.Client) -> None:
    fresh.advance(timedelta(hours=7, minutes=59))
    assert not is_refused(expire(twosms, Range=0, Type=0))
    fresh.advance(timedelta(minutes=2))
    assert is_refused(expire(twosms, Range=0, Type=0))
    assert bearer(fresh)


CRITERIA: dict[str, dict[str, Any]] = {
    "none": {},
    "ids": {"MessageIDs": ["2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11"], "Delete": True},
    "range": {"Range": 0, "Type": 0, "Delete": False, "NotifyRecipients": False, "Reason": "retention"},
    "dates": {
        "Destination": "+4915112345678",
        "StartDate": "2025-01-01T00:00:00Z",
        "FinishDate": "2025-02-01T00:00:00Z",
        "Delete": True,
    },
    "dates of the samples": {
        "StartDate": "2024-03-29T08:22:36.782195+00:00",
        "FinishDate": "2024-03-30T08:22:36.782195+00:00",
    },
}
SAMPLES = ("ids", "range", "dates", "dates of the samples")
"""None of these is documented as an error."""


@pytest.mark.parametrize("criteria", CRITERIA)
def test_twosms_answers_a_deletion_with_counts_or_an_error(twosms: httpx.Client, criteria: str) -> None:
    response = expire(twosms, **CRITERIA[criteria])
    assert response.status_code == 200
    body = decoded(response)
    assert not deviations(body, TWOSMS_ANSWER)
    if body["Error"] is not None:
        assert not deviations(body["Error"], TWOSMS_ERROR)
    else:
        assert not deviations(body["ResponseData"], TWOSMS_DATA)
        assert not deviations(body["ResponseData"]["Detail"], TWOSMS_DETAIL)


@pytest.mark.parametrize("criteria", SAMPLES)
def test_twosms_takes_what_its_documentation_shows(twosms: httpx.Client, criteria: str) -> None:
    assert decoded(expire(twosms, **CRITERIA[criteria]))["Error"] is None


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml"])
def test_twosms_takes_its_criteria_as_xml(twosms: httpx.Client, media_type: str) -> None:
    body = """<MessageCriteria xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <MessageIDs><guid>2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11</guid></MessageIDs>
        <StartDate>2024-03-29T08:22:36.782195+00:00</StartDate>
        <Delete>true</Delete>
    </MessageCriteria>"""
    headers = {"Content-Type": media_type, "Accept": JSON}
    answered = decoded(twosms.request("DELETE", MESSAGES, content=body, headers=headers))
    assert answered["Error"] is None
    assert answered["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 0


def test_twosms_takes_its_criteria_as_a_form(twosms: httpx.Client) -> None:
    form = {
        "MessageIDs": "2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11",
        "StartDate": "2024-03-29T08:22:36Z",
        "Delete": "true",
    }
    answered = decoded(twosms.request("DELETE", MESSAGES, data=form, headers={"Accept": JSON}))
    assert answered["Error"] is None
    assert answered["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 0


def test_twosms_ignores_other_criteria_beside_ids(twosms: httpx.Client) -> None:
    body = decoded(expire(twosms, **CRITERIA["ids"], Destination="+1", StartDate="2000-01-01T00:00:00Z"))
    assert body["Error"] is None
    assert body["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 0


@pytest.mark.parametrize("unknown", [{"Range": 17}, {"Type": 17}, {"Type": -1}], ids=str)
def test_twosms_refuses_a_value_of_an_enumeration_that_is_not_documented(
    twosms: httpx.Client, unknown: dict[str, int]
) -> None:
    assert is_refused(expire(twosms, Destination="+4915112345678", **unknown))


def test_twosms_does_not_fail_on_a_deletion_of_nothing(twosms: httpx.Client) -> None:
    body = decoded(expire(twosms, **CRITERIA["ids"]))
    assert body["Error"] is None
    assert body["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 0


def test_the_two_providers_do_not_share_credentials(fresh: Handle, twosms: httpx.Client) -> None:
    assert twosms.get(f"{fresh.url}/me").status_code == 401
