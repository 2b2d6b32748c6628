"""A month's charges: figures by hand, what is left out, and a closed month that stays as it was closed."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sms_etl.errors import ClosedMonthChanged, NoDataForPeriod, NotAPeriod, NoWarehouse
from sms_etl.finance.closing.close import close_month
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.closing.reported import figures_to_report
from sms_etl.finance.focus.charges import read_month
from sms_etl.finance.focus.export import FocusResult, write_focus
from sms_etl_tests.finance.account import Message, at, write_warehouse
from sms_etl_tests.finance.closing.small import FEBRUARY, JANUARY, MARCH, NOW

Rows = list[dict[str, str]]
NEVER = date(2025, 6, 1)
READ_AT = at("2026-03-10")


def written(
    connection: duckdb.DuckDBPyConnection, folder: Path, *months: date, **options: Any
) -> FocusResult:
    return write_focus(connection, months or (JANUARY,), folder, now=NOW, **options)


def rows_of(file: Path) -> Rows:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def charges_of(connection: duckdb.DuckDBPyConnection, folder: Path, *months: date) -> Rows:
    return rows_of(written(connection, folder, *months).files[0])


def cost_of(rows: Rows) -> dict[str, Decimal]:
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        costs[row["BillingCurrency"]] += Decimal(row["BilledCost"])
    return dict(costs)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Five texts, one without a price, and a call, in two currencies; key 9 has no cost centre."""
    messages = [
        Message(at("2025-12-31 23:00"), price="0.10"),
        Message(at("2026-01-01 22:59"), price="0.10"),
        Message(at("2026-01-01 23:00"), price="0.200002", parts=2, key_id=9),
        Message(at("2026-01-31 22:59:59"), price="0.30", currency="CHF", iso2=None),
        Message(at("2026-01-16 11:00"), price="0.25", service="text2speech", iso2="AT"),
        Message(at("2026-01-16 11:00"), price=None),
    ]
    path = tmp_path_factory.mktemp("focus") / "warehouse.duckdb"
    write_warehouse(path, messages, watermark_at=READ_AT)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def test_a_charge_holds_what_alike_messages_of_a_day_cost(
    account: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = charges_of(account, tmp_path)[0]
    assert {name: value for name, value in first.items() if value} == {
        "BilledCost": "0.200000",
        "BillingAccountId": "4711",
        "BillingCurrency": "EUR",
        "BillingPeriodEnd": "2026-01-31T23:00:00Z",
        "BillingPeriodStart": "2025-12-31T23:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "SMS to Germany, direct, 1 part, EUR 0.100000 each",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-01-01T23:00:00Z",
        "ChargePeriodStart": "2025-12-31T23:00:00Z",
        "ConsumedQuantity": "2",
        "ConsumedUnit": "Parts",
        "ContractedCost": "0.200000",
        "ContractedUnitPrice": "0.100000",
        "EffectiveCost": "0.200000",
        "HostProviderName": "LOX24",
        "InvoiceIssuerName": "LOX24",
        "ListCost": "0.200000",
        "ListUnitPrice": "0.100000",
        "PricingCategory": "Standard",
        "PricingQuantity": "2",
        "PricingUnit": "Messages",
        "RegionId": "DE",
        "RegionName": "Germany",
        "ServiceCategory": "Mobile",
        "ServiceName": "SMS",
        "ServiceProviderName": "LOX24",
        "ServiceSubcategory": "Other (Mobile)",
        "SkuId": "direct",
        "SkuMeter": "Text messages",
        "SkuPriceDetails": '{"x_DestinationCountry":"DE","x_PartsPerMessage":1}',
        "SkuPriceId": "direct/DE/1",
        "SubAccountId": "Marketing",
        "SubAccountName": "Marketing",
        "Tags": '{"cost_centre":"Marketing"}',
        "x_MessageCount": "2",
    }


def test_a_text_of_several_parts_counts_them_and_has_the_price_of_the_whole(
    account: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    second = charges_of(account, tmp_path)[1]
    names = ("BilledCost", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "ContractedUnitPrice")
    assert [second[name] for name in names] == ["0.200002", "2", "Parts", "1", "0.200002"]
    assert second["SkuPriceId"] == "direct/DE/2"


def test_what_belongs_to_no_cost_centre_has_no_sub_account_and_no_tag(
    account: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    second = charges_of(account, tmp_path)[1]
    assert [second[name] for name in ("SubAccountId", "SubAccountName", "Tags")] == ["", "", ""]


def test_a_call_is_counted_as_a_call(account: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    call = charges_of(account, tmp_path)[2]
    names = ("ServiceName", "SkuId", "SkuPriceId", "ConsumedUnit", "PricingUnit", "ChargeDescription")
    assert [call[name] for name in names] == [
        "Text to speech",
        "text2speech",
        "text2speech/AT",
        "Calls",
        "Calls",
        "voice calls to Austria, text2speech, EUR 0.250000 each",
    ]


def test_what_is_read_aloud_is_a_call_by_whatever_service(tmp_path: Path) -> None:
    sent = [Message(at("2026-01-16 11:00"), price="0.10", voice_lang=voice) for voice in (None, "DE", "DE")]
    with duckdb.connect(
        str(write_warehouse(tmp_path / "w.duckdb", sent, watermark_at=READ_AT))
    ) as connection:
        names = ("ServiceName", "PricingUnit", "SkuPriceId", "x_MessageCount")
        found = [tuple(row[name] for name in names) for row in charges_of(connection, tmp_path)]
        assert found == [
            ("SMS", "Messages", "direct/DE/1", "1"),
            ("Text to speech", "Calls", "direct/DE", "2"),
        ]

        # Closed, and then a call gets another price.
        assert close_month(connection, JANUARY, now=NOW, forced_reason="a test").digest
        connection.execute(
            "update marts.fct_sms set price = 0.12 where uuid = (select max(uuid) from raw.sms)"
        )
        assert book_corrections(connection, NOW) == 1
        (corrected,) = charges_of(connection, tmp_path, FEBRUARY)
        assert (
            corrected["ChargeDescription"] == "Correction of 2026-01 (price): voice calls to Germany, direct"
        )


def test_a_message_to_no_known_country_has_no_region(
    account: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    last = charges_of(account, tmp_path)[3]
    assert (last["RegionId"], last["RegionName"], last["SkuPriceId"]) == ("", "", "direct/ZZ/1")
    assert last["ChargeDescription"] == "SMS to an unknown country, direct, 1 part, CHF 0.300000 each"


def test_currencies_are_never_added_up(account: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert cost_of(charges_of(account, tmp_path)) == {"EUR": Decimal("0.650002"), "CHF": Decimal("0.30")}


def test_a_message_without_a_price_is_left_out_and_counted(
    account: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result = written(account, tmp_path)
    charges, _, periods, _ = result.files
    assert sum(int(row["x_MessageCount"]) for row in rows_of(charges)) == 5
    assert result.unpriced == 1
    assert result.notes == (
        "1 message has no price and is left out: FOCUS has no place for a cost that is not known.",
    )
    assert rows_of(periods)[0]["x_UnpricedMessageCount"] == "1"


def test_a_negative_price_is_a_credit_without_quantity_and_unit_price(tmp_path: Path) -> None:
    messages = [Message(at("2026-01-16"), price="-0.10"), Message(at("2026-01-16"), price="-0.10")]
    path = write_warehouse(tmp_path / "credit.duckdb", messages, watermark_at=READ_AT)
    with duckdb.connect(str(path)) as connection:
        (credit,) = charges_of(connection, tmp_path)
    names = (
        "BilledCost",
        "ListCost",
        "ChargeCategory",
        "ChargeFrequency",
        "ConsumedQuantity",
        "PricingQuantity",
    )
    assert [credit[name] for name in names] == ["-0.200000", "-0.200000", "Credit", "One-Time", "", ""]
    assert credit["ContractedUnitPrice"] == credit["SkuPriceId"] == ""
    assert credit["ChargeDescription"] == "Credit: SMS to Germany, direct, 1 part, EUR -0.100000 each"


def test_a_sandbox_is_not_taken_for_the_provider(tmp_path: Path) -> None:
    path = write_warehouse(
        tmp_path / "w.duckdb", [Message(at("2026-01-16"))], watermark_at=READ_AT, is_sandbox=True
    )
    with duckdb.connect(str(path)) as connection:
        (charge,) = charges_of(connection, tmp_path)
    names = ("ServiceProviderName", "HostProviderName", "InvoiceIssuerName")
    assert {charge[name] for name in names} == {"LOX24 sandbox"}


def test_all_of_a_busy_month_is_in_the_file_to_the_last_digit(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    figures = figures_to_report(marts, JANUARY, now=NOW)
    rows = charges_of(marts, tmp_path)
    assert cost_of(rows) == {total.currency: total.cost for total in figures.totals}
    counted = sum(int(row["x_MessageCount"]) for row in rows)
    assert counted == sum(total.messages for total in figures.totals) - figures.unpriced
    parts = sum(int(row["ConsumedQuantity"]) for row in rows)
    assert parts == sum(each.total.priced_parts for each in figures.currencies)


def test_the_parquet_has_the_values_of_the_csv(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    csv_file, parquet_file, *_ = written(marts, tmp_path).files
    table = pq.read_table(parquet_file)
    assert table.schema.metadata[b"FocusVersion"] == b"1.4"
    shown = [
        {name: "" if value is None else _as_csv(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert shown == rows_of(csv_file)


def _as_csv(value: Any) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "tzinfo") else str(value)


def test_closing_a_month_changes_no_row_of_it(tmp_path: Path) -> None:
    messages = [
        Message(
            at(f"2026-01-{day:02} 10:00"),
            price=price,
            parts=parts,
            service=service,
            iso2=country,
            key_id=key,
            voice_lang=voice,
        )
        for day in (3, 4)
        for price in ("0", "0.10", "-0.05")
        for parts in (None, 0, 1, 3)
        for service, voice in (
            ("direct", None),
            ("direct", "DE"),
            ("text2speech_ssml", None),
            ('odd "=code\\', None),
        )
        for country in ("DE", None, "XX")
        for key in (1, 9)
    ]
    path = write_warehouse(tmp_path / "w.duckdb", messages, watermark_at=READ_AT)
    with duckdb.connect(str(path)) as connection:
        open_rows = read_month(connection, JANUARY, now=NOW).rows
        assert len(open_rows) == len(messages) * 3 // 4  # no parts and unknown parts are alike
        assert close_month(connection, JANUARY, now=NOW, forced_reason="a test").digest
        assert read_month(connection, JANUARY, now=NOW).rows == open_rows


def test_a_closed_month_is_the_same_for_ever_and_what_changes_is_a_correction_of_the_next(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    close_month(ripe, JANUARY, now=NOW)
    closed = written(ripe, tmp_path / "first")
    before = [file.read_bytes() for file in closed.files if file.suffix == ".csv"]

    # A price of January changes, one of its messages is gone, and the marts know nothing of it any more.
    ripe.execute("update marts.fct_sms set price = price + 0.01 where price = 0.10")
    ripe.execute("delete from marts.fct_sms where price = 0.200001")
    assert book_corrections(ripe, NOW) == 2
    ripe.execute("delete from marts.focus_cost_and_usage where business_day < date '2026-02-01'")
    again = written(ripe, tmp_path / "again")
    assert [file.read_bytes() for file in again.files if file.suffix == ".csv"] == before
    for first, second in zip(closed.files, again.files, strict=True):
        if first.suffix == ".parquet":
            assert pq.read_table(first).equals(pq.read_table(second))
    assert again.digest == closed.digest

    february = written(ripe, tmp_path, FEBRUARY)
    usage, removed, price = rows_of(february.files[0])
    assert (usage["ChargeClass"], usage["BilledCost"]) == ("", "0.400000")
    names = ("ChargeClass", "x_CorrectionKind", "BilledCost", "x_MessageCount", "SubAccountId")
    assert [price[name] for name in names] == ["Correction", "price", "0.010000", "0", "Marketing"]
    assert [removed[name] for name in names] == ["Correction", "removed", "-0.200001", "-1", "Logistics"]
    assert removed["ChargeDescription"] == "Correction of 2026-01 (removed): SMS to Germany, direct"
    periods = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    assert [price[name] for name in periods] == [
        "2026-01-31T23:00:00Z",
        "2026-02-28T23:00:00Z",
        "2025-12-31T23:00:00Z",
        "2026-01-31T23:00:00Z",
    ]
    assert february.corrections == 2

    # Both months together are what was closed, and what changed.
    everything = cost_of(rows_of(closed.files[0]) + rows_of(february.files[0]))
    assert everything == {
        "EUR": Decimal("0.600001") + Decimal("0.40") + Decimal("0.01") - Decimal("0.200001")
    }


def test_corrections_that_cancel_are_left_out(ripe: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    close_month(ripe, JANUARY, now=NOW)
    for price in ("0.11", "0.10"):
        ripe.execute("update marts.fct_sms set price = cast(? as decimal(18, 6)) where price < 0.2", [price])
        assert book_corrections(ripe, NOW) == 1
    assert {row["ChargeClass"] for row in charges_of(ripe, tmp_path, FEBRUARY)} == {""}


def test_the_billing_period_says_whether_it_is_closed_and_when_it_changed_last(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    close_month(ripe, JANUARY, now=NOW)
    january, february = rows_of(written(ripe, tmp_path, JANUARY, FEBRUARY, name="2026-Q1").files[2])
    digest = january.pop("x_Digest")
    assert len(digest) == 64
    assert january == {
        "BillingPeriodCreated": "2025-12-31T23:00:00Z",
        "BillingPeriodEnd": "2026-01-31T23:00:00Z",
        "BillingPeriodLastUpdated": "2026-05-10T00:00:00Z",
        "BillingPeriodStart": "2025-12-31T23:00:00Z",
        "BillingPeriodStatus": "Closed",
        "InvoiceIssuerName": "LOX24",
        "x_UnpricedMessageCount": "0",
    }
    names = ("BillingPeriodStatus", "BillingPeriodLastUpdated", "x_Digest")
    assert [february[name] for name in names] == ["Open", "2026-03-10T00:00:00Z", ""]


def test_several_months_are_one_file_without_those_in_which_nothing_was_sent(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result = written(ripe, tmp_path, JANUARY, FEBRUARY, MARCH, name="2026-Q1")
    assert [file.name for file in result.files] == [
        "focus-2026-Q1.csv",
        "focus-2026-Q1.parquet",
        "focus-billing-period-2026-Q1.csv",
        "focus-billing-period-2026-Q1.parquet",
    ]
    assert result.months == (JANUARY, FEBRUARY)
    assert cost_of(rows_of(result.files[0])) == {"EUR": Decimal("1.000001")}


def test_a_period_in_which_nothing_was_sent_is_an_error(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(NoDataForPeriod):
        written(ripe, tmp_path, NEVER)
    with pytest.raises(NotAPeriod):
        written(ripe, tmp_path, NOW.date().replace(year=2027))
    assert list(tmp_path.glob("focus*")) == []


def test_a_warehouse_without_the_mart_says_what_to_run(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    ripe.execute("drop table marts.focus_cost_and_usage")
    with pytest.raises(NoWarehouse, match="sms-etl build"):
        written(ripe, tmp_path)


def test_a_closed_month_that_was_changed_by_hand_is_not_written(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    close_month(ripe, JANUARY, now=NOW)
    ripe.execute("update finance.closed_line set price = price + 0.000001")
    with pytest.raises(ClosedMonthChanged):
        written(ripe, tmp_path)


def test_a_country_keeps_the_name_it_was_closed_under(
    ripe: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    close_month(ripe, JANUARY, now=NOW)
    changed = "set country_name = 'Elsewhere', price = price + 1 where business_month = '2026-01-01'"
    ripe.execute(f"update marts.fct_sms {changed}")
    ripe.execute("update marts.focus_cost_and_usage set region_name = 'Elsewhere'")
    book_corrections(ripe, NOW + timedelta(days=1))
    assert {row["RegionName"] for row in charges_of(ripe, tmp_path)} == {"Germany"}
    named = {row["RegionName"] for row in charges_of(ripe, tmp_path, FEBRUARY) if row["ChargeClass"]}
    assert named == {"Germany"}


def test_what_is_json_is_json(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = charges_of(marts, tmp_path)
    tagged = {row["SubAccountId"]: json.loads(row["Tags"]) for row in rows if row["Tags"]}
    assert tagged == {centre: {"cost_centre": centre} for centre in tagged}
    assert len(tagged) > 1
