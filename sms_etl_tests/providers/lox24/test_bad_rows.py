"""Holds what is kept of a row that cannot be loaded, and that neither number nor text is."""

import json
from datetime import datetime

import pytest

from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.bad_rows import BadRow, describe_bad_row
from sms_etl.providers.lox24.records import BadRowError, read_bulk, read_sms
from sms_etl_tests.providers.lox24.rows import BULK, BULK_UUID, HIDDEN, KEPT, PHONE, ROW, TEXT, UUID, raw

WRONG_SHAPES = [
    b"",
    b"[]",
    b"[1]",
    b"17",
    b'"a"',
    b"null",
    b"{",
    b'{"uuid"}',
    b"\xff",
    b"NaN",
    b"[" * 100_000,
]


@pytest.mark.parametrize("row", WRONG_SHAPES, ids=lambda row: repr(row[:8]))
def test_what_is_no_row_is_refused_and_told_apart_from_none(row: bytes) -> None:
    with pytest.raises(BadRowError):
        read_sms(row, HIDDEN)
    with pytest.raises(BadRowError):
        read_bulk(row, HIDDEN)
    bad = describe_bad_row(row, "why", HIDDEN)
    assert bad == BadRow("why", None, None, bad.raw)
    assert json.loads(bad.raw or "").keys() == {"type", "length"}
    assert describe_bad_row(row, "why", KEPT).raw == row.decode(errors="replace")


def test_of_a_bad_row_uuid_and_price_are_kept_and_the_rest_without_number_and_text() -> None:
    row = raw(ROW, price="-12.50")
    bad = describe_bad_row(row, "why", HIDDEN)
    assert (bad.reason, bad.uuid, bad.price) == ("why", UUID, "-12.50")
    assert bad.raw is not None
    kept = json.loads(bad.raw)
    assert kept["phone"] == {"type": "string", "length": len(PHONE)}
    assert kept["text"] == {"type": "string", "length": len(TEXT)}
    assert kept["price"] == -12.5
    personal = {"phone", "text", "ip", "sender_id", "requests", "clicks"}
    unchanged = kept.keys() - personal - {"price"}
    assert {name: kept[name] for name in unchanged} == {name: ROW[name] for name in unchanged}
    assert all(isinstance(kept[name], dict) for name in personal)


PERSONAL = (
    "+4917612345678",
    "4917612345678",
    "Erika Mustermann",
    "erika@example.org",
    "203.0.113.77",
    "830417",
)


@pytest.mark.parametrize("value", PERSONAL)
@pytest.mark.parametrize("name", [*ROW, "Phone", "to", "message", "new_field"])
def test_of_a_bad_row_no_field_keeps_what_may_be_personal(name: str, value: str) -> None:
    row = raw(ROW, **({"created_at": '"then"'} | {name: json.dumps(value)}))
    bad = describe_bad_row(row, "why", HIDDEN)
    assert value not in str(bad)


@pytest.mark.parametrize("value", PERSONAL)
def test_nor_do_nested_fields_and_the_names_of_fields(value: str) -> None:
    nested = json.dumps({"to": [value], value: 1})
    bad = describe_bad_row(raw(ROW, price='"?"', text=nested, **{value: "1"}), "why", HIDDEN)
    assert value not in str(bad)
    assert json.loads(bad.raw or "")["[withheld]"] == {"type": "names", "length": 1}


@pytest.mark.parametrize("value", PERSONAL)
def test_nor_does_the_name_of_a_field_that_looks_redacted(value: str) -> None:
    bad = describe_bad_row(raw(ROW, price='"?"', **{value: '{"type":"string","length":3}'}), "why", HIDDEN)
    assert value not in str(bad)


def test_a_bad_row_that_is_described_again_stays_as_it_is() -> None:
    once = describe_bad_row(raw(ROW, price='"?"', **{PHONE: "1"}), "why", HIDDEN)
    assert describe_bad_row((once.raw or "").encode(), "why", HIDDEN).raw == once.raw


@pytest.mark.parametrize("literal", ["4917612345678", '"491761234567"', "49176123456789012345"])
def test_a_number_in_the_place_of_a_price_is_not_kept_for_one(literal: str) -> None:
    bad = describe_bad_row(raw(ROW, price=literal), "why", HIDDEN)
    assert bad.price is None
    assert "491761" not in (bad.raw or "")


def test_of_a_bad_bulk_its_cost_is_kept_but_neither_text_nor_numbers() -> None:
    bad = describe_bad_row(raw(BULK, status_code='"x"'), "why", HIDDEN)
    assert (bad.uuid, bad.price) == (BULK_UUID, "0.168")
    assert bad.raw is not None
    assert TEXT not in bad.raw
    assert PHONE not in bad.raw


def test_a_name_written_with_escapes_does_not_slip_through() -> None:
    row = raw(ROW).replace(b'"phone"', b'"ph\\u006fne"')
    assert PHONE not in str(describe_bad_row(row, "why", HIDDEN).raw)
    assert read_sms(row, HIDDEN)["phone_hash"] == HIDDEN.phone_fields(PHONE)["phone_hash"]


def test_under_keep_a_bad_row_is_kept_whole() -> None:
    row = raw(ROW, price="-1")
    bad = describe_bad_row(row, "why", KEPT)
    assert bad.raw is not None
    assert json.loads(bad.raw) == json.loads(row)


@pytest.mark.parametrize(
    ("pii", "name"),
    [(HIDDEN, "text"), (HIDDEN, "sender_id"), (KEPT, "text"), (KEPT, "sender_id"), (KEPT, "new_field")],
)
def test_a_row_that_is_not_utf8_can_still_be_described(pii: Pii, name: str) -> None:
    row = raw(ROW, **{name: '"PLACE"'}).replace(b"PLACE", b"\xff")
    with pytest.raises(BadRowError):
        read_sms(row, pii)
    bad = describe_bad_row(row, "why", pii)
    assert bad.uuid == UUID
    assert bad.raw is not None
    assert json.loads(bad.raw)["status_code"] == 0


@pytest.mark.parametrize("literal", ["null", None])
def test_of_a_row_without_uuid_and_price_neither_is_made_up(literal: str | None) -> None:
    row = {name: value for name, value in ROW.items() if name not in {"uuid", "price"}}
    bad = describe_bad_row(
        raw(row, **({"uuid": literal, "price": literal} if literal else {})), "why", HIDDEN
    )
    assert (bad.uuid, bad.price) == (None, None)


def test_a_uuid_that_is_none_is_kept_only_so_long() -> None:
    row = raw(ROW, uuid=f'"{"x" * 500}"')
    assert describe_bad_row(row, "why", KEPT).uuid == "x" * 64
    assert describe_bad_row(row, "why", HIDDEN).uuid is None


@pytest.mark.parametrize("name", ["uuid", "price"])
def test_what_stands_in_the_place_of_a_text_is_not_kept_for_one(name: str) -> None:
    for literal in (f'{{"number": "{PHONE}"}}', f'["{PHONE}"]'):
        for pii in (HIDDEN, KEPT):
            assert getattr(describe_bad_row(raw(ROW, **{name: literal}), "why", pii), name) is None


@pytest.mark.parametrize(
    ("literal", "price"),
    [
        ('"0.056"', "0.056"),
        ("-1.5E2", "-1.5E2"),
        ('"free"', None),
        ('"99999.9"', "99999.9"),
        ('"100000"', None),
    ],
)
def test_the_price_of_a_bad_row_is_kept_if_it_is_like_an_amount(literal: str, price: str | None) -> None:
    assert describe_bad_row(raw(ROW, price=literal), "why", HIDDEN).price == price


CREATED_AT = datetime(2025, 8, 22, 13, 13, 36)


@pytest.mark.parametrize(
    ("literal", "created_at"),
    [
        ("1755868416", CREATED_AT),
        ('"2025-08-22T13:13:36Z"', CREATED_AT),
        ('"2025-08-22T15:13:36+02:00"', CREATED_AT),
        ('"2025-08-22T13:13:36.782195+00:00"', CREATED_AT),
        ('"2025-08-22 13:13:36"', None),
        ('"1755868416"', None),
        ('"yesterday"', None),
        ('"9999-12-31T23:59:59-14:00"', None),
        ("0", None),
        ("-1", None),
        ("1e3", None),
        ("null", None),
        ("[]", None),
    ],
)
def test_the_time_of_a_bad_row_is_kept_where_it_is_without_doubt(
    literal: str, created_at: datetime | None
) -> None:
    assert describe_bad_row(raw(ROW, created_at=literal), "why", HIDDEN).created_at == created_at
