"""Seeds: typed as declared, tolerant of spreadsheets, and refusing what would be counted wrongly."""

from collections.abc import Callable
from datetime import date
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
        ("key,rate,note\n1,2,x\nb,2,x\n", r"rates\.csv:3: key is 'b', but must be a whole number such as 12"),
        (
            "# one\nkey,rate,note\n1,zwei,x\n",
            r"rates\.csv:3: rate is 'zwei', but must be a number such as 12\.50",
        ),
        ("key,rates,note\n", r"rates\.csv:1: no column 'rates'; did you mean rate\?"),
        ("key,note\n", r"rates\.csv:1: the column rate is missing"),
        ("key,rate,note,key\n", r"rates\.csv:1: the column key is there twice"),
        ("key,rate,note\n1,2\n", r"rates\.csv:2: 2 fields where the header has 3"),
        ("key,rate,note\n1,2,x\n2,2,x\n1,3,y\n", r"rates\.csv:4: key is there already, on line 2"),
        ("key,rate,note\n,2,x\n", r"rates\.csv:2: key must not be empty"),
        ("", r"rates\.csv:1: the header is missing"),
        (b"key,rate,note\n1,2,\xff\n", r"rates\.csv:2: is not UTF-8"),
        (b"\xef\xbb\xbfkey,rate,note\r\n1,2,\r\n2,2,M\xfcller\r\n", r"rates\.csv:3: is not UTF-8"),
        ("key,rate,note\n1.5,2,x\n", r"rates\.csv:2: key is '1\.5', but must be a whole number such as 12"),
        ("key,rate,note\n1,1e13,x\n", r"rates\.csv:2: rate is '1e13', which is too large"),
        ("key,rate,note\n1,2,x\n01,3,y\n", r"rates\.csv:3: key is there already, on line 2"),
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


OPTIONAL_YML = """
models:
  - name: rates
    description: One row a line.
    owner: finance
    grain: [line]
    columns:
      - {name: line, type: integer, in_file: line, description: line}
      - {name: key, type: bigint, in_file: optional, description: key}
      - {name: rate, type: "decimal(18,6)", description: rate, tests: [not_null, {at_least: 1}]}
      - {name: since, type: date, in_file: optional, description: since}
    tests:
      - name: rates_are_whole
        description: A rate is a whole number.
        expression: rate = floor(rate)
      - name: rates_are_small
        description: Large rates are likely, and only told.
        severity: warn
        expression: rate < 100
"""
PAIRS = """-- It has the key of another line.
-- models: seeds.rates
select later.line, earlier.line as other_line
from seeds.rates as earlier
inner join seeds.rates as later on earlier.key = later.key and earlier.line < later.line
"""


@pytest.fixture
def declared(connection: duckdb.DuckDBPyConnection, load: Load) -> Seeded:
    """Load a seed with optional columns, lines and tests."""

    def rows(text: str | bytes) -> list[tuple[Any, ...]]:
        project = load(
            {
                "seeds/_seeds.yml": OPTIONAL_YML,
                "seeds/rates.csv": str(text),
                "tests/rates_have_one_key.sql": PAIRS,
            }
        )
        load_seeds(connection, project)
        return connection.execute("select * from seeds.rates").fetchall()

    return rows


def test_a_column_that_a_file_leaves_out_is_null_and_lines_are_numbered(declared: Seeded) -> None:
    assert declared("# mine\nrate\n3\n\n200\n") == [
        (3, None, Decimal(3), None),
        (5, None, Decimal(200), None),
    ]
    assert declared("since,rate,key\n2026-01-02,3,1\n") == [(2, 1, Decimal(3), date(2026, 1, 2))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,rate\n1,2\n2,\n", r"rates\.csv:3: rate is empty"),
        ("key,rate\n1,0\n", r"rates\.csv:2: rate is less than 1"),
        ("key,rate\n1,2\n2,2.5\n3,2.5\n", r"rates\.csv:3: A rate is a whole number\."),
        ("key,rate\n1,2\n2,3\n1,4\n", r"rates\.csv:4: It has the key of another line\. Compare line 2\."),
        (
            "key,rate\n1,2.0000001\n",
            r"rates\.csv:2: rate is '2\.0000001', which has more than 6 decimals",
        ),
        (
            "rate,since\n2,31.1.2026\n",
            r"rates\.csv:2: since is '31\.1\.2026', but must be a date such as 2026-01-31",
        ),
        ("line,rate\n1,2\n", r"rates\.csv:1: no column 'line'"),
        ("key,key,rate\n1,1,2\n", r"rates\.csv:1: the column key is there twice"),
        ("key\n1\n", r"rates\.csv:1: the column rate is missing"),
    ],
)
def test_a_row_that_fails_a_blocking_test_is_named_with_its_line(
    declared: Seeded, text: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        declared(text)


def test_a_seed_without_rows_passes_its_tests(declared: Seeded) -> None:
    assert declared("rate\n") == []
