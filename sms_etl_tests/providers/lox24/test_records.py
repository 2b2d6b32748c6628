"""Holds what becomes of a row: typed fields, or a reason."""

import json
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.records import (
    LEFT_OUT,
    MOST_EXTRA_BYTES,
    BadRowError,
    BulkRow,
    Fields,
    Keys,
    SmsRow,
    decode_sms,
    keys_of,
    read_bulk,
    read_sms,
)
from sms_etl_tests.providers.lox24.rows import BULK, BULK_UUID, HIDDEN, KEPT, PHONE, ROW, TEXT, UUID, raw


def read(**literals: str) -> Fields:
    return read_sms(raw(ROW, **literals), HIDDEN)


def reason(row: bytes, pii: Pii = HIDDEN) -> str:
    with pytest.raises(BadRowError) as caught:
        read_sms(row, pii)
    return str(caught.value)


def test_the_example_of_the_reference_is_read_field_by_field() -> None:
    fields = dict(read())
    derived = {
        **HIDDEN.text_fields(TEXT, is_unicode=False, is_deleted=False),
        **HIDDEN.phone_fields(PHONE),
    }
    assert fields == {
        **derived,
        "uuid": UUID,
        "created_at": datetime(2025, 8, 22, 13, 13, 36),
        "delivery_at": None,
        "gateway_sent_at": None,
        "status_code": 0,
        "dlr_code": 0,
        "is_sent": False,
        "is_text_deleted": False,
        "is_unicode": False,
        "iso2": "US",
        "parts_count": 1,
        "chars_count": 28,
        "price": Decimal("0.056"),
        "is_rounded": False,
        "service_code": "direct",
        "voice_lang": None,
        "sender_id": f"+19*******25~{HIDDEN.hash_of('+19388888025')[:8]}",
        "callback_data": None,
        "bulk_id": None,
        "key_id": 8291,
        "source": 0,
        "ip": "139.59.136.0/24",
        "attempts_count_max": None,
        "extra": None,
    }


def test_a_bulk_is_read_field_by_field_and_its_texts_and_numbers_are_left_out() -> None:
    assert dict(read_bulk(raw(BULK), HIDDEN)) == {
        "uuid": BULK_UUID,
        "created_at": datetime(2025, 8, 22, 13, 13, 36),
        "delivery_at": None,
        "processed_at": datetime(2025, 8, 22, 13, 15),
        "status_code": 10,
        "msg_total_count": 3,
        "msg_total_cost": Decimal("0.168"),
        "is_rounded": False,
        "service_code": "direct",
        "voice_lang": None,
        "key_id": 8291,
        "source": 0,
        "ip": "139.59.136.0/24",
        "is_unicode": None,
        "is_dryrun": False,
        "is_text_deleted": False,
        "extra": None,
    }


@pytest.mark.parametrize("name", sorted(set(SmsRow.__struct_fields__) - {"uuid", "created_at"}))
def test_a_field_of_a_message_that_is_missing_or_null_becomes_null(name: str) -> None:
    row = {key: value for key, value in ROW.items() if key != name}
    assert read_sms(raw(row), HIDDEN).get(name) is None
    assert read_sms(raw(ROW, **{name: "null"}), HIDDEN).get(name) is None


@pytest.mark.parametrize("name", sorted(set(BulkRow.__struct_fields__) - {"uuid", "created_at"}))
def test_a_field_of_a_bulk_that_is_missing_or_null_becomes_null(name: str) -> None:
    row = {key: value for key, value in BULK.items() if key != name}
    assert read_bulk(raw(row), HIDDEN)[name] is None
    assert read_bulk(raw(BULK, **{name: "null"}), HIDDEN)[name] is None


@pytest.mark.parametrize(
    ("name", "literal", "value"),
    [
        ("uuid", f'"{UUID.upper()}"', UUID),
        ("bulk_id", f'"{BULK_UUID.upper()}"', BULK_UUID),
        ("bulk_id", '""', None),
        ("iso2", '"de"', "DE"),
        ("iso2", '""', None),
        ("delivery_at", "1755868416", datetime(2025, 8, 22, 13, 13, 36)),
        ("status_code", "777", 777),
        ("dlr_code", "-1", -1),
        ("dlr_code", "-2147483648", -(2**31)),
        ("dlr_code", "2147483647", 2**31 - 1),
        ("service_code", '"brand-new"', "brand-new"),
        ("attempts_count_max", "3", 3),
        ("key_id", "9223372036854775807", 2**63 - 1),
        ("sender_id", '"Caf\\u00e4 4U"', "Cafä 4U"),
        ("price", "0", Decimal(0)),
        ("price", "0.056", Decimal("0.056")),
        ("price", "5.6e-2", Decimal("0.056")),
        ("price", "1E2", Decimal(100)),
        ("price", "0.10000000", Decimal("0.1")),
        ("price", "1e-2", Decimal("0.01")),
        ("price", "5.6E-2", Decimal("0.056")),
        ("source", "2147483648", 2**31),
        ("source", "9223372036854775807", 2**63 - 1),
        ("source", "-9223372036854775808", -(2**63)),
        ("price", "999999999999.999999", Decimal("999999999999.999999")),
    ],
)
def test_an_unusual_value_that_is_right_is_read(name: str, literal: str, value: object) -> None:
    assert read(**{name: literal})[name] == value


@pytest.mark.parametrize("literal", ["-0.0", "-1e-17"])
def test_a_price_of_minus_zero_is_zero(literal: str) -> None:
    assert str(read(price=literal)["price"]) == "0.000000"


@pytest.mark.parametrize(
    ("literal", "amount"),
    [
        ("0.21000000000000002", "0.210000"),
        ("0.30000000000000004", "0.300000"),
        ("2.1000000000000002E-1", "0.210000"),
        ("0.056000001", "0.056000"),
        ("0.055999999", "0.056000"),
        ("1e-400", "0.000000"),
        ("5.551115123125783e-17", "0.000000"),
        ("999999999999.9999990001", "999999999999.999999"),
        (f"0.5{'0' * 5000}1", "0.500000"),
    ],
)
def test_an_amount_with_binary_noise_is_the_one_that_was_meant_and_is_counted(
    literal: str, amount: str
) -> None:
    message, bulk = read(price=literal), read_bulk(raw(BULK, msg_total_cost=literal), HIDDEN)
    assert (str(message["price"]), message["is_rounded"]) == (amount, True)
    assert (str(bulk["msg_total_cost"]), bulk["is_rounded"]) == (amount, True)


@pytest.mark.parametrize(
    "literal",
    ["0.0560000010000001", "0.0559999989", "0.0000001", f"0.056000001{'0' * 40}1", "1234.5678901"],
)
def test_an_amount_further_off_than_noise_is_not_rounded(literal: str) -> None:
    assert reason(raw(ROW, price=literal)) == "More than six decimals - at `$.price`"


@pytest.mark.parametrize(
    ("name", "literal", "said"),
    [
        ("uuid", "null", "$.uuid"),
        ("uuid", "17", "$.uuid"),
        ("uuid", '""', "$.uuid"),
        ("uuid", f'"{UUID[:-1]}"', "$.uuid"),
        ("uuid", f'"{UUID[:-1]}g"', "$.uuid"),
        ("uuid", f'"{UUID}\\n"', "$.uuid"),
        ("bulk_id", '"17"', "$.bulk_id"),
        ("created_at", "null", "$.created_at"),
        ("created_at", "0", "$.created_at"),
        ("created_at", "-1", "$.created_at"),
        ("created_at", '"1755868416"', "$.created_at"),
        ("created_at", "1755868416.5", "$.created_at"),
        ("created_at", "253402300800", "$.created_at"),
        ("created_at", "9" * 6000, "$.created_at"),
        ("delivery_at", "-1", "$.delivery_at"),
        ("gateway_sent_at", "true", "$.gateway_sent_at"),
        ("price", '"0.056"', "Not a number - at `$.price`"),
        ("price", "true", "Not a number - at `$.price`"),
        ("price", "{}", "Not a number - at `$.price`"),
        ("price", "-0.056", "Negative, but documented as at least 0 - at `$.price`"),
        ("price", "-0.00000001", "Negative, but documented as at least 0 - at `$.price`"),
        ("price", "1e400", "twelve digits"),
        ("price", "12345678901234567890", "twelve digits"),
        ("price", "1000000000000", "twelve digits"),
        ("price", "0.0000001", "six decimals"),
        ("price", "999999999999.9999999999", "twelve digits"),
        ("price", "1e99999999999999999999", "Not a number"),
        ("source", "9223372036854775808", "$.source"),
        ("source", "1.5", "$.source"),
        ("price", "NaN", ""),
        ("price", "1.", ""),
        ("iso2", '"DEU"', "$.iso2"),
        ("iso2", '"D"', "$.iso2"),
        ("iso2", '"49"', "$.iso2"),
        ("iso2", '"DE\\n"', "$.iso2"),
        ("status_code", "2147483648", "$.status_code"),
        ("status_code", '"100"', "$.status_code"),
        ("parts_count", "-1", "$.parts_count"),
        ("parts_count", "1.5", "$.parts_count"),
        ("key_id", "9223372036854775808", "$.key_id"),
        ("attempts_count_max", "32768", "$.attempts_count_max"),
        ("is_sent", "1", "$.is_sent"),
        ("is_sent", '"true"', "$.is_sent"),
        ("phone", "4917612345678", "$.phone"),
        ("text", "[]", "$.text"),
        ("sender_id", '"\\ud800"', ""),
        ("new_field", "[" * 100_000 + "]" * 100_000, "Nested deeper than 100 levels"),
        ("status_code", "-2147483649", "$.status_code"),
        ("price", "999999999999.9999995", "More than twelve digits"),
    ],
)
def test_a_wrong_value_is_a_reason_that_names_the_field(name: str, literal: str, said: str) -> None:
    assert said in reason(raw(ROW, **{name: literal}))


def test_an_unknown_field_that_nests_too_deep_is_refused_where_it_would_be_kept() -> None:
    deep = {"new_field": "[" * 100 + "]" * 100}
    assert reason(raw(ROW, **deep), KEPT) == "Nested deeper than 100 levels"
    assert read_sms(raw(ROW, **deep), HIDDEN)["extra"] == '{"new_field":{"type":"array","length":200}}'


def test_arrays_and_objects_that_hold_each_other_nest_together() -> None:
    deep = {"new_field": '[{"a":' * 50 + "1" + "}]" * 50}
    assert reason(raw(ROW, **deep), KEPT) == "Nested deeper than 100 levels"


@pytest.mark.parametrize("name", ["uuid", "created_at"])
def test_a_row_without_its_key_or_its_time_is_refused(name: str) -> None:
    assert name in reason(raw({key: value for key, value in ROW.items() if key != name}))


@pytest.mark.parametrize("name", ["text", "phone", "sender_id", "callback_data"])
def test_no_reason_quotes_a_value(name: str) -> None:
    row = raw(ROW).replace(json.dumps(ROW[name]).encode(), b'{"personal": "4917612345678"}')
    assert "4917612345678" not in reason(row)
    assert "personal" not in reason(row)


def test_fields_that_are_not_known_here_are_kept_as_they_came() -> None:
    row = raw(ROW, operator='{"mcc": 262,  "rate": 1.10}', roaming="true")
    extra = '{"operator":{"mcc": 262,  "rate": 1.10},"roaming":true}'
    assert read_sms(row, KEPT)["extra"] == extra


def test_of_fields_that_are_not_known_here_only_types_and_lengths_are_kept_unless_all_is() -> None:
    extra = read(to='"+4917612345678"', mcc="262", tags='["Ann"]', roaming="true", none="null")["extra"]
    assert isinstance(extra, str)
    assert json.loads(extra) == {
        "to": {"type": "string", "length": 14},
        "mcc": {"type": "number", "length": 3},
        "tags": {"type": "array", "length": 7},
        "roaming": {"type": "boolean", "length": 4},
        "none": {"type": "null", "length": 4},
    }


def test_a_field_whose_name_may_be_personal_is_counted_and_not_named() -> None:
    names = {"+4917612345678": "1", "erika@example.org": "1", "Erika Mustermann": "1", "code_830417": "1"}
    extra = read(mcc="262", **names)["extra"]
    assert isinstance(extra, str)
    assert json.loads(extra) == {
        "mcc": {"type": "number", "length": 3},
        "[withheld]": {"type": "names", "length": 4},
    }


def test_of_too_many_unknown_fields_the_rest_is_counted() -> None:
    extra = read(**{f"field_{'a' * (number + 1)}"[:30]: "1" for number in range(24)})["extra"]
    assert isinstance(extra, str)
    assert len(json.loads(extra)) == 24


@pytest.mark.parametrize("phone", ["anonymous", "n/a", "+", "Erika"])
def test_what_is_no_number_is_a_bad_row(phone: str) -> None:
    assert reason(raw(ROW, phone=json.dumps(phone))) == "Not a phone number - at `$.phone`"


def test_links_are_not_unknown_fields() -> None:
    links = {"@id": f'"/sms/{UUID}"', "@type": '"Sms"', "@context": '"/contexts/Sms"'}
    assert read(**links)["extra"] is None
    assert read_bulk(raw(BULK, **links), HIDDEN)["extra"] is None


def test_unknown_fields_of_a_bulk_are_kept_but_not_its_numbers() -> None:
    assert read_bulk(raw(BULK, colour='"red"'), KEPT)["extra"] == '{"colour":"red"}'
    shape = '{"colour":{"type":"string","length":3}}'
    assert read_bulk(raw(BULK, colour='"red"'), HIDDEN)["extra"] == shape


def test_a_deleted_text_leaves_no_features() -> None:
    fields = read(text='""', is_text_deleted="true")
    assert [fields[name] for name in ("text_units", "text_parts", "text_template")] == [None] * 3
    assert fields["chars_count"] == 28


def test_under_pseudonymise_a_good_row_holds_neither_number_nor_text() -> None:
    values = repr(dict(read()))
    assert TEXT not in values
    assert PHONE.removeprefix("+") not in values
    kept = read_sms(raw(ROW), KEPT)
    assert (kept["phone"], kept["text"]) == (PHONE, TEXT)


money_texts = st.tuples(
    st.integers(min_value=0, max_value=10**12 - 1),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,6}", fullmatch=True)),
).map(lambda parts: f"{parts[0]}{parts[1]}")


@given(money_texts)
def test_a_price_is_exact_from_its_text(text: str) -> None:
    price = read(price=text)["price"]
    assert isinstance(price, Decimal)
    assert price == Decimal(text)
    assert str(price) == str(Decimal(text).quantize(Decimal("0.000001")))
    assert read_bulk(raw(BULK, msg_total_cost=text), HIDDEN)["msg_total_cost"] == price


@given(st.lists(money_texts, max_size=20))
def test_a_sum_of_prices_is_the_sum_of_their_texts(texts: list[str]) -> None:
    prices = [read(price=text)["price"] for text in texts]
    assert sum((price for price in prices if isinstance(price, Decimal)), Decimal(0)) == sum(
        map(Decimal, texts), Decimal(0)
    )


NOISE = Decimal("1e-9")


@given(
    st.one_of(
        st.decimals(min_value=0, allow_nan=False, allow_infinity=False),
        st.decimals(min_value=0, max_value=10, places=12),
    )
)
def test_any_amount_is_read_exactly_or_as_its_neighbour_within_the_noise_or_refused(amount: Decimal) -> None:
    with localcontext(prec=400):
        neighbour = amount.quantize(Decimal("0.000001")) if amount < 10**12 else None
        is_near = neighbour is not None and abs(neighbour - amount) <= NOISE
    try:
        fields = read(price=f"{amount}")
    except BadRowError:
        assert not is_near or amount > 10**12 - 1
    else:
        assert is_near
        assert fields["price"] == neighbour
        assert fields["is_rounded"] is (neighbour != amount)


@given(st.integers(0, 10**9), st.integers(1, 50))
def test_a_price_computed_with_floats_costs_no_row(millionths: int, parts: int) -> None:
    """What a provider writes that multiplies the price of a part as a double."""
    price = Decimal(millionths).scaleb(-6)
    assert read(price=json.dumps(float(price) * parts))["price"] == price * parts


def test_rows_are_read_as_they_lie_in_their_page() -> None:
    assert read_sms(msgspec.Raw(raw(ROW)), HIDDEN) == read_sms(raw(ROW), HIDDEN)


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        (raw(ROW), Keys(UUID, 1755868416, None)),
        (raw(BULK), Keys(BULK_UUID, 1755868416, 1755868500)),
        (raw(ROW, uuid="17"), Keys(None, 1755868416, None)),
        (raw(ROW, created_at='"x"'), Keys(UUID, None, None)),
        (raw(ROW, created_at="0"), Keys(UUID, None, None)),
        (raw(ROW, created_at="-1"), Keys(UUID, None, None)),
        (raw(ROW, created_at="1" + 30 * "0"), Keys(UUID, None, None)),
        (raw(BULK, processed_at="1.5"), Keys(BULK_UUID, 1755868416, None)),
        (raw(ROW, uuid="null", created_at="null"), Keys(None, None, None)),
        (b"{}", Keys(None, None, None)),
        (b"17", Keys(None, None, None)),
        (b"\xff", Keys(None, None, None)),
        (b"[" * 100_000, Keys(None, None, None)),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_the_keys_of_any_row_are_read_each_for_itself(row: bytes, keys: Keys) -> None:
    assert keys_of(row) == keys


@pytest.mark.parametrize("name", ["uuid", "price", "bulk_id", "iso2"])
def test_what_is_decoded_as_it_came_is_checked_when_it_is_read(name: str) -> None:
    row = raw(ROW, **{name: '"??"'})
    assert decode_sms(row, HIDDEN)[1] is None
    assert f"$.{name}" in reason(row)


# --- what is kept of unknown fields ---


def _extra(**fields: str) -> dict[str, Any]:
    kept = read_sms(raw(ROW, **fields), KEPT)["extra"]
    assert isinstance(kept, str)
    assert len(kept) < MOST_EXTRA_BYTES + 10_000
    read: dict[str, Any] = json.loads(kept)
    return read


def test_unknown_fields_are_kept_while_there_is_room_and_a_mark_says_how_much_was_cut() -> None:
    kept = _extra(small="1", large='"' + "x" * 20_000 + '"', last='{"a": [1, null]}')
    assert kept == {"small": 1, "large": {"cut_bytes": 20_002}, "last": {"a": [1, None]}}


def test_fields_without_room_for_a_name_are_counted() -> None:
    kept = _extra(**{f"field_{number}": "1" for number in range(5_000)}, **{"n" * 300: "17"})
    left_out = kept.pop(LEFT_OUT)
    assert len(kept) + left_out["cut_fields"] == 5_001
    assert kept["field_0"] == 1
    assert left_out["cut_bytes"] > 300


def test_a_field_without_room_is_counted_with_the_bytes_it_had() -> None:
    kept = _extra(full='"' + "x" * (MOST_EXTRA_BYTES - 6) + '"', other="17")
    assert kept.keys() == {"full", LEFT_OUT}
    assert kept[LEFT_OUT] == {"cut_fields": 1, "cut_bytes": len("other") + len("17")}


def test_a_cut_field_is_named_up_to_two_hundred_bytes() -> None:
    large = '"' + "x" * 20_000 + '"'
    kept = _extra(**{"n" * 200: large, "m" * 201: large})
    assert kept.keys() == {"n" * 200, LEFT_OUT}


@pytest.mark.parametrize("literal", ['"\\ud800"', '"\\x"', "[1,,2]", "01", '{"a": [[[tru]]]}'])
def test_an_unknown_field_that_is_no_json_to_its_depths_makes_a_bad_row(literal: str) -> None:
    assert reason(raw(ROW, colour=literal))
