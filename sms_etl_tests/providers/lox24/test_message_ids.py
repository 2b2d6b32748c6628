"""Holds that a batch call names its messages and only them, whichever way one tries to make another."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid1

import pytest

from sms_etl.providers.lox24.client import Request
from sms_etl.providers.lox24.message_ids import MOST_IDS, MessageIds, assert_chooses
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl_tests.providers.lox24.conftest import ConnectWriter
from sms_etl_tests.providers.lox24.server import Provider, Reply

ONE, OTHER = UUID("5ed140c2-fe9c-11f0-82ac-5e4d00000000"), UUID("5ed140c2-fe9c-11f0-82ac-5e4d00000001")
DELETE = "/sms/ops/batch_delete"
NO_IDS: dict[str, Any] = {
    "no list": None,
    "an empty text": "",
    "a text": str(ONE),
    "bytes": ONE.bytes,
    "an empty list": [],
    "an empty tuple": (),
    "an empty set": set(),
    "a list of an empty text": [""],
    "a list of a text": [str(ONE)],
    "a list of blanks": ["   "],
    "a list of none": [None],
    "a list of a list": [[ONE]],
    "one of them empty": [ONE, ""],
    "a mapping": {ONE: True},
    "an empty mapping": {},
    "a filter": {"text": ""},
    "a lone UUID": ONE,
    "a generator": (uuid for uuid in (ONE,)),
    "a number": 1,
    "a yes": True,
    "one twice": [ONE, ONE],
    "too many": [uuid1() for _ in range(MOST_IDS + 1)],
}


@pytest.mark.parametrize("given", NO_IDS.values(), ids=NO_IDS.keys())
def test_what_is_no_set_of_uuids_is_refused_with_words(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="UUID"):
        MessageIds(given)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(TypeError):
        MessageIds()  # type: ignore[call-arg]  # what is tried


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_a_set_of_uuids_makes_exactly_its_filter(kind: Callable[[Any], Any]) -> None:
    ids = MessageIds(kind([ONE, OTHER]))
    assert set(ids.query()) == {("uuid[]", str(ONE)), ("uuid[]", str(OTHER))}
    assert len(ids) == len(ids.query()) == 2


def test_a_list_that_is_emptied_later_leaves_the_ids_as_they_were() -> None:
    given: Any = [ONE]
    ids = MessageIds(given)
    given.clear()
    assert list(ids) == [ONE]


def test_ids_cannot_be_emptied() -> None:
    ids = MessageIds((ONE,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        ids.uuids = ()  # type: ignore[misc]  # what is tried
    with pytest.raises(ValueError, match="at least one"):
        dataclasses.replace(ids, uuids=())
    with pytest.raises(TypeError):
        type("Emptiable", (MessageIds,), {})


def test_a_copy_names_the_same_messages() -> None:
    ids = MessageIds((ONE, OTHER))
    assert copy.copy(ids) == copy.deepcopy(ids) == pickle.loads(pickle.dumps(ids)) == ids  # noqa: S301 - our own


def test_any_number_of_uuids_comes_in_batches_in_order_and_without_doubles() -> None:
    uuids = [UUID(int=number) for number in range(1, 2 * MOST_IDS + 2)]
    batches = list(MessageIds.batches([*uuids, *uuids]))
    assert [len(batch) for batch in batches] == [MOST_IDS, MOST_IDS, 1]
    assert [uuid for batch in batches for uuid in batch] == uuids
    assert [len(batch) for batch in MessageIds.batches(uuids[:5], size=2)] == [2, 2, 1]
    assert [len(batch) for batch in MessageIds.batches(uuids[:2], size=1)] == [1, 1]
    assert list(MessageIds.batches([])) == []


@pytest.mark.parametrize("size", [0, -1, MOST_IDS + 1])
def test_a_batch_of_no_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 50"):
        list(MessageIds.batches([ONE], size=size))


def test_batches_take_no_texts() -> None:
    with pytest.raises(TypeError, match="UUID"):
        list(MessageIds.batches("not uuids"))  # type: ignore[arg-type]  # what is tried


@pytest.mark.parametrize(
    "target",
    [
        DELETE,
        f"{DELETE}?",
        f"{DELETE}?uuid[]=",
        f"{DELETE}?uuid%5B%5D=",
        f"{DELETE}?text=",
        f"{DELETE}?uuid[]={ONE}",
        f"{DELETE}?uuid[]={ONE}&uuid[]=",
        f"{DELETE}?uuid[]={ONE}&uuid[]={ONE}",
        f"{DELETE}?uuid[]={ONE}&uuid[]={UUID(int=7)}",
        f"{DELETE}?uuid[]={ONE}&uuid[]={OTHER}&uuid[]={UUID(int=7)}",
        f"{DELETE}?uuid[]={ONE}&uuid[]={OTHER}&text=",
        f"{DELETE}?uuid[]={ONE}&uuid={OTHER}",
        f"{DELETE}?uuid[]={ONE}&uuid[]=%20",
        f"{DELETE}#?uuid[]={ONE}&uuid[]={OTHER}",
    ],
)
def test_a_target_that_names_other_messages_is_not_to_be_sent(target: str) -> None:
    ids = MessageIds((ONE, OTHER))
    assert_chooses(ids, f"{DELETE}?uuid%5B%5D={ONE}&uuid%5B%5D={OTHER}")
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(ids, target)


def hollow() -> MessageIds:
    """Make ids past their own checks."""
    ids = object.__new__(MessageIds)
    object.__setattr__(ids, "uuids", ())
    return ids


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path", [DELETE, "/sms/ops/batch_cancel", "/SMS/OPS/batch_delete", f"{DELETE}?text="]
)
@pytest.mark.parametrize("ids", [None, hollow(), MessageIds((ONE,))], ids=["none", "hollow", "another query"])
async def test_no_request_reaches_a_batch_call_without_its_messages(
    connect_writer: ConnectWriter, provider: Provider, method: str, path: str, ids: MessageIds | None
) -> None:
    client = await connect_writer()
    with pytest.raises(AssertionError, match="never sent"):
        await client._once(Request(path, (("text", ""),), method=method, ids=ids), 0)
    assert provider.requests == []
    assert client.ledger == []


@pytest.mark.parametrize("path", [DELETE, "/sms/ops/batch_cancel"])
async def test_the_reading_half_cannot_ask_a_batch_call(
    connect_writer: ConnectWriter, provider: Provider, path: str
) -> None:
    client = await connect_writer()
    with pytest.raises(AssertionError, match="never sent"):
        await client.get(path, (), lambda answer: answer)
    assert provider.requests == []


@pytest.mark.parametrize("given", [*NO_IDS.values(), hollow()], ids=[*NO_IDS.keys(), "hollow"])
@pytest.mark.parametrize("call", [Lox24Writer.delete_messages, Lox24Writer.cancel_messages])
async def test_no_call_takes_anything_but_message_ids(
    connect_writer: ConnectWriter, provider: Provider, call: Callable[..., Any], given: Any
) -> None:
    provider.otherwise = Reply(body=b'{"hydra:member": [], "hydra:totalItems": 0}')
    client = await connect_writer()
    with pytest.raises((TypeError, ValueError, AssertionError)):
        await call(client, given)
    assert [request for request in provider.requests if request.method != "GET"] == []


@pytest.mark.parametrize("given", [None, "", str(ONE), "../sms/ops/batch_delete", 1])
@pytest.mark.parametrize(
    "call",
    [
        Lox24Writer.read_message,
        Lox24Writer.delete_message,
        Lox24Writer.read_bulk,
        Lox24Writer.bulk_status,
        Lox24Writer.cancel_bulk,
        Lox24Writer.delete_bulk,
    ],
)
async def test_a_path_takes_nothing_but_a_uuid(
    connect_writer: ConnectWriter, provider: Provider, call: Callable[..., Any], given: Any
) -> None:
    client = await connect_writer()
    with pytest.raises(TypeError, match="UUID"):
        await call(client, given)
    assert provider.requests == []
