"""A backup is whole, and so is a copy published as such: a warehouse starts again from it, and goes on."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from sms_etl.errors import NotAWarehouse
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.read import query
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import assert_bulks_equal, assert_messages_equal


def lose_the_warehouse_and_restore_it(settings: Settings, backup: Path) -> None:
    warehouse = Warehouse.of(settings).path
    warehouse.unlink()
    warehouse.with_name(f"{warehouse.name}.wal").unlink(missing_ok=True)
    shutil.rmtree(settings.landing_dir)
    shutil.copyfile(backup, warehouse)


@pytest.mark.parametrize("contents", ["marts", "all"])
def test_a_restored_warehouse_syncs_builds_and_publishes_on(
    provider: SandboxHandle, settings_at: SettingsAt, contents: str
) -> None:
    settings = settings_at(provider, publish=contents)
    sync_build_publish(settings)
    backup = settings.published_path if contents == "all" else back_up(settings).path
    lose_the_warehouse_and_restore_it(settings, backup)
    provider.advance(timedelta(days=1))
    later = settings_at(provider, publish=contents)
    result = sync_build_publish(later)
    assert result.sync.watermark_before is not None, "it goes on where it was"
    assert result.sync.rows_new + result.sync.rows_changed > 0
    assert result.published is not None
    assert_messages_equal(Warehouse.of(later).path, provider.truth_sms())
    assert_bulks_equal(Warehouse.of(later).path, provider.truth_bulks())
    assert query("select count(*) from ops.publication", later).rows == [(2,)]


def test_what_analysts_get_is_no_warehouse_and_refused_as_one(
    synced_settings: Settings,
) -> None:
    settings = synced_settings
    lose_the_warehouse_and_restore_it(settings, settings.published_path)
    with pytest.raises(NotAWarehouse, match="is a published copy") as caught:
        sync_build_publish(settings)
    assert "sms-etl backup" in caught.value.hint
