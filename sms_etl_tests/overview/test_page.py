"""The page as text: what it may not hold, and what it says of every figure."""

import re
from itertools import pairwise

import pytest

from sms_etl.overview.figures import Overview
from sms_etl.overview.page import render_page


@pytest.fixture(scope="module")
def calm_page(calm: Overview) -> str:
    return render_page(calm)


def test_no_phone_number_is_on_the_page_though_a_sender_is_one(troubled_page: str) -> None:
    assert "17612345678" not in troubled_page
    assert "+49*********78" in troubled_page


def test_what_a_provider_or_a_person_wrote_is_escaped(troubled_page: str) -> None:
    assert "alert(1)" in troubled_page
    assert "<script" not in troubled_page
    assert "known &amp; harmless &lt;i&gt;" in troubled_page
    assert "=2+3" in troubled_page


def test_what_the_provider_said_of_an_error_is_not_on_the_page(troubled_page: str) -> None:
    assert "a provider's words" not in troubled_page.replace("&#39;", "'")


def test_the_page_forbids_itself_every_script_and_every_request(calm_page: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', calm_page)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;none&#39;;")
    assert re.findall(r"(?:src|href)=\"(?!#)", calm_page) == []


def test_times_stand_in_the_business_time_zone_with_utc_beside_them(calm_page: str) -> None:
    assert "Europe/Berlin; UTC beside it" in calm_page
    assert "12 Mar 2026, 16:40 (15:40 UTC)" in calm_page


def test_an_account_where_all_is_well_says_what_was_looked_at(calm_page: str) -> None:
    assert (
        "What was read is fresh and without a gap, every check passed, no country or sender left its range "
        "and delivery is as a week before."
    ) in calm_page
    assert "<title>SMS overview: all well</title>" in calm_page


def test_every_chart_has_a_table_with_its_figures(troubled_page: str) -> None:
    assert troubled_page.count('<figure class="drawn"') == troubled_page.count("<details>") == 4


def test_every_figure_at_the_top_says_what_it_is(troubled_page: str) -> None:
    tiles = re.findall(r'<div class="tile"( title="[^"]{20,}")?>', troubled_page)
    assert len(tiles) == 6
    assert all(tiles)


def test_headings_go_down_one_level_at_a_time(troubled_page: str) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])", troubled_page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_what_is_in_quarantine_is_counted_by_its_reason(troubled_page: str) -> None:
    rows = re.findall(r'<td class="name">price is not an amount</td><td>(\d+)</td>', troubled_page)
    assert rows == ["2"]


def test_changes_in_a_closed_month_are_told_by_currency(troubled_page: str) -> None:
    assert "CHF +0.50, EUR −1.25" in troubled_page
