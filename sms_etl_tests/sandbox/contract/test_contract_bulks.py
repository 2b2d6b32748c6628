"""Holds bulks against the documentation: their two forms, creating, trying, cancelling and deleting them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sms_etl_tests.sandbox.contract.fields import (
    BULK,
    BULK_CANCELLED,
    BULK_DONE,
    BULK_IN_PROGRESS,
    BULK_LISTED,
    BULK_NEW,
    LD_ROW,
    LD_SINGLE,
    STOPPED_BEFORE_TRANSMISSION,
    VOICE_LANGS,
    deviations,
)
from sms_etl_tests.sandbox.contract.talk import (
    JSON,
    LD_JSON,
    REFUSED,
    UNKNOWN_UUID,
    Handle,
    Row,
    answer,
    ask,
    decoded,
    documented,
    is_problem,
    read_all,
    total,
)

ORDER: Row = {
    "sender_id": "Contract",
    "text": "Your parcel arrives today",
    "phones": ["+4915112345678", "+41791234567", "+4366412345678"],
}


def create(client: httpx.Client, path: str = "/bulks", **fields: Any) -> httpx.Response:
    order = {name: value for name, value in {**ORDER, **fields}.items() if value is not None}
    return client.post(path, json=order, headers={"Accept": JSON})


def created(client: httpx.Client, **fields: Any) -> Row:
    """Create a bulk; fails unless the answer is 201 and the full object."""
    response = create(client, **fields)
    assert response.status_code == 201, response.text
    bulk = decoded(response)
    assert not deviations(bulk, BULK)
    assert isinstance(bulk, dict)
    return bulk


def full(client: httpx.Client, uuid: str) -> Row:
    bulk = answer(client, f"/bulks/{uuid}", accept=JSON)
    assert isinstance(bulk, dict)
    return bulk


def cancel(client: httpx.Client, uuid: str) -> httpx.Response:
    return ask(client, f"/bulks/{uuid}/cancel", accept=JSON, method="PUT")


def test_a_listed_bulk_has_no_phones_groups_sender_or_text(bulks: list[Row]) -> None:
    assert len(bulks) >= 3
    assert not [faults for bulk in bulks if (faults := deviations(bulk, BULK_LISTED, LD_ROW))]
    assert all(bulk["@id"] == f"/bulks/{bulk['uuid']}" for bulk in bulks)


def test_bulks_in_json_are_a_bare_array_of_the_same_rows(provider: httpx.Client) -> None:
    rows = answer(provider, "/bulks", [("_order[created_at]", "asc")], JSON)
    assert rows == [
        documented(row) for row in answer(provider, "/bulks", [("_order[created_at]", "asc")])["hydra:member"]
    ]


@pytest.mark.parametrize("accept", [JSON, LD_JSON])
def test_one_bulk_is_the_full_object(provider: httpx.Client, bulks: list[Row], accept: str) -> None:
    for listed in bulks[:3]:
        bulk = answer(provider, f"/bulks/{listed['uuid']}", accept=accept)
        assert not deviations(bulk, BULK, *([LD_SINGLE] if accept == LD_JSON else []))
        assert {name: bulk[name] for name in BULK_LISTED} == documented(listed)


def test_the_status_of_a_bulk_is_a_reduced_object(provider: httpx.Client, bulks: list[Row]) -> None:
    for listed in bulks:
        status = answer(provider, f"/bulks/{listed['uuid']}/status", accept=JSON)
        assert not deviations(status, BULK_LISTED)
        assert len(status) == 15
        assert status == documented(listed)


def test_a_bulk_is_changed_when_or_after_it_is_created(bulks: list[Row]) -> None:
    assert all(b["processed_at"] >= b["created_at"] for b in bulks if b["processed_at"] is not None)
    assert all(b["processed_at"] is not None for b in bulks if b["status_code"] == BULK_DONE)


@pytest.mark.parametrize("suffix", ["", "/status"])
def test_a_bulk_that_is_not_there_is_404(provider: httpx.Client, suffix: str) -> None:
    assert ask(provider, f"/bulks/{UNKNOWN_UUID}{suffix}").status_code == 404


@pytest.mark.parametrize(("method", "suffix"), [("PUT", "/cancel"), ("DELETE", "")])
def test_changing_a_bulk_that_is_not_there_is_404(
    fresh_provider: httpx.Client, method: str, suffix: str
) -> None:
    assert ask(fresh_provider, f"/bulks/{UNKNOWN_UUID}{suffix}", method=method).status_code == 404


def test_a_created_bulk_says_what_was_ordered(fresh: Handle, fresh_provider: httpx.Client) -> None:
    later = int((fresh.now() + timedelta(hours=3)).timestamp())
    order = {**ORDER, "service_code": "pro", "delivery_at": later, "is_unicode": False, "source": 7}
    bulk = created(fresh_provider, **order)
    assert {name: bulk[name] for name in order} == order
    assert bulk["status_code"] == BULK_NEW
    assert bulk["is_dryrun"] is False
    assert bulk["created_at"] == int(fresh.now().timestamp())
    assert full(fresh_provider, bulk["uuid"]) == bulk
    assert total(fresh_provider, "/bulks", [("uuid", bulk["uuid"])]) == 1


def test_a_created_bulk_becomes_messages_and_counts_their_cost(
    fresh: Handle, fresh_provider: httpx.Client
) -> None:
    bulk = created(fresh_provider)
    fresh.advance(timedelta(hours=6))
    messages = read_all(fresh_provider, "/sms", [("bulk", bulk["uuid"])])
    done = full(fresh_provider, bulk["uuid"])
    assert {m["phone"] for m in messages} == set(ORDER["phones"])
    assert {(m["text"], m["sender_id"]) for m in messages} == {(ORDER["text"], ORDER["sender_id"])}
    assert done["status_code"] == BULK_DONE
    assert done["msg_total_count"] == len(ORDER["phones"])
    assert done["msg_total_cost"] == sum(m["price"] for m in messages)
    assert bulk["created_at"] <= done["processed_at"] <= int(fresh.now().timestamp())


def test_a_bulk_counts_the_messages_it_has_created_so_far(
    fresh: Handle, fresh_provider: httpx.Client
) -> None:
    bulk = created(fresh_provider, phones=[f"+49151{number:08}" for number in range(500)])
    assert bulk["msg_total_count"] == 0
    for seconds in (2, 1, 1, 600):
        fresh.advance(timedelta(seconds=seconds))
        messages = total(fresh_provider, "/sms", [("bulk", bulk["uuid"])])
        assert full(fresh_provider, bulk["uuid"])["msg_total_count"] == messages
    assert messages == 500


@pytest.mark.parametrize("written", ["+491701234567", "00491701234567", "491701234567", "01701234567"])
def test_a_number_may_be_written_in_every_documented_way(
    fresh: Handle, fresh_provider: httpx.Client, written: str
) -> None:
    bulk = created(fresh_provider, phones=[written])
    assert bulk["phones"] == ["+491701234567"]
    fresh.advance(timedelta(hours=6))
    messages = read_all(fresh_provider, "/sms", [("bulk", bulk["uuid"])])
    assert [m["phone"] for m in messages] == ["+491701234567"]


def test_the_groups_of_the_account_have_members(fresh: Handle, fresh_provider: httpx.Client) -> None:
    groups = [int(name) for name in answer(fresh_provider, "/me", accept=JSON)["groups"]]
    bulk = created(fresh_provider, phones=None, msg_groups=groups)
    fresh.advance(timedelta(hours=6))
    assert total(fresh_provider, "/sms", [("bulk", bulk["uuid"])]) > 0


def test_a_text_that_is_to_be_deleted_is_empty_and_its_characters_stay_counted(
    fresh: Handle, fresh_provider: httpx.Client
) -> None:
    bulk = created(fresh_provider, is_text_deleted=True)
    fresh.advance(timedelta(hours=6))
    done = full(fresh_provider, bulk["uuid"])
    messages = read_all(fresh_provider, "/sms", [("bulk", bulk["uuid"])])
    assert (done["text"], done["is_text_deleted"]) == ("", True)
    assert {(m["text"], m["is_text_deleted"]) for m in messages} == {("", True)}
    assert {m["chars_count"] for m in messages} == {len(ORDER["text"])}


@pytest.mark.parametrize("voice_lang", sorted(VOICE_LANGS))
def test_each_documented_language_is_taken(fresh_provider: httpx.Client, voice_lang: str) -> None:
    assert (
        created(fresh_provider, service_code="text2speech", voice_lang=voice_lang)["voice_lang"] == voice_lang
    )


def test_a_bulk_can_be_found_by_when_it_last_changed(fresh: Handle, fresh_provider: httpx.Client) -> None:
    since = [("processed_at[gte]", str(int(fresh.now().timestamp())))]
    bulk = created(fresh_provider)
    fresh.advance(timedelta(hours=6))
    assert bulk["uuid"] in {b["uuid"] for b in read_all(fresh_provider, "/bulks", since)}


def test_groups_stand_in_for_phones(fresh_provider: httpx.Client) -> None:
    bulk = created(fresh_provider, phones=None, msg_groups=[12])
    assert (bulk["phones"] or None, bulk["msg_groups"]) == (None, [12])


FAULTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no sender": ({"sender_id": None}, {"sender_id"}),
    "no text": ({"text": None}, {"text"}),
    "no recipients": ({"phones": None}, {"phones", "msg_groups"}),
    "text too long": ({"text": "a" * 1786}, {"text"}),
    "number that is none": ({"phones": ["+491701234567", "1x"]}, {"phones"}),
    "sender with a zero": ({"sender_id": "+0491701234567"}, {"sender_id"}),
    "sender too long": ({"sender_id": "Twelve chars"}, {"sender_id"}),
    "unknown language": ({"voice_lang": "XX"}, {"voice_lang"}),
    "group by name": ({"msg_groups": ["customers"]}, {"msg_groups"}),
}


@pytest.mark.parametrize("path", ["/bulks", "/bulks/dryrun"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_bulk_is_refused_and_the_field_named(
    fresh_provider: httpx.Client, fault: str, path: str
) -> None:
    fields, named = FAULTS[fault]
    before = total(fresh_provider, "/bulks")
    response = create(fresh_provider, path, **fields)
    assert response.status_code in REFUSED
    assert is_problem(response)
    assert {violation["propertyPath"] for violation in decoded(response)["violations"]} <= named
    assert total(fresh_provider, "/bulks") == before


def test_a_body_that_is_no_json_is_refused(fresh_provider: httpx.Client) -> None:
    response = fresh_provider.post("/bulks", content="{", headers={"Content-Type": JSON, "Accept": JSON})
    assert response.status_code in REFUSED
    assert is_problem(response)


def test_the_longest_text_is_taken(fresh_provider: httpx.Client) -> None:
    assert created(fresh_provider, text="a" * 1785)["text"] == "a" * 1785


def test_a_dryrun_sends_nothing(fresh: Handle, fresh_provider: httpx.Client) -> None:
    balance = answer(fresh_provider, "/me", accept=JSON)["balance_amount"]
    before = total(fresh_provider, "/sms")
    response = create(fresh_provider, "/bulks/dryrun")
    assert response.status_code in {200, 201}
    bulk = decoded(response)
    assert not deviations(bulk, BULK)
    assert bulk["is_dryrun"] is True
    assert total(fresh_provider, "/sms", [("bulk", bulk["uuid"])]) == 0
    assert total(fresh_provider, "/sms") == before
    assert answer(fresh_provider, "/me", accept=JSON)["balance_amount"] == balance
    fresh.advance(timedelta(days=1))
    assert total(fresh_provider, "/sms", [("bulk", bulk["uuid"])]) == 0


def scheduled(handle: Handle, client: httpx.Client) -> Row:
    return created(client, delivery_at=int((handle.now() + timedelta(days=1)).timestamp()))


def test_a_new_bulk_can_be_cancelled_with_its_messages(fresh: Handle, fresh_provider: httpx.Client) -> None:
    bulk = scheduled(fresh, fresh_provider)
    response = cancel(fresh_provider, bulk["uuid"])
    assert response.is_success
    assert not deviations(decoded(response), BULK_LISTED)
    cancelled = full(fresh_provider, bulk["uuid"])
    assert cancelled["status_code"] == BULK_CANCELLED
    assert cancelled["processed_at"] == int(fresh.now().timestamp())
    fresh.advance(timedelta(days=3))
    assert full(fresh_provider, bulk["uuid"])["status_code"] == BULK_CANCELLED
    left = read_all(fresh_provider, "/sms", [("bulk", bulk["uuid"])])
    assert all(m["status_code"] in STOPPED_BEFORE_TRANSMISSION and not m["is_sent"] for m in left)


def finish(handle: Handle, client: httpx.Client, uuid: str) -> None:
    handle.advance(timedelta(hours=6))
    assert full(client, uuid)["status_code"] == BULK_DONE


def stop(handle: Handle, client: httpx.Client, uuid: str) -> None:
    assert cancel(client, uuid).is_success


@pytest.mark.parametrize("end", [finish, stop])
def test_a_bulk_that_has_ended_cannot_be_cancelled(
    fresh: Handle, fresh_provider: httpx.Client, end: Callable[[Handle, httpx.Client, str], None]
) -> None:
    bulk = created(fresh_provider)
    end(fresh, fresh_provider, bulk["uuid"])
    before = full(fresh_provider, bulk["uuid"])
    response = cancel(fresh_provider, bulk["uuid"])
    assert response.status_code in REFUSED | {403, 409}
    assert is_problem(response)
    assert full(fresh_provider, bulk["uuid"]) == before


def test_a_bulk_only_moves_forward(fresh: Handle, fresh_provider: httpx.Client) -> None:
    bulk = created(fresh_provider, phones=[f"+49151{number:08}" for number in range(500)])
    seen = [bulk["status_code"]]
    for minutes in (0, 1, 1, 5, 30, 300):
        fresh.advance(timedelta(minutes=minutes))
        now = full(fresh_provider, bulk["uuid"])
        assert now["created_at"] == bulk["created_at"]
        seen.append(now["status_code"])
    ranks = [(BULK_NEW, BULK_IN_PROGRESS, BULK_DONE).index(status) for status in seen]
    assert ranks == sorted(ranks)
    assert seen[-1] == BULK_DONE


def test_a_deleted_bulk_is_gone(fresh_provider: httpx.Client) -> None:
    uuid = created(fresh_provider)["uuid"]
    deleted = ask(fresh_provider, f"/bulks/{uuid}", method="DELETE")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert ask(fresh_provider, f"/bulks/{uuid}").status_code == 404
    assert ask(fresh_provider, f"/bulks/{uuid}", method="DELETE").status_code == 404
    assert total(fresh_provider, "/bulks", [("uuid", uuid)]) == 0
