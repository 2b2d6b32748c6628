"""Bulks: listing, creating, dry runs, cancelling, deleting."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox

NOW = AccountParameters().now
BODY = {"sender_id": "Shop", "text": "Hello", "phones": [f"+1415555{100 + n:04}" for n in range(10)]}


def _create(lox24: httpx.Client, **changes: object) -> dict[str, Any]:
    response = lox24.post("/bulks", json={**BODY, **changes})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def _messages(lox24: httpx.Client, bulk: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lox24.get("/sms", params={"bulk": bulk["uuid"]}).json()["hydra:member"]
    return rows


def test_a_bulk_becomes_messages_over_time(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(bulk_messages_per_second=1)
    bulk = _create(lox24, service_code="pro", source=3)
    assert (bulk["status_code"], bulk["processed_at"], bulk["msg_total_count"]) == (0, None, 0)
    assert _messages(lox24, bulk) == []
    sandbox.advance(timedelta(seconds=6))
    running = lox24.get(f"/bulks/{bulk['uuid']}").json()
    assert (running["status_code"], running["msg_total_count"]) == (5, 5)
    assert len(_messages(lox24, bulk)) == 5
    sandbox.advance(timedelta(minutes=5))
    done = lox24.get(f"/bulks/{bulk['uuid']}").json()
    assert (done["status_code"], done["processed_at"], done["msg_total_count"]) == (10, NOW + 17, 10)
    rows = _messages(lox24, bulk)
    assert {row["phone"] for row in rows} == set(BODY["phones"])
    assert {(row["service_code"], row["source"], row["bulk_id"]) for row in rows} == {
        ("pro", 3, bulk["uuid"])
    }


def test_the_cost_of_a_bulk_is_that_of_its_messages_sent_so_far(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    bulk = _create(lox24)
    assert bulk["msg_total_cost"] == 0
    sandbox.advance(timedelta(minutes=5))
    sent = [row for row in sandbox.truth_sms() if row["is_sent"]]
    (shown,) = sandbox.truth_bulks()
    assert Decimal(shown["msg_total_cost"]) == sum(Decimal(row["price"]) for row in sent) > 0


def test_listed_bulks_leave_out_what_is_large(lox24: httpx.Client) -> None:
    bulk = _create(lox24)
    (listed,) = lox24.get("/bulks").json()["hydra:member"]
    assert set(bulk) - set(listed) == {"@context", "phones", "msg_groups", "sender_id", "text"}
    status = lox24.get(f"/bulks/{bulk['uuid']}/status", headers={"Accept": "application/json"}).json()
    assert status == {name: value for name, value in listed.items() if not name.startswith("@")}
    assert len(status) == 15


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status_code=0", 2),
        ("status_code[]=0&status_code[]=10", 2),
        (f"created_at[gte]={NOW}", 2),
        ("delivery_at[gt]=0", 1),
        ("processed_at[gt]=0", 0),
        ("msg_total_count=0", 2),
        ("msg_total_count[gt]=0", 0),
        ("source=4", 1),
        ("key_id=1", 0),
        ("is_dryrun=true", 0),
        ("is_unicode=true", 1),
    ],
)
def test_each_filter_of_bulks_lists_what_meets_it(lox24: httpx.Client, query: str, count: int) -> None:
    _create(lox24, source=4)
    _create(lox24, phones=BODY["phones"][:2], delivery_at=NOW + 3600, is_unicode=True)
    assert lox24.get(f"/bulks?{query}").json()["hydra:totalItems"] == count


@pytest.mark.parametrize("field", ["created_at", "delivery_at", "processed_at", "msg_total_count"])
def test_bulks_come_in_every_documented_order(
    sandbox: SandboxHandle, lox24: httpx.Client, field: str
) -> None:
    _create(lox24, delivery_at=NOW + 3600)
    sandbox.advance(timedelta(seconds=30))
    _create(lox24, phones=BODY["phones"][:3], delivery_at=NOW + 1800)
    sandbox.advance(timedelta(seconds=30))
    orders = [lox24.get(f"/bulks?_order[{field}]={way}").json()["hydra:member"] for way in ("asc", "desc")]
    values = [[row[field] or 0 for row in rows] for rows in orders]
    assert values[0] == sorted(values[0])
    assert values[1] == values[0][::-1]


def test_bulks_are_paged(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(page_size=2)
    uuids = {_create(lox24)["uuid"] for _ in range(3)}
    pages = [lox24.get(f"/bulks?_order[created_at]=asc&page={page}").json() for page in (1, 2)]
    assert {row["uuid"] for page in pages for row in page["hydra:member"]} == uuids


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sender_id": None}, "sender_id"),
        ({"sender_id": "far too long a name"}, "sender_id"),
        ({"sender_id": "+0155512345"}, "sender_id"),
        ({"sender_id": "015551234567"}, "sender_id"),
        ({"sender_id": "1234567890123456"}, "sender_id"),
        ({"sender_id": "Müller"}, "sender_id"),
        ({"sender_id": "+١٢٣"}, "sender_id"),
        ({"text": ""}, "text"),
        ({"text": "a" * 1786}, "text"),
        ({"phones": None}, "phones"),
        ({"phones": ["0155 123"]}, "phones"),
        ({"phones": ["+14155550100", "00"]}, "phones"),
        ({"phones": ["+0155123456"]}, "phones"),
        ({"phones": ["+1415555010012345"]}, "phones"),
        ({"phones": [14155550100]}, "phones"),
        ({"phones": ["+14155550١٠٠"]}, "phones"),
        ({"msg_groups": "all"}, "msg_groups"),
        ({"msg_groups": ["7116"]}, "msg_groups"),
        ({"msg_groups": [{"phones": ["+14155550100"]}]}, "msg_groups"),
        ({"service_code": "carrier pigeon"}, "service_code"),
        ({"delivery_at": "tomorrow"}, "delivery_at"),
        ({"source": True}, "source"),
        ({"is_unicode": 1}, "is_unicode"),
        ({"is_text_deleted": 1}, "is_text_deleted"),
        ({"voice_lang": 1}, "voice_lang"),
        ({"voice_lang": "de"}, "voice_lang"),
        ({"voice_lang": "Klingon"}, "voice_lang"),
    ],
)
def test_a_bulk_that_is_not_as_documented_is_answered_with_its_violations(
    lox24: httpx.Client, changes: dict[str, object], path: str
) -> None:
    response = lox24.post("/bulks", json={**BODY, **changes})
    assert response.status_code == 422
    assert [violation["propertyPath"] for violation in response.json()["violations"]] == [path]
    assert lox24.get("/bulks").json()["hydra:totalItems"] == 0


def test_a_body_that_is_no_object_is_refused(lox24: httpx.Client) -> None:
    assert lox24.post("/bulks", content=b"{").status_code == 400
    assert lox24.post("/bulks", content=b"[]").status_code == 422


@pytest.mark.parametrize("sender", ["+14155550100", "4915555000001", "12345", "0155", "My Shop 24", "A"])
def test_a_sender_is_a_number_or_a_short_name(lox24: httpx.Client, sender: str) -> None:
    assert _create(lox24, sender_id=sender)["sender_id"] == sender


@pytest.mark.parametrize(
    ("country", "given", "sent"),
    [
        ("DE", "01701234567", "+491701234567"),
        ("DE", "00491701234567", "+491701234567"),
        ("DE", "491701234567", "+491701234567"),
        ("DE", "+491701234567", "+491701234567"),
        ("DE", "0041791234567", "+41791234567"),
        ("AT", "06601234567", "+436601234567"),
        ("CH", "0791234567", "+41791234567"),
        ("CH", "00491701234567", "+491701234567"),
    ],
)
def test_a_number_is_read_by_the_country_of_the_account(
    sandbox: SandboxHandle, lox24: httpx.Client, country: str, given: str, sent: str
) -> None:
    sandbox.set_switches(account_country=country)
    bulk = _create(lox24, phones=[given])
    sandbox.advance(timedelta(minutes=1))
    assert bulk["phones"] == [sent]
    assert [row["phone"] for row in _messages(lox24, bulk)] == [sent]


def test_a_bulk_that_is_to_keep_no_text_shows_none_from_the_start(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    bulk = _create(lox24, is_text_deleted=True)
    assert (bulk["text"], bulk["is_text_deleted"]) == ("", True)
    sandbox.advance(timedelta(minutes=1))
    rows = _messages(lox24, bulk)
    assert {(row["text"], row["is_text_deleted"], row["chars_count"]) for row in rows} == {("", True, 5)}
    assert lox24.get("/bulks?text=Hello").json()["hydra:totalItems"] == 0
    assert lox24.get("/sms?text=Hello").json()["hydra:totalItems"] == 0


def test_a_bulk_counts_the_messages_it_made_though_they_are_deleted(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    bulk = _create(lox24)
    sandbox.advance(timedelta(minutes=1))
    lox24.post("/sms/ops/batch_delete", params={"bulk": bulk["uuid"]})
    assert lox24.get(f"/bulks/{bulk['uuid']}").json()["msg_total_count"] == 10


def test_a_dry_run_sends_nothing_and_says_what_it_would_cost(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    response = lox24.post("/bulks/dryrun", json=BODY)
    assert (response.status_code, response.json()["is_dryrun"]) == (201, True)
    assert response.json()["msg_total_count"] == 0
    sandbox.advance(timedelta(minutes=1))
    shown = lox24.get(f"/bulks/{response.json()['uuid']}")
    assert shown.json()["msg_total_count"] == 10
    assert '"msg_total_cost":0.56,' in shown.text
    assert sandbox.truth()["messages"] == 0


def test_a_bulk_needs_funds_but_a_dry_run_does_not(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(has_funds=False)
    assert lox24.post("/bulks", json=BODY).status_code == 402
    assert lox24.post("/bulks/dryrun", json=BODY).status_code == 201


def test_groups_give_recipients_and_a_bulk_without_any_says_so(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    grouped = _create(lox24, phones=BODY["phones"][:2], msg_groups=[7117])
    nobody = [_create(lox24, phones=None, msg_groups=[group])["uuid"] for group in (7118, 17)]
    sandbox.advance(timedelta(minutes=1))
    assert len(_messages(lox24, grouped)) == 2 + 12
    assert [lox24.get(f"/bulks/{uuid}").json()["status_code"] for uuid in nobody] == [201, 201]


def test_a_cancelled_bulk_stops_what_is_not_sent(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(bulk_messages_per_second=1)
    bulk = _create(lox24, delivery_at=NOW + 3600)
    sandbox.advance(timedelta(seconds=5))
    assert lox24.put(f"/bulks/{bulk['uuid']}/cancel").json()["status_code"] == 15
    sandbox.advance(timedelta(days=1))
    rows = _messages(lox24, bulk)
    assert {row["status_code"] for row in rows} == {6000}
    assert len(rows) == lox24.get(f"/bulks/{bulk['uuid']}").json()["msg_total_count"] == 4
    again = lox24.put(f"/bulks/{bulk['uuid']}/cancel")
    assert again.status_code == 409


def test_messages_of_a_cancelled_bulk_that_were_sent_stay_sent(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    sandbox.set_switches(bulk_messages_per_second=1)
    bulk = _create(lox24)
    sandbox.advance(timedelta(seconds=8))
    lox24.put(f"/bulks/{bulk['uuid']}/cancel")
    sandbox.advance(timedelta(days=5))
    rows = _messages(lox24, bulk)
    assert any(row["is_sent"] for row in rows)
    assert len(rows) == 7


def test_a_deleted_bulk_is_gone_and_its_messages_stay(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    bulk = _create(lox24)
    sandbox.advance(timedelta(minutes=1))
    assert lox24.delete(f"/bulks/{bulk['uuid']}").status_code == 204
    assert len(_messages(lox24, bulk)) == 10


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/status"), ("PUT", "/cancel")]
)
def test_an_unknown_bulk_is_answered_with_404(lox24: httpx.Client, method: str, path: str) -> None:
    assert lox24.request(method, f"/bulks/unknown{path}").status_code == 404


def test_voice_bulks_cost_one_part_each(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    response = lox24.post(
        "/bulks/dryrun",
        json={**BODY, "text": "a" * 500, "service_code": "text2speech", "voice_lang": "EN"},
    )
    sandbox.advance(timedelta(minutes=1))
    assert '"msg_total_cost":0.3,' in lox24.get(f"/bulks/{response.json()['uuid']}").text


def test_the_same_bulk_in_the_same_account_has_the_same_life(
    client_of: Callable[[SandboxHandle], httpx.Client],
) -> None:
    ends = []
    for _ in range(2):
        with running_sandbox(account=AccountParameters(messages=50)) as running:
            _create(client_of(running))
            running.advance(timedelta(days=5))
            ends.append(running.truth_sms())
    assert ends[0] == ends[1]
