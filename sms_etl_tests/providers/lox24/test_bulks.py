"""Holds what a bulk may be made of, what is sent of it, and how what the provider says of it is read."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sms_etl.errors import BadAnswer, NotABulk
from sms_etl.providers.lox24.bulk_search import SearchResult, Sought, search_result
from sms_etl.providers.lox24.bulks import (
    LONGEST_TEXT,
    VOICE_LANGS,
    Bulk,
    BulkCode,
    BulkRequest,
    is_e164,
    read_bulk,
    read_status,
)
from sms_etl.providers.lox24.client import Answer

PHONES = ("+491701234567", "+41791234567")
ASKED: dict[str, Any] = {"sender_id": "My Shop 24", "text": "Hello", "phones": PHONES}
SHOWN: dict[str, Any] = {
    "uuid": "5ED140C2-fe9c-11f0-82ac-5e4d00000000",
    "ip": "139.59.136.251",
    "service_code": "direct",
    "sender_id": "My Shop 24",
    "text": "Hello",
    "phones": list(PHONES),
    "msg_groups": None,
    "status_code": 10,
    "created_at": 1755868416,
    "delivery_at": 0,
    "processed_at": 1755868420,
    "msg_total_count": 2,
    "msg_total_cost": 0.1,
    "is_unicode": None,
    "is_dryrun": False,
    "is_text_deleted": False,
    "key_id": 8291,
    "source": 0,
    "voice_lang": None,
}
"""As the reference shows one."""


def answer(body: bytes) -> Answer:
    return Answer(body, "abc", {})


def shown(**changes: Any) -> Bulk:
    return read_bulk(answer(json.dumps({**SHOWN, **changes}).encode()))


def test_a_bulk_is_sent_with_what_was_given_and_nothing_else() -> None:
    assert json.loads(BulkRequest(**ASKED).body()) == {**ASKED, "phones": list(PHONES)}
    later = datetime(2026, 3, 1, 12, tzinfo=UTC)
    full = {**ASKED, "service_code": "pro", "is_unicode": False, "source": 0, "voice_lang": "DE"}
    sent = json.loads(BulkRequest(**full, delivery_at=later).body())
    assert sent == {**full, "phones": list(PHONES), "delivery_at": 1772366400}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sender_id": ""}, "sender"),
        ({"sender_id": "   "}, "sender"),
        ({"sender_id": "Twelve chars"}, "sender"),
        ({"sender_id": "Müller"}, "sender"),
        ({"sender_id": "+0155512345"}, "sender"),
        ({"sender_id": "1234567890123456"}, "sender"),
        ({"sender_id": "+١٢٣"}, "sender"),
        ({"sender_id": "Shop\n"}, "sender"),
        ({"sender_id": None}, "sender"),
        ({"text": ""}, "no text"),
        ({"text": " \n"}, "no text"),
        ({"text": None}, "no text"),
        ({"text": "a" * (LONGEST_TEXT + 1)}, "1786 characters"),
        ({"text": "Hello \ud83d"}, "half a character"),
        ({"phones": ()}, "nobody"),
        ({"phones": None}, "nobody"),
        ({"phones": "+491701234567"}, "nobody"),
        ({"phones": list(PHONES)}, "nobody"),
        ({"phones": (*PHONES, "01701234567")}, "Row 3"),
        ({"phones": (*PHONES, "00491701234567")}, "Row 3"),
        ({"phones": ("+49 170 1234567", *PHONES)}, "Row 1"),
        ({"phones": ("+4917",)}, "Row 1"),
        ({"phones": ("+15551234",)}, "Row 1"),
        ({"phones": ("+999701234567",)}, "Row 1"),
        ({"phones": ("",)}, "Row 1"),
        ({"phones": (491701234567,)}, "Row 1"),
        ({"phones": (*PHONES, PHONES[0])}, "Row 3 is the number of row 1"),
        ({"service_code": "carrier pigeon"}, "service"),
        ({"service_code": ""}, "service"),
        ({"delivery_at": datetime(2026, 3, 1)}, "time zone"),
        ({"voice_lang": "de"}, "language"),
        ({"voice_lang": ""}, "language"),
    ],
)
def test_what_the_provider_would_refuse_is_refused_without_quoting_it(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotABulk, match=said) as caught:
        BulkRequest(**{**ASKED, **changes})
    assert caught.value.hint
    assert not any(digits in caught.value.message for digits in ("170123", "791234"))


@pytest.mark.parametrize("sender", ["+14155550100", "4915555000001", "12345", "0155", "My Shop 24", "A"])
def test_a_sender_is_a_number_or_a_short_name(sender: str) -> None:
    assert BulkRequest(**{**ASKED, "sender_id": sender}).sender_id == sender


def test_the_longest_text_and_each_language_are_taken() -> None:
    assert BulkRequest(**{**ASKED, "text": "ä" * LONGEST_TEXT}).text
    for lang in VOICE_LANGS:
        assert BulkRequest(**ASKED, service_code="text2speech", voice_lang=lang).voice_lang == lang
    assert len(VOICE_LANGS) == 20


@pytest.mark.parametrize(
    ("phone", "is_one"), [("+491701234567", True), ("+14155550100", True), ("+49", False), (None, False)]
)
def test_a_number_has_a_length_that_its_country_has(phone: object, is_one: bool) -> None:
    assert is_e164(phone) is is_one


def test_neither_a_request_nor_a_bulk_shows_what_is_personal() -> None:
    request = BulkRequest(**{**ASKED, "sender_id": "+4930123456"})
    sought = Sought("+4930123456", "Hello", 2, PHONES)
    for text in (repr(request), repr(shown(sender_id="+4930123456")), repr(sought)):
        assert not any(personal in text for personal in ("30123456", "Hello", "1701234567"))


def test_a_bulk_is_read_as_documented() -> None:
    bulk = shown()
    assert bulk.uuid == UUID("5ed140c2-fe9c-11f0-82ac-5e4d00000000")
    assert (bulk.sender_id, bulk.text, bulk.phones, bulk.msg_groups) == ("My Shop 24", "Hello", PHONES, None)
    status = bulk.status
    assert (status.created_at, status.delivery_at) == (datetime(2025, 8, 22, 13, 13, 36), None)
    assert (status.status_code, status.msg_total_count, status.is_open) == (10, 2, False)
    assert shown(status_code=5).status.is_open
    assert shown(status_code=77, msg_groups=[7], phones=None).msg_groups == (7,)


def test_the_states_of_a_bulk_have_the_documented_codes() -> None:
    assert [code.value for code in BulkCode] == [0, 5, 10, 15, 20, 201]
    assert [code.value for code in BulkCode if shown(status_code=code).status.is_open] == [0, 5]


@pytest.mark.parametrize(
    ("written", "cost"),
    [("0.1", "0.1"), ("123456789012.345678", "123456789012.345678"), ("5", "5"), ("null", None)],
)
def test_the_cost_of_a_bulk_is_the_digits_of_its_answer(written: str, cost: str | None) -> None:
    body = json.dumps(SHOWN).replace('"msg_total_cost": 0.1', f'"msg_total_cost": {written}')
    read = read_status(answer(body.encode())).msg_total_cost
    assert read == (None if cost is None else Decimal(cost))
    assert not isinstance(read, float)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        json.dumps({**SHOWN, "uuid": "x"}).encode(),
        json.dumps({**SHOWN, "uuid": None}).encode(),
        json.dumps({**SHOWN, "created_at": "today"}).encode(),
        json.dumps({**SHOWN, "msg_total_cost": -1}).encode(),
        json.dumps({**SHOWN, "text": "your pin is 1234", "phones": "x"}).encode(),
    ],
)
def test_what_is_no_bulk_is_a_bad_answer_that_quotes_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="not a bulk") as caught:
        read_bulk(answer(body))
    assert (caught.value.request_id, "your pin" in str(caught.value)) == ("abc", False)


SOUGHT = Sought("My Shop 24", "Hello", 2, PHONES)
COUNTED = Sought("My Shop 24", "Hello", 2)


@pytest.mark.parametrize(
    ("sought", "bulks", "result"),
    [
        (SOUGHT, [], SearchResult.NONE),
        (SOUGHT, [shown()], SearchResult.FOUND),
        (SOUGHT, [shown(phones=list(PHONES[::-1]))], SearchResult.FOUND),
        (SOUGHT, [shown(), shown(text="Hello!")], SearchResult.FOUND),
        (SOUGHT, [shown(), shown()], SearchResult.SEVERAL),
        (SOUGHT, [shown(text="", is_text_deleted=True)], SearchResult.SEVERAL),
        (SOUGHT, [shown(), shown(text="", is_text_deleted=True)], SearchResult.SEVERAL),
        (SOUGHT, [shown(text="", is_text_deleted=None)], SearchResult.SEVERAL),
        (SOUGHT, [shown(text="***", is_text_deleted=True)], SearchResult.SEVERAL),
        (SOUGHT, [shown(phones=None)], SearchResult.SEVERAL),
        (SOUGHT, [shown(phones=["491701234567", "41791234567"])], SearchResult.FOUND),
        (SOUGHT, [shown(phones=["+491701234567"])], SearchResult.SEVERAL),
        (SOUGHT, [shown(phones=[])], SearchResult.SEVERAL),
        (SOUGHT, [shown(phones=["+491701234568", "+41791234568"])], SearchResult.NONE),
        (SOUGHT, [shown(phones=None, msg_groups=[7116])], SearchResult.NONE),
        (SOUGHT, [shown(sender_id="Other")], SearchResult.NONE),
        (SOUGHT, [shown(sender_id=None)], SearchResult.NONE),
        (SOUGHT, [shown(text="Hello!")], SearchResult.NONE),
        (SOUGHT, [shown(is_dryrun=True)], SearchResult.NONE),
        (COUNTED, [shown(phones=["+491701234567", "+41791234568"])], SearchResult.FOUND),
        (COUNTED, [shown(phones=["+491701234567"])], SearchResult.SEVERAL),
        (COUNTED, [shown(phones=[*PHONES, "+491701234568"])], SearchResult.NONE),
        (Sought("+4930123", "a\nb", 2), [shown(sender_id="4930123", text="a\r\nb")], SearchResult.FOUND),
    ],
)
def test_a_bulk_is_found_only_if_it_is_the_only_one_that_it_can_be(
    sought: Sought, bulks: list[Bulk], result: SearchResult
) -> None:
    found = search_result([(bulk, sought.likeness(bulk)) for bulk in bulks])
    assert found.result is result
    assert bool(found.bulks) is (result is not SearchResult.NONE)
