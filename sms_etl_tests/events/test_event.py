"""What is kept of an event, and what is none."""

import json
from typing import Any

import pytest

from sms_etl.events.event import (
    KeptEvent,
    NotAnEventError,
    NotJsonError,
    as_line,
    read_event,
    read_line,
)
from sms_etl_tests.events.conftest import AT, event, message

PERSONAL = "+491701234567"


def read(body: object) -> KeptEvent | None:
    return read_event(body if isinstance(body, bytes) else json.dumps(body).encode(), 7)


def test_message_state_and_moment_are_kept_and_nothing_else() -> None:
    kept = read({**event(dlr_code=8), "ip": "203.0.113.7", "attempts_total": 4})
    assert kept is not None
    assert (kept.uuid, kept.at, kept.dlr, kept.status, kept.received) == (message("a"), AT, 8, 100, 7)
    line = as_line(kept)
    assert line.count(b"\n") == 1
    assert b"order" not in line
    assert b"203.0.113.7" not in line
    assert read_line(line.strip()) == kept


def test_the_status_may_be_missing() -> None:
    body = event()
    del body["data"]["status_code"]
    kept = read(body)
    assert kept is not None
    assert kept.status is None


def test_an_id_of_any_kind_gives_one_key_and_is_not_kept() -> None:
    keys = set()
    for event_id in (7, "7", "evt_7", PERSONAL):
        kept = read({**event(), "id": event_id})
        assert kept == read({**event(), "id": event_id})
        assert kept is not None
        assert PERSONAL.encode() not in as_line(kept)
        keys.add(kept.id)
    assert len(keys) == 3, "7 is 7, as a number or a text"


def test_an_event_of_another_kind_is_not_kept() -> None:
    assert read({"name": "sms.incoming", "data": [PERSONAL]}) is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"dlr_code=1", b'{"name": "\xff"}', b'{"deep": ' + b"[" * 60_000]
)
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        read(body)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": 5}, "`$.name`"),
        ({"name": PERSONAL * 20}, "`$.name`"),
        ({"id": None}, "`id`"),
        ({"id": [PERSONAL]}, "`$.id`"),
        ({"created_at": PERSONAL}, "`$.created_at`"),
        ({"created_at": 0}, "`$.created_at`"),
        ({"created_at": 10**15}, "`$.created_at`"),
        ({"created_at": 1.5}, "`$.created_at`"),
        ({"data": PERSONAL}, "`$.data`"),
        ({"data": None}, "`$.data`"),
        ({"data": {"id": PERSONAL, "dlr_code": 1}}, "`$.data.id`"),
        ({"data": {"dlr_code": 1}}, "`id`"),
        ({"data": {"id": str(message("a"))}}, "`dlr_code`"),
        ({"data": {"id": str(message("a")), "dlr_code": PERSONAL}}, "`$.data.dlr_code`"),
        ({"data": {"id": str(message("a")), "dlr_code": 10**12}}, "`$.data.dlr_code`"),
        ({"data": {"id": str(message("a")), "dlr_code": 1, "status_code": "x"}}, "`$.data.status_code`"),
    ],
)
def test_what_is_no_event_is_refused_by_the_name_of_the_field_without_its_value(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(NotAnEventError) as refused:
        read({**event(), **change})
    assert field in str(refused.value)
    assert PERSONAL not in str(refused.value)


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"sms.delivery"', b"{}"])
def test_json_that_is_no_object_with_a_name_is_no_event(body: bytes) -> None:
    with pytest.raises(NotAnEventError):
        read(body)


@pytest.mark.parametrize("line", [b"", b"\0" * 80, b"{}", b'{"id": 1', b"\xff", b"[" * 60_000])
def test_a_damaged_line_is_no_event(line: bytes) -> None:
    assert read_line(line) is None
