"""Holds that Dagster shows how far campaigns are, and fails while it is not known whether one was sent."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from sms_etl.campaigns.create import create_campaign
from sms_etl.campaigns.plan import Plan
from sms_etl.definitions import defs
from sms_etl.errors import CampaignUnclear
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl_tests.campaigns.conftest import SALE
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.defs.instance import environment
from sms_etl_tests.defs.runs import failure_of, shown_by


async def at_once(_seconds: float) -> None:
    """Wait no time."""


def send(settings: Settings, key: str, then: Callable[[], None] = lambda: None) -> None:
    """Send a campaign; `then` happens after its dry run."""

    def confirm(_: Plan) -> bool:
        then()
        return True

    create_campaign(settings, replace(SALE, key=key), confirm=confirm, sleep=at_once)


def status_of(settings: Settings, provider: SandboxHandle) -> dg.ExecuteInProcessResult:
    values = {
        "DATA_DIR": str(settings.data_dir),
        "LOX24_TOKEN": provider.token,
        "LOX24_BASE_URL": provider.url,
        "NOW": provider.now().isoformat(),
    }
    with environment(settings.data_dir, **values), dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("campaign_status").execute_in_process(
            instance=instance, raise_on_error=False
        )


def test_each_bulk_is_shown_beside_what_was_planned(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(empty_provider)
    send(settings, "spring | sale")
    facts = shown_by(status_of(settings, empty_provider))
    assert facts["bulks"] == 1
    assert "| spring \\| sale |" in facts["status"]
    assert facts["status"].endswith("| 3 |")


def test_a_campaign_that_may_have_been_sent_fails_the_run_and_is_named(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(empty_provider)
    send(settings, "sent")
    with pytest.raises(CampaignUnclear):
        send(settings, "lost", then=lambda: empty_provider.set_switches(writes="not_carried_out"))
    result = status_of(settings, empty_provider)
    assert not result.success
    assert "not known: lost." in failure_of(result)
