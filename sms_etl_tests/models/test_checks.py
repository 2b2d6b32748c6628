"""Tests of models: which rows each kind finds wrong, and that a result shows none of them."""

import duckdb
import pytest

from sms_etl.errors import ModelError
from sms_etl.models.checks import TestResult, checks, run_tests
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
