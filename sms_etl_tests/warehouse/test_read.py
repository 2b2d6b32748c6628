"""Holds what analysts get: exact decimals, their own SQL's errors, and never a way to write."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import MetaData, Numeric, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from sms_etl.build import build_and_check
from sms_etl.errors import NotAWarehouse, NoWarehouse, QueryError
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import connect, engine, newest, published, query, read, read_frame
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import NOW, STORED_NOW, add_message, note_build
from sms_etl_tests.warehouse.published_rows import JANUARY, publish_rows

PRICES = ["0.1", "0.2", "999999999999.999999"]
SUM = sum(map(Decimal, PRICES), Decimal(0))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a published warehouse with three messages, only to be read."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("shown"), now=NOW, publish="all")
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
        ("", "no statement in it returns rows"),
        ("-- a comment", "no statement in it returns rows"),
        ("select 1; select 2", "2 statements"),
        ("select 1; drop table raw.sms", "2 statements"),
        ("begin", "TRANSACTION is not a query"),
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
        assert "show tables" in caught.value.hint
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


# --- read-only in every sense ---

FORBIDDEN = [
    "copy (select 1) to '{out}'",
    "copy (select 1) to '{copy}' (format csv, use_tmp_file false)",
    "with written as (copy (select 1 as rows) to '{out}') from written",
    "with written as (copy (select 1 as rows) to '{copy}.wal') from written",
    "explain analyze copy (select 1) to '{copy}.wal'",
    "export database '{out}'",
    "from read_csv('{secret}')",
    "from read_text('{secret}')",
    "from read_blob('{copy}')",
    "from read_parquet('{secret}')",
    "from read_json('{secret}')",
    "from '{secret}'",
    "from glob('{folder}/*')",
    "from sniff_csv('{secret}')",
    "attach '{out}' as theirs",
    "attach 'https://127.0.0.1:9/x.duckdb' as theirs",
    "from 'https://127.0.0.1:9/x.csv'",
    "install excel",
    "load excel",
    "set threads = 1",
    "set enable_external_access = true",
    "reset lock_configuration",
    "pragma enable_profiling",
    "pragma threads = 1",
    "call enable_logging(storage = 'file', storage_path = '{out}')",
    "create persistent secret s (type http)",
    "from enable_logging(storage = 'file', storage_path = '{out}')",
    "from enable_profiling(save_location = '{out}')",
    "from read_csv('/proc/self/environ')",
    "from read_duckdb('{copy}')",
    "from parquet_metadata('{secret}')",
    "from duckdb_extensions()",
    "from query('copy (select 1) to ''{out}'' ')",
    "import database '{folder}'",
    "with more as (insert into raw.sms select * from raw.sms returning *) from more",
    "explain analyze update raw.sms set price = 0",
    "select getenv('SMS_ETL_LOX24_TOKEN')",
    "update extensions",  # DuckDB's client has no name for it
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_a_query_writes_no_file_reads_none_and_changes_no_setting(
    shown: Settings, tmp_path: Path, sql: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush\n")
    copy = shown.published_path
    before = copy.read_bytes()
    sql = sql.format(out=tmp_path / "out", copy=copy, secret=secret, folder=tmp_path)
    for run in (query, read_frame):
        with pytest.raises(QueryError, match="refused") as caught:
            run(sql, shown)
        assert "hush" not in str(caught.value)
    with connect(shown) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql).fetchall()
    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]
    assert list(tmp_path.iterdir()) == [secret]


def test_what_is_forbidden_is_said_in_plain_words(shown: Settings) -> None:
    with pytest.raises(QueryError, match="no files, no network, no extensions, no settings"):
        query("from read_csv('/etc/hosts')", shown)


@pytest.mark.parametrize(
    "sql",
    [
        "explain select 1",
        "explain analyze select 1",
        "with a as (select 1 as x) from a",
        "values (1)",
        "pivot raw.sms on currency using sum(price) group by created_at",
        "select 1;",
        "table raw.sms",
    ],
)
def test_whatever_only_reads_works(shown: Settings, sql: str) -> None:
    assert query(sql, shown).rows


def test_show_tables_lists_the_marts_by_the_names_they_are_asked_for(shown: Settings, tmp_path: Path) -> None:
    built = load_settings(data_dir=tmp_path / "built", now=NOW)
    with Warehouse.of(built).begin():
        pass
    build_and_check(built)
    publish(built)
    for sql in ("show tables", "SHOW TABLES;", " show\ttables "):
        tables = [table for (table,) in query(sql, built).rows]
        assert {"marts.cost_monthly", "marts.data_status"} <= set(tables)
        assert all(table.startswith("marts.") for table in tables)
    assert query(f"describe {tables[0]}", built).rows
    assert ("marts", "cost_monthly") in {row[1:3] for row in query("show all tables", built).rows}


def test_a_query_that_needs_too_much_memory_says_so(shown: Settings) -> None:
    connection = connect(shown)
    limit = connection.execute("select current_setting('temp_directory')").fetchall()
    assert limit == [("",)], "else it would spill, and be refused as reading files"


# --- one way to connect, beside others ---


def test_the_analysts_own_connection_works_beside_ours_and_keeps_its_settings(
    shown: Settings, tmp_path: Path
) -> None:
    own_file = tmp_path / "own.csv"
    own_file.write_text("word\nmine\n")
    path = str(shown.published_path)
    with connect(shown) as ours, duckdb.connect(path, read_only=True) as theirs:
        assert ours.execute("select count(*) from raw.sms").fetchall() == [(3,)]
        assert theirs.execute("select count(*) from raw.sms").fetchall() == [(3,)]
        assert theirs.execute(f"from '{own_file}'").fetchall() == [("mine",)]
        with connect(shown) as second:
            assert second.execute("select count(*) from raw.sms").fetchall() == [(3,)]
    with duckdb.connect(path, read_only=True) as theirs, connect(shown) as ours:
        assert ours.execute("select 1").fetchall() == theirs.execute("select 1").fetchall()


def test_an_engine_reads_and_reflects_and_sees_each_publication(
    settings: Settings, warehouse: Warehouse
) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
        note_build(transaction)
    publish(settings)
    found = engine(settings)
    with found.connect() as connection:
        assert connection.scalar(text("select sum(price) from raw.sms")) == Decimal("0.056")
        with pytest.raises(DBAPIError):
            connection.execute(text("copy (select 1) to 'out.csv'"))
    columns = {column["name"]: column for column in inspect(found).get_columns("sms", schema="raw")}
    assert "net of VAT" in str(columns["price"]["comment"])
    assert "sms" in inspect(found).get_table_names(schema="raw")
    with warehouse.begin() as transaction:
        add_message(transaction, 2)
    publish(settings)
    with found.connect() as connection:
        assert connection.scalar(text("select count(*) from raw.sms")) == 2


def test_a_table_is_read_whole_or_by_what_columns_equal(shown: Settings) -> None:
    assert len(read("raw.sms", shown)) == 3
    assert read("raw.sms", shown, price=Decimal("0.2"))["price"].tolist() == [Decimal("0.2")]
    assert read("raw.sms", shown, price=[Decimal("0.2"), Decimal("0.1")])["price"].sum() == Decimal("0.3")
    assert len(read("raw.sms", shown, currency=("EUR", "USD"), gone_at=None)) == 3
    assert len(read("raw.sms", shown, gone_at=[None, STORED_NOW])) == 3
    assert len(read("raw.sms", shown, currency="USD")) == 0
    assert len(read("raw.sms", shown, currency=[])) == 0


def test_a_month_is_that_of_the_day_or_the_month_that_a_table_has(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    publish_rows(
        settings,
        sql="create table marts.cost_monthly as "
        "select distinct cast(date_trunc('month', business_day) as date) as business_month "
        "from marts.fct_sms",
    )
    assert set(read("marts.fct_sms", settings, month="2026-01")["business_day"]) == {JANUARY}
    assert len(read("marts.cost_monthly", settings, month="2026-02")) == 1
    assert len(read("marts.fct_sms", settings, month="2026-03")) == 0


@pytest.mark.parametrize(
    ("table", "chosen", "said"),
    [
        ("raw.sms", {"month": "2026-13"}, "'2026-13' is not a month"),
        ("raw.sms", {"month": "2026-01"}, "no column business_month or business_day"),
        ("raw.sms", {"colour": "red"}, "raw.sms has no column colour."),
        ("raw.sms", {"curency": "EUR"}, "Did you mean currency?"),
        ("raw.smss", {}, "The table raw.smss does not exist. Did you mean raw.sms"),
        ("sms", {}, "Did you mean raw.sms?"),
        ("raw.sms; drop table raw.sms", {}, "does not exist"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_told_with_those_like_it(
    shown: Settings, table: str, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError) as caught:
        read(table, shown, **chosen)
    assert said in caught.value.message
    assert caught.value.hint


def test_sqlalchemy_reflects_a_table_and_pandas_reads_it_exactly(shown: Settings) -> None:
    found = engine(shown)
    table = Table("sms", MetaData(), schema="raw", autoload_with=found)
    assert table.c.price.comment
    assert isinstance(table.c.price.type, Numeric)
    with found.connect() as connection:
        frame = pd.read_sql(select(table.c.price).order_by(table.c.price), connection, coerce_float=False)
    assert frame["price"].tolist() == [Decimal(price) for price in PRICES]
