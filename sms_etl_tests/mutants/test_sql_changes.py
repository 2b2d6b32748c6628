"""Holds which changes are made to a model."""

from pathlib import Path

import pytest

from sms_etl.models.project import Model, load_project
from sms_etl_tests.mutants.sql_changes import changes_of_model

DECLARED = """
models:
  - name: prices
    description: Prices.
    owner: messaging
    materialised: table
    grain: [parts]
    columns:
      - {name: parts, type: bigint, description: "a number"}
      - {name: price, type: "decimal(18,6)", description: "an amount"}
"""
SQL = """
select sms.parts_count as parts, coalesce(sum(sms.price), 0) as price
from raw.sms where sms.parts_count < 5 and sms.price is not null group by sms.parts_count
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    (tmp_path / "marts").mkdir()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "marts" / "_models.yml").write_text(DECLARED)
    (tmp_path / "marts" / "prices.sql").write_text(SQL)
    return load_project(tmp_path).model("marts.prices")


def test_each_column_and_each_expression_is_changed(model: Model) -> None:
    where = "sms.parts_count < 5 AND NOT sms.price IS NULL"

    assert {make().name for make in changes_of_model(model)} == {
        "parts -> parts + 1",
        "price -> price + 0.000001",
        f"...COALESCE(SUM(sms.price), 0) AS price FROM raw.sms WHERE {where} GROUP BY sms.parts_count -> "
        "...COALESCE(SUM(sms.price), 0) AS price FROM raw.sms GROUP BY sms.parts_count",
        "COALESCE(SUM(sms.price), 0) AS price -> SUM(sms.price) AS price",
        "COALESCE(SUM(sms.price), 0) -> COALESCE(MAX(sms.price), 0)",
        "COALESCE(SUM(sms.price), 0) -> COALESCE(SUM(sms.price), 1)",
        f"WHERE {where} -> WHERE {where.replace('AND', 'OR')}",
        f"{where} -> {where.replace('<', '<=')}",
        f"{where} -> {where.replace('NOT ', '')}",
        "sms.parts_count < 5 -> sms.parts_count < 6",
        "NOT sms.price IS NULL -> NOT NOT sms.price IS NULL",
    }


def test_a_change_is_made_to_one_place(model: Model) -> None:
    queries = {make().sql for make in changes_of_model(model)}

    assert len(queries) == len(changes_of_model(model))
