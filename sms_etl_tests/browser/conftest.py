"""A headless Chromium for the tests that open what people open; a missing one fails, it never skips."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, sync_playwright

PICTURES = Path(__file__).parents[2] / "docs" / "images"
ARE_WRITTEN = os.environ.get("SMS_ETL_TEST_PICTURES") == "write"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # containers run the tests as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Watched:
    """A page, with all it complained about and asked for since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)


def picture(page: Page, name: str) -> None:
    """Write what a page shows into the pictures of the documentation, with SMS_ETL_TEST_PICTURES=write."""
    if ARE_WRITTEN:
        page.wait_for_timeout(3_000)  # symbols come after words, and some things move into their places
        page.screenshot(path=PICTURES / f"{name}.png")
    assert (PICTURES / f"{name}.png").is_file()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is: `SMS_ETL_TEST_CHROMIUM`, or the first one on the path."""
    found = os.environ.get("SMS_ETL_TEST_CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM_NAMES)), None
    )
    if not found or not Path(found).is_file():
        pytest.fail(
            "Chromium is missing. Install it (Debian, Ubuntu: apt-get install chromium), "
            "or name one in SMS_ETL_TEST_CHROMIUM."
        )
    return found


@pytest.fixture(scope="module")
def browser_context(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser with a profile of its own, which goes with the module's tests.

    Not the session's: while the browser is open Playwright's loop runs, and no asynchronous test can.
    """
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("chromium")),
            executable_path=chromium,
            headless=True,
            args=list(ARGUMENTS),
            viewport={"width": 1280, "height": 900},
        )
        yield context
        context.close()


@pytest.fixture
def browser_page(browser_context: BrowserContext) -> Iterator[Watched]:
    """A new tab that records console errors, warnings and every request."""
    page = browser_context.new_page()
    yield Watched(page)
    page.close()
