"""Tests of models: which rows each kind finds wrong, and that a result shows none of them."""

import json

import duckdb
import pytest

from sms_etl.errors import ModelError
from sms_etl.models.checks import MOST_ROWS_KEPT, TestResult, checks, run_tests
from sms_etl.models.project import load_project
from sms_etl.models.runner import build
from sms_etl_tests.models.small_project import Files, Load, Write

YML = """
models:
  - name: stg_sms
    description: One row a message.
    owner: messaging
    grain: [uuid]
    columns:
      - {name: uuid, type: varchar, description: key, tests: [TEST]}
      - {name: price, type: "decimal(18,6)", description: price}
"""


def run(
    connection: duckdb.DuckDBPyConnection, load: Load, files: Files, select: list[str] | None = None
) -> dict[str, TestResult]:
    project = load(files)
    build(connection, project)
    return {result.test: result for result in run_tests(connection, project, select)}


@pytest.mark.parametrize(
    ("test", "name", "failures"),
    [
        ("not_null", "uuid_not_null", 1),
        ("unique", "uuid_unique", 1),
        ("{accepted_values: [a, 'it''s']}", "uuid_accepted_values", 1),
        ("{relationships: raw.known.uuid}", "uuid_relationships", 2),
        ("{at_least: b}", "uuid_at_least", 2),
    ],
)
def test_each_kind_counts_the_rows_that_are_wrong(
    connection: duckdb.DuckDBPyConnection, load: Load, write: Write, test: str, name: str, failures: int
) -> None:
    connection.execute("delete from raw.sms")
    connection.execute("insert into raw.sms (uuid) values ('a'), ('a'), ('b'), ('it''s'), (null)")
    connection.execute("create table raw.known as select unnest(['b', 'it''s']) as uuid")
    root = write({"staging/_models.yml": YML.replace("TEST", test)})
    sources = {"raw.sms": dict.fromkeys(("uuid", "price"), ""), "raw.known": {"uuid": "varchar"}}
    project = load_project(root, sources=sources)
    build(connection, project)
    results = {result.test: result for result in run_tests(connection, project)}
    assert results[name].failures == failures
    assert not results[name].is_passed
    assert results[name].is_blocking


def test_tests_of_the_same_rows_are_counted_each_for_itself(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    connection.execute("insert into raw.sms values (null, -1, 'EUR'), ('c', null, 'EUR')")
    several = "not_null, {accepted_values: [a, b]}, {at_least: b}"
    declared = YML.replace("TEST", several) + (
        "    tests:\n"
        "      - {name: positive, description: It is., expression: stg_sms.price > 0}\n"
        "      - {name: known, description: It is., expression: uuid in (select 'a')}\n"
    )
    results = run(connection, load, {"staging/_models.yml": declared}, ["staging.stg_sms"])
    assert {name: result.failures for name, result in results.items()} == {
        "grain_unique": 1,
        "uuid_not_null": 1,
        "uuid_accepted_values": 1,
        "uuid_at_least": 1,
        "positive": 1,
        "known": 2,
    }


def test_an_error_names_the_tests_that_were_run_together_and_no_row(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    number = (
        "    tests:\n      - {name: number, description: It is., expression: cast(uuid as integer) > 0}\n"
    )
    project = load({"staging/_models.yml": YML.replace("TEST", "not_null") + number})
    build(connection, project)
    with pytest.raises(ModelError) as caught:
        run_tests(connection, project, ["staging.stg_sms"])
    assert caught.value.message == (
        "one of the tests uuid_not_null, number of staging.stg_sms cannot be run (ConversionException)"
    )


def test_a_grain_that_is_doubled_or_empty_is_found(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    connection.execute("insert into raw.sms (uuid) values ('a'), (null)")
    result = run(connection, load, {}, ["staging.stg_sms"])["grain_unique"]
    assert (result.model, result.failures) == ("staging.stg_sms", 2)


def test_a_warning_does_not_block(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    test = "{accepted_values: [a], severity: warn}"
    result = run(connection, load, {"staging/_models.yml": YML.replace("TEST", test)})["uuid_accepted_values"]
    assert (result.failures, result.severity, result.is_blocking) == (1, "warn", False)


def test_a_file_counts_the_rows_it_returns(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    sql = "-- Cheap ones.\n-- models: marts.spent\nselect sms.uuid from raw.sms as sms where sms.price < 1\n"
    result = run(connection, load, {"tests/cheap.sql": sql})["cheap"]
    assert (result.model, result.failures, result.check.description) == ("marts.spent", 2, "Cheap ones.")


def test_the_rows_can_be_had_from_the_tests_own_sql(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    sql = "-- models: marts.spent\nselect sms.uuid from raw.sms as sms where sms.price > 0.1; \n"
    result = run(connection, load, {"tests/dear.sql": sql})["dear"]
    assert connection.execute(result.check.sql).fetchall() == [("b",)]


def test_only_what_is_selected_is_tested(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    project = load()
    build(connection, project)
    assert {result.model for result in run_tests(connection, project, ["marts.spent"])} == {"marts.spent"}
    with pytest.raises(ModelError, match="did you mean"):
        run_tests(connection, project, ["marts.spend"])


def test_a_test_of_what_is_not_built_says_so_without_showing_rows(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    with pytest.raises(
        ModelError, match=r"grain_unique of staging\.stg_sms cannot be run \(CatalogException\)"
    ):
        run_tests(connection, load())


def test_every_test_of_the_package_has_a_name_of_its_own_and_says_something() -> None:
    found = checks(load_project())
    assert len({(check.model, check.test) for check in found}) == len(found)
    assert all(check.description for check in found)


def test_every_model_of_the_package_is_held_to_its_grain() -> None:
    project = load_project()
    held = {check.model for check in checks(project) if check.test == "grain_unique"}
    assert held == {*project.models, *project.seeds}


TESTED = """
models:
  - name: stg_sms
    description: One row a message.
    owner: messaging
    grain: [uuid]
    columns:
      - {name: uuid, type: varchar, description: key}
      - {name: price, type: "decimal(18,6)", description: price}
    tests:
      - {name: t, description: It holds., TEST}
"""


@pytest.mark.parametrize(
    ("test", "failures"),
    [
        ("expression: price < 0.2", 1),
        ("expression: price is null or price > 0", 0),
        ("row_count: {at_least: 4}", 1),
        ("row_count: {at_least: 3}", 0),
        ("row_count: {at_most: 2}", 1),
        ("row_count: {at_most: 3}", 0),
        ("row_count: {at_least: 1, at_most: 3}", 0),
    ],
)
def test_a_test_of_a_relation_counts_what_is_wrong(
    connection: duckdb.DuckDBPyConnection, load: Load, test: str, failures: int
) -> None:
    connection.execute("insert into raw.sms values ('c', null, 'EUR')")
    result = run(connection, load, {"staging/_models.yml": TESTED.replace("TEST", test)})["t"]
    assert (result.failures, result.check.description) == (failures, "It holds.")


@pytest.mark.parametrize(("days", "failures"), [(1, 1), (2, 0)])
def test_a_relation_is_fresh_as_long_as_its_newest_row_is_near_the_build(
    connection: duckdb.DuckDBPyConnection, write: Write, days: int, failures: int
) -> None:
    connection.execute("create schema ops; create table ops.build_context (as_of_at timestamp)")
    connection.execute("insert into ops.build_context values ('2026-01-12 00:00:01')")
    connection.execute(
        "create table raw.seen as select timestamp '2026-01-11' - interval 1 day * range as at from range(3)"
    )
    declared = TESTED.replace("varchar, description: key", "timestamp, description: key").replace(
        "TEST", f"freshness: {{column: uuid, within_days: {days}}}"
    )
    sql = "select seen.at as uuid, cast(null as decimal(18, 6)) as price from raw.seen as seen\n"
    root = write({"staging/_models.yml": declared, "staging/stg_sms.sql": sql})
    sources = {"raw.seen": {"at": "timestamp"}, "ops.build_context": {"as_of_at": "timestamp"}}
    project = load_project(root, sources=sources)
    build(connection, project)
    (result,) = [each for each in run_tests(connection, project) if each.test == "t"]
    assert result.failures == failures
    connection.execute("delete from raw.seen")
    assert run_tests(connection, project, ["staging.stg_sms"])[-1].is_passed


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("severity: warn", "write one of expression, row_count and freshness"),
        (
            "expression: price > 0, row_count: {at_least: 1}",
            "write one of expression, row_count and freshness",
        ),
        ("expression: cost > 0", r"stg_sms\.sql \(t\):1: .*cost"),
        ("expression: price >", r"stg_sms\.sql \(t\):1: "),
        ("row_count: {at_least: -1}", "at_least"),
        (
            "freshness: {column: seen_at, within_days: 1}",
            r"_models\.yml:3: t is about seen_at, no column of it",
        ),
        ("freshness: {column: uuid, within_days: 1}", r"t needs ops\.build_context, which is not there"),
    ],
)
def test_a_test_that_cannot_be_meant_is_refused(load: Load, test: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load({"staging/_models.yml": TESTED.replace("TEST", test)})


def test_two_tests_of_one_name_are_refused(load: Load) -> None:
    again = "      - {name: t, description: It holds., expression: price > 0}\n"
    with pytest.raises(ModelError, match="stg_sms has two tests called t"):
        load({"staging/_models.yml": TESTED.replace("TEST", "expression: price > 0") + again})


@pytest.mark.parametrize("description", ["''", "' '"])
def test_a_model_or_a_column_without_a_description_is_refused(load: Load, description: str) -> None:
    for said in ("One row a message.", "price}"):
        wrong = YML.replace("TEST", "unique").replace(said, description + said[-1] * said.endswith("}"))
        with pytest.raises(ModelError, match=r"staging/_models\.yml:\d+: .*description"):
            load({"staging/_models.yml": wrong})


def test_of_rows_that_are_wrong_figures_uuids_and_times_are_kept_and_no_text(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    sql = """-- models: marts.spent
select
    uuid '00000000-0000-4000-8000-000000000007' as uuid, 'Anna' as name, 491512345678 as key_id,
    491512345678 as source, 0.10::decimal(18, 6) as price, 7 as parts, true as is_open,
    date '2026-01-10' as day, timestamp '2026-01-10 12:00:00' as created_at,
    0.5::double as share, null as nothing
from raw.sms as sms
"""
    (first, second) = run(connection, load, {"tests/odd.sql": sql})["odd"].rows
    assert first == second
    assert json.loads(first) == {
        "uuid": "00000000-0000-4000-8000-000000000007",
        "price": "0.100000",
        "parts": "7",
        "is_open": "true",
        "day": "2026-01-10",
        "created_at": "2026-01-10 12:00:00",
    }


def test_of_a_test_that_many_rows_fail_the_first_are_kept(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    many = "raw.sms as sms cross join raw.sms as more, range(9) as r (number)"
    sql = f"-- models: marts.spent\nselect r.number from {many}\n"
    result = run(connection, load, {"tests/many.sql": sql})["many"]
    assert (result.failures, len(result.rows)) == (36, MOST_ROWS_KEPT)
    assert [json.loads(row)["number"] for row in result.rows] == sorted(
        json.loads(row)["number"] for row in result.rows
    )


def test_of_what_passes_and_of_texts_alone_nothing_is_kept(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    sql = "-- models: marts.spent\nselect sms.uuid from raw.sms as sms\n"
    results = run(connection, load, {"tests/texts.sql": sql})
    assert (results["texts"].failures, results["texts"].rows) == (2, ())
    assert results["grain_unique"].rows == ()
