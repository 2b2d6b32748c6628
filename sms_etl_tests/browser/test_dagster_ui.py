"""Dagster's pages in a browser, served by `sms-etl ui` as people start it, after a run of the whole job."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import BrowserContext, expect

from sms_etl.definitions import defs
from sms_etl.defs.sync import QUARANTINE_CHECK
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import PREFIX
from sms_etl_tests.browser.conftest import ARE_WRITTEN, Watched, picture
from sms_etl_tests.cli.running import insert_bad_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DAGSTER = Path(sys.executable).with_name("dagster")
MODULE = ["-m", "sms_etl.definitions"]
STARTS_WITHIN_S = 180
PAGE_WITHIN_MS = 60_000
MESSAGES = 300
JOB, BY_HAND = "sms_pipeline", "__ASSET_JOB"
DAYS_AGAIN = """\
ops:
  lox24_sync:
    config:
      since: '2026-01-22'
      until: '2026-01-23'
"""


@pytest.fixture(scope="module")
def dagster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Dagster's pages are, with every asset materialised once, and one row in quarantine."""
    directory = tmp_path_factory.mktemp("dagster")
    home = directory / "data" / "dagster"
    home.mkdir(parents=True)
    shutil.copy(str(files("sms_etl.defs") / "dagster.yaml"), home)
    with running_sandbox(account=AccountParameters(messages=MESSAGES, days=10)) as sandbox:
        insert_bad_rows(sandbox, {"price": "free"})
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
            "DAGSTER_HOME": str(home),
            "SMS_ETL_LOX24_TOKEN": sandbox.token,
            "SMS_ETL_LOX24_BASE_URL": sandbox.url,
            "SMS_ETL_DATA_DIR": str(directory / "data"),
            "SMS_ETL_NOW": sandbox.now().isoformat(),
            "SMS_ETL_ENV_FILE": os.devnull,
        }
        subprocess.run(
            [DAGSTER, "job", "execute", *MODULE, "-j", "sms_pipeline"],
            cwd=directory,
            env=environment,
            check=True,
            capture_output=True,
            timeout=600,  # forty seconds of processor time, which other programs may want too
        )
        port = free_port()
        served = subprocess.Popen(
            [sys.executable, "-m", "sms_etl", "ui", "--port", str(port)],
            cwd=directory,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}", served)
            yield f"http://127.0.0.1:{port}"
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(60)


@pytest.fixture(scope="module")
def foreign_url() -> Iterator[str]:
    """Where an empty page of another site is."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until_it_answers(url: str, served: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and served.poll() is None:
        try:
            httpx.get(f"{url}/server_info", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return
    pytest.fail("Dagster did not start")


@pytest.mark.parametrize(
    ("expanded", "names"),
    [
        ("lox24", ["sms", "bulks"]),
        ("marts", ["fct_sms", "cost_monthly", "delivery_daily"]),
        ("published", ["published"]),
    ],
)
def test_the_asset_graph_shows_every_group_and_what_is_materialised(
    dagster_url: str, browser_page: Watched, expanded: str, names: list[str]
) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": 6400, "height": 6400})  # as large as nodes show their state
    page.goto(f"{dagster_url}/asset-groups?expanded=global@global:{expanded}")
    for name in names:
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=PAGE_WITHIN_MS)
    for group in {"lox24", "marts", "published", "seeds", "ops", "staging", "intermediate"} - {expanded}:
        expect(page.get_by_text(group, exact=True).filter(visible=True).first).to_be_visible()
    in_group = sum(spec.group_name == expanded for spec in defs.resolve_all_asset_specs())
    # Dagster does not draw what lies at the edge of a wide graph.
    expect(page.get_by_text("Materialized", exact=True).nth(in_group * 3 // 4 - 1)).to_be_attached(
        timeout=PAGE_WITHIN_MS
    )
    expect(page.get_by_text("Never materialized")).to_have_count(0)
    assert complaints_of(browser_page) == []
    assert {url for url in browser_page.requests if not at_home(url, dagster_url)} == set()
    if expanded == "lox24" and ARE_WRITTEN:
        page.set_viewport_size({"width": 1600, "height": 900})
        unfolded = ",".join(f"global@global:{group}" for group in ("lox24", "published", "reports"))
        page.goto(f"{dagster_url}/asset-groups?expanded={unfolded}")
        expect(page.get_by_text(names[0], exact=True).first).to_be_visible(timeout=PAGE_WITHIN_MS)
        picture(page, "dagster-graph")


def test_an_asset_shows_its_rows_its_checks_and_its_columns(dagster_url: str, browser_page: Watched) -> None:
    page = browser_page.page
    page.goto(f"{dagster_url}/assets/marts/fct_sms")
    expect(page.get_by_text(str(MESSAGES), exact=True).first).to_be_visible(timeout=PAGE_WITHIN_MS)
    expect(page.get_by_text("Latest check results")).to_be_visible(timeout=PAGE_WITHIN_MS)
    expect(page.get_by_text("decimal(18,6)").first).to_be_attached()
    expect(page.get_by_text(re.compile("net of VAT")).first).to_be_attached()
    assert complaints_of(browser_page) == []


def test_the_page_of_a_run_says_how_it_went_and_which_check_failed(
    dagster_url: str, browser_page: Watched
) -> None:
    page = browser_page.page
    page.goto(f"{dagster_url}/runs/{newest_run(dagster_url, JOB)['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=PAGE_WITHIN_MS)
    page.get_by_placeholder("Filter…").fill(QUARANTINE_CHECK)
    expect(page.get_by_text("ASSET_CHECK_EVA").first).to_be_visible(timeout=PAGE_WITHIN_MS)
    expect(page.get_by_text(re.compile("failed for materialization")).first).to_be_visible()
    picture(page, "dagster-run")


def test_a_failed_check_says_what_it_found(dagster_url: str, browser_page: Watched) -> None:
    page = browser_page.page
    page.goto(f"{dagster_url}/assets/lox24/sms?view=checks&checkDetail={QUARANTINE_CHECK}")
    expect(page.get_by_text("No row waits in").first).to_be_visible(timeout=PAGE_WITHIN_MS)
    found = page.locator("tr", has_text="rows that wait")
    expect(found.get_by_text("1", exact=True)).to_be_visible(timeout=PAGE_WITHIN_MS)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    picture(page, "dagster-failed-check")
    assert complaints_of(browser_page) == []


@pytest.fixture(scope="module")
def backfill(dagster_url: str, browser_context: BrowserContext) -> dict[str, Any]:
    """A run of two days again that was typed into the launchpad and started there, once it has ended."""
    page = browser_context.new_page()
    page.goto(f"{dagster_url}/assets/lox24/sms")
    materialize = page.get_by_role("button", name="Materialize")
    materialize.locator("xpath=following::button[1]").first.click(timeout=PAGE_WITHIN_MS)
    page.get_by_text("Open launchpad").click()
    page.get_by_role("button", name="Confirm").click()  # bulks are read by the same step
    expect(page.get_by_text("No errors")).to_be_visible(timeout=PAGE_WITHIN_MS)
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(DAYS_AGAIN)
    expect(page.get_by_text("No errors")).to_be_visible(timeout=PAGE_WITHIN_MS)
    expect(page.get_by_text("No missing config")).to_be_visible(timeout=PAGE_WITHIN_MS)
    picture(page, "dagster-launchpad")
    page.get_by_role("button", name="Materialize").last.click()
    run = newest_run(dagster_url, BY_HAND)
    until = time.monotonic() + STARTS_WITHIN_S
    while run["status"] not in {"SUCCESS", "FAILURE"} and time.monotonic() < until:
        time.sleep(0.5)
        run = newest_run(dagster_url, BY_HAND)
    page.close()
    return run


def test_days_that_are_typed_into_the_launchpad_are_read_again(
    backfill: dict[str, Any], dagster_url: str, browser_page: Watched
) -> None:
    assert backfill["status"] == "SUCCESS"
    ran, typed = (yaml.load(text, yaml.BaseLoader) for text in (backfill["runConfigYaml"], DAYS_AGAIN))  # noqa: S506 - texts only
    assert ran == typed
    page = browser_page.page
    page.goto(f"{dagster_url}/assets/lox24/sms?view=events")
    expect(page.locator("tr", has_text="purpose").get_by_text("backfill")).to_be_visible(
        timeout=PAGE_WITHIN_MS
    )
    assert complaints_of(browser_page) == []


@pytest.mark.usefixtures("backfill")  # one point is no plot
def test_what_each_sync_counted_is_plotted_over_time(dagster_url: str, browser_page: Watched) -> None:
    page = browser_page.page
    page.goto(f"{dagster_url}/assets/lox24/sms")
    plots = page.get_by_role("button", name="Plots")
    plots.click(timeout=PAGE_WITHIN_MS)
    for counted in ("dagster/row_count", "requests", "rows_changed", "rows_new", "seconds"):
        expect(page.get_by_text(counted, exact=True).first).to_be_attached(timeout=PAGE_WITHIN_MS)
    expect(page.locator("canvas").nth(10)).to_be_attached()
    page.get_by_text("rows_changed", exact=True).first.scroll_into_view_if_needed()
    picture(page, "dagster-plots")
    assert complaints_of(browser_page) == []


_CONNECTS_AGAIN = re.compile("WebSocket connection to .* failed: WebSocket is closed before the connection")


def complaints_of(watched: Watched) -> list[str]:
    """Return what a page complained about, but for a connection that is made again on a busy machine."""
    return [each for each in watched.complaints if not _CONNECTS_AGAIN.search(each)]


RUNS = """
query ($job: String!) { runsOrError(filter: {pipelineName: $job}, limit: 1) {
    ... on Runs { results { runId status runConfigYaml } } } }
"""


def newest_run(dagster_url: str, job: str) -> dict[str, Any]:
    """Return the newest run of a job; wait for the first to be there."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        asked = {"query": RUNS, "variables": {"job": job}}
        answered = httpx.post(f"{dagster_url}/graphql", json=asked, trust_env=False, timeout=30).json()
        found: list[dict[str, Any]] = answered["data"]["runsOrError"]["results"]
        if found:
            return found[0]
        time.sleep(0.5)
    pytest.fail(f"no run of {job} has begun")


SET_LIMIT = 'mutation { setConcurrencyLimit(concurrencyKey: "planted", limit: 7) }'
LIMIT = '{ instance { concurrencyLimit(concurrencyKey: "planted") { slotCount } } }'
DRIVE = """async ([url, mutation]) => {
    const body = JSON.stringify({query: mutation});
    const address = url + "?query=" + encodeURIComponent(mutation);
    const tries = [
        fetch(url, {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body}),
        fetch(address, {method: "POST", mode: "no-cors"}),
        fetch(url, {method: "POST", mode: "no-cors", body: new Blob([body])}),
        fetch(address, {mode: "no-cors"}),
        fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body}),
    ];
    await Promise.allSettled(tries);
    return await new Promise(resolve => {
        const socket = new WebSocket(url.replace("http", "ws"), "graphql-ws");
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
    });
}"""


def test_a_page_of_another_site_changes_nothing_and_the_own_page_does(
    dagster_url: str, foreign_url: str, browser_page: Watched
) -> None:
    def limit() -> int:
        answered = httpx.post(f"{dagster_url}/graphql", json={"query": LIMIT}, trust_env=False).json()
        return int(answered["data"]["instance"]["concurrencyLimit"]["slotCount"])

    before = limit()
    graphql = [f"{dagster_url}/graphql", SET_LIMIT]
    browser_page.page.goto(foreign_url)
    assert (browser_page.page.evaluate(DRIVE, graphql), limit()) == ("refused", before)
    browser_page.page.goto(f"{dagster_url}/runs")
    assert (browser_page.page.evaluate(DRIVE, graphql), limit()) == ("open", 7)


def at_home(url: str, dagster_url: str) -> bool:
    return url.startswith((dagster_url, "data:", "blob:"))
