"""Holds what analysts get: exact decimals, their own SQL's errors, and never a way to write."""

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from sms_etl.errors import NotAWarehouse, NoWarehouse, QueryError
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import newest, published, query, read_frame
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import NOW, STORED_NOW, add_message, note_build

PRICES = ["0.1", "0.2", "999999999999.999999"]
SUM = sum(map(Decimal, PRICES), Decimal(0))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give the settings of a published warehouse with three messages, only to be read."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("shown"), now=NOW)
    with Warehouse.of(settings).begin() as transaction:
        for number, price in enumerate(PRICES):
            add_message(transaction, number, price)
        note_build(transaction)
    publish(settings)
    return settings


def test_a_frame_holds_exact_decimals(shown: Settings) -> None:
    frame = read_frame("select price from raw.sms order by price", shown)
    assert frame["price"].dtype == pd.ArrowDtype(pa.decimal128(18, 6))
    assert frame["price"].tolist() == [Decimal(price) for price in PRICES]
    assert frame["price"].sum() == SUM


def test_a_sum_made_by_the_database_is_exact_too(shown: Settings) -> None:
    frame = read_frame("select currency, sum(price) as spent from raw.sms group by currency", shown)
    assert frame["spent"].tolist() == [SUM]
    assert query("select sum(price) as spent from raw.sms", shown).rows == [(SUM,)]


def test_a_frame_keeps_times_nulls_and_types(shown: Settings) -> None:
    frame = read_frame("select created_at, gone_at, parts_count from raw.sms", shown)
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)
    assert frame["created_at"].iloc[0] == pd.Timestamp(STORED_NOW)
    assert frame["gone_at"].isna().all()
    assert frame["parts_count"].dtype == pd.ArrowDtype(pa.int32())


def test_a_frame_of_no_rows_has_its_columns(shown: Settings) -> None:
    frame = read_frame("select uuid, price from raw.sms where false", shown)
    assert (len(frame), list(frame.columns)) == (0, ["uuid", "price"])


def test_a_query_gives_columns_and_rows(shown: Settings) -> None:
    result = query("select price, currency from raw.sms order by price limit 1", shown)
    assert result.columns == ("price", "currency")
    assert result.rows == [(Decimal("0.1"), "EUR")]


@pytest.mark.parametrize("sql", ["show all tables", "describe raw.sms", "from raw.sms", "summarize raw.sms"])
def test_the_short_forms_of_duckdb_work(shown: Settings, sql: str) -> None:
    assert query(sql, shown).rows
    assert len(read_frame(sql, shown))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "syntax error"),
        ("select nothing from raw.sms", "nothing"),
        ("select * from raw.smss", "smss does not exist"),
        ("select 1/'x'", "x"),
        ("", "nothing in it"),
        ("-- a comment", "nothing in it"),
        ("delete from raw.sms", "read-only"),
        ("insert into raw.sms (uuid) values (uuid())", "read-only"),
        ("drop table raw.sms", "read-only"),
        ("create table raw.mine (a int)", "read-only"),
    ],
)
def test_sql_that_is_refused_says_why_and_where_to_look(shown: Settings, sql: str, said: str) -> None:
    for run in (query, read_frame):
        with pytest.raises(QueryError, match="refused") as caught:
            run(sql, shown)
        assert said in caught.value.message
        assert "show all tables" in caught.value.hint
    assert query("select count(*) from raw.sms", shown).rows == [(3,)]


def test_before_the_first_publishing_there_is_nothing_to_read(
    settings: Settings, warehouse: Warehouse
) -> None:
    with warehouse.begin():
        pass
    for run in (query, read_frame):
        with pytest.raises(NoWarehouse, match="Nothing is published") as caught:
            run("select 1", settings)
        assert "sms-etl sync" in caught.value.hint
    with pytest.raises(NoWarehouse), published(settings):
        pytest.fail("there is nothing to open")


def test_without_any_warehouse_there_is_no_newest_state(settings: Settings) -> None:
    with pytest.raises(NoWarehouse), newest(settings):
        pytest.fail("there is nothing to open")
    assert not settings.data_dir.exists()


def test_a_published_file_that_is_no_database_is_told(settings: Settings) -> None:
    settings.published_path.parent.mkdir(parents=True)
    settings.published_path.write_bytes(b"hello " * 4000)
    with pytest.raises(NotAWarehouse):
        query("select 1", settings)


def test_without_settings_those_of_the_environment_are_taken(
    shown: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(shown.data_dir))
    assert load_settings().data_dir == shown.data_dir
    assert query("select count(*) from raw.sms").rows == [(3,)]
    assert len(read_frame("select 1 as a")) == 1
