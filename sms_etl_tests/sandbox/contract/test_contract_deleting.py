"""Holds deleting and cancelling, one by one and many at once, against the documentation."""

import httpx
import pytest

from sms_etl_tests.sandbox.contract.talk import (
    JSON,
    LD_JSON,
    REFUSED,
    UNKNOWN_UUID,
    Params,
    Row,
    answer,
    ask,
    by_uuid,
    decoded,
    read_all,
    total,
)

DELETE = "/sms/ops/batch_delete"
CANCEL = "/sms/ops/batch_cancel"


def batch(client: httpx.Client, path: str, params: Params | None = None) -> int:
    """Run a batch operation; fails unless the answer is the documented object and nothing else."""
    response = ask(client, path, params, JSON, method="POST")
    assert response.status_code == 200, response.text
    body = decoded(response)
    assert set(body) == {"deleted_sms_count"}
    assert type(body["deleted_sms_count"]) is int
    return int(body["deleted_sms_count"])


def test_a_deleted_message_is_gone_from_everywhere(fresh_provider: httpx.Client) -> None:
    before = by_uuid(read_all(fresh_provider, "/sms"))
    victim = sorted(before)[len(before) // 2]
    deleted = ask(fresh_provider, f"/sms/{victim}", method="DELETE")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert ask(fresh_provider, f"/sms/{victim}").status_code == 404
    assert ask(fresh_provider, f"/sms/{victim}", method="DELETE").status_code == 404
    del before[victim]
    assert by_uuid(read_all(fresh_provider, "/sms")) == before
    assert total(fresh_provider, "/sms", [("uuid", victim)]) == 0


def test_deleting_what_is_not_there_is_404(fresh_provider: httpx.Client) -> None:
    assert ask(fresh_provider, f"/sms/{UNKNOWN_UUID}", method="DELETE").status_code == 404


def test_a_deletion_shifts_every_later_page(fresh_provider: httpx.Client) -> None:
    def page(number: int) -> list[Row]:
        listed = answer(fresh_provider, "/sms", [("page", str(number)), ("_order[created_at]", "asc")], JSON)
        assert isinstance(listed, list)
        return listed

    first, second = page(1), page(2)
    ask(fresh_provider, f"/sms/{first[0]['uuid']}", method="DELETE")
    assert page(1) == [*first[1:], second[0]]
    assert page(2)[:-1] == second[1:]


def test_batch_delete_deletes_what_its_filters_choose_and_nothing_else(fresh_provider: httpx.Client) -> None:
    before = by_uuid(read_all(fresh_provider, "/sms"))
    created = sorted(m["created_at"] for m in before.values())
    middle = created[len(created) // 2]
    doomed = {u for u, m in before.items() if m["created_at"] < middle and m["dlr_code"] in {1, 8}}
    assert 0 < len(doomed) < len(before)
    params = [("created_at[lt]", str(middle)), ("dlr_code[]", "1"), ("dlr_code[]", "8")]
    assert batch(fresh_provider, DELETE, params) == len(doomed)
    assert by_uuid(read_all(fresh_provider, "/sms")) == {u: m for u, m in before.items() if u not in doomed}
    assert batch(fresh_provider, DELETE, params) == 0


def test_batch_delete_by_uuid_takes_messages_sent_or_not(fresh_provider: httpx.Client) -> None:
    rows = read_all(fresh_provider, "/sms")
    chosen = [next(m["uuid"] for m in rows if m["is_sent"] is sent) for sent in (True, False)]
    assert batch(fresh_provider, DELETE, [("uuid[]", uuid) for uuid in chosen]) == 2
    assert [ask(fresh_provider, f"/sms/{uuid}").status_code for uuid in chosen] == [404, 404]


@pytest.mark.parametrize("path", [DELETE, CANCEL])
def test_a_numbered_list_chooses_as_any_list(fresh_provider: httpx.Client, path: str) -> None:
    """`uuid[0]=a&uuid[1]=b`: what PHP's `http_build_query` sends, and the documentation's samples."""
    before = by_uuid(read_all(fresh_provider, "/sms"))
    chosen = {uuid for uuid, m in before.items() if m["status_code"] == 0}
    assert 2 <= len(chosen) < len(before)
    params = [(f"uuid[{number}]", uuid) for number, uuid in enumerate(sorted(chosen))]
    assert batch(fresh_provider, path, params) == len(chosen)
    after = by_uuid(read_all(fresh_provider, "/sms"))
    assert {uuid for uuid in before if after.get(uuid) != before[uuid]} == chosen


@pytest.mark.parametrize("path", [DELETE, CANCEL])
@pytest.mark.parametrize("field", ["created_at", "gateway_sent_at"])
def test_an_order_changes_nothing_about_what_a_batch_chooses(
    fresh_provider: httpx.Client, path: str, field: str
) -> None:
    before = by_uuid(read_all(fresh_provider, "/sms"))
    chosen = next(uuid for uuid, m in before.items() if m["status_code"] == 0)
    assert batch(fresh_provider, path, [(f"_order[{field}]", "desc"), ("uuid", chosen)]) == 1
    after = by_uuid(read_all(fresh_provider, "/sms"))
    assert {uuid for uuid in before if after.get(uuid) != before[uuid]} == {chosen}


@pytest.mark.parametrize(
    "params",
    [
        [],
        [("text", "")],
        [("uuid[]", "")],
        [("uuid[0]", ""), ("uuid[1]", "")],
        [("_order[created_at]", "asc")],
    ],
    ids=["none", "empty", "empty element", "empty elements", "order alone"],
)
def test_batch_delete_without_a_filter_takes_everything(fresh_provider: httpx.Client, params: Params) -> None:
    """The documentation is silent; the dangerous reading is the default, for clients to guard against."""
    everything = total(fresh_provider, "/sms")
    assert batch(fresh_provider, DELETE, params) == everything
    assert total(fresh_provider, "/sms") == 0
    assert answer(fresh_provider, "/sms", accept=JSON) == []
    assert answer(fresh_provider, "/sms", accept=LD_JSON)["hydra:member"] == []


def test_batch_cancel_stops_what_is_not_sent_and_leaves_the_rest(fresh_provider: httpx.Client) -> None:
    before = by_uuid(read_all(fresh_provider, "/sms"))
    latest = max(m["created_at"] for m in before.values())
    open_ones = {u for u, m in before.items() if m["status_code"] == 0}
    assert open_ones
    assert batch(fresh_provider, CANCEL, [("created_at[lte]", str(latest))]) == len(open_ones)
    after = by_uuid(read_all(fresh_provider, "/sms"))
    assert {u for u, m in after.items() if m != before[u]} == open_ones
    assert {after[u]["status_code"] for u in open_ones} == {6000}
    assert not any(after[u]["is_sent"] for u in open_ones)


def test_batch_cancel_keeps_to_its_filters(fresh_provider: httpx.Client) -> None:
    before = by_uuid(read_all(fresh_provider, "/sms"))
    one, other = [m["uuid"] for m in before.values() if m["status_code"] == 0][:2]
    assert batch(fresh_provider, CANCEL, [("uuid", one)]) == 1
    after = by_uuid(read_all(fresh_provider, "/sms", [("uuid[]", one), ("uuid[]", other)]))
    assert (after[one]["status_code"], after[other]["status_code"]) == (6000, 0)


@pytest.mark.parametrize("path", [DELETE, CANCEL])
def test_filters_in_a_body_are_not_filters_of_a_batch(fresh_provider: httpx.Client, path: str) -> None:
    """Only the query string counts, so a body cannot narrow what its query string chose."""
    rows = read_all(fresh_provider, "/sms", [("status_code", "0")])
    chosen = [m["uuid"] for m in rows[:2]]
    response = fresh_provider.post(
        path, params=[("uuid[]", uuid) for uuid in chosen], json={"uuid": chosen[0]}, headers={"Accept": JSON}
    )
    assert response.status_code in {200} | REFUSED
    if response.status_code == 200:
        assert decoded(response) == {"deleted_sms_count": 2}
