"""The benchmark's server answers as the provider's reference says, or refuses."""

from typing import Any

import httpx
import pytest

from benchmarks.page_server import PageServer
from benchmarks.traffic import may_be_open
from sms_etl.providers.lox24.records import SmsRow
from sms_etl_tests.benchmarks.conftest import FIRST, LATER, VISIBLE

ASCENDING = "_order[created_at]=asc"


async def listing(client: httpx.AsyncClient, query: str) -> dict[str, Any]:
    answer = await client.get(f"/sms?{query}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


async def all_rows(client: httpx.AsyncClient, query: str = ASCENDING) -> list[dict[str, Any]]:
    rows, page = [], await listing(client, query)
    rows += page["hydra:member"]
    while following := page["hydra:view"].get("hydra:next"):
        page = (await client.get(following)).json()
        rows += page["hydra:member"]
    return rows


async def test_following_the_next_page_gives_each_message_once_oldest_first(
    client: httpx.AsyncClient,
) -> None:
    rows = await all_rows(client)
    assert len({row["uuid"] for row in rows}) == len(rows) == VISIBLE
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)


async def test_every_page_tells_the_same_total_and_the_one_behind_the_last_is_empty(
    client: httpx.AsyncClient,
) -> None:
    pages = [await listing(client, f"{ASCENDING}&page={number}") for number in (1, 14, 15)]
    assert [page["hydra:totalItems"] for page in pages] == [VISIBLE] * 3
    assert [len(page["hydra:member"]) for page in pages] == [30, 10, 0]


async def test_a_window_is_closed_at_both_ends(client: httpx.AsyncClient) -> None:
    times = [row["created_at"] for row in await all_rows(client)]
    since, until = times[50], times[90]
    query = f"{ASCENDING}&created_at[gte]={since}&created_at[lte]={until}"
    assert [row["created_at"] for row in await all_rows(client, query)] == times[50:91]


async def test_a_message_has_the_fields_of_the_reference(client: httpx.AsyncClient) -> None:
    row = (await listing(client, ASCENDING))["hydra:member"][0]
    assert row.keys() == {*SmsRow.__struct_fields__, "requests", "clicks", "@id", "@type"}
    assert row["@id"] == f"/sms/{row['uuid']}"


async def test_uuids_give_these_messages_and_no_others(client: httpx.AsyncClient) -> None:
    rows = await all_rows(client)
    asked = [rows[index] for index in (3, 200, 399)]
    query = "&".join(f"uuid[]={row['uuid']}" for row in asked)
    unknown = "00000000-0000-11ef-8000-000000000000"
    found = await listing(client, f"{query}&uuid[]={unknown}&{ASCENDING}")
    assert found["hydra:member"] == asked
    assert found["hydra:totalItems"] == 3


async def test_more_uuids_than_a_page_holds_are_paged(client: httpx.AsyncClient) -> None:
    rows = (await all_rows(client))[:50]
    query = "&".join(f"uuid[]={row['uuid']}" for row in rows)
    assert await all_rows(client, f"{query}&{ASCENDING}") == rows


async def test_a_message_has_its_own_address_and_one_that_is_not_there_yet_is_a_404(
    client: httpx.AsyncClient, pages: PageServer
) -> None:
    row = (await listing(client, ASCENDING))["hydra:member"][7]
    assert (await client.get(f"/sms/{row['uuid']}")).json() == row
    pages.advance(1)
    newest = (await all_rows(client))[-1]["uuid"]
    pages.visible -= 1
    assert (await client.get(f"/sms/{newest}")).status_code == 404


@pytest.mark.parametrize(
    "target", ["/sms?phone=49", "/sms?_order[created_at]=desc", "/sms?created_at[gte]=soon", "/elsewhere"]
)
async def test_what_it_does_not_know_it_refuses(client: httpx.AsyncClient, target: str) -> None:
    assert (await client.get(target)).status_code == 400


async def test_the_account_has_a_currency_and_no_bulks(client: httpx.AsyncClient) -> None:
    assert (await client.get("/me")).json()["currency"] == "EUR"
    bulks = (await client.get("/bulks?page=1&_order[processed_at]=asc&processed_at[gte]=0")).json()
    assert (bulks["hydra:member"], bulks["hydra:totalItems"]) == ([], 0)


async def test_two_in_five_await_their_report_until_time_passes(client: httpx.AsyncClient) -> None:
    final = await all_rows(client)
    told = (await client.post("/_bench/set?open=1")).json()
    is_open = [row["dlr_code"] == 0 for row in await all_rows(client)]
    assert is_open == [may_be_open(FIRST + index) for index in range(VISIBLE)]
    assert told["open"] == sum(is_open) == VISIBLE * 2 // 5
    await client.post(f"/_bench/advance?new={LATER}")
    after = await all_rows(client)
    assert after[:VISIBLE] == final
    assert sum(row["dlr_code"] == 0 for row in after) == LATER * 2 // 5


async def test_one_report_can_be_held_back_while_new_messages_come(client: httpx.AsyncClient) -> None:
    await client.post("/_bench/hold?back=100")
    await client.post("/_bench/advance?new=50&keep=1")
    rows = await all_rows(client)
    assert [index for index, row in enumerate(rows) if row["dlr_code"] == 0] == [VISIBLE - 101]
    await client.post("/_bench/advance?new=0")
    assert all(row["dlr_code"] for row in await all_rows(client))


async def test_it_counts_what_it_was_asked_by_kind(client: httpx.AsyncClient) -> None:
    uuid = (await listing(client, ASCENDING))["hydra:member"][0]["uuid"]
    for target in ("/me", "/bulks", f"/sms/{uuid}", f"/sms?uuid[]={uuid}", "/sms?ip=1"):
        await client.get(target)
    asked = (await client.post("/_bench/asked")).json()["asked"]
    assert asked == {"page": 1, "me": 1, "bulks": 1, "single": 1, "uuids": 1, "refused": 1}
    assert (await client.post("/_bench/asked")).json()["asked"] == {}


async def test_the_page_size_can_be_set(client: httpx.AsyncClient) -> None:
    await client.post("/_bench/set?page_size=100&latency_ms=1&visible=250")
    sizes = [len((await listing(client, f"{ASCENDING}&page={page}"))["hydra:member"]) for page in (1, 2, 3)]
    assert sizes == [100, 100, 50]
