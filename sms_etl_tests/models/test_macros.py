"""Macros: read from files that DuckDB takes too, and written out without changing what is around them."""

from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from pathlib import Path

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from sms_etl.errors import ModelError
from sms_etl.models.checks import run_tests
from sms_etl.models.files import default_path
from sms_etl.models.macros import Macro, expand, read_macros
from sms_etl.models.runner import build
from sms_etl_tests.models.small_project import Load

MACROS = read_macros(default_path(), "dbt_like_sql")
MACRO = "-- Twice as much.\ncreate macro twice(amount) as (amount + amount)\n"


def expanded(sql: str) -> str:
    return expand(sql, MACROS, "marts/some.sql")


def value(sql: str) -> object:
    with duckdb.connect(config={"threads": 1}) as connection:
        ((found,),) = connection.execute(expanded(sql)).fetchall()
        return found


@pytest.mark.parametrize("amount_type", ["decimal(18, 6)", "decimal(38, 6)"])
@given(amount=st.integers(1 - 10**18, 10**18 - 1), parts=st.integers(1, 2**31 - 1))
def test_exact_division_is_what_decimal_says_rounded_half_up(
    amount_type: str, amount: int, parts: int
) -> None:
    money = Decimal(amount).scaleb(-6)
    exact = (money / parts).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert value(f"select exact_division(cast({money:f} as {amount_type}), {parts})") == exact


def test_a_count_can_be_divided_and_a_half_is_rounded_up() -> None:
    assert value("select exact_division(5, 64)") == Decimal("0.078125")
    assert value("select exact_division(1, 2000000)") == Decimal("0.000001")


@pytest.mark.parametrize(
    "call", ["exact_division(1, 0)", "exact_division(1, null)", "exact_division(null, 3)"]
)
def test_where_there_is_nothing_to_divide_by_there_is_no_quotient(call: str) -> None:
    assert value(f"select {call}") is None


@given(values=st.lists(st.integers(0, 10**12 - 1), min_size=1), percent=st.sampled_from([25, 50, 75, 100]))
def test_a_percentile_is_one_of_the_values_by_the_nearest_rank(values: list[int], percent: int) -> None:
    listed = ", ".join(f"(cast({amount} as decimal(18, 6)))" for amount in values)
    rank = ceil(Decimal(percent) * len(values) / 100)
    found = value(f"select percentile(amount, {percent / 100}) from (values {listed}) as v (amount)")
    assert isinstance(found, Decimal)
    assert found == Decimal(sorted(values)[rank - 1])


@pytest.mark.parametrize("macro", MACROS.values(), ids=lambda macro: macro.name)
def test_a_macro_is_one_that_duckdb_takes_and_gives_the_same(macro: Macro) -> None:
    call = {
        "exact_division": "exact_division(cast(12.345678 as decimal(18, 6)), 7)",
        "percentile": "percentile(v.x, 0.5)",
        "rate": "rate(2, 3)",
    }[macro.name]
    sql = f"select {call} from (values (3), (1), (2)) as v (x)"
    with duckdb.connect() as connection:
        ours = connection.execute(expanded(sql)).fetchall()
        connection.execute(macro.sql)
        assert connection.execute(sql).fetchall() == ours


@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "bigquery"])
def test_a_macro_written_out_divides_nowhere_by_the_stroke(dialect: str) -> None:
    query = sqlglot.parse_one(
        expanded("select exact_division(a.cost, a.parts) as x from a"), dialect="duckdb"
    )
    assert not query.find(exp.Div, exp.Anonymous)
    assert query.sql(dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)


def test_all_around_a_call_stays_as_it_was_on_its_own_line() -> None:
    call = "Exact_Division(\n        a.x, -- of them\n        a.y\n    )"
    sql = f"select\n    {call} as q, /* kept */ 1.50 as w\nfrom a\n"
    lines = expanded(sql).splitlines()
    assert len(lines) == len(sql.splitlines())
    assert lines[0] == "select"
    assert lines[-2:] == [" as q, /* kept */ 1.50 as w", "from a"]


def test_an_argument_keeps_its_place_among_the_operators() -> None:
    assert value("select exact_division(1 + 1, 1 + 3)") == Decimal("0.5")
    assert value("select 2 * exact_division(1, 4)") == Decimal("0.5")


def test_an_argument_of_many_terms_is_one_factor(tmp_path: Path) -> None:
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros/square.sql").write_text("-- Its square.\ncreate macro square(x) as (x * x)\n")
    assert expand("square(a + 1)", read_macros(tmp_path, "p"), "a.sql") == "((a + 1) * (a + 1))"


def test_a_call_may_stand_in_the_argument_of_another() -> None:
    assert value("select exact_division(exact_division(1, 2), greatest(1, 2))") == Decimal("0.25")


@pytest.mark.parametrize("sql", ["select 'exact_division(1, 2)'", "select a.percentile from a", "select 1"])
def test_what_only_looks_like_a_call_is_left_alone(sql: str) -> None:
    assert expanded(sql) == sql


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("exact_division(1)", r"some\.sql:2: exact_division takes amount, parts; 1 given"),
        ("exact_division()", r"some\.sql:2: exact_division takes amount, parts; 0 given"),
        ("exact_division(1, )", r"some\.sql:2: exact_division is called without parts"),
        ("exact_division(1, from)", r"some\.sql:2: not an expression: from"),
    ],
)
def test_a_wrong_call_is_named_with_its_line(call: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        expanded(f"select\n{call} as x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1", r"project/macros/twice\.sql:1: the file does not hold one macro"),
        ("", r"project/macros/twice\.sql:1: the file does not hold one macro"),
        (MACRO + ";" + MACRO, r"project/macros/twice\.sql:1: the file does not hold one macro"),
        ("create macro twice(", r"project/macros/twice\.sql:1: not SQL"),
        (MACRO.replace("twice", "thrice"), r"project/macros/twice\.sql:1: the macro is called thrice"),
        (MACRO.partition("\n")[2], r"project/macros/twice\.sql:1: say what it returns"),
    ],
)
def test_a_file_that_holds_no_macro_is_named(load: Load, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load({"macros/twice.sql": text})


def test_models_and_tests_of_a_project_call_its_macros(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    project = load(
        {
            "macros/twice.sql": MACRO,
            "marts/spent.sql": "select twice(sum(sms.price)) as cost\nfrom staging.stg_sms as sms\n",
            "tests/dear.sql": "select spent.cost from marts.spent as spent where twice(spent.cost) > 1\n",
        }
    )
    build(connection, project)
    assert connection.execute("select cost from marts.spent").fetchone() == (Decimal("0.6"),)
    assert {test.test: test.failures for test in run_tests(connection, project)}["dear"] == 1
    assert project.model("marts.spent").written.startswith("select twice(")


def test_an_error_behind_a_call_of_many_lines_names_its_own_line(
    connection: duckdb.DuckDBPyConnection, load: Load
) -> None:
    sql = "select\n    twice(\n        sum(sms.price)\n    ) as cost\nfrom raw.sms as sms\nwhere nosuch(1)\n"
    project = load({"macros/twice.sql": MACRO, "marts/spent.sql": sql})
    with pytest.raises(ModelError, match=r"project/marts/spent\.sql:6: .*nosuch"):
        build(connection, project)


def test_a_project_needs_no_macros(tmp_path: Path) -> None:
    assert read_macros(tmp_path, "project") == {}
