"""The sandbox is abused, synced and published, and who looks finds it: docs/anomalies.md, run as it stands.

`SMS_ETL_TEST_ANOMALIES=write` puts the answers into the page; read the difference before you commit it.
"""

import os
import re
from datetime import timedelta
from pathlib import Path

from sms_etl.cli.demo import with_sandbox
from sms_etl.pii.policy import PiiPolicy
from sms_etl.pipeline import PipelineResult, sync_build_publish
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.life.fraud import SHAPES
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.read import published
from sms_etl_tests.e2e.test_cookbook import shown

PAGE = Path(__file__).parents[2] / "docs" / "anomalies.md"
ACCOUNT = AccountParameters(messages=1200, days=40)
_QUERY = re.compile(r"```sql\n(?P<sql>.*?)```\n\n```text\n(?P<answer>.*?)```\n", re.DOTALL)
Found = list[tuple[object, ...]]


def synced(data_dir: Path, pii: PiiPolicy = PiiPolicy.PSEUDONYMISE) -> tuple[Settings, PipelineResult]:
    """Sync an account whose last night was one of abuse."""
    with running_sandbox(account=ACCOUNT, switches=SandboxSwitches(fraud="night_pump")) as provider:
        settings = with_sandbox(
            load_settings(data_dir=data_dir, now=provider.now(), pii=pii, pii_key="anomalies" * 4), provider
        )
        return settings, sync_build_publish(settings)


def told(settings: Settings) -> Found:
    with published(settings) as connection:
        return connection.execute("select * from marts.traffic_anomalies order by all").fetchall()


def test_the_page_shows_what_is_told_of_a_night_of_abuse(tmp_path: Path) -> None:
    settings, result = synced(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    with published(settings) as connection:
        answered = _QUERY.sub(
            lambda found: f"```sql\n{found['sql']}```\n\n```text\n{shown(connection, found['sql'])}```\n",
            page,
        )
    if os.environ.get("SMS_ETL_TEST_ANOMALIES") == "write":
        PAGE.write_text(answered, encoding="utf-8")
    else:
        assert answered == page
    assert result.build is not None
    assert [test.test for test in result.build.warnings if test.model == "marts.traffic_anomalies"] == [
        "recent_anomalies"
    ]
    assert not result.needs_attention  # a warning: the sync is done, and published


def test_what_is_told_does_not_depend_on_whether_numbers_are_kept(tmp_path: Path) -> None:
    hidden, _ = synced(tmp_path / "hidden")
    kept, _ = synced(tmp_path / "kept", PiiPolicy.KEEP)
    assert told(kept) == told(hidden) != []


def test_abuse_that_begins_after_a_sync_is_told_by_the_next(tmp_path: Path) -> None:
    with running_sandbox(account=ACCOUNT) as provider:

        def sync() -> Found:
            settings = with_sandbox(load_settings(data_dir=tmp_path, now=provider.now()), provider)
            sync_build_publish(settings)
            return told(settings)

        assert sync() == []
        for shape in SHAPES:
            provider.set_switches(fraud=shape)
        provider.advance(timedelta(days=7))
        assert {"number_range", "number_range_slow", "sender"} <= {row[1] for row in sync()}
