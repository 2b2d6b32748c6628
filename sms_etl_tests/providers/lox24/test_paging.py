"""Holds the queries that ask for pages, and the reading of hydra listings."""

import json

import msgspec
import pytest

from sms_etl.errors import BadAnswer
from sms_etl.providers.lox24.client import Answer
from sms_etl.providers.lox24.paging import Page, read_page, read_row, uuids_query, window_query
from sms_etl.providers.lox24.records import BadRowError, read_sms
from sms_etl_tests.providers.lox24.rows import HIDDEN


def answer(body: bytes) -> Answer:
    return Answer(body, "abc", {})


def listing(more: bytes = b"") -> bytes:
    return b'{"@id": "/sms", "hydra:member": [{"a": 1.10}, 2], "hydra:totalItems": 31' + more + b"}"


def test_a_window_is_asked_for_closed_at_both_ends_and_oldest_first() -> None:
    assert list(window_query("created_at", 10, 20, 3)) == [
        ("created_at[gte]", "10"),
        ("created_at[lte]", "20"),
        ("_order[created_at]", "asc"),
        ("page", "3"),
    ]


def test_a_window_may_run_over_another_time() -> None:
    names = [name for name, _ in window_query("processed_at", 1, 2, 1)]
    assert names == ["processed_at[gte]", "processed_at[lte]", "_order[processed_at]", "page"]


def test_messages_are_asked_for_by_uuid_in_the_order_given() -> None:
    assert list(uuids_query(["b", "a"], 2)) == [
        ("uuid[]", "b"),
        ("uuid[]", "a"),
        ("_order[created_at]", "asc"),
        ("page", "2"),
    ]


def test_to_ask_for_no_uuid_is_refused_since_it_would_ask_for_every_message() -> None:
    with pytest.raises(ValueError, match="everything"):
        uuids_query([], 1)


def test_the_rows_of_a_page_stay_the_bytes_the_provider_sent() -> None:
    page = read_page(answer(listing()))
    assert [bytes(row) for row in page.rows] == [b'{"a": 1.10}', b"2"]
    assert page.total == 31


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_none_spoils_only_its_own_row(constant: bytes) -> None:
    rows = b'{"price": ' + constant + b', "uuid": "a"}, {"price": 0.10, "n": 12345678901234567890}'
    page = read_page(answer(b'{"hydra:member": [' + rows + b'], "hydra:totalItems": 2}'))
    bad, good = page.rows
    with pytest.raises(BadRowError, match=r"Not JSON - at `\$\.price`"):
        read_sms(bad, HIDDEN)
    assert (page.keys[0].uuid, bytes(good)) == ("a", b'{"price": 0.10, "n": 12345678901234567890}')


@pytest.mark.parametrize("total", [b'"31"', b"-1", b"31.5", b"1180591620717411303424", b"[31]", b"007"])
def test_a_total_that_is_no_number_of_rows_is_none(total: bytes) -> None:
    page = read_page(answer(b'{"hydra:member": [1], "hydra:totalItems": ' + total + b"}"))
    assert (len(page.rows), page.total) == (1, None)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\uDE00 cut", "\ufffd cut"),
        (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
        (rb"\\\ud83d", "\\\ufffd"),
        (rb"C:\\ud83d \ud83d", "C:\\ud83d \ufffd"),
    ],
)
def test_half_a_character_does_not_spoil_its_page(sent: bytes, read: str) -> None:
    page = read_page(answer(b'{"hydra:member": [{"text": "' + sent + b'"}, {}], "hydra:totalItems": 2}'))
    assert [json.loads(bytes(row)) for row in page.rows] == [{"text": read}, {}]


def test_a_row_that_is_not_utf8_does_not_spoil_its_page() -> None:
    page = read_page(answer(b'{"hydra:member": [{"a": "\xff"}, {}], "hydra:totalItems": 2}'))
    assert [bytes(row) for row in page.rows] == [b'{"a": "\xff"}', b"{}"]


@pytest.mark.parametrize("row", [b"NaN}", b"[" * 100_000, b'"personal'])
def test_a_page_that_is_no_json_is_refused_without_quoting_it(row: bytes) -> None:
    with pytest.raises(BadAnswer, match="abc") as caught:
        read_page(answer(b'{"hydra:member": [' + row + b'], "hydra:totalItems": 1}'))
    assert "personal" not in str(caught.value)


def test_rows_are_not_copied_into_python_objects() -> None:
    assert all(isinstance(row, msgspec.Raw) for row in read_page(answer(listing())).rows)


def test_a_listing_may_leave_the_prefix_of_its_keys_out() -> None:
    page = read_page(
        answer(b'{"member": [{"uuid": "a"}], "totalItems": 31, "view": {"next": "/sms?page=2"}}')
    )
    assert (page.keys[0].uuid, page.total, page.has_next, page.has_prefix) == ("a", 31, True, False)


@pytest.mark.parametrize(
    ("more", "has_next"),
    [
        (b', "hydra:view": {"@id": "/sms?page=1", "hydra:next": "/sms?page=2"}', True),
        (b', "hydra:view": {"@id": "/sms?page=2", "hydra:previous": "/sms?page=1"}', False),
        (b', "hydra:view": {"@id": "next"}', False),
        (b"", False),
    ],
)
def test_a_page_that_links_to_a_next_one_says_so(more: bytes, has_next: bool) -> None:
    assert read_page(answer(listing(more))).has_next is has_next


def test_a_page_that_was_read_whole_is_not_cut() -> None:
    assert read_page(answer(listing())).is_cut is False


def test_a_page_made_of_nothing_is_whole_and_has_no_next_one() -> None:
    page = Page((), None, ())
    assert (page.has_next, page.has_prefix, page.is_cut) == (False, True, False)


def test_an_answer_that_is_one_row_stays_the_bytes_the_provider_sent() -> None:
    assert bytes(read_row(answer(b'{"uuid": "a", "price": 1.10}'))) == b'{"uuid": "a", "price": 1.10}'


def test_an_answer_that_is_one_row_is_mended_where_a_field_cannot_be_read() -> None:
    row = msgspec.json.decode(read_row(answer(b'{"uuid": "a", "price": NaN}')))
    assert row["uuid"] == "a"
    assert "price" not in row


@pytest.mark.parametrize("body", [b'{"price": 1}', b'{"uuid": null}', b"[]", b"{", b""])
def test_an_answer_without_a_uuid_is_no_row(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="not a message"):
        read_row(answer(body))
