"""Which cost centre a message is charged to: by which rule, on which days, and never to two or to none."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_etl.errors import ModelError
from sms_etl_tests.sql.warehouse_rows import Rows, empty_warehouse

Charged = Callable[[str], dict[str, str]]
HEADER = (
    "key_id,sender_id,source,bulk_id,callback_prefix,valid_from,valid_to,priority,cost_centre,description"
)


def build(rows: Rows, seeds: Path, text: str, *models: str) -> None:
    (seeds / "cost_centres.csv").write_text(text)
    rows.build(seeds, models or ("marts.cost_daily",))


@pytest.fixture
def charged(rows: Rows, seeds: Path) -> Charged:
    """Build with a file, and return the cost centres by sender."""

    def found(text: str) -> dict[str, str]:
        build(rows, seeds, text)
        return dict(rows.select("select sender_id, cost_centre from marts.fct_sms"))

    return found


def test_a_rule_may_name_a_key_a_sender_a_source_a_bulk_or_a_beginning(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="key", key_id=1)
    rows.sms("2", sender_id="ACME", key_id=None)
    rows.sms("3", sender_id="source", key_id=None, source=7)
    rows.sms("4", sender_id="bulk", key_id=None, bulk_id=rows.uuid("b"))
    rows.sms("5", sender_id="callback", key_id=None, callback_data="news-2026-01")
    rows.sms("6", sender_id="none", key_id=None, callback_data="new")
    text = (
        f"{HEADER}\n1,,,,,,,,A,\n,ACME,,,,,,,B,\n,,7,,,,,,C,\n,,,{rows.uuid('b')},,,,,D,\n,,,,news-,,,,E,\n"
    )
    assert charged(text) == {
        "key": "A",
        "ACME": "B",
        "source": "C",
        "bulk": "D",
        "callback": "E",
        "none": "unassigned",
    }
    assert rows.select("select cost_centre, cost_centre_by from marts.fct_sms order by cost_centre") == [
        ("A", "key"),
        ("B", "sender"),
        ("C", "source"),
        ("D", "bulk"),
        ("E", "callback"),
        ("unassigned", None),
    ]


def test_a_file_as_it_was_before_goes_on_working(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="a", key_id=8207)
    rows.sms("2", sender_id="b", key_id=1)
    assert charged("key_id,cost_centre,description\n8207,Marketing,\n") == {
        "a": "Marketing",
        "b": "unassigned",
    }


def test_at_the_same_priority_the_narrower_kind_of_rule_decides(rows: Rows, charged: Charged) -> None:
    everything = {"key_id": 1, "source": 7, "bulk_id": rows.uuid("b"), "callback_data": "news-1"}
    rows.sms("1", sender_id="ACME", **everything)
    rules = {
        "bulk": f",,,{rows.uuid('b')},,,,,bulk,",
        "callback": ",,,,news,,,,callback,",
        "sender": ",ACME,,,,,,,sender,",
        "key": "1,,,,,,,,key,",
        "source": ",,7,,,,,,source,",
    }
    while rules:
        assert charged("\n".join([HEADER, *rules.values()])) == {"ACME": next(iter(rules))}
        del rules[next(iter(rules))]


@pytest.mark.parametrize(
    ("of_key", "of_bulk", "expected"), [(1, 0, "K"), (0, 1, "B"), (-1, -2, "K"), (2, 2, "B")]
)
def test_the_higher_priority_decides(
    rows: Rows, charged: Charged, of_key: int, of_bulk: int, expected: str
) -> None:
    rows.sms("1", sender_id="a", key_id=1, bulk_id=rows.uuid("b"))
    text = f"key_id,bulk_id,priority,cost_centre\n1,,{of_key},K\n,{rows.uuid('b')},{of_bulk},B\n"
    assert charged(text) == {"a": expected}


def test_of_several_beginnings_the_longest_decides_unless_priority_does(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="a", callback_data="news-be-1")
    rows.sms("2", sender_id="b", callback_data="news-1")
    by_length = "callback_prefix,cost_centre\nnews-,Germany\nnews-be-,Belgium\n"
    assert charged(by_length) == {"a": "Belgium", "b": "Germany"}
    by_priority = "callback_prefix,cost_centre,priority\nnews-,Germany,1\nnews-be-,Belgium,\n"
    assert charged(by_priority) == {"a": "Germany", "b": "Germany"}


def test_a_hash_that_is_stored_can_be_named_as_a_whole(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="a", callback_data="0f" * 16)
    assert charged(f"callback_prefix,cost_centre\n{'0f' * 16},A\n") == {"a": "A"}


def test_a_rule_holds_from_its_first_to_its_last_business_day(rows: Rows, charged: Charged) -> None:
    moments = {
        "day before": "2026-01-09 22:59:59",
        "first moment": "2026-01-09 23:00:00",  # midnight in Berlin
        "last moment": "2026-01-11 22:59:59",
        "day after": "2026-01-11 23:00:00",
    }
    for sender, moment in moments.items():
        rows.sms(sender, sender_id=sender, created_at=moment, key_id=1)
    assert charged("key_id,valid_from,valid_to,cost_centre\n1,2026-01-10,2026-01-11,A\n") == {
        "day before": "unassigned",
        "first moment": "A",
        "last moment": "A",
        "day after": "unassigned",
    }


def test_a_key_moves_to_another_cost_centre_on_a_day(rows: Rows, charged: Charged) -> None:
    for day in ("2026-01-10", "2026-01-20", "2026-01-25", "2026-01-31"):
        rows.sms(day, sender_id=day, created_at=f"{day} 12:00:00", key_id=1)
    text = (
        "key_id,valid_from,valid_to,priority,cost_centre\n"
        "1,,2026-01-19,,Sales\n1,2026-01-20,,,Support\n1,2026-01-25,2026-01-25,1,Fair\n"
    )
    assert charged(text) == {
        "2026-01-10": "Sales",
        "2026-01-20": "Support",
        "2026-01-25": "Fair",
        "2026-01-31": "Support",
    }


def test_two_rules_that_say_the_same_charge_a_message_once(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="a", key_id=1, price="0.10")
    assert charged("key_id,cost_centre,valid_from\n1,A,\n1,A,2026-01-01\n1,A,\n") == {"a": "A"}
    assert rows.select("select cost_centre, messages, cost from marts.cost_daily") == [
        ("A", 1, Decimal("0.1"))
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key_id,cost_centre\n1,A\n2,A\n1,B\n", r"csv:4: .*for another cost centre. Compare line 2\."),
        (
            "key_id,valid_from,valid_to,cost_centre\n1,,2026-01-10,A\n1,2026-01-10,,B\n",
            r"csv:3: .*Compare line 2",
        ),
        ("key_id,cost_centre\n,A\n", r"csv:2: A rule names exactly one of key_id"),
        ("key_id,source,cost_centre\n1,2,A\n", r"csv:2: A rule names exactly one of key_id"),
        (
            "key_id,valid_from,cost_centre\n1,1.2.2026,A\n",
            r"csv:2: valid_from is '1\.2\.2026', but must be a date such as 2026-01-31",
        ),
        ("key_id,valid_from,cost_centre\n1,05/01/20,A\n", r"csv:2: .* between 2000-01-01 and 2199-12-31"),
        (
            "key_id,valid_from,valid_to,cost_centre\n1,,,A\n2,2026-02-01,2026-01-31,B\n",
            r"csv:3: valid_to lies before valid_from",
        ),
        ("key_id,cost_centre\n1,\n", r"csv:2: cost_centre is empty"),
        ("key_id,cost_centre\n1,*\n", r"csv:2: A cost centre cannot be called `\*`"),
        ("key_id,cost_center\n1,A\n", r"csv:1: no column 'cost_center'; did you mean cost_centre\?"),
        ("key_id\n1\n", r"csv:1: the column cost_centre is missing"),
        ("line,key_id,cost_centre\n1,1,A\n", r"csv:1: no column 'line'"),
        ("bulk_id,cost_centre\nspring,A\n", r"csv:2: bulk_id is 'spring', but must be a UUID such as"),
    ],
)
def test_a_wrong_file_is_named_with_its_line_and_a_corrected_one_works(
    rows: Rows, charged: Charged, text: str, message: str
) -> None:
    rows.sms("1", sender_id="a", key_id=1)
    with pytest.raises(ModelError, match=message):
        charged(text)
    assert charged("key_id,cost_centre\n1,A\n") == {"a": "A"}


def test_rules_of_different_days_priorities_or_values_do_not_contradict(rows: Rows, charged: Charged) -> None:
    rows.sms("1", sender_id="a", key_id=1)
    text = (
        "key_id,sender_id,valid_from,valid_to,priority,cost_centre\n"
        "1,,,2026-01-09,,A\n1,,2026-01-10,,,B\n1,,,,-1,C\n2,,,,,D\n,1,,,,E\n"
    )
    assert charged(text) == {"a": "B"}


def test_beginnings_that_can_match_nothing_because_hashes_are_stored_are_told(
    rows: Rows, seeds: Path
) -> None:
    rows.sms("1", callback_data="0f" * 16)
    test = "marts.fct_sms.callback_prefixes_match_what_is_stored"
    build(rows, seeds, "callback_prefix,cost_centre\nnews-,A\n")
    assert rows.failing(["marts.fct_sms", "marts.cost_daily"]).get(test) == 1
    build(rows, seeds, f"callback_prefix,cost_centre\nnews-,A\n{'0f' * 16},B\n")
    assert test not in rows.failing(["marts.fct_sms", "marts.cost_daily"])
    build(rows, seeds, "key_id,cost_centre\n1,A\n")
    assert test not in rows.failing(["marts.fct_sms", "marts.cost_daily"])


def test_a_bulk_has_the_cost_centre_of_its_messages(rows: Rows, seeds: Path) -> None:
    for name in ("one", "several", "empty", "nobody's"):
        rows.bulk(name, key_id=5 if name == "empty" else None)
    rows.sms("1", bulk_id=rows.uuid("one"), key_id=1)
    rows.sms("2", bulk_id=rows.uuid("several"), key_id=1)
    rows.sms("3", bulk_id=rows.uuid("several"), key_id=2)
    build(rows, seeds, "key_id,cost_centre\n1,A\n2,B\n5,C\n", "marts.fct_bulk")
    found = dict(rows.select("select bulk_id, cost_centre from marts.fct_bulk"))
    assert {name: found[rows.uuid(name)] for name in ("one", "several", "empty", "nobody's")} == {
        "one": "A",
        "several": "several",
        "empty": "C",
        "nobody's": "unassigned",
    }


@pytest.mark.parametrize(
    ("column", "other"),
    [("bulk_id", "key_id"), ("key_id", "source")],
)
def test_a_bulk_without_messages_goes_by_the_rules_on_itself(
    rows: Rows, seeds: Path, column: str, other: str
) -> None:
    rows.bulk("b", key_id=5, source=7)
    values = {"bulk_id": rows.uuid("b"), "key_id": 5, "source": 7}
    for last_day, expected in (("", "A"), ("2026-01-09", "B")):
        text = f"{column},{other},valid_to,cost_centre\n{values[column]},,{last_day},A\n,{values[other]},,B\n"
        build(rows, seeds, text, "marts.fct_bulk")
        assert rows.one("select cost_centre from marts.fct_bulk") == expected


DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(8)]
RULES = st.fixed_dictionaries(
    {
        "column": st.sampled_from(("key_id", "sender_id", "source", "bulk_id", "callback_prefix")),
        "value": st.integers(0, 1),
        "first": st.none() | st.sampled_from(DAYS),
        "days": st.none() | st.integers(0, 7),
        "priority": st.none() | st.integers(-1, 1),
        "cost_centre": st.sampled_from("ABC"),
    }
)
KINDS = ("source", "key_id", "sender_id", "callback_prefix", "bulk_id")


def last_day(rule: dict[str, Any]) -> date:
    if rule["days"] is None:
        return date(9000, 1, 1)
    first: date = rule["first"] or DAYS[0]
    return first + timedelta(days=rule["days"])


def values_of(rows: Rows) -> dict[str, tuple[object, object]]:
    """Two values of each column; of the two beginnings one begins with the other."""
    return {
        "key_id": (1, 2),
        "sender_id": ("ACME", "Bank"),
        "source": (7, 8),
        "bulk_id": (rows.uuid("b"), rows.uuid("c")),
        "callback_prefix": ("x", "xy"),
    }


def by_hand(rules: list[dict[str, Any]], message: dict[str, object], day: date) -> set[str]:
    """Return what may be charged: several where rules contradict each other; none where no rule names it."""
    named = [
        rule
        for rule in rules
        if (rule["first"] or date(1, 1, 1)) <= day <= last_day(rule)
        and (
            str(message["callback_prefix"] or "").startswith(str(rule["named"]))
            if rule["column"] == "callback_prefix"
            else message[rule["column"]] == rule["named"]
        )
    ]
    ranks = [
        (
            rule["priority"] or 0,
            KINDS.index(rule["column"]),
            len(str(rule["named"])) * (rule["column"] == KINDS[3]),
        )
        for rule in named
    ]
    return {rule["cost_centre"] for rule, rank in zip(named, ranks, strict=True) if rank == max(ranks)} or {
        "unassigned"
    }


def contradict(rules: list[dict[str, Any]]) -> bool:
    """Return whether two rules name the same on the same day, as strongly, for different cost centres."""
    return any(
        one["named"] == other["named"]
        and one["column"] == other["column"]
        and (one["priority"] or 0) == (other["priority"] or 0)
        and one["cost_centre"] != other["cost_centre"]
        and (one["first"] or DAYS[0]) <= last_day(other)
        and (other["first"] or DAYS[0]) <= last_day(one)
        for one in rules
        for other in rules
    )


@given(
    rules=st.lists(RULES, max_size=8),
    messages=st.lists(
        st.tuples(*(st.none() | st.integers(0, 1) for _ in KINDS), st.sampled_from(DAYS)),
        min_size=1,
        max_size=20,
    ),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_rules_each_message_is_charged_once_and_as_by_hand(
    seeds: Path, rules: list[dict[str, Any]], messages: list[tuple[Any, ...]]
) -> None:
    with empty_warehouse() as rows:
        values = values_of(rows)
        for rule in rules:
            rule["named"] = values[rule["column"]][rule["value"]]
        expected = {}
        for number, (*chosen, day) in enumerate(messages):
            fields = {
                kind: None if choice is None else values[kind][choice]
                for kind, choice in zip(KINDS, chosen, strict=True)
            }
            expected[rows.uuid(str(number))] = by_hand(rules, fields, day)
            stored = {**fields, "callback_data": fields["callback_prefix"]}
            del stored["callback_prefix"]
            rows.sms(str(number), created_at=f"{day} 12:00:00", price="0.000001", **stored)
        lines = [
            ",".join(
                str(rule["named"]) if column == rule["column"] else "" for column in HEADER.split(",")[:5]
            )
            + f",{rule['first'] or ''},{'' if rule['days'] is None else last_day(rule)},"
            + f"{'' if rule['priority'] is None else rule['priority']},{rule['cost_centre']},"
            for rule in rules
        ]
        if contradict(rules):
            with pytest.raises(ModelError, match="for another cost centre"):
                build(rows, seeds, "\n".join([HEADER, *lines]))
            return
        build(rows, seeds, "\n".join([HEADER, *lines]))
        found = rows.select("select uuid, cost_centre from marts.fct_sms")
        assert len(found) == len(messages)
        assert {uuid: {cost_centre} for uuid, cost_centre in found} == expected
        assert rows.one("select sum(cost) from marts.cost_daily") == Decimal("0.000001") * len(messages)
