"""Holds `GET /sms` and `GET /sms/{uuid}` against the documentation: fields, formats, pages, orders."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from urllib.parse import urljoin

import httpx
import pytest

from sms_etl_tests.sandbox.contract.fields import (
    FINAL_DLR,
    FINAL_STATUS,
    LD_ROW,
    LD_SINGLE,
    SMS,
    STOPPED_BEFORE_TRANSMISSION,
    VOICE_SERVICES,
    deviations,
)
from sms_etl_tests.sandbox.contract.talk import (
    JSON,
    LD_JSON,
    UNKNOWN_UUID,
    Row,
    answer,
    ask,
    by_uuid,
    decoded,
    documented,
    read_all,
)

RowRule = Callable[[Row], bool]

ROW_RULES: dict[str, RowRule] = {
    "gateway_sent_at is 0 until sent": lambda m: (m["gateway_sent_at"] > 0) == m["is_sent"],
    "a new message is not sent": lambda m: m["status_code"] != 0 or not m["is_sent"],
    "a stopped message is not sent": lambda m: (
        m["status_code"] not in STOPPED_BEFORE_TRANSMISSION or not m["is_sent"]
    ),
    "a message at the operator is sent": lambda m: m["status_code"] != 100 or m["is_sent"],
    "only the operator reports": lambda m: m["dlr_code"] == 0 or m["status_code"] == 100,
    "sent after created": lambda m: not m["is_sent"] or m["gateway_sent_at"] >= m["created_at"],
    "sent after scheduled": lambda m: not m["is_sent"] or m["gateway_sent_at"] >= m["delivery_at"],
    "scheduled for later": lambda m: m["delivery_at"] == 0 or m["delivery_at"] >= m["created_at"],
    "a deleted text is empty": lambda m: (m["text"] == "") == m["is_text_deleted"],
    "a deleted text keeps its length": lambda m: not m["is_text_deleted"] or m["chars_count"] > 0,
    "plain letters count one each": lambda m: (
        not m["text"].replace(" ", "").isalnum()
        or not m["text"].isascii()
        or m["chars_count"] == len(m["text"])
    ),
    "links are the message's own": lambda m: (
        m["requests"] == f"/sms/{m['uuid']}/requests" and m["clicks"] == f"/sms/{m['uuid']}/clicks"
    ),
    "@id is the message's own": lambda m: m["@id"] == f"/sms/{m['uuid']}",
    "attempts are for voice": lambda m: (
        m.get("attempts_count_max") is None or m["service_code"] in VOICE_SERVICES
    ),
    "a voice language is for voice": lambda m: m["voice_lang"] is None or m["service_code"] in VOICE_SERVICES,
}


def test_every_row_has_exactly_the_documented_fields(messages: list[Row]) -> None:
    assert len(messages) >= 1_000
    found = [(row["uuid"], faults) for row in messages if (faults := deviations(row, SMS, LD_ROW))]
    assert not found[:5]


@pytest.mark.parametrize("rule", ROW_RULES)
def test_every_row_agrees_with_itself(messages: list[Row], rule: str) -> None:
    assert not [row for row in messages if not ROW_RULES[rule](row)][:3]


def test_no_row_is_from_the_future(messages: list[Row], now: datetime) -> None:
    latest = int(now.timestamp())
    assert not [m for m in messages if max(m["created_at"], m["gateway_sent_at"]) > latest]


def test_the_account_is_varied_enough_to_prove_something(messages: list[Row]) -> None:
    seen = {name: Counter(str(row.get(name)) for row in messages) for name in SMS}
    for name in ("status_code", "dlr_code", "service_code", "iso2", "is_unicode", "parts_count", "key_id"):
        assert len(seen[name]) >= 2, f"{name} is always {seen[name]}"
    for name in ("delivery_at", "gateway_sent_at"):
        assert 0 < seen[name]["0"] < len(messages), f"{name}: {seen[name].most_common(2)}"
    assert 0 < seen["bulk_id"]["None"] < len(messages)
    assert {row["price"].__class__.__name__ for row in messages} >= {"Decimal"}


def test_some_rejected_messages_still_show_a_price(messages: list[Row]) -> None:
    assert any(m["price"] > 0 for m in messages if m["dlr_code"] == 16)


def test_a_bulk_puts_many_messages_into_one_second(messages: list[Row]) -> None:
    per_second = Counter(m["created_at"] for m in messages)
    assert max(per_second.values()) > 10


def test_some_messages_are_open_and_some_are_final(messages: list[Row]) -> None:
    final = [m["status_code"] in FINAL_STATUS or m["dlr_code"] in FINAL_DLR for m in messages]
    assert 0 < sum(final) < len(final)


def test_a_collection_in_ld_json_has_members_total_and_view(
    provider: httpx.Client, messages: list[Row]
) -> None:
    response = ask(provider, "/sms")
    body = decoded(response)
    assert response.headers["content-type"].partition(";")[0] == LD_JSON
    assert isinstance(body["hydra:member"], list)
    assert body["hydra:totalItems"] == len(messages)
    assert isinstance(body["hydra:view"]["@id"], str)


def test_a_collection_in_json_is_a_bare_array_of_the_same_rows(provider: httpx.Client) -> None:
    page = [("page", "3"), ("_order[created_at]", "asc")]
    response = ask(provider, "/sms", page, JSON)
    assert response.headers["content-type"].partition(";")[0] == JSON
    rows = decoded(response)
    assert isinstance(rows, list)
    assert not [faults for row in rows if (faults := deviations(row, SMS))]
    assert rows == [documented(row) for row in answer(provider, "/sms", page)["hydra:member"]]


def test_prices_are_written_as_json_numbers(provider: httpx.Client) -> None:
    text = ask(provider, "/sms", accept=JSON).text
    assert '"price":"' not in text.replace(" ", "")


@pytest.mark.parametrize("accept", [JSON, LD_JSON])
def test_one_message_is_the_object_of_its_row(
    provider: httpx.Client, messages: list[Row], accept: str
) -> None:
    for row in (messages[0], messages[len(messages) // 2], messages[-1]):
        response = ask(provider, f"/sms/{row['uuid']}", accept=accept)
        body = decoded(response)
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == accept
        assert not deviations(body, SMS, *([LD_SINGLE] if accept == LD_JSON else []))
        assert documented(body) == documented(row)


def test_a_message_that_is_not_there_is_404(provider: httpx.Client) -> None:
    assert ask(provider, f"/sms/{UNKNOWN_UUID}").status_code == 404


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["created_at", "gateway_sent_at"])
def test_an_order_sorts_and_loses_nothing(
    provider: httpx.Client, messages: list[Row], field: str, direction: str
) -> None:
    rows = read_all(provider, "/sms", [(f"_order[{field}]", direction)])
    values = [row[field] for row in rows]
    assert values == sorted(values, reverse=direction == "desc")
    assert by_uuid(rows) == by_uuid(messages)


def test_links_lead_through_all_pages_both_ways(provider: httpx.Client) -> None:
    def view(link: str) -> dict[str, str]:
        body = answer(provider, urljoin(str(provider.base_url), link))
        return {name.removeprefix("hydra:"): value for name, value in body["hydra:view"].items()}

    chosen = answer(provider, "/sms", [("iso2", "DE"), ("_order[created_at]", "asc")])["hydra:view"]
    first = view(chosen["hydra:first"])
    last = view(first["last"])
    forward = [first]
    while "next" in forward[-1]:
        forward.append(view(forward[-1]["next"]))
    backward = [last]
    while "previous" in backward[-1]:
        backward.append(view(backward[-1]["previous"]))
    assert len(forward) >= 3
    assert [page["@id"] for page in forward] == [page["@id"] for page in reversed(backward)]


def test_all_pages_but_the_last_are_of_one_size(provider: httpx.Client, messages: list[Row]) -> None:
    size = len(answer(provider, "/sms", [("page", "1")], JSON))
    last = -(-len(messages) // size)
    sizes = [len(answer(provider, "/sms", [("page", str(page))], JSON)) for page in (2, last - 1, last)]
    assert sizes == [size, size, len(messages) - size * (last - 1)]


def test_a_page_beyond_the_last_is_empty(provider: httpx.Client, messages: list[Row]) -> None:
    beyond = [("page", "100000")]
    body = answer(provider, "/sms", beyond)
    assert body["hydra:member"] == []
    assert body["hydra:totalItems"] == len(messages)
    assert answer(provider, "/sms", beyond, JSON) == []


@pytest.mark.parametrize("page", ["0", "-1", "two", "1.5"])
@pytest.mark.parametrize("path", ["/sms", "/bulks"])
def test_a_page_that_is_no_number_from_one_is_refused(provider: httpx.Client, path: str, page: str) -> None:
    assert ask(provider, path, [("page", page)]).status_code in {400, 404, 422}


def test_pages_do_not_overlap(provider: httpx.Client) -> None:
    by_page = [
        {row["uuid"] for row in answer(provider, "/sms", [("page", str(page))])["hydra:member"]}
        for page in (1, 2, 3)
    ]
    assert all(not one & other for one, other in pairwise(by_page))
