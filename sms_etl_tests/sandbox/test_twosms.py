"""2SMS: the token, and the one call that expires and deletes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sandbox.twosms.api import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET

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
    "moment",
    [
        "2025-12-20T00:00:00Z",
        "2025-12-20T00:00:00+00:00",
        "2025-12-20T00:00:00.000000+00:00",
        "2025-12-20T01:00:00.000000+01:00",
    ],
)
def test_a_date_is_taken_in_every_form_of_the_provider_and_is_a_moment(
    sandbox: SandboxHandle, remove: Remove, moment: str
) -> None:
    bound = int(datetime(2025, 12, 20, tzinfo=UTC).timestamp())
    rows = _messages(sandbox)
    before = [row["id"] for row in rows if row["sent_at"] <= bound]
    remove(FinishDate=moment, Delete=True)
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == before


def test_an_id_is_a_guid_in_upper_or_lower_case(sandbox: SandboxHandle, remove: Remove) -> None:
    wanted = _messages(sandbox)[4]["id"]
    remove(MessageIDs=[wanted.upper()], Delete=True)
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == [wanted]


def _xml(sandbox: SandboxHandle, body: str | bytes, *, accept: str = "*/*") -> httpx.Response:
    response = httpx.request(
        "DELETE",
        f"{sandbox.url}/api/v1/sms/messages",
        headers={
            "Authorization": f"Bearer {_token(sandbox)}",
            "Content-Type": "application/xml; charset=utf-8",
            "Accept": accept,
        },
        content=body,
        trust_env=False,
    )
    assert response.status_code == 200
    return response


def _parsed(response: httpx.Response) -> ElementTree.Element:
    return ElementTree.fromstring(response.content)  # noqa: S314 - the sandbox of this test wrote it


NAMESPACES = (
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def test_ids_in_xml_choose_as_ids_in_json(sandbox: SandboxHandle) -> None:
    chosen = [row["id"] for row in _messages(sandbox)[1:3]]
    ids = "".join(f"<guid>{uuid}</guid>" for uuid in chosen)
    body = f"""<?xml version="1.0" encoding="utf-8"?>
        <MessageCriteria {NAMESPACES}>
          <Destination>+1</Destination>
          <MessageIDs>{ids}</MessageIDs>
          <Range>TODAY</Range>
          <StartDate>2024-03-29T08:22:36.782195+00:00</StartDate>
          <Type>BOTH</Type>
          <Delete>true</Delete>
          <NotifyRecipients>false</NotifyRecipients>
          <Reason>retention</Reason>
        </MessageCriteria>"""
    answered = _parsed(_xml(sandbox, body))
    assert answered.find("Error") is None
    assert answered.findtext("ResponseData/Detail/NoOfMessagesDeleted") == "2"
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == chosen


@pytest.mark.parametrize(
    "body", ["", "<MessageCriteria/>", "<MessageCriteria><Reason/><MessageIDs/></MessageCriteria>"]
)
def test_xml_without_criteria_takes_all_that_expired_or_was_read_out(
    sandbox: SandboxHandle, body: str
) -> None:
    meant = [row for row in _messages(sandbox) if not row["is_expired"] and row["is_read_out"]]
    answered = _parsed(_xml(sandbox, body))
    expired = answered.findtext("ResponseData/Detail/NoOfMessagesExpired")
    assert expired == str(sum(row["is_advanced"] for row in meant))


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
"""Eight entities more would fill the memory."""


@pytest.mark.parametrize(
    "body",
    [
        "<MessageCriteria><Delete>true</Delete>",
        "<Criteria><Delete>true</Delete></Criteria>",
        f"{BOMB}<MessageCriteria><Destination>&b;</Destination><Delete>true</Delete></MessageCriteria>",
        "<!DOCTYPE MessageCriteria SYSTEM 'file:///etc/passwd'><MessageCriteria/>",
        f"<MessageCriteria><Reason>{'a' * 1_000_000}</Reason><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><Delete>true</Delete><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><Delete>yes</Delete></MessageCriteria>",
        "<MessageCriteria><Delete><b>true</b></Delete></MessageCriteria>",
        "<MessageCriteria><Colour>red</Colour><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><Range>ALL</Range><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><StartDate>1711700556</StartDate><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><MessageIDs><id>x</id></MessageIDs><Delete>true</Delete></MessageCriteria>",
        "<MessageCriteria><MessageIDs><guid>x</guid></MessageIDs><Delete>true</Delete></MessageCriteria>",
        "{}",
    ],
    ids=lambda body: body[:60],
)
def test_xml_that_is_not_as_in_the_samples_is_an_error_inside_a_200(
    sandbox: SandboxHandle, body: str
) -> None:
    before = _messages(sandbox)
    answered = _parsed(_xml(sandbox, body))
    assert answered.findtext("Error/ErrorCode")
    assert answered.findtext("Error/ErrorReason")
    assert answered.find("ResponseData") is None
    assert _messages(sandbox) == before


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/xml"),
        ("text/xml", "application/xml"),
        ("application/json", "application/json"),
        ("application/json, application/xml;q=0.5", "application/json"),
    ],
)
def test_the_answer_to_xml_has_the_form_that_is_asked_for(
    sandbox: SandboxHandle, accept: str, media_type: str
) -> None:
    assert _xml(sandbox, "<MessageCriteria/>", accept=accept).headers["content-type"] == media_type


@pytest.mark.parametrize(("token", "status"), [("right", 200), ("wrong", 401)])
def test_json_is_answered_in_xml_where_that_is_asked_for(
    sandbox: SandboxHandle, token: str, status: int
) -> None:
    response = httpx.request(
        "DELETE",
        f"{sandbox.url}/api/v1/sms/messages",
        headers={
            "Authorization": f"Bearer {_token(sandbox) if token == 'right' else token}",
            "Accept": "application/xml",
        },
        json={},
        trust_env=False,
    )
    assert response.status_code == status
    assert _parsed(response).tag == ("Response" if status == 200 else "Error")


IDS = "2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11", "0b0ac5c4-66a1-4b2c-8d0e-3d4f5a6b7c8d"


def _form(sandbox: SandboxHandle, body: str) -> dict[str, Any]:
    response = httpx.request(
        "DELETE",
        f"{sandbox.url}/api/v1/sms/messages",
        headers={
            "Authorization": f"Bearer {_token(sandbox)}",
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        },
        content=body,
        trust_env=False,
    )
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    answered: dict[str, Any] = response.json()
    return answered


@pytest.mark.parametrize("name", ["MessageIDs", "MessageIDs[]", "MessageIDs[{}]"])
def test_ids_in_a_form_choose_as_ids_in_json(sandbox: SandboxHandle, name: str) -> None:
    chosen = [row["id"] for row in _messages(sandbox)[1:3]]
    ids = "&".join(f"{name.format(place)}={uuid}" for place, uuid in enumerate(chosen))
    answered = _form(sandbox, f"{ids}&Destination=%2B1&Range=TODAY&Type=0&Delete=True&Reason=a+b")
    assert answered["ResponseData"]["Detail"]["NoOfMessagesDeleted"] == 2
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == chosen


def test_a_form_may_name_a_destination_and_a_span(sandbox: SandboxHandle) -> None:
    (wanted,) = sandbox.insert_twosms({"destination": "+491700000001"})
    _form(sandbox, "Destination=%2B491700000001&StartDate=2000-01-01T00:00:00Z&Delete=true")
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == [wanted]


@pytest.mark.parametrize("body", ["", "Reason=", "Destination=&Range=&StartDate="])
def test_a_form_without_criteria_takes_all_that_expired_or_was_read_out(
    sandbox: SandboxHandle, body: str
) -> None:
    meant = [row for row in _messages(sandbox) if not row["is_expired"] and row["is_read_out"]]
    expired = _form(sandbox, body)["ResponseData"]["Detail"]["NoOfMessagesExpired"]
    assert expired == sum(row["is_advanced"] for row in meant)


BAD_FORMS = (
    *(
        "{}",
        "Delete",
        "Delete=true&Delete=true",
        "Delete=yes",
        "Delete=%FF",
        "Colour=red",
        "Range=ALL",
        "Type=1",
    ),
    *(
        "MessageIDs=x",
        "MessageIDs=",
        f"MessageIDs={IDS[0]}&MessageIDs=",
        "MessageIDs[a]=x",
        "StartDate=today",
    ),
)


def test_a_form_that_is_not_as_documented_is_an_error_inside_a_200(sandbox: SandboxHandle) -> None:
    before = _messages(sandbox)
    assert [body for body in BAD_FORMS if not _form(sandbox, body)["Error"]] == []
    assert _messages(sandbox) == before


def test_a_token_is_given_to_a_form_only(sandbox: SandboxHandle) -> None:
    response = httpx.post(f"{sandbox.url}/Token", json=FORM, trust_env=False)
    assert (response.status_code, response.json()) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_destination_is_no_criterion_or_an_error(
    sandbox: SandboxHandle, remove: Remove, blank: str
) -> None:
    sandbox.set_switches(twosms_empty_is_no_criterion=False)
    assert remove(Destination=blank, Delete=True)["Error"]
    assert not any(row["is_deleted"] for row in _messages(sandbox))
    sandbox.set_switches(twosms_empty_is_no_criterion=True)
    meant = {row["id"] for row in _messages(sandbox) if row["is_expired"] or row["is_read_out"]}
    assert remove(Destination=blank, MessageIDs=[], Delete=True)["Error"] is None
    assert {row["id"] for row in _messages(sandbox) if row["is_deleted"]} == meant


def test_a_destination_may_be_a_part_of_a_number(sandbox: SandboxHandle, remove: Remove) -> None:
    ids = sandbox.insert_twosms({"destination": "+491700000001"}, {"destination": "+4917000000012"})
    remove(Destination="+491700000001", Delete=True)
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == ids[:1]
    sandbox.set_switches(twosms_destination="partial")
    remove(Destination="+491700000001", Delete=True)
    assert [row["id"] for row in _messages(sandbox) if row["is_deleted"]] == ids


def test_every_call_may_be_answered_with_an_error_that_quotes_the_number(
    sandbox: SandboxHandle, remove: Remove
) -> None:
    sandbox.set_switches(twosms_error_code=42)
    before = _messages(sandbox)
    answered = remove(Destination="+491700000001", Delete=True)
    assert answered["Error"] == {"ErrorCode": 42, "ErrorReason": "Nothing was done for +491700000001."}
    assert answered["ResponseData"] is None
    assert _messages(sandbox) == before


def test_without_the_feature_delete_may_be_ignored(sandbox: SandboxHandle, remove: Remove) -> None:
    (wanted,) = sandbox.insert_twosms({"destination": "+491700000001"})
    sandbox.set_switches(twosms_may_delete=False, twosms_delete_without_feature="ignored")
    detail = remove(MessageIDs=[wanted], Delete=True)["ResponseData"]["Detail"]
    assert (detail["NoOfMessagesExpired"], detail["NoOfMessagesDeleted"]) == (1, 0)


def test_a_message_that_is_put_into_the_account_has_what_a_test_says(sandbox: SandboxHandle) -> None:
    now = int(sandbox.now().timestamp())
    given = {"destination": "+491700000001", "id": IDS[0], "sent_at": 5, "is_advanced": False}
    assert sandbox.insert_twosms(given, {"destination": "+491700000002"})[0] == IDS[0]
    *_, first, second = sandbox.truth_twosms()
    assert {**first, **given} == first
    assert (second["sent_at"], second["is_advanced"], second["is_deleted"]) == (now, True, False)
    with pytest.raises(ValueError, match="colour"):
        sandbox.insert_twosms({"destination": "+491700000001", "colour": "red"})


@pytest.mark.parametrize(
    "criteria",
    [
        {"Range": 3},
        {"Type": 1},
        {"StartDate": "yesterday"},
        {"StartDate": "2025-12-20T00:00:00"},
        {"Colour": "red"},
        {"MessageIDs": "x"},
        {"MessageIDs": [""]},
        {"MessageIDs": [None]},
    ],
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
