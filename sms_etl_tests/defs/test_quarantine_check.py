"""Holds that Dagster warns while a row waits in quarantine, also in runs that quarantine none."""

from pathlib import Path

import dagster as dg

from sms_etl.clock import to_unix
from sms_etl.defs.resources import SettingsSource
from sms_etl.defs.sync import QUARANTINE_CHECK, SyncConfig, lox24_sync
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings
from sms_etl.warehouse.quarantine import accept, quarantined_rows
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.defs.instance import environment


def check_of_a_sync() -> dg.AssetCheckResult:
    results = list(lox24_sync(dg.build_asset_context(), SyncConfig(), SettingsSource()))  # type: ignore[call-overload]  # a decorated asset is called with what it is made of
    [found] = [
        one for one in results if isinstance(one, dg.AssetCheckResult) and one.check_name == QUARANTINE_CHECK
    ]
    return found


def test_the_check_fails_until_no_row_waits_any_more(bare_environment: Path) -> None:
    with running_sandbox(account=AccountParameters(messages=0, days=1)) as sandbox:
        now = to_unix(sandbox.now())
        sandbox.insert({"created_at": now}, {"created_at": now, "extra": {"price": "free"}})
        values = {
            "LOX24_TOKEN": sandbox.token,
            "LOX24_BASE_URL": sandbox.url,
            "DATA_DIR": str(bare_environment / "data"),
            "NOW": sandbox.now().isoformat(),
        }
        with environment(bare_environment, **values):
            for new in (1, 0):
                found = check_of_a_sync()
                assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
                told = {name: value.value for name, value in found.metadata.items()}
                assert told == {"rows that wait": 1, "new in this run": new}
            settings = load_settings()
            with Warehouse.of(settings).begin() as transaction:
                [row] = quarantined_rows(transaction.native)
                accept(transaction.native, [str(row.quarantine_id)], reason="a test", now=settings.clock())
            assert check_of_a_sync().passed
