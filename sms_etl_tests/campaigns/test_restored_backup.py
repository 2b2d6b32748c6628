"""What was sent since an older backup is known after that was restored: nothing is sent twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from sms_etl.campaigns.change import cancel_campaign
from sms_etl.campaigns.create import Outcome
from sms_etl.errors import CampaignUnclear, DataDirError
from sms_etl.providers.lox24.bulk_writing import CreatedBulk
from sms_etl.providers.lox24.bulks import BulkRequest
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl_tests.campaigns.conftest import NUMBERS, SALE, Send, recorded, sent_bulks


def campaigns_file(settings: Settings) -> Path:
    return settings.data_dir / "warehouse.duckdb.campaigns"


def test_a_campaign_that_a_restored_backup_lacks_is_not_sent_again(
    send: Send, empty_provider: SandboxHandle, settings: Settings
) -> None:
    send(replace(SALE, text="Earlier", key="earlier"))
    path = settings.data_dir / "warehouse.duckdb"
    backup = path.read_bytes()
    first = send(replace(SALE, sender="+4915555999999"))
    cancel_campaign(settings, key="earlier", bulk_id=None, confirm=lambda _: True)
    before = sorted(recorded(settings, "*"))
    path.write_bytes(backup)
    again = send(replace(SALE, sender="+4915555999999"))
    assert (again.outcome, again.bulk_id) == (Outcome.SENT_BEFORE, first.bulk_id)
    assert len(sent_bulks(empty_provider)) == 2
    assert sorted(recorded(settings, "*")) == before
    kept = campaigns_file(settings).read_bytes()
    assert not [secret for secret in (*NUMBERS, "4915555999999", "Sale!") if secret.encode() in kept]


def test_what_cannot_be_kept_beside_the_warehouse_is_not_sent_or_is_found_again(
    send: Send, empty_provider: SandboxHandle, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = settings.data_dir / "warehouse.duckdb.campaigns.tmp"
    with pytest.raises(DataDirError, match="campaigns cannot be written"):
        send(then=in_the_way.mkdir)
    assert sent_bulks(empty_provider) == []
    in_the_way.rmdir()

    create = Lox24Writer.create_bulk

    async def sent_and_blocked(self: Lox24Writer, request: BulkRequest) -> CreatedBulk:
        created = await create(self, request)
        in_the_way.mkdir()
        return created

    with monkeypatch.context() as patch:
        patch.setattr(Lox24Writer, "create_bulk", sent_and_blocked)
        with pytest.raises(CampaignUnclear, match="was sent as bulk"):
            send()
    in_the_way.rmdir()
    assert send().outcome is Outcome.SENT_BEFORE
    assert len(sent_bulks(empty_provider)) == 1
