"""A sandbox account without messages, and a campaign to three people to send there."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from sms_etl.campaigns.create import CreateResult, create_campaign
from sms_etl.campaigns.plan import Asked, Plan
from sms_etl.campaigns.recipients import Recipients
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl_tests.conftest import SettingsAt

NUMBERS = ("+4915555100001", "+4915555100002", "+41795550001")
SALE = Asked("ACME", "Sale!", Recipients(NUMBERS))
Send = Callable[..., CreateResult]


@pytest.fixture
def settings(empty_provider: SandboxHandle, settings_at: SettingsAt) -> Settings:
    return settings_at(empty_provider)


class Waits:
    """Notes how long was waited, and waits no time; a test may let something happen meanwhile."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.meanwhile()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def send(settings: Settings, waits: Waits) -> Send:
    """Sends a campaign; `then` happens after the dry run, before it is sent."""

    def run(
        asked: Asked = SALE, *, is_confirmed: bool = True, then: Callable[[], None] = lambda: None
    ) -> CreateResult:
        def confirm(_: Plan) -> bool:
            then()
            return is_confirmed

        return create_campaign(settings, asked, confirm=confirm, sleep=waits)

    return run


def sent_bulks(provider: SandboxHandle) -> list[dict[str, Any]]:
    """Return the bulks that the provider sends."""
    return [bulk for bulk in provider.truth_bulks() if not bulk["is_dryrun"]]


def recorded(settings: Settings, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of `ops.campaign`."""
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(f"select {columns} from ops.campaign order by intended_at").fetchall()
