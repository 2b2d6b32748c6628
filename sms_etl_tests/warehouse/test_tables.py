"""Holds the tables to the contract, written down here in its own words, and money to its rules."""

from collections.abc import Iterator

import duckdb
import pytest
from sqlalchemy import Boolean, DateTime, Numeric

from sms_etl.warehouse.store import Warehouse
from sms_etl.warehouse.tables import metadata
from sms_etl_tests.warehouse.conftest import CLOCK, add_message

AT, FLAG, MONEY, WORD = "TIMESTAMP", "BOOLEAN", "DECIMAL(18,6)", "VARCHAR"

# From the contract, not from our code. Newcomers to a table go to its end.
SMS = {
    "uuid": "UUID",
    "created_at": AT,
    "delivery_at": AT,
    "gateway_sent_at": AT,
    "status_code": "INTEGER",
    "dlr_code": "INTEGER",
    "is_sent": FLAG,
    "is_unicode": FLAG,
    "is_text_deleted": FLAG,
    "iso2": WORD,
    "parts_count": "INTEGER",
    "chars_count": "INTEGER",
    "price": MONEY,
    "currency": WORD,
    "service_code": WORD,
    "voice_lang": WORD,
    "sender_id": WORD,
    "callback_data": WORD,
    "bulk_id": "UUID",
    "key_id": "BIGINT",
    "source": "BIGINT",
    "ip": WORD,
    "attempts_count_max": "SMALLINT",
    "phone_hash": WORD,
    "phone_masked": WORD,
    "phone": WORD,
    "text": WORD,
    "text_units": "INTEGER",
    "text_parts": "INTEGER",
    "text_non_gsm": WORD,
    "text_template": WORD,
    "phone_range": WORD,
    "extra": "JSON",
    "first_seen_at": AT,
    "last_seen_at": AT,
    "changed_at": AT,
    "gone_at": AT,
    "delivered_at": AT,
}
SMS_CHANGE = {
    "uuid": "UUID",
    "observed_at": AT,
    "observed_by": WORD,
    "status_code": "INTEGER",
    "dlr_code": "INTEGER",
    "is_sent": FLAG,
    "gateway_sent_at": AT,
    "price": MONEY,
    "currency": WORD,
    "is_text_deleted": FLAG,
}
OPS = {
    "ops.sync_run": {
        "run_id",
        "stopped_reason",
        "watermark_before",
        "watermark_after",
        "windows",
        "pages",
        "requests",
        "retries",
        "rows_seen",
        "rows_new",
        "rows_changed",
        "rows_quarantined",
        "seconds",
    },
    "ops.fetch_window": {
        "window_id",
        "run_id",
        "stream",
        "since_at",
        "until_at",
        "rows",
        "landed",
        "loaded_at",
    },
    "ops.request": {
        "run_id",
        "requested_at",
        "method",
        "path",
        "window_id",
        "page",
        "status",
        "retry",
        "ms",
        "request_id",
    },
    "ops.quarantine": {"raw", "reason", "uuid", "price", "replayed_at"},
    "ops.watermark": {"stream", "watermark_at"},
    "ops.delivery_event": {
        "event_id",
        "uuid",
        "event_at",
        "dlr_code",
        "status_code",
        "received_at",
        "applied_at",
    },
}
NOT_NULL = {"uuid", "created_at", "currency", "first_seen_at", "last_seen_at", "changed_at"}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return an empty warehouse, only to be read."""
    warehouse = Warehouse(f"duckdb:///{tmp_path_factory.mktemp('tables')}/warehouse.duckdb", CLOCK)
    with warehouse.begin():
        pass
    with duckdb.connect(str(warehouse.path), read_only=True) as opened:
        yield opened


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}


def test_raw_sms_is_as_agreed(connection: duckdb.DuckDBPyConnection) -> None:
    assert columns_of(connection, "raw.sms") == SMS


def test_raw_sms_change_is_as_agreed(connection: duckdb.DuckDBPyConnection) -> None:
    assert columns_of(connection, "raw.sms_change") == SMS_CHANGE


@pytest.mark.parametrize("table", OPS)
def test_the_tables_of_operations_have_what_was_agreed(
    connection: duckdb.DuckDBPyConnection, table: str
) -> None:
    assert columns_of(connection, table).keys() >= OPS[table]


def test_raw_bulk_has_the_fields_of_a_listed_bulk(connection: duckdb.DuckDBPyConnection) -> None:
    columns = columns_of(connection, "raw.bulk")
    assert columns["msg_total_cost"] == MONEY
    assert columns.keys() >= {
        "uuid",
        "status_code",
        "processed_at",
        "msg_total_count",
        "is_dryrun",
        "currency",
    }


def test_the_request_ledger_has_no_place_for_a_secret(connection: duckdb.DuckDBPyConnection) -> None:
    assert columns_of(connection, "ops.request").keys() == OPS["ops.request"]


def test_only_what_every_message_has_is_required(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("describe raw.sms").fetchall()
    assert {row[0] for row in rows if row[2] == "NO"} == NOT_NULL


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_money_is_exact_and_stands_beside_its_currency(table: object) -> None:
    columns = metadata.tables[str(table)].columns
    money = [column.type for column in columns if type(column.type) is Numeric]
    assert all((amount.precision, amount.scale) == (18, 6) for amount in money)
    assert not money or "currency" in columns


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_names_of_times_and_truths_say_what_they_are(table: object) -> None:
    for column in metadata.tables[str(table)].columns:
        kind = column.type
        says_time = column.name.endswith("_at") or column.name in {"watermark_before", "watermark_after"}
        assert says_time == isinstance(kind, DateTime), column
        assert not isinstance(kind, DateTime) or kind.timezone is False, column
        assert isinstance(kind, Boolean) == column.name.startswith(("is_", "has_")), column


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_every_table_states_its_grain(table: object) -> None:
    assert "One row" in (metadata.tables[str(table)].comment or "") or str(table) == "ops.account"


def test_a_price_keeps_its_six_decimals(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1, "999999999999.999999")
        (price,) = transaction.native.execute("select price::varchar from raw.sms").fetchall()[0]
    assert price == "999999999999.999999"
