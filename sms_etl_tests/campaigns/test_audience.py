"""An audience is the numbers of a query on the warehouse, where numbers are kept."""

from pathlib import Path
from uuid import uuid4

import pytest

from sms_etl.campaigns.audience import read_audience
from sms_etl.errors import CampaignRefused, NoWarehouse, QueryError
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.store import Warehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings(data_dir=tmp_path / "data", pii="keep")
    with Warehouse.of(found).begin() as transaction:
        for iso2, phone in (("DE", "+4915555100001"), ("DE", "+4915555100001"), ("AT", "+4366055550123")):
            transaction.run(
                "insert into raw.sms (uuid, created_at, currency, iso2, phone, first_seen_at, last_seen_at, "
                "changed_at) values (?, '2026-01-01', 'EUR', ?, ?, '2026-01-01', '2026-01-01', '2026-01-01')",
                [uuid4(), iso2, phone],
            )
    return found


@pytest.mark.parametrize(
    "sql", ["select phone from raw.sms", "select iso2, phone from raw.sms", "select phone as x from raw.sms"]
)
def test_the_numbers_are_those_of_the_column_phone_or_of_the_only_one(settings: Settings, sql: str) -> None:
    found = read_audience(sql, settings, "DE")
    assert sorted(found.numbers) == ["+4366055550123", "+4915555100001"]
    assert found.duplicates == 1


def test_rows_without_a_number_are_counted(settings: Settings) -> None:
    found = read_audience("select phone from raw.sms union all select null", settings, "DE")
    assert [bad.reason for bad in found.invalid] == ["there is no number"]


def test_under_pseudonymise_it_says_why_not_and_what_to_do(settings: Settings) -> None:
    strict = load_settings(data_dir=settings.data_dir)
    with pytest.raises(CampaignRefused, match="keeps none") as raised:
        read_audience("select phone from raw.sms", strict, "DE")
    assert "--recipients" in raised.value.hint


def test_several_columns_need_one_called_phone(settings: Settings) -> None:
    with pytest.raises(CampaignRefused, match="called phone"):
        read_audience("select iso2, created_at from raw.sms", settings, "DE")


@pytest.mark.parametrize(
    "sql", ["delete from raw.sms", "select 1; select 2", "selec phone", "select colour from raw.sms"]
)
def test_anything_but_one_query_is_refused(settings: Settings, sql: str) -> None:
    with pytest.raises(QueryError):
        read_audience(sql, settings, "DE")


def test_an_error_that_may_quote_a_row_does_not(settings: Settings) -> None:
    with pytest.raises(QueryError, match="ConversionException") as raised:
        read_audience("select cast(phone || 'x' as integer) from raw.sms", settings, "DE")
    assert "+49" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_without_a_warehouse_it_says_what_to_run(tmp_path: Path) -> None:
    nothing = load_settings(data_dir=tmp_path / "nothing", pii="keep")
    with pytest.raises(NoWarehouse):
        read_audience("select phone from raw.sms", nothing, "DE")
