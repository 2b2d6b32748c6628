"""Seeds: typed as declared, tolerant of spreadsheets, and refusing what would be counted wrongly."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from sms_etl.errors import ModelError
from sms_etl.models.project import load_project
from sms_etl.models.runner import build, load_seeds
from sms_etl_tests.models.small_project import Load

YML = """
models:
  - name: rates
    description: One row a key.
    owner: finance
    grain: [key]
    columns:
      - {name: key, type: bigint, description: key}
      - {name: rate, type: "decimal(18,6)", description: rate}
      - {name: note, type: varchar, description: note}
"""


Seeded = Callable[[str | bytes], list[tuple[Any, ...]]]


@pytest.fixture
def seeded(connection: duckdb.DuckDBPyConnection, load: Load) -> Seeded:
    """Load one seed of the given text and give back its rows."""

    def rows(text: str | bytes) -> list[tuple[Any, ...]]:
        project = load({"seeds/_seeds.yml": YML, "seeds/rates.csv": "key,rate,note\n"})
        (project.path / "seeds/rates.csv").write_bytes(text.encode() if isinstance(text, str) else text)
        load_seeds(connection, project)
        return connection.execute("select * from seeds.rates").fetchall()

    return rows


def test_fields_are_typed_and_empty_ones_are_null(seeded: Seeded) -> None:
    assert seeded("key,rate,note\n1,0.056000,a\n2,,\n") == [(1, Decimal("0.056000"), "a"), (2, None, None)]


def test_decimals_are_exact(seeded: Seeded) -> None:
    assert seeded("key,rate,note\n1,12345678901.123457,\n")[0][1] == Decimal("12345678901.123457")


def test_a_seed_may_have_no_rows(seeded: Seeded, connection: duckdb.DuckDBPyConnection) -> None:
    assert seeded("key,rate,note\n") == []
    types = [row[1] for row in connection.execute("describe seeds.rates").fetchall()]
    assert types == ["BIGINT", "DECIMAL(18,6)", "VARCHAR"]


def test_a_spreadsheets_file_is_read(seeded: Seeded) -> None:
    text = b'\xef\xbb\xbfKey;Note;Rate\r\n1;"a;b";0.5\r\n\r\n'
    assert seeded(text) == [(1, Decimal("0.500000"), "a;b")]


def test_comments_and_blank_lines_are_passed_over(seeded: Seeded) -> None:
    assert seeded("# mine\nkey,rate,note\n\n# 1,2,3\n 4 ,5, x \n") == [(4, Decimal("5.000000"), "x")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,rate,note\n1,2,x\nb,2,x\n", r"rates\.csv:3: key is 'b', which is no bigint"),
        ("# one\nkey,rate,note\n1,zwei,x\n", r"rates\.csv:3: rate is 'zwei', which is no decimal\(18,6\)"),
        ("key,rates,note\n", r"rates\.csv:1: no column 'rates'; did you mean rate\?"),
        ("key,note\n", r"rates\.csv:1: the column rate is missing"),
        ("key,rate,note,key\n", r"rates\.csv:1: the column key is there twice"),
        ("key,rate,note\n1,2\n", r"rates\.csv:2: 2 fields where the header has 3"),
        ("key,rate,note\n1,2,x\n2,2,x\n1,3,y\n", r"rates\.csv:4: key is there already, on line 2"),
        ("key,rate,note\n,2,x\n", r"rates\.csv:2: key must not be empty"),
        ("", r"rates\.csv:1: the header is missing"),
        (b"key,rate,note\n1,2,\xff\n", r"rates\.csv:1: cannot be read as UTF-8 text"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(seeded: Seeded, text: str | bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        seeded(text)


def test_seeds_are_loaded_with_every_build(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    files = {"seeds/_seeds.yml": YML, "seeds/rates.csv": "key,rate,note\n1,2,x\n"}
    build(connection, load(files), select=[])
    assert connection.execute("select count(*) from seeds.rates").fetchone() == (1,)


def test_the_seeds_of_the_package_load(connection: duckdb.DuckDBPyConnection) -> None:
    loaded = {seed.name: seed.rows for seed in load_seeds(connection, load_project())}
    assert loaded["seeds.countries"] == 251  # 249 of ISO 3166-1, XK and ZZ
    assert loaded["seeds.cost_centres"] == 0
    assert loaded["seeds.status_codes"] == 9
    assert loaded["seeds.dlr_codes"] == 6
