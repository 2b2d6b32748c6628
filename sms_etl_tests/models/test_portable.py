"""What does not travel to another database is found, with file, line and what to write instead."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from sms_etl.models.portable import findings, look_at
from sms_etl.models.project import load_project

ROOT = Path(__file__).parents[2]
PROJECT = load_project()
SMS = "marts.fct_sms as sms"


def texts(expression: str, relation: str = SMS) -> list[str]:
    return [
        str(found) for found in look_at(f"select\n    {expression} as x\nfrom {relation}", PROJECT, "a.sql")
    ]


def test_the_models_tests_and_figures_of_the_package_travel() -> None:
    folders = [ROOT / "sms_etl" / room / "sql" for room in ("campaigns", "finance", "overview")]
    assert [str(found) for found in findings(PROJECT, folders)] == []


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("sms.price / sms.parts", "exact_division"),
        ("sms.parts // 2", "exact_division"),
        ("avg(sms.price)", r"exact_division(sum(amount), count(amount))"),
        ("percentile_cont(0.5) within group (order by sms.price)", "percentile(amount, share)"),
        ("quantile_cont(sms.price, 0.5)", "percentile(amount, share)"),
        ("quantile_disc(sms.price, 0.5)", "percentile(amount, share)"),
        ("median(sms.price)", "percentile(amount, share)"),
        ("isodow(sms.business_day)", "date '1900-01-01'"),
        ("dayofweek(sms.business_day)", "date '1900-01-01'"),
        ("weekday(sms.business_day)", "date '1900-01-01'"),
        ("extract(isodow from sms.business_day)", "date '1900-01-01'"),
        ("extract(dow from sms.business_day)", "date '1900-01-01'"),
        ("date_part('dow', sms.business_day)", "date '1900-01-01'"),
        ("round(cast(sms.price as double), 2)", "DECIMAL"),
        ("round(sqrt(sms.price))", "DECIMAL"),
        ("sum(cast(sms.price as double))", "DECIMAL"),
        ("sum(epoch(sms.created_at))", "DECIMAL"),
        ("date_diff('day', sms.created_at, sms.sent_at)", "business days"),
        ("date_diff('month', sms.created_at, sms.business_day)", "business days"),
        ("date_diff('second', sms.created_at, timezone('UTC', sms.sent_at))", "timezone('UTC', …)"),
    ],
)
def test_what_does_not_travel_is_named_with_its_line_and_what_to_write(expression: str, instead: str) -> None:
    (found,) = texts(expression)
    assert found.startswith("a.sql:2: ")
    assert instead in found


@pytest.mark.parametrize(
    "expression",
    [
        "exact_division(sms.price, sms.parts)",
        "percentile(sms.price, 0.95)",
        "sum(sms.price * 1.5)",
        "sum(round(sms.price, 2))",
        "round(sms.price, 2)",
        "date_diff('second', sms.created_at, sms.sent_at)",
        "date_diff('day', sms.business_day, sms.business_month)",
        "date_diff('day', date '1900-01-01', sms.business_day) % 7 + 1",
        "extract(year from sms.business_day)",
        "'a / b'",
    ],
)
def test_what_travels_passes(expression: str) -> None:
    assert texts(expression) == []


def test_a_double_is_found_where_it_came_by_another_step() -> None:
    step = "with a as (\n    select sqrt(sms.parts) as root from marts.fct_sms as sms\n)\n\n"
    sql = f"{step}select sum(a.root) as x from a"
    assert [found.line for found in look_at(sql, PROJECT, "a.sql")] == [5]


def test_the_day_of_the_week_to_write_begins_with_monday() -> None:
    days = "range(date '1999-01-01', date '2031-01-01', interval 1 day) as r (day)"
    sql = f"select date_diff('day', date '1900-01-01', day) % 7 + 1 = isodow(day) from {days}"
    with duckdb.connect() as connection:
        assert set(connection.execute(sql).fetchall()) == {(True,)}


def test_the_module_prints_what_it_finds_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "share.sql").write_text("select 1 / 3 as share\n")
    run = [sys.executable, "-m", "sms_etl.models.portable", str(tmp_path)]
    printed = subprocess.run(run, capture_output=True, text=True, check=False, encoding="utf-8")
    assert printed.returncode == 1
    assert printed.stdout.startswith(f"{tmp_path / 'share.sql'}:1: a division")
