"""Holds that no deletion can be made, in any way, that does not name its messages."""

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from sms_etl.providers.twosms.criteria import (
    MOST_IDS,
    ByDestination,
    ByMessageIds,
    assert_chooses,
    body_of,
)

ID = UUID("2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11")
OTHER = UUID("0b0ac5c4-66a1-4b2c-8d0e-3d4f5a6b7c8d")
NUMBER = "+4915112345678"
START, FINISH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
BY_IDS, BY_DESTINATION = ByMessageIds(ID), ByDestination(NUMBER, START, FINISH)
make_anything: Callable[..., Any] = ByMessageIds
place_anything: Callable[..., Any] = ByDestination
write_anything: Callable[..., bytes] = body_of


def body(criteria: object, **changes: object) -> dict[str, Any]:
    arguments: dict[str, object] = {"contents": True, "notify_recipients": False, "reason": None}
    written: dict[str, Any] = json.loads(write_anything(criteria, **(arguments | changes)))
    return written


def test_ids_are_all_that_is_said_of_messages_that_have_ids() -> None:
    assert body(BY_IDS) == {"MessageIDs": [str(ID)], "Delete": True}


def test_a_destination_is_said_with_its_span_and_with_the_one_type_that_is_known() -> None:
    assert body(BY_DESTINATION, contents=False) == {
        "Destination": NUMBER,
        "StartDate": "2026-01-01T00:00:00Z",
        "FinishDate": "2026-02-01T00:00:00Z",
        "Type": 0,
        "Delete": False,
    }


def test_recipients_and_a_reason_are_mentioned_only_if_asked_for() -> None:
    told = body(BY_IDS, notify_recipients=True, reason="retention")
    assert (told["NotifyRecipients"], told["Reason"]) == (True, "retention")
    assert not {"NotifyRecipients", "Reason"} & set(body(BY_IDS))
    assert body(BY_IDS, reason="a" * 200)["Reason"] == "a" * 200


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (None,),
        ("",),
        ("  ",),
        (str(ID),),
        ([],),
        ([ID],),
        ([""],),
        ({},),
        ({"MessageIDs": []},),
        (0,),
        (b"",),
        (ID, None),
        (ID, ""),
        (ID, str(ID)),
        (True,),
    ],
    ids=repr,
)
def test_ids_that_are_no_uuids_are_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        make_anything(*arguments)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([UUID(int=0)], "zeros"),
        ([ID, UUID(int=0)], "zeros"),
        ([ID, ID], "twice"),
        ([uuid4() for _ in range(MOST_IDS + 1)], "at most 50"),
    ],
    ids=["zeros", "zeros behind", "twice", "too many"],
)
def test_ids_that_cannot_be_right_are_refused(ids: list[UUID], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ByMessageIds(*ids)


def test_any_number_of_ids_comes_in_batches_without_doubles_and_none_in_no_batch() -> None:
    ids = [uuid4() for _ in range(101)]
    batches = list(ByMessageIds.batches([*ids, ids[0]]))
    assert [len(each) for each in batches] == [50, 50, 1]
    assert [one for each in batches for one in each.ids] == ids
    assert [len(each) for each in ByMessageIds.batches(ids[:2], 1)] == [1, 1]
    assert list(ByMessageIds.batches([])) == []
    with pytest.raises(ValueError, match="1 to 50"):
        list(ByMessageIds.batches(ids, 0))


@pytest.mark.parametrize("destination", [None, [], [""], {}, 4915112345678, b"+4915112345678", True])
def test_a_destination_that_is_no_text_is_refused(destination: object) -> None:
    with pytest.raises(TypeError):
        place_anything(destination, START, FINISH)


NOT_E164 = (
    *("", " ", "+", "%", "*", "+49", "+0151123456", "+49151%"),
    *("4915112345678", "004915112345678", "+4915112345678\n", " +4915112345678", "+49 151 12345678"),
    *("+4915112345678901", "+４９15112345678", "+49151١٢٣٤٥٦٧"),
)


@pytest.mark.parametrize("destination", NOT_E164, ids=repr)
def test_a_destination_that_is_not_in_e164_is_refused_and_not_quoted(destination: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164") as caught:
        ByDestination(destination, START, FINISH)
    assert "151" not in str(caught.value)


NAIVE = datetime(2026, 1, 1)
EXTREME = datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("start", "finish", "error"),
    [
        (None, FINISH, TypeError),
        (START, None, TypeError),
        ("", FINISH, TypeError),
        (START, "2026-02-01T00:00:00Z", TypeError),
        (START, date(2026, 2, 1), TypeError),
        (NAIVE, FINISH, ValueError),
        (START, NAIVE, ValueError),
        (START, START, ValueError),
        (FINISH, START, ValueError),
        (START, START + timedelta(microseconds=999_999), ValueError),
        (EXTREME, FINISH, ValueError),
        (datetime.max.replace(tzinfo=UTC), FINISH, ValueError),
    ],
    ids=repr,
)
def test_a_span_that_is_none_is_refused(start: object, finish: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        place_anything(NUMBER, start, finish)


def test_dates_are_utc_in_whole_seconds_and_never_take_more_than_was_asked_for() -> None:
    berlin = timezone(timedelta(hours=1))
    span = ByDestination(
        NUMBER,
        datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=berlin),
        datetime(2026, 1, 1, 0, 0, 5, 999_999, tzinfo=berlin),
    )
    written = body(span)
    assert (written["StartDate"], written["FinishDate"]) == ("2025-12-31T23:00:01Z", "2025-12-31T23:00:05Z")
    early = body(ByDestination(NUMBER, datetime(1, 1, 1, tzinfo=UTC), FINISH))
    assert early["StartDate"] == "0001-01-01T00:00:00Z"


def test_a_number_is_not_shown() -> None:
    assert NUMBER not in repr(BY_DESTINATION)


@pytest.mark.parametrize(
    "criteria",
    [
        None,
        "",
        " ",
        [],
        [""],
        (),
        {},
        {"MessageIDs": [str(ID)]},
        {"Destination": NUMBER},
        ID,
        [ID],
        NUMBER,
        0,
        True,
    ],
    ids=repr,
)
def test_nothing_but_the_two_kinds_of_criteria_is_written(criteria: object) -> None:
    with pytest.raises(TypeError, match="give ByMessageIds or ByDestination"):
        body(criteria)


@pytest.mark.parametrize("kind", [ByMessageIds, ByDestination])
def test_there_is_no_third_kind(kind: Any) -> None:
    with pytest.raises(TypeError, match="no subclasses"):
        type("Empty", (kind,), {})


@pytest.mark.parametrize("criteria", [BY_IDS, BY_DESTINATION], ids=["ids", "destination"])
def test_criteria_cannot_be_emptied(criteria: Any) -> None:
    for name in criteria.__slots__:
        with pytest.raises(AttributeError):
            setattr(criteria, name, None)
    with pytest.raises((AttributeError, TypeError)):
        criteria.another = 1
    assert copy.deepcopy(criteria) == pickle.loads(pickle.dumps(criteria)) == criteria  # noqa: S301 - our own


@pytest.mark.parametrize("value", [None, 1, "yes", "", []])
def test_whether_contents_go_is_said_outright(value: object) -> None:
    with pytest.raises(TypeError):
        body(BY_IDS, contents=value)
    with pytest.raises(TypeError):
        body(BY_IDS, notify_recipients=value)
    with pytest.raises(TypeError):
        write_anything(BY_IDS, notify_recipients=False, reason=None)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "a" * 201])
def test_a_reason_that_says_nothing_or_too_much_is_refused(reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        body(BY_IDS, reason=reason)


RIGHT_IDS = {"MessageIDs": [str(ID)], "Delete": True}
RIGHT_DESTINATION = {
    "Destination": NUMBER,
    "StartDate": "2026-01-01T00:00:00Z",
    "FinishDate": "2026-02-01T00:00:00Z",
    "Type": 0,
    "Delete": True,
}


def test_a_body_that_names_its_messages_may_go_out() -> None:
    assert_chooses(BY_IDS, json.dumps(RIGHT_IDS).encode())
    assert_chooses(BY_DESTINATION, json.dumps(RIGHT_DESTINATION).encode())


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [],
        None,
        "",
        {"Delete": True},
        {"MessageIDs": None},
        {"MessageIDs": []},
        {"MessageIDs": [""]},
        {"MessageIDs": [" "]},
        {"MessageIDs": [None]},
        {"MessageIDs": {}},
        {"MessageIDs": str(ID)},
        {"MessageIDs": [str(UUID(int=0))]},
        {"MessageIDs": [str(OTHER)]},
        {"MessageIDs": [str(ID), str(OTHER)]},
        {**RIGHT_IDS, "Range": 0},
        {**RIGHT_IDS, "Range": 3},
        {**RIGHT_IDS, "Type": 1},
        {**RIGHT_IDS, "Destination": NUMBER},
        RIGHT_DESTINATION,
    ],
    ids=repr,
)
def test_a_body_that_names_other_messages_than_its_ids_is_never_sent(sent: object) -> None:
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(BY_IDS, json.dumps(sent).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"Destination": ""},
        {"Destination": " "},
        {"Destination": "+4915112345679"},
        {"StartDate": ""},
        {"FinishDate": "2025-02-01T00:00:00Z"},
        {"FinishDate": "2026-01-01T00:00:00Z"},
        {"FinishDate": "2026-02-01"},
        {"Type": 1},
        {"Range": 0},
        {"MessageIDs": []},
    ],
    ids=repr,
)
def test_a_body_that_names_another_span_than_its_destination_is_never_sent(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(BY_DESTINATION, json.dumps({**RIGHT_DESTINATION, **change}).encode())


@pytest.mark.parametrize("missing", ["Destination", "StartDate", "FinishDate", "Type"])
def test_a_body_that_lacks_a_criterion_is_never_sent(missing: str) -> None:
    sent = {name: value for name, value in RIGHT_DESTINATION.items() if name != missing}
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(BY_DESTINATION, json.dumps(sent).encode())


def test_criteria_that_were_emptied_by_force_are_never_sent() -> None:
    forced = ByMessageIds(ID)
    object.__setattr__(forced, "ids", ())
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(forced, json.dumps(body(forced)).encode())
    blank: Any = ByMessageIds.__new__(ByMessageIds)
    with pytest.raises(AttributeError):
        body(blank)
    placed = ByDestination(NUMBER, START, FINISH)
    object.__setattr__(placed, "destination", "")
    with pytest.raises(AssertionError, match="never sent"):
        assert_chooses(placed, json.dumps(body(placed)).encode())
