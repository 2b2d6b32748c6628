"""Holds that each switch does what it says; the older ones are tested beside what they change."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from sms_etl.cli.commands import cli
from sms_etl.sandbox.control.switches import SandboxSwitches, switches_from_words
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.sandbox.conftest import NOW

FIRST = NOW - 1000
ASCENDING = "_order[created_at]=asc"


@pytest.fixture
def five(sandbox: SandboxHandle) -> list[str]:
    """Five messages a second apart, oldest first."""
    sandbox.set_switches(page_size=2)
    return sandbox.insert(*({"created_at": FIRST + number, "price": "0.21"} for number in range(5)))


def listing(lox24: httpx.Client, query: str, path: str = "/sms") -> dict[str, Any]:
    response = lox24.get(f"{path}?{query}")
    assert response.status_code == 200, response.text
    body: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
    return body


def test_exclusive_bounds_leave_out_both_ends(
    sandbox: SandboxHandle, listed: Callable[[str], list[str]], five: list[str]
) -> None:
    query = f"created_at[gte]={FIRST + 1}&created_at[lte]={FIRST + 3}&{ASCENDING}"
    sandbox.set_switches(page_size=30)
    assert listed(query) == five[1:4]
    sandbox.set_switches(bounds="exclusive")
    assert listed(query) == five[2:3]
    assert listed(f"created_at[gt]={FIRST + 1}&{ASCENDING}") == five[2:]


def test_an_order_that_is_ignored_is_the_default_one(
    sandbox: SandboxHandle, listed: Callable[[str], list[str]], five: list[str]
) -> None:
    sandbox.set_switches(order="ignored", page_size=30)
    assert listed(ASCENDING) == five[::-1]
    sandbox.set_switches(default_order="asc")
    assert listed("_order[created_at]=desc") == five


def test_missing_totals_leave_the_links_to_go_by(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(totals="missing")
    pages = [listing(lox24, f"page={number}") for number in (1, 2, 3, 4)]
    assert [len(page["hydra:member"]) for page in pages] == [2, 2, 1, 0]
    assert ["hydra:next" in page["hydra:view"] for page in pages] == [True, True, False, False]
    assert not any("hydra:totalItems" in page or "hydra:last" in page["hydra:view"] for page in pages)


def test_a_capped_total_is_less_than_there_is(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(total_cap=3)
    pages = [listing(lox24, f"page={number}") for number in (1, 2, 3)]
    assert [page["hydra:totalItems"] for page in pages] == [3, 3, 3]
    assert [len(page["hydra:member"]) for page in pages] == [2, 2, 1]
    assert "hydra:next" in pages[1]["hydra:view"]
    sandbox.set_switches(total_cap=10)
    assert listing(lox24, "page=1")["hydra:totalItems"] == 5


def test_a_listing_without_prefix_has_the_same_members(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    with_prefix = listing(lox24, "page=2")
    sandbox.set_switches(hydra_prefix=False)
    without = listing(lox24, "page=2")
    assert without["member"] == with_prefix["hydra:member"]
    assert without["totalItems"] == 5
    assert set(without["view"]) == {"@id", "@type", "first", "last", "previous", "next"}


def test_messages_are_called_as_the_switch_says(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(type_name="sms")
    assert listing(lox24, "page=1")["hydra:member"][0]["@type"] == "sms"
    assert lox24.get(f"/sms/{five[0]}").json()["@type"] == "sms"


@pytest.mark.parametrize("form", ["uuid={0}", "uuid[]={0}"])
def test_a_filter_by_uuid_can_be_ignored_or_rejected(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str], form: str
) -> None:
    query = form.format(five[0])
    assert listing(lox24, query)["hydra:totalItems"] == 1
    sandbox.set_switches(sms_uuid_filter="ignored")
    assert listing(lox24, query)["hydra:totalItems"] == 5
    sandbox.set_switches(sms_uuid_filter="rejected")
    assert lox24.get(f"/sms?{query}").status_code == 400


def test_a_batch_call_obeys_its_filter_by_uuid_whatever_the_listing_does(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(sms_uuid_filter="ignored")
    assert lox24.post(f"/sms/ops/batch_delete?uuid[]={five[0]}").json() == {"deleted_sms_count": 1}


@pytest.mark.parametrize("call", ["batch_delete", "batch_cancel"])
def test_the_filter_by_uuid_of_batch_calls_can_be_ignored_or_rejected(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str], call: str
) -> None:
    asked = f"/sms/ops/{call}?uuid[]={five[0]}"
    sandbox.set_switches(batch_uuid_filter="rejected")
    assert lox24.post(asked).status_code == 400
    assert listing(lox24, "status_code=0")["hydra:totalItems"] == 5
    sandbox.set_switches(batch_uuid_filter="ignored")
    assert lox24.post(asked).json() == {"deleted_sms_count": 5}


def test_a_write_can_be_carried_out_without_its_answer(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(writes="answer_lost")
    lost = lox24.delete(f"/sms/{five[0]}")
    assert (lost.status_code, lost.json()["title"]) == (504, "Gateway Timeout")
    body = {"sender_id": "Shop", "text": "x", "phones": ["+4915555000001"]}
    assert lox24.post("/bulks", json=body).status_code == 504
    assert lox24.get(f"/sms/{five[0]}").status_code == 404
    assert listing(lox24, "", "/bulks")["hydra:totalItems"] == 1


def test_a_write_can_fail_before_it_is_carried_out(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(writes="not_carried_out")
    assert lox24.delete(f"/sms/{five[0]}").status_code == 500
    assert lox24.get(f"/sms/{five[0]}").status_code == 200
    assert [request["status"] for request in sandbox.requests()] == [500, 200]


def test_bulks_have_their_own_filter_by_uuid(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    bulks = [
        lox24.post("/bulks", json={"sender_id": "Shop", "text": "x", "phones": ["+4915555000001"]}).json()
        for _ in range(2)
    ]
    query = f"uuid[]={bulks[0]['uuid']}"
    assert listing(lox24, query, "/bulks")["hydra:totalItems"] == 1
    sandbox.set_switches(bulks_uuid_filter="ignored")
    assert listing(lox24, query, "/bulks")["hydra:totalItems"] == 2
    sandbox.set_switches(bulks_uuid_filter="rejected")
    assert lox24.get(f"/bulks?{query}").status_code == 400


def test_forbidden_bulks_leave_messages_as_they_are(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sandbox.set_switches(are_bulks_forbidden=True)
    assert [lox24.get(path).status_code for path in ("/bulks", "/bulks/x", "/bulks/x/status")] == [403] * 3
    assert [lox24.get(path).status_code for path in ("/sms", "/me")] == [200] * 2


@pytest.mark.parametrize(
    ("row_format", "expected"),
    [
        ("documented", {"created_at": FIRST, "price": Decimal("0.21"), "is_sent": False, "key_id": 1}),
        (
            "iso_times",
            {"created_at": "2026-01-31T11:43:20+00:00", "delivery_at": "1970-01-01T00:00:00+00:00"},
        ),
        ("text_numbers", {"price": "0.21", "created_at": FIRST}),
        (
            "text_integers",
            {"created_at": str(FIRST), "key_id": "1", "price": Decimal("0.21"), "is_sent": False},
        ),
        ("int_booleans", {"is_sent": 0, "is_text_deleted": 0, "created_at": FIRST}),
    ],
)
def test_messages_are_written_in_the_format_of_the_switch(
    sandbox: SandboxHandle, lox24: httpx.Client, row_format: str, expected: dict[str, Any]
) -> None:
    (uuid,) = sandbox.insert({"created_at": FIRST, "price": "0.21", "key_id": 1})
    sandbox.set_switches(row_format=row_format)
    listed = listing(lox24, "page=1")["hydra:member"][0]
    single = json.loads(lox24.get(f"/sms/{uuid}").text, parse_float=Decimal)
    for row in (listed, single):
        assert {name: row[name] for name in expected} == expected
        assert [type(row[name]) for name in expected] == [type(value) for value in expected.values()]
    assert sandbox.truth_sms()[0]["created_at"] == FIRST


def test_noise_of_a_binary_number_is_written_and_is_no_part_of_the_truth(
    sandbox: SandboxHandle, lox24: httpx.Client, five: list[str]
) -> None:
    sandbox.set_switches(price_noise_every=1)
    assert listing(lox24, "page=1")["hydra:member"][0]["price"] == Decimal("0.21000000000000002")
    assert sandbox.truth()["price_sum"] == "1.05"


@pytest.mark.parametrize("is_another_each_time", [False, True])
def test_ties_come_in_another_order_for_each_page_or_each_request(
    sandbox: SandboxHandle, lox24: httpx.Client, is_another_each_time: bool
) -> None:
    sandbox.insert(*({"created_at": FIRST} for _ in range(40)))
    sandbox.set_switches(shuffle_ties=True, shuffle_each_request=is_another_each_time)
    orders = [[row["uuid"] for row in listing(lox24, "page=1")["hydra:member"]] for _ in range(2)]
    assert (orders[0] != orders[1]) is is_another_each_time


def test_every_answer_says_that_it_is_the_sandboxs(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    wrong = httpx.get(f"{sandbox.url}/sms", trust_env=False)
    assert [answer.headers["X-SMS-ETL-SANDBOX"] for answer in (lox24.get("/me"), wrong)] == ["1", "1"]


# --- the command line ---


def test_switches_are_read_from_words() -> None:
    switches = switches_from_words(["totals=missing", "page_size=7", "hydra_prefix=false"])
    assert switches == SandboxSwitches(totals="missing", page_size=7, hydra_prefix=False)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("total=missing", "no such switch: total; did you mean totals?"),
        ("totals=none", "Invalid enum value 'none'"),
        ("totals", "give totals=VALUE"),
        ("page_size=0", "page_size"),
    ],
)
def test_a_wrong_switch_is_a_usage_error_that_says_what_is_wrong(word: str, said: str) -> None:
    result = CliRunner().invoke(cli, ["sandbox", "--switch", word])
    assert result.exit_code == 2
    assert said in result.output


def test_every_switch_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in SandboxSwitches.__dataclass_fields__ if f"| `{name}` |" not in page] == []
