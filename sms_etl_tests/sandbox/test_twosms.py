"""2SMS: the token, and the one call that expires and deletes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sandbox.twosms_api import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET

FORM = {
    "grant_type": "client_credentials",
    "client_id": SANDBOX_CLIENT_ID,
    "client_secret": SANDBOX_CLIENT_SECRET,
}
Remove = Callable[..., dict[str, Any]]


def _token(sandbox: SandboxHandle) -> str:
    answered = httpx.post(f"{sandbox.url}/Token", data=FORM, trust_env=False).json()
    assert answered["expires_in"] == 8 * 3600
    token: str = answered["access_token"]
    return token


def _delete(sandbox: SandboxHandle, token: str, content: bytes = b"") -> httpx.Response:
    return httpx.request(
        "DELETE",
        f"{sandbox.url}/api/v1/sms/messages",
        headers={"Authorization": f"Bearer {token}"},
        content=content,
        trust_env=False,
    )


@pytest.fixture
def remove(sandbox: SandboxHandle) -> Remove:
    """Makes the call with criteria and gives its answer, error or not."""
    token = _token(sandbox)

    def call(**criteria: object) -> dict[str, Any]:
        response = httpx.request(
            "DELETE",
            f"{sandbox.url}/api/v1/sms/messages",
            headers={"Authorization": f"Bearer {token}"},
            json=criteria,
            trust_env=False,
        )
        assert response.status_code == 200
        answered: dict[str, Any] = response.json()
        return answered

    return call


def _messages(sandbox: SandboxHandle) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sandbox.control("GET", "truth/twosms")
    return rows


@pytest.mark.parametrize(
    "change", [{"grant_type": "password"}, {"client_secret": "wrong"}, {"client_id": ""}]
)
def test_wrong_credentials_get_no_token(sandbox: SandboxHandle, change: dict[str, str]) -> None:
    response = httpx.post(f"{sandbox.url}/Token", data={**FORM, **change}, trust_env=False)
    assert response.status_code == 400
    assert "access_token" not in response.json()


def test_a_token_is_good_for_eight_hours(sandbox: SandboxHandle) -> None:
    token = _token(sandbox)
    sandbox.advance(timedelta(hours=8, seconds=-1))
    assert _delete(sandbox, token).status_code == 200
    sandbox.advance(timedelta(seconds=1))
    assert _delete(sandbox, token).status_code == 401
    assert _delete(sandbox, "made-up").status_code == 401


def test_without_criteria_all_that_expired_or_was_read_out_is_taken(
    sandbox: SandboxHandle, remove: Remove
) -> None:
    meant = {row["id"] for row in _messages(sandbox) if row["is_expired"] or row["is_read_out"]}
    answered = remove(Delete=True)
    assert answered["Error"] is None
    assert answered["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == len(meant) > 0
    assert {row["id"] for row in _messages(sandbox) if row["is_deleted"]} == meant


def test_message_ids_make_all_else_ignored(sandbox: SandboxHandle, remove: Remove) -> None:
    wanted = _messages(sandbox)[1]["id"]
    answered = remove(MessageIDs=[wanted], Destination="+0", StartDate="2099-01-01T00:00:00Z", Delete=True)
    assert answered["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 1
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == [wanted]


def test_without_delete_only_advanced_messages_expire(sandbox: SandboxHandle, remove: Remove) -> None:
    rows = _messages(sandbox)
    advanced = [row for row in rows if row["is_advanced"] and not row["is_expired"]]
    detail = remove(Type=0)["ResponseData"]["Detail"]
    assert (detail["NoOfMessagesExpired"], detail["NoOfMessagesDeleted"]) == (len(advanced), 0)
    assert not any(row["is_deleted"] for row in _messages(sandbox))


def test_destination_range_and_dates_narrow_what_is_taken(sandbox: SandboxHandle, remove: Remove) -> None:
    rows = _messages(sandbox)
    one = rows[0]["destination"]
    assert remove(Destination=one, Delete=True)["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 1
    future = remove(StartDate="2099-01-01T00:00:00Z", Delete=True)
    past = remove(FinishDate="2000-01-01T00:00:00Z", Delete=True)
    assert [a["ResponseData"]["Detail"]["NoOfMessagesDeleted"] for a in (future, past)] == [0, 0]
    midnight = int(sandbox.now().replace(hour=0, minute=0).timestamp())
    today = [row for row in _messages(sandbox) if row["sent_at"] >= midnight and not row["is_deleted"]]
    assert remove(Range=0, Delete=True)["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == len(today)


@pytest.mark.parametrize(
    "criteria",
    [{"Range": 3}, {"Type": 1}, {"StartDate": "yesterday"}, {"Colour": "red"}, {"MessageIDs": "x"}],
)
def test_an_error_comes_inside_a_200(
    sandbox: SandboxHandle, remove: Remove, criteria: dict[str, object]
) -> None:
    answered = remove(Delete=True, **criteria)
    assert set(answered["Error"]) == {"ErrorCode", "ErrorReason"}
    assert answered["ResponseData"] is None
    assert not any(row["is_deleted"] for row in _messages(sandbox))


def test_deleting_is_a_feature_of_the_account(sandbox: SandboxHandle, remove: Remove) -> None:
    sandbox.set_switches(twosms_may_delete=False)
    assert remove(Delete=True)["Error"]
    assert remove()["Error"] is None


def test_twosms_knows_nothing_of_an_auth_block_at_lox24(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    for _ in range(4):
        lox24.get("/me", headers={"X-LOX24-AUTH-TOKEN": "wrong"})
    assert _token(sandbox)
