"""Holds what is kept of numbers and texts: stable keyed hashes, masks, and nothing else."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_etl.errors import SettingsError
from sms_etl.pii.phone_numbers import NotAPhoneNumberError, normalised
from sms_etl.pii.policy import Pii, PiiPolicy, masked
from sms_etl.settings import load_settings

PHONE = "+4917612345678"
HIDDEN = Pii(PiiPolicy.PSEUDONYMISE, b"a key")
KEPT = Pii(PiiPolicy.KEEP, b"a key")
OTHER_KEY = Pii(PiiPolicy.PSEUDONYMISE, b"another key")


def template(text: str) -> object:
    return HIDDEN.text_fields(text, is_unicode=None, is_deleted=False)["text_template"]


def test_a_hash_is_128_bits_of_hmac_sha256_under_the_key() -> None:
    expected = hmac.new(b"a key", PHONE.encode(), hashlib.sha256).hexdigest()[:32]
    assert HIDDEN.phone_fields(PHONE)["phone_hash"] == expected
    assert HIDDEN.hash_of(PHONE) == expected


@given(st.binary(max_size=200), st.text(max_size=200))
@example(b"k" * 64, PHONE)
@example(b"k" * 65, PHONE)
def test_it_is_so_for_keys_and_texts_of_any_length(key: bytes, value: str) -> None:
    expected = hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:32]
    assert Pii(PiiPolicy.KEEP, key).hash_of(value) == expected


def test_the_same_number_gives_the_same_hash_under_either_policy() -> None:
    assert HIDDEN.phone_fields(PHONE)["phone_hash"] == KEPT.phone_fields(PHONE)["phone_hash"]


def test_another_key_gives_other_hashes() -> None:
    ours, theirs = HIDDEN.phone_fields(PHONE), OTHER_KEY.phone_fields(PHONE)
    assert ours["phone_hash"] != theirs["phone_hash"]
    assert ours["phone_range"] != theirs["phone_range"]


@pytest.mark.parametrize(
    "phone",
    [
        PHONE,
        "4917612345678",
        "+49 176 123-456-78",
        "(+49)17612345678",
        "00 49 176 12345678",
        "004917612345678",
        "(0049) 176 12345678",
        "+49(0)176 12345678",
        "+٤٩١٧٦١٢٣٤٥٦٧٨",
        "+49 176‑12345678",
    ],
)
def test_ways_of_writing_a_number_hash_the_same(phone: str) -> None:
    assert HIDDEN.phone_fields(phone)["phone_hash"] == HIDDEN.phone_fields(PHONE)["phone_hash"]


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("+39 06 1234567", "+39061234567"),
        ("+52 1 55 1234 5678", "+5215512345678"),
        ("+36 06 1 234 5678", "+360612345678"),
    ],
)
def test_a_digit_that_a_numbering_plan_would_drop_stays(phone: str, number: str) -> None:
    assert normalised(phone) == normalised(number) == number


@pytest.mark.parametrize("phone", ["+", "anonymous", "n/a 12", "x", " ", "+49²"])
def test_what_is_no_number_is_refused(phone: str) -> None:
    with pytest.raises(NotAPhoneNumberError) as caught:
        HIDDEN.phone_fields(phone)
    assert str(caught.value) == "Not a phone number"


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("ip", "203.0.113.77", "203.0.113.0/24"),
        ("ip", "2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("ip", "Erika", None),
        ("sender_id", "Contoso AG", "Contoso AG"),
        ("sender_id", "33033", "33033"),
        ("sender_id", "4U", "4U"),
        ("sender_id", PHONE, f"+49*********78~{HIDDEN.hash_of(PHONE)[:8]}"),
        ("sender_id", "0049 176 12345678", f"+49*********78~{HIDDEN.hash_of(PHONE)[:8]}"),
        ("sender_id", "erika@example.org", f"~{HIDDEN.hash_of('erika@example.org')[:8]}"),
        ("callback_data", "order 17 of Ann", HIDDEN.hash_of("order 17 of Ann")),
        ("service_code", "text2speech_ssml", "text2speech_ssml"),
        ("service_code", PHONE, f"+49*********78~{HIDDEN.hash_of(PHONE)[:8]}"),
        ("voice_lang", "de-DE", "de-DE"),
        ("voice_lang", "Erika Mustermann", f"~{HIDDEN.hash_of('Erika Mustermann')[:8]}"),
        ("ip", None, None),
        ("sender_id", "", ""),
    ],
)
def test_each_personal_column_is_treated_by_its_safe_default(
    column: str, value: str | None, stored: str | None
) -> None:
    assert HIDDEN.treated(column, value) == stored
    assert KEPT.treated(column, value) == value


@pytest.mark.parametrize(
    ("treatment", "stored"),
    [("keep", "a 1"), ("mask", "***"), ("hash", HIDDEN.hash_of("a 1")), ("drop", None)],
)
def test_a_column_can_be_treated_in_another_way(treatment: str, stored: str | None, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, pii_columns=f"callback_data={treatment}")
    pii = Pii(settings.pii, b"a key", settings.pii_columns)
    assert pii.treated("callback_data", "a 1") == stored
    assert pii.treated("ip", "203.0.113.77") == "203.0.113.0/24"


@pytest.mark.parametrize("given", ["phone=keep", "ip=burn", "ip", "ip:drop"])
def test_a_treatment_that_is_none_is_refused_with_those_there_are(given: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"callback_data, ip, sender_id.*keep, mask, hash, drop"):
        load_settings(data_dir=tmp_path, pii_columns=given)


@pytest.mark.parametrize("phone", [None, ""])
def test_no_number_leaves_every_field_null(phone: str | None) -> None:
    assert set(HIDDEN.phone_fields(phone).values()) == {None}


def test_numbers_that_differ_in_the_last_three_digits_share_a_range() -> None:
    near, far = HIDDEN.phone_fields("+4917612345999"), HIDDEN.phone_fields("+4917612346678")
    assert near["phone_range"] == HIDDEN.phone_fields(PHONE)["phone_range"]
    assert far["phone_range"] != near["phone_range"]
    assert near["phone_range"] != near["phone_hash"]


@pytest.mark.parametrize(
    ("number", "mask"),
    [
        (PHONE, "+49*********78"),
        ("+12345678", "+12****78"),
        ("+1234567", "+*******"),
        ("+1", "+*"),
    ],
)
def test_a_mask_shows_two_digits_at_either_end_of_a_long_number_only(number: str, mask: str) -> None:
    assert masked(number) == mask


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_at_least_half_of_a_number_stays_hidden(number: str) -> None:
    mask = masked(number)
    assert len(mask) == len(number)
    assert mask.count("*") * 2 >= len(number) - 1
    assert normalised(number) == number


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_under_pseudonymise_no_field_holds_the_number(number: str) -> None:
    values = [value for value in HIDDEN.phone_fields(number).values() if value]
    assert not any(number.removeprefix("+") in value for value in values)


def test_under_keep_number_and_text_are_stored_as_they_came() -> None:
    assert KEPT.phone_fields("0049 176 1")["phone"] == "0049 176 1"
    assert KEPT.text_fields("Hi Ann", is_unicode=None, is_deleted=False)["text"] == "Hi Ann"


def test_under_pseudonymise_neither_is() -> None:
    assert HIDDEN.phone_fields(PHONE)["phone"] is None
    assert HIDDEN.text_fields("Hi Ann", is_unicode=None, is_deleted=False)["text"] is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain", "{}"),
        ("王小明 您的验证码是 ٨٣٠٤١٧", '{"cjk":9,"digit":6}'),
        ("“Łukasz” – jetzt…", '{"latin":1,"–":1,"“":1,"”":1,"…":1}'),
        ("Danke 🎉🎉 👍🏽", '{"emoji":4}'),
        ("20 % ™ ₹ ①", '{"digit":1,"no-break space":1,"₹":1,"™":1}'),
        ("а́", '{"combining":1,"cyrillic":1}'),
    ],
)
def test_of_what_is_outside_gsm_signs_are_told_and_of_letters_and_digits_only_the_kind(
    text: str, told: str
) -> None:
    fields = HIDDEN.text_fields(text, is_unicode=None, is_deleted=False)
    assert fields["text_non_gsm"] == told


@given(st.text(min_size=1, max_size=60))
def test_no_letter_and_no_digit_of_a_text_is_told(text: str) -> None:
    fields = HIDDEN.text_fields(text, is_unicode=True, is_deleted=False)
    told = json.loads(str(fields["text_non_gsm"]))
    shown = [name for name in told if len(name) == 1]
    assert not any(name.isalnum() for name in shown)


def test_of_a_text_its_units_parts_and_strange_characters_are_kept() -> None:
    fields = HIDDEN.text_fields("5 € für Łukasz", is_unicode=True, is_deleted=False)
    assert (fields["text_units"], fields["text_parts"], fields["text_non_gsm"]) == (14, 1, '{"latin":1}')


@pytest.mark.parametrize("text", ["", "not yet blanked", None])
def test_of_a_deleted_text_nothing_is_derived(text: str | None) -> None:
    fields = HIDDEN.text_fields(text, is_unicode=None, is_deleted=True)
    assert set(fields.values()) == {None}
    assert set(fields) == set(HIDDEN.text_fields("a", is_unicode=None, is_deleted=False))


def test_no_text_at_all_is_treated_alike() -> None:
    assert set(HIDDEN.text_fields(None, is_unicode=None, is_deleted=None).values()) == {None}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("your code is 123456", "your code is 9"),
        ("dear Ann, your parcel", "dear Bob, your parcel"),
        ("dear Ångström, hello", "dear Łukasz, hello"),
        ("dear Šimon, hello", "dear Ann, hello"),
        ("дорогой Иван, привет", "дорогой Пётр, привет"),
        ("γεια Γιώργο", "γεια Ελένη"),
        ("booking XK7P2Q is ready", "booking AB12CD is ready"),
        ("see eBay", "see YouTube"),
        ("pay 5min", "pay 10min"),
        ("hi Mary-Jane", "hi Mary-Ann"),
    ],
)
def test_texts_that_differ_in_digits_and_capitalised_words_share_a_template(one: str, other: str) -> None:
    assert template(one) == template(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("your code is 1", "your pin is 1"),
        ("dear Ann, hello", "dear Ann hello"),
        ("sale ends today", "sale ends soon"),
        ("5min", "5sec"),
    ],
)
def test_texts_that_differ_in_other_words_do_not(one: str, other: str) -> None:
    assert template(one) != template(other)


def test_a_template_is_keyed_too() -> None:
    theirs = OTHER_KEY.text_fields("hello", is_unicode=None, is_deleted=False)["text_template"]
    assert template("hello") != theirs


def test_one_number_more_does_not_change_what_was_given_for_another() -> None:
    before = dict(HIDDEN.phone_fields(PHONE))
    HIDDEN.phone_fields("+4917699999999")
    assert dict(HIDDEN.phone_fields(PHONE)) == before
