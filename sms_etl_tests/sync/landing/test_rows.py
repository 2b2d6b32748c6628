"""Holds that messages read in columns are what they are read one by one: the same table, the same reasons."""

import json
from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.providers.lox24.records import SmsRow, read_sms
from sms_etl.sync.landing import rows as columns
from sms_etl.sync.landing.rows import read_messages, read_rows
from sms_etl.sync.landing.writer import landing_schema
from sms_etl.sync.streams import SMS
from sms_etl_tests.providers.lox24.rows import BULK_UUID, HIDDEN, KEPT, ROW, UUID, raw

SCHEMA = landing_schema(SMS.layout)
TEXTS_OF_CASES = [
    "",
    "Hello Ann, your code is 1234",
    "a" * 152 + "€" + "a" * 152,
    "a" * 159 + "€",
    "ж" * 66 + "😀" + "ж" * 66,
    "дорогой Иван, eBay ǅ Ⅷ ²3 ٣ 世界",
    "\x00\n\r\f",
]
ODD_LITERALS = (
    "null",
    "true",
    "0",
    "-0.0",
    "-1",
    "1.0",
    "1e2",
    "5.6e-2",
    "0.0000001",
    "0.21000000000000002",
    "2.1000000000000002E-1",
    "-1e-17",
    "0.056000001",
    "0.0560000010001",
    "-9223372036854775808",
    "9223372036854775808",
    "1e400",
    "1e-400",
    "12345678901234567890",
    "9" * 400,
    "9223372036854775807",
    "253402300799",
    "253402300800",
    '""',
    '"x"',
    '"de"',
    '"DEU"',
    '"ß1"',
    '"0.056"',
    '"2025-08-22"',
    '"\\u00e9"',
    f'"{UUID}"',
    f'"{UUID.upper()}"',
    f'"{UUID}\\n"',
    f'"{BULK_UUID}"',
    "[]",
    "{}",
    '{"a": {"b": 1.10}}',
)
"""Of JSON: what is none does not come past the reading of the page."""
NAMES = (
    *SmsRow.__struct_fields__,
    "@id",
    "@type",
    "@context",
    "requests",
    "clicks",
    "operator",
    "phöne",
    "link",
)
OTHER_SHAPES = (b"[]", b"[1]", b"17", b"null", b"{}", b'{"uuid": "\xff"}')

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(TEXTS_OF_CASES),
    st.text("ab Ä€1^ж😀", min_size=60, max_size=340),
)
prices = st.one_of(
    st.decimals(0, 10**7, places=6).map(lambda price: f"{price:f}"),
    st.decimals(0, 10**7, places=6).map(lambda price: f"{price:e}"),
    st.tuples(st.integers(0, 10**8), st.integers(1, 9)).map(
        lambda pair: json.dumps(pair[0] * 1e-6 * pair[1])
    ),
    st.decimals(0, 10, places=10).map(lambda price: f"{price:f}"),
)
documented = st.fixed_dictionaries(
    {
        "uuid": st.uuids().map(lambda uuid: f'"{uuid}"'),
        "created_at": st.integers(1, 2**33).map(str),
        "text": texts.map(json.dumps),
        "phone": st.one_of(st.from_regex(r"\+[1-9][0-9]{0,14}", fullmatch=True), texts).map(json.dumps),
        "price": prices,
        "is_unicode": st.sampled_from(["true", "false", "null"]),
        "is_text_deleted": st.sampled_from(["false", "false", "true", "null"]),
        "iso2": st.sampled_from(['"DE"', '"us"', '""', "null"]),
        "bulk_id": st.sampled_from([f'"{BULK_UUID}"', '""', "null"]),
        "gateway_sent_at": st.sampled_from(["0", "1755868416"]),
    }
).map(lambda literals: raw(ROW, **literals))
odd = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ODD_LITERALS), max_size=3).map(
    lambda literals: raw(ROW, **literals)
)
cut = st.sets(st.sampled_from(sorted(ROW)), min_size=1).map(
    lambda names: raw({name: value for name, value in ROW.items() if name not in names})
)
doubled = st.sampled_from(ODD_LITERALS).map(
    lambda literal: raw(ROW)[:-1] + f', "price": {literal}}}'.encode()
)
any_row = st.one_of(documented, odd, cut, doubled, st.sampled_from(OTHER_SHAPES))
_SHAPE_OF_ONE = '{"operator":{"type":"number","length":1}}'
policies = pytest.mark.parametrize("pii", [HIDDEN, KEPT], ids=list(PiiPolicy))


def array_of(rows: Iterable[bytes]) -> bytes:
    return msgspec.json.encode([msgspec.Raw(row) for row in rows])


def assert_read_alike(rows: list[bytes], pii: Pii) -> None:
    page = array_of(rows)
    by_column, by_row = read_messages(page, pii, SCHEMA), read_rows(read_sms, page, pii, SCHEMA)
    assert by_column.good.schema.equals(by_row.good.schema)
    assert by_column.good.to_pylist() == by_row.good.to_pylist()
    assert by_column.good.equals(by_row.good)
    assert list(by_column.bad) == list(by_row.bad)
    assert by_column.rounded == by_row.rounded


@policies
@settings(deadline=None)  # the first array pyarrow makes imports pandas
@given(rows=st.lists(documented, max_size=12))
def test_documented_rows_are_read_as_one_by_one(pii: Pii, rows: list[bytes]) -> None:
    assert_read_alike(rows, pii)


@policies
@settings(deadline=None)  # the first array pyarrow makes imports pandas
@given(rows=st.lists(any_row, max_size=12))
@example(rows=[])
@example(rows=[b"null"])
@example(rows=[raw(ROW), raw(ROW, iso2='"DEU"'), raw(ROW, new="1"), raw(ROW, uuid=f'"{UUID.upper()}"')])
def test_any_mixture_of_rows_is_read_as_one_by_one(pii: Pii, rows: list[bytes]) -> None:
    assert_read_alike(rows, pii)


@policies
@pytest.mark.parametrize("name", NAMES)
def test_any_field_with_any_odd_value_is_read_as_one_by_one(pii: Pii, name: str) -> None:
    rows = [raw(ROW, **{name: literal}) for literal in ODD_LITERALS]
    assert_read_alike([raw(ROW), *rows], pii)
    for row in rows:
        assert_read_alike([row], pii)


def test_the_good_rows_around_bad_ones_stay_in_their_order() -> None:
    uuids = [UUID[:-1] + digit for digit in "abcdef"]
    rows = [raw(ROW, uuid=f'"{uuid}"') for uuid in uuids]
    rows[1] = raw(ROW, uuid=f'"{uuids[1].upper()}"')
    rows[2] = raw(ROW, uuid=f'"{uuids[2]}"', price="-1")
    rows[4] = raw(ROW, uuid=f'"{uuids[4]}"', operator='"x"')
    found = read_messages(array_of(rows), HIDDEN, SCHEMA)
    assert found.good["uuid"].to_pylist() == [uuids[place] for place in (0, 1, 3, 4, 5)]
    assert [(bad.uuid, bad.reason) for bad in found.bad] == [
        (uuids[2], "Negative, but documented as at least 0 - at `$.price`")
    ]


def test_only_rows_with_a_value_of_another_kind_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a provider that adds a field would make every sync several times slower."""
    one_by_one: list[msgspec.Raw] = []

    def noting(row: msgspec.Raw, pii: Pii) -> object:
        one_by_one.append(row)
        return read_sms(row, pii)

    monkeypatch.setattr(columns, "read_sms", noting)
    usual = [raw(ROW), raw(ROW, operator="1"), raw(ROW, iso2='""'), raw(ROW, price="1e2")]
    refused = raw(ROW, price='"1"')
    found = read_messages(array_of((*usual, refused)), HIDDEN, SCHEMA)
    assert [bytes(row) for row in one_by_one] == [refused]
    assert found.good["extra"].to_pylist() == [None, _SHAPE_OF_ONE, None, None]


def test_a_window_without_rows_gives_a_table_without_rows() -> None:
    found = read_messages(b"[]", HIDDEN, SCHEMA)
    assert (found.good, list(found.bad)) == (pa.Table.from_pylist([], SCHEMA), [])


def test_rounded_prices_are_counted_where_their_row_is_good() -> None:
    noisy = "0.21000000000000002"
    rows = [
        raw(ROW),
        raw(ROW, price=noisy),
        raw(ROW, price=noisy, new="1"),
        raw(ROW, price=noisy, iso2='"X"'),
    ]
    assert read_messages(array_of(rows), HIDDEN, SCHEMA).rounded == 2


def test_rounded_prices_are_counted_too_where_a_row_is_read_by_itself() -> None:
    noisy = "0.21000000000000002"
    rows = [raw(ROW, price=noisy), raw(ROW, uuid=f'"{BULK_UUID.upper()}"', price=noisy)]
    assert read_messages(array_of(rows), HIDDEN, SCHEMA).rounded == 2
