"""The page of the models, opened from a file without a network, at the widths people have, and printed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from sms_etl.models.page import write_docs
from sms_etl.models.project import load_project
from sms_etl_tests.browser.conftest import Watched

pytestmark = pytest.mark.browser

CUT = """
[...document.querySelectorAll('main *:not(svg *)')]
    .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
        && !each.closest('.picture, pre'))
    .map(each => each.tagName + ': ' + each.innerText.slice(0, 40))
"""
TEXTS_BEYOND_THEIR_BOX = """
[...document.querySelectorAll('.picture .box')]
    .filter(box => box.querySelector('text').getBBox().width + 12 > box.querySelector('rect').getBBox().width)
    .map(box => box.textContent)
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_docs(load_project(), tmp_path_factory.mktemp("docs") / "models.html").path


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_nothing_is_cut_at_any_usual_width(browser_page: Watched, page_file: Path, width: int) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []


def test_the_whole_picture_is_seen_on_a_wide_screen_and_names_fit_their_boxes(
    browser_page: Watched, page_file: Path
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(page_file.as_uri())
    assert page.evaluate("(p => p.scrollWidth - p.clientWidth)(document.querySelector('.picture'))") <= 0
    assert page.evaluate(TEXTS_BEYOND_THEIR_BOX) == []


def test_a_box_of_the_picture_leads_to_its_table(browser_page: Watched, page_file: Path) -> None:
    browser_page.page.goto(page_file.as_uri())
    browser_page.page.locator(".picture a", has_text="cost_monthly").click()
    assert browser_page.page.url.endswith("#marts.cost_monthly")
    assert browser_page.page.locator("section:target h3").inner_text().startswith("marts.cost_monthly")


def test_the_page_complains_of_nothing_and_asks_for_nothing(browser_page: Watched, page_file: Path) -> None:
    browser_page.page.goto(page_file.as_uri())
    assert browser_page.complaints == []
    assert [url for url in browser_page.requests if not url.startswith("data:")] == [page_file.as_uri()]


def test_columns_and_sql_are_on_the_printed_pages(browser_context: BrowserContext, page_file: Path) -> None:
    page = browser_context.new_page()
    page.goto(page_file.as_uri())
    pdf = page_file.with_suffix(".pdf")
    page.pdf(path=pdf, prefer_css_page_size=True)
    page.close()
    command = [shutil.which("pdftotext") or pytest.fail("pdftotext is missing."), "-layout", str(pdf), "-"]
    sheets = subprocess.check_output(command, text=True).split("\f")[:-1]
    whole = "\n".join(sheets)
    assert "average_price_per_part" in whole
    assert "exact_division(summed.cost - summed.cost_voice, summed.priced_parts)" in whole
    assert all(re.search(rf"{number} ?/ ?{len(sheets)}\s*$", sheet) for number, sheet in enumerate(sheets, 1))
