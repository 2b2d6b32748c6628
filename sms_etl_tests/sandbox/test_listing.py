"""`GET /sms`: forms, filters, orders, pages."""

from collections.abc import Callable

import httpx
import pytest

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox

START = AccountParameters().now - 1000
Listed = Callable[[str], list[str]]
ASCENDING = "_order[created_at]=asc"


@pytest.fixture
def three(sandbox: SandboxHandle) -> list[str]:
    """Three messages that differ in every field that can be filtered by, oldest first."""
    return sandbox.insert(
        {
            "created_at": START,
            "text": "Your CODE is 1",
            "sender_id": "Shop",
            "phone": "+14155550101",
            "ip": "192.0.2.1",
            "iso2": "US",
            "key_id": 1,
            "callback_data": "a",
            "source": 0,
            "parts_count": 1,
            "chars_count": 10,
            "bulk_id": "bulk-a",
            "steps": [{"at": START + 5, "status_code": 100, "dlr_code": 1, "is_sent": True}],
        },
        {
            "created_at": START + 10,
            "text": "Ihr Paket",
            "sender_id": "Paket",
            "phone": "+49155550101",
            "ip": "198.51.100.1",
            "iso2": "DE",
            "key_id": 2,
            "callback_data": "b",
            "source": 1,
            "parts_count": 2,
            "chars_count": 20,
            "bulk_id": "bulk-b",
            "delivery_at": START + 100_000,
        },
        {
            "created_at": START + 20,
            "text": "Grüße ❄",
            "sender_id": "+4915555000001",
            "phone": "+447700900001",
            "ip": "203.0.113.1",
            "iso2": "GB",
            "key_id": 3,
            "callback_data": "c",
            "source": 2,
            "parts_count": 3,
            "chars_count": 30,
            "bulk_id": "bulk-c",
            "steps": [{"at": START + 21, "status_code": 5000, "dlr_code": 0, "is_sent": False}],
        },
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2]),
        ("is_sent=true", [0]),
        ("is_sent=0", [1, 2]),
        ("is_unicode=1", [2]),
        ("is_unicode=false", [0, 1]),
        ("iso2=DE", [1]),
        ("iso2[]=DE&iso2[]=GB", [1, 2]),
        ("iso2%5B%5D=DE&iso2%5B%5D=US", [0, 1]),
        ("iso2[0]=DE&iso2[1]=GB", [1, 2]),
        ("iso2%5B0%5D=DE&iso2%5B1%5D=US", [0, 1]),
        ("iso2[0]=DE&iso2[0]=US", [0]),
        ("iso2[5]=DE&iso2[]=US", [0, 1]),
        ("iso2[]=&iso2[]=DE", [1]),
        ("iso2[0]=&iso2[1]=", [0, 1, 2]),
        (f"created_at[0]={START}&created_at[gte]={START + 1}", []),
        ("dlr_code=1", [0]),
        ("status_code[]=0&status_code[]=5000", [1, 2]),
        ("key_id=3", [2]),
        ("callback_data=b", [1]),
        ("bulk=bulk-a", [0]),
        ("bulk[]=bulk-a&bulk[]=bulk-c", [0, 2]),
        (f"created_at={START + 10}", [1]),
        (f"created_at[]={START}&created_at[]={START + 20}", [0, 2]),
        (f"created_at[lt]={START + 10}", [0]),
        (f"created_at[lte]={START + 10}", [0, 1]),
        (f"created_at[gt]={START + 10}", [2]),
        (f"created_at[gte]={START + 10}", [1, 2]),
        (f"created_at[between]={START}..{START + 10}", [0, 1]),
        (f"created_at[gte]={START + 5}&created_at[lt]={START + 20}", [1]),
        (f"gateway_sent_at[gt]={START}", [0]),
        ("gateway_sent_at=0", [1, 2]),
        ("delivery_at[gt]=0", [1]),
        ("chars_count[between]=15..30", [1, 2]),
        ("parts_count[gte]=2", [1, 2]),
        ("source[lt]=1", [0]),
        ("text=code", [0]),
        ("text=GR%C3%9CSSE", []),
        ("text=gr%C3%BC", [2]),
        ("sender_id=pak", [1]),
        ("phone=5550101", [0, 1]),
        ("phone=%2B4915555", [1]),
        ("phone=+4915555", []),
        ("ip=198.51", [1]),
        ("phone=555&iso2=US", [0]),
        ("text=&iso2=DE", [1]),
    ],
)
def test_each_documented_filter_lists_what_meets_it(
    listed: Listed, three: list[str], query: str, expected: list[int]
) -> None:
    assert listed(f"{ASCENDING}&{query}") == [three[index] for index in expected]


def test_messages_are_asked_for_by_uuid(listed: Listed, three: list[str]) -> None:
    assert listed(f"uuid={three[1]}") == [three[1]]
    both = f"{ASCENDING}&uuid[]={three[2]}&uuid[]={three[0]}&uuid[]=unknown"
    assert listed(both) == [three[0], three[2]]
    assert listed(f"{both}&created_at[gt]={START}") == [three[2]]


@pytest.mark.parametrize(
    "query",
    [
        "is_sent=yes",
        "page=0",
        "page=x",
        "created_at[gte]=yesterday",
        "created_at[between]=1",
        "created_at[near]=1",
        "status_code=abc",
        "status_code[gte]=1",
        "phone[]=49",
        "phone[0]=49",
        "is_sent[0]=true",
        "iso2[x]=DE",
        "iso2[0][]=DE",
        "status_code[0]=abc",
        "iso2=DE&iso2[]=US",
        "iso2[0]=DE&iso2=US",
        "uuid=a&uuid[]=",
        "uuid[]=&uuid=a",
        "uiud[]=",
        "exists[is_unicode]=true",
        "_order[created_at]=up",
        "_order[price]=asc",
        "currency=EUR",
        "a[b][c]=1",
    ],
)
def test_a_parameter_that_is_not_documented_is_answered_with_400(lox24: httpx.Client, query: str) -> None:
    response = lox24.get(f"/sms?{query}")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert set(response.json()) == {"type", "title", "detail", "violations"}


def test_a_switch_lets_unknown_parameters_filter_nothing(
    sandbox: SandboxHandle, listed: Listed, three: list[str]
) -> None:
    sandbox.set_switches(unknown_parameters="ignore")
    assert listed(f"{ASCENDING}&statuscode=100") == three
    assert listed(f"{ASCENDING}&iso2[x]=DE") == three


def test_a_switch_makes_an_empty_value_an_error(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    assert lox24.get("/sms?key_id=").status_code == 200
    assert lox24.get("/sms?uuid[]=").status_code == 200
    sandbox.set_switches(empty_value_is_no_filter=False)
    for query in ("key_id=", "uuid=", "text=", "uuid[]=", "uuid[0]=a&uuid[1]=", "page="):
        assert lox24.get(f"/sms?{query}").status_code == 400, query
    assert lox24.post("/sms/ops/batch_delete?uuid[]=").status_code == 400


@pytest.mark.parametrize(
    ("query", "is_left"),
    [
        ("uuid={0}&uuid[]={1}", [True, False, True]),
        ("uuid[]={0}&uuid={1}", [True, False, True]),
        ("uuid={0}&uuid[]=", [False, False, False]),
        ("uuid[0]={0}&uuid=", [False, False, False]),
        ("uuid[x]={0}", [False, False, False]),
        ("uuid[]={0}&uuid[x]={1}", [False, True, True]),
    ],
)
def test_where_nothing_is_refused_the_later_of_two_forms_is_all_a_batch_deletes_by(
    sandbox: SandboxHandle, lox24: httpx.Client, three: list[str], query: str, is_left: list[bool]
) -> None:
    """What PHP makes of it, down to a filter that is lost and an account that is deleted."""
    assert lox24.post(f"/sms/ops/batch_delete?{query.format(*three)}").status_code == 400
    sandbox.set_switches(unknown_parameters="ignore")
    assert lox24.post(f"/sms/ops/batch_delete?{query.format(*three)}").status_code == 200
    assert [lox24.get(f"/sms/{uuid}").status_code == 200 for uuid in three] == is_left


def test_orders_go_both_ways_and_the_default_is_a_switch(
    sandbox: SandboxHandle, listed: Listed, three: list[str]
) -> None:
    assert listed("_order[created_at]=DESC") == three[::-1]
    assert listed("") == three[::-1]
    assert listed("_order[gateway_sent_at]=desc")[0] == three[0]
    assert listed("_order[gateway_sent_at]=asc&_order[created_at]=desc") == [three[2], three[1], three[0]]
    sandbox.set_switches(default_order="asc")
    assert listed("") == three


def test_plain_json_is_a_bare_array_without_links(lox24: httpx.Client, three: list[str]) -> None:
    response = lox24.get(f"/sms?{ASCENDING}", headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/json"
    rows = response.json()
    assert [row["uuid"] for row in rows] == three
    assert "@id" not in rows[0]


def test_ld_json_links_every_page_to_its_neighbours(
    sandbox: SandboxHandle, lox24: httpx.Client, three: list[str]
) -> None:
    sandbox.set_switches(page_size=1)
    body = lox24.get(f"/sms?{ASCENDING}&iso2[]=US&iso2[]=DE&iso2[]=GB&page=2").json()
    assert body["hydra:totalItems"] == 3
    assert body["hydra:member"][0]["@id"] == f"/sms/{three[1]}"
    view = body["hydra:view"]
    followed = {
        name: lox24.get(view[f"hydra:{name}"]).json() for name in ("first", "previous", "next", "last")
    }
    uuids = {name: page["hydra:member"][0]["uuid"] for name, page in followed.items()}
    assert uuids == {"first": three[0], "previous": three[0], "next": three[2], "last": three[2]}
    assert "hydra:next" not in followed["last"]["hydra:view"]
    assert "hydra:previous" not in followed["first"]["hydra:view"]


def test_a_page_beyond_the_last_is_empty(lox24: httpx.Client, three: list[str]) -> None:
    body = lox24.get("/sms?page=99").json()
    assert body["hydra:member"] == []
    assert body["hydra:totalItems"] == len(three)


def test_one_message_has_a_context_only_in_ld_json(lox24: httpx.Client, three: list[str]) -> None:
    linked = lox24.get(f"/sms/{three[0]}").json()
    assert (linked["@id"], linked["@context"]) == (f"/sms/{three[0]}", "/contexts/Sms")
    plain = lox24.get(f"/sms/{three[0]}", headers={"Accept": "application/json"}).json()
    assert plain == {name: value for name, value in linked.items() if not name.startswith("@")}


@pytest.mark.parametrize(
    ("price", "literal"),
    [
        ("0.0719", "0.0719"),
        ("0.10", "0.1"),
        ("3.000", "3"),
        ("0", "0"),
        ("0.1234567890123456789", "0.1234567890123456789"),
    ],
)
def test_a_price_keeps_its_digits_in_the_json_text(
    sandbox: SandboxHandle, lox24: httpx.Client, price: str, literal: str
) -> None:
    (uuid,) = sandbox.insert({"price": price})
    for path in (f"/sms/{uuid}", "/sms"):
        assert f'"price":{literal},' in lox24.get(path).text


def _pages(lox24: httpx.Client, count: int) -> list[str]:
    pages = [lox24.get(f"/sms?{ASCENDING}&page={page}").json() for page in range(1, count + 1)]
    return [row["uuid"] for page in pages for row in page["hydra:member"]]


def test_ties_keep_a_hidden_order_over_pages(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(page_size=4)
    uuids = sandbox.insert(*({"created_at": START} for _ in range(10)))
    assert _pages(lox24, 3) == uuids


def test_shuffled_ties_come_twice_or_never_when_pages_are_read_one_after_the_other(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    sandbox.set_switches(page_size=7, shuffle_ties=True)
    first, *tied, last = sandbox.insert(
        {"created_at": START}, *({"created_at": START + 1} for _ in range(40)), {"created_at": START + 2}
    )
    seen = _pages(lox24, 6)
    assert (seen[0], seen[-1], len(seen)) == (first, last, 42)
    assert set(seen) < {first, *tied, last}
    assert seen == _pages(lox24, 6)


def test_a_page_of_a_hundred_of_a_large_account_is_served_in_a_few_milliseconds(
    client_of: Callable[[SandboxHandle], httpx.Client],
) -> None:
    account = AccountParameters(messages=20_000, days_after=0)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=100)) as large:
        client = client_of(large)
        query = f"/sms?{ASCENDING}&created_at[lte]={account.now}"
        assert client.get(query).json()["hydra:totalItems"] == 20_000
        seconds = sorted(client.get(f"{query}&page={page}").elapsed.total_seconds() for page in range(1, 60))
    # 3 ms is typical; the bound leaves room for a busy machine.
    assert seconds[len(seconds) // 2] < 0.03
