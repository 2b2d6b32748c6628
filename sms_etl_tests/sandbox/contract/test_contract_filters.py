"""Holds each documented filter of `GET /sms` and `GET /bulks` against the same choice made here."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from sms_etl_tests.sandbox.contract.talk import (
    JSON,
    Params,
    Row,
    answer,
    by_uuid,
    documented,
    read_all,
    total,
)

Predicate = Callable[[Row], bool]
Case = tuple[Params, Predicate]

SMS_EXACT = ("uuid", "iso2", "dlr_code", "status_code", "key_id", "callback_data", "bulk")
SMS_RANGES = ("created_at", "gateway_sent_at", "delivery_at", "chars_count", "parts_count", "source")
SMS_PARTIAL = ("text", "sender_id", "phone", "ip")
BULK_EXACT = ("uuid", "status_code", "key_id", "source")
BULK_RANGES = (
    "status_code",
    "created_at",
    "delivery_at",
    "processed_at",
    "msg_total_count",
    "source",
    "key_id",
)
RANGE_FORMS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "lt": lambda value, low, high: value < high,
    "lte": lambda value, low, high: value <= high,
    "gt": lambda value, low, high: value > low,
    "gte": lambda value, low, high: value >= low,
    "between": lambda value, low, high: low <= value <= high,
}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def field_of(parameter: str) -> str:
    """Return the field a parameter filters: they differ for `bulk` only."""
    return "bulk_id" if parameter == "bulk" else parameter


def values_of(rows: Sequence[Row], field: str) -> list[Any]:
    """Return the values of a field, smallest first; null takes part in no filter."""
    return sorted({row[field] for row in rows if row[field] is not None})


def thirds(rows: Sequence[Row], field: str) -> tuple[Any, Any]:
    """Return two values that rows really have, a third and two thirds up: bounds hit rows exactly."""
    values = values_of(rows, field)
    return values[len(values) // 3], values[-(-2 * (len(values) - 1) // 3)]


def exact_case(rows: Sequence[Row], parameter: str) -> Case:
    field = field_of(parameter)
    value = values_of(rows, field)[-1]
    return [(parameter, str(value))], lambda row: row[field] == value


def in_case(rows: Sequence[Row], parameter: str) -> Case:
    field = field_of(parameter)
    values = values_of(rows, field)
    chosen = {values[0], values[len(values) // 2]}
    return [(f"{parameter}[]", str(value)) for value in chosen], lambda row: row[field] in chosen


def range_case(rows: Sequence[Row], field: str, form: str) -> Case:
    low, high = thirds(rows, field)
    bound = {"lt": high, "lte": high, "gt": low, "gte": low, "between": f"{low}..{high}"}[form]
    holds = RANGE_FORMS[form]
    return (
        [(f"{field}[{form}]", str(bound))],
        lambda row: row[field] is not None and holds(row[field], low, high),
    )


def verify(client: httpx.Client, path: str, rows: Sequence[Row], case: Case) -> set[str]:
    """Hold what the provider chose against what the predicate chooses; give the uuids."""
    params, predicate = case
    expected = [row for row in rows if predicate(row)]
    assert by_uuid(read_all(client, path, params)) == by_uuid(expected), params
    return {row["uuid"] for row in expected}


@pytest.mark.parametrize("parameter", SMS_EXACT + SMS_RANGES)
def test_an_exact_filter_chooses_the_rows_with_that_value(
    provider: httpx.Client, messages: list[Row], parameter: str
) -> None:
    assert verify(provider, "/sms", messages, exact_case(messages, parameter))


@pytest.mark.parametrize("parameter", SMS_EXACT + SMS_RANGES)
def test_a_repeated_filter_means_one_of(provider: httpx.Client, messages: list[Row], parameter: str) -> None:
    assert verify(provider, "/sms", messages, in_case(messages, parameter))


def numbered(params: Params, start: int = 0) -> Params:
    """Return `name[]` as PHP's `http_build_query` writes it, `name[0]`, `name[1]`, counted from `start`."""
    return [(name.replace("[]", f"[{number}]"), value) for number, (name, value) in enumerate(params, start)]


@pytest.mark.parametrize("parameter", SMS_EXACT + SMS_RANGES)
def test_a_numbered_filter_means_one_of(provider: httpx.Client, messages: list[Row], parameter: str) -> None:
    params, predicate = in_case(messages, parameter)
    assert verify(provider, "/sms", messages, (numbered(params), predicate))


@pytest.mark.parametrize("start", [-1, 1, 7, 4_000])
def test_a_numbered_filter_may_count_from_any_number(
    provider: httpx.Client, messages: list[Row], start: int
) -> None:
    params, predicate = in_case(messages, "uuid")
    assert verify(provider, "/sms", messages, (numbered(params, start), predicate))


def test_numbered_and_plain_lists_add_up(provider: httpx.Client, messages: list[Row]) -> None:
    chosen = [row["uuid"] for row in messages[:3]]
    params = [("uuid[0]", chosen[0]), ("uuid[]", chosen[1]), ("uuid[]", chosen[2])]
    assert verify(provider, "/sms", messages, (params, lambda m: m["uuid"] in chosen)) == set(chosen)


@pytest.mark.parametrize("parameter", [*SMS_EXACT, *SMS_RANGES])
@pytest.mark.parametrize("brackets", ["[]", "[0]"])
def test_an_empty_element_of_a_list_counts_as_none(
    provider: httpx.Client, messages: list[Row], parameter: str, brackets: str
) -> None:
    assert total(provider, "/sms", [(f"{parameter}{brackets}", "")]) == len(messages)
    params, predicate = exact_case(messages, parameter)
    case = [(f"{parameter}{brackets}", ""), (f"{parameter}[1]", params[0][1])]
    assert total(provider, "/sms", case) == sum(map(predicate, messages))


@pytest.mark.parametrize("form", RANGE_FORMS)
@pytest.mark.parametrize("field", SMS_RANGES)
def test_a_range_includes_its_bound_as_its_form_says(
    provider: httpx.Client, messages: list[Row], field: str, form: str
) -> None:
    params, predicate = range_case(messages, field, form)
    recent = messages[-(len(messages) // 4)]["created_at"]
    narrowed = [*params, ("created_at[gte]", str(recent))] if field != "created_at" else params
    case: Case = (narrowed, lambda m: predicate(m) and (field == "created_at" or m["created_at"] >= recent))
    verify(provider, "/sms", messages, case)


@pytest.mark.parametrize("given", BOOLEANS)
@pytest.mark.parametrize("field", ["is_sent", "is_unicode"])
def test_a_boolean_may_be_a_word_or_a_digit(
    provider: httpx.Client, messages: list[Row], field: str, given: str
) -> None:
    recent = messages[len(messages) // 2]["created_at"]
    params = [(field, given), ("created_at[gte]", str(recent))]
    case: Case = (params, lambda m: m[field] is BOOLEANS[given] and m["created_at"] >= recent)
    assert verify(provider, "/sms", messages, case)


@pytest.mark.parametrize("parameter", SMS_PARTIAL)
def test_a_partial_filter_finds_the_part_anywhere(
    provider: httpx.Client, messages: list[Row], parameter: str
) -> None:
    whole = max((m[parameter] for m in messages), key=len)
    part = whole[2:7].strip()
    found = verify(
        provider, "/sms", messages, ([(parameter, part)], lambda m: part.lower() in m[parameter].lower())
    )
    assert found


@pytest.mark.parametrize("parameter", ["text", "sender_id"])
@pytest.mark.parametrize("change", [str.upper, str.lower], ids=["upper", "lower"])
def test_a_partial_text_ignores_case(
    provider: httpx.Client, messages: list[Row], parameter: str, change: Callable[[str], str]
) -> None:
    mixed = next(
        m[parameter] for m in messages if m[parameter].isascii() and any(map(str.isalpha, m[parameter]))
    )
    part = change(mixed[:6].strip())
    case: Case = ([(parameter, part)], lambda m: part.lower() in m[parameter].lower())
    assert verify(provider, "/sms", messages, case)


def test_a_phone_filter_matches_everyone_whose_number_contains_it(
    provider: httpx.Client, messages: list[Row]
) -> None:
    found = verify(provider, "/sms", messages, ([("phone", "491")], lambda m: "491" in m["phone"]))
    assert len({m["phone"] for m in messages if m["uuid"] in found}) > 1


def test_an_exact_filter_is_not_partial(provider: httpx.Client, messages: list[Row]) -> None:
    callback = next(m["callback_data"] for m in messages if m["callback_data"])
    for params in ([("uuid", messages[0]["uuid"][:20])], [("iso2", "D")], [("callback_data", callback[:-1])]):
        case: Case = (params, lambda m, wanted=params[0]: m[wanted[0]] == wanted[1])  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        verify(provider, "/sms", messages, case)


def test_fifty_uuids_can_be_asked_for_at_once(provider: httpx.Client, messages: list[Row]) -> None:
    chosen = {row["uuid"] for row in messages[:: len(messages) // 50][:50]}
    found = verify(
        provider, "/sms", messages, ([("uuid[]", u) for u in chosen], lambda m: m["uuid"] in chosen)
    )
    assert len(found) == 50


def test_filters_together_mean_all_of_them(provider: httpx.Client, messages: list[Row]) -> None:
    low, high = thirds(messages, "created_at")
    params = [
        ("created_at[gte]", str(low)),
        ("created_at[lt]", str(high)),
        ("dlr_code[]", "0"),
        ("dlr_code[]", "1"),
        ("is_unicode", "false"),
        ("phone", "4"),
        ("_order[created_at]", "desc"),
    ]
    found = verify(
        provider,
        "/sms",
        messages,
        (
            params,
            lambda m: (
                low <= m["created_at"] < high
                and m["dlr_code"] in {0, 1}
                and m["is_unicode"] is False
                and "4" in m["phone"]
            ),
        ),
    )
    assert 0 < len(found) < len(messages)


def test_a_filter_that_nothing_meets_answers_an_empty_collection(provider: httpx.Client) -> None:
    assert read_all(provider, "/sms", [("created_at[lt]", "1")]) == []


@pytest.mark.parametrize("parameter", [*SMS_EXACT, *SMS_RANGES, *SMS_PARTIAL, "is_sent", "is_unicode"])
def test_an_empty_value_counts_as_no_filter(
    provider: httpx.Client, messages: list[Row], parameter: str
) -> None:
    assert total(provider, "/sms", [(parameter, "")]) == len(messages)


def test_an_empty_value_beside_a_filter_leaves_the_filter(
    provider: httpx.Client, messages: list[Row]
) -> None:
    country = messages[0]["iso2"]
    expected = sum(m["iso2"] == country for m in messages)
    assert total(provider, "/sms", [("text", ""), ("iso2", country)]) == expected


@pytest.mark.parametrize("parameter", BULK_EXACT)
def test_a_bulk_filter_chooses_exactly(provider: httpx.Client, bulks: list[Row], parameter: str) -> None:
    params, predicate = in_case(bulks, parameter)
    assert verify(provider, "/bulks", bulks, exact_case(bulks, parameter))
    assert verify(provider, "/bulks", bulks, (params, predicate))
    assert verify(provider, "/bulks", bulks, (numbered(params), predicate))


@pytest.mark.parametrize("parameter", ["text", "sender_id"])
@pytest.mark.parametrize("change", [str.upper, str.lower], ids=["upper", "lower"])
def test_bulks_can_be_asked_for_by_a_part_of_text_or_sender(
    provider: httpx.Client, bulks: list[Row], parameter: str, change: Callable[[str], str]
) -> None:
    full = {b["uuid"]: answer(provider, f"/bulks/{b['uuid']}", accept=JSON)[parameter] for b in bulks}
    part = change(full[bulks[0]["uuid"]][2:8].strip())
    case: Case = ([(parameter, part)], lambda b: part.lower() in full[b["uuid"]].lower())
    assert verify(provider, "/bulks", bulks, case)
    assert verify(provider, "/bulks", bulks, ([(parameter, "no such part")], lambda b: False)) == set()


@pytest.mark.parametrize("given", BOOLEANS)
def test_bulks_can_be_asked_for_by_whether_they_have_an_encoding(
    fresh_provider: httpx.Client, given: str
) -> None:
    order = {"sender_id": "Contract", "text": "Hello", "phones": ["+4915112345678"]}
    for is_unicode in (True, False, None):
        assert fresh_provider.post("/bulks", json={**order, "is_unicode": is_unicode}).is_success
    rows = read_all(fresh_provider, "/bulks")
    case: Case = ([("exists[is_unicode]", given)], lambda b: (b["is_unicode"] is not None) is BOOLEANS[given])
    assert verify(fresh_provider, "/bulks", rows, case)


@pytest.mark.parametrize("form", RANGE_FORMS)
@pytest.mark.parametrize("field", BULK_RANGES)
def test_bulks_can_be_asked_for_by_range(
    provider: httpx.Client, bulks: list[Row], field: str, form: str
) -> None:
    verify(provider, "/bulks", bulks, range_case(bulks, field, form))
    if form == "between":
        verify(provider, "/bulks", bulks, in_case(bulks, field))
        verify(provider, "/bulks", bulks, exact_case(bulks, field))


@pytest.mark.parametrize("given", BOOLEANS)
@pytest.mark.parametrize("field", ["is_dryrun", "is_unicode"])
def test_bulks_can_be_asked_for_by_boolean(
    provider: httpx.Client, bulks: list[Row], field: str, given: str
) -> None:
    verify(provider, "/bulks", bulks, ([(field, given)], lambda b: b[field] is BOOLEANS[given]))


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["created_at", "delivery_at", "processed_at", "msg_total_count"])
def test_an_order_of_bulks_sorts_and_loses_nothing(
    provider: httpx.Client, bulks: list[Row], field: str, direction: str
) -> None:
    rows = read_all(provider, "/bulks", [(f"_order[{field}]", direction)])
    values = [row[field] for row in rows if row[field] is not None]
    assert values == sorted(values, reverse=direction == "desc")
    assert by_uuid(rows) == {bulk["uuid"]: documented(bulk) for bulk in bulks}
