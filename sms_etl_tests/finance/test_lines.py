"""The lines behind a figure add up to it, hold no personal data, and are chosen by a closed list of columns.

The account, in the business time zone: January 2026 EUR 0.10 and 0.200001 in Germany, CHF 0.50, one message
without a price; February EUR 0.40.
"""

import csv
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import pytest

from sms_etl.errors import DataDirError, NoDataForPeriod, ReportError, UnknownFilter
from sms_etl.finance.choosing import FILTERS, filters_of
from sms_etl.finance.closing.close import close_month
from sms_etl.finance.closing.corrections import book_corrections
from sms_etl.finance.lines import LinesResult, write_lines
from sms_etl.finance.locales import Locale
from sms_etl.finance.period import month_of, quarter_of
from sms_etl.finance.report import write_report
from sms_etl_tests.finance.account import EXPIRED, Bulk, Message, at, write_warehouse

NOW = datetime(2026, 5, 10, tzinfo=UTC)
BULK = UUID(int=7000)
JANUARY, FEBRUARY = month_of("2026-01"), month_of("2026-02")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    messages = [
        Message(at("2026-01-10 11:00"), price="0.10", bulk_id=BULK),
        Message(at("2026-01-11 11:00"), price="0.200001", parts=2, key_id=2, status=EXPIRED),
        Message(at("2026-01-12 11:00"), price="0.50", currency="CHF", iso2="CH", service="pro"),
        Message(at("2026-01-13 11:00"), price=None),
        Message(at("2026-02-10 11:00"), price="0.40"),
    ]
    path = tmp_path_factory.mktemp("lines") / "warehouse.duckdb"
    return write_warehouse(
        path, messages, bulks=[Bulk(BULK, at("2026-01-10 10:00"))], watermark_at=at("2026-05-10")
    )


@pytest.fixture
def marts(account: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    copied = tmp_path / "copy.duckdb"
    shutil.copyfile(account, copied)
    with duckdb.connect(str(copied)) as connection:
        yield connection


@pytest.fixture
def closed(marts: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """January is closed; then its first message costs three cents more, which is booked to February."""
    assert close_month(marts, "2026-01", now=NOW, forced_reason="one has no price").digest
    marts.execute("update marts.fct_sms set price = price + 0.03 where price = 0.10")
    book_corrections(marts, NOW)
    return marts


def lines_of(
    connection: duckdb.DuckDBPyConnection, folder: Path, *words: str, month: str = "2026-01"
) -> tuple[LinesResult, list[dict[str, str]]]:
    result = write_lines(connection, month_of(month), folder, now=NOW, filters=filters_of(words))
    with result.file.open(encoding="utf-8-sig", newline="") as file:
        return result, list(csv.DictReader(file))


def test_the_lines_of_a_month_are_the_report_in_count_and_sum(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result, rows = lines_of(marts, tmp_path)
    report = write_report(marts, JANUARY, tmp_path, generated_at=NOW, formats=())
    assert result.totals == report.totals
    assert (result.report_id, result.digest) == (report.report_id, report.digest)
    assert {currency: found.cost for currency, found in result.sums.items()} == report.cost
    prices = [Decimal(row["price"]) for row in rows if row["currency"] == "EUR" and row["price"]]
    assert sum(prices) == report.cost["EUR"] == Decimal("0.300001")
    assert len(rows) == report.messages == result.lines == 4


def test_a_line_says_what_the_message_was_and_what_it_cost(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, rows = lines_of(marts, tmp_path, "key=2")
    assert rows == [
        {
            "line": "message",
            "business_month": "2026-01",
            "uuid": str(UUID(int=2)),
            "created_at": "2026-01-11T11:00:00Z",
            "business_day": "2026-01-11",
            "sent_at": "",
            "settled_at": "2026-01-11T11:00:00Z",
            "delivery_status": "expired",
            "country_code": "DE",
            "service_code": "direct",
            "sender_id": "",
            "cost_centre": "Logistics",
            "bulk_id": "",
            "key_id": "2",
            "messages": "1",
            "parts": "2",
            "unit_price": "0.100001",  # 0.1000005, rounded half up
            "price": "0.200001",
            "currency": "EUR",
            "closed_month": "",
            "correction_kind": "",
        }
    ]


@pytest.mark.parametrize(
    ("words", "days"),
    [
        (("country=de",), ["10", "11", "13"]),
        (("country=DE", "status=expired"), ["11"]),
        (("country=DE", "country=CH"), ["10", "11", "12", "13"]),
        (("currency=chf",), ["12"]),
        (("service=pro",), ["12"]),
        ((f"bulk={BULK}",), ["10"]),
        (("bulk=", "currency=EUR"), ["11", "13"]),
        (("day=2026-01-13",), ["13"]),
        (("cost_centre=Logistics",), ["11"]),
        ((f"uuid={UUID(int=3)}",), ["12"]),
        (("line=correction",), []),
        (("country=germany", "currency=eur"), ["10", "11", "13"]),
        (("country=Germany (DE)", "key=2"), ["11"]),
        (("country=FR",), []),  # there is such a country; nobody wrote there
        (("status=Rejected",), []),
        (("campaign=none", "currency=EUR"), ["11", "13"]),
        (("campaign=no campaign", "key=2"), ["11"]),
        ((f"campaign='{str(BULK).upper()}",), ["10"]),
        (("cost_centre=logistics",), ["11"]),
        (("day=12.01.2026", "day=2026-02-10"), ["12"]),
    ],
)
def test_lines_are_chosen_by_their_columns(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, words: tuple[str, ...], days: list[str]
) -> None:
    result, rows = lines_of(marts, tmp_path, *words)
    assert [row["business_day"][-2:] for row in rows] == days
    assert result.lines == len(days)


def test_the_lines_of_a_country_are_its_line_in_the_report(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result, _ = lines_of(marts, tmp_path, "country=DE", "line=message")
    assert (result.sums["EUR"].messages, result.sums["EUR"].cost) == (3, Decimal("0.300001"))
    assert result.file.name == "sms-lines-2026-01-country-DE-line-message.csv"


def test_a_number_that_somebody_asks_for_is_not_in_the_files_name(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for number in ("+49 176 12345678", "+49-176-12345678", "0176/12345678", "+49 (176) 12345678"):
        marts.execute("update marts.fct_sms set sender_id = ?", [number])
        result, _ = lines_of(marts, tmp_path, f"sender={number}")
        told = f"{result.file.name} {result.as_json()['where']}"
        assert "1234567" not in told.replace("-", "")


@pytest.mark.parametrize("name", ["../../evil", "/etc/x", "..", "a\x00b", "x' or 1=1 --"])
def test_a_name_leads_into_no_other_folder_and_into_no_query(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    marts.execute("update marts.fct_sms set sender_id = ? where country_code = 'CH'", [name])
    result, rows = lines_of(marts, tmp_path, f"sender={name}")
    assert result.file.parent == tmp_path
    assert re.fullmatch(r"sms-lines-2026-01-[A-Za-z0-9_-]+\.csv", result.file.name)
    assert len(rows) == 1


def test_lines_that_are_chosen_otherwise_are_in_another_file(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    names = set()
    for name in ("A B", "A-B", "A_B"):
        marts.execute("update marts.fct_sms set cost_centre = ? where country_code = 'CH'", [name])
        marts.execute("update marts.cost_monthly set cost_centre = ? where country_code = 'CH'", [name])
        names.add(lines_of(marts, tmp_path, f"cost_centre={name}")[0].file.name)
    assert len(names) == 3


@pytest.mark.parametrize("sender", ["+4917612345678", "=Shop;+1", "Acme"])
def test_a_value_may_be_given_as_a_file_shows_it(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, sender: str
) -> None:
    marts.execute("update marts.fct_sms set sender_id = ? where key_id = 2", [sender])
    shown = lines_of(marts, tmp_path, "key=2")[1][0]["sender_id"]
    _, rows = lines_of(marts, tmp_path, f"sender={shown}")
    assert [row["key_id"] for row in rows] == ["2"]


@pytest.mark.parametrize(
    ("word", "says", "hints"),
    [
        ("country=Germny", "there is no country 'Germny'; did you mean Germany (DE)?", "DE"),
        ("country=XX", "there is no country 'XX'.", "DE"),
        ("country=", "every line has a country", "DE"),
        ("service=dirct", "has the service 'dirct'; did you mean direct?", "There are: direct, pro."),
        ("cost_centre=Logistic", "did you mean Logistics?", "Logistics"),
        ("status=delivred", "did you mean delivered?", "There are: buffered"),
        ("line=corection", "did you mean correction?", "There are: correction, message."),
        ("currency=USD", "has the currency 'USD'.", "There are: CHF, EUR."),
        ("key=77", "has the API key '77'", "There are: "),
        ("sender=Acme", "has the sender 'Acme'", "No message has a sender."),
        ("campaign=spring", "has the bulk 'spring'", "campaign=none"),
        (f"bulk={UUID(int=1)}", "has the bulk", "Copy it whole"),
        (f"uuid={UUID(int=99)}", "has the uuid", "Copy it whole"),
        ("day=2026-01-32", "is no day", "2026-01-31"),
        ("service='; drop table marts.fct_sms; --", "has the service", "There are"),
    ],
)
def test_a_value_that_no_line_could_have_is_refused_with_the_nearest(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, word: str, says: str, hints: str
) -> None:
    with pytest.raises(UnknownFilter) as caught:
        lines_of(marts, tmp_path, word)
    assert says in caught.value.message
    assert hints in caught.value.hint
    assert caught.value.exit_code == 2
    assert not list(tmp_path.glob("*sms-lines*"))


def test_a_senders_number_that_is_not_there_is_not_repeated(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    marts.execute("update marts.fct_sms set sender_id = '+4917612345679'")
    with pytest.raises(UnknownFilter) as caught:
        lines_of(marts, tmp_path, "sender=+4917612345678")
    assert "1234567" not in f"{caught.value.message} {caught.value.hint}"


def test_a_sender_that_is_somebodys_number_is_masked(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    marts.execute("update marts.fct_sms set sender_id = '+4917612345678'")
    result, rows = lines_of(marts, tmp_path)
    assert {row["sender_id"] for row in rows} == {"'+49*********78"}  # a sheet would take it for a formula
    assert "12345678" not in result.file.read_text(encoding="utf-8-sig")


def test_the_lines_of_a_closed_month_are_those_that_were_closed(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result, rows = lines_of(closed, tmp_path)
    assert result.sums["EUR"].cost == Decimal("0.300001")
    assert rows[0]["price"] == "0.100000"
    assert rows[0]["bulk_id"] == str(BULK)


def test_a_correction_is_a_line_of_the_month_it_is_booked_to(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result, rows = lines_of(closed, tmp_path, month="2026-02")
    report = write_report(closed, FEBRUARY, tmp_path, generated_at=NOW, formats=())
    assert [(row["line"], row["closed_month"], row["price"], row["messages"]) for row in rows] == [
        ("message", "", "0.400000", "1"),
        ("correction", "2026-01", "0.030000", "0"),
    ]
    assert result.totals == report.totals
    assert {currency: found.cost for currency, found in result.sums.items()} == report.cost


def test_the_lines_of_a_quarter_are_the_report_of_the_quarter(
    closed: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result = write_lines(closed, quarter_of("2026-1"), tmp_path, now=NOW)
    report = write_report(closed, quarter_of("2026-1"), tmp_path, generated_at=NOW, formats=())
    assert result.totals == report.totals
    assert result.file.name == "sms-lines-2026-q1.csv"


def test_lines_hold_no_number_and_no_text(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _, rows = lines_of(marts, tmp_path)
    assert not [name for name in rows[0] if "phone" in name or "text" in name or "callback" in name]


@pytest.mark.parametrize("word", ["phone_hash=1", "country", "=DE", "price=1", "1=1 or country=DE"])
def test_a_column_that_lines_do_not_have_is_refused_naming_those_there_are(word: str) -> None:
    with pytest.raises(UnknownFilter) as caught:
        filters_of([word])
    assert all(name in caught.value.hint for name in FILTERS)
    assert caught.value.exit_code == 2


def test_lines_of_marts_that_contradict_each_other_are_not_handed_out(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for table in ("cost_monthly", "cost_daily"):
        marts.execute(f"update marts.{table} set cost = cost + 0.000001 where country_code = 'CH'")
    with pytest.raises(ReportError):
        write_lines(marts, JANUARY, tmp_path, now=NOW)
    assert not list(tmp_path.glob("*sms-lines*"))


def test_in_the_german_manner_a_line_has_commas_and_semicolons(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result = write_lines(marts, JANUARY, tmp_path, now=NOW, filters=filters_of(["key=2"]), locale=Locale.DE)
    line = result.file.read_text(encoding="utf-8-sig").splitlines()[1]
    assert line.startswith(f"message;2026-01;{UUID(int=2)};11.01.2026 11:00:00;11.01.2026;")
    assert ";0,100001;0,200001;EUR;" in line


def test_a_folder_that_cannot_be_made_is_named(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataDirError, match="file"):
        write_lines(marts, JANUARY, tmp_path / "file", now=NOW)


def test_a_month_without_messages_has_no_lines(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(NoDataForPeriod):
        write_lines(marts, month_of("2026-03"), tmp_path, now=NOW)
