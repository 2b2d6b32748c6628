"""What stands in the CSV and the Parquet for each kind of value."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
import pytest

from sms_etl.finance.focus.encoding import csv_of, parquet_of
from sms_etl.finance.focus.specification import Column, Kind, Version

MOMENT = datetime(2026, 1, 31, 23)
COLUMNS = tuple(Column(kind.name.title(), kind, is_nullable=True) for kind in Kind)
VALUES: dict[str, Any] = {
    "text": 'a "b", ü\nc',
    "money": Decimal("123456789012345678901234567890.000001"),
    "quantity": 1200,
    "time": MOMENT,
    "currency": "CHF",
    "json": '{"a":"=1"}',
}


def test_a_csv_is_that_of_rfc_4180_in_utf_8() -> None:
    assert csv_of([VALUES], COLUMNS, Version.V1_4).decode() == (
        "Text,Money,Quantity,Time,Currency,Json\r\n"
        '"a ""b"", ü\nc",123456789012345678901234567890.000001,1200,'
        '2026-01-31T23:00:00Z,CHF,"{""a"":""=1""}"\r\n'
    )


def test_null_is_nothing() -> None:
    row = dict.fromkeys(VALUES)
    assert csv_of([row], COLUMNS, Version.V1_4).splitlines()[1] == b",,,,,"


@pytest.mark.parametrize("amount", ["0", "-0.000001", "0.0000", "1E+3"])
def test_money_is_written_without_an_exponent(amount: str) -> None:
    column = Column("Cost", Kind.MONEY)
    assert csv_of([{"cost": Decimal(amount)}], [column], Version.V1_4).decode() == (
        f"Cost\r\n{Decimal(amount):.6f}\r\n"
    )
    assert b"E" not in csv_of([{"cost": Decimal(amount)}], [column], Version.V1_4).splitlines()[1]


@pytest.mark.parametrize("text", ["=1+1", "+49", "-x", "@x", "\tx"])
def test_text_that_looks_like_a_formula_is_none_in_the_csv_and_as_it_is_in_parquet(text: str) -> None:
    column = Column("Text")
    rows = [{"text": text}]
    assert csv_of(rows, [column], Version.V1_4).decode() == f"Text\r\n'{text}\r\n"
    table = pq.read_table(BytesIO(parquet_of(rows, [column], Version.V1_4, "CostAndUsage")))
    assert table.to_pylist() == [{"Text": text}]


@pytest.mark.parametrize(
    ("text", "written"),
    [("4711", "#4711"), ("1e5", "#1e5"), ("1.5", "#1.5"), (".5", "#.5"), ("4711a", "4711a"), ("IT", "IT")],
)
def test_text_that_looks_like_a_number_is_marked_for_the_validator_of_1_0_alone(
    text: str, written: str
) -> None:
    column = Column("Text")
    assert csv_of([{"text": text}], [column], Version.V1_0).decode() == f"Text\r\n{written}\r\n"
    assert csv_of([{"text": text}], [column], Version.V1_4).decode() == f"Text\r\n{text}\r\n"


def test_a_quantity_of_1_0_has_a_decimal_point() -> None:
    column = Column("Quantity", Kind.QUANTITY)
    assert csv_of([{"quantity": 3}], [column], Version.V1_0).decode() == "Quantity\r\n3.0\r\n"


def test_parquet_keeps_decimals_and_the_time_zone() -> None:
    table = pq.read_table(BytesIO(parquet_of([VALUES], COLUMNS, Version.V1_4, "BillingPeriod")))
    (row,) = table.to_pylist()
    assert row["Money"] == VALUES["money"]
    assert row["Quantity"] == Decimal(1200)
    assert row["Time"] == MOMENT.replace(tzinfo=UTC)
    assert table.schema.metadata == {b"FocusVersion": b"1.4", b"FocusDataset": b"BillingPeriod"}


def test_a_column_that_stays_empty_needs_no_value() -> None:
    column = Column("Empty", is_nullable=True, is_empty=True)
    assert csv_of([{}], [column], Version.V1_0).splitlines() == [b"Empty", b'""']


def test_a_month_without_charges_still_has_its_columns() -> None:
    assert csv_of([], COLUMNS, Version.V1_4) == b"Text,Money,Quantity,Time,Currency,Json\r\n"
    assert pq.read_table(BytesIO(parquet_of([], COLUMNS, Version.V1_4, "CostAndUsage"))).num_rows == 0
