"""The page shows the marts' figures, says what they rest on, and cannot be made to run or fetch anything."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from sms_etl.finance.page import render_page
from sms_etl.finance.palette import OUTCOMES
from sms_etl.finance.reading import read_figures
from sms_etl.finance.report import ReportResult, write_report
from sms_etl.finance.side_lines import WasteLine
from sms_etl.finance.wording import Stamp
from sms_etl_tests.finance.account import DELIVERED, FAILED, BadRow, Message, Published, at, write_warehouse

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


def body_rows(table: str) -> list[list[str]]:
    """Return the cells of all rows but that of the headings."""
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table)[1:]]


def test_the_page_says_account_period_zone_currency_and_freshness(page: str, report: ReportResult) -> None:
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
        "Report": report.report_id,
        "Digest": report.digest,
    }


def test_every_total_on_the_page_is_the_marts_own(marts: duckdb.DuckDBPyConnection, page: str) -> None:
    row = marts.execute(
        "select sum(messages)::bigint, sum(parts)::bigint, sum(cost) from marts.cost_monthly "
        "where business_month = date '2026-01-01'"
    ).fetchone()
    assert row is not None
    messages, parts, cost = f"{row[0]:,}", f"{row[1]:,}", f"{row[2]:,.4f}"
    by_country, by_cost_centre, unassigned, by_service, by_campaign, by_day, delivery, accruals = total_rows(
        page
    )
    assert unassigned[0] == accruals[0] == "Total"
    for cells in (by_country, by_cost_centre, by_service, by_campaign, by_day):
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
    headings = [each.partition(" <small>")[0] for each in re.findall(r"<h2>(.*?)</h2>", page)]
    assert headings == [
        *("Cost in CHF", "Cost in EUR", "Delivery", "Accruals", "Waste", "Billing audit", "Words")
    ]
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
        "billed although it failed or was cancelled",
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
    assert "against Dec 2025" not in page
    assert "There is no comparison with December 2025: there is no message before 15 January 2026." in page


def test_a_partial_month_is_compared_on_the_days_that_were_read_of_it(warehouse_path: Path) -> None:
    page = page_of(
        warehouse_path,
        *[Message(at("2025-12-02"), price="0.10")] * 9,  # was not read whole, and is not compared
        Message(at("2025-12-15 12:00"), price="0.10"),
        Message(at("2026-01-02"), price="0.80"),
        Message(at("2026-01-15 12:00"), price="0.20"),
        windows=[(at("2025-12-14 23:00"), at("2026-02-10"))],
    )
    assert "+100.0 %</span> against 15–31 Dec 2025" in page
    assert "15–31 January 2026 is compared with the same days of December 2025" in page
    assert "</span> 1.00</a></dd>" in page.partition('<dt>Cost</dt><dd class="figure">')[2]


def test_with_a_month_before_the_figures_are_compared(page: str) -> None:
    assert len(re.findall(r"[+−][\d.]+ (?:%|points)</span> against Dec 2025", page)) == 5


def test_every_link_leads_to_a_place_on_the_page(page: str) -> None:
    links = re.findall(r'<a href="#([^"]*)"', page)
    assert len(links) > 10
    assert set(links) <= set(re.findall(r' id="([^"]*)"', page))


def test_each_headline_links_to_a_table_with_that_total(page: str) -> None:
    tiles = dict(re.findall(r'<dt>([^<]*)</dt><dd class="figure"><a href="#([^"]*)"', page))
    for tile, shown in (
        ("Cost", "117.6306"),
        ("Cost of undelivered messages", "6.3551"),
        ("Without a price", "4"),
        ("Messages", "1,493"),
    ):
        table = page.partition(f' id="{tiles[tile]}"')[2].partition("</table>")[0]
        assert shown in total_rows(table)[0]


def test_campaigns_and_what_was_sent_without_one_add_up_to_the_month(page: str) -> None:
    table = page.partition(' id="campaigns-EUR"')[2].partition("</table>")[0]
    *lines, total = body_rows(table)
    assert [row[0] for row in lines] == ["no campaign", *(str(UUID(int=7000 + week)) for week in (0, 1, 2))]
    assert sum(int(row[1].replace(",", "")) for row in lines) == 1493
    assert sum(Decimal(row[3]) for row in lines) == Decimal(total[3]) == Decimal("117.6306")


def test_accruals_show_the_estimate_and_how_good_it_is(warehouse_path: Path) -> None:
    page = page_of(
        warehouse_path,
        Message(at("2026-01-10 11:00"), price="0.10"),
        Message(at("2026-01-12 11:00"), price="0.08", parts=1),
        Message(at("2026-01-14 11:00"), price=None, parts=3),
        Message(at("2026-01-14 11:00"), price=None, parts=1, iso2="FR"),
    )
    section = page.partition('id="accruals"')[2].partition("</section>")[0]
    rows = [
        re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", section)[1:]
    ]
    assert rows == [
        ["DE", "direct", "1", "0", "3", "0.240000"],  # at the price of the 12th
        ["FR", "direct", "1", "1", "1", "0.000000"],
        ["Total", "", "2", "1", "4", "0.240000"],
    ]
    # Of the 12th the estimate would have been the price of the 10th; before the 10th there is none.
    assert "it would have been EUR 0.10 for EUR 0.08, +25.00 %." in section


def test_a_month_without_waste_findings_and_accruals_says_so(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON))
    assert "Every message has a price: nothing is to be accrued." in page
    assert "No message whose text was seen needed a part more" in page
    assert "Every bill is what its message, its day and its bulk say." in page


def test_a_bill_for_what_was_not_sent_stands_among_the_findings(warehouse_path: Path) -> None:
    page = page_of(warehouse_path, Message(NOON, price="0.10"), Message(NOON, price="0.10", status=FAILED))
    section = page.partition('id="audit"')[2].partition("</section>")[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", section)
    assert cells == ["billed although it failed or was cancelled", "1", "+0.100000"]


def test_waste_is_shown_by_reason_and_sender(marts: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(marts, date(2026, 1, 1), now=datetime(2026, 2, 10, tzinfo=UTC))
    lines = tuple(
        WasteLine("EUR", "unicode", f"Shop <{number}>", 1, 2, Decimal("0.149")) for number in range(17)
    )
    page = render_page(
        replace(figures, waste=lines), Stamp(datetime(2026, 2, 10, tzinfo=UTC), "id", "digest")
    )
    section = page.partition('id="waste"')[2].partition("</section>")[0]
    rows = [
        re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", section)[1:]
    ]
    assert rows[0] == ["characters outside the GSM alphabet", "Shop &lt;0&gt;", "1", "2", "0.149000"]
    assert rows[-2:] == [["2 others", "", "2", "4", "0.298000"], ["Total", "", "17", "34", "2.533000"]]


def lightness(colour: str) -> float:
    """The L* of a colour, 0 to 100: how light it is when printed in grey."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in (red, green, blue)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return float(116 * luminance ** (1 / 3) - 16)


def test_outcomes_can_be_told_apart_when_printed_in_grey() -> None:
    shades = sorted(lightness(colour) for colour in OUTCOMES.values())
    assert min(above - below for below, above in pairwise(shades)) > 10
