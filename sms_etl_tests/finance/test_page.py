"""The page shows the marts' figures, says what they rest on, and cannot be made to run or fetch anything."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.finance.report import ReportResult, write_report
from sms_etl_tests.finance.account import DELIVERED, BadRow, Message, Published, at, write_warehouse

NOON = at("2026-01-15 11:00")


def page_of(path: Path, *messages: Message, **account: Any) -> str:
    write_warehouse(path, messages, **account)
    with duckdb.connect(str(path), read_only=True) as connection:
        result = write_report(
            connection, "2026-01", path.parent, generated_at=datetime(2026, 2, 10, tzinfo=UTC)
        )
    return result.html.read_text(encoding="utf-8").split("</main>", maxsplit=1)[0]


def total_rows(page: str) -> list[list[str]]:
    feet = re.findall(r"<tfoot>(.*?)</tfoot>", page, flags=re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", foot) for foot in feet]


def test_the_page_says_account_period_zone_currency_and_freshness(page: str) -> None:
    basis = page.partition('<dl class="basis">')[2].partition("</dl>")[0]
    stated = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", basis))
    assert stated == {
        "Account": "4711 at api.lox24.eu",
        "Period": "1 January 2026 to 31 January 2026",
        "Time zone": "Europe/Berlin (days and months begin at midnight there)",
        "Currency": "EUR, net of VAT",
        "Newest message": "2 February 2026, 13:00",
        "Statuses as of": "2 February 2026, 13:00",
        "Report written": "2 February 2026, 14:00",
    }


def test_every_total_on_the_page_is_the_marts_own(marts: duckdb.DuckDBPyConnection, page: str) -> None:
    row = marts.execute(
        "select sum(messages)::bigint, sum(parts)::bigint, sum(cost) from marts.cost_monthly "
        "where business_month = date '2026-01-01'"
    ).fetchone()
    assert row is not None
    messages, parts, cost = f"{row[0]:,}", f"{row[1]:,}", f"{row[2]:,.4f}"
    *cost_tables, delivery = total_rows(page)
    by_country, by_cost_centre, unassigned, by_service, by_day = cost_tables
    assert unassigned[0] == "Total"
    for cells in (by_country, by_cost_centre, by_service, by_day):
        assert cells[1:3] == [messages, parts]
        assert cost in cells
    assert delivery[1] == messages


def test_a_printed_column_adds_up_to_its_printed_total(page: str) -> None:
    table = re.findall(r"<table>(.*?)</table>", page, flags=re.DOTALL)[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table)[1:]]
    *lines, total = [round(float(cells[3].replace(",", "")) * 10_000) for cells in rows]
    assert sum(lines) == total


def test_countries_beyond_the_fifteenth_are_one_line(page: str) -> None:
    assert len(re.findall(r'<tr class="rest"><td class="name">5 other countries</td>', page)) == 1


def test_labels_from_outside_are_escaped_wherever_they_stand(page: str) -> None:
    assert "Bank &amp; &lt;i&gt;Co&lt;/i&gt;" in page
    assert "<i>" not in page


def test_chart_data_is_the_days_of_the_mart(marts: duckdb.DuckDBPyConnection, page: str) -> None:
    drawn = re.search(r'id="cost-by-day-EUR">(.*?)</script>', page)
    assert drawn is not None
    spec = json.loads(drawn[1])
    values = spec["datasets"][spec["data"]["name"]]
    days = marts.execute(
        "select business_day::varchar, sum(cost)::double from marts.cost_daily "
        "where business_day >= '2026-01-01' group by all order by all"
    ).fetchall()
    assert [(row["day"], row["cost"]) for row in values] == days


def test_the_policy_lets_only_the_pages_own_scripts_run_and_nothing_be_fetched(report: ReportResult) -> None:
    text = report.html.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert rules == {
        "default-src": "'none'",
        "script-src": " ".join(hashes),
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_each_currency_has_its_own_section(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON, price="0.10"), Message(NOON, price="0.25", currency="CHF"))
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Cost in CHF", "Cost in EUR", "Delivery", "Words"]
    assert "0.35" not in page


def test_a_month_with_nothing_charged_is_still_a_page(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON, price=None, status=DELIVERED))
    assert "1 message has no price yet and is not in the cost." in page


def test_the_states_of_cost_and_delivery_stand_apart(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON, price=None))
    stated = re.findall(r'<div class="(\w+)"><dt>(\w+)</dt><dd><strong>([^<]*)</strong>', page)
    assert [each for each in stated if each[1] in {"Cost", "Delivery"}] == [
        ("care", "Cost", "not complete"),
        ("good", "Delivery", "complete"),
    ]


def test_failed_never_means_undelivered(page: str) -> None:
    shown = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "Cost of undelivered messages" in shown
    assert re.findall(r">([^<]*[Ff]ailed[^<]*)<", shown) == [
        "Failed",  # the column of the delivery table
        "Failed",  # its definition
        "Final and not delivered: expired, rejected, failed and cancelled together.",
    ]


def test_what_is_left_out_stands_on_the_page_with_its_reason_and_escaped(warehouse_path: Path) -> None:
    bad = BadRow(reason="<b>odd</b>", price="0.21000000000000002", accepted_reason="=1+1 <script>")
    page = page_of(warehouse_path, Message(NOON), bad_rows=[bad])
    (row,) = re.findall(r"<td class=\"name short\">messages</td>.*?</tr>", page)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells == [
        "messages",
        "accepted",
        "&lt;b&gt;odd&lt;/b&gt;",
        "Accepted: =1+1 &lt;script&gt;. 1 without a readable time, by the month they were quarantined in.",
        "1",
        "EUR 0.21000000000000002",
    ]


def test_a_forced_publication_and_a_sandbox_stand_above_every_figure(warehouse_path: Path) -> None:
    page = page_of(
        warehouse_path, Message(NOON), publications=[Published("board <meeting>")], is_sandbox=True
    )
    above = page.partition('class="tiles"')[0]
    assert "marts.cost_monthly.money_reconciles" in above
    assert "Reason given: board &lt;meeting&gt;." in above
    assert "made up by the sandbox" in above
    assert "<title>SANDBOX: SMS report January 2026</title>" in above


def test_keys_without_a_cost_centre_are_listed(warehouse_path: Path) -> None:
    page = page_of(
        warehouse_path, Message(NOON, price="0.10", key_id=None), Message(NOON, price="0.30", key_id=77)
    )
    listed = page.partition("<h3>Unassigned")[2].partition("</table>")[0]
    assert re.findall(r"<td[^>]*>(.*?)</td>", listed) == [
        *("77", "1", "0.30"),
        *("no key", "1", "0.10"),
        *("Total", "2", "0.40"),
    ]


def test_without_a_month_before_nothing_is_compared_and_the_page_says_why(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON))
    assert "on Dec 2025" not in page
    assert "Nothing to compare with: there is no message before 15 January 2026." in page


def test_a_partial_month_is_compared_on_the_days_that_were_read_of_it(warehouse_path: Path) -> None:
    page = page_of(
        warehouse_path,
        *[Message(at("2025-12-02"), price="0.10")] * 9,  # was not read whole, and is not compared
        Message(at("2025-12-15 12:00"), price="0.10"),
        Message(at("2026-01-02"), price="0.80"),
        Message(at("2026-01-15 12:00"), price="0.20"),
        windows=[(at("2025-12-14 23:00"), at("2026-02-10"))],
    )
    assert "+100.0 %</span> on 15–31 Dec 2025" in page
    assert "15–31 January 2026 against the same days of December 2025" in page
    assert "</span> 1.00</dd>" in page.partition('<dt>Cost</dt><dd class="figure">')[2]


def test_with_a_month_before_the_figures_are_compared(page: str) -> None:
    assert len(re.findall(r"[+−][\d.]+ (?:%|points)</span> on Dec 2025", page)) == 5
