"""The report's page, opened as finance opens it: from a file, without a network."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from playwright.sync_api import BrowserContext, expect

from sms_etl.finance.locales import Locale
from sms_etl.finance.period import quarter_of
from sms_etl.finance.report import write_report
from sms_etl_tests.browser.conftest import Watched, picture
from sms_etl_tests.finance.account import (
    BadRow,
    Bulk,
    Message,
    Published,
    at,
    busy_account,
    busy_month,
    write_warehouse,
)

CHARTS = ("cost-by-day-EUR", "cost-by-country-EUR", "delivery-by-day")

pytestmark = pytest.mark.browser


LABEL = "A provider's label without any space ".replace(" ", "-") * 3
WIDER = """
[...document.querySelectorAll('.wide, .chart, .standing, .notice, .tile, .basis, table')]
    .filter(each => each.scrollWidth > each.clientWidth && each.tagName !== 'TABLE'
        || each.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map(each => each.className || each.tagName + ': ' + each.innerText.slice(0, 40))
"""
"""What reaches beyond its place or the screen."""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with duckdb.connect(str(busy_account(folder / "warehouse.duckdb")), read_only=True) as connection:
        result = write_report(
            connection, "2026-01", folder, generated_at=datetime(2026, 2, 2, 13, tzinfo=UTC)
        )
    return result.html


@pytest.fixture
def opened(browser_page: Watched, page_file: Path) -> Watched:
    browser_page.page.goto(page_file.as_uri())
    browser_page.page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    return browser_page


@pytest.mark.parametrize("chart", CHARTS)
def test_each_chart_is_drawn_with_bars_of_some_size(opened: Watched, chart: str) -> None:
    bars = opened.page.locator(f"[data-chart={chart}] svg .mark-rect path")
    sizes = [bar.bounding_box() for bar in bars.all()]
    assert len(sizes) > 10
    assert all(size and size["width"] > 0 for size in sizes)
    assert max(size["height"] for size in sizes if size) > 10


def test_what_a_month_cost_by_day_and_country_is_seen_at_a_glance(opened: Watched) -> None:
    by_day = opened.page.locator("[data-chart=cost-by-day-EUR]")
    by_day.evaluate("each => each.scrollIntoView({block: 'center'})")
    expect(by_day).to_be_in_viewport(ratio=1)
    picture(opened.page, "report-charts")


def test_the_day_axis_is_labelled_by_an_evaluated_expression(opened: Watched) -> None:
    labels = opened.page.locator("[data-chart=cost-by-day-EUR] .role-axis-label text").all_text_contents()
    assert {"1", "15", "31"} <= set(labels)


def test_the_page_complains_of_nothing(opened: Watched) -> None:
    assert opened.complaints == []


def test_no_request_leaves_the_page(opened: Watched, page_file: Path) -> None:
    assert opened.requests[0] == page_file.as_uri()
    assert all(url.startswith("data:") for url in opened.requests[1:])


def test_the_pages_policy_stops_a_request_and_a_foreign_script(opened: Watched) -> None:
    refused = opened.page.evaluate("fetch('https://example.org/').then(() => 'answered', () => 'refused')")
    opened.page.evaluate(
        "document.body.appendChild(Object.assign(document.createElement('script'),"
        " {textContent: 'document.title = `taken`'}))"
    )
    assert refused == "refused"
    assert opened.page.title() == "SMS report January 2026"
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)


def test_a_tooltip_shows_the_exact_amount(opened: Watched) -> None:
    opened.page.locator("[data-chart=cost-by-country-EUR] svg .mark-rect path").first.hover()
    tooltip = opened.page.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")
    assert "EUR 39.8575" in tooltip.inner_text()


@pytest.fixture(scope="module")
def crowded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all that can stand on one: large sums, long labels, rows left out, notices, bulks."""
    folder = tmp_path_factory.mktemp("crowded")
    bulk = Bulk(UUID(int=2**128 - 1), at("2026-01-15 09:30"))
    messages = [
        replace(each, price=each.price and str(Decimal(each.price) * 10_007), bulk_id=bulk.uuid)
        for each in busy_month()
    ]
    messages += [Message(at("2026-01-15 10:00"), price="123456.123456", service=LABEL, key_id=None)]
    path = write_warehouse(
        folder / "warehouse.duckdb",
        messages,
        bulks=[bulk],
        watermark_at=at("2026-02-02 12:00"),
        windows=[
            (at("2025-12-09 10:00"), at("2026-01-20 12:00")),
            (at("2026-01-20 23:00"), at("2026-02-02")),
        ],
        is_sandbox=True,
        bad_rows=[BadRow(reason=LABEL, accepted_reason=LABEL, price="0.21000000000000002"), BadRow()],
        publications=[Published(LABEL)],
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        return write_report(
            connection, "2026-01", folder, generated_at=datetime(2026, 2, 2, 13, tzinfo=UTC)
        ).html


@pytest.fixture(scope="module")
def german_quarter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quarter")
    with duckdb.connect(str(busy_account(folder / "warehouse.duckdb")), read_only=True) as connection:
        return write_report(
            connection,
            quarter_of("2026-1"),
            folder,
            generated_at=datetime(2026, 2, 2, 13, tzinfo=UTC),
            locale=Locale.DE,
        ).html


@pytest.mark.parametrize("width", [800, 1400])
@pytest.mark.parametrize("file", ["page_file", "crowded_file", "german_quarter_file"])
def test_tables_and_charts_stay_whole_at_any_usual_width(
    browser_page: Watched, request: pytest.FixtureRequest, file: str, width: int
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(request.getfixturevalue(file).as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER) == []


@pytest.fixture(scope="module")
def printed(browser_context: BrowserContext, crowded_file: Path) -> list[str]:
    """The text of each printed page, as it stands on it."""
    page = browser_context.new_page()
    page.goto(crowded_file.as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    pdf = crowded_file.with_suffix(".pdf")
    page.pdf(path=pdf, prefer_css_page_size=True)
    page.close()
    command = [shutil.which("pdftotext") or pytest.fail("pdftotext is missing."), "-layout", str(pdf), "-"]
    return subprocess.check_output(command, text=True).split("\f")[:-1]


def test_every_column_and_every_day_is_on_the_printed_pages(printed: list[str]) -> None:
    whole = "\n".join(printed)
    days = [
        line.split() for line in whole.splitlines() if re.match(r"\s*(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ", line)
    ]
    cost, delivery = [row for row in days if "%" not in row], [row for row in days if "%" in row]
    assert [int(row[1]) for row in cost] == [int(row[1]) for row in delivery] == list(range(1, 32))
    assert {len(row) for row in cost} == {9}  # three words of the day, six figures
    assert {len(row) for row in delivery} == {16}  # ten figures, three of them with a sign of per cent
    assert str(UUID(int=2**128 - 1)) in whole


def test_a_chart_is_on_one_printed_page_with_its_heading(printed: list[str]) -> None:
    for heading, last in (("By day", "31"), ("By country", "5 other countries")):
        (sheet,) = (
            sheet for sheet in printed if re.search(rf"^\s*{heading}\b(?!.*what)", sheet, re.MULTILINE)
        )
        assert last in sheet.partition(heading)[2]


def test_a_table_that_goes_on_overleaf_repeats_its_headings(printed: list[str]) -> None:
    for sheet in printed:
        for heading, figure in (("Undelivered", r"(?:Mon|Tue) \d+ Jan(?: +[\d.,]+){6}$"),):
            if re.search(figure, sheet, re.MULTILINE):
                assert heading in sheet


def test_pages_are_numbered(printed: list[str]) -> None:
    assert len(printed) > 3
    for number, sheet in enumerate(printed, start=1):
        assert re.search(rf"{number} ?/ ?{len(printed)}\s*$", sheet)


@pytest.mark.parametrize("file", ["page_file", "crowded_file", "german_quarter_file"])
def test_nothing_is_wider_than_a_narrow_screen(
    browser_page: Watched, request: pytest.FixtureRequest, file: str
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(request.getfixturevalue(file).as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_quarter_has_a_bar_a_day_and_its_months_below_them(
    browser_page: Watched, german_quarter_file: Path
) -> None:
    page = browser_page.page
    page.goto(german_quarter_file.as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    chart = page.locator("[data-chart=cost-by-day-EUR] svg")
    labels = [each for each in chart.locator(".role-axis-label text").all_text_contents() if each]
    assert {"Jan", "Feb", "Mar"} <= set(labels)
    assert chart.locator(".mark-rect path").count() == 31
    assert browser_page.complaints == []


def test_the_axes_of_a_german_page_have_points_between_thousands(
    browser_page: Watched, tmp_path: Path
) -> None:
    messages = [Message(at("2026-01-15 10:00"), price="12345.50")]
    path = write_warehouse(tmp_path / "warehouse.duckdb", messages, watermark_at=at("2026-02-02 12:00"))
    with duckdb.connect(str(path), read_only=True) as connection:
        result = write_report(
            connection,
            "2026-01",
            tmp_path,
            generated_at=datetime(2026, 2, 2, 13, tzinfo=UTC),
            locale=Locale.DE,
        )
    page = browser_page.page
    page.goto(result.html.as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=30_000)
    labels = page.locator("[data-chart=cost-by-day-EUR] .role-axis-label text").all_text_contents()
    assert "10.000" in labels


def test_a_headline_leads_to_the_table_that_adds_up_to_it(opened: Watched) -> None:
    opened.page.locator(".tile a[href='#delivery-over-time']").first.click()
    assert opened.page.url.endswith("#delivery-over-time")
    place = opened.page.locator("#delivery-over-time").bounding_box()
    assert place is not None
    assert 0 <= place["y"] < 900
