"""Holds that a page is read row by row where it cannot be read at once, however it arrives and how large."""

import json
import tracemalloc

import pytest

from sms_etl.providers.lox24 import salvage as salvage_module
from sms_etl.providers.lox24.bad_rows import describe_bad_row
from sms_etl.providers.lox24.bodies import MAX_BODY_BYTES
from sms_etl.providers.lox24.records import BadRowError, keys_of, read_sms
from sms_etl.providers.lox24.salvage import IS_CUT, NotAListingError, Salvage
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, TEXT, UUID, raw

GOOD = b'{"uuid": "a", "tags": [1, {"b": "]}"}]}'
SECRET = "Ann 1234"


def salvaged(body: bytes, step: int = 10**9) -> bytes:
    salvage = Salvage()
    for start in range(0, len(body), step):
        salvage.feed(body[start : start + step])
    return salvage.result()


def listing(
    *rows: bytes, more: bytes = b', "hydra:totalItems": 3, "hydra:view": {"hydra:next": "/sms"}'
) -> bytes:
    return b' {"@id": "/sms", "hydra:member": [' + b" , ".join(rows) + b"]" + more + b"}\n"


BAD_ROWS = {
    "a raw control character": (raw(ROW, text='"\x01 Ann 1234"'), "Not JSON - at `$.text`"),
    "a bad escape": (raw(ROW, text=r'"\q, Ann 1234]}"'), "Not JSON - at `$.text`"),
    "zeros before a number": (raw(ROW, price="007.5"), "Not JSON - at `$.price`"),
    "a plus before a number": (raw(ROW, parts_count="+1"), "Not JSON - at `$.parts_count`"),
    "a number in base 16": (raw(ROW, key_id="0x10"), "Not JSON - at `$.key_id`"),
    "a number that is none": (raw(ROW, price="NaN"), "Not JSON - at `$.price`"),
    "no value": (raw(ROW, iso2=""), "Not JSON - at `$.iso2`"),
    "two values": (raw(ROW, iso2='"DE" "AT"'), "Not JSON - at `$.iso2`"),
    "an unknown name": (raw(ROW, **{SECRET: "nul"}), "Not JSON"),
    "two colons": (raw(ROW).replace(b'"iso2": ', b'"iso2": 1: '), "Not JSON - at `$.iso2`"),
    "a comma at its end": (raw(ROW)[:-1] + b",}", "Not JSON"),
    "the wrong bracket": (raw(ROW, new_field="[1}"), "Not JSON"),
    "990 levels": (raw(ROW, new_field="[" * 990 + "]" * 990), "Nested deeper than 100 levels"),
    "100,000 levels": (raw(ROW, a='{"b":' * 100_000 + "1" + "}" * 100_000), "Nested deeper than 100 levels"),
}


@pytest.mark.parametrize("step", [1, 7, 10**9])
@pytest.mark.parametrize(("row", "said"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_is_no_json_is_a_bad_row_and_its_neighbours_stay_as_they_were_sent(
    row: bytes, said: str, step: int
) -> None:
    if len(row) > 10**5 and step == 1:
        step = 1000
    read = json.loads(salvaged(listing(GOOD, row, GOOD), step))
    assert (read["hydra:totalItems"], read["hydra:view"]) == (3, {"hydra:next": "/sms"})
    before, bad, after = read["hydra:member"]
    assert before == after == json.loads(GOOD)
    stand_in = json.dumps(bad).encode()
    with pytest.raises(BadRowError) as caught:
        read_sms(stand_in, HIDDEN)
    assert str(caught.value) == said
    described = describe_bad_row(stand_in, said, HIDDEN)
    assert described.uuid == UUID
    assert SECRET not in str(described)
    assert TEXT not in str(described)


@pytest.mark.parametrize("row", [b"nul", b"1 2", b'"\x01"', b"[1,, 2]"])
def test_what_is_neither_json_nor_like_a_row_has_a_stand_in_as_well(row: bytes) -> None:
    before, bad, after = json.loads(salvaged(listing(GOOD, row, GOOD)))["hydra:member"]
    assert before == after
    with pytest.raises(BadRowError, match=r"^Not JSON$"):
        read_sms(json.dumps(bad).encode(), HIDDEN)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>" + listing(GOOD),
        listing(GOOD)[:-3],
        listing(GOOD)[:60],
        listing(GOOD) + b"{}",
        listing(b'{"text": "Ann'),
        listing(b'{"a": [1'),
        listing(b"{]}"),
        b'{"hydra:totalItems": 3}',
        b'{"hydra:member": {}}',
    ],
)
@pytest.mark.parametrize("step", [1, 10**9])
def test_what_is_no_listing_or_breaks_off_is_refused(body: bytes, step: int) -> None:
    with pytest.raises(NotAListingError):
        salvaged(body, step)


@pytest.mark.parametrize("row", [b'{1: 2, "uuid": "a"}', rb'{"\q": 2, "uuid": "a"}'])
def test_a_field_whose_name_is_no_text_is_left_out_of_the_stand_in(row: bytes) -> None:
    (bad,) = json.loads(salvaged(listing(row)))["hydra:member"]
    assert bad["uuid"] == "a"
    assert 2 not in bad.values()


def test_of_a_value_that_is_no_json_its_length_is_told() -> None:
    row = raw(ROW).replace(b'"iso2": ', b'"iso2": 1: ')
    (bad,) = json.loads(salvaged(listing(row)))["hydra:member"]
    described = describe_bad_row(json.dumps(bad).encode(), "why", HIDDEN)
    assert json.loads(described.raw or "")["iso2"] == {"type": "unread", "length": len('1: "US"')}


@pytest.mark.parametrize("step", [1, 7, 10**9])
def test_a_quote_within_a_text_does_not_end_it_wherever_a_piece_ends(step: int) -> None:
    row = raw(ROW, text=r'"a \" ], b \\"')
    assert json.loads(salvaged(listing(row), step))["hydra:member"] == [json.loads(row)]


def test_the_first_name_of_an_answer_may_be_empty() -> None:
    assert json.loads(salvaged(b'{"": 1, "member": [1]}')) == {"": 1, "member": [1]}


def test_more_rows_than_a_page_can_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(salvage_module, "_MOST_ROWS", 3)
    assert len(json.loads(salvaged(listing(*[GOOD] * 3)))["hydra:member"]) == 3
    with pytest.raises(NotAListingError, match="too many rows"):
        salvaged(listing(*[GOOD] * 4))


def test_a_listing_keeps_its_names_and_may_be_empty() -> None:
    assert json.loads(salvaged(b'{"member": [ ], "totalItems": 0}')) == {"member": [], "totalItems": 0}


def test_a_row_that_is_too_large_keeps_its_small_fields_and_the_others_their_places() -> None:
    large = raw(ROW, text=f'"{"x" * (MAX_BODY_BYTES + 1)}"')
    read = json.loads(salvaged(listing(GOOD, large, GOOD), 65536))
    before, bad, after = read["hydra:member"]
    assert before == after == json.loads(GOOD)
    assert IS_CUT not in read, "a smaller page would not help"
    stand_in = json.dumps(bad).encode()
    assert keys_of(stand_in).uuid == UUID
    assert keys_of(stand_in).created_at == ROW["created_at"]
    with pytest.raises(BadRowError, match=r"^Too large for an answer of 16 MiB$"):
        read_sms(stand_in, HIDDEN)


def test_rows_that_would_fit_a_smaller_page_are_told_from_those_that_fit_none() -> None:
    row = raw(ROW, text=f'"{"x" * (MAX_BODY_BYTES // 6)}"')
    read = json.loads(salvaged(listing(*[row] * 7, GOOD), 65536))
    assert read[IS_CUT] is True
    assert [len(each.get("text", "")) > 0 for each in read["hydra:member"]] == [*[True] * 5, *[False] * 3]


def test_memory_is_bounded_whatever_comes() -> None:
    salvage, piece = Salvage(), b"x" * 65536
    tracemalloc.start()
    salvage.feed(b'{"hydra:member": [' + GOOD + b', {"text": "')
    for _ in range(1024):
        salvage.feed(piece)
    salvage.feed(b'", "deep": ')
    for _ in range(64):
        salvage.feed(b"[" * 65536)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * MAX_BODY_BYTES


def test_one_row_alone_is_read_in_the_same_way() -> None:
    salvage = Salvage(is_listing=False)
    salvage.feed(raw(ROW, text='"\x01"'))
    assert keys_of(salvage.result()).uuid == UUID
