"""Holds when a listing by uuid is enough to call a message gone, and when each one is asked for by itself."""

import json
from collections.abc import Sequence
from uuid import UUID

import pytest

from sms_etl.errors import ProviderDiffers
from sms_etl.providers.lox24.client import Answer
from sms_etl.providers.lox24.listed import Listed
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.paging import read_page
from sms_etl_tests.providers.lox24.conftest import ConnectWriter
from sms_etl_tests.providers.lox24.server import Provider, Reply

ONE, TWO, THREE, OTHER = (UUID(int=number) for number in range(1, 5))
IDS = MessageIds((ONE, TWO, THREE))


def row(uuid: UUID) -> dict[str, object]:
    return {"uuid": str(uuid), "created_at": 1755868416}


def page(*uuids: UUID, total: int | None = None) -> Reply:
    counted = {} if total is None else {"hydra:totalItems": total}
    return Reply(body=json.dumps({"hydra:member": [row(uuid) for uuid in uuids], **counted}).encode())


def listed(pages: Sequence[Reply]) -> Listed:
    seen = Listed()
    for each in pages:
        seen.add(read_page(Answer(each.body, "abc", {})), IDS)
    return seen


@pytest.mark.parametrize(
    ("pages", "is_whole"),
    [
        ([], False),
        ([page(ONE, TWO, THREE)], True),
        ([page(ONE, TWO, total=2)], False),
        ([page(ONE, TWO), page()], True),
        ([page(total=0)], True),
        ([page(ONE, total=2), page(TWO, total=2), page(total=2)], True),
        ([page(ONE, total=2), page(TWO, total=9), page(total=9)], True),
        ([page(ONE, total=9), page(TWO, total=2), page(total=2)], False),
        ([page(ONE), page(TWO), page()], False),
        ([page(ONE, total=2), page(ONE, total=2), page(total=2)], False),
        ([page(ONE, OTHER), page()], False),
    ],
)
def test_a_listing_is_whole_if_nothing_can_have_slipped_between_its_pages(
    pages: list[Reply], is_whole: bool
) -> None:
    assert listed(pages).is_whole(IDS) is is_whole


async def test_where_only_one_of_a_list_may_count_the_others_are_asked_for_by_themselves(
    connect_writer: ConnectWriter, provider: Provider
) -> None:
    single = Reply(body=json.dumps(row(TWO)).encode())
    provider.replies.extend([page(ONE), page(), single, Reply(404)])
    assert list(await (await connect_writer()).read_messages(IDS)) == [ONE, TWO]
    assert len(provider.requests) == 4


async def test_once_a_list_has_shown_two_it_is_believed(
    connect_writer: ConnectWriter, provider: Provider
) -> None:
    client = await connect_writer()
    provider.replies.extend([page(ONE, TWO, THREE), page(ONE), page(), page()])
    assert list(await client.read_messages(IDS)) == [ONE, TWO, THREE]
    assert list(await client.read_messages(IDS)) == [ONE]
    assert await client.read_messages(IDS) == {}
    assert len(provider.requests) == 4


async def test_nothing_is_deleted_where_a_listing_by_uuid_never_ends(
    connect_writer: ConnectWriter, provider: Provider
) -> None:
    provider.otherwise = page(ONE)
    with pytest.raises(ProviderDiffers, match="uuid"):
        await (await connect_writer()).delete_messages(IDS)
    assert {request.method for request in provider.requests} == {"GET"}
    assert len(provider.requests) <= len(IDS) + 1
