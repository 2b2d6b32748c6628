"""Deleting and cancelling messages, one and many."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle

NOW = AccountParameters().now
Listed = Callable[[str], list[str]]
SENT = {"at": NOW - 50, "status_code": 100, "dlr_code": 1, "is_sent": True}
TO_BE_SENT = {**SENT, "at": NOW + 50}


def test_a_deleted_message_is_gone_and_cannot_be_deleted_again(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    (uuid,) = sandbox.insert({})
    assert lox24.delete(f"/sms/{uuid}").status_code == 204
    assert lox24.delete(f"/sms/{uuid}").status_code == 404
    assert lox24.get(f"/sms/{uuid}").status_code == 404


def test_a_deletion_shifts_later_pages(sandbox: SandboxHandle, listed: Listed) -> None:
    uuids = sandbox.insert(*({"created_at": NOW - 10 + index} for index in range(6)))
    sandbox.set_switches(page_size=2)
    assert listed("_order[created_at]=asc&page=2") == uuids[2:4]
    sandbox.delete(uuids[0])
    assert listed("_order[created_at]=asc&page=2") == uuids[3:5]


def test_batch_delete_takes_the_filters_from_the_query(
    sandbox: SandboxHandle, lox24: httpx.Client, listed: Listed
) -> None:
    kept, *going = sandbox.insert({"iso2": "DE"}, {"iso2": "US"}, {"iso2": "US"})
    response = lox24.post("/sms/ops/batch_delete?iso2=US")
    assert (response.status_code, response.json()) == (200, {"deleted_sms_count": len(going)})
    assert listed("") == [kept]


@pytest.mark.parametrize("query", ["", "?text="])
def test_batch_delete_without_a_filter_deletes_everything(
    sandbox: SandboxHandle, lox24: httpx.Client, listed: Listed, query: str
) -> None:
    sandbox.insert({}, {})
    assert lox24.post(f"/sms/ops/batch_delete{query}").json() == {"deleted_sms_count": 2}
    assert listed("") == []


@pytest.mark.parametrize(("switch", "status"), [("nothing", 200), ("reject", 422)])
@pytest.mark.parametrize("query", ["", "_order[created_at]=asc", "uuid[]=", "uuid[0]=&uuid[1]="])
def test_a_switch_makes_an_unfiltered_batch_harmless(
    sandbox: SandboxHandle, lox24: httpx.Client, listed: Listed, switch: str, status: int, query: str
) -> None:
    uuids = sandbox.insert({})
    sandbox.set_switches(unfiltered_batch=switch)
    assert lox24.post(f"/sms/ops/batch_delete?{query}").status_code == status
    assert listed("") == uuids


@pytest.mark.parametrize("query", ["page=1", "_order[price]=asc", "iso_2=US"])
def test_a_batch_takes_filters_and_orders_only(lox24: httpx.Client, query: str) -> None:
    assert lox24.post(f"/sms/ops/batch_delete?{query}").status_code == 400


def test_batch_cancel_stops_what_is_not_sent_for_good(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    sent, unsent = sandbox.insert(
        {"created_at": NOW - 60, "steps": [SENT]}, {"created_at": NOW - 60, "steps": [TO_BE_SENT]}
    )
    answered = lox24.post(f"/sms/ops/batch_cancel?created_at[lte]={NOW}").json()
    assert answered == {"deleted_sms_count": 1}
    sandbox.advance(timedelta(days=1))
    states = [lox24.get(f"/sms/{uuid}").json() for uuid in (sent, unsent)]
    assert [(row["status_code"], row["is_sent"]) for row in states] == [(100, True), (6000, False)]
