"""What speaks against closing a month is found in the warehouse, to the last row and the last digit."""

from typing import Any

import duckdb
import pytest

from sms_etl.finance.closing.facts import Facts, Layers, read_facts
from sms_etl.finance.queries import Queries
from sms_etl_tests.finance.closing.small import FEBRUARY, JANUARY, NOW

FIRST = "uuid = '00000000-0000-0000-0000-000000000001'"
QUARANTINED = (
    "insert into ops.quarantine by name select uuid() as quarantine_id, uuid() as run_id, 'sms' as stream, "
    "now() as quarantined_at, 'bad' as reason, "
)


def facts_of(connection: duckdb.DuckDBPyConnection, month: Any = JANUARY) -> Facts:
    queries = Queries(connection, month)
    return read_facts(queries, queries.row("closing/context"), NOW)


def nothing_against(facts: Facts) -> Facts:
    """Return the facts of a ripe month that begins, ends and is looked at when this one is."""
    return Facts(facts.month, facts.timezone, facts.starts_at, facts.ends_at, facts.now)


def test_of_a_ripe_month_nothing_is_found(ripe: duckdb.DuckDBPyConnection) -> None:
    facts = facts_of(ripe)
    assert facts == nothing_against(facts)


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        (f"update marts.fct_sms set is_final = false where {FIRST}", "open_messages", 1),
        (f"update marts.fct_sms set is_final = false, is_aged_out = true where {FIRST}", "open_messages", 0),
        (f"update marts.fct_sms set has_price = false where {FIRST}", "unpriced", 1),
        ("update ops.build_context set is_current = false", "is_current", False),
        ("update marts.coverage_monthly set missing_seconds = 7", "missing_seconds", 7),
        (
            "insert into ops.model_test values (now(), 'marts.x', 'y', 'error', 2)",
            "failed_checks",
            ("marts.x: y (2 rows)",),
        ),
        ("insert into ops.model_test values (now(), 'marts.x', 'y', 'warn', 2)", "failed_checks", ()),
        (f"{QUARANTINED} null as created_at", "waiting", 1),
        (f"{QUARANTINED} timestamp '2026-01-31 22:59:59' as created_at", "waiting", 1),
        (f"{QUARANTINED} timestamp '2026-01-31 23:00:00' as created_at", "waiting", 0),
        (f"{QUARANTINED} timestamp '2025-12-31 22:59:59' as created_at", "waiting", 0),
        (f"{QUARANTINED} null as created_at, now() as accepted_at", "waiting", 0),
        (f"{QUARANTINED} null as created_at, now() as replayed_at", "waiting", 0),
        (f"{QUARANTINED.replace('sms', 'bulks')} null as created_at", "waiting", 0),
        (
            f"{QUARANTINED} 'file' as kind, timestamp '2026-01-31' as since_at, "
            "timestamp '2026-02-05' as until_at",
            "waiting",
            1,
        ),
        (
            f"{QUARANTINED} 'file' as kind, timestamp '2026-02-01' as since_at, "
            "timestamp '2026-02-05' as until_at",
            "waiting",
            0,
        ),
    ],
)
def test_each_thing_is_counted(
    ripe: duckdb.DuckDBPyConnection, change: str, name: str, expected: object
) -> None:
    ripe.execute(change)
    assert getattr(facts_of(ripe), name) == expected


@pytest.mark.parametrize(
    "change",
    [
        "update raw.sms set price = price + 0.000001 where",
        "update raw.sms set price = null where",
        "update raw.sms set currency = 'CHF' where",
        "update raw.sms set status_code = 101 where",
        "update raw.sms set dlr_code = 2 where",
        "update raw.sms set is_sent = true where",
        "update raw.sms set gateway_sent_at = now() where",
        "delete from raw.sms where",
        "delete from raw.sms_change where",
    ],
)
def test_a_message_that_was_changed_by_hand_is_named(ripe: duckdb.DuckDBPyConnection, change: str) -> None:
    ripe.execute(f"{change} {FIRST}")
    facts = facts_of(ripe)
    assert (facts.differing, facts.differing_uuids) == (1, ("00000000-0000-0000-0000-000000000001",))


def test_only_the_newest_row_of_a_change_log_counts(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute(
        "insert into raw.sms_change by name "
        "select * replace (observed_at - interval 1 day as observed_at, 9 as price) from raw.sms_change"
    )
    assert facts_of(ripe).differing == 0


def test_of_many_changed_messages_five_are_named(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute(
        "insert into raw.sms by name "
        "select uuid() as uuid, sms.* exclude (uuid) from raw.sms as sms, range(3)"
    )
    facts = facts_of(ripe)
    assert (facts.differing, len(facts.differing_uuids)) == (12, 5)


@pytest.mark.parametrize("table", ["raw.sms", "marts.fct_sms"])
def test_layers_that_differ_by_one_step_are_found(ripe: duckdb.DuckDBPyConnection, table: str) -> None:
    ripe.execute(f"update {table} set price = price + 0.000001 where {FIRST}")
    (found,) = facts_of(ripe).layers
    assert (found.currency, found.messages, f"{found.cost:.6f}") == ("EUR", 0, "0.000001")


def test_layers_that_differ_by_a_message_are_found(ripe: duckdb.DuckDBPyConnection) -> None:
    ripe.execute("update marts.cost_monthly set messages = messages + 1 where cost_centre = 'Marketing'")
    (found,) = facts_of(ripe).layers
    assert isinstance(found, Layers)
    assert found.messages == 1


def test_an_earlier_month_with_messages_has_to_be_closed_first(ripe: duckdb.DuckDBPyConnection) -> None:
    assert facts_of(ripe, FEBRUARY).open_before == (JANUARY,)
