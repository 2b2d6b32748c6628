"""The report's page, opened as finance opens it: from a file, without a network."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from sms_etl.finance.report import write_report
from sms_etl_tests.browser.conftest import Watched
from sms_etl_tests.finance.account import busy_account

CHARTS = ("cost-by-day-EUR", "cost-by-country-EUR", "delivery-by-day")

pytestmark = pytest.mark.browser


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


def test_nothing_is_wider_than_a_narrow_screen(opened: Watched) -> None:
    opened.page.set_viewport_size({"width": 420, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 420
