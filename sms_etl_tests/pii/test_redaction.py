"""Holds what is kept of a value that may be personal: its type and its length."""

import json

import pytest

from sms_etl.pii.redaction import (
    WITHHELD,
    is_code,
    is_plain_name,
    is_sender_name,
    is_shape,
    network_of,
    shape_of,
    shapes_of,
)


@pytest.mark.parametrize(
    ("value", "kind", "length"),
    [
        ('"Ann"', "string", 3),
        ('""', "string", 0),
        ('"ß€"', "string", 2),
        ("[1, 2]", "array", 6),
        ('{"a": 1}', "object", 8),
        ("true", "boolean", 4),
        ("false", "boolean", 5),
        ("null", "null", 4),
        ("17", "number", 2),
        ("-1.5", "number", 4),
        ("NaN", "unreadable", 3),
        ("", "unreadable", 0),
    ],
)
def test_a_value_becomes_its_type_and_its_length(value: str, kind: str, length: int) -> None:
    assert shape_of(value.encode()) == {"type": kind, "length": length}


@pytest.mark.parametrize("name", ["price", "@id", "status_code", "field_12", "text2", "a"])
def test_a_name_as_the_provider_writes_them_is_told(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["", "Erika", "491761234567", "a491", "erika@example.org", "Ann Smith", "a" * 60]
)
def test_a_name_that_may_be_a_person_or_a_number_is_not(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("value", ['{"type":"string","length":0}', '{"type":"names","length":99999999}'])
def test_what_was_redacted_is_known_again(value: str) -> None:
    assert is_shape(value.encode())


@pytest.mark.parametrize(
    "value",
    [
        '{"type":"Erika","length":3}',
        '{"type":"string","length":-1}',
        '{"type":"string","length":100000000}',
        '{"type":"string","length":491761234567}',
        '{"type":"string","length":3,"of":"Erika"}',
        '{"type":"string"}',
        "[]",
        "",
    ],
)
def test_what_only_looks_redacted_is_not(value: str) -> None:
    assert not is_shape(value.encode())


def test_fields_whose_names_are_not_told_are_counted() -> None:
    fields = {"price": b"1", "Erika": b"2", "4917612345678": b"3"}
    assert shapes_of(fields) == {
        "price": {"type": "number", "length": 1},
        WITHHELD: {"type": "names", "length": 2},
    }
    assert WITHHELD not in shapes_of({"price": b"1"})


def test_a_hundred_names_are_told() -> None:
    names = [f"{'abcdefghij'[number // 10]}_{number % 10}" for number in range(100)]
    fields = dict.fromkeys([*names, "last", "very_last"], b"1")
    shapes = shapes_of(fields)
    assert len(shapes) == 101
    assert shapes[WITHHELD] == {"type": "names", "length": 2}
    assert all(is_shape(json.dumps(shape).encode()) for shape in shapes.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("text2speech", True), ("de-DE", True), ("a12345", False), ("Ann Smith", False), ("", False)],
)
def test_a_code_holds_no_number_and_no_sentence(text: str, expected: bool) -> None:
    assert is_code(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("Shop24", True), ("12345", True), ("4917612345678", False), ("Shop24680", False)]
)
def test_a_sender_that_many_know_is_no_number(text: str, expected: bool) -> None:
    assert is_sender_name(text) is expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("203.0.113", None),
        ("Erika", None),
    ],
)
def test_an_address_becomes_its_network(address: str, network: str | None) -> None:
    assert network_of(address) == network
