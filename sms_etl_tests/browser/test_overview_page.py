"""The overview, opened from a file without a network, at the widths people have, and printed."""

import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import BrowserContext

from sms_etl.overview.write import write_overview
from sms_etl_tests.browser.conftest import Watched
from sms_etl_tests.overview.account import WRITTEN_AT, Account, calm_account, troubled_account, write_account

pytestmark = pytest.mark.browser

WIDTHS = (1400, 800, 390)
CUT = """
[...document.querySelectorAll('main *:not(svg *)')]
    .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
        && !each.closest('.wide'))
    .map(each => each.tagName + ': ' + each.innerText.slice(0, 40))
"""
SCROLLED = """
[...document.querySelectorAll('.wide')].filter(each => each.scrollWidth > each.clientWidth)
    .map(each => each.innerText.slice(0, 40))
"""
TOUCHING_LABELS = """
[...document.querySelectorAll('.plot')].flatMap(plot => {
    const shown = [...plot.querySelectorAll('text')].map(text => text.getBoundingClientRect())
        .filter(box => box.width > 0);
    return shown.filter((box, place) => shown.some((other, at) => at > place
        && box.left < other.right && other.left < box.right && box.top < other.bottom
        && other.top < box.bottom)).map(box => box.left);
})
"""
FAINT = """
() => {
    const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const part = colour => linear(colour / 255);
    const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const behind = each => {
        for (let at = each; at; at = at.parentElement) {
            const colour = numbers(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll('main *')].filter(each =>
        [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
        && each.tagName !== 'title' && each.getBoundingClientRect().width > 0);
    return texts.map(each => {
        const style = getComputedStyle(each);
        const ink = light(numbers(each.closest('svg') ? style.fill : style.color));
        const paper = light(behind(each));
        const [high, low] = ink > paper ? [ink, paper] : [paper, ink];
        return [(high + 0.05) / (low + 0.05), each.textContent.slice(0, 30)];
    }).filter(([ratio]) => ratio < 4.5);
}
"""
"""Texts with less contrast than 4.5 to 1, which WCAG 2.2 asks for at level AA."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overview")


def page_of(folder: Path, account: Account) -> Path:
    warehouse = write_account(folder / "warehouse.duckdb", account)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return write_overview(connection, folder, generated_at=WRITTEN_AT).html


@pytest.fixture(scope="module")
def calm(folder: Path) -> Path:
    (folder / "calm").mkdir()
    return page_of(folder / "calm", calm_account())


@pytest.fixture(scope="module")
def troubled(folder: Path) -> Path:
    (folder / "troubled").mkdir()
    return page_of(folder / "troubled", troubled_account())


@pytest.fixture(scope="module")
def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return page_of(folder / "empty", Account())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["calm", "troubled", "empty"])
def test_nothing_is_cut_at_any_usual_width(
    browser_page: Watched, request: pytest.FixtureRequest, name: str, width: int
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(request.getfixturevalue(name).as_uri())
    for details in page.locator("details").all():
        details.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    if width >= 800:
        assert page.evaluate(SCROLLED) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_are_as_wide_as_their_place_and_their_labels_lie_apart(
    browser_page: Watched, calm: Path, width: int
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(calm.as_uri())
    plots = page.locator("svg.plot").all()
    assert len(plots) == 3
    for plot in plots:
        size = plot.bounding_box()
        assert size
        assert size["width"] > 0.6 * min(width, 1040)
        assert size["height"] > 150
    heights = [bar.bounding_box() for bar in page.locator("svg.plot .bar").all()]
    assert max(size["height"] for size in heights if size) > 60
    assert page.evaluate(TOUCHING_LABELS) == []


def test_texts_stand_out_from_what_is_behind_them(browser_page: Watched, troubled: Path) -> None:
    browser_page.page.goto(troubled.as_uri())
    assert browser_page.page.evaluate(FAINT) == []


def test_the_page_runs_no_script_complains_of_nothing_and_asks_for_nothing(
    browser_page: Watched, troubled: Path
) -> None:
    browser_page.page.goto(troubled.as_uri())
    assert browser_page.complaints == []
    assert browser_page.requests == [troubled.as_uri()]
    assert browser_page.page.locator("script").count() == 0


def test_tables_open_and_commands_are_reached_by_the_keyboard(browser_page: Watched, troubled: Path) -> None:
    page = browser_page.page
    page.goto(troubled.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "command"
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.locator("tbody tr").first.is_visible()


def test_a_pointer_is_shown_the_figures_of_a_bar(browser_page: Watched, calm: Path) -> None:
    browser_page.page.goto(calm.as_uri())
    title = browser_page.page.locator("svg.plot .bar title").first.text_content()
    assert re.fullmatch(r"Fri 13 Feb: \d+ delivered of 48", title or "")


def test_figures_of_every_chart_are_on_the_printed_pages(
    browser_context: BrowserContext, troubled: Path
) -> None:
    page = browser_context.new_page()
    page.goto(troubled.as_uri())
    pdf = troubled.with_suffix(".pdf")
    page.pdf(path=pdf, prefer_css_page_size=True)
    page.close()
    command = [shutil.which("pdftotext") or pytest.fail("pdftotext is missing."), "-layout", str(pdf), "-"]
    sheets = subprocess.check_output(command, text=True).split("\f")[:-1]
    whole = "\n".join(sheets)
    lines = [line.strip() for line in whole.splitlines()]
    days = [line for line in lines if re.match(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w+ ", line)]
    of_volume = [line for line in days if len(line.split()) >= 15]
    of_cost = [line for line in days if len(line.split()) == 6]  # the day, messages, without a price, cost
    assert (len(of_volume), len(of_cost)) == (28, 56)  # two currencies
    assert "sms-etl quarantine list" in whole
    assert all(re.search(rf"{number} ?/ ?{len(sheets)}\s*$", sheet) for number, sheet in enumerate(sheets, 1))
