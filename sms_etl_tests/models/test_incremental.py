"""Models by day: a build of the days that changed gives the rows of a full one, whatever happened between."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sms_etl.errors import ModelError
from sms_etl.models.checks import run_tests
from sms_etl.models.incremental import Looks, check_incremental, forget, inputs_of, note_tested
from sms_etl.models.project import Project
from sms_etl.models.runner import Rebuild, build
from sms_etl_tests.models.days import BY_DAY, DAYS, by_day, days_of, message, same_as_full
from sms_etl_tests.models.small_project import Load
from sms_etl_tests.sql.warehouse_rows import (
    Rows,
    copied_warehouse,
    empty_warehouse,
    keep,
    package_project,
)

OF_CODES = {"intermediate.int_codes_daily", "intermediate.int_logged_codes_daily"}
"""Of what is read whole, these are made by day all the same: a code or a country is known by its day."""
OF_CLOSED_MONTHS = "intermediate.int_closed_daily"
"""By day too, and made of what was closed: no message changes it."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of two messages each, built, to be copied."""
    with empty_warehouse() as found:
        for number in range(2 * DAYS):
            message(found, number)
        by_day(found)
        return keep(found, tmp_path_factory.mktemp("built") / "warehouse.duckdb")


@pytest.fixture
def rows(built: Path) -> Iterator[Rows]:
    """A copy of them."""
    with copied_warehouse(built) as found:
        yield found


def test_the_first_build_is_whole_and_a_second_one_rebuilds_nothing(rows: Rows) -> None:
    assert days_of(by_day(rows)) == {name: [] for name in BY_DAY}
    assert same_as_full(rows)


CHANGES: dict[str, tuple[str, list[str]]] = {
    "a change of the provider's": (
        "update raw.sms set dlr_code = 8, changed_at = '2026-01-11' where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "a price by hand": (
        "update raw.sms set price = 7 where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "an event that says when a message was delivered": (
        "update raw.sms set delivered_at = '2026-01-03 12:00:09' where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "a message that moved": (
        "update raw.sms set created_at = '2026-01-07 08:00:00', changed_at = '2026-01-11' "
        "where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03", "2026-01-07"],
    ),
    "a message that is gone at the provider": (
        "update raw.sms set gone_at = '2026-01-11', changed_at = '2026-01-11' "
        "where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "a message that was removed by hand": (
        "delete from raw.sms where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "a day that was removed by hand": (
        "delete from raw.sms where cast(created_at as date) = '2026-01-03'",
        ["2026-01-03"],
    ),
    "a message that is there twice": (
        "insert into raw.sms select * from raw.sms where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
    "a change that is logged and nothing else": (
        "insert into raw.sms_change by name select uuid, timestamp '2026-01-20' as observed_at, "
        "'poll' as observed_by, 100 as status_code, 0 as dlr_code, 'EUR' as currency "
        "from raw.sms where created_at = '2026-01-03 12:00:00'",
        ["2026-01-03"],
    ),
}


@pytest.mark.parametrize(("sql", "days"), CHANGES.values(), ids=CHANGES.keys())
def test_the_days_that_a_change_touches_are_rebuilt_and_no_others(
    rows: Rows, sql: str, days: list[str]
) -> None:
    rows.connection.execute(sql)
    result = by_day(rows)
    assert days_of(result)["marts.fct_sms"] == days
    assert same_as_full(rows)


def test_a_new_message_rebuilds_its_day_alone_and_the_marts_of_its_business_day(rows: Rows) -> None:
    rows.sms("late", created_at="2026-01-04 23:30:00")  # the fifth in Berlin
    found = days_of(by_day(rows))
    assert found["marts.fct_sms"] == ["2026-01-04"]
    assert "2026-01-05" in found["marts.cost_daily"]
    assert same_as_full(rows)


@pytest.mark.parametrize(
    ("fields", "as_of_at", "days"),
    [
        ({"status_code": 0, "dlr_code": 0, "delivery_at": "2026-01-12 06:00:00"}, "2026-01-12 12:00:00", 1),
        ({"status_code": 0, "dlr_code": 0, "delivery_at": "2026-01-12 06:00:00"}, "2026-01-12 05:00:00", 0),
        ({"dlr_code": 0, "created_at": "2026-01-07 06:00:00"}, "2026-01-12 06:00:01", 1),
        ({"dlr_code": 0, "created_at": "2026-01-07 06:00:00"}, "2026-01-12 06:00:00", 0),
    ],
)
def test_a_day_is_rebuilt_in_which_a_message_becomes_due_or_ages_out(
    rows: Rows, fields: dict[str, object], as_of_at: str, days: int
) -> None:
    rows.sms("open", **{"created_at": "2026-01-05 12:00:00", **fields})
    by_day(rows)
    before = rows.select("select delivery_status, is_aged_out from marts.fct_sms where not is_final")
    rows.context(as_of_at)
    assert len(days_of(by_day(rows))["marts.fct_sms"]) == days
    after = rows.select("select delivery_status, is_aged_out from marts.fct_sms where not is_final")
    assert (before != after) == bool(days)
    assert same_as_full(rows)


WHOLE: dict[str, Callable[[Rows], object]] = {
    "a clock that went back": lambda rows: rows.context("2026-01-11"),
    "another time zone": lambda rows: rows.context(timezone="America/New_York"),
    "other days to settle": lambda rows: rows.context(settle_days=3),
    "a table that lost rows": lambda rows: rows.connection.execute("delete from marts.fct_sms"),
    "a table that is gone": lambda rows: rows.connection.execute("drop table marts.fct_sms"),
    "a log that lost rows": lambda rows: rows.connection.execute(
        "delete from raw.sms_change where observed_at < '2026-01-02'"
    ),
    "a country that is in no list": lambda rows: rows.sms("odd", iso2="Q1"),
    "a state that was forgotten": lambda rows: forget(rows.connection, "marts.fct_sms"),
    "no moment to be built for": lambda rows: rows.connection.execute("delete from ops.build_context"),
    "most days": lambda rows: rows.connection.execute(
        "update raw.sms set price = 7 where created_at >= '2026-01-03'"
    ),
}


@pytest.mark.parametrize("change", WHOLE.values(), ids=WHOLE.keys())
def test_what_days_do_not_tell_rebuilds_whole(rows: Rows, change: Callable[[Rows], object]) -> None:
    change(rows)
    assert days_of(by_day(rows)).keys() <= OF_CODES
    assert same_as_full(rows)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "update raw.sms set iso2 = 'Q1', changed_at = '2026-01-11' "
            "where created_at = '2026-01-03 12:00:00'",
            1,
        ),
        ("delete from raw.sms where iso2 = 'Q2'", 0),
    ],
)
def test_a_country_is_known_as_long_as_a_message_has_it(rows: Rows, sql: str, found: int) -> None:
    rows.sms("odd", iso2="Q2", created_at="2026-01-04 12:00:00")
    by_day(rows)
    rows.connection.execute(sql)
    assert days_of(by_day(rows))["intermediate.int_codes_daily"] == [f"2026-01-0{4 - found}"]
    assert rows.one("select count(*) from marts.dim_country where not is_known") == 1 + found - (found == 0)
    assert same_as_full(rows)


def test_two_models_that_read_one_source_look_at_it_once(rows: Rows) -> None:
    looks = Looks(rows.connection)
    first = looks.table_of("raw.sms", "created_at", "0")
    assert looks.table_of("raw.sms", "created_at", "0") == first
    assert looks.table_of("raw.sms_change", "observed_at", "0") != first


def test_a_full_build_is_whole_and_the_next_one_by_day(rows: Rows) -> None:
    assert days_of(by_day(rows, Rebuild.FULL)) == {}
    assert days_of(by_day(rows)) == {name: [] for name in BY_DAY}


def test_other_cost_centres_rebuild_whole(rows: Rows, tmp_path: Any) -> None:
    (tmp_path / "cost_centres.csv").write_text("key_id,cost_centre,description\n8207,IT,x\n")
    project = package_project(seeds=tmp_path)
    assert days_of(by_day(rows, project=project)).keys() == OF_CODES
    assert rows.one("select count(*) from marts.fct_sms where cost_centre = 'IT'") == 2 * DAYS


def test_what_was_built_with_other_sql_upstream_is_rebuilt_whole(rows: Rows) -> None:
    rows.connection.execute("update ops.model_state set signature = 'of other files'")
    assert days_of(by_day(rows)) == {}


def test_marts_that_missed_a_build_catch_up_with_all_days_since(rows: Rows) -> None:
    for day in (3, 5):
        rows.connection.execute(
            f"update raw.sms set price = {day} where cast(created_at as date) = '2026-01-0{day}'"
        )
        build(rows.connection, package_project(), select=["marts.fct_sms"], rebuild=Rebuild.BY_DAY)
    assert {"2026-01-03", "2026-01-05"} <= set(days_of(by_day(rows))["marts.cost_daily"])
    assert same_as_full(rows)


def test_marts_that_missed_a_whole_build_are_rebuilt_whole(rows: Rows) -> None:
    build(rows.connection, package_project(), select=["marts.fct_sms"], rebuild=Rebuild.FULL)
    read_from_sources = ["intermediate.int_codes_daily", "intermediate.int_logged_codes_daily"]
    assert sorted(days_of(by_day(rows))) == [*read_from_sources, "marts.fct_sms"]
    assert same_as_full(rows)


def test_after_an_error_nothing_of_the_state_stays(rows: Rows) -> None:
    before = rows.select("select * from ops.source_state order by all")
    rows.connection.execute("update raw.sms set price = 7 where created_at < '2026-01-03'")
    rows.connection.execute("begin")
    by_day(rows)
    assert rows.select("select * from ops.source_state order by all") != before
    rows.connection.execute("rollback")
    assert rows.select("select * from ops.source_state order by all") == before
    by_day(rows)
    assert same_as_full(rows)


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        (
            "insert into raw.sms select * from raw.sms where created_at = '2026-01-03 12:00:00'",
            "grain_unique",
        ),
        (
            "update raw.sms set price = 7, parts_count = 0 where created_at = '2026-01-03 12:00:00'",
            "priced_messages_have_parts",
        ),
        (
            "update raw.sms set currency = null, price = 7 where created_at = '2026-01-03 12:00:00'",
            "currency_not_null",
        ),
    ],
)
def test_tests_that_passed_before_find_what_is_wrong_with_the_days_rebuilt(
    rows: Rows, damage: str, test: str
) -> None:
    project = package_project()
    build(rows.connection, project)
    by_day(rows, Rebuild.FULL)
    passed = [
        (result.model, result.test) for result in run_tests(rows.connection, project) if result.is_passed
    ]
    note_tested(rows.connection, "digest")
    rows.connection.execute("alter table raw.sms alter currency drop not null")
    rows.connection.execute(damage)
    result = by_day(rows)
    assert {part.tested_digest for part in result.parts} == {"digest"}
    narrowed = run_tests(rows.connection, project, parts=result.parts, passed=passed)
    whole = run_tests(rows.connection, project)
    found = {(each.model, each.test): each.failures for each in narrowed}
    assert found == {(each.model, each.test): each.failures for each in whole}
    assert found["marts.fct_sms", test] > 0


def test_tests_that_passed_before_read_the_days_rebuilt_only(rows: Rows) -> None:
    project = package_project()
    build(rows.connection, project)
    result = by_day(rows)
    passed = [(each.model, each.test) for each in run_tests(rows.connection, project)]
    rows.connection.execute("update marts.fct_sms set country_name = null")  # of no day that was rebuilt
    narrowed = {
        (each.model, each.test): each
        for each in run_tests(rows.connection, project, parts=result.parts, passed=passed)
    }
    assert narrowed["marts.fct_sms", "country_name_not_null"].is_passed
    unsure = run_tests(rows.connection, project, ["marts.fct_sms"], parts=result.parts, passed=[])
    assert {each.test for each in unsure if not each.is_passed} >= {"country_name_not_null"}


SOURCES = {
    "raw.sms": {"uuid": "varchar", "price": "decimal(18,6)", "created_at": "timestamp"},
    "raw.bulk": {"uuid": "varchar", "created_at": "timestamp"},
    "ops.build_context": {"as_of_at": "timestamp"},
}


@pytest.mark.parametrize(
    ("sql", "incremental", "message"),
    [
        ("select sms.price as cost from raw.sms as sms", "{by: day}", "incremental by day, no column of it"),
        ("select sms.price as cost from raw.sms as sms", "{by: cost}", "by cost, which 0 of the relations"),
        ("select count(*) as cost from raw.sms as sms", "{to: cost}", r"_models\.yml:\d+: "),
    ],
)
def test_a_model_that_cannot_be_built_by_day_is_refused(
    load: Load, sql: str, incremental: str, message: str
) -> None:
    declared = """
models:
  - name: spent
    description: One row.
    owner: finance
    incremental: WHAT
    grain: [cost]
    columns:
      - {name: cost, type: "decimal(38,6)", description: sum}
"""
    with pytest.raises(ModelError, match=message):
        check_incremental(
            load({"marts/spent.sql": sql, "marts/_models.yml": declared.replace("WHAT", incremental)})
        )


def test_the_models_of_the_package_can_be_built_by_day() -> None:
    project = package_project()
    check_incremental(project)
    assert {name for name, model in project.models.items() if model.incremental} == {
        *BY_DAY,
        OF_CLOSED_MONTHS,
    }
    inputs = inputs_of(project, project.models["marts.fct_sms"])
    assert (inputs.dated, inputs.keyed, inputs.key) == ("raw.sms", {"raw.sms_change": "observed_at"}, "uuid")
    assert set(inputs.whole) == {
        "intermediate.int_cost_centre_rule",
        "intermediate.int_status",
        "marts.dim_country",
    }


def test_of_closed_months_the_days_that_were_closed_since_are_built_and_no_others(rows: Rows) -> None:
    def close(first: str, last: str) -> None:
        rows.connection.execute(
            "insert into finance.closed_line by name select date '2026-01-01' as month, uuid, created_at, "
            "cast(created_at as date) as business_day, currency, price, parts_count as parts, "
            "'A' as cost_centre, iso2 as country_code, service_code, 'delivered' as delivery_status "
            f"from raw.sms where cast(created_at as date) between '{first}' and '{last}'"
        )

    def built() -> dict[str, list[str]]:
        project = package_project()
        return days_of(build(rows.connection, project, select=[OF_CLOSED_MONTHS], rebuild=Rebuild.BY_DAY))

    close("2026-01-01", "2026-01-05")
    built()
    close("2026-01-06", "2026-01-07")
    assert built() == {OF_CLOSED_MONTHS: ["2026-01-06", "2026-01-07"]}
    found = rows.select(f"select business_day, messages, cost from {OF_CLOSED_MONTHS} order by business_day")
    assert [(str(day), messages) for day, messages, _ in found] == [
        (f"2026-01-0{day}", 2) for day in range(1, 8)
    ]
    assert built() == {OF_CLOSED_MONTHS: []}


def test_what_was_built_of_a_file_that_is_deleted_is_dropped_and_nothing_of_others(
    rows: Rows, load: Load
) -> None:
    rows.connection.execute("create table marts.budget as select 1 as ours; create schema theirs")
    rows.connection.execute("create table theirs.cost_daily as select 1 as theirs")
    fewer = package_project()
    kept = {
        name: model
        for name, model in fewer.models.items()
        if name not in {"marts.cost_monthly", "marts.coverage_spans"}
    }
    project = Project(fewer.path, kept, fewer.seeds, (), fewer.sources, fewer.macros)
    build(rows.connection, fewer)
    build(rows.connection, project, rebuild=Rebuild.BY_DAY)
    left = {
        name
        for (name,) in rows.select("select table_schema || '.' || table_name from information_schema.tables")
    }
    assert not left & {"marts.cost_monthly", "marts.coverage_spans"}
    assert left >= {"marts.budget", "theirs.cost_daily", "marts.cost_daily", "staging.stg_sms"}
    assert "marts.cost_monthly" not in {
        name for (name,) in rows.select("select relation from ops.built_relation")
    }
