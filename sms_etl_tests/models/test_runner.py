"""Building: order, kinds, the caller's transaction, and errors that name file and line."""

from decimal import Decimal

import duckdb
import pytest

from sms_etl.errors import ModelError
from sms_etl.models.runner import build, build_model, load_seeds
from sms_etl_tests.models.small_project import Load, Write


def kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    found = connection.execute(
        "select table_schema || '.' || table_name, table_type from information_schema.tables"
    )
    return {name: kind for name, kind in found.fetchall() if not name.startswith("raw.")}


def test_views_and_tables_are_built_and_counted(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    result = build(connection, load())
    assert kinds(connection) == {"staging.stg_sms": "VIEW", "marts.spent": "BASE TABLE"}
    assert result.rows == {"staging.stg_sms": 2, "marts.spent": 1}
    assert result.seconds >= sum(model.seconds for model in result.models) > 0
    assert connection.execute("select cost from marts.spent").fetchone() == (Decimal("0.300000"),)


def test_building_twice_gives_the_same(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    assert build(connection, load()).rows == build(connection, load()).rows


def test_each_model_is_reported_as_it_is_done(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    told: list[str] = []
    build(connection, load(), on_model=lambda model: told.append(model.name))
    assert told == ["staging.stg_sms", "marts.spent"]


def test_only_what_is_selected_is_built(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    assert list(build(connection, load(), select=["staging.stg_sms"]).rows) == ["staging.stg_sms"]
    assert kinds(connection) == {"staging.stg_sms": "VIEW"}


def test_a_selected_name_that_is_unknown_builds_nothing(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    with pytest.raises(ModelError, match=r"marts\.spend; did you mean marts\.spent"):
        build(connection, load(), select=["staging.stg_sms", "marts.spend"])
    assert kinds(connection) == {}


def test_models_can_be_built_one_by_one(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    project = load()
    assert [build_model(connection, project, name).rows for name in project.models] == [2, 1]


def test_a_rollback_of_the_caller_undoes_the_build(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    build(connection, load())
    connection.execute("insert into raw.sms values ('c', 5, 'EUR')")
    connection.execute("begin")
    build(connection, load())
    assert connection.execute("select cost from marts.spent").fetchone() == (Decimal("5.300000"),)
    connection.execute("rollback")
    assert connection.execute("select cost from marts.spent").fetchone() == (Decimal("0.300000"),)


def test_a_build_that_fails_leaves_nothing_once_rolled_back(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    broken = load(
        {"marts/spent.sql": "select cast(any_value(sms.uuid) as decimal(38,6)) as cost from raw.sms as sms"}
    )
    connection.execute("begin")
    with pytest.raises(ModelError):
        build(connection, broken)
    connection.execute("rollback")
    assert kinds(connection) == {}


def test_a_model_may_become_a_table_and_a_view_again(
    connection: duckdb.DuckDBPyConnection, load: Load, write: Write
) -> None:
    declared = (write() / "marts/_models.yml").read_text().replace("owner:", "materialised: view\n    owner:")
    build(connection, load())
    build(connection, load({"marts/_models.yml": declared}))
    assert kinds(connection)["marts.spent"] == "VIEW"
    build(connection, load())
    assert kinds(connection)["marts.spent"] == "BASE TABLE"


def test_an_error_of_duckdb_names_file_and_line(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    project = load(
        {"marts/spent.sql": "select\n    sum(sms.price) as cost\nfrom raw.sms as sms\nwhere nosuch(1)\n"}
    )
    with pytest.raises(ModelError, match=r"project/marts/spent\.sql:4: .*nosuch"):
        build(connection, project)


def test_a_relation_that_is_not_built_yet_is_named_with_its_line(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    with pytest.raises(ModelError, match=r"project/marts/spent\.sql:2: .*staging"):
        build_model(connection, load(), "marts.spent")


def test_an_error_about_a_row_does_not_show_the_row(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    connection.execute("insert into raw.sms values ('+4915112345678', 1, 'EUR')")
    cost = "cast(max(cast(sms.uuid as bigint)) as decimal(38,6)) as cost"
    project = load({"marts/spent.sql": f"select\n    {cost}\nfrom raw.sms as sms\n"})
    with pytest.raises(ModelError) as caught:
        build(connection, project)
    assert (
        caught.value.message == "project/marts/spent.sql:2: ConversionException while marts.spent was built"
    )
    assert "49151" not in str(caught.value)


def test_a_column_of_another_type_than_declared_is_refused(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    project = load({"marts/spent.sql": "select cast(sum(sms.price) as double) as cost from raw.sms as sms"})
    with pytest.raises(ModelError, match=r"spent\.sql:1: cost is double, declared as decimal\(38,6\)"):
        build(connection, project)


def test_a_comment_or_semicolon_around_a_model_does_no_harm(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    project = load(
        {"marts/spent.sql": "-- One row.\nselect sum(sms.price) as cost -- exact\nfrom raw.sms as sms;\n"}
    )
    assert build(connection, project).rows["marts.spent"] == 1


def test_a_project_without_seeds_makes_none(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    assert load_seeds(connection, load()) == ()
